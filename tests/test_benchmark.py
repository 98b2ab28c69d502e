"""The benchmark: the shape of its tables and its goals. Times are for `.ci/run` to check."""

from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from benchmarks import contestants, goals, plot, recovery, starts, steps, workload
from benchmarks import measurement as measuring
from benchmarks.contestants import CONTESTANTS, OWN, PEERS, Name
from benchmarks.measurement import Measurement, NotWithinLimit, Quantity, measured
from benchmarks.scale import Gauges, main
from benchmarks.waves import Absence, Row, measured_only, rows_of
from benchmarks.workload import CAP, REPOS, NoOpSessions, issues

from wavelane import Issue, Report, Wave
from wavelane.testing import assert_keeps_the_rules

QUICK = ["--sizes", "100,1000", "--repeat", "1", "--peers", "none"]


def counted(quantity: Quantity, contestant: Name, size: int, limit: int = 0) -> Measurement:
    """As if every issue took 10 µs and 512 bytes, wavelane four times as much, a peer 10 ms."""
    factor = 1 if contestant == "bare asyncio" else 4 if contestant in OWN else 1000
    journal = (300 * size, 3 * size) if contestant == "wavelane, journal" else (0, 0)
    return Measurement(size * factor * (1e-5 if quantity == "time" else 512), *journal)


COUNTED = Gauges(counted, lambda size: (5e-6, 2e-5), lambda start: 0.1)


def row(rows: list[Row | Absence], contestant: Name, size: int) -> Row:
    found = [one for one in rows if (one.contestant, one.size) == (contestant, size)]
    return measured_only(found)[0]


def installed(name: Name) -> Name:
    if CONTESTANTS[name].version is None:
        pytest.skip(f"{name} is not installed; it is in the dependency group `peers`")
    return name


class Watched(NoOpSessions):
    """Sessions that count what is under way, and record breaches of rules."""

    def __init__(self) -> None:
        super().__init__()
        self.active: Counter[str] = Counter()
        self.most = 0
        self.done: set[str] = set()
        self.early: list[str] = []
        self.needs = {issue.id: issue.depends_on for issue in issues(300)}
        self.shared_lanes: list[str] = []

    async def implement(self, issue: Issue) -> None:
        if not self.done.issuperset(self.needs[issue.id]):
            self.early.append(issue.id)
        self.active[issue.repo] += 1
        if self.active[issue.repo] > 1:
            self.shared_lanes.append(issue.id)
        self.most = max(self.most, self.active.total())
        await super().implement(issue)

    async def merge(self, issue: Issue) -> None:
        await super().merge(issue)
        self.active[issue.repo] -= 1
        self.done.add(issue.id)


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


# The contestants


@pytest.mark.parametrize("name", [*OWN, "aiojobs", "DBOS, SQLite"])
def test_lane_cap_and_order_are_kept_by_those_that_run_our_sessions(name: Name) -> None:
    with CONTESTANTS[installed(name)].opened() as run:
        sessions = Watched()
        run(issues(300), sessions)

    assert sessions.merged == 300
    assert (sessions.early, sessions.shared_lanes) == ([], [])
    assert 1 < sessions.most <= CAP


