"""Lengths of finished issues are learned from journals of real runs in virtual time."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.helpers import scheduler_of
from tests.journals import Asked, a_day_later
from tests.runs import started

from wavelane import (
    Blocked,
    Finished,
    Issue,
    JournalError,
    Postponed,
    Report,
    Scheduler,
    Wave,
    experience_of,
)
from wavelane.journal import JournalReader, read_journal
from wavelane.pipeline import Assignment
from wavelane.steps import Step
from wavelane.testing import ScriptedPipeline, assert_keeps_the_rules, run_virtual, virtual_clock
from wavelane_model.events import WaveAmended
from wavelane_model.order import admission_order

MINUTE = 60.0


def issue(one: str, *labels: str, needs: Sequence[str] = (), **others: Any) -> Issue:
    """An issue; its repo is the part before the "#"."""
    return Issue(one, one.partition("#")[0], needs, labels=labels, **others)


def minutes_of(lengths: Mapping[str, float]) -> ScriptedPipeline:
    """Implementing takes so many minutes, or one; all else takes no time."""

    def seconds(step: Step, handed: Assignment) -> float:
        return lengths.get(handed.id, 1.0) * MINUTE if step == "implement" else 0.0

    return ScriptedPipeline(seconds=seconds)


def ran(
    path: Path, wave: Wave, lengths: Mapping[str, float] | None = None, **settings: Any
) -> Report:
    """Run a wave to its end, with a journal."""
    return run_virtual(scheduler_of(wave, minutes_of(lengths or {}), journal=path, **settings).run)


def minutes(finished: Sequence[Finished]) -> list[tuple[str, Sequence[str], float]]:
    return [(one.repo, one.labels, one.seconds / MINUTE) for one in finished]


EARLIER = {"api#1": 10.0, "api#2": 20.0, "web#1": 50.0}
"""What the issues of an earlier wave took, in minutes."""


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The journal of an earlier wave."""
    path = tmp_path / "earlier.db"
    ran(path, Wave([issue("api#1", "bug", "ui"), issue("api#2"), issue("web#1", "ui")]), EARLIER)
    return path


# What a journal teaches


def test_what_finished_issues_have_taken_is_told_with_their_repos_and_labels(
    earlier: Path,
) -> None:
    assert minutes(experience_of(earlier)) == [
        ("api", ("bug", "ui"), 10),
        ("api", (), 20),
        ("web", ("ui",), 50),
    ]


def test_what_waited_for_its_lane_or_to_be_tried_again_has_not_taken_that_time(
    tmp_path: Path,
) -> None:
    script: dict[tuple[Step, str], list[object]] = {
        ("implement", "api#2"): [Postponed(virtual_clock() + 90 * MINUTE, "quota")]
    }
    path = tmp_path / "j.db"
    wave = Wave([issue("api#1"), issue("api#2")])
    run_virtual(scheduler_of(wave, ScriptedPipeline(script), journal=path).run)

    assert minutes(experience_of(path)) == [("api", (), 3), ("api", (), 4)]


def test_what_is_parked_or_cancelled_teaches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    wave = Wave([issue("api#1"), issue("web#1"), issue("doc#1")])
    scripted = ScriptedPipeline({("implement", "api#1"): [Blocked("which one?")]})
    scheduler = scheduler_of(wave, scripted, journal=path)
    scheduler.cancel("web#1")
    run_virtual(scheduler.run)

    assert minutes(experience_of(path)) == [("doc", (), 3)]


