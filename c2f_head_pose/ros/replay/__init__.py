"""Implements the node `replay`."""
