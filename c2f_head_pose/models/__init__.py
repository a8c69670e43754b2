"""Model files: networks that are shipped with the package, and the face detector, which the set-up commands fetch once."""
