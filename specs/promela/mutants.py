"""Small changes to the Promela model. Spin has to notice each, which shows that the check can fail.

A mutant is noticed in one of three ways:

- `assertion`: the rule that it breaks is asserted, in some state or at some start;
- `ltl`: spin finds a fair run that refutes the LTL property;
- `graph`: no rule is broken, but other states or transitions are reached than by the real step.

The named property itself has to be violated; another failure is not enough.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from specs.promela.graphs import Graph, by_spin, by_step, differences
from specs.promela.models import (
    CUT_OFF,
    PIPE,
    PLANNED,
    PLANNED_CUT_OFF,
    REWORK,
    RULES,
    STRICT,
    URGENT,
    WIDE,
    Model,
    sources,
)

How = Literal["assertion", "ltl", "graph"]
SAME: Final = "same as the step"


@dataclass(frozen=True, slots=True)
class Mutant:
    """Replace each old text of `edits` by its new one in wave.pml; each stands there once.

    `property` is then violated in `model`, and `how` says in which way spin notices.
    """

    name: str
    model: Model
    how: How
    property: str
    edits: tuple[tuple[str, str], ...]

    def applied(self, text: str) -> str:
        """The rules with the change. Raises `ValueError` where it does not fit."""
        for old, new in self.edits:
            if text.count(old) != 1:
                raise ValueError(
                    f'mutant "{self.name}": {old!r} stands {text.count(old)} times in {RULES}, '
                    "not once; bring it up to date"
                )
            text = text.replace(old, new)
        return text


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether spin noticed a mutant, and by what: a trace or differences, a line a state."""

    mutant: Mutant
    killed: bool
    evidence: str


def judge(mutant: Mutant) -> Verdict:
    """Let spin look at a mutant. Raises `SpinError` for one that is no model."""
    files = sources()
    files[RULES] = mutant.applied(files[RULES])
    with mutant.model.compiled("ltl" if mutant.how == "ltl" else "safety", files) as verifier:
        if mutant.how == "ltl":
            killed = verifier.ltl(mutant.property).refuted
            return Verdict(mutant, killed, verifier.trace(mutant.property) if killed else "")
        answer = verifier.safety()
        if mutant.how == "assertion":
            killed = f"{mutant.property}_rule" in answer.violated
            return Verdict(mutant, killed, verifier.trace() if killed else "")
        if answer.violated:
            return Verdict(mutant, False, f"rules are broken: {', '.join(answer.violated)}")
        found = differences(_real(mutant.model), by_spin(answer))
        return Verdict(mutant, bool(found), "\n".join(found))


@cache
def _real(model: Model) -> Graph:
    return by_step(model.world)


def _breaks(rule: str, model: Model, name: str, *edits: tuple[str, str]) -> Mutant:
    return Mutant(name, model, "assertion", rule, edits)


def _refutes(ltl: str, model: Model, name: str, *edits: tuple[str, str]) -> Mutant:
    return Mutant(name, model, "ltl", ltl, edits)


def _differs(model: Model, name: str, *edits: tuple[str, str]) -> Mutant:
    return Mutant(name, model, "graph", SAME, edits)


