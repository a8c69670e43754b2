"""Reads data sets of real labelled faces, and cuts their crops."""
