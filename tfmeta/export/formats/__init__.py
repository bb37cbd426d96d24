"""What exports are written as: a class for each format."""
