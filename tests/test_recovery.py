"""A wave continues from its journal, whatever became of the previous run."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.helpers import scheduler_of, wave_of
from tests.journals import WAVE, Asked, Killed, a_day_later

from wavelane import (
    Blocked,
    IllegalEvent,
    Issue,
    JournalError,
    Limits,
    Merged,
    Report,
    Resumed,
    Scheduler,
    Wave,
)
from wavelane.testing import ScriptedPipeline, run_virtual
from wavelane.testing.virtual import EPOCH
from wavelane_model.events import (
    CancelRequested,
    CapMoved,
    MergeTurnRequested,
    ParkRequested,
    RunCutOff,
    StopRequested,
)
from wavelane_model.lifecycle import State
from wavelane_model.outcomes import ChangesRequested, Postponed


def run_again(path: Path, pipeline: Any, wave: Wave = WAVE, **settings: Any) -> Report:
    return run_virtual(scheduler_of(wave, pipeline, journal=path, **settings).run)


def killed_in(tmp_path: Path, state: State) -> Path:
    """a#1 was in `state` and c#1 running."""
    killed = Killed(tmp_path / "j.db")
    killed.reach("a#1", state)
    return killed.dies()


# Only issues in flight are asked about


def test_the_pipeline_is_asked_about_each_issue_in_flight_and_about_no_other(
    tmp_path: Path,
) -> None:
    pipeline = Asked()

    report = run_again(killed_in(tmp_path, "review"), pipeline)

    assert pipeline.asked == [("a#1", "review"), ("c#1", "running")]
    assert report.outcome == "complete"
    assert (report.recovered.asked, report.recovered.discarded) == (2, 2)
    assert Report.from_journal(tmp_path / "j.db") == report


def test_nothing_starts_before_all_is_accounted_for(tmp_path: Path) -> None:
    pipeline = Asked(c=Resumed())

    run_again(killed_in(tmp_path, "merging"), pipeline)

    assert len(pipeline.asked) == 2
    assert min(call.began for call in pipeline.calls) == EPOCH + 1


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    killed = Killed(tmp_path / "j.db")
    killed.reach("a#1", "done")

    pipeline = Asked()
    run_again(killed.dies(), pipeline)

    assert "a#1" not in {issue for _, issue in pipeline.names()}


@pytest.mark.parametrize("state", ["running", "review", "merging"])
def test_a_discarded_attempt_starts_clean(tmp_path: Path, state: State) -> None:
    pipeline = Asked()

    run_again(killed_in(tmp_path, state), pipeline)

    assert pipeline.names().count(("implement", "a#1")) == 1


def test_a_review_that_is_resumed_is_made_again_and_nothing_else(tmp_path: Path) -> None:
    pipeline = Asked(a=Resumed())

    report = run_again(killed_in(tmp_path, "review"), pipeline)

    of_issue = [step for step, issue in pipeline.names() if issue == "a#1"]
    assert of_issue == ["review", "merge"]
    assert (report.recovered.resumed, report.recovered.discarded) == (1, 1)


def test_a_merge_that_is_in_is_advanced_and_never_repeated(tmp_path: Path) -> None:
    pipeline = Asked(a=Merged())

    report = run_again(killed_in(tmp_path, "merging"), pipeline)

    assert ("merge", "a#1") not in pipeline.names()
    assert report.issues["a#1"].state == "done"
    assert report.issues["b#1"].state == "done"
    assert report.recovered.merged == 1


def test_an_issue_of_which_nothing_can_be_told_is_parked_with_what_is_known(
    tmp_path: Path,
) -> None:
    pipeline = Asked(a=Blocked("its branch is gone"))

    report = run_again(killed_in(tmp_path, "review"), pipeline)

    assert str(report.issues["a#1"].why) == "parked: its branch is gone"
    assert report.recovered.unclear == 1
    assert report.outcome == "blocked"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (OSError("no network"), "parked: recover raised OSError: no network"),
        (
            "fine",
            "parked: recover returned 'fine'; it may return Merged, Resumed, Discarded, Blocked",
        ),
    ],
)
def test_what_recover_raises_or_may_not_return_parks_the_issue(
    tmp_path: Path, found: Any, said: str
) -> None:
    report = run_again(killed_in(tmp_path, "review"), Asked(a=found))

    assert str(report.issues["a#1"].why) == said
    assert report.issues["c#1"].state == "done"


@pytest.mark.parametrize(
    ("state", "steps"),
    [
        ("running", ["implement", "review", "merge"]),
        ("review", ["review", "merge"]),
    ],
)
def test_a_pipeline_without_recover_does_the_step_again(
    tmp_path: Path, state: State, steps: list[str]
) -> None:
    pipeline = ScriptedPipeline()

    run_again(killed_in(tmp_path, state), pipeline)

    assert [step for step, issue in pipeline.names() if issue == "a#1"] == steps


