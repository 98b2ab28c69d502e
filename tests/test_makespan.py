"""The benchmark of makespans: what it measures, and that its check can fail."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.makespan.__main__ import BEGIN, END, LIMITS, Row, excesses, table_of, written
from benchmarks.makespan.anomalies import anomalies
from benchmarks.makespan.best import instances
from benchmarks.makespan.contenders import CONTENDERS
from benchmarks.makespan.generated import wave_of
from benchmarks.makespan.instances import Best, Instance
from benchmarks.makespan.simulate import simulated
from tests.helpers import LATER_AT_CAP_3, scheduler_of

from wavelane import Wave
from wavelane.pipeline import Assignment
from wavelane.steps import Step
from wavelane.testing import ScriptedPipeline, run_virtual

ROW = Row("hard", "R", 5, "planner", 1.0, 4.0)


@pytest.mark.parametrize("wave", [wave_of("agent", 3), wave_of("hard", 3)], ids=repr)
def test_the_simulation_ends_when_the_scheduler_does(wave: Wave) -> None:

    def seconds(step: Step, issue: Assignment) -> float:
        return issue.estimate or 0.0 if step == "implement" else 0.0

    scheduler = scheduler_of(wave, ScriptedPipeline(seconds=seconds), cap=2, plan=False)
    report = run_virtual(scheduler.run)

    expected = simulated(wave, [issue.estimate or 0.0 for issue in wave.issues], 2)
    assert report.ended_at - report.started_at == pytest.approx(expected)


@pytest.mark.parametrize("name", CONTENDERS)
def test_no_order_ends_before_the_bound(name: str) -> None:
    [instance] = [one for one in instances("hard") if one.name == "hard 0"]
    contender = next(found for at, found in CONTENDERS.items() if at == name)

    for cap, best in instance.best.items():
        assert contender(instance, cap) >= best.bound - 1e-6


def test_the_same_seed_is_the_same_wave() -> None:
    assert wave_of("hard", 7).issues == wave_of("hard", 7).issues
    assert wave_of("hard", 7).issues != wave_of("hard", 8).issues


def test_a_mean_gap_above_its_limit_is_told() -> None:
    limit = LIMITS["hard", "R"][2]

    assert list(excesses([replace(ROW, mean=limit)])) == []
    assert list(excesses([replace(ROW, mean=limit + 1)])) == [
        f"planner: hard waves at cap R end {limit + 1:.2f} % after the best known on average; "
        f"at most {limit:g} % is allowed"
    ]


def test_what_was_not_run_has_no_figure_in_the_table() -> None:
    assert table_of([ROW]).row_count == 1


def test_the_table_is_put_between_its_marks_and_nothing_else_changes() -> None:
    text = written(f"before\n\n{BEGIN}\nold\n{END}\nafter\n", "new")

    assert text == f"before\n\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert written("before\n", "new").startswith("before\n\n")


def test_a_higher_cap_that_ends_a_wave_later_is_counted() -> None:
    higher_cap, *_ = anomalies([Instance("any", LATER_AT_CAP_3, {3: Best(11, 11)})])

    assert str(higher_cap).endswith("1 of 1 waves (100 %)")
