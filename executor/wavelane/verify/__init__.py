"""Verification: whether the runs recorded in a journal kept the rules, and if not, where not.

This wing decides what a journal must record if its runs kept the rules (`verdict`), and puts the
model's refusal of an event into words that name the rule (`refusal`). It offers `verify`.
"""

from __future__ import annotations

from wavelane.verify.breach import Breach, Finding
from wavelane.verify.verdict import CLOCK_SLACK, Verdict, verify

__all__ = ["CLOCK_SLACK", "Breach", "Finding", "Verdict", "verify"]
