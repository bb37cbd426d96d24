"""Streams of episodes and of examples as `tf.data` datasets."""
