"""Verification: whether the runs recorded in a journal kept the rules.

Two things are taken from the journal as given: what the run was started with, and which events
happened. Four checks judge them:

1. *Rows.* Events are numbered from 1 without a gap, can be read, and their times never decrease.
2. *Model.* The events are folded through `wavelane_model.step`; each must be legal in its place.
   Only the model starts sessions, so every end must be that of a session that the rules allowed to
   start, and no session ends twice. A session whose run was cut off has no end; its recovery
   finding is recorded before the next run starts.
3. *Properties.* Periodically, and at the end, the named properties of `wavelane_model.properties`
   are checked on the state. How often depends on the size of the wave, so that the cost of a step
   does not.
4. *Standings.* The rows of the issues agree with the fold, and the hash chain ends with the
   recorded digest.

Whether the model itself keeps the rules is judged in specs/, by a monitor that knows the rules
independently.

The fold stops at the first event that is illegal or breaks a rule: what follows it means nothing. A
clock may be set back: up to `CLOCK_SLACK` seconds are a note, more is a finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wavelane.journal import (
    EventRow,
    JournalError,
    JournalReader,
    RecordedEvent,
    Settings,
    Standing,
    next_digest,
    storable_text,
)
from wavelane.replay.replay import Replay
from wavelane.verify.breach import Breach, Finding
from wavelane.verify.refusal import explain_refusal
from wavelane_model.effects import Effect, EndReservationAt, RunOutcome, WakeAt
from wavelane_model.events import Event, PauseEnded, PostponementEnded, ReservationEnded
from wavelane_model.properties import broken
from wavelane_model.state import WaveState
from wavelane_model.step import IllegalEvent
from wavelane_model.view import open_sessions

CLOCK_SLACK: Final = 60.0
"""Seconds by which a clock may be set back during a run."""
_CHEAP: Final = 200
"""How many records a step may read on average for the full properties."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The findings about a journal.

    Attributes:
        keeps_the_rules: Nothing was found that breaks a rule.
        events: How many events the journal has.
        findings: What breaks a rule, in the order of the events.
        outcome: How the run ended, as far as the events were followed; "unfinished" for a run that
            goes on or was cut off.
        notes: Remarks that break no rule: sessions that are still open or were cut off, a clock
            that was set back a little.
    """

    keeps_the_rules: bool
    events: int
    findings: tuple[Finding, ...]
    outcome: RunOutcome
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """For people: the verdict, and a line for each finding and note."""
        count = f"{self.events} event{'' if self.events == 1 else 's'}"
        verdict = "keeps" if self.keeps_the_rules else "breaks"
        return "\n".join(
            [
                f"{verdict} the rules: {count}, {self.outcome}",
                *(f"{finding.rule}: {finding}" for finding in self.findings),
                *(f"note: {note}" for note in self.notes),
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            "keeps_the_rules": self.keeps_the_rules,
            "events": self.events,
            "outcome": self.outcome,
            "findings": [finding.to_dict() for finding in self.findings],
            "notes": list(self.notes),
        }


def verify(path: str | Path) -> Verdict:
    """Judge a journal, of a run that has ended, was cut off, or goes on.

    Args:
        path: The journal.

    Returns:
        The findings. Anything wrong with the journal is a finding.

    Raises:
        JournalError: For a file that is not a journal of this version.
    """
    with closing(JournalReader(Path(path))) as reader:
        try:
            settings = reader.settings()
            fold = _Fold(settings)
            first_digest = reader.first_digest()
        except (JournalError, TypeError) as error:
            return Verdict(False, 0, (Finding("meta", str(error)),), "unfinished")
        check = _JournalCheck(fold, first_digest)
        check.read(reader)
        return check.verdict(reader)


class _Fold:
    """The runs of a wave, folded event by event, and the times at which waits must end."""

    def __init__(self, settings: Settings) -> None:
        self.replay = Replay.of(settings)
        self.due: dict[str, float] = {}
        """When the waits of postponed issues end."""
        self.reserved_until: dict[str, float] = {}
        issues, repos = len(settings.wave), len(settings.wave.repos)
        self._every = max(1, issues * (10 + repos) // _CHEAP)
        self._steps = 0

    @property
    def state(self) -> WaveState:
        """The model's state after the last event."""
        return self.replay.state

    def take(self, entry: RecordedEvent) -> list[Breach]:
        """Step one event. It broke what is returned, at the latest."""
        at, event = entry
        try:
            effects = self.replay.apply(at, event).effects
        except IllegalEvent as refusal:
            return [explain_refusal(self.state, event, str(refusal))]
        breaches = [*self._wait(at, event, effects)]
        self._steps += 1
        if not breaches and self._steps % self._every == 0:
            breaches = self.properties()
        return breaches

    def properties(self) -> list[Breach]:
        """The named properties that the state breaks."""
        return [Breach(one.property, one.what) for one in broken(self.state)]

    def standing(self, issue: str) -> Standing:
        """Where an issue stands, as its row must record it."""
        found = self.replay.standing(issue)
        return found._replace(reason=storable_text(found.reason))

    def _wait(self, at: float, event: Event, effects: list[Effect]) -> Iterator[Breach]:
        if isinstance(event, PostponementEnded):
            until = self.due.pop(event.issue, at)
            if at < until - CLOCK_SLACK:
                yield Breach(
                    "wait",
                    f"the wait of {event.issue} ended {until - at:g} s before its time",
                    event.issue,
                )
        if isinstance(event, PauseEnded) and at < event.until - CLOCK_SLACK:
            yield Breach("wait", f"the pause ended {event.until - at:g} s before its time")
        if isinstance(event, ReservationEnded):
            until = self.reserved_until.pop(event.issue, at)
            if at < until - CLOCK_SLACK:
                yield Breach(
                    "reservation",
                    f"the reservation for {event.issue} ended {until - at:g} s before its time",
                    event.issue,
                )
        for effect in effects:
            if isinstance(effect, EndReservationAt):
                self.reserved_until[effect.issue] = effect.until
            if isinstance(effect, WakeAt):
                self.due[effect.issue] = self.state.limits.tried_again_at(at, effect.until)


