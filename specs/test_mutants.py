"""Each mutant fits the code, stands in the table, and is noticed by who has to notice it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from specs.mutants import MUTANTS
from specs.mutants.__main__ import ALL, main
from specs.mutants.mutant import Kill, Mutant
from specs.mutants.of_table import OF_TABLE, written
from specs.mutants.report import BEGIN, END, README, names, names_of
from specs.mutants.report import written as with_table
from specs.mutants.trial import NotTheCopy, require_copy
from specs.mutants.trials import ROOT, Trial
from wavelane_model.cap import CAP_TABLE
from wavelane_model.lifecycle import TABLE

NOTHING = Mutant(
    "nothing",
    "executor",
    "executor/wavelane/scheduler/cap_control.py",
    "            self._tell(CapMoved(move, level))",
    "            self._tell(CapMoved(move, level=level))",
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


def test_the_readme_names_exactly_the_mutants() -> None:
    assert names(README.read_text(encoding="utf-8")) == names_of(ALL)


def test_a_table_that_is_written_names_its_mutants() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    trials = [Trial(one, {"search": Kill("cap", "a world", 4)}) for one in ALL]

    table = with_table(text, trials)

    assert names(table) == names_of(ALL)
    assert table.startswith("before\n")
    assert table.endswith("\nafter\n")


def test_a_readme_without_a_place_for_the_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="put them back"):
        with_table("nothing", [])


def told(capsys: pytest.CaptureFixture[str], *mutants: Mutant) -> tuple[int, list[Any]]:
    """The status of the command on these mutants, and what it says of each."""
    status = main(["--json", "--jobs", "2", "--schedules", "20"], mutants)
    return status, json.loads(capsys.readouterr().out)


def test_one_more_than_the_cap_is_noticed_by_the_proof_and_the_search(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, [trial] = told(capsys, OVER_THE_CAP)

    assert status == 0
    assert trial["kills"]["search"]["property"] == "cap"
    assert trial["kills"]["search"]["steps"] == 4
    assert trial["kills"]["proof"]["property"] == "same guards"


def test_a_wake_up_that_is_lost_is_noticed_as_a_wave_that_never_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, [trial] = told(capsys, replace(BY_NAME["a free lane is not proposed"], name="lost"))

    assert status == 0
    assert trial["kills"]["search"]["property"] == "progress"


def test_a_change_that_changes_nothing_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    status, [trial] = told(capsys, NOTHING)

    assert status == 1
    assert trial["objection"] == "is not noticed by simulation and traces"


def test_a_mutant_that_is_called_harmless_and_is_noticed_is_a_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lie = replace(BY_NAME["the lever pulls nothing"], harmless="nobody pulls it")

    status, [trial] = told(capsys, lie)

    assert status == 1
    assert trial["objection"] == "is not to be noticed by simulation, and is"


def test_a_name_that_no_mutant_has_is_bad_input() -> None:
    assert main(["--only", "nobody"], [NOTHING]) == 2


def test_a_trial_of_the_code_itself_instead_of_a_copy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotTheCopy, match="is imported from"):
        require_copy(tmp_path)
