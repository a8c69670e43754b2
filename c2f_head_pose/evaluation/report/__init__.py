"""Writes the report of an evaluation: an html file, thumbnails of the worst frames, an annotated video."""
