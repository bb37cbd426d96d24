"""What learners of texts are compared with."""
