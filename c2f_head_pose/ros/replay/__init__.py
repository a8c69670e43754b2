"""The node `replay`."""
