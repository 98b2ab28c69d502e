"""The scheduler: an asyncio driver; events in, one write, effects out.

This wing decides when things happen, and no rule: `scheduler` is the public face, `sessions` turns
one call of the pipeline into an outcome, `timers`, `merge_turns` and `notices` carry out orders of
the model, `recovery` asks what is left after a crash, and `cap_control` moves the cap.
"""
