"""Real labelled faces: data sets and their crops."""