def test_without_recover_a_merge_that_was_under_way_is_not_guessed(tmp_path: Path) -> None:
    report = run_again(killed_in(tmp_path, "merging"), ScriptedPipeline())

    assert str(report.issues["a#1"].why).startswith(
        "parked: its merge was under way when the run was cut off; look whether it is in"
    )


def test_rework_that_waited_for_its_lane_keeps_its_feedback(tmp_path: Path) -> None:
    killed = Killed(tmp_path / "j.db", wave_of("a#1", "a#2"), ceiling=2, lane_release="review")
    killed.end("a#1")
    killed.end("a#1", ChangesRequested("a test"))
    pipeline = Asked(Resumed())

    run_again(killed.dies(), pipeline, wave_of("a#1", "a#2"), cap=2, lane_release="review")

    assert pipeline.asked == [("a#1", "admitted"), ("a#2", "running")]
    reworked = next(call for call in pipeline.calls if call.name == ("implement", "a#1"))
    assert reworked.issue.feedback == "a test"


def test_the_number_asked_never_exceeds_the_highest_cap_that_was_in_force(tmp_path: Path) -> None:
    wave = wave_of("a#1", "b#1", "c#1", "d#1", "e#1")
    killed = Killed(tmp_path / "j.db", wave, ceiling=5)
    killed.take(CapMoved("set", 2))
    killed.reach("a#1", "done")
    killed.reach("b#1", "done")
    killed.reach("c#1", "done")
    pipeline = Asked()

    report = run_again(killed.dies(), pipeline, wave)

    assert report.recovered.asked == len(pipeline.asked) == 2


# The run continues as before


def test_the_cap_is_where_it_was_and_a_cancel_that_waited_holds(tmp_path: Path) -> None:
    killed = Killed(tmp_path / "j.db")
    killed.take(CapMoved("set", 1), CancelRequested("c#1"))
    scheduler = scheduler_of(WAVE, Asked(), journal=killed.dies())

    report = run_virtual(scheduler.run)

    assert scheduler.cap.level == 1
    assert report.issues["c#1"].state == "cancelled"


def test_a_paused_run_stays_paused_until_it_is_resumed(tmp_path: Path) -> None:
    killed = Killed(tmp_path / "j.db")
    killed.take(CapMoved("pause"))
    scheduler = scheduler_of(WAVE, Asked(), journal=killed.dies())

    async def resume_after_an_hour() -> Report:
        running = asyncio.ensure_future(scheduler.run())
        await asyncio.sleep(3600)
        assert scheduler.cap.level == 0
        scheduler.cap.resume()
        return await running

    report = run_virtual(resume_after_an_hour)

    assert report.issues["a#2"].started_at == pytest.approx(EPOCH + 3600 + 180)


def test_a_postponed_issue_comes_back_at_its_time(tmp_path: Path) -> None:
    killed = Killed(tmp_path / "j.db")
    killed.end("c#1", Postponed(until=EPOCH + 7200, reason="quota"))
    pipeline = Asked()

    run_again(killed.dies(), pipeline)

    began = [call.began for call in pipeline.calls if call.name == ("implement", "c#1")]
    assert began == [EPOCH + 7200]


def test_a_turn_of_the_engine_dies_with_its_process(tmp_path: Path) -> None:
    killed = Killed(tmp_path / "j.db")
    killed.take(MergeTurnRequested("a", "turn-1"))

    assert run_again(killed.dies(), Asked()).outcome == "complete"


def test_a_turn_that_was_asked_for_before_the_run_dies_with_its_process_too(tmp_path: Path) -> None:
    killed = Killed(tmp_path / "j.db")
    killed.take(RunCutOff(), MergeTurnRequested("a", "turn-1"))

    assert run_again(killed.dies(), Asked()).outcome == "complete"


def test_a_stop_was_for_the_run_that_was_killed(tmp_path: Path) -> None:
    killed = Killed(tmp_path / "j.db")
    killed.take(StopRequested())

    assert run_again(killed.dies(), Asked()).outcome == "complete"


def test_a_stopped_run_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    scheduler = scheduler_of(WAVE, journal=path)
    scheduler.stop()
    assert run_virtual(scheduler.run).outcome == "stopped"

    assert run_again(path, ScriptedPipeline(), clock=a_day_later).outcome == "complete"


