"""Reads true head rotations, aligns them with the estimates, and matches heads with faces."""
