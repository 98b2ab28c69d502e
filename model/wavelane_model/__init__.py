"""The model: the pure core, which decides everything by its tables, state and step.

Nothing here waits, reads, writes or tells the time. Start with `lifecycle` (the table), then
`step` (how an event becomes orders), then `state` (what a move does).
"""
