"""The node `attention`."""
