"""What the rendered heads are made of: sources, download, conversion."""
