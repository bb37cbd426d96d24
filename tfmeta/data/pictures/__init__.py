"""Pictures: which examples are some, how they are decoded and resized."""
