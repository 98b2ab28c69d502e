"""Forged journals: what the journal of a run that keeps the rules cannot say, a change each.

Every base is the journal of a real run in virtual time, or is written from a list of events, as the
runs that are cut off. A forgery changes the file as an SQL client would, and computes its hash
chain anew where it can, so that the rules alone have to find it. `says` is a part of the sentence
that a user is to read.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from specs.written import write_journal
from wavelane import Limits, Scheduler
from wavelane.journal import Settings, encode_event, first_digest, next_digest
from wavelane.testing import ScriptedPipeline, run_virtual, virtual_clock
from wavelane_model.events import (
    AttemptDiscarded,
    AttemptResumed,
    AttemptUnclear,
    CancelRequested,
    CapMoved,
    Event,
    MergeFound,
    MergeTurnRequested,
    MergeTurnReturned,
    OrderPlanned,
    ParkRequested,
    PauseEnded,
    PostponementEnded,
    Reservation,
    ReservationEnded,
    RunCutOff,
    SessionEnded,
    SessionWithheld,
    StopRequested,
    UnparkRequested,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.outcomes import (
    Approved,
    Blocked,
    Conflicted,
    Implemented,
    Merged,
    Postponed,
    Stopped,
)
from wavelane_model.wave import Issue, Wave

WAVE: Final = Wave(
    (
        Issue("api#1", "api"),
        Issue("api#2", "api"),
        Issue("web#1", "web", ("api#1",)),
        Issue("app#1", "app"),
    )
)


@dataclass(frozen=True)
class Base:
    """A run whose journal keeps the rules. `moves`: at which second the cap is moved, and how."""

    wave: Wave = WAVE
    cap: int = 2
    pipelined: bool = False
    moves: Mapping[float, str] | None = None
    merge_seconds: float = 60.0

    def write(self, path: Path) -> None:
        """Run it, with its journal at `path`."""
        pipeline = ScriptedPipeline(
            {
                ("implement", "app#1"): [Blocked("which colour?")],
                ("implement", "etc#1"): [Postponed(reason="quota")],
            },
            seconds=lambda step, issue: self.merge_seconds if step == "merge" else 60.0,
        )

        async def main() -> None:
            scheduler = Scheduler(
                self.wave,
                pipeline,
                cap=self.cap,
                lane_release="review" if self.pipelined else "done",
                journal=path,
                clock=virtual_clock,
            )
            for seconds, move in (self.moves or {}).items():
                asyncio.get_running_loop().call_later(seconds, getattr(scheduler.cap, move))
            await scheduler.run()

        run_virtual(main)


STRICT: Final = Base()
"""
 1 the wave starts; api#1 and app#1 begin
 2 api#1 is implemented      3 app#1 is parked
 4 api#1 is approved         5 api#1 is merged; api#2 and web#1 begin
 6 api#2 is implemented      7 web#1 is implemented
 8 api#2 is approved         9 web#1 is approved
10 api#2 is merged          11 web#1 is merged; the run ends: blocked
"""
SEQUENTIAL: Final = Base(cap=1)
"""As before, one issue at a time: 1 api#1 begins, 2 it is implemented, …"""
PIPELINED: Final = Base(
    Wave((Issue("api#1", "api"), Issue("api#2", "api"))), pipelined=True, merge_seconds=300.0
)
"""1 start; 2 api#1 implemented; 3 api#1 approved, its merge begins; 4 api#2 implemented;
5 api#2 approved, second in the merge queue; 6 api#1 merged; 7 api#2 merged."""
PAUSED: Final = Base(moves={30.0: "pause", 400.0: "resume"})
"""1 start; 2 paused; 3 api#1 implemented, its review waits; 4 app#1 parked; 5 resumed; …"""
POSTPONED: Final = Base(Wave((Issue("etc#1", "etc"),)), cap=1)
"""1 start; 2 etc#1 is postponed; 3 its wait ends, 300 s later; …"""


