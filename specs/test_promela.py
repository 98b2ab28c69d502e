"""Layer 3: the Promela model keeps the rules, is the same as the step, and its check can fail."""

from __future__ import annotations

from math import factorial
from pathlib import Path
from typing import get_args

import pytest

from specs.promela import check, run
from specs.promela.check import ALWAYS, EVENTUALLY, SOMETIMES
from specs.promela.graphs import by_spin, by_step, differences
from specs.promela.models import MODELS, PIPE, PLANNED, REWORK, RULES, STRICT, Model, sources
from specs.promela.mutants import MUTANTS, How, Mutant, judge
from specs.promela.spin import SpinError
from specs.search.examples import Examples
from specs.search.explore import explore
from wavelane_model import step as step_module
from wavelane_model.lifecycle import TABLE, Guard

STATES = {
    "three_repos.pml": 756,
    "pipelined.pml": 394,
    "rework.pml": 2321,
    "wide_rework.pml": 6212,
    "cut_off.pml": 2090,
    "planned.pml": 4041,
    "planned_cut_off.pml": 3414,
    "urgent.pml": 1961,
}

pytestmark = [pytest.mark.needs("spin", "gcc"), pytest.mark.slow]


@pytest.mark.layer
def test_every_property_holds_and_is_looked_at_in_as_many_states_as_are_pinned() -> None:
    results = {result.property: result for result in run()}

    assert [f"{one.property}: {one.detail}" for one in results.values() if not one.passed] == []
    of_step = {
        model.file: f"same as the step: {model.world.name}" for model in MODELS if not model.nightly
    }
    assert list(results) == [
        *(f"always {name}" for name in ALWAYS),
        *(f"eventually {name}" for name in EVENTUALLY),
        *(f"sometimes {name}" for name in SOMETIMES),
        *of_step.values(),
    ]
    assert all(result.amount > 0 for result in results.values())
    assert {file: results[name].amount for file, name in of_step.items()} == STATES


@pytest.mark.parametrize("model", [STRICT, PIPE], ids=lambda model: model.file)
def test_layer_2_finds_as_many_states(model: Model) -> None:
    real = by_step(model.world)

    graph = explore(model.world, Examples())

    assert len(graph.views) == real.states == STATES[model.file]
    assert len(graph) == real.keys.total()


@pytest.mark.parametrize("model", [STRICT, PIPE], ids=lambda model: model.file)
def test_the_step_has_more_states_only_by_the_order_of_held_sessions(model: Model) -> None:
    real = by_step(model.world)

    assert real.keys == {line: factorial(line.count(" review 0 ")) for line in real.edges}


@pytest.mark.parametrize("how", get_args(How))
def test_spin_notices_a_mutant_in_each_way(how: How) -> None:
    """All of them are in the mutants' table, which has to be tried again where wave.pml changes."""
    mutant = next(one for one in MUTANTS if one.how == how)

    verdict = judge(mutant)

    assert verdict.killed
    assert verdict.evidence


def test_every_rule_has_a_mutant_that_breaks_it() -> None:
    assert {*ALWAYS, *EVENTUALLY} <= {mutant.property for mutant in MUTANTS}


def test_a_mutant_whose_text_is_gone_is_refused() -> None:
    mutant = Mutant("old", STRICT, "assertion", "lane", (("no such text", ""),))

    with pytest.raises(ValueError, match=r"'no such text' stands 0 times in wave\.pml"):
        judge(mutant)


@pytest.mark.parametrize("guard", ["below_cap", "sessions_allowed"])
def test_a_step_without_a_guard_differs_from_the_model(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tuple(
        row._replace(guards=tuple(one for one in row.guards if one != guard)) for row in TABLE
    )
    monkeypatch.setattr(step_module, "_ROWS", step_module.compiled(table))
    with PIPE.compiled("safety") as verifier:
        model = by_spin(verifier.safety())

    found = differences(by_step(PIPE.world), model)

    assert any(one.startswith("only the step ") for one in found)


def test_a_step_that_does_not_order_the_end_of_a_reservation_differs_from_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(step_module, "_ends_of_reservations", lambda state: [])
    with PLANNED.compiled("safety") as verifier:
        model = by_spin(verifier.safety())

    found = differences(by_step(PLANNED.world), model)

    assert any(one.startswith("only the model goes") for one in found)


def test_an_example_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    hopeful = Model(PIPE.file, PIPE.world, PIPE.examples | {"blocked_end"})
    monkeypatch.setattr(check, "MODELS", (hopeful,))

    failed = [result for result in run() if not result.passed]

    assert [(one.property, one.detail) for one in failed] == [
        ("sometimes blocked_end", "there is none in pipelined.pml")
    ]


def test_a_broken_rule_is_reported_with_the_way_there(monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = next(one for one in MUTANTS if one.name == "two merges at once")
    files = sources() | {RULES: mutant.applied(sources()[RULES])}
    monkeypatch.setattr("specs.promela.models.sources", lambda: files)
    monkeypatch.setattr(check, "MODELS", (PIPE,))

    found = {result.property: result for result in run()}

    assert not found["always merge"].passed
    assert found["always lane"].passed
    assert not found[f"same as the step: {PIPE.world.name}"].passed
    first, second, *_, approval, broken = found["always merge"].detail.splitlines()[1:]
    assert first.startswith("0 under_way cap 3 3 3 issue queued")
    assert second == "  the wave starts"
    assert approval.endswith("is approved")
    assert broken == "broken: merge"


@pytest.mark.parametrize("tool", ["spin", "gcc"])
def test_a_missing_tool_is_an_error_that_says_what_to_do(
    tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / {"spin": "gcc", "gcc": "spin"}[tool]
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SpinError, match=rf"^{tool} is missing.*install.*apt-get install {tool}"):
        run()


def test_a_model_that_spin_does_not_take_is_an_error() -> None:
    files = sources() | {RULES: "a word"}

    with pytest.raises(SpinError, match="syntax error"), PIPE.compiled("safety", files):
        pass


def test_a_search_that_is_cut_off_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specs.promela.spin.DEPTH", 5)

    with (
        REWORK.compiled("safety") as verifier,
        pytest.raises(SpinError, match="the search was cut off"),
    ):
        verifier.safety()