_ADMIT: Final = "is[i] == queued && met && !back && lane[REPO(i)] == NO_ISSUE && slots < level ->"
_ADMITTED: Final = """            start_session(i, running);
            reserved[i] = 0
"""
_ORDER: Final = "(place[a] < place[b] || (place[a] == place[b] && a < b))))"
_FIRST: Final = "(i == NO_ISSUE || BEFORE(j, i))"
_GONE: Final = "is[i] != queued -> reserved[i] = 0"
_STUCK: Final = "TAKEN_OUT(i) -> stuck = stuck | (1 << i)"
_STUCK_BEHIND: Final = "NEEDS(i, j) && (stuck & (1 << j)) -> stuck = stuck | (1 << i)"
_SPENT: Final = "had_reservation[k] && UNTIL(p, k) > reserved[k] -> skip"
_RESERVED: Final = "reserved[j] && REPO(j) == REPO(one) && BEFORE(j, one) -> back = true"
_LATE: Final = "end_reservation(_pid); settle()"
_CUT_OFF: Final = """        outcome = unfinished;
        end_all_reservations();
"""
_LEFT: Final = """    slots--;
    leave_lane(me)
"""
_RELEASE: Final = "if :: PIPELINED -> leave_lane(me) :: else fi"
_PARK: Final = "is[me] = parked; leave_flight(me)"
_BEGIN: Final = ":: level > 0 && is[i] == admitted && lane[REPO(i)] == i ->"
_REVIEW: Final = ":: level > 0 && is[i] == review && !open[i] ->"
_TURN: Final = ":: turn[r] == NO_ISSUE && len(approved[r]) > 0 ->"
_REWORK: Final = ":: lane[r] == NO_ISSUE && len(rework[r]) > 0 ->"
_UP: Final = "level < CEILING -> move_to(level + 1)"
_RESUME: Final = "level == 0 -> move_to(before_pause)"
_QUEUE: Final = "    approved[REPO(me)]!me\n"
_NEXT_RUN: Final = "CUT_OFF && COUNT(OPEN) == 0 ->"
_DISCARDED: Final = "    is[me] = queued;\n    leave_flight(me)\n"
_FOUND: Final = """inline found(me) {
    open[me] = false;
"""
_MOVE: Final = "    level = new_level;\n"