def test_a_blocked_wave_goes_on_when_the_human_has_answered(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    first = scheduler_of(WAVE, journal=path)
    first.park("a#1", "which footer?")
    assert run_virtual(first.run).outcome == "blocked"

    second = scheduler_of(WAVE, journal=path, clock=a_day_later)
    second.open_journal()
    second.unpark("a#1")

    assert run_virtual(second.run).outcome == "complete"


def test_a_complete_wave_is_complete_at_once(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    run_again(path, ScriptedPipeline())
    pipeline = ScriptedPipeline()

    assert run_again(path, pipeline, clock=a_day_later).outcome == "complete"
    assert pipeline.calls == []


def test_a_recovery_that_is_killed_too_is_begun_again(tmp_path: Path) -> None:
    path = killed_in(tmp_path, "merging")

    async def interrupted() -> None:
        running = asyncio.ensure_future(scheduler_of(WAVE, Asked(), journal=path).run())
        await asyncio.sleep(0.5)
        running.cancel()
        await asyncio.wait([running])

    run_virtual(interrupted)
    pipeline = Asked()

    assert run_again(path, pipeline, clock=a_day_later).outcome == "complete"
    assert pipeline.asked == [("a#1", "merging"), ("c#1", "running")]


def test_a_journal_whose_making_was_killed_is_made(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode=WAL")
    database.close()

    assert run_again(path, ScriptedPipeline()).outcome == "complete"


# The cap of a continued wave


def test_a_lower_cap_is_set_and_the_ceiling_stays(tmp_path: Path) -> None:
    scheduler = scheduler_of(WAVE, Asked(), cap=2, journal=killed_in(tmp_path, "running"))

    run_virtual(scheduler.run)

    assert (scheduler.cap.level, scheduler.cap.ceiling) == (2, 3)


def test_a_pause_is_not_lifted_by_a_cap_that_is_given(tmp_path: Path) -> None:
    killed = Killed(tmp_path / "j.db")
    killed.take(CapMoved("pause"))
    scheduler = scheduler_of(WAVE, Asked(), cap=2, journal=killed.dies())

    scheduler.open_journal()

    assert scheduler.cap.level == 0
    scheduler.discard_journal()


def test_a_cap_above_the_ceiling_is_refused(tmp_path: Path) -> None:
    path = killed_in(tmp_path, "running")

    with pytest.raises(JournalError, match="was started with cap 3, which is the highest"):
        run_again(path, Asked(), cap=4)


# One journal, one scheduler


def test_a_second_scheduler_is_told_who_has_the_journal_and_disturbs_nobody(
    tmp_path: Path,
) -> None:
    path = tmp_path / "j.db"

    async def both() -> Report:
        first = asyncio.ensure_future(scheduler_of(WAVE, journal=path).run())
        await asyncio.sleep(1)
        with pytest.raises(JournalError, match=r"j\.db is in use by process \d+ \(since "):
            await scheduler_of(WAVE, journal=path).run()
        return await first

    assert run_virtual(both).outcome == "complete"


# A journal of another wave is left alone


def other(change: Callable[[list[Issue]], list[Issue]], **settings: Any) -> Wave:
    return Wave(change(list(WAVE.issues)), repos=WAVE.repos, **settings)


@pytest.mark.parametrize(
    ("wave", "says"),
    [
        (
            wave_of("x#1", "y#1"),
            "is of another wave: its issues are a#1, a#2, b#1, c#1, and those of this one x#1, y#1",
        ),
        (other(lambda issues: issues[:3]), "has c#1, which this wave lacks; put it back"),
        (
            other(lambda issues: [*issues[:3], Issue("c#1", "c", title="Other")]),
            "has an earlier version of this wave, which cannot be changed to this one: "
            'issue "c#1" is running and has begun',
        ),
        (
            other(lambda issues: issues[:3], done=["c#1"]),
            "says that c#1 is running, and this wave lists it under done; drop it there",
        ),
        (wave_of("a#1", "a#2", "b#1 < a#1", "c#1", repos=["a", "b", "c", "d"]), "is of the repos"),
    ],
)
def test_a_journal_of_another_wave_is_refused(tmp_path: Path, wave: Wave, says: str) -> None:
    path = killed_in(tmp_path, "running")
    before = path.read_bytes()

    with pytest.raises(JournalError) as caught:
        run_again(path, Asked(), wave)

    assert str(caught.value).startswith(f"journal {path} {says}")
    assert path.read_bytes() == before


def test_what_is_new_in_the_wave_and_what_has_changed_before_it_began_is_taken_in(
    tmp_path: Path,
) -> None:
    path = killed_in(tmp_path, "running")
    changed = Issue("a#2", "a", title="Other", estimate=60.0)
    new = Issue("c#2", "c", ["c#1", "z#1"])
    wave = other(lambda issues: [issues[0], changed, *issues[2:], new], done=["z#1"])
    pipeline = Asked()

    report = run_again(path, pipeline, wave)

    assert report.outcome == "complete"
    assert report.issues["a#2"].title == "Other"
    assert ("merge", "c#2") in pipeline.names()
    assert Report.from_journal(path) == report
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute(
            "SELECT id, state, at_first FROM issue JOIN standing USING (position) ORDER BY position"
        )
        assert [(one, at, first is None or len(first) > 0) for one, at, first in rows] == [
            ("a#1", "done", True),
            ("a#2", "done", True),
            ("b#1", "done", True),
            ("c#1", "done", True),
            ("c#2", "done", False),
        ]


def test_what_is_done_may_be_left_out_and_listed_as_done(tmp_path: Path) -> None:
    killed = Killed(tmp_path / "j.db")
    killed.reach("c#1", "done")
    wave = other(lambda issues: [*issues[:3], Issue("c#2", "c", ["c#1"])], done=["c#1"])

    assert run_again(killed.dies(), Asked(), wave).issues["c#2"].state == "done"


def test_issues_are_added_to_a_live_run(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    scheduler = scheduler_of(WAVE, journal=path)

    async def add_in_mid_run() -> Report:
        running = asyncio.ensure_future(scheduler.run())
        await asyncio.sleep(90)
        scheduler.add(Issue("c#2", "c", ["c#1"]), Issue("b#2", "b"))
        with pytest.raises(IllegalEvent, match='"a#1" is review and has begun'):
            scheduler.add(Issue("a#1", "a", title="Too late"))
        return await running

    report = run_virtual(add_in_mid_run)

    assert report.outcome == "complete"
    assert len(report.issues) == len(scheduler.wave) == 6
    assert run_again(path, ScriptedPipeline(), clock=a_day_later).outcome == "complete"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"lane_release": "review"}, "was started with lane_release done, and now it is review"),
        ({"name": "other"}, "was started with the name first, and now it is other; give first"),
        ({"limits": Limits(failures=9)}, "was started with failures 2, and now it is 9; give 2"),
    ],
)
def test_a_journal_of_other_settings_is_refused(
    tmp_path: Path, settings: dict[str, Any], says: str
) -> None:
    path = Killed(tmp_path / "j.db", name="first").dies()

    with pytest.raises(JournalError) as caught:
        run_again(path, Asked(), **{"name": "first", **settings})

    assert str(caught.value).startswith(f"journal {path} {says}")


