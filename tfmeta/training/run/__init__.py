"""A training run on disk: its folder, what it reports, how it is stopped."""
