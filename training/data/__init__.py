"""Reads crops as batches of tensors, and augments them."""
