"""Crops and their augmentation, as batches of tensors."""
