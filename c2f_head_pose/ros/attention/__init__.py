"""Implements the node `attention`."""
