"""Where the parts of a data set come from."""
