"""Evaluates the attention decision on scripted and rendered drives, and makes the timeline of a recording."""
