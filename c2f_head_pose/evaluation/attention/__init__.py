"""How well attention is decided: scripted and rendered drives, and the timeline of a recording."""
