"""Renders recordings with truth."""
