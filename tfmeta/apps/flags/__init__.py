"""Flags that are made from the constructors of parts, and flags that apps share."""
