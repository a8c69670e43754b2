"""Head orientation from camera images with a coarse-to-fine network."""