MUTANTS: Final = (
    _breaks(
        "lane", STRICT, "a busy lane admits", (_ADMIT, _ADMIT.replace(" == NO_ISSUE", " >= 0"))
    ),
    _breaks("lane", STRICT, "the lane is free at the review", (_RELEASE, "leave_lane(me)")),
    _breaks(
        "lane",
        REWORK,
        "rework takes a lane that is held",
        (_REWORK, _REWORK.replace("lane[r] == NO_ISSUE && ", "")),
    ),
    _breaks("cap", STRICT, "the cap is not checked", (_ADMIT, _ADMIT.replace("slots", "0"))),
    _breaks(
        "cap",
        STRICT,
        "one more than the cap is admitted",
        (_ADMIT, _ADMIT.replace("slots < level", "level > 0 && slots <= level")),
    ),
    _breaks(
        "bound",
        REWORK,
        "a review needs no slot",
        ("    is[me] = review;\n", "    is[me] = review;\n    slots--;\n"),
        (_LEFT, _LEFT.replace("    slots--;\n", "")),
    ),
    _breaks(
        "order", STRICT, "dependencies are not checked", (_ADMIT, _ADMIT.replace("met", "true"))
    ),
    _breaks(
        "order",
        STRICT,
        "an approved issue counts as done",
        ("is[j] != done -> met = false", "is[j] != done && is[j] != merging -> met = false"),
    ),
    _breaks("pause", REWORK, "rework begins while paused", (_BEGIN, _BEGIN.replace("0", "-1"))),
    _breaks("pause", STRICT, "a review begins while paused", (_REVIEW, _REVIEW.replace("0", "-1"))),
    _breaks("merge", PIPE, "two merges at once", (_TURN, ":: len(approved[r]) > 0 ->")),
    _breaks("merge", PIPE, "merges go by number", (_QUEUE, _QUEUE.replace("!me", "!!me"))),
    _breaks(
        "glide",
        STRICT,
        "a pause ends a session",
        (
            _MOVE,
            _MOVE + "    if :: level == 0 && is[0] == running ->\n"
            "        is[0] = queued; open[0] = false; leave_flight(0) :: else fi;\n",
        ),
    ),
    _refutes(
        "progress",
        STRICT,
        "resuming starts nothing",
        (_RESUME, "level == 0 -> level = before_pause"),
    ),
    _refutes(
        "progress",
        STRICT,
        "admission is a step of its own",
        ("    admit();\n", ""),
        (
            "end:\n    false\n",
            "end:\n    do\n"
            "    :: d_step { MOVABLE && slots < level -> admit(); end_when_over(); skip }\n"
            "    od\n",
        ),
    ),
    _refutes("progress", STRICT, "a done issue keeps its slot", (_LEFT, "    leave_lane(me)\n")),
    _refutes("progress", STRICT, "a done issue keeps its lane", (_LEFT, "    slots--\n")),
    _refutes(
        "progress",
        REWORK,
        "a parked issue keeps its slot",
        (_PARK, _PARK.replace("leave_flight", "leave_lane")),
    ),
    _refutes("progress", REWORK, "change requests are not counted", ("    rounds[me]++;\n", "")),
    _refutes(
        "progress",
        PIPE,
        "a merge turn is not returned",
        ("    turn[REPO(me)] = NO_ISSUE;\n", ""),
    ),
    _refutes(
        "progress",
        REWORK,
        "rework that waits for its lane is forgotten",
        ("rework[r]?who; lane[r] = who", "rework[r]?who"),
    ),
    _refutes(
        "drain",
        PIPE,
        "merges wait while paused",
        (_TURN, _TURN.replace("::", ":: level > 0 &&")),
    ),
    _refutes(
        "continuation",
        CUT_OFF,
        "the next run waits for the end of a pause",
        (_NEXT_RUN, _NEXT_RUN.replace("->", "&& level > 0 ->")),
    ),
    _breaks(
        "merge",
        CUT_OFF,
        "a resumed merge goes to the end of the queue",
        ("approved[REPO(me)]!me; to_front(me)", "approved[REPO(me)]!me"),
    ),
    _differs(
        CUT_OFF,
        "the next run starts before its recovery findings",
        (_NEXT_RUN, _NEXT_RUN.replace("&& COUNT(OPEN) == 0 ", "")),
    ),
    _refutes(
        "progress",
        CUT_OFF,
        "a discarded attempt keeps its slot",
        (_DISCARDED, _DISCARDED.replace("leave_flight", "leave_lane")),
    ),
    _differs(
        CUT_OFF,
        "a recovery finding leaves the session open",
        (_FOUND, _FOUND.replace("    open[me] = false;\n", "")),
    ),
    _differs(
        CUT_OFF,
        "the highest cap is that of the run before",
        ("        highest = (level > flight -> level : flight);\n", ""),
    ),
    _differs(
        WIDE,
        "new admissions go before rework",
        ("    give_lanes();\n", ""),
        ("    admit();\n", "    admit();\n    give_lanes();\n    start_startable();\n"),
    ),
    _differs(
        PIPE,
        "the last in the file is admitted first",
        (_ORDER, _ORDER.replace("a < b", "a > b")),
    ),
    _differs(
        STRICT,
        "one admission a step",
        (_ADMITTED, _ADMITTED.rstrip() + ";\n            break\n"),
    ),
    _differs(PIPE, "the lane is kept to the end", (_RELEASE, "skip")),
    _differs(STRICT, "resuming goes to the ceiling", (_RESUME, "level == 0 -> move_to(CEILING)")),
    _differs(
        STRICT,
        "stepping up from paused resumes",
        (
            _UP,
            _UP.replace("level + 1", "(level == 0) * before_pause + (level > 0) * (level + 1)"),
        ),
    ),
    _differs(
        STRICT,
        "the run ends while issues are queued",
        ("IN_FLIGHT(i) || (is[i] == queued && met)", "IN_FLIGHT(i)"),
    ),
    _differs(
        REWORK,
        "one change request too many",
        (":: rounds[me] > ROUNDS ->", ":: rounds[me] > ROUNDS + 1 ->"),
    ),
    _breaks(
        "reservation",
        PLANNED,
        "reservations are not checked",
        (_ADMIT, _ADMIT.replace(" && !back", "")),
    ),
    _breaks(
        "reservation",
        PLANNED,
        "a reservation goes on when its issue starts",
        (_ADMITTED, _ADMITTED.replace(";\n            reserved[i] = 0", "")),
    ),
    _breaks(
        "reservation",
        PLANNED,
        "a reservation goes on when its issue is parked",
        (_GONE, _GONE.replace("!= queued", "!= queued && is[i] != parked")),
    ),
    _breaks(
        "reservation",
        PLANNED,
        "a reservation goes on when what its issue needs is parked",
        (_STUCK, _STUCK.replace("TAKEN_OUT(i)", "is[i] == cancelled")),
    ),
    _breaks(
        "reservation",
        PLANNED,
        "a reservation goes on when what its issue needs is cancelled",
        (_STUCK, _STUCK.replace("TAKEN_OUT(i)", "is[i] == parked")),
    ),
    _breaks(
        "reservation",
        PLANNED,
        "a reservation goes on when what its issue needs indirectly is parked",
        (_STUCK_BEHIND, _STUCK_BEHIND.replace("(stuck & (1 << j))", "false")),
    ),
    _breaks(
        "plan", PLANNED, "plans are not followed", (_FIRST, _FIRST.replace("BEFORE(j, i)", "j < i"))
    ),
    _refutes(
        "progress",
        PLANNED,
        "no reservation is ever late",
        ("started && reserved[_pid] ->", "false ->"),
    ),
    _refutes(
        "progress",
        PLANNED,
        "a reservation that ends late starts nothing",
        (_LATE, _LATE.replace("settle", "rest")),
    ),
    _refutes(
        "progress",
        PLANNED,
        "a lane is reserved twice for an issue",
        (_SPENT, "reserved[k] && UNTIL(p, k) > reserved[k] -> skip"),
    ),
    _differs(
        PLANNED,
        "a reservation is put off by the next plan",
        (_SPENT, "had_reservation[k] && !reserved[k] -> skip"),
    ),
    _differs(
        PLANNED,
        "earlier issues of the plan have to wait, too",
        (_RESERVED, _RESERVED.replace("BEFORE(j, one)", "j != one")),
    ),
    _differs(
        PLANNED,
        "all lanes are reserved",
        (_RESERVED, _RESERVED.replace(" && REPO(j) == REPO(one)", "")),
    ),
    _differs(
        PLANNED,
        "reservations of the plan before go on",
        (
            ":: else -> reserved[k] = UNTIL(p, k)",
            ":: else -> reserved[k] = (UNTIL(p, k) -> UNTIL(p, k) : reserved[k])",
        ),
    ),
    _differs(
        PLANNED_CUT_OFF,
        "a reservation outlives a run that is cut off",
        (_CUT_OFF, _CUT_OFF.replace("        end_all_reservations();\n", "")),
    ),
    _differs(
        PLANNED_CUT_OFF,
        "a plan ends with its run",
        (_CUT_OFF, _CUT_OFF + "        for (i : 0 .. ISSUES - 1) { place[i] = NONE }\n"),
    ),
    _differs(
        URGENT,
        "a plan goes before priorities",
        (
            "BEFORE(a, b)    (URGENCY(a) > URGENCY(b) || (URGENCY(a) == URGENCY(b) && ",
            "BEFORE(a, b)    (false || (true && ",
        ),
    ),
    _differs(
        URGENT,
        "rework waits for the end of a reservation",
        (_REWORK, _REWORK.replace(" ->", " && COUNT(IS_RESERVED) == 0 ->")),
    ),
)


def main() -> None:
    """Print the table of mutants: which there are, and how spin notices them."""
    parser = argparse.ArgumentParser(prog="python -m specs.promela.mutants", description=__doc__)
    parser.add_argument("name", nargs="?", help="show the evidence against this one mutant")
    asked = parser.parse_args().name
    for mutant in MUTANTS:
        if asked in (None, mutant.name):
            verdict = judge(mutant)
            said = "killed" if verdict.killed else "ALIVE"
            print(f"{said:7} {mutant.name:44} {mutant.how:10} {mutant.property}")
            if asked:
                print(verdict.evidence)


if __name__ == "__main__":
    main()
