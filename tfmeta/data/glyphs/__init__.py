"""Characters of invented alphabets, drawn by a program."""
