"""The rules that turn inner gradients into inner steps."""
