"""Camera models: what a colour camera and a depth camera add."""
