"""The checker: finds what is wrong with a disturbed wave, by comparison with an undisturbed one.

It sees facts only, so that a test can give it forged ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from specs.kills.facts import Facts, LogLine
from specs.kills.project import REPOS, Setting

IN_THE_LANE = ("implement", "gate")
"""The steps that need the lane of a repo in both policies; a review needs it in one only."""


class LoggedSession(NamedTuple):
    """One command, from its own log; `ended` is None if it has logged no end."""

    begun: LogLine
    ended: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A disturbed wave, and the reference; the runs in `cut` may have cut sessions short."""

    setting: Setting
    reference: Facts
    facts: Facts
    cut: frozenset[str] = frozenset()


def violations(case: Comparison) -> list[str]:
    """Everything that is wrong, a sentence each."""
    return [
        *_end(case),
        *_git(case),
        *_left_behind(case),
        *_logged_by_sessions(case.facts.sessions),
        *_side_by_side(case),
        *_above_the_cap(case),
        *_out_of_order(case),
        *_cut_short(case),
    ]


def sessions_of(lines: Iterable[LogLine]) -> list[LoggedSession]:
    """The sessions of a log, in the order of their starts."""
    begun: dict[int, list[LogLine]] = defaultdict(list)
    ends: dict[LogLine, int] = {}
    for line in lines:
        if line.what == "begin":
            begun[line.pid].append(line)
        elif line.what == "end" and begun[line.pid]:
            ends[begun[line.pid][-1]] = line.at
    every = sorted(line for of_pid in begun.values() for line in of_pid)
    return [LoggedSession(line, ends.get(line)) for line in every]


def _end(case: Comparison) -> Iterator[str]:
    facts, setting = case.facts, case.setting
    if facts.exit_code != setting.exit_code:
        yield f"the last run ended with {facts.exit_code}, not {setting.exit_code}"
    if facts.done != setting.done:
        yield f"the done issues are {_listed(facts.done)}, not {_listed(setting.done)}"
    if facts.broken_rules:
        yield f"the journal {facts.broken_rules}"


def _git(case: Comparison) -> Iterator[str]:
    for repo in REPOS:
        found, expected = case.facts.repos[repo], case.reference.repos[repo]
        if sorted(found.merges) != sorted(expected.merges):
            actual, wanted = _listed(found.merges), _listed(expected.merges)
            yield f"the merges of {repo} are {actual}, not {wanted}"
        if found.others != expected.others:
            yield f"the other commits of {repo} are {_listed(found.others)}"
        if found.tree != expected.tree:
            yield f"the content of {repo} is {found.tree}, not {expected.tree}"
        for what in ("branches", "worktrees", "locks"):
            actual, wanted = getattr(found, what), getattr(expected, what)
            if actual != wanted:
                yield f"the {what} of {repo} are {_listed(actual)}, not {_listed(wanted)}"
        if found.checkout != expected.checkout:
            yield f"the user's checkout of {repo} was changed: {found.checkout}"


def _left_behind(case: Comparison) -> Iterator[str]:
    for process in case.facts.processes:
        yield f"a process is left: {process}"
    if case.facts.files != case.reference.files:
        more = case.facts.files - case.reference.files
        fewer = case.reference.files - case.facts.files
        yield f"files left beside the journal: {_listed(more)}; missing: {_listed(fewer)}"


def _logged_by_sessions(lines: Iterable[LogLine]) -> Iterator[str]:
    for line in lines:
        match line.what:
            case "beside":
                yield f"{line} began while another session still had its {line.note}"
            case "above":
                yield f"{line} began while {line.note} sessions were running"
            case "early":
                yield f"{line} began before {line.note} was merged"
            case "again":
                yield f"{line} began although {line.issue} was merged"


def _side_by_side(case: Comparison) -> Iterator[str]:
    """Sessions of one lane whose own logs overlap.

    A session that has logged no end is found by its successor, which finds its locks taken.
    """
    in_lane = IN_THE_LANE if case.setting.policy == "review" else (*IN_THE_LANE, "review")
    lanes: dict[str, list[LoggedSession]] = defaultdict(list)
    for session in sessions_of(case.facts.sessions):
        if session.begun.step in in_lane:
            lanes[f"lane {session.begun.repo}"].append(session)
        lanes[f"issue {session.begun.issue}"].append(session)
    for lane, sessions in lanes.items():
        for before, after in pairwise(sessions):
            if before.ended is not None and after.begun.at < before.ended:
                yield f"in {lane}, {after.begun} began beside {before.begun}"


def _above_the_cap(case: Comparison) -> Iterator[str]:
    moves = []
    for session in sessions_of(case.facts.sessions):
        if session.ended is not None:
            moves += [(session.begun.at, 1, session), (session.ended, -1, session)]
    running = 0
    for _, move, session in sorted(moves, key=lambda one: one[:2]):
        running += move
        if running > case.setting.ceiling:
            yield f"{session.begun} was one of {running}, and the cap is {case.setting.ceiling}"


def _out_of_order(case: Comparison) -> Iterator[str]:
    """An issue begins after the last session of each of its dependencies."""
    sessions = sessions_of(case.facts.sessions)
    for issue in case.setting.issues:
        own = [session.begun for session in sessions if session.begun.issue == issue.id]
        for need in issue.needs:
            for session in sessions:
                over = session.ended or session.begun.at
                if own and session.begun.issue == need and over > own[0].at:
                    yield f"{own[0]} began before {session.begun} was over"


def _cut_short(case: Comparison) -> Iterator[str]:
    for session in sessions_of(case.facts.sessions):
        if session.ended is None and session.begun.run not in case.cut:
            yield f"{session.begun} was cut short in an undisturbed run"


def _listed(some: Iterable[str]) -> str:
    return ", ".join(sorted(some)) or "none"
