"""The report of an evaluation: one html file, thumbnails of the worst frames, an annotated video."""
