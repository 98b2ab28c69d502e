"""Each mutant fits the code, is in the table, and is noticed by the layers that have to."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from specs.mutants import MUTANTS, table
from specs.mutants.__main__ import ALL, main
from specs.mutants.mutant import HAVE_TO_NOTICE, MAY_NOTICE, Kill, Mutant
from specs.mutants.of_table import OF_TABLE, written
from specs.mutants.report import names_of
from specs.mutants.selection import is_touched, sample, selected
from specs.mutants.trial import NotTheCopy, require_copy
from specs.mutants.trials import ROOT, AnyMutant, Trial, kind_of
from specs.promela import mutants as of_promela
from specs.promela.models import PIPE, RULES, sources
from wavelane_model.cap import CAP_TABLE
from wavelane_model.lifecycle import TABLE

NOTHING = Mutant(
    "nothing",
    "executor",
    "executor/wavelane/scheduler/cap_control.py",
    "            self._apply(CapMoved(move, level))",
    "            self._apply(CapMoved(move, level=level))",
)
BY_NAME = {one.name: one for one in MUTANTS}
OVER_THE_CAP = BY_NAME["one more than the cap"]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_a_mutant_fits_the_code_and_changes_it(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text(encoding="utf-8")

    assert mutant.applied(text) != text


def test_a_mutant_that_does_not_fit_says_so() -> None:
    with pytest.raises(ValueError, match=r'"nothing": its text stands 0 times .* bring it up'):
        NOTHING.applied("")


def test_names_are_unique_within_a_kind() -> None:
    named = names_of(ALL)

    assert [name for kind in named.values() for name, n in Counter(kind).items() if n > 1] == []


def test_there_are_mutants_enough_of_every_kind() -> None:
    counts = {kind: len(found) for kind, found in names_of(ALL).items()}

    assert counts["row"] + counts["step"] + counts["liveness"] >= 40
    assert counts["executor"] >= 15
    assert counts["promela"] >= 10


def test_every_row_has_mutants_for_its_guards_and_its_target() -> None:
    changed = Counter(one.old for one in OF_TABLE)

    for row in TABLE:
        assert changed[written(row)] == 2 * len(row.guards + row.unless) + 1
    for cap_row in CAP_TABLE:
        assert changed[written(cap_row)] >= len(cap_row.guards) + 1


def test_the_table_has_exactly_the_mutants_and_so_has_its_page() -> None:
    text = table.FILE.read_text(encoding="utf-8")

    recorded = table.recorded(text)

    assert set(recorded) == {table.key_of(one) for one in ALL}
    assert table.as_text(recorded, ALL) == text, "a mutant in the wrong place, or written by hand"
    assert table.as_page(recorded, ALL) == table.PAGE.read_text(encoding="utf-8")


def up_to_date(*but: AnyMutant) -> table.Recorded:
    """A table in which all mutants but these are recorded of the sources as they are."""
    trials = (
        Trial(one, {layer: Kill("cap", "a world", 4) for layer in HAVE_TO_NOTICE[kind_of(one)]})
        for one in ALL
        if one not in but
    )
    return table.with_trials({}, trials)


def test_a_table_that_is_written_is_read_as_it_was() -> None:
    recorded = up_to_date(OVER_THE_CAP)

    assert table.recorded(table.as_text(recorded, ALL)) == recorded


def test_a_change_runs_the_mutants_of_its_file_and_no_others_but_the_sample(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recorded = up_to_date()
    guards = "model/wavelane_model/guards.py"
    for one in {mutant.file for mutant in MUTANTS}:
        (tmp_path / one).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / one).write_bytes((ROOT / one).read_bytes())
    (tmp_path / guards).write_text("# changed\n")
    monkeypatch.setattr(table, "ROOT", tmp_path)

    chosen = selected(ALL, recorded)

    assert {one.name for one in ALL if is_touched(one, recorded)} == {
        one.name for one in MUTANTS if one.file == guards
    }
    others = [one for one in chosen if not is_touched(one, recorded)]
    assert set(others) <= set(sample(ALL, recorded))
    assert {one.name for one in MUTANTS if one.file == guards} <= {one.name for one in chosen}


def test_a_mutant_that_is_new_or_was_changed_itself_is_run() -> None:
    changed = replace(OVER_THE_CAP, new=f"{OVER_THE_CAP.new} + 1")

    assert is_touched(OVER_THE_CAP, up_to_date(OVER_THE_CAP))
    assert is_touched(changed, up_to_date())
    assert not is_touched(OVER_THE_CAP, up_to_date())


def test_where_nothing_was_changed_every_kind_is_tried_with_every_layer_that_has_to_notice() -> (
    None
):
    chosen = selected(ALL, up_to_date())

    assert len(chosen) <= sum(len(one) for one in (*HAVE_TO_NOTICE.values(), *MAY_NOTICE.values()))
    for kind, layers in HAVE_TO_NOTICE.items():
        of_kind = [one for one in chosen if kind_of(one) == kind]
        noticed_by = {
            layer
            for one in of_kind
            for layer in layers
            if not (isinstance(one, Mutant) and one.is_silent_for(layer))
        }
        assert noticed_by == {*layers}, kind


def test_what_there_is_no_time_for_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["--all", "--seconds", "-1"], [OVER_THE_CAP, NOTHING])

    assert status == 1, "nothing was tried"
    assert "for 2 more there was no time: they are left to the nightly form" in (
        capsys.readouterr().err
    )


def tried(capsys: pytest.CaptureFixture[str], *mutants: AnyMutant) -> tuple[int, list[Any]]:
    """The status of the command on these mutants, and what it says of each."""
    status = main(["--all", "--json", "--jobs", "2", "--schedules", "20"], mutants)
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_one_more_than_the_cap_is_noticed_by_the_proof_and_the_search(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, [trial] = tried(capsys, OVER_THE_CAP)

    assert status == 0
    assert trial["kills"]["search"]["property"] == "cap"
    assert trial["kills"]["search"]["steps"] == 4
    assert trial["kills"]["proof"]["property"] == "same guards"


@pytest.mark.slow
def test_a_wake_up_that_is_lost_is_noticed_as_a_wave_that_never_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, [trial] = tried(capsys, replace(BY_NAME["a free lane is not proposed"], name="lost"))

    assert status == 0
    assert trial["kills"]["search"]["property"] == "progress"


@pytest.mark.needs("spin", "gcc")
def test_a_change_that_no_layer_notices_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    rules = sources()[RULES]
    line = next(one for one in rules.splitlines() if one.startswith("inline "))
    idle = of_promela.Mutant("idle", PIPE, "graph", of_promela.SAME, ((line, f"\n{line}"),))

    status, [trial] = tried(capsys, idle)

    assert status == 1
    assert trial["error"] == "is not noticed by promela"


def test_of_an_executor_one_layer_at_least_has_to_notice() -> None:
    kill = Kill("cap", "seed 1", 2)

    assert Trial(NOTHING, {"simulation": None, "traces": kill}).error == ""
    assert Trial(NOTHING, {"simulation": kill, "traces": None}).error == ""
    assert Trial(NOTHING, {"simulation": None, "traces": None}).error == (
        "is not noticed by simulation and traces"
    )


@pytest.mark.nightly
def test_a_change_that_changes_nothing_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    status, [trial] = tried(capsys, NOTHING)

    assert status == 1
    assert trial["error"] == "is not noticed by simulation and traces"


@pytest.mark.slow
def test_a_mutant_that_is_called_harmless_and_is_noticed_is_a_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lie = replace(BY_NAME["the cap control moves nothing"], harmless="no caller moves it")

    status, [trial] = tried(capsys, lie)

    assert status == 1
    assert trial["error"] == "is not to be noticed by simulation, and is"


def test_a_name_that_no_mutant_has_is_bad_input() -> None:
    assert main(["--only", "no such name"], [NOTHING]) == 2


def test_a_trial_of_the_code_itself_instead_of_a_copy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotTheCopy, match="is imported from"):
        require_copy(tmp_path)
