"""Floor 8: the command-line apps, their flags, and what they print."""
