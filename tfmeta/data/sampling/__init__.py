"""Which groups and which examples an episode has."""
