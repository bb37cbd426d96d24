"""How a raw input becomes what a net takes."""
