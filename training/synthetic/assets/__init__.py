"""Assets of the rendered heads: sources, download, conversion."""
