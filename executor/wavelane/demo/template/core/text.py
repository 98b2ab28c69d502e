"""Small functions on text."""

FUNCTIONS = []
