"""A wing; see its modules."""
