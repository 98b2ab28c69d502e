"""The pure core of wavelane: the tables, the state, and the step.

Nothing here waits, reads, writes or tells the time. Start with `lifecycle` (the table), then
`step` (how an event becomes orders), then `state` (what a move does).
"""