def test_a_run_that_is_under_way_teaches_what_it_has_finished_so_far(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    wave = Wave([issue("api#1"), issue("api#2")])

    async def looked_at() -> tuple[Finished, ...]:
        running = await started(scheduler_of(wave, journal=path), 3 * MINUTE)
        found = experience_of(path)
        await running
        return found

    assert minutes(run_virtual(looked_at)) == [("api", (), 3)]


def test_a_crash_and_the_day_until_the_next_run_take_no_time(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    wave = Wave([issue("api#1"), issue("web#1")])

    async def cut_short() -> None:
        running = await started(scheduler_of(wave, journal=path), 90)
        running.cancel()
        await asyncio.wait([running])

    run_virtual(cut_short)
    run_virtual(scheduler_of(wave, Asked(), journal=path, clock=a_day_later).run)

    assert [seconds for *_, seconds in minutes(experience_of(path))] == [3, 3]


def test_a_journal_that_is_named_twice_counts_once(earlier: Path) -> None:
    again = earlier.parent / "." / earlier.name

    assert experience_of(earlier, again, str(earlier)) == experience_of(earlier)


def test_what_a_wave_had_learned_itself_is_not_handed_on(tmp_path: Path, earlier: Path) -> None:
    ran(tmp_path / "later.db", Wave([issue("doc#1")], experience=experience_of(earlier)))

    assert minutes(experience_of(tmp_path / "later.db")) == [("doc", (), 1)]


@pytest.mark.broken_journals
def test_a_journal_that_is_missing_damaged_or_none_is_an_error_in_words(
    tmp_path: Path, earlier: Path
) -> None:
    with pytest.raises(JournalError, match=r"there is no journal .*gone\.db"):
        experience_of(tmp_path / "gone.db")

    (tmp_path / "text.db").write_text("no journal")
    with pytest.raises(JournalError, match=r"text\.db is not a journal"):
        experience_of(tmp_path / "text.db")

    with closing(sqlite3.connect(earlier)) as database, database:
        database.execute("DELETE FROM event WHERE seq = 4")
    with pytest.raises(JournalError, match=r"earlier\.db"):
        experience_of(earlier)


# A wave with experience

LATER = Wave([issue("api#7"), issue("web#7"), issue("doc#7", estimate=30 * MINUTE)])


def later(earlier: Path) -> Wave:
    return Wave(LATER.issues, experience=experience_of(earlier))


def test_what_has_taken_longest_goes_first(earlier: Path) -> None:
    wave = later(earlier)

    assert [wave.issues[at].id for at in admission_order(wave)] == ["web#7", "doc#7", "api#7"]


def test_the_journal_keeps_what_was_learned_and_no_estimate_that_nobody_gave(
    tmp_path: Path, earlier: Path
) -> None:
    ran(tmp_path / "j.db", later(earlier), cap=1)

    assert_keeps_the_rules(tmp_path / "j.db")
    with JournalReader(tmp_path / "j.db") as reader:
        wave = reader.settings().wave
    assert wave.experience == experience_of(earlier)
    assert [one.estimate for one in wave.issues] == [None, None, 30 * MINUTE]


def test_a_wave_without_estimates_is_planned_by_what_was_learned(tmp_path: Path) -> None:
    learned = [
        *[Finished("api", ["small"], 10 * MINUTE)] * 3,
        *[Finished("api", ["large"], 50 * MINUTE)] * 3,
        Finished("web", (), 50 * MINUTE),
    ]
    issues = [
        issue("api#1", "small"),
        issue("web#1", needs=["api#1"]),
        issue("api#2", "large", needs=["web#1"]),
        issue("web#2"),
    ]
    took = {"api#1": 10.0, "web#1": 50.0, "api#2": 50.0, "web#2": 50.0}

    usual = ran(tmp_path / "usual.db", Wave(issues), took, cap=2)
    planned = ran(tmp_path / "planned.db", Wave(issues, experience=learned), took, cap=2)

    assert (usual.ended_at - usual.started_at) / MINUTE == 150
    assert (planned.ended_at - planned.started_at) / MINUTE == 110


# Continuing a wave


def stopped(path: Path, wave: Wave) -> None:
    """The first issue has begun, the others have not."""

    async def for_a_moment() -> None:
        scheduler = scheduler_of(wave, journal=path, cap=1)
        running = await started(scheduler, 5)
        scheduler.stop()
        await running

    run_virtual(for_a_moment)


def on(path: Path, wave: Wave) -> Scheduler:
    return scheduler_of(wave, journal=path, clock=a_day_later)


def amendments(path: Path) -> list[WaveAmended]:
    return [one.event for one in read_journal(path)[1] if isinstance(one.event, WaveAmended)]


def test_what_was_learned_since_is_taken_in_and_no_issue_is_changed(
    tmp_path: Path, earlier: Path
) -> None:
    path = tmp_path / "j.db"
    stopped(path, LATER)

    report = run_virtual(on(path, later(earlier)).run)

    assert report.outcome == "complete"
    assert amendments(path) == [WaveAmended((), (), experience_of(earlier))]
    assert Report.from_journal(path) == report


def test_without_anything_new_what_was_learned_stays(tmp_path: Path, earlier: Path) -> None:
    path = tmp_path / "j.db"
    stopped(path, later(earlier))
    scheduler = on(path, LATER)

    run_virtual(scheduler.run)

    assert scheduler.wave.experience == experience_of(earlier)
    assert amendments(path) == []


def test_the_same_experience_again_is_no_amendment(tmp_path: Path, earlier: Path) -> None:
    path = tmp_path / "j.db"
    stopped(path, later(earlier))

    run_virtual(on(path, later(earlier)).run)

    assert amendments(path) == []


def test_issues_that_are_added_are_expected_to_take_what_was_learned(
    tmp_path: Path, earlier: Path
) -> None:
    scheduler = scheduler_of(later(earlier), journal=tmp_path / "j.db", cap=1)
    scheduler.add(issue("api#8"), issue("web#8"))

    report = run_virtual(scheduler.run)

    began = {one: found.started_at or 0.0 for one, found in report.issues.items()}
    assert began["web#8"] < began["doc#7"] < began["api#8"]
