"""The timeline: how long things took and why, and how long the rest will take.

This wing decides what each issue is expected to take (`estimates`), when a wave may end at each cap
(`forecast`, `cap_sweep`, `preview`), and what a journal amounts to over time (`spans`, `waits`,
`history`).
"""
