"""A breach: the rule that an event of a journal breaks, and what is wrong with which subject.

A finding is a breach with its place in the journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


class Breach(NamedTuple):
    """A rule that was broken.

    Attributes:
        rule: The rule's name, for machines.
        text: What is wrong, in a sentence.
        subject: The issue or repo concerned, "" if it is the whole wave.
    """

    rule: str
    text: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the journal of a run that kept the rules would not record.

    Attributes:
        rule: The name of what was broken: a rule (lane, cap, merge, order, reservation, pause,
            wait, once, table, end), a property of the model, or rows (numbers and times of events),
            format (what cannot be read), wave (unknown issues), meta (what the run was started
            with), standing (rows of issues), hash_chain.
        text: What is wrong, in a sentence.
        seq: The number of the event, None if the finding concerns the whole journal.
        at: The time of the event, in seconds since the epoch.
        what: That event, e.g. "SessionEnded api#2".
        subject: The issue or repo concerned, "" if it is the whole wave or the file.
    """

    rule: str
    text: str
    seq: int | None = None
    at: float | None = None
    what: str = ""
    subject: str = ""

    def __str__(self) -> str:
        if self.seq is None:
            return self.text
        return f"event {self.seq}{f' ({self.what})' if self.what else ''}: {self.text}"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            "rule": self.rule,
            "subject": self.subject,
            "text": self.text,
            "event": self.seq,
            "at": self.at,
            "what": self.what,
        }
