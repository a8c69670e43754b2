"""Runs a model on labelled faces and writes the figures."""
