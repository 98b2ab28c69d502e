"""A history is a journal over time: sessions, waits and their reasons, the cap, the runs."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers import scheduler_of, wave_of
from tests.histories import MINUTE, estimated, history, killed_and_continued
from tests.journals import Killed

from wavelane import (
    Approved,
    Blocked,
    ChangesRequested,
    Checkpoint,
    Conflicted,
    Issue,
    JournalError,
    Postponed,
    Wave,
)
from wavelane.lock import Lock
from wavelane.steps import Step
from wavelane.testing import ScriptedPipeline, run_virtual, virtual_clock
from wavelane.testing.strategies import lane_releases, limits, waves
from wavelane.testing.virtual import EPOCH
from wavelane.timeline.history import History, IssueHistory, history_of_journal
from wavelane_model.events import CapMoved, OrderPlanned, Reservation, SessionWithheld
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.limits import Limits


def sessions(found: History) -> list[str]:
    """Each session in words: "api#1 implement 0-1 implemented"; times in minutes."""
    return [
        f"{one.issue} {one.step} {minutes(one.began)}-{minutes(one.ended)} {one.ending}"
        + (" parked" if one.parked else "")
        for one in found.sessions
    ]


def waits(found: History) -> list[str]:
    return [
        f"{one.issue} {minutes(one.began)}-{minutes(one.ended)} {one.code}: {one.text}"
        for one in found.waits
    ]


def gaps(found: History) -> list[str]:
    return [
        f"{one.repo}: {one.issue} {minutes(one.began)}-{minutes(one.ended)} {one.text}"
        for one in found.gaps
    ]


def minutes(at: float | None) -> str:
    return "" if at is None else f"{(at - EPOCH) / MINUTE:g}"


def issue(found: History, issue_id: str) -> IssueHistory:
    return next(one for one in found.issues if one.report.id == issue_id)


def waited(found: History, issue_id: str) -> dict[str, float]:
    """The waits of an issue, in minutes."""
    return {code: seconds / MINUTE for code, seconds in issue(found, issue_id).waited.items()}


# Success


def test_a_wave_that_goes_well_is_told_session_by_session(tmp_path: Path) -> None:
    found = history(tmp_path, "api#1", "web#1 < api#1", name="good")

    assert sessions(found) == [
        "api#1 implement 0-1 implemented",
        "api#1 review 1-2 approved",
        "api#1 merge 2-3 merged",
        "web#1 implement 3-4 implemented",
        "web#1 review 4-5 approved",
        "web#1 merge 5-6 merged",
    ]
    assert gaps(found) == ["web: web#1 0-3 waits for api#1"]
    assert waits(found) == []
    assert (found.name, found.phase, found.seconds) == ("good", "ended", 6 * MINUTE)
    assert [(one.repo, one.busy, one.idle) for one in found.repos] == [
        ("api", 180, 180),
        ("web", 180, 180),
    ]
    assert found.repos[0].share == 0.5
    assert [(minutes(at), number) for at, number in found.cap] == [("0", 2)]
    assert [(minutes(at), number) for at, number in found.flight] == [("0", 1), ("6", 0)]


def test_an_issue_says_how_long_it_worked_and_what_it_waited_for(tmp_path: Path) -> None:
    found = history(tmp_path, "a#1", "b#1 < a#1", "b#2", "b#3", "c#1", cap=2)

    assert issue(found, "a#1").worked == {"implement": 60, "review": 60, "merge": 60}
    assert waited(found, "a#1") == {}
    assert waited(found, "b#1") == {"dependencies": 3}
    assert waited(found, "b#2") == {}
    assert waited(found, "b#3") == {"lane": 6}
    assert waited(found, "c#1") == {"cap": 3}


# Trouble


def test_an_issue_whose_lane_is_held_for_another_says_so(tmp_path: Path) -> None:
    wave = ("api#1", "api#2 < api#1", "web#1", "web#2 < api#2", "web#3")
    plan = OrderPlanned(("web#2", "web#3"), (Reservation("web#2", EPOCH + 60 * MINUTE),))

    found = history(tmp_path, *wave, deeds=((1.0, lambda one: one._core.apply(plan)),))

    assert waited(found, "web#2") == {"dependencies": 6}
    assert waited(found, "web#3") == {"lane": 6, "reserved": 3}


def test_a_change_request_is_told_with_its_words(tmp_path: Path) -> None:
    found = history(
        tmp_path, "a#1", script={("review", "a#1"): [ChangesRequested("add a test"), Approved()]}
    )

    assert sessions(found)[1:3] == [
        "a#1 review 1-2 changes requested",
        "a#1 implement 2-3 implemented",
    ]
    assert found.sessions[1].text == "add a test"
    assert [one.visit for one in found.sessions] == [1] * 5


def test_a_conflict_a_checkpoint_and_a_failure_are_told(tmp_path: Path) -> None:
    found = history(
        tmp_path,
        "a#1",
        script={
            ("implement", "a#1"): [Checkpoint("half"), ValueError("broken")],
            ("merge", "a#1"): [Conflicted("a.py")],
        },
    )

    assert [one.ending for one in found.sessions] == [
        *("checkpoint", "failed", "implemented", "approved", "conflict"),
        *("implemented", "approved", "merged"),
    ]
    assert found.sessions[1].text == "implement raised ValueError: broken"


def test_a_parked_issue_waits_for_a_human_and_its_dependents_for_it(tmp_path: Path) -> None:
    found = history(
        tmp_path, "a#1", "b#1 < a#1", "c#1", script={("implement", "a#1"): [Blocked("which?")]}
    )

    assert sessions(found)[0] == "a#1 implement 0-1 blocked parked"
    assert waits(found) == ["a#1 1- parked: parked: which?"]
    assert gaps(found) == ["b: b#1 0-3 waits for a#1"]
    assert waited(found, "a#1") == {"parked": 2}
    assert found.report.outcome == "blocked"


def test_an_issue_that_is_unparked_has_waited_until_then(tmp_path: Path) -> None:
    found = history(
        tmp_path,
        *("a#1", "b#1"),
        script={("implement", "a#1"): [Blocked("which?")]},
        deeds=((2, lambda scheduler: scheduler.unpark("a#1")),),
    )

    assert waits(found) == ["a#1 1-2 parked: parked: which?"]
    assert [one.visit for one in found.sessions if one.issue == "a#1"] == [1, 2, 2, 2]


def test_a_postponed_issue_waits_until_its_time(tmp_path: Path) -> None:
    found = history(
        tmp_path,
        "a#1",
        script={("implement", "a#1"): [Postponed(until=EPOCH + 10 * MINUTE, reason="quota")]},
    )

    assert sessions(found)[:2] == [
        "a#1 implement 0-1 postponed",
        "a#1 implement 10-11 implemented",
    ]
    assert waits(found)[0].startswith("a#1 1-10 postponed: postponed until 01:56:40 UTC: quota")
    assert waited(found, "a#1") == {"postponed": 9}


def test_an_issue_that_is_cancelled_under_way_is_ended(tmp_path: Path) -> None:
    found = history(
        tmp_path, "a#1", "a#2", deeds=((0.5, lambda scheduler: scheduler.cancel("a#1")),)
    )

    assert sessions(found)[:2] == [
        "a#1 implement 0-0.5 stopped",
        "a#2 implement 0.5-1.5 implemented",
    ]


# The cap


def test_the_cap_is_told_and_who_waits_for_a_slot_says_so(tmp_path: Path) -> None:
    found = history(
        tmp_path,
        *("a#1", "b#1", "c#1"),
        cap=2,
        deeds=(
            (1, lambda scheduler: scheduler.cap.step_down()),
            (5, lambda scheduler: scheduler.cap.set(2)),
        ),
    )

    assert [(minutes(at), number) for at, number in found.cap] == [("0", 2), ("1", 1), ("5", 2)]
    assert gaps(found) == ["c: c#1 0-1 cap 2 of 2", "c: c#1 1-3 cap 2 of 1"]


def test_a_pause_is_why_a_review_and_a_lane_wait(tmp_path: Path) -> None:
    found = history(
        tmp_path,
        *("a#1", "b#1"),
        cap=1,
        deeds=(
            (0.5, lambda scheduler: scheduler.cap.pause()),
            (4, lambda scheduler: scheduler.cap.resume()),
        ),
    )

    assert waits(found) == ["a#1 1-4 paused: paused"]
    assert gaps(found)[:2] == ["b: b#1 0-0.5 cap 1 of 1", "b: b#1 0.5-4 paused"]
    assert waited(found, "b#1") == {"cap": 2.5, "paused": 3.5}


def test_a_session_that_was_withheld_was_none(tmp_path: Path) -> None:
    killed = Killed(tmp_path / "journal.db", wave_of("a#1", "b#1"), ceiling=2)
    killed.take(CapMoved("set", 1), SessionWithheld("b#1", 1))

    found = history_of_journal(killed.dies())

    assert sessions(found) == ["a#1 implement 0-0 cut off"]


def test_approved_merges_wait_for_their_turn(tmp_path: Path) -> None:
    took = {"implement": 1.0, "review": 1.0, "merge": 10.0}
    journal = tmp_path / "journal.db"
    pipeline = ScriptedPipeline(seconds=lambda step, _: took[step] * MINUTE)
    wave = wave_of("a#1", "a#2")

    run_virtual(scheduler_of(wave, pipeline, cap=2, lane_release="review", journal=journal).run)

    found = history_of_journal(journal)
    assert waits(found) == ["a#2 3-12 merge_turn: second in a's merge queue"]


# Several runs


def test_a_run_that_was_killed_ends_with_what_it_wrote_last(tmp_path: Path) -> None:
    found = killed_and_continued(tmp_path)

    assert sessions(found)[:3] == [
        "a#1 implement 0-0 cut off",
        "b#1 implement 0-0 implemented",
        "b#1 review 0-0 cut off",
    ]
    assert [(minutes(one.began), minutes(one.ended), one.outcome) for one in found.runs] == [
        ("0", "0", "unfinished"),
        ("60.0167", "63.0167", "complete"),
    ]
    assert len(found.downtimes) == 1
    assert waited(found, "a#1")["ended"] == pytest.approx(60.0167, abs=0.001)
    assert found.repos[0].busy == pytest.approx(3 * MINUTE)


def test_a_journal_whose_run_was_cut_off_says_so(tmp_path: Path) -> None:
    killed = Killed(tmp_path / "journal.db", wave_of("a#1"), ceiling=1)

    found = history_of_journal(killed.dies())

    assert found.phase == "cut off"
    assert sessions(found) == ["a#1 implement 0-0 cut off"]


def test_a_run_that_is_under_way_is_told_up_to_now(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    killed = Killed(path, wave_of("a#1", "b#1 < a#1"), ceiling=2)
    killed.dies()
    lock = Lock(path, "journal", "wait")

    found = history_of_journal(path, EPOCH + 5 * MINUTE)

    lock.release()
    assert found.phase == "running"
    assert sessions(found) == ["a#1 implement 0- under way"]
    assert gaps(found) == ["b: b#1 0- waits for a#1"]
    assert issue(found, "a#1").worked["implement"] == 5 * MINUTE
    assert found.seconds == 5 * MINUTE


def test_a_stopped_run_and_its_next_one_are_one_history(tmp_path: Path) -> None:
    first = history(tmp_path, "a#1", "a#2", deeds=((0.5, lambda scheduler: scheduler.stop()),))
    assert first.report.outcome == "stopped"
    run_virtual(
        scheduler_of(
            wave_of("a#1", "a#2"),
            journal=tmp_path / "journal.db",
            clock=lambda: virtual_clock() + 30 * MINUTE,
        ).run
    )

    found = history_of_journal(tmp_path / "journal.db")

    assert [one.outcome for one in found.runs] == ["stopped", "complete"]
    assert [(minutes(since), minutes(until)) for since, until in found.downtimes] == [("1", "30")]
    assert waited(found, "a#1") == {"ended": 29}


def test_a_clock_that_is_set_back_stands_still_here(tmp_path: Path) -> None:
    ticks = iter([0, 0, 0, 0, 50, 40, 30, 60, 70, *range(80, 200)])

    history_path = tmp_path / "journal.db"
    run_virtual(
        scheduler_of(wave_of("a#1"), journal=history_path, clock=lambda: EPOCH + next(ticks)).run
    )

    found = history_of_journal(history_path)
    assert all(one.ended is not None and one.ended >= one.began for one in found.sessions)


def test_before_the_first_run_there_is_nothing_to_tell(tmp_path: Path) -> None:
    scheduler = scheduler_of(wave_of("a#1"), journal=tmp_path / "journal.db")
    scheduler.open_journal()
    scheduler.cap.pause()

    found = history_of_journal(tmp_path / "journal.db")

    assert (found.phase, found.began, found.seconds, found.sessions) == ("not started", None, 0, ())
    scheduler.discard_journal()


def test_issues_that_were_added_on_the_way_are_told(tmp_path: Path) -> None:
    found = history(
        tmp_path,
        "a#1",
        deeds=((1, lambda scheduler: scheduler.add(Issue("a#2", "a", ["a#1"]))),),
    )

    assert waited(found, "a#2") == {"dependencies": 2}
    assert sessions(found)[3] == "a#2 implement 3-4 implemented"


def test_an_issue_that_gets_a_dependency_on_the_way_waits_for_that_one(tmp_path: Path) -> None:
    found = history(
        tmp_path,
        *("a#1", "b#1", "c#1"),
        cap=1,
        deeds=((1, lambda scheduler: scheduler.add(Issue("c#1", "c", ["b#1"]))),),
    )

    assert [one for one in gaps(found) if one.startswith("c")] == [
        "c: c#1 0-1 cap 1 of 1",
        "c: c#1 1-6 waits for b#1",
    ]


# What was planned


def test_what_was_planned_is_the_forecast_at_the_start(tmp_path: Path) -> None:
    found = history(tmp_path, wave=estimated(100, 200))

    assert found.planned is not None
    assert found.planned.end == 300


def test_without_estimates_nothing_was_planned(tmp_path: Path) -> None:
    assert history(tmp_path, "a#1").planned is None


def test_what_was_said_before_the_start_belongs_to_the_plan(tmp_path: Path) -> None:
    wave = Wave([Issue("a#1", "a", estimate=10), Issue("b#1", "b", estimate=10)])
    scheduler = scheduler_of(wave, journal=tmp_path / "journal.db", cap=2)
    scheduler.cap.set(1)
    scheduler.add(Issue("b#2", "b", estimate=5))
    run_virtual(scheduler.run)

    found = history_of_journal(tmp_path / "journal.db")

    assert found.planned is not None
    assert found.planned.end == 25


# Errors


@pytest.mark.broken_journals
def test_a_journal_that_was_changed_is_refused(tmp_path: Path) -> None:
    history(tmp_path, "a#1")
    with closing(sqlite3.connect(tmp_path / "journal.db")) as forged, forged:
        forged.execute("UPDATE event SET at = at + 1 WHERE seq = 2")

    with pytest.raises(JournalError, match="was changed after it was written"):
        history_of_journal(tmp_path / "journal.db")


def test_a_journal_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal"):
        history_of_journal(tmp_path / "none.db")


# Whatever happens

ENDINGS: dict[Step, list[object]] = {
    "implement": [None, Checkpoint("half"), Blocked(""), Postponed(), ValueError("broken")],
    "review": [Approved(), ChangesRequested("again"), Blocked("why?"), Postponed(reason="quota")],
    "merge": [None, Conflicted("a.py"), OSError("no disk")],
}


@given(
    wave=waves(),
    cap=st.integers(1, 3),
    lane_release=lane_releases,
    limits=limits,
    data=st.data(),
)
@settings(max_examples=100, deadline=None)
def test_whatever_happens_each_issue_is_told_from_its_start_to_its_end(
    wave: Wave, cap: int, lane_release: LaneRelease, limits: Limits, data: st.DataObject
) -> None:
    script: dict[tuple[Step, str], list[object]] = {
        (step, one.id): data.draw(st.lists(st.sampled_from(ENDINGS[step]), max_size=3))
        for step in ENDINGS
        for one in wave.issues
    }
    lengths = data.draw(st.lists(st.integers(1, 100), min_size=8, max_size=8))
    pipeline = ScriptedPipeline(
        script, seconds=lambda _, issue: lengths[wave.position[issue.id] % len(lengths)]
    )
    deeds = data.draw(st.lists(st.tuples(st.integers(0, 300), st.integers(0, cap)), max_size=4))

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "journal.db"
        scheduler = scheduler_of(
            wave, pipeline, cap=cap, lane_release=lane_release, limits=limits, journal=path
        )

        async def main() -> None:
            running = asyncio.ensure_future(scheduler.run())
            for at, level in sorted(deeds):
                await asyncio.sleep(max(0.0, EPOCH + at - virtual_clock()))
                scheduler.cap.set(level)
            await asyncio.sleep(max(0.0, EPOCH + 301 - virtual_clock()))
            scheduler.cap.set(cap)
            await running

        run_virtual(main)
        found = history_of_journal(path)

    assert found.phase == "ended"
    assert len(found.sessions) == len(pipeline.calls)
    for call, span in zip(
        sorted(pipeline.calls, key=lambda one: (one.began, one.issue.id, one.step)),
        sorted(found.sessions, key=lambda one: (one.began, one.issue, one.step)),
        strict=True,
    ):
        assert (call.issue.id, call.step, call.began, call.ended) == (
            *(span.issue, span.step, span.began, span.ended),
        )
    for one in found.issues:
        lived = one.report.ended_at if settled(one) else found.ended
        assert lived is not None
        accounted = sum(one.worked.values()) + sum(one.waited.values())
        assert accounted == pytest.approx(lived - EPOCH, abs=1e-3), one
    for gap in found.gaps:
        flying = [
            one
            for one in found.sessions
            if one.repo == gap.repo
            and one.began < (gap.ended or found.ended)
            and (one.ended or found.ended) > gap.began
        ]
        assert flying == []


def settled(one: IssueHistory) -> bool:
    return one.report.state in ("done", "cancelled")


def test_the_parts_of_a_history_are_plain_values_in_json(tmp_path: Path) -> None:
    found = history(tmp_path, wave=estimated(10), name="x").to_dict()

    assert found["wave"] == "x"
    assert found["predicted_seconds"] == 10
    assert found["sessions"][0]["ending"] == "implemented"
    assert found["issues"][0]["worked"] == {"implement": 60, "review": 60, "merge": 60}
