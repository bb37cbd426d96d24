"""The command-line apps, their flags, and what they print."""