class _JournalCheck:
    """A journal while it is being judged."""

    def __init__(self, fold: _Fold, digest: str) -> None:
        self._fold = fold
        self._digest = digest
        self._findings: list[Finding] = []
        self._notes: list[str] = []
        self._events = 0
        self._last_seq = 0
        self._last_at: float | None = None
        self._folding = True
        self._readable = True

    def read(self, reader: JournalReader) -> None:
        """Check all events."""
        try:
            for row in reader.event_rows():
                self._events += 1
                self._digest = next_digest(self._digest, row[1:])
                self._check_row(row)
                if self._folding:
                    self._step(reader, row)
        except JournalError as error:
            self._folding = self._readable = False
            self._find("format", f"after event {self._last_seq} {error}")

    def verdict(self, reader: JournalReader) -> Verdict:
        """The verdict on everything read."""
        if self._folding:
            self._check_end()
        try:
            if self._folding:
                self._check_standings(reader)
            if self._readable:
                self._check_digest(reader.recorded_digest())
        except JournalError as error:
            self._find("format", str(error))
        return Verdict(
            keeps_the_rules=not self._findings,
            events=self._events,
            findings=tuple(self._findings),
            outcome=self._fold.state.outcome or "unfinished",
            notes=tuple(self._notes),
        )

    def _check_row(self, row: EventRow) -> None:
        missing = range(self._last_seq + 1, row.seq)
        if missing:
            named = f"event {missing[0]} is" if len(missing) == 1 else _events_are(missing)
            self._find("rows", f"{named} missing before this one", row)
        elif row.seq <= self._last_seq:
            self._find("rows", f"its number is {row.seq}; numbers begin with 1", row)
        self._last_seq = row.seq
        if not isinstance(row.at, float):
            self._find("rows", f"its time is {row.at!r}; it has to be a number of seconds", row)
            self._folding = False
            return
        if self._last_at is not None and row.at < self._last_at:
            back = self._last_at - row.at
            text = f"its time is {back:g} s before that of the event before it"
            if back > CLOCK_SLACK:
                self._find("rows", f"{text}: they were reordered, or the clock was set back", row)
            else:
                self._notes.append(f"event {row.seq}: {text}; the clock was set back")
        self._last_at = row.at

    def _step(self, reader: JournalReader, row: EventRow) -> None:
        try:
            entry = reader.recorded_event(row)
        except JournalError as error:
            self._find("format", str(error), row)
            self._folding = False
            return
        if breaches := self._fold.take(entry):
            self._folding = False
        for breach in breaches:
            self._find(breach.rule, breach.text, row, breach.subject)

    def _check_end(self) -> None:
        for breach in self._fold.properties():
            self._find(breach.rule, f"after the last event, {breach.text}")
        is_cut_off = self._fold.state.outcome == "unfinished"
        state = self._fold.state
        for issue, number in open_sessions(state):
            session = f"session {number} of {issue}"
            self._notes.append(
                f"{session} was cut off; what is left of it is not recorded yet"
                if is_cut_off
                else f"{session} is still open: the run goes on, or was cut off"
            )

    def _check_standings(self, reader: JournalReader) -> None:
        wave = self._fold.state.wave
        for at, (position, issue, repo) in enumerate(reader.issue_rows()):
            defined = wave.issues[at]
            if (position, issue, repo) != (at, defined.id, defined.repo):
                self._find(
                    "standing",
                    f"row {position} of the issues is {issue} in {repo}; "
                    f"what defines it is number {at}, {defined.id} in {defined.repo}",
                )
                return
        standings = reader.standings()
        for one in wave.issues:
            if one.id in standings:
                self._check_standing(one.id, standings[one.id])
            else:
                self._find(
                    "standing", f"no row says where {one.id} stands: it was removed", None, one.id
                )

    def _check_standing(self, issue: str, said: Standing) -> None:
        found = self._fold.standing(issue)
        for name, in_row, folded in zip(Standing._fields, said, found, strict=True):
            if in_row != folded:
                self._find(
                    "standing",
                    f"the row of {issue} says {name} {in_row!r}; "
                    f"by the events it is {folded!r}: events are missing, or the row was changed",
                    None,
                    issue,
                )

    def _check_digest(self, recorded: str | None) -> None:
        if recorded is None:
            self._find(
                "hash_chain",
                "the journal has no digest of its hash chain: it was removed, or never written",
            )
        elif recorded != self._digest:
            self._find(
                "hash_chain",
                "the journal was changed after it was written: "
                "the digest of its wave, settings and events is not the recorded one",
            )

    def _find(self, rule: str, text: str, row: EventRow | None = None, subject: str = "") -> None:
        if row is None:
            self._findings.append(Finding(rule, text, subject=subject))
        else:
            what = f"{row.kind} {row.issue}" if row.issue else str(row.kind)
            self._findings.append(Finding(rule, text, row.seq, row.at, what, subject))


def _events_are(missing: range) -> str:
    return f"events {missing[0]} to {missing[-1]} are"
