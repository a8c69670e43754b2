"""Renders labelled heads."""
