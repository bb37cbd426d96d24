"""What takes the place of TensorFlow's gradient kernels, for each runtime."""
