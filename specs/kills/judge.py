"""The judge: what is broken in a wave that was disturbed, by comparison with one that was not.

It looks at facts alone, so that a test can give it forged ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from specs.kills.facts import Facts, Line
from specs.kills.project import REPOS, Setting

IN_THE_LANE = ("implement", "gate")
"""The steps that hold the lane of a repo in both policies. A review does only in one of them."""


class Session(NamedTuple):
    """One command, from its own log. `ended`: None when it has not told its end."""

    begun: Line
    ended: int | None


@dataclass(frozen=True, slots=True)
class Case:
    """A wave that was played: `cut` are the runs that may have ended sessions before their end."""

    setting: Setting
    reference: Facts
    facts: Facts
    cut: frozenset[str] = frozenset()


def judged(case: Case) -> list[str]:
    """All that is broken, a sentence each."""
    return [
        *_end(case),
        *_git(case),
        *_left_behind(case),
        *_told_by_sessions(case.facts.sessions),
        *_side_by_side(case),
        *_above_the_cap(case),
        *_out_of_order(case),
        *_cut_short(case),
    ]


def sessions_of(lines: Iterable[Line]) -> list[Session]:
    """The sessions of a log, in the order of their beginning."""
    begun: dict[int, list[Line]] = defaultdict(list)
    ends: dict[Line, int] = {}
    for line in lines:
        if line.what == "begin":
            begun[line.pid].append(line)
        elif line.what == "end" and begun[line.pid]:
            ends[begun[line.pid][-1]] = line.at
    every = sorted(line for of_pid in begun.values() for line in of_pid)
    return [Session(line, ends.get(line)) for line in every]


def _end(case: Case) -> Iterator[str]:
    facts, setting = case.facts, case.setting
    if facts.exit_code != setting.exit_code:
        yield f"the last run ended with {facts.exit_code}, not {setting.exit_code}"
    if facts.done != setting.done:
        yield f"done are {_listed(facts.done)}, not {_listed(setting.done)}"
    if facts.broken_rules:
        yield f"the journal {facts.broken_rules}"


def _git(case: Case) -> Iterator[str]:
    for repo in REPOS:
        lane, undisturbed = case.facts.lanes[repo], case.reference.lanes[repo]
        if sorted(lane.merges) != sorted(undisturbed.merges):
            yield f"merged in {repo} are {_listed(lane.merges)}, not {_listed(undisturbed.merges)}"
        if lane.others != undisturbed.others:
            yield f"{repo} has the other commits {_listed(lane.others)}"
        if lane.tree != undisturbed.tree:
            yield f"the content of {repo} is {lane.tree}, not {undisturbed.tree}"
        for what in ("branches", "worktrees", "locks"):
            found, wanted = getattr(lane, what), getattr(undisturbed, what)
            if found != wanted:
                yield f"{repo} has the {what} {_listed(found)}, not {_listed(wanted)}"
        if lane.checkout != undisturbed.checkout:
            yield f"the user's checkout of {repo} was changed: {lane.checkout}"


def _left_behind(case: Case) -> Iterator[str]:
    for process in case.facts.processes:
        yield f"a process is left: {process}"
    if case.facts.files != case.reference.files:
        more = case.facts.files - case.reference.files
        fewer = case.reference.files - case.facts.files
        yield f"beside the journal are left {_listed(more)}, and there lack {_listed(fewer)}"


def _told_by_sessions(lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        match line.what:
            case "beside":
                yield f"{line} began while somebody still had its {line.note}"
            case "above":
                yield f"{line} began while {line.note} sessions were running"
            case "early":
                yield f"{line} began before {line.note} was merged"
            case "again":
                yield f"{line} began although {line.issue} was merged"


def _side_by_side(case: Case) -> Iterator[str]:
    """Sessions of one lane whose own logs overlap.

    One that has told no end is noticed by who comes after it, and finds its locks taken.
    """
    in_lane = IN_THE_LANE if case.setting.policy == "review" else (*IN_THE_LANE, "review")
    lanes: dict[str, list[Session]] = defaultdict(list)
    for session in sessions_of(case.facts.sessions):
        if session.begun.step in in_lane:
            lanes[f"lane {session.begun.repo}"].append(session)
        lanes[f"issue {session.begun.issue}"].append(session)
    for lane, sessions in lanes.items():
        for before, after in pairwise(sessions):
            if before.ended is not None and after.begun.at < before.ended:
                yield f"in {lane}, {after.begun} began beside {before.begun}"


def _above_the_cap(case: Case) -> Iterator[str]:
    moves = []
    for session in sessions_of(case.facts.sessions):
        if session.ended is not None:
            moves += [(session.begun.at, 1, session), (session.ended, -1, session)]
    running = 0
    for _, move, session in sorted(moves, key=lambda one: one[:2]):
        running += move
        if running > case.setting.ceiling:
            yield f"{session.begun} was one of {running}, and the cap is {case.setting.ceiling}"


def _out_of_order(case: Case) -> Iterator[str]:
    """An issue begins after the last session of each that it needs."""
    sessions = sessions_of(case.facts.sessions)
    for task in case.setting.tasks:
        own = [session.begun for session in sessions if session.begun.issue == task.id]
        for need in task.needs:
            for session in sessions:
                told = session.ended or session.begun.at
                if own and session.begun.issue == need and told > own[0].at:
                    yield f"{own[0]} began before {session.begun} was over"


def _cut_short(case: Case) -> Iterator[str]:
    for session in sessions_of(case.facts.sessions):
        if session.ended is None and session.begun.run not in case.cut:
            yield f"{session.begun} was cut short, and nobody disturbed that run"


def _listed(some: Iterable[str]) -> str:
    return ", ".join(sorted(some)) or "none"