@dataclass(frozen=True)
class Written(Base):
    """Runs whose journal keeps the rules, written from their events."""

    events: tuple[Event, ...] = ()

    def write(self, path: Path) -> None:
        """Let the events happen, with the journal at `path`."""
        lane_release: LaneRelease = "review" if self.pipelined else "done"
        write_journal(path, Settings(self.wave, self.cap, lane_release, Limits()), self.events)


TIMED: Final = Written(
    wave=Wave((Issue("api#1", "api"),)),
    cap=1,
    events=(
        WaveStarted(),
        CapMoved("pause", until=1_000_000_120.0),
        SessionEnded("api#1", 1, Implemented()),
        PauseEnded(1_000_000_120.0),
        SessionEnded("api#1", 2, Approved()),
        SessionEnded("api#1", 3, Merged()),
    ),
)
"""1 start; 2 paused for two minutes; 3 implemented; 4 the pause ends, and the review begins; …"""
PLANNED: Final = Written(
    wave=Wave((Issue("api#1", "api"), Issue("web#1", "web", ("api#1",)), Issue("web#2", "web"))),
    cap=2,
    events=(
        OrderPlanned(("api#1", "web#1"), (Reservation("web#1", 1_000_000_180.0),)),
        WaveStarted(),
        SessionEnded("api#1", 1, Implemented()),
        ReservationEnded("web#1", 1_000_000_180.0),
        SessionEnded("web#2", 1, Implemented()),
    ),
)
"""1 lane web is to be reserved for web#1; 2 start, api#1 begins; 3 it is implemented; 4 the
reservation ends, web#2 begins; 5 it is implemented."""
AMENDED: Final = Written(
    wave=Wave((Issue("api#1", "api"), Issue("api#2", "api")), repos=("api", "web")),
    cap=2,
    events=(
        WaveStarted(),
        WaveAmended((Issue("web#1", "web"), Issue("api#2", "api", ("web#1",)))),
        SessionEnded("web#1", 1, Implemented()),
    ),
)
"""1 start, api#1 begins; 2 web#1 is added and begins, and api#2 is to wait for it; 3 web#1 is
implemented."""
CUT_OFF: Final = Written(
    events=(
        WaveStarted(),  # 1: api#1 and app#1 begin
        SessionEnded("api#1", 1, Implemented()),
        CancelRequested("app#1"),
        RunCutOff(),  # 4: while api#1 is reviewed and app#1 is to be cancelled
        AttemptResumed("api#1"),
        AttemptDiscarded("app#1"),  # 6: which cancels it
        CapMoved("step_down"),
        WaveStarted(),  # 8: api#1 is reviewed again
        SessionEnded("api#1", 3, Approved()),
        RunCutOff(),  # 10: while api#1 is merged
        MergeFound("api#1"),
        WaveStarted(),  # 12: api#2 begins
        StopRequested(),
        SessionEnded("api#2", 1, Implemented()),  # 14: which ends the run
    )
)


_OF_ISSUE: Final = "position = (SELECT position FROM issue WHERE id = ?)"


