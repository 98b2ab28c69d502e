"""The meaning of each guard of the tables, written a second time, in logic.

The first time is `wavelane_model.guards` and `wavelane_model.cap`. specs/proof/agreement.py checks
that both mean the same, in states that the real step reaches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from specs.proof.logic import ISSUE, Formula, Term, every, z3
from specs.proof.moment import Moment, Setting
from specs.proof.phrases import is_at, is_first, turn_is_free
from wavelane_model.cap import CapGuard, CapRow, CapTarget
from wavelane_model.lifecycle import Guard, Row


def sessions_allowed(setting: Setting, now: Moment, issue: Term) -> Formula:
    return z3.And(now.level > 0, z3.Not(now.stopping))


def below_cap(setting: Setting, now: Moment, issue: Term) -> Formula:
    return now.in_flight < now.level


def lane_free(setting: Setting, now: Moment, issue: Term) -> Formula:
    return every(
        ISSUE,
        have=lambda j: z3.Not(z3.And(setting.repo(j) == setting.repo(issue), now.holds(j))),
    )


def has_lane(setting: Setting, now: Moment, issue: Term) -> Formula:
    return now.holds(issue)


def dependencies_done(setting: Setting, now: Moment, issue: Term) -> Formula:
    return every(ISSUE, have=lambda d: z3.Implies(setting.needs(issue, d), is_at(now, d, "done")))


def due(setting: Setting, now: Moment, issue: Term) -> Formula:
    return z3.Not(now.postponed(issue))


def reserved(setting: Setting, now: Moment, issue: Term) -> Formula:
    return now.reserved(issue)


def is_implemented(setting: Setting, now: Moment, issue: Term) -> Formula:
    return now.implemented(issue)


def has_merge_turn(setting: Setting, now: Moment, issue: Term) -> Formula:
    repo = setting.repo(issue)
    return z3.And(
        now.queued(issue),
        turn_is_free(setting, now, repo),
        is_first(setting, now, repo, now.joined(issue)),
    )


def session_open(setting: Setting, now: Moment, issue: Term) -> Formula:
    return now.open(issue)


def start_revoked(setting: Setting, now: Moment, issue: Term) -> Formula:
    over = z3.And(now.untouched(issue), now.in_flight > now.level)
    return z3.Or(z3.Not(sessions_allowed(setting, now, issue)), over)


def untouched(setting: Setting, now: Moment, issue: Term) -> Formula:
    return now.untouched(issue)


def checkpoints_left(setting: Setting, now: Moment, issue: Term) -> Formula:
    return now.checkpoints(issue) + 1 < setting.checkpoint_limit


def rounds_left(setting: Setting, now: Moment, issue: Term) -> Formula:
    return now.rounds(issue) < setting.round_limit


def conflicts_left(setting: Setting, now: Moment, issue: Term) -> Formula:
    return now.conflicts(issue) < setting.conflict_limit


def failures_left(setting: Setting, now: Moment, issue: Term) -> Formula:
    return now.failures(issue) < setting.failure_limit


MEANING: Final[dict[Guard, Callable[[Setting, Moment, Term], Formula]]] = {
    "sessions_allowed": sessions_allowed,
    "below_cap": below_cap,
    "lane_free": lane_free,
    "has_lane": has_lane,
    "dependencies_done": dependencies_done,
    "due": due,
    "reserved": reserved,
    "is_implemented": is_implemented,
    "has_merge_turn": has_merge_turn,
    "session_open": session_open,
    "start_revoked": start_revoked,
    "untouched": untouched,
    "checkpoints_left": checkpoints_left,
    "rounds_left": rounds_left,
    "conflicts_left": conflicts_left,
    "failures_left": failures_left,
}
CAP_MEANING: Final[dict[CapGuard, Callable[[Setting, Moment, Term], Formula]]] = {
    "is_paused": lambda setting, now, level: now.level == 0,
    "is_open": lambda setting, now, level: now.level > 0,
    "below_ceiling": lambda setting, now, level: now.level < setting.ceiling,
    "within_ceiling": lambda setting, now, level: z3.And(level >= 0, level <= setting.ceiling),
    "moves": lambda setting, now, level: level != now.level,
}
CAP_LEVEL: Final[dict[CapTarget, Callable[[Moment, Term], Term]]] = {
    "one_lower": lambda now, level: now.level - 1,
    "one_higher": lambda now, level: now.level + 1,
    "level_asked": lambda now, level: level,
    "paused": lambda now, level: z3.IntVal(0),
    "level_before_pause": lambda now, level: now.before_pause,
}


def row_applies(setting: Setting, now: Moment, issue: Term, row: Row) -> Formula:
    """The issue is in the row's source, its guards hold, and none of its exceptions does."""
    return z3.And(
        is_at(now, issue, row.source),
        *(MEANING[guard](setting, now, issue) for guard in row.guards),
        *(z3.Not(MEANING[guard](setting, now, issue)) for guard in row.unless),
    )


def cap_row_applies(setting: Setting, now: Moment, level: Term, row: CapRow) -> Formula:
    """The row's guards hold, where `level` is the one asked for."""
    return z3.And(*(CAP_MEANING[guard](setting, now, level) for guard in row.guards))