def test_a_time_out_may_change_from_run_to_run(tmp_path: Path) -> None:
    path = killed_in(tmp_path, "running")

    assert run_again(path, Asked(), limits=Limits(merge_timeout=900)).outcome == "complete"


@pytest.mark.broken_journals
@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM event WHERE seq = 2", "records what cannot have happened: "),
        ("UPDATE event SET at = at + 1 WHERE seq = 2", "was changed after it was written; "),
    ],
)
def test_a_journal_that_was_changed_is_refused(tmp_path: Path, statement: str, says: str) -> None:
    killed = Killed(tmp_path / "j.db")
    killed.reach("a#1", "merging")
    path = killed.dies()
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
        database.commit()

    with pytest.raises(JournalError) as caught:
        run_again(path, Asked())

    assert str(caught.value).startswith(f"journal {path} {says}")
    assert f"`wavelane verify {path}`" in str(caught.value)


@pytest.mark.broken_journals
def test_a_journal_with_a_torn_page_is_called_damaged(tmp_path: Path) -> None:
    path = killed_in(tmp_path, "merging")
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)

    with pytest.raises(JournalError, match=r"is damaged \(.*\); restore it from a copy"):
        run_again(path, Asked())
    assert path.read_bytes() == data


def test_what_is_asked_for_before_the_run_holds_in_the_continued_wave(tmp_path: Path) -> None:
    scheduler = Scheduler(
        WAVE,
        Asked(),
        journal=killed_in(tmp_path, "running"),
    )
    scheduler.park("a#2", "which footer?")
    scheduler.open_journal()

    assert scheduler.status("a#2").why.text == "parked: which footer?"
    assert scheduler.status("a#1").why.text == "implementing when the run was cut off"
    scheduler.discard_journal()
    assert Report.from_journal(tmp_path / "j.db").issues["a#2"].state == "queued"


def test_a_parked_issue_in_flight_is_parked_when_its_session_is_accounted_for(
    tmp_path: Path,
) -> None:
    killed = Killed(tmp_path / "j.db")
    killed.take(ParkRequested("a#1", "which footer?"))

    report = run_again(killed.dies(), Asked(Resumed()))

    assert str(report.issues["a#1"].why) == "parked: which footer?"
