"""The effect of each move on a moment, written a second time, in logic.

A row of the issue table does what `WaveState.move` and the notes of `wavelane_model.step` do; from
its source and target follow slots, lanes and queues, from its trigger the notes. The rest are the
events that are not in the table: the cap's moves, a stop, the start, the end and the cut-off of a
run, the end of a postponement, and the merge turns of tickets.

`Move.allowed` is no stricter than the step, with one exception that the agreement checks: while
an issue is `starting`, nothing happens but the start of its session.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from specs.proof.guards import CAP_LEVEL, cap_row_applies, row_applies
from specs.proof.logic import (
    INT,
    ISSUE,
    STATE_OF,
    TICKET,
    Formula,
    Function,
    Term,
    changed,
    every,
    z3,
)
from specs.proof.moment import Moment, Setting
from specs.proof.phrases import is_at, is_first, none_starting, turn_is_free, under_way
from wavelane_model.cap import CapRow
from wavelane_model.lifecycle import IN_FLIGHT, OPENS, Row, Trigger, lane_states
from wavelane_model.step import TRIGGER_OF

ENDS_SESSION: Final = frozenset(TRIGGER_OF.values())
"""The triggers that the end of a session pulls; `block` is also pulled without one."""
_TAKES_OUT: Final[frozenset[Trigger]] = frozenset(("block", "cancel"))
_AT_ANY_TIME: Final[frozenset[Trigger]] = frozenset(("block", "cancel", "unpark"))
"""People may ask for these before, during and between runs."""
RECOVERY_FINDINGS: Final[frozenset[Trigger]] = frozenset(("reset", "resume", "find_merged"))
"""What recovery may find between runs; it may also lead to `block` and `cancel`."""
_STARTS_SESSION: Final[frozenset[Trigger]] = frozenset(("begin", "begin_review"))

WHO: Final[Term] = z3.Const("who", ISSUE)
"""The issue that a move is about."""
WHOSE: Final[Term] = z3.Const("whose", TICKET)
"""The ticket that a move is about."""
LEVEL: Final[Term] = z3.Const("asked_level", INT)
"""The level that is asked for by "set"."""


@dataclass(frozen=True)
class Move:
    """One way from a moment to the next, of the issue `WHO` or the ticket `WHOSE`."""

    name: str
    before: Moment
    after: Moment
    allowed: Formula
    row: Row | None = None
    cap_row: CapRow | None = None


def row_name(row: Row) -> str:
    """The name of a row of the issue table."""
    return f"{row.trigger} {row.source} → {row.target}"


def by_row(setting: Setting, now: Moment, row: Row) -> Move:
    """A row of the issue table is applied to `WHO`."""
    allowed = z3.And(
        row_applies(setting, now, WHO, row),
        _in_time(now, row),
        _only_start(now) if row.trigger in _STARTS_SESSION else none_starting(now),
    )
    after = _with_state(now, row)
    after = _with_lane(setting, after, row)
    after = _with_merges(setting, after, row)
    after = _with_notes(after, row)
    return Move(row_name(row), now, after, allowed, row=row)


def by_cap_row(setting: Setting, now: Moment, row: CapRow) -> Move:
    """A row of the cap's table is applied; `LEVEL` is the one asked for."""
    level = CAP_LEVEL[row.target](now, LEVEL)
    before_pause = z3.If(level != 0, level, z3.If(now.level != 0, now.level, now.before_pause))
    higher = z3.And(under_way(now), level > now.highest)
    after = replace(
        now,
        level=level,
        before_pause=before_pause,
        highest=z3.If(higher, level, now.highest),
    )
    allowed = z3.And(cap_row_applies(setting, now, LEVEL, row), none_starting(now))
    return Move(f"cap {row.move}", now, after, allowed, cap_row=row)


def start_of_run(setting: Setting, now: Moment) -> Move:
    """A run starts, for the first time or again."""
    after = replace(
        now,
        started=z3.BoolVal(True),
        ended=z3.BoolVal(False),
        cut_off=z3.BoolVal(False),
        highest=z3.If(now.level > now.in_flight, now.level, now.in_flight),
    )
    may = z3.And(z3.Not(under_way(now)), _no_session(now), none_starting(now))
    return Move("the run starts", now, after, may)


def end_of_run(setting: Setting, now: Moment) -> Move:
    """The run ends: no session is open and no ticket has a place in a merge queue."""
    idle = z3.And(_no_session(now), every(TICKET, have=lambda t: z3.Not(now.wants(t))))
    after = replace(now, ended=z3.BoolVal(True), stopping=z3.BoolVal(False))
    return Move("the run ends", now, after, z3.And(_during_run(now), idle))


