"""Verification: whether a journal tells of runs that kept the rules. It trusts nobody.

A journal is taken at its word about two things, what the run was started with and which events
happened, and judged by four:

1. *Rows.* Events are numbered from 1 without a gap, can be read, and their times do not run back.
2. *Model.* The events are folded through `wavelane_model.step`; each has to be legal where it
   stands. Sessions are started by the model alone, so every end has to be that of a session that
   the rules allowed to start, and no session ends twice. Of a session whose run was cut off no
   end is told, but what is left of its issue, before the next run starts.
3. *Rules.* After each step the `RuleMonitor` looks at what was announced and ordered, and every so
   often, and at the end, the named properties of `wavelane_model.properties` look at the state. How
   often depends on the size of the wave, so that the cost of a step does not.
4. *Standings.* The rows of the issues say what the fold says, and the seal is that of the events.

The fold stops at the first event that is illegal or breaks a rule: what follows from it means
nothing. A clock may be set back: by up to `CLOCK_SLACK` seconds that is a note, beyond it a
finding.
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
from wavelane.verify.breach import Breach
from wavelane.verify.refusal import explain_refusal
from wavelane_model.effects import Effect, EndReservationAt, RunOutcome, WakeAt
from wavelane_model.events import Event, PauseEnded, PostponementEnded, ReservationEnded
from wavelane_model.properties import broken
from wavelane_model.state import WaveState
from wavelane_model.step import IllegalEvent

CLOCK_SLACK: Final = 60.0
"""Seconds by which a clock may be set back during a run."""
_CHEAP: Final = 200
"""How many records a step may look at, on average, for the full properties."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the journal of a run that kept the rules would not say.

    Attributes:
        rule: The name of what was broken: a rule, a property of the model, or rows (numbers and
            times of events), format (what cannot be read), wave (unknown issues), meta (what the
            run was started with), standing (rows of issues), seal (the hash chain).
        text: What is wrong, in a sentence.
        seq: The number of the event; None: it is about the whole journal.
        at: The time of the event, in seconds since the epoch.
        what: The event in short, e.g. "SessionEnded api#2".
    """

    rule: str
    text: str
    seq: int | None = None
    at: float | None = None
    what: str = ""

    def __str__(self) -> str:
        if self.seq is None:
            return self.text
        return f"event {self.seq}{f' ({self.what})' if self.what else ''}: {self.text}"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            "rule": self.rule,
            "text": self.text,
            "event": self.seq,
            "at": self.at,
            "what": self.what,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found in a journal.

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
        What was found. Whatever is wrong with the journal is a finding.

    Raises:
        JournalError: For a file that is no journal of this version.
    """
    with closing(JournalReader(Path(path))) as reader:
        try:
            settings = reader.settings()
            fold = _Fold(settings)
            first_seal = reader.first_digest()
        except (JournalError, TypeError) as error:
            return Verdict(False, 0, (Finding("meta", str(error)),), "unfinished")
        check = _JournalCheck(fold, first_seal)
        check.hear(reader)
        return check.verdict(reader)


class _Fold:
    """The runs of a wave, folded event by event, with everybody who watches it."""

    def __init__(self, settings: Settings) -> None:
        self.replay = Replay.of(settings)
        self.due: dict[str, float] = {}
        """When the waits of postponed issues end."""
        self.held_until: dict[str, float] = {}
        issues, repos = len(settings.wave), len(settings.wave.repos)
        self._every = max(1, issues * (10 + repos) // _CHEAP)
        self._steps = 0

    @property
    def state(self) -> WaveState:
        """The model's state after the last event."""
        return self.replay.state

    def take(self, entry: RecordedEvent) -> list[Breach]:
        """Step one event. What is returned was broken by it, at the latest."""
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
        """What the state breaks of the named properties."""
        return [Breach(*text.split(": ", 1)) for text in broken(self.state)]

    def standing(self, issue: str) -> Standing:
        """Where an issue stands, as its row has to say."""
        found = self.replay.standing(issue)
        return found._replace(reason=storable_text(found.reason))

    def _wait(self, at: float, event: Event, effects: list[Effect]) -> Iterator[Breach]:
        if isinstance(event, PostponementEnded):
            until = self.due.pop(event.issue, at)
            if at < until - CLOCK_SLACK:
                yield Breach(
                    "wait",
                    f"the wait of {event.issue} ended {until - at:g} s before its time",
                )
        if isinstance(event, PauseEnded) and at < event.until - CLOCK_SLACK:
            yield Breach("wait", f"the pause ended {event.until - at:g} s before its time")
        if isinstance(event, ReservationEnded):
            until = self.held_until.pop(event.issue, at)
            if at < until - CLOCK_SLACK:
                yield Breach(
                    "hold", f"the hold for {event.issue} ended {until - at:g} s before its time"
                )
        for effect in effects:
            if isinstance(effect, EndReservationAt):
                self.held_until[effect.issue] = effect.until
            if isinstance(effect, WakeAt):
                delay = self.state.limits.postpone_delay
                self.due[effect.issue] = at + delay if effect.until is None else effect.until


class _JournalCheck:
    """One journal on its way to a verdict."""

    def __init__(self, fold: _Fold, seal: str) -> None:
        self._fold = fold
        self._seal = seal
        self._findings: list[Finding] = []
        self._notes: list[str] = []
        self._events = 0
        self._last_seq = 0
        self._last_at: float | None = None
        self._folding = True
        self._readable = True

    def hear(self, reader: JournalReader) -> None:
        """Take in all events."""
        try:
            for row in reader.event_rows():
                self._events += 1
                self._seal = next_digest(self._seal, row[1:])
                self._check_row(row)
                if self._folding:
                    self._step(reader, row)
        except JournalError as error:
            self._folding = self._readable = False
            self._find("format", f"after event {self._last_seq} {error}")

    def verdict(self, reader: JournalReader) -> Verdict:
        """The verdict on all that was heard."""
        if self._folding:
            self._check_end()
        try:
            if self._folding:
                self._check_standings(reader)
            if self._readable:
                self._check_seal(reader.recorded_digest())
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
            self._find(breach.rule, breach.text, row)

    def _check_end(self) -> None:
        for breach in self._fold.properties():
            self._find(breach.rule, f"after the last event, {breach.text}")
        is_cut_off = self._fold.state.outcome == "unfinished"
        state = self._fold.state
        for record in state.records:
            if record.open:
                session = f"session {record.session} of {state.issue_id(record)}"
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
                self._find("standing", f"no row says where {one.id} stands: it was taken out")

    def _check_standing(self, issue: str, said: Standing) -> None:
        found = self._fold.standing(issue)
        for name, in_row, folded in zip(Standing._fields, said, found, strict=True):
            if in_row != folded:
                self._find(
                    "standing",
                    f"the row of {issue} says {name} {in_row!r}; "
                    f"by the events it is {folded!r}: events are missing, or the row was changed",
                )

    def _check_seal(self, seal: str | None) -> None:
        if seal is None:
            self._find("seal", "the journal has no seal: it was taken out, or never written")
        elif seal != self._seal:
            self._find(
                "seal",
                "the journal was changed after it was written: "
                "its wave, settings or events are not those that it was sealed with",
            )

    def _find(self, rule: str, text: str, row: EventRow | None = None) -> None:
        if row is None:
            self._findings.append(Finding(rule, text))
        else:
            what = f"{row.kind} {row.issue}" if row.issue else str(row.kind)
            self._findings.append(Finding(rule, text, row.seq, row.at, what))


def _events_are(missing: range) -> str:
    return f"events {missing[0]} to {missing[-1]} are"
