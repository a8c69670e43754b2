"""Quantises model files, makes the sample crops, and reports on GPUs."""