def cut_off(setting: Setting, now: Moment) -> Move:
    """The run is cut off: sessions stay as they are, and all tickets are gone."""
    after = replace(
        now,
        ended=z3.BoolVal(True),
        cut_off=z3.BoolVal(True),
        stopping=z3.BoolVal(False),
        wants=lambda t: z3.BoolVal(False),
        granted=lambda t: z3.BoolVal(False),
    )
    return Move("the run is cut off", now, after, _during_run(now))


def stop(setting: Setting, now: Moment) -> Move:
    """A stop is asked for."""
    return Move("stop", now, replace(now, stopping=z3.BoolVal(True)), none_starting(now))


def time_comes(setting: Setting, now: Moment) -> Move:
    """The time until which `WHO` was postponed has come."""
    after = replace(now, postponed=changed(now.postponed, WHO, z3.BoolVal(False)))
    waited = z3.And(is_at(now, WHO, "queued"), now.postponed(WHO))
    return Move("the time has come", now, after, z3.And(_during_run(now), waited))


def turn_requested(setting: Setting, now: Moment) -> Move:
    """Ticket `WHOSE` joins its repo's merge queue."""
    after = replace(
        now,
        wants=changed(now.wants, WHOSE, z3.BoolVal(True)),
        asked=changed(now.asked, WHOSE, now.next_place),
        next_place=now.next_place + 1,
    )
    may = z3.And(none_starting(now), z3.Not(now.wants(WHOSE)))
    return Move("a turn is requested", now, after, may)


def turn_granted(setting: Setting, now: Moment) -> Move:
    """Ticket `WHOSE` gets its turn."""
    repo = setting.repo_of_ticket(WHOSE)
    after = replace(now, turn=_without(setting.repo, repo, now.turn))
    after = replace(
        after,
        granted=changed(
            _without(setting.repo_of_ticket, repo, now.granted), WHOSE, z3.BoolVal(True)
        ),
    )
    may = z3.And(
        _during_run(now),
        now.wants(WHOSE),
        turn_is_free(setting, now, repo),
        is_first(setting, now, repo, now.asked(WHOSE)),
    )
    return Move("a turn is granted", now, after, may)


def turn_returned(setting: Setting, now: Moment) -> Move:
    """Ticket `WHOSE` gives its turn or its place back."""
    after = replace(
        now,
        wants=changed(now.wants, WHOSE, z3.BoolVal(False)),
        granted=changed(now.granted, WHOSE, z3.BoolVal(False)),
    )
    return Move("a turn is returned", now, after, z3.And(none_starting(now), now.wants(WHOSE)))


EVENTS: Final = (
    start_of_run,
    end_of_run,
    cut_off,
    stop,
    time_comes,
    turn_requested,
    turn_granted,
    turn_returned,
)
"""The events that are in neither table."""


def all_moves(
    setting: Setting, now: Moment, table: tuple[Row, ...], cap_table: tuple[CapRow, ...]
) -> Iterator[Move]:
    """Every move from a moment."""
    for row in table:
        yield by_row(setting, now, row)
    for cap_row in cap_table:
        yield by_cap_row(setting, now, cap_row)
    for event in EVENTS:
        yield event(setting, now)


# What may happen when


def _in_time(now: Moment, row: Row) -> Formula:
    if row.trigger in RECOVERY_FINDINGS:
        return now.ended
    return z3.BoolVal(True) if row.trigger in _AT_ANY_TIME else under_way(now)


def _during_run(now: Moment) -> Formula:
    return z3.And(under_way(now), none_starting(now))


def _no_session(now: Moment) -> Formula:
    return every(ISSUE, have=lambda j: z3.Not(now.open(j)))


def _only_start(now: Moment) -> Formula:
    return every(ISSUE, have=lambda j: z3.Implies(now.starting(j), j == WHO))


# What a row does


