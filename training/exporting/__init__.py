"""Model files: quantisation, sample crops, GPU report."""