class Forger:
    """A journal's file, open for changes."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def insert(self, after: int, event: Event) -> None:
        """Put an event after another, as if it had happened at the same time."""
        self.db.execute("UPDATE event SET seq = -seq - 1 WHERE seq > ?", (after,))
        self.db.execute("UPDATE event SET seq = -seq WHERE seq < 0")
        self.db.execute(
            "INSERT INTO event SELECT seq + 1, at, version, ?, ?, ? FROM event WHERE seq = ?",
            (*encode_event(event), after),
        )

    def replace(self, seq: int, event: Event) -> None:
        """Make another event of one."""
        self.change(seq, **dict(zip(("kind", "issue", "data"), encode_event(event), strict=True)))

    def change(self, seq: int, **columns: object) -> None:
        """Change columns of an event's row."""
        names = ", ".join(f"{name} = ?" for name in columns)
        self.db.execute(f"UPDATE event SET {names} WHERE seq = ?", (*columns.values(), seq))

    def double(self, seq: int) -> None:
        """Let an event happen twice."""
        self.insert(seq, WaveStarted())
        self.db.execute(
            "UPDATE event SET (kind, issue, data) = "
            "(SELECT kind, issue, data FROM event WHERE seq = ?) WHERE seq = ?",
            (seq, seq + 1),
        )

    def drop(self, seq: int, *, close_gap: bool = True) -> None:
        """Take an event out."""
        self.db.execute("DELETE FROM event WHERE seq = ?", (seq,))
        if close_gap:
            self.db.execute("UPDATE event SET seq = -seq + 1 WHERE seq > ?", (seq,))
            self.db.execute("UPDATE event SET seq = -seq WHERE seq < 0")

    def swap(self, one: int, other: int) -> None:
        """Let two events change places; the times stay."""
        read = "SELECT kind, issue, data FROM event WHERE seq = ?"
        first, second = (self.db.execute(read, (seq,)).fetchone() for seq in (one, other))
        for seq, columns in ((one, second), (other, first)):
            self.change(seq, **dict(zip(("kind", "issue", "data"), columns, strict=True)))

    def set_meta(self, key: str, value: object) -> None:
        """Change what the run was started with."""
        self.db.execute("UPDATE meta SET value = ? WHERE key = ?", (json.dumps(value), key))

    def set_row(self, issue: str, **columns: object) -> None:
        """Change columns of the row that says what an issue is."""
        names = ", ".join(f"{name} = ?" for name in columns)
        self.db.execute(f"UPDATE issue SET {names} WHERE id = ?", (*columns.values(), issue))

    def set_standing(self, issue: str, **columns: object) -> None:
        """Change columns of the row that says where an issue stands."""
        names = ", ".join(f"{name} = ?" for name in columns)
        self.db.execute(
            f"UPDATE standing SET {names} WHERE {_OF_ISSUE}", (*columns.values(), issue)
        )

    def drop_standing(self, issue: str) -> None:
        """Take away the row that says where an issue stands."""
        self.db.execute(f"DELETE FROM standing WHERE {_OF_ISSUE}", (issue,))

    def define(self, issue: str, **fields: Any) -> None:
        """Change what an issue is."""
        read = "SELECT definition FROM issue WHERE id = ?"
        definition = json.loads(self.db.execute(read, (issue,)).fetchone()[0])
        self.set_row(issue, definition=json.dumps({**definition, **fields}))

    def rehash(self) -> None:
        """Compute the hash chain of the file as it now is."""
        meta = self.db.execute("SELECT key, value FROM meta WHERE key != 'seal'").fetchall()
        definitions = self.db.execute("SELECT definition FROM issue ORDER BY position")
        digest = first_digest(meta, [definition for (definition,) in definitions])
        for row in self.db.execute("SELECT at, version, kind, issue, data FROM event ORDER BY seq"):
            digest = next_digest(digest, row)
        self.db.execute("UPDATE meta SET value = ? WHERE key = 'seal'", (digest,))


@dataclass(frozen=True)
class Forgery:
    """A change of a journal, the rule that it then breaks, and what the user reads."""

    name: str
    base: Base
    change: Callable[[Forger], object]
    rule: str
    says: str
    rehashed: bool = True

    def __str__(self) -> str:
        return self.name

    def apply(self, path: Path) -> None:
        """Change the journal of the base, which is at `path`."""
        forge(path, self.change, rehash=self.rehashed)


def forge(path: Path, change: Callable[[Forger], object], *, rehash: bool = True) -> None:
    """Change a journal, and compute its hash chain anew unless `rehash` is false."""
    with closing(sqlite3.connect(path)) as db, db:
        forger = Forger(db)
        change(forger)
        if rehash:
            forger.rehash()


def _ended(issue: str, session: int, outcome: Any) -> SessionEnded:
    return SessionEnded(issue, session, outcome)


_LATER: Final = 1_000_000_240.0
_PLANNED_AGAIN: Final = OrderPlanned(("api#1", "web#1"), (Reservation("web#1", _LATER),))


