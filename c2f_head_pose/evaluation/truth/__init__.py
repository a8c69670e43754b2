"""True head rotations: reading, alignment with the estimates, matching of heads."""
