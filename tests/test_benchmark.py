"""The benchmark: the shape of its table and its limits. Times are for `.ci/run` to check."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks import recovery
from benchmarks.contestants import CONTESTANTS, Name
from benchmarks.measurement import Measurement, Quantity, measured
from benchmarks.scale import DEAREST, STEEPEST, Row, excesses, main, rows_of
from benchmarks.workload import REPOS, issues

from wavelane import Report, Wave
from wavelane.testing import assert_lawful


def counted(quantity: Quantity, contestant: Name, size: int) -> Measurement:
    """As if every issue took 10 µs and 1 KiB, and wavelane four times as much."""
    factor = 1 if contestant == "bare asyncio" else 4
    journal = (300 * size, 3 * size) if contestant == "wavelane, journal" else (0, 0)
    return Measurement(size * factor * (1e-5 if quantity == "time" else 1024), *journal)


def row(rows: list[Row], contestant: Name, size: int) -> Row:
    return next(one for one in rows if (one.contestant, one.size) == (contestant, size))


def test_the_workload_is_a_chain_in_each_repo_with_a_fifth_across_and_the_same_each_time() -> None:
    wave = Wave(issues(5000))

    across = [
        issue
        for issue in wave.issues
        if any(wave[needed].repo != issue.repo for needed in issue.depends_on)
    ]
    assert len(wave.repos) == REPOS
    assert all(f"i{at - REPOS}" in wave.issues[at].depends_on for at in range(REPOS, 5000))
    assert 0.18 < len(across) / 5000 < 0.22
    assert issues(5000) == list(wave.issues)


def test_a_tiny_run_measures_every_contestant_at_every_size() -> None:
    rows = rows_of([20, 60], 1, measured)

    assert [(one.size, one.contestant) for one in rows] == [
        (size, name) for size in (20, 60) for name in CONTESTANTS
    ]
    for one in rows:
        assert 0 < one.fastest <= one.seconds <= one.slowest
        assert one.bytes_per_issue > 0
        assert (one.bytes_per_event is not None) == (one.contestant == "wavelane, journal")


def test_rates_and_ratios_are_those_of_the_medians() -> None:
    rows = rows_of([100, 1000], 3, counted)

    found = row(rows, "wavelane, journal", 1000)
    assert found.micros_per_issue == pytest.approx(40)
    assert found.ratio_to_bare == pytest.approx(4)
    assert found.ratio_to_smallest == pytest.approx(1)
    assert found.bytes_per_issue == pytest.approx(4096)
    assert found.bytes_per_event == pytest.approx(100)


def test_the_table_has_a_line_for_each_contestant_and_size(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["--sizes", "1000,100", "--repeat", "1"], counted)

    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert code == 0
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len(cells) == 2 + 6
    assert [line[:2] for line in cells[2:]] == [
        [size, name] for size in ("100", "1,000") for name in CONTESTANTS
    ]
    assert all(len(line) == 8 for line in cells)
    assert cells[-1][2:] == ["0.040 (0.040–0.040)", "40", "4.0", "1.00", "4.00", "100"]


def test_json_has_the_rows_and_what_they_depend_on(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--sizes", "100", "--repeat", "1", "--json"], counted)

    found = json.loads(capsys.readouterr().out)
    assert set(found["machine"]) == {"cores", "python", "system"}
    assert [one["contestant"] for one in found["rows"]] == list(CONTESTANTS)


def test_a_cost_that_grows_with_the_wave_passes_a_limit() -> None:
    rows = rows_of([200, 2000], 1, counted)
    assert list(excesses(rows)) == []

    steep = [replace(one, micros_per_issue=one.micros_per_issue * one.size) for one in rows]

    assert next(excesses(steep)) == (
        "bare asyncio: an issue costs 10.0 times as much in a wave of 2000 as in one of 200; "
        f"at most {STEEPEST:g} is allowed"
    )


def test_a_run_much_dearer_than_bare_asyncio_passes_a_limit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def dear(quantity: Quantity, contestant: Name, size: int) -> Measurement:
        found = counted(quantity, contestant, size)
        return replace(found, amount=found.amount * (4 if contestant == "wavelane" else 1))

    code = main(["--sizes", "200", "--repeat", "1", "--check"], dear)

    assert code == 1
    assert capsys.readouterr().err == (
        "error: wavelane takes 16.0 times as long as bare asyncio for 200 issues; "
        f"at most {DEAREST:g} is allowed\n"
    )


@pytest.mark.parametrize("sizes", ["0", "ten", "", "100,-1"])
def test_sizes_that_make_no_sense_are_refused(
    sizes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--sizes", sizes], counted)
    assert "--sizes" in capsys.readouterr().err


# Going on after a kill


def test_the_journal_to_go_on_with_is_lawful_and_half_done(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    events = recovery.cut_off(path, 120)

    report = Report.from_journal(path)
    assert (report.outcome, report.count("done")) == ("unfinished", 60)
    assert assert_lawful(path).events == events


def test_going_on_is_measured_to_the_first_session(capsys: pytest.CaptureFixture[str]) -> None:
    assert recovery.main(["--sizes", "100", "--repeat", "1", "--json"]) == 0

    row = json.loads(capsys.readouterr().out)["rows"][0]
    assert 0 < row["reading"] < row["seconds"]
    assert row["peak"] > 0


def test_a_cost_that_grows_faster_than_the_journal_is_an_excess() -> None:
    small = recovery.Row(1000, 1500, 0.1, 0.1, 0.1, 0.05, 1, 1)
    steep = replace(small, issues=10_000, events=15_000, seconds=4.0, reading=0.5)

    assert [*recovery.excesses([small, replace(steep, seconds=1.0)])] == []
    assert len([*recovery.excesses([small, steep])]) == 1
    assert len([*recovery.excesses([replace(small, reading=0.001)])]) == 1
