"""Lake's test on Omniglot: who drew what, and the trials that compare two people."""
