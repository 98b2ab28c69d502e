"""The tables of times, on a terminal of 100 columns."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from rich.console import Console, RenderableType
from tests.helpers import scheduler_of, wave_of
from tests.histories import estimated, history, killed_and_continued
from tests.journals import Killed

from wavelane import Blocked, Finished, Issue, Wave
from wavelane.cli.display import preview_view
from wavelane.cli.tables import history_view, sweep_view
from wavelane.lock import Lock
from wavelane.testing.virtual import EPOCH
from wavelane.timeline.cap_sweep import sweep_caps
from wavelane.timeline.history import history_of_journal
from wavelane.timeline.preview import preview


def shown(view: RenderableType) -> str:
    """The output without trailing spaces."""
    console = Console(file=StringIO(), width=100)
    console.print(view)
    assert isinstance(console.file, StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def row(text: str, first: str) -> list[str]:
    """The words of the line that begins with a word."""
    return next(words for line in text.splitlines() if (words := line.split())[:1] == [first])


# Forecasts


def test_each_cap_has_its_end_and_what_that_changes() -> None:
    wave = Wave([Issue("a#1", "a", estimate=60), Issue("b#1", "b", estimate=90)])

    text = shown(sweep_view(sweep_caps(wave)))

    assert row(text, "1") == ["1", "2:30", "min", "a", "1:30", "min"]
    assert row(text, "2") == ["2", "1:30", "min", "−1:00", "min"]
    assert "decides the end at cap 2: b#1" in text
    assert "predicted: as if every session took its estimate and ended well" in text


def test_estimates_that_are_learned_are_told_from_those_that_are_given() -> None:
    issues = [Issue("a#1", "a"), Issue("b#1", "b", estimate=90), Issue("b#2", "b")]
    wave = Wave(issues, experience=[Finished("a", (), 60)])

    text = shown(sweep_view(sweep_caps(wave)))
    order = shown(preview_view(preview(wave)))

    assert "estimates: 1 given, 1 learned from 1 finished issue\n" in text
    assert "1 of 3 issues have neither: they take the median of those of their repo" in text
    assert row(order, "3")[-4:] == ["1:00", "min", "learned:", "repo"]
    assert [row(order, place)[-1] for place in "12"] == ["given", "estimates"]


def test_caps_that_change_nothing_share_a_row() -> None:
    text = shown(sweep_view(sweep_caps(wave_of("a#1", "b#1 < a#1"), cap=9)))

    assert row(text, "2–9") == ["2–9", "2", "sessions", "=", "b", "1", "session"]


def test_a_table_of_many_caps_and_repos_stays_readable() -> None:
    wave = Wave(
        Issue(f"repository-{at}#{number}", f"repository-{at}", estimate=3000 + at)
        for at in range(40)
        for number in range(2)
    )

    text = shown(sweep_view(sweep_caps(wave, cap=33)))

    assert len(text.splitlines()) < 24
    assert row(text, "1")[-2:] == ["38", "more"]
    assert row(text, "33")
    assert row(text, "40")
    assert "not every cap is shown" in text


def test_a_long_chain_is_cut_in_its_middle() -> None:
    lines = ["a#0", *(f"a#{at} < a#{at - 1}" for at in range(1, 40))]

    text = shown(sweep_view(sweep_caps(wave_of(*lines))))

    assert "a#0 → a#1 → a#2 → a#3 → a#4 → a#5 … 28 more … → a#34" in text.replace("\n", " ")


# Histories


def test_each_issue_has_what_it_worked_and_waited(tmp_path: Path) -> None:
    found = history(
        tmp_path,
        *("api#1", "web#1 < api#1", "web#2"),
        script={("implement", "web#2"): [Blocked("which colour?")]},
    )

    text = shown(history_view(found))

    assert row(text, "api#1") == ["api#1", "done", "1", *["1:00", "min"] * 3]
    assert row(text, "web#1")[2:6] == ["1", "3:00", "min", "dependencies"]
    assert "a human" in text
    assert "parked: which" in text
    assert row(text, "web") == ["web", "1/2", "4:00", "min", "2:00", "min", "67%"]
    assert "blocked: 2 of 3 issues done, 1 parked in 6:00 min, begun" in text
    assert "no issue has an estimate: nothing was predicted" in text


def test_the_end_is_compared_with_the_predicted_one(tmp_path: Path) -> None:
    for name, length, said in (
        ("later", 60, "predicted end: after 1:00 min; it was 2:00 min later"),
        ("earlier", 240, "predicted end: after 4:00 min; it was 1:00 min earlier"),
        ("same", 180, "predicted end: after 3:00 min, which was right"),
    ):
        (tmp_path / name).mkdir()

        assert said in shown(history_view(history(tmp_path / name, wave=estimated(length))))


def test_a_run_under_way_is_not_compared_yet(tmp_path: Path) -> None:
    path = Killed(tmp_path / "journal.db", estimated(600), ceiling=1).dies()
    lock = Lock(path, "journal", "wait")

    text = shown(history_view(history_of_journal(path, EPOCH + 120)))

    lock.release()
    assert "running: 0 of 1 issues done in 2:00 min" in text
    assert "predicted end: after 10:00 min, by the estimates at the start" in text


def test_a_wave_of_several_runs_says_so(tmp_path: Path) -> None:
    text = shown(history_view(killed_and_continued(tmp_path)))

    assert "complete: 2 of 2 issues done in 1:03:01 h, 2 runs" in text


def test_a_wave_that_has_not_begun_says_so(tmp_path: Path) -> None:
    scheduler = scheduler_of(wave_of("a#1"), journal=tmp_path / "journal.db")
    scheduler.open_journal()

    text = shown(history_view(history_of_journal(tmp_path / "journal.db")))

    scheduler.discard_journal()
    assert text == "no run has begun"


def test_a_long_id_is_shown_whole(tmp_path: Path) -> None:
    name = "a-repository-with-quite-a-long-name-as-some-have-them"

    text = shown(history_view(history(tmp_path, f"{name}#1", f"{name}#2 < {name}#1")))

    assert "…" not in text