@pytest.mark.parametrize("name", ["Dask distributed", "luigi"])
def test_the_order_is_kept_by_those_that_have_threads_or_tasks_of_their_own(
    name: Name, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave, passed = issues(300), list[str]()

    def pass_through(issue_id: str) -> int:
        passed.append(issue_id)
        return 1

    with CONTESTANTS[installed(name)].opened() as run:
        monkeypatch.setattr(workload, "pass_through", pass_through)
        run(wave, sessions := NoOpSessions())

    place = {issue_id: at for at, issue_id in enumerate(passed)}
    assert sessions.merged == len(place) == len(passed) == 300
    assert all(place[needed] < place[one.id] for one in wave for needed in one.depends_on)


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_goes_through_two_waves_in_a_row(name: Name) -> None:
    with CONTESTANTS[installed(name)].opened() as run:
        for size in (20, 60):
            run(issues(size), sessions := NoOpSessions())
            assert sessions.merged == size


def test_a_tiny_run_measures_ours_at_every_size() -> None:
    rows = rows_of([20, 60], 1, OWN, 0, measured)

    assert [(one.size, one.contestant) for one in rows] == [
        (size, name) for size in (20, 60) for name in OWN
    ]
    for one in measured_only(rows):
        assert 0 < one.fastest <= one.seconds <= one.slowest
        assert one.bytes_per_issue is not None
        assert one.bytes_per_issue > 0
        assert (one.bytes_per_event is not None) == (one.contestant == "wavelane, journal")
    assert len(measured_only(rows)) == len(rows)


def test_a_run_past_its_limit_is_ended_with_all_that_it_started() -> None:
    with pytest.raises(NotWithinLimit):
        measuring.measured_apart("time", "wavelane, journal", 1_000_000, 1)


def test_a_wave_that_is_not_done_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(issues: object, sessions: object) -> None:
        pass

    idle = replace(CONTESTANTS["wavelane"], opened=contestants._own(nothing))
    monkeypatch.setitem(CONTESTANTS, "wavelane", idle)

    with pytest.raises(RuntimeError, match="wavelane: 0 of 100 issues were merged"):
        measured("time", "wavelane", 200)


# What the runs show


def test_rates_and_ratios_are_those_of_the_medians() -> None:
    amounts: Iterator[float] = iter([5, 1, 4, 1, 1, 1, 1, 1, 1] * 2)

    def uneven(quantity: Quantity, contestant: Name, size: int, limit: int) -> Measurement:
        factor = next(amounts) if quantity == "time" and contestant == "bare asyncio" else 1
        found = counted(quantity, contestant, size)
        return replace(found, amount=found.amount * factor)

    rows = rows_of([1000], 3, (*OWN, "luigi"), 9, uneven)

    bare = row(rows, "bare asyncio", 1000)
    assert (bare.fastest, bare.seconds, bare.slowest) == pytest.approx((0.01, 0.04, 0.05))
    found = row(rows, "wavelane, journal", 1000)
    assert found.micros_per_issue == pytest.approx(40)
    assert found.ratio_to_bare == pytest.approx(1)
    assert found.bytes_per_issue == pytest.approx(2048)
    assert found.bytes_per_event == pytest.approx(100)
    assert row(rows, "luigi", 1000).journalled_to_it == pytest.approx(0.004)


def test_a_peer_past_the_limit_is_told_so_and_spared_larger_sizes() -> None:
    asked = list[tuple[Name, int]]()

    def slow(quantity: Quantity, contestant: Name, size: int, limit: int) -> Measurement:
        asked.append((contestant, size))
        if counted(quantity, contestant, size).amount > limit > 0:
            raise NotWithinLimit
        return counted(quantity, contestant, size)

    rows = rows_of([100, 1000, 10_000], 2, ("bare asyncio", "luigi"), 5, slow)

    assert row(rows, "luigi", 100).seconds == pytest.approx(1)
    assert [one for one in rows if isinstance(one, Absence)] == [
        Absence(1000, "luigi", "not within 5 s"),
        Absence(10_000, "luigi", "not tried"),
    ]
    assert asked.count(("luigi", 1000)) == 1
    assert asked.count(("bare asyncio", 10_000)) == 3


def test_a_failure_of_a_peer_is_told_and_one_of_ours_is_an_error() -> None:
    def failing(quantity: Quantity, contestant: Name, size: int, limit: int) -> Measurement:
        raise subprocess.CalledProcessError(3, contestant)

    assert rows_of([100], 1, ["Ray"], 5, failing) == [Absence(100, "Ray", "failed, exit code 3")]
    with pytest.raises(subprocess.CalledProcessError):
        rows_of([100], 1, ["wavelane"], 5, failing)


def test_the_tables_have_a_line_for_each_contestant_and_size(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["--sizes", "1000,100", "--repeat", "1", "--peers", "none"], COUNTED)

    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert code == 0
    assert [line[:2] for line in cells[2:8]] == [
        [size, name] for size in ("100", "1,000") for name in OWN
    ]
    assert cells[7][2:] == [
        "0.040 (0.040–0.040)",
        "40",
        "4.00",
        "1.0",
        "1.0",
        "1.00",
        "2.00",
        "100",
    ]
    assert ["import wavelane", "100 (100–100)"] in [line[:2] for line in cells]
    assert ["1,000", "5.0 (5.0–5.0)", "20.0 (20.0–20.0)", "0.25"] in cells


def test_a_peer_that_is_not_installed_is_told_in_words_and_is_an_error_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = replace(CONTESTANTS["luigi"], package="a-package-that-does-not-exist")
    monkeypatch.setitem(CONTESTANTS, "luigi", absent)

    assert main([*QUICK[:4], "--peers", "all"], COUNTED) == 0
    rows = [
        line.split("|")[1:3] for line in capsys.readouterr().out.splitlines() if "luigi" in line
    ]
    assert [[cell.strip() for cell in line] for line in rows] == [["luigi", "not installed"]]

    with pytest.raises(SystemExit, match="2"):
        main([*QUICK[:4], "--peers", "luigi"], COUNTED)
    assert "luigi is not installed; run this with" in capsys.readouterr().err


def test_json_has_the_rows_and_what_they_depend_on(capsys: pytest.CaptureFixture[str]) -> None:
    main([*QUICK, "--json"], COUNTED)

    found = json.loads(capsys.readouterr().out)
    assert set(found["machine"]) == {"cores", "python", "system"}
    assert set(found["versions"]) == set(PEERS)
    assert [one["contestant"] for one in found["rows"]] == [*OWN, *OWN]


@pytest.mark.parametrize("sizes", ["0", "ten", "", "100,-1"])
def test_sizes_that_make_no_sense_are_refused(
    sizes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--sizes", sizes], COUNTED)
    assert "--sizes" in capsys.readouterr().err


# The goals


def checked(gauges: Gauges, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The errors of a check with these gauges."""
    code = main([*QUICK, "--check"], gauges)
    errors = capsys.readouterr().err.splitlines()
    assert code == (1 if errors else 0)
    return errors


def test_a_check_of_good_figures_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(COUNTED, capsys) == []


def test_a_goal_that_is_missed_is_told_and_fails_no_check_within_its_bound(
    capsys: pytest.CaptureFixture[str],
) -> None:
    slow = replace(COUNTED, start=lambda start: 0.4 if "import wavelane" in start else 0.1)

    assert main([*QUICK, "--check"], slow) == 0

    line = next(
        line for line in capsys.readouterr().out.splitlines() if "import wavelane to" in line
    )
    assert [cell.strip() for cell in line.strip("|").split("|")][1:] == [
        "at most 3",
        "4.00",
        "missed",
    ]


def times(contestant: Name, size: int, factor: float) -> Gauges:
    """The counted gauges, except that this contestant takes `factor` times the time and memory."""

    def gauge(quantity: Quantity, name: Name, of: int, limit: int) -> Measurement:
        found = counted(quantity, name, of)
        worse = factor if (name, of) == (contestant, size) else 1
        return Measurement(found.amount * worse, int(found.journal_bytes * worse), found.events)

    return replace(COUNTED, wave=gauge)


@pytest.mark.parametrize(
    ("gauges", "error"),
    [
        (times("wavelane", 1000, 2.9), None),
        (
            times("wavelane", 1000, 4),
            "wavelane: time to that of bare asyncio, 1,000 issues: 16; "
            "at most 15 is allowed, and at most 5 is the goal",
        ),
        (
            times("wavelane, journal", 1000, 3.5),
            "wavelane, journal: time an issue, 1,000 issues to 100: 3.5; "
            "at most 3 is allowed, and at most 1.3 is the goal",
        ),
        (
            times("wavelane, journal", 100, 16),
            "wavelane, journal: time to that of bare asyncio, 100 issues: 64; "
            "at most 30 is allowed, and at most 10 is the goal",
        ),
        (
            replace(COUNTED, step=lambda size: (5e-5, 2e-5)),
            "a step of the model to a trigger of transitions, 100 issues: 2.5; "
            "at most 2 is allowed, and at most 1 is the goal",
        ),
        (
            replace(COUNTED, start=lambda start: 0.7 if "wavelane --help" in start else 0.1),
            "wavelane --help to one typer command --help: 7; "
            "at most 4 is allowed, and at most 2 is the goal",
        ),
    ],
)
def test_what_is_past_its_bound_fails_the_check(
    gauges: Gauges, error: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (f"error: {error}" in checked(gauges, capsys)) == (error is not None)


def test_a_busy_moment_fails_no_check_and_is_looked_at_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    looks = Counter[str]()

    def start(name: str) -> float:
        looks[name] += 1
        return 0.7 if name == "import wavelane" and looks[name] <= 6 else 0.1

    assert checked(replace(COUNTED, start=start), capsys) == []
    assert looks["import wavelane"] == 2 * 6


def test_the_rate_of_the_fastest_durable_peer_is_the_one_that_counts() -> None:
    def gauge(quantity: Quantity, name: Name, size: int, limit: int) -> Measurement:
        found = counted(quantity, name, size)
        return replace(found, amount=found.amount / 100) if name == "luigi" else found

    names: tuple[Name, ...] = (*OWN, "aiojobs", "DBOS, SQLite", "luigi")
    verdicts = goals.verdicts_of(measured_only(rows_of([100], 1, names, 9, gauge)), [], [])

    found = next(one for one in verdicts if one.goal is goals.TO_DURABLE)
    assert found.what == "wavelane, journal: rate to that of luigi, 100 issues"
    assert found.found == pytest.approx(2.5)
    assert [*goals.excesses([found])] == [
        f"{found.what}: 2.5; at least 4 is allowed, and at least 20 is the goal"
    ]


def test_a_step_and_a_trigger_are_measured_over_whole_lives() -> None:
    assert steps.seconds_a_step(60) > 0
    assert steps.seconds_a_trigger(5) > 0
    assert len(steps.rows_of([20, 60], 1, lambda size: (1e-5 * size, 2e-5))) == 2


def test_each_start_takes_its_turn_at_least_five_times_after_one_that_is_not_counted() -> None:
    asked = list[str]()

    def start(name: str) -> float:
        asked.append(name)
        return 1.0 if len(asked) > 4 else 1000.0

    rows = starts.rows_of(1, start)

    assert asked == 6 * [one for pair in starts.OURS_AND_THEIRS.items() for one in pair]
    assert [one.ratio for one in rows] == [1, 1]


# The page and the plot


def test_writing_puts_tables_between_the_marks_and_the_plot_beside_them(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(
        "# Above\n<!-- benchmarks.scale: begin -->\nold\n<!-- benchmarks.scale: end -->\n# Below\n"
    )

    for _ in range(2):
        assert main([*QUICK, "--write"], COUNTED, tmp_path) == 0

    text = readme.read_text()
    assert text.startswith("# Above\n<!-- benchmarks.scale: begin -->\n\ncores ")
    assert text.endswith("\n\n<!-- benchmarks.scale: end -->\n# Below\n")
    assert "old" not in text
    assert text.count("|  1,000 | wavelane, journal |") == 1
    assert "(scale.svg)" in text
    assert (tmp_path / "scale.svg").exists()


def test_a_page_without_marks_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# Nothing here\n")

    def never(quantity: Quantity, contestant: Name, size: int, limit: int) -> Measurement:
        raise AssertionError("it was measured")

    assert main([*QUICK, "--write"], replace(COUNTED, wave=never), tmp_path) == 2

    assert capsys.readouterr().err == (
        f"error: {readme} has no <!-- benchmarks.scale: begin --> … "
        "<!-- benchmarks.scale: end -->; put both where the text belongs\n"
    )


def test_the_plot_has_a_label_for_each_contestant_and_none_covers_another() -> None:
    rows = measured_only(rows_of([100, 1000], 1, [*CONTESTANTS], 99, counted))

    picture = ET.fromstring(plot.svg_of(rows))

    texts = picture.findall("{*}text")
    places = sorted(float(one.get("y", 0)) for one in texts if one.text in CONTESTANTS)
    assert len(places) == len(CONTESTANTS)
    assert min(below - above for above, below in pairwise(places)) > 15
    assert {"10 µs", "100 µs", "100", "1,000"} <= {one.text for one in texts}


def test_a_plot_of_one_size_has_points_without_lines() -> None:
    picture = ET.fromstring(plot.svg_of(measured_only(rows_of([100], 1, OWN, 0, counted))))

    assert len(picture.findall("{*}circle")) == len(OWN)
    assert not [one for one in picture.findall("{*}line") if "line" in one.get("class", "")]


# Continuing after a kill


def test_the_journal_to_go_on_with_keeps_the_rules_and_is_half_done(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    events = recovery.cut_off(path, 120)

    report = Report.from_journal(path)
    assert (report.outcome, report.count("done")) == ("unfinished", 60)
    assert assert_keeps_the_rules(path).events == events


def test_going_on_is_measured_to_the_first_session(capsys: pytest.CaptureFixture[str]) -> None:
    assert recovery.main(["--sizes", "100", "--repeat", "1", "--json"]) == 0

    row = json.loads(capsys.readouterr().out)["rows"][0]
    assert row["reading"] > 0
    assert row["seconds"] > 0
    assert row["peak"] > 0


def test_a_cost_that_grows_faster_than_the_journal_is_an_excess() -> None:
    small = recovery.Row(1000, 1500, 0.1, 0.1, 0.1, 0.05, 1, 1)
    steep = replace(small, issues=10_000, events=15_000, seconds=4.0, reading=0.5)

    assert [*recovery.excesses([small, replace(steep, seconds=1.0)])] == []
    assert len([*recovery.excesses([small, steep])]) == 1
    assert len([*recovery.excesses([replace(small, reading=0.001)])]) == 1


def test_reading_that_takes_longer_than_going_on_which_reads_too_was_measured_wrong() -> None:
    row = recovery.Row(1000, 1500, 0.1, 0.1, 0.1, 0.11, 1, 1)

    [said] = recovery.excesses([row])

    assert said == "1000 issues: reading took 110 ms and going on, which reads, too, 100 ms"
