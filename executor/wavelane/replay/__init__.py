"""Replay: events folded through the model, into reports and status.

This wing decides how a wave is made again from its journal (`loading`), how long everything took
(`report`), where issues and lanes stand (`status`), how a journal's wave may change (`amendment`),
and what finished issues teach (`experience`).
"""
