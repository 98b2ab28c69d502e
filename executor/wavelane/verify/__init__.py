"""Verification: whether a journal keeps the rules, and if not, where.

This wing decides what is wrong with a journal and says it in words, event by event. It offers
`wavelane.verify`, the function, which gives a `Verdict`.
"""
