"""How long each stage and the whole path take on this machine's CPU: what `bench --path` runs."""
