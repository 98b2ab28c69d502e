"""A violation as a Python script that a person can run, and what such a script calls.

The script names the wave, the settings and the events; it does not need the search. It exits with
status 1 if the property is broken, and with 0 if it no longer is.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from specs.monitor import RuleMonitor
from specs.search.actions import due, settled_by
from specs.search.explore import Violation, digest, take
from specs.search.watchdog import watched
from specs.search.worlds import World
from wavelane_model.events import Event, SessionEnded
from wavelane_model.limits import Limits
from wavelane_model.state import WaveState
from wavelane_model.wave import Issue
from wavelane_model.why import why


def script(world: World, violation: Violation) -> str:
    """The script that shows `violation` of `world`."""
    every = [*violation.events, *(violation.cycle or ())]
    outcomes = {type(one.outcome).__name__ for one in every if isinstance(one, SessionEnded)}
    imports = [f"from wavelane_model.outcomes import {', '.join(sorted(outcomes))}"]
    return "\n".join(
        [
            f'"""Breaks "{violation.property}": {violation.what}',
            "",
            "Run it with python from the root of the checkout.",
            '"""',
            "",
            "import sys",
            "",
            'sys.path.insert(0, ".")',
            "",
            "from specs.search.script import replay",
            "from wavelane_model.cap import Cap",
            f"from wavelane_model.events import {', '.join(sorted(_names(every)))}",
            "from wavelane_model.limits import Limits",
            *(imports if outcomes else []),
            "from wavelane_model.state import WaveState",
            "from wavelane_model.wave import Issue, Wave",
            "",
            "wave = Wave(",
            "    [",
            *(f"        {_issue(one)}," for one in world.wave.issues),
            "    ],",
            f"    repos={list(world.wave.repos)!r},",
            ")",
            "state = WaveState(",
            "    wave,",
            f"    cap=Cap.at({world.ceiling}),",
            f"    lane_release={world.lane_release!r},",
            f"    limits={_limits(world.limits)},",
            ")",
            *_listed("events", violation.events),
            *(_listed("cycle", violation.cycle) if violation.cycle is not None else []),
            f"replay(state, events, breaks={violation.property!r}"
            f"{', cycle=cycle' if violation.cycle is not None else ''})",
            "",
        ]
    )


def replay(
    state: WaveState,
    events: Sequence[Event],
    *,
    breaks: str,
    cycle: Sequence[Event] | None = None,
) -> None:
    """Take the events one by one, print what happens, and exit with 1 if `breaks` is broken.

    With a `cycle` it is broken, too, when its events may follow each other for ever.
    """
    monitor = RuleMonitor(state.wave, state.cap, state.lane_release, state.limits)
    if any(_shown(state, monitor, event, breaks) for event in events):
        sys.exit(1)
    if cycle is not None and _goes_round(state, monitor, cycle, breaks):
        print(f'"{breaks}" is broken: the run is where it was, and nothing else is due')
        sys.exit(1)
    print(f'"{breaks}" is not broken')


def _goes_round(
    state: WaveState, monitor: RuleMonitor, cycle: Sequence[Event], breaks: str
) -> bool:
    """Take the events of the cycle; whether they may follow each other for ever.

    They may if they lead back to where they began, and nothing stays due all the way.
    """
    print("from here on, again and again:" if cycle else "from here on, nothing:")
    before = digest(state, monitor)
    neglected = due(monitor)
    for event in cycle:
        _shown(state, monitor, event, breaks)
        neglected &= due(monitor) - {settled_by(event)}
    ended = state.ended and not monitor.cut_off
    return digest(state, monitor) == before and not ended and not neglected


def _shown(state: WaveState, monitor: RuleMonitor, event: Event, breaks: str) -> bool:
    """Take one event and print what it does; whether it breaks the property."""
    print(event)
    with watched(lambda: 0):
        effects, found = take(state, monitor, event)
    for effect in effects:
        print(f"    {effect}")
    print("    " + "; ".join(f"{one.id}: {why(state, one.id)}" for one in state.wave.issues))
    for line in found:
        print(f"    BROKEN {line}")
    return any(line.startswith(f"{breaks}: ") for line in found)


def _names(events: Sequence[Event]) -> set[str]:
    return {type(one).__name__ for one in events}


def _issue(issue: Issue) -> str:
    after = f", {list(issue.depends_on)!r}" if issue.depends_on else ""
    priority = f", priority={issue.priority}" if issue.priority else ""
    return f"Issue({issue.id!r}, {issue.repo!r}{after}{priority})"


def _limits(limits: Limits) -> str:
    counts = ("review_rounds", "checkpoints", "conflicts", "failures")
    return f"Limits({', '.join(f'{name}={getattr(limits, name)}' for name in counts)})"


def _listed(name: str, events: Sequence[Event]) -> list[str]:
    return [f"{name} = [", *(f"    {event!r}," for event in events), "]"]
