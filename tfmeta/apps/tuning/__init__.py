"""The search of the app tune: trials, the searcher, and what is told of them."""
