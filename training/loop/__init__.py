"""The training loop: configuration, data loader, losses, schedule, EMA, checkpoints, validation."""
