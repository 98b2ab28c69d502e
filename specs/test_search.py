"""The search passes on the model as it is, and finds what is wrong with a changed one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from specs.monitor import RuleMonitor
from specs.results import Result
from specs.search import run, search
from specs.search.actions import Due, action, actions_of, due, is_rare
from specs.search.examples import Examples
from specs.search.explore import Graph, digest, explore, initial
from specs.search.fairness import never_drains, never_ends
from specs.search.pinned import PINNED, Counts
from specs.search.watchdog import watched
from specs.search.worlds import PIPELINED, THREE_REPOS, WORLDS, World
from wavelane_model import step as step_module
from wavelane_model.effects import AnnounceCap, Effect, EndSession
from wavelane_model.events import (
    AttemptResumed,
    CapMoved,
    Event,
    MergeFound,
    RunCutOff,
    SessionEnded,
    WaveStarted,
)
from wavelane_model.lanes import Lane, Lanes
from wavelane_model.lifecycle import TABLE, Guard, Trigger
from wavelane_model.outcomes import Implemented
from wavelane_model.state import WaveState
from wavelane_model.step import step

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
BY_NAME = {world.name: world for world in WORLDS}
ENDS_IN_EVERY_WAY = BY_NAME["sessions end in every way"]
REWORK = BY_NAME["rework beside new work"]
WITHHELD = BY_NAME["starts are withheld"]
RUNS = BY_NAME["stops and further runs"]
CUT_OFF = BY_NAME["runs are cut off"]
CUT_OFF_PIPELINED = BY_NAME["runs are cut off, pipelined"]


def broken(world: World, *, to_the_end: bool = False) -> dict[str, Result]:
    """The properties of states, transitions and runs that a search of `world` finds broken."""
    return {
        one.property: one
        for one in search([world], to_the_end=to_the_end)
        if not one.passed and one.property.startswith(("always", "eventually"))
    }


def drop_guard(monkeypatch: pytest.MonkeyPatch, trigger: Trigger, guard: Guard) -> None:
    """Let the step run on a table in which no row of `trigger` asks for `guard`."""
    table = tuple(
        row._replace(guards=tuple(one for one in row.guards if one != guard))
        if row.trigger == trigger
        else row
        for row in TABLE
    )
    assert table != TABLE
    monkeypatch.setattr(step_module, "_ROWS", step_module.compiled(table))


@pytest.mark.layer
def test_all_worlds_for_ci_keep_every_property() -> None:
    results = run()

    assert [one for one in results if not one.passed] == []
    assert sum(one.amount for one in results if one.property.startswith("count")) >= 25_000


def test_the_nightly_worlds_are_pinned_and_large_enough() -> None:
    assert set(PINNED) == set(BY_NAME)
    assert sum(counts.states for counts in PINNED.values()) >= 150_000


@pytest.mark.parametrize(
    ("trigger", "guard", "world", "rule"),
    [
        ("admit", "below_cap", THREE_REPOS, "cap"),
        ("admit", "sessions_allowed", RUNS, "pause"),
        ("admit", "dependencies_done", THREE_REPOS, "fixpoint"),
        ("begin_review", "sessions_allowed", THREE_REPOS, "pause"),
        ("begin", "sessions_allowed", REWORK, "pause"),
        ("begin", "has_lane", REWORK, "fixpoint"),
        ("request_changes", "rounds_left", REWORK, "limits"),
        ("fail", "failures_left", ENDS_IN_EVERY_WAY, "limits"),
        ("conflict", "conflicts_left", ENDS_IN_EVERY_WAY, "limits"),
        ("withhold", "start_revoked", WITHHELD, "rejection"),
    ],
)
def test_a_dropped_guard_is_found(
    monkeypatch: pytest.MonkeyPatch, trigger: Trigger, guard: Guard, world: World, rule: str
) -> None:
    drop_guard(monkeypatch, trigger, guard)

    assert f"always {rule}" in broken(world)


def test_a_merge_turn_that_goes_to_the_last_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lane, "next_merge", lambda lane: next(reversed(lane.merges), None))

    assert "always merge" in broken(PIPELINED)


def test_a_session_that_is_ended_because_the_cap_fell_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(state: WaveState, event: CapMoved, effects: list[Effect]) -> None:
        moved(state, event, effects)
        if state.in_flight > state.cap.level:
            effects.append(EndSession(state.issue_id(state.records[next(iter(state.flight))]), 1))

    moved = step_module._HANDLERS[CapMoved]
    monkeypatch.setitem(step_module._HANDLERS, CapMoved, interrupt)

    assert "always glide" in broken(THREE_REPOS)


def test_a_step_that_never_ends_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    table = tuple(row._replace(target="queued") if row.trigger == "admit" else row for row in TABLE)
    monkeypatch.setattr(step_module, "_ROWS", step_module.compiled(table))

    assert "StepNeverEnds" in broken(THREE_REPOS)["always crash"].detail


def test_nothing_is_given_up_outside_the_model_where_the_exception_could_be_lost() -> None:
    with watched(lambda: 0):
        for _ in range(3):
            signal.raise_signal(signal.SIGVTALRM)


def test_a_refused_event_that_leaves_a_trace_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def remember(state: WaveState, event: SessionEnded, effects: list[Effect]) -> None:
        if event.issue in state.wave:
            state.find(event.issue).feedback = "late"
        ended(state, event, effects)

    ended = step_module._HANDLERS[SessionEnded]
    monkeypatch.setitem(step_module._HANDLERS, SessionEnded, remember)

    assert "always rejection" in broken(THREE_REPOS)


def test_a_wake_up_that_is_lost_when_the_cap_rises_is_a_wave_that_never_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def sleep_on(state: WaveState, effects: list[Effect]) -> None:
        if not any(isinstance(one, AnnounceCap) for one in effects):
            dispatch(state, effects)

    dispatch = step_module.dispatch
    monkeypatch.setattr(step_module, "dispatch", sleep_on)

    found = broken(THREE_REPOS, to_the_end=True)

    assert "eventually progress" in found
    assert "cycle = [" in found["eventually progress"].detail


def test_a_failure_that_is_not_counted_is_a_wave_that_never_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forget(*noted: object) -> None:
        note(*noted)
        noted[1].failures = 0  # type: ignore[attr-defined]

    note: Callable[..., None] = step_module._note
    monkeypatch.setattr(step_module, "_note", forget)

    found = broken(ENDS_IN_EVERY_WAY, to_the_end=True)

    assert {"always limits", "eventually progress"} <= set(found)


def test_merges_that_wait_for_the_end_of_a_pause_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wait(state: WaveState, at: int, effects: list[Effect]) -> None:
        if state.cap.level == 0:
            del state.lanes.turns_due[at]
        else:
            give(state, at, effects)

    give = step_module._give_turn
    monkeypatch.setattr(step_module, "_give_turn", wait)

    assert "eventually drain" in broken(THREE_REPOS, to_the_end=True)


def test_a_world_that_lacks_an_example_says_which() -> None:
    results = {one.property: one for one in search([PIPELINED])}

    rows = results["sometimes every row of the table fires"]
    situations = results["sometimes every situation occurs"]
    assert not rows.passed
    assert "postpone: running to queued" in rows.detail
    assert "two merges queue" not in situations.detail
    assert "three repos at once" in situations.detail


def test_a_count_that_changed_is_reported_with_the_old_and_the_new() -> None:
    pinned = {PIPELINED.name: Counts(395, 1511, 6, 394)}

    *_, count = search([PIPELINED], pinned)

    assert not count.passed
    assert count.detail.startswith(
        "pinned: 395 states, 1511 transitions, 6 ends, 394 views; "
        "found: 394 states, 1511 transitions, 6 ends, 394 views."
    )


def test_a_search_that_grows_beyond_measure_gives_up() -> None:
    *_, count = search([PIPELINED], {PIPELINED.name: Counts(100, 300, 1)})

    assert not count.passed
    assert "there are more than 300 states" in count.detail


def test_states_with_equal_keys_have_equal_digests_and_others_do_not() -> None:
    by_key: dict[object, set[bytes]] = {}
    world = BY_NAME["before the start"]

    def remember(state: WaveState, monitor: RuleMonitor) -> None:
        by_key.setdefault((state.key(), monitor.key()), set()).add(digest(state, monitor))

    graph = explore(world, Examples())
    for number in range(0, len(graph), 7):
        state, monitor = initial(world)
        for event in graph.events(graph.path(number)):
            monitor.take(event, step(state, event))
        remember(state, monitor)

    assert all(len(digests) == 1 for digests in by_key.values())
    assert len(set.union(*by_key.values())) == len(by_key) == len(range(0, len(graph), 7))


# Fair cycles, on graphs made by hand: a session that is open in some of two states, and a cap that
# moves up and down between them.

UP, DOWN, ENDS = 0, 1, 2


def two_states(*, at_work: tuple[int, int], ends: bool = False, above: str = "01") -> Graph:
    """State 0 and 1, between which the cap moves; `ends`: in 1, the session may end and stay."""
    actions = (
        action(CapMoved("step_up"), True),
        action(CapMoved("step_down"), True),
        action(SessionEnded("api#1", 1, Implemented()), True, issue=0),
    )
    graph = Graph(THREE_REPOS, actions)
    graph.parents, graph.by = array("i", [0, 0]), array("i", [-1, UP])
    graph.taken = array("i", [UP, DOWN, *([ENDS] if ends else [])])
    graph.targets = array("i", [1, 0, *([1] if ends else [])])
    graph.first_edge = array("i", [0, 1, len(graph.taken)])
    graph.due = [frozenset({("session", "api#1")}) if one else frozenset() for one in at_work]
    graph.ended = bytearray(2)
    graph.above_zero = bytearray(int(one) for one in above)
    graph.reserved = bytearray(1 - int(one) for one in above)
    graph.busy = bytearray(2)
    return graph


def test_a_cycle_in_which_a_session_is_open_all_the_while_is_not_fair() -> None:
    assert never_ends(two_states(at_work=(1, 1))) is None


def test_a_cycle_in_which_the_open_session_ends_again_and_again_is_fair() -> None:
    found = never_ends(two_states(at_work=(1, 1), ends=True))

    assert found is not None
    assert found.cycle is not None
    assert any(isinstance(one, SessionEnded) for one in found.cycle)


def test_a_cycle_in_which_no_session_is_open_now_and_then_is_fair() -> None:
    found = never_ends(two_states(at_work=(1, 0)))

    assert found is not None
    assert found.cycle is not None
    assert len(found.cycle) in (0, 2)


def test_a_cycle_in_which_the_cap_stays_at_0_is_not_held_against_progress() -> None:
    assert never_ends(two_states(at_work=(0, 0), above="00")) is None


def test_a_cycle_at_cap_0_in_which_somebody_waits_to_merge_is_held_against_drain() -> None:
    graph = two_states(at_work=(0, 0), above="00")
    assert never_drains(graph) is None

    graph.busy = bytearray((1, 1))

    assert never_drains(graph) is not None


def test_the_start_of_the_wave_is_due_in_the_end() -> None:
    assert actions_of(THREE_REPOS)[0].event == WaveStarted()
    assert actions_of(THREE_REPOS)[0].settles == ("start",)


def test_after_a_cut_off_what_is_left_of_each_session_is_due_and_then_the_next_start() -> None:
    state, monitor = initial(CUT_OFF)
    first: tuple[Event, ...] = (WaveStarted(), RunCutOff(), AttemptResumed("web#1"))
    for event in first:
        monitor.take(event, step(state, event))

    sessions = due(monitor)
    monitor.take(MergeFound("api#1"), step(state, MergeFound("api#1")))

    assert sessions == {("session", "api#1")}
    assert due(monitor) == {("start",)}
    assert not is_rare(MergeFound("api#1"))
    assert is_rare(RunCutOff())


def test_a_next_run_that_is_never_started_is_a_wave_that_never_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(
        explore.__globals__,
        "due",
        lambda monitor: frozenset[Due]() if monitor.cut_off else due(monitor),
    )

    assert "eventually progress" in broken(CUT_OFF_PIPELINED, to_the_end=True)


def test_others_who_keep_their_place_when_the_run_is_cut_off_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Lanes, "drop_tickets", lambda lanes: None)

    assert "always merge" in broken(CUT_OFF_PIPELINED)


def test_a_start_between_runs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def and_on(state: WaveState, event: CapMoved, effects: list[Effect]) -> None:
        moved(state, event, effects)
        if state.ended:
            step_module.dispatch(state, effects)

    moved = step_module._HANDLERS[CapMoved]
    monkeypatch.setitem(step_module._HANDLERS, CapMoved, and_on)

    assert "always end" in broken(CUT_OFF)


# The script that shows a violation


def run_python(*args: str, model: Path) -> subprocess.CompletedProcess[str]:
    """Python at the root of the checkout, on the model in `model`."""
    return subprocess.run(
        [sys.executable, *args],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(model)},
        capture_output=True,
        text=True,
        check=False,
    )


def script_of(printed: str, title: str) -> str:
    """The script that `python -m specs.search` printed for a property."""
    return printed.partition(f"\n# {title}\n")[2].partition("\n\n# ")[0]


def changed_model(folder: Path, name: str, old: str, new: str) -> Path:
    """A copy of the model with one change."""
    shutil.copytree(ROOT / "model", folder, ignore=shutil.ignore_patterns("__pycache__"))
    source = folder / "wavelane_model" / name
    text = source.read_text()
    assert text.count(old) == 1
    source.write_text(text.replace(old, new))
    return folder


@pytest.mark.parametrize(
    ("name", "old", "new", "title"),
    [
        (
            "guards.py",
            "return state.in_flight < state.cap.level",
            "return state.in_flight <= state.cap.level",
            "always cap",
        ),
        (
            "step.py",
            "    if state.started and not state.ended:\n        dispatch(state, effects)",
            "    if state.started and not state.ended and not isinstance(event, CapMoved):\n"
            "        dispatch(state, effects)",
            "eventually progress",
        ),
    ],
)
def test_a_violation_is_printed_as_a_script_that_shows_it(
    tmp_path: Path, name: str, old: str, new: str, title: str
) -> None:
    model = changed_model(tmp_path / "model", name, old, new)
    searched = run_python("-m", "specs.search", "three repos", model=model)
    script = tmp_path / "shown.py"
    script.write_text(script_of(searched.stdout, title))

    on_the_changed = run_python(str(script), model=model)
    on_the_model = run_python(str(script), model=ROOT / "model")

    assert searched.returncode == 1, searched.stderr
    assert on_the_changed.returncode == 1, on_the_changed.stderr
    assert "BROKEN" in on_the_changed.stdout
    assert on_the_model.returncode == 0, on_the_model.stderr
    assert on_the_model.stdout.endswith("is not broken\n")
