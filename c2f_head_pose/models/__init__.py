"""Model files: those shipped with the package, and those fetched once by the set-up commands."""