def _put_off(forger: Forger) -> None:
    forger.replace(4, ReservationEnded("web#1", _LATER))
    forger.change(4, at=_LATER)
    forger.change(5, at=_LATER)
    forger.insert(3, _PLANNED_AGAIN)


def _reserved_again(forger: Forger) -> None:
    forger.insert(4, ReservationEnded("web#1", _LATER))
    forger.change(5, at=_LATER)
    forger.change(6, at=_LATER)
    forger.insert(4, _PLANNED_AGAIN)


FORGERIES: Final = (
    # What the rules forbid
    Forgery(
        "a second admission in a busy lane",
        STRICT,
        lambda f: f.insert(2, _ended("api#2", 1, Implemented())),
        "lane",
        "event 3 (SessionEnded api#2): session 1 of api#2 ended with Implemented, "
        "but api#2 was never started: lane api held by api#1",
    ),
    Forgery(
        "an admission over the cap",
        SEQUENTIAL,
        lambda f: f.insert(1, _ended("app#1", 1, Implemented())),
        "cap",
        "but app#1 was never started: cap 1 of 1",
    ),
    Forgery(
        "a dependent before its dependency",
        STRICT,
        lambda f: f.insert(3, _ended("web#1", 1, Implemented())),
        "order",
        "but web#1 was never started: waits for api#1 (review)",
    ),
    Forgery(
        "a merge out of turn",
        PIPELINED,
        lambda f: f.insert(5, _ended("api#2", 3, Merged())),
        "merge",
        "session 3 of api#2 ended with Merged, but it was never started: "
        "second in api's merge queue",
    ),
    Forgery(
        "two merges that change places",
        PIPELINED,
        lambda f: f.swap(6, 7),
        "merge",
        "second in api's merge queue",
    ),
    Forgery(
        "a session in a pause",
        PAUSED,
        lambda f: f.insert(3, _ended("api#1", 2, Approved())),
        "pause",
        "session 2 of api#1 ended with Approved, but it was never started: paused",
    ),
    Forgery(
        "a wait that is cut short",
        POSTPONED,
        lambda f: f.change(3, at=1_000_000_100.0),
        "wait",
        "the wait of etc#1 ended 260 s before its time",
    ),
    Forgery(
        "a pause that is cut short",
        TIMED,
        lambda f: f.insert(1, PauseEnded(1_000_000_120.0)),
        "pause",
        "event 2 (PauseEnded): a pause ended by itself that was not due to end then",
    ),
    Forgery(
        "a pause that ends before its time",
        TIMED,
        lambda f: f.change(4, data='{"until":1000009999.0}'),
        "pause",
        "event 4 (PauseEnded): a pause ended by itself that was not due to end then",
    ),
    Forgery(
        "a reservation that is cut short",
        PLANNED,
        lambda f: f.change(4, at=1_000_000_000.0),
        "reservation",
        "the reservation for web#1 ended",
    ),
    Forgery(
        "the end of a reservation that no plan asked for",
        PLANNED,
        lambda f: f.insert(3, ReservationEnded("web#2", 1_000_000_180.0)),
        "reservation",
        'no lane is reserved for issue "web#2"',
    ),
    Forgery(
        "a session in a lane that is reserved",
        PLANNED,
        lambda f: f.insert(3, SessionEnded("web#2", 1, Implemented())),
        "reservation",
        "session 1 of web#2 ended with Implemented, but web#2 was never started: "
        "lane web reserved for web#1",
    ),
    Forgery(
        "a reservation that was never ended",
        PLANNED,
        lambda f: f.drop(4),
        "reservation",
        "session 1 of web#2 ended with Implemented, but web#2 was never started: "
        "lane web reserved for web#1",
    ),
    Forgery(
        "a reservation that was put off",
        PLANNED,
        _put_off,
        "reservation",
        'no lane is reserved for issue "web#1" until 1000000240.0',
    ),
    Forgery(
        "a reservation that was given again",
        PLANNED,
        _reserved_again,
        "reservation",
        'no lane is reserved for issue "web#1" until 1000000240.0',
    ),
    Forgery(
        "a plan of what is not there",
        PLANNED,
        lambda f: f.insert(3, OrderPlanned(("api#9",))),
        "reservation",
        'there is no issue "api#9" in the wave',
    ),
    Forgery(
        "a change of what had begun",
        AMENDED,
        lambda f: f.insert(3, WaveAmended((Issue("web#1", "web", title="other"),))),
        "wave",
        'issue "web#1" is review and has begun; only issues that have not begun can be changed',
    ),
    Forgery(
        "an addition that was taken out",
        AMENDED,
        lambda f: f.drop(2),
        "wave",
        'there is no issue "web#1" in the wave',
    ),
    Forgery(
        "an added issue that is not known",
        AMENDED,
        lambda f: f.set_row("web#1", at_first=None),
        "hash_chain",
        "the journal was changed after it was written",
    ),
    Forgery(
        "a session of what is postponed",
        POSTPONED,
        lambda f: f.insert(2, _ended("etc#1", 2, Implemented())),
        "wait",
        "it was never started: postponed until",
    ),
    Forgery(
        "an end of a wait that had not begun",
        STRICT,
        lambda f: f.insert(1, PostponementEnded("api#1")),
        "wait",
        "the wait of api#1 ended, but it was not postponed: it is running (implementing)",
    ),
    Forgery(
        "the cap raised over its ceiling",
        STRICT,
        lambda f: f.insert(1, CapMoved("set", 9)),
        "cap",
        'the cap is at 2 of 2, where "set" to 9 is not allowed',
    ),
    Forgery(
        "an event after the end",
        STRICT,
        lambda f: f.insert(11, _ended("web#1", 3, Merged())),
        "end",
        "event 12 (SessionEnded web#1): the run had ended (blocked); "
        "SessionEnded comes after its end",
    ),
    Forgery(
        "an event before the start",
        STRICT,
        lambda f: f.drop(1),
        "end",
        "event 1 (SessionEnded api#1): SessionEnded comes before the run has started",
    ),
    Forgery(
        "a second start",
        STRICT,
        lambda f: f.insert(4, WaveStarted()),
        "end",
        "the run was started again before it had ended",
    ),
    # What a session cannot do
    Forgery(
        "a doubled event",
        STRICT,
        lambda f: f.double(2),
        "once",
        "session 1 of api#1 ended with Implemented, but it was over already: "
        "it is in review (being reviewed)",
    ),
    Forgery(
        "a merge reported twice",
        STRICT,
        lambda f: f.double(5),
        "once",
        "session 3 of api#1 ended with Merged, but it was over already: it is done",
    ),
    Forgery(
        "a missing event, the others numbered anew",
        STRICT,
        lambda f: f.drop(4),
        "once",
        "session 3 of api#1 ended with Merged, but session 2 of it was still under way",
    ),
    Forgery(
        "reordered events",
        STRICT,
        lambda f: f.swap(4, 5),
        "once",
        "session 3 of api#1 ended with Merged, but session 2 of it was still under way",
    ),
    Forgery(
        "a changed session number",
        STRICT,
        lambda f: f.replace(4, _ended("api#1", 7, Approved())),
        "once",
        "session 7 of api#1 ended with Approved, but session 2 of it was still under way",
    ),
    Forgery(
        "an outcome that the step does not have",
        STRICT,
        lambda f: f.replace(4, _ended("api#1", 2, Merged())),
        "table",
        "session 2 of api#1 ended with Merged; while an issue is in review it may end with "
        "Approved, ChangesRequested",
    ),
    Forgery(
        "an outcome that leads elsewhere",
        STRICT,
        lambda f: f.replace(10, _ended("api#2", 3, Conflicted("a.py"))),
        "standing",
        "the row of api#2 says state 'done'; by the events it is 'running'",
    ),
    Forgery(
        "a session ended without an order",
        STRICT,
        lambda f: f.replace(4, _ended("api#1", 2, Stopped())),
        "once",
        "session 2 of api#1 ended as Stopped, but its end had not been asked for",
    ),
    Forgery(
        "a session withheld for no reason",
        STRICT,
        lambda f: f.insert(1, SessionWithheld("api#1", 1)),
        "pause",
        "session 1 of api#1 was withheld, but its start was allowed: cap 2",
    ),
    Forgery(
        "a merge withheld",
        PIPELINED,
        lambda f: f.insert(3, SessionWithheld("api#1", 3)),
        "pause",
        "session 3 of api#1 was withheld, but merges are not",
    ),
    Forgery(
        "a discarded attempt that was none",
        STRICT,
        lambda f: f.insert(11, AttemptDiscarded("app#1")),
        "table",
        "the attempt at app#1 was discarded, but it was not in flight: it is parked: which colour?",
    ),
    # What a run that was cut off leaves
    Forgery(
        "a session that reports after its run was cut off",
        CUT_OFF,
        lambda f: f.insert(4, _ended("api#1", 2, Approved())),
        "end",
        "event 5 (SessionEnded api#1): session 2 of api#1 cannot report any more: "
        "the run had been cut off",
    ),
    Forgery(
        "a withheld start of a run that was cut off",
        CUT_OFF,
        lambda f: f.insert(4, SessionWithheld("app#1", 1)),
        "end",
        "session 1 of app#1 cannot report any more: the run had been cut off",
    ),
    Forgery(
        "a session that starts between runs",
        CUT_OFF,
        lambda f: f.insert(5, _ended("api#1", 3, Approved())),
        "end",
        "session 3 of api#1 was never started: the run had been cut off",
    ),
    Forgery(
        "a start before what is left is recorded",
        CUT_OFF,
        lambda f: f.drop(6),
        "end",
        "event 7 (WaveStarted): a run was started with nothing recorded of what is left of "
        "session 1 of app#1",
    ),
    Forgery(
        "a start at once after a run was cut off",
        CUT_OFF,
        lambda f: f.insert(4, WaveStarted()),
        "end",
        "what is left of session 2 of api#1, session 1 of app#1",
    ),
    Forgery(
        "a recovery finding during a run",
        CUT_OFF,
        lambda f: f.insert(2, AttemptDiscarded("api#1")),
        "end",
        "the attempt at api#1 was discarded while the run was under way; "
        "that is reported only of a run that is over",
    ),
    Forgery(
        "a recovery finding before the first run",
        CUT_OFF,
        lambda f: f.replace(1, MergeFound("api#1")),
        "end",
        "MergeFound comes before the run has started",
    ),
    Forgery(
        "a recovery finding about what was not in flight",
        CUT_OFF,
        lambda f: f.insert(4, AttemptResumed("api#2")),
        "table",
        "the attempt at api#2 was resumed, but it was not in flight: it is queued",
    ),
    Forgery(
        "a merge found of what was done",
        CUT_OFF,
        lambda f: f.insert(11, MergeFound("api#1")),
        "table",
        "the merge of api#1 was found, but it was not in flight: it is done",
    ),
    Forgery(
        "two recovery findings about one session",
        CUT_OFF,
        lambda f: f.insert(6, AttemptUnclear("app#1", "its branch is gone")),
        "table",
        "the attempt at app#1 was called unclear, but it was not in flight: it is cancelled",
    ),
    Forgery(
        "a recovery finding about an unknown issue",
        CUT_OFF,
        lambda f: f.insert(4, MergeFound("api#9")),
        "wave",
        'there is no issue "api#9" in the wave',
    ),
    Forgery(
        "a run that is cut off twice",
        CUT_OFF,
        lambda f: f.insert(4, RunCutOff()),
        "end",
        "the run had been cut off; RunCutOff comes after that",
    ),
    Forgery(
        "a run that is cut off before it starts",
        CUT_OFF,
        lambda f: f.replace(1, RunCutOff()),
        "end",
        "RunCutOff comes before the run has started",
    ),
    Forgery(
        "a run that is cut off after its end",
        STRICT,
        lambda f: f.insert(11, RunCutOff()),
        "end",
        "the run had ended (blocked); RunCutOff comes after its end",
    ),
    Forgery(
        "a cut-off taken out",
        CUT_OFF,
        lambda f: f.drop(4),
        "end",
        "the attempt at api#1 was resumed while the run was under way",
    ),
    Forgery(
        "a cancel that is lost with the run",
        CUT_OFF,
        lambda f: f.drop(3),
        "standing",
        "the row of app#1 says state 'cancelled'; by the events it is 'queued'",
    ),
    Forgery(
        "a merge that was found and was not",
        CUT_OFF,
        lambda f: f.replace(11, AttemptResumed("api#1")),
        "pause",
        "session 1 of api#2 ended with Implemented, but api#2 was never started: stopping",
    ),
    # What an operator cannot do
    Forgery(
        "unparked what was not parked",
        STRICT,
        lambda f: f.insert(1, UnparkRequested("api#1")),
        "table",
        "api#1 was unparked, but it was not parked: it is running (implementing)",
    ),
    Forgery(
        "parked what was parked",
        STRICT,
        lambda f: f.insert(3, ParkRequested("app#1", "again")),
        "table",
        "app#1 was to be parked, but it is parked: which colour?",
    ),
    Forgery(
        "cancelled what was done",
        STRICT,
        lambda f: f.insert(5, CancelRequested("api#1")),
        "table",
        "api#1 was to be cancelled, but it is done",
    ),
    Forgery(
        "a merge turn returned that was never taken",
        STRICT,
        lambda f: f.insert(1, MergeTurnReturned("api", "turn-1")),
        "merge",
        'ticket "turn-1" has no place in the queue of "api"',
    ),
    Forgery(
        "a merge turn in a repo of no wave",
        STRICT,
        lambda f: f.insert(1, MergeTurnRequested("etc", "turn-1")),
        "merge",
        'there is no repo "etc" in the wave',
    ),
    Forgery(
        "a merge turn that is never returned",
        STRICT,
        lambda f: f.insert(1, MergeTurnRequested("web", "turn-1")),
        "merge",
        "second in web's merge queue",
    ),
    Forgery(
        "an unknown issue",
        STRICT,
        lambda f: f.insert(1, _ended("api#9", 1, Implemented())),
        "wave",
        'there is no issue "api#9" in the wave',
    ),
    # What the file cannot say
    Forgery(
        "a missing event, and its number with it",
        STRICT,
        lambda f: f.drop(4, close_gap=False),
        "rows",
        "event 5 (SessionEnded api#1): event 4 is missing before this one",
    ),
    Forgery(
        "a gap in the numbers",
        STRICT,
        lambda f: f.db.execute("UPDATE event SET seq = 14 WHERE seq = 11"),
        "rows",
        "events 11 to 13 are missing before this one",
    ),
    Forgery(
        "a number below 1",
        STRICT,
        lambda f: f.db.execute("UPDATE event SET seq = 0 WHERE seq = 1"),
        "rows",
        "its number is 0; numbers begin with 1",
    ),
    Forgery(
        "a truncated tail, with the issues' rows ahead",
        STRICT,
        lambda f: f.drop(11),
        "standing",
        "the row of web#1 says state 'done'; by the events it is 'merging': events are missing",
    ),
    Forgery(
        "times that run back",
        STRICT,
        lambda f: f.change(6, at=1_000_000_000.0),
        "rows",
        "its time is 180 s before that of the event before it",
    ),
    Forgery(
        "a time that is none",
        STRICT,
        lambda f: f.change(6, at="noon"),
        "rows",
        "its time is 'noon'; it has to be a number of seconds",
    ),
    Forgery(
        "a changed time",
        STRICT,
        lambda f: f.change(11, at=1_000_000_999.0),
        "standing",
        "the row of web#1 says since 1000000360.0; by the events it is 1000000999.0",
    ),
    Forgery(
        "garbage where the data should be",
        STRICT,
        lambda f: f.change(4, data='{"session":'),
        "format",
        "event 4 (SessionEnded api#1): the journal has an event that cannot be read",
    ),
    Forgery(
        "data of another type",
        STRICT,
        lambda f: f.change(4, data='{"session":"2","outcome":"Approved"}'),
        "format",
        "the journal has an event that cannot be read",
    ),
    Forgery(
        "an unknown kind of event",
        STRICT,
        lambda f: f.change(4, kind="SessionForgotten"),
        "format",
        "the journal has an event that cannot be read: SessionForgotten api#1",
    ),
    Forgery(
        "an event of another version",
        STRICT,
        lambda f: f.change(4, version=2),
        "format",
        "has an event of version 2; this version of wavelane reads version 1",
    ),
    Forgery(
        "an issue's state edited",
        STRICT,
        lambda f: f.set_standing("app#1", state="done"),
        "standing",
        "the row of app#1 says state 'done'; by the events it is 'parked'",
    ),
    Forgery(
        "the row of where an issue stands taken out",
        STRICT,
        lambda f: f.drop_standing("app#1"),
        "standing",
        "no row says where app#1 stands: it was removed",
    ),
    Forgery(
        "an issue's reason edited",
        STRICT,
        lambda f: f.set_standing("app#1", reason="a whim"),
        "standing",
        "the row of app#1 says reason 'a whim'; by the events it is 'which colour?'",
    ),
    Forgery(
        "an issue's attempts edited",
        STRICT,
        lambda f: f.set_standing("api#1", attempts=0),
        "standing",
        "the row of api#1 says attempts 0; by the events it is 1",
    ),
    Forgery(
        "an issue moved to another repo in its row",
        STRICT,
        lambda f: f.set_row("api#2", repo="web"),
        "standing",
        "row 1 of the issues is api#2 in web; what defines it is number 1, api#2 in api",
    ),
    Forgery(
        "a dependency taken away, which lets another issue begin",
        STRICT,
        lambda f: f.define("web#1", depends_on=[]),
        "cap",
        "event 3 (SessionEnded app#1): session 1 of app#1 ended with Blocked, "
        "but app#1 was never started: cap 2 of 2",
    ),
    Forgery(
        "a wave that is no wave",
        STRICT,
        lambda f: f.define("api#1", depends_on=["web#1"]),
        "meta",
        "these issues wait for each other: api#1 → web#1 → api#1",
    ),
    Forgery(
        "a cap that is none",
        STRICT,
        lambda f: f.set_meta("ceiling", 0),
        "meta",
        "the cap is 0; give 1 or more",
    ),
    Forgery(
        "a lower cap than the run had",
        STRICT,
        lambda f: f.set_meta("ceiling", 1),
        "cap",
        "but app#1 was never started: cap 1 of 1",
    ),
    Forgery(
        "a lane policy that is none",
        STRICT,
        lambda f: f.set_meta("lane_release", "never"),
        "meta",
        "lane_release is 'never'",
    ),
    # What only the hash chain shows
    Forgery(
        "a dependency taken away after the fact, and nothing shows",
        SEQUENTIAL,
        lambda f: f.define("web#1", depends_on=[]),
        "hash_chain",
        "the journal was changed after it was written",
        rehashed=False,
    ),
    Forgery(
        "a time changed within its place",
        STRICT,
        lambda f: f.change(4, at=1_000_000_121.0),
        "hash_chain",
        "the journal was changed after it was written",
        rehashed=False,
    ),
    Forgery(
        "a cap move that was never made, and nothing shows",
        STRICT,
        lambda f: f.insert(10, CapMoved("step_down")),
        "hash_chain",
        "the journal was changed after it was written",
        rehashed=False,
    ),
    Forgery(
        "a hash chain taken out",
        PAUSED,
        lambda f: f.db.execute("DELETE FROM meta WHERE key = 'seal'"),
        "hash_chain",
        "the journal has no digest of its hash chain",
        rehashed=False,
    ),
)
