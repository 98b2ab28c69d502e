"""The proof holds for the tables as they are, and finds what is wrong with changed ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast
from unittest.mock import patch

import pytest

from specs.proof import agreement, examples, induction, run
from specs.proof.agreement import Second, Walk, agreed
from specs.proof.guards import MEANING
from specs.proof.logic import z3
from specs.proof.moves import EVENTS
from specs.proof.rules import RULES
from specs.proof.verdict import Verdict
from specs.search.worlds import THREE_REPOS
from wavelane_model import step as step_module
from wavelane_model.cap import CAP_TABLE, CapMove, CapRow, CapTarget
from wavelane_model.effects import RunOutcome
from wavelane_model.guards import PREDICATES
from wavelane_model.lanes import Lanes
from wavelane_model.lifecycle import STATES, TABLE, Guard, Row, State, Trigger
from wavelane_model.state import WaveState

pytestmark = pytest.mark.slow


def the_row(trigger: Trigger, source: State, target: State) -> Row:
    """The row of the table."""
    return next(row for row in TABLE if row[:3] == (trigger, source, target))


def without(row: Row, guard: Guard) -> Row:
    """The row without one of its guards or exceptions."""
    changed = row._replace(
        guards=tuple(one for one in row.guards if one != guard),
        unless=tuple(one for one in row.unless if one != guard),
    )
    assert changed != row
    return changed


def proved(rows: tuple[Row, ...], cap_rows: tuple[CapRow, ...] = ()) -> Iterator[Verdict]:
    """The verdicts on tables of these rows alone, with a short time limit for each obligation."""
    with patch.object(induction, "TIMEOUT", 2_000):
        yield from induction.proved(rows, cap_rows)


def broken_by(row: Row, rule: str) -> Verdict | None:
    """The first obligation of the rule that a table of this row alone does not meet."""
    return next((one for one in proved((row,)) if one.property == rule and not one.holds), None)


def agreement_breaks() -> dict[str, str]:
    """The detail of each property of the agreement that does not hold, by its name."""
    return {one.property: one.detail for one in agreed() if not one.passed}


@pytest.mark.layer
def test_all_rules_are_proved_of_the_tables() -> None:
    moves = len(TABLE) + len(CAP_TABLE) + len(EVENTS)

    results = {one.property: one for one in run()}

    assert [one for one in results.values() if not one.passed] == []
    for rule in RULES:
        assert results[f"always {rule}"].amount == 2 * (moves + 1), rule
    assert results["sometimes each move"].amount == moves
    assert results["sometimes each state"].amount == len(STATES)
    for name in agreement.PROPERTIES:
        assert results[name].amount > 100_000


@pytest.mark.parametrize(
    ("trigger", "source", "target", "guard", "rule", "sentence"),
    [
        ("admit", "queued", "admitted", "below_cap", "cap", "counted in flight 2"),
        ("admit", "queued", "admitted", "below_cap", "bound", "never more in flight than"),
        ("admit", "queued", "admitted", "lane_free", "lane", "at most one active issue"),
        ("admit", "queued", "admitted", "dependencies_done", "order", "depends on "),
        ("admit", "queued", "admitted", "due", "due", "postponed, holds the lane"),
        ("admit", "queued", "admitted", "sessions_allowed", "pause", "at level 0 or after a stop"),
        ("take_lane", "admitted", "admitted", "lane_free", "lane", "waits for the lane"),
        ("begin", "admitted", "running", "sessions_allowed", "pause", "at level 0 or after a stop"),
        ("begin", "admitted", "running", "has_lane", "lane", "waits for the lane"),
        (
            "begin",
            "admitted",
            "review",
            "is_implemented",
            "stages",
            "what is reviewed was implemented",
        ),
        ("begin_review", "review", "review", "session_open", "once", "one session at a time"),
        (
            "begin_merge",
            "merging",
            "merging",
            "has_merge_turn",
            "merge",
            "one merge under way at most",
        ),
        ("merged", "merging", "done", "session_open", "stages", "what is done was merged"),
        ("withhold", "running", "queued", "start_revoked", "glide", "only when it is revoked"),
        ("withhold", "running", "admitted", "untouched", "cap", "admitted, untouched"),
        ("checkpoint", "running", "admitted", "checkpoints_left", "limits", "checkpoints "),
        ("fail", "review", "review", "failures_left", "limits", "failures "),
    ],
)
def test_a_dropped_guard_breaks_its_rule_and_is_described_in_words(
    trigger: Trigger, source: State, target: State, guard: Guard, rule: str, sentence: str
) -> None:
    row = without(the_row(trigger, source, target), guard)

    broken = broken_by(row, f"always {rule}")

    assert broken is not None
    assert sentence in broken.why


@pytest.mark.parametrize(
    ("trigger", "source", "target", "wrong", "rule"),
    [
        ("fail", "running", "admitted", "done", "stages"),
        ("approve", "review", "merging", "done", "stages"),
        ("implemented", "running", "review", "merging", "stages"),
        ("postpone", "running", "queued", "admitted", "due"),
        ("fail", "review", "parked", "review", "limits"),
        ("reset", "review", "queued", "done", "stages"),
        ("resume", "running", "admitted", "running", "once"),
        ("resume", "admitted", "admitted", "review", "stages"),
        ("find_merged", "merging", "done", "merging", "stages"),
    ],
)
def test_a_wrong_target_breaks_a_rule(
    trigger: Trigger, source: State, target: State, wrong: State, rule: str
) -> None:
    row = the_row(trigger, source, target)._replace(target=wrong)

    assert broken_by(row, f"always {rule}") is not None


@pytest.mark.parametrize(
    ("move", "wrong"),
    [("step_down", "paused"), ("step_up", "level_before_pause"), ("resume", "one_higher")],
)
def test_a_cap_that_moves_elsewhere_breaks_the_cap_control_rule(
    move: CapMove, wrong: CapTarget
) -> None:
    row = next(one for one in CAP_TABLE if one.move == move)._replace(target=wrong)

    verdicts = proved((), (row,))

    assert any(one.property == "always cap control" and not one.holds for one in verdicts)


def test_a_run_that_was_cut_off_may_have_sessions_open_and_one_that_ended_by_itself_not() -> None:
    second = Second("done")
    left = {"started": True, "ended": True, "open": dict.fromkeys(range(4), True)}
    moment = Walk(THREE_REPOS, second, agreement.Count()).reading | left

    assert not second.rules["end"](moment)
    assert second.rules["end"](moment | {"cut_off": True})


def test_a_stop_that_outlives_its_run_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def end_run(state: WaveState, outcome: RunOutcome) -> None:
        state.outcome = outcome

    monkeypatch.setattr(step_module, "_end_run", end_run)

    assert "stopping: the model says True" in agreement_breaks()["same moves"]


def test_two_rows_that_may_both_apply_are_found() -> None:
    rows = (
        the_row("fail", "running", "admitted"),
        without(the_row("fail", "running", "parked"), "failures_left"),
    )

    verdicts = proved(rows)

    assert any(one.property == "always one row" and not one.holds for one in verdicts)


def test_a_row_that_can_never_apply_is_found() -> None:
    admit = the_row("admit", "queued", "admitted")
    table = tuple(row._replace(unless=("due",)) if row == admit else row for row in TABLE)

    missing = {one.what for one in examples.found(table, CAP_TABLE) if not one.holds}

    assert {"admit queued → admitted", "below_cap", "running", "done"} <= missing


def test_the_promises_need_the_bookkeeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(cast("dict[str, Any]", RULES), "bookkeeping")

    assert broken_by(the_row("admit", "queued", "admitted"), "always lane") is not None


def test_a_guard_that_means_something_else_in_the_proof_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(
        MEANING, "below_cap", lambda setting, now, issue: now.in_flight <= now.level
    )

    assert (
        "below_cap of api#1: the model says False, the proof True"
        in (agreement_breaks()["same guards"])
    )


def test_a_guard_that_means_something_else_in_the_model_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(PREDICATES, "due", lambda state, record: True)

    assert "due of " in agreement_breaks()["same guards"]


def test_a_guard_that_is_stricter_in_the_proof_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MEANING, "has_lane", lambda setting, now, issue: z3.BoolVal(False))

    assert "does not allow: begin admitted → running" in agreement_breaks()["same moves"]


def test_a_step_that_does_more_than_its_moves_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def keeps_the_turn(lanes: Lanes, number: int, who: int | str) -> None:
        """The turn is not taken back."""

    monkeypatch.setattr(Lanes, "free_turn", keeps_the_turn)

    assert "turn: the model says " in agreement_breaks()["same moves"]


def test_a_moment_that_breaks_a_rule_is_seen_as_python() -> None:
    second = Second("done")
    moment = Walk(THREE_REPOS, second, agreement.Count()).reading
    changes: Mapping[str, dict[str, Any]] = {
        "size": {"in_flight": 1},
        "lane": {"state": dict.fromkeys(range(4), "running")},
        "order": {"state": {0: "queued", 1: "queued", 2: "running", 3: "queued"}},
        "bound": {"started": True, "highest": 1},
        "due": {
            "state": dict.fromkeys(range(4), "parked"),
            "postponed": dict.fromkeys(range(4), True),
        },
        "once": {"state": dict.fromkeys(range(4), "running")},
        "limits": {"rounds": dict.fromkeys(range(4), 2)},
        "cap control": {"level": 4},
        "end": {"started": True, "ended": True, "open": dict.fromkeys(range(4), True)},
        "between": {"starting": dict.fromkeys(range(4), True)},
    }

    for rule, change in changes.items():
        assert second.rules[rule](moment), rule
        assert not second.rules[rule](moment | change), rule
