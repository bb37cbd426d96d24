"""An outer step, and what is checked before it."""
