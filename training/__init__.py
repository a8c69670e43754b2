"""Offline training, evaluation and export with PyTorch, run from the checkout."""
