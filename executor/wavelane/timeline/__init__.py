"""The timeline: what took how long and why, and what will.

This wing decides what each issue is expected to take (`estimates`), when a wave may end at each cap
(`forecast`, `cap_sweep`, `preview`), and what a journal amounts to over time (`spans`, `waits`,
`history`).
"""
