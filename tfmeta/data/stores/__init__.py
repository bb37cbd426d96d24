"""Where examples lie: in memory, on disk, in a mapped file."""