def _with_state(now: Moment, row: Row) -> Moment:
    """Set the state, the session and the slot; the last slot fills a gap."""
    opens = (row.trigger, row.target) in OPENS
    after = replace(
        now,
        state=changed(now.state, WHO, STATE_OF[row.target]),
        open=changed(now.open, WHO, z3.BoolVal(opens)),
        starting=changed(
            now.starting,
            WHO,
            z3.BoolVal(True) if row.trigger == "admit" else _still_starting(now, row, opens),
        ),
    )
    came, went = row.target in IN_FLIGHT, row.source in IN_FLIGHT
    if came and not went:
        return replace(
            after,
            slot=changed(now.slot, WHO, now.in_flight),
            at=changed(now.at, now.in_flight, WHO),
            in_flight=now.in_flight + 1,
        )
    if went and not came:
        last = now.at(now.in_flight - 1)
        return replace(
            after,
            slot=changed(now.slot, last, now.slot(WHO)),
            at=changed(now.at, now.slot(WHO), last),
            in_flight=now.in_flight - 1,
        )
    return after


def _still_starting(now: Moment, row: Row, opens: bool) -> Formula:
    keeps = row.trigger in _STARTS_SESSION and not opens
    return now.starting(WHO) if keeps else z3.BoolVal(False)


def _with_lane(setting: Setting, now: Moment, row: Row) -> Moment:
    active = lane_states(setting.lane_release)
    if row.trigger == "take_lane":
        taken = replace(now, waits=changed(now.waits, WHO, z3.BoolVal(False)))
        return replace(taken, holds=_takes(setting, now.holds))
    if row.source == row.target:
        return now
    if row.target in active:
        if row.trigger == "admit":
            return replace(now, holds=_takes(setting, now.holds))
        if row.source not in active:
            return replace(now, waits=changed(now.waits, WHO, z3.BoolVal(True)))
    elif row.source in active:
        return replace(
            now,
            holds=changed(now.holds, WHO, z3.BoolVal(False)),
            waits=changed(now.waits, WHO, z3.And(now.waits(WHO), now.holds(WHO))),
        )
    return now


def _with_merges(setting: Setting, now: Moment, row: Row) -> Moment:
    repo = setting.repo(WHO)
    if row.source == "merging":
        now = replace(now, turn=changed(now.turn, WHO, z3.BoolVal(False)))
    if row.source != "merging" and row.target == "merging":
        now = replace(
            now,
            queued=changed(now.queued, WHO, z3.BoolVal(True)),
            joined=changed(now.joined, WHO, now.next_place),
            next_place=now.next_place + 1,
        )
    elif row.source == "merging" and row.target != "merging":
        now = replace(now, queued=changed(now.queued, WHO, z3.BoolVal(False)))
    if row.trigger == "begin_merge" and ("begin_merge", row.target) in OPENS:
        now = replace(
            now,
            turn=_takes(setting, now.turn),
            granted=_without(setting.repo_of_ticket, repo, now.granted),
        )
    return now


def _takes(setting: Setting, whose: Function) -> Function:
    """`WHO` takes what only one issue of a repo can have, from any other one."""
    others = _without(setting.repo, setting.repo(WHO), whose)
    return changed(others, WHO, z3.BoolVal(True))


def _without(repo_of: Function, repo: Term, has: Function) -> Function:
    return lambda x: z3.And(has(x), repo_of(x) != repo)


def _with_notes(now: Moment, row: Row) -> Moment:
    """Set the flags and counters of the issue."""

    def note(field: str, value: Term) -> Moment:
        return replace(now, **{field: changed(getattr(now, field), WHO, value)})

    def count(field: str) -> Moment:
        return note(field, getattr(now, field)(WHO) + 1)

    false, true, zero = z3.BoolVal(False), z3.BoolVal(True), z3.IntVal(0)
    if row.trigger == "admit":
        return note("untouched", true)
    if row.trigger in ENDS_SESSION | _TAKES_OUT | RECOVERY_FINDINGS:
        now = note("untouched", false)
    if row.trigger == "withhold" and row.target == "queued":
        now = note("untouched", false)
    match row.trigger:
        case "implemented":
            now = note("implemented", true)
            now = note("checkpoints", zero)
        case "checkpoint":
            now = count("checkpoints")
        case "request_changes":
            now = count("rounds")
            now = note("implemented", false)
        case "conflict":
            now = count("conflicts")
            now = note("implemented", false)
        case "fail":
            now = count("failures")
        case "postpone":
            now = note("postponed", true)
        case "block" | "cancel":
            now = note("postponed", false)
        case "reset":
            for counter in ("checkpoints", "rounds"):
                now = note(counter, zero)
            now = note("implemented", false)
        case "unpark":
            for counter in ("checkpoints", "rounds", "conflicts", "failures"):
                now = note(counter, zero)
            now = note("implemented", false)
        case _:
            pass
    return now
