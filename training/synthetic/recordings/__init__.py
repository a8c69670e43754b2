"""Rendered recordings with truth."""
