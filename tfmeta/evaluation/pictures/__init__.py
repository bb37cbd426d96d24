"""Pictures of episodes, of curves of accuracy, and of functions."""
