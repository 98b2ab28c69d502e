"""Commands from other processes: during a run, between runs, and at their edges."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.helpers import scheduler_of, wave_of

from wavelane import JournalError, Report, Scheduler
from wavelane.control.inbox import carry_out_waiting, give
from wavelane.control.requests import Answer, Request, encode_request
from wavelane.control.wakeup import notify
from wavelane.journal import (
    CommandRow,
    Journal,
    JournalInUse,
    JournalReader,
    RecordedEvent,
    Settings,
    read_journal,
)
from wavelane.lock import Lock, owner_of
from wavelane.replay.replay import Replay
from wavelane.testing import ScriptedPipeline, run_virtual, virtual_clock
from wavelane_model.events import (
    CancelRequested,
    CapMoved,
    Event,
    ParkRequested,
    PauseEnded,
    RunCutOff,
    StopRequested,
    UnparkRequested,
    WaveStarted,
)
from wavelane_model.limits import Limits
from wavelane_model.outcomes import Blocked

WAVE = wave_of("a#1", "a#2", "b#1", "c#1")


def an_hour_later() -> float:
    return virtual_clock() + 3600


def put(path: Path, request: Request | str | bytes, at: float = 0.0) -> None:
    """Write a command without waiting."""
    text = request if isinstance(request, (str, bytes)) else encode_request(request)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO command (at, request) VALUES (?, ?)", (at, text))


def answers(path: Path) -> list[Answer | None]:
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT answer FROM command ORDER BY number").fetchall()
    return [None if answer is None else Answer.from_json(answer) for (answer,) in rows]


def events(path: Path, *kinds: type[Event]) -> list[Event]:
    return [
        entry.event
        for entry in read_journal(path)[1]
        if not kinds or isinstance(entry.event, kinds)
    ]


def run_with_requests(
    path: Path,
    *requests: Request | str | bytes,
    act: Callable[[Scheduler], Awaitable[None]] | None = None,
    **given_: Any,
) -> Report:
    """Run the wave in virtual time, and send the requests ten seconds after its start."""

    async def main() -> Report:
        scheduler = scheduler_of(WAVE, journal=path, **given_)
        run = asyncio.create_task(scheduler.run())
        await asyncio.sleep(10)
        for request in requests:
            put(path, request, at=1e12)
        notify(path)
        if act is not None:
            await act(scheduler)
        return await run

    return run_virtual(main)


def cut_off(path: Path, *events_: Event) -> Path:
    """The journal of a run that was killed after its start."""
    killed = Journal(path, Settings(WAVE, 3, "done", Limits()))
    replay = Replay.of(Settings(WAVE, 3, "done", Limits()))
    for event in (WaveStarted(), *events_):
        result = replay.apply(1e9, event, with_standings=True)
        killed.append([RecordedEvent(1e9, event)], result.standings.items())
    killed.close()
    return path


# Sent to a run


def test_a_command_is_carried_out_at_once_and_answered(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    async def look(scheduler: Scheduler) -> None:
        await asyncio.sleep(1)
        assert scheduler.cap.level == 1
        assert answers(path) == [
            Answer(True, "cap 3 → 1; 3 are in flight, nothing is interrupted"),
            Answer(True, "a#2 is parked: which footer?"),
        ]

    report = run_with_requests(
        path, CapMoved("set", 1), ParkRequested("a#2", "which footer?"), act=look
    )

    assert report.outcome == "blocked"
    assert report.issues["a#2"].why.text == "parked: which footer?"


def test_a_refused_command_is_answered_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    report = run_with_requests(path, CapMoved("set", 9), CancelRequested("x#1"))

    assert report.outcome == "complete"
    assert [answer and answer.done for answer in answers(path)] == [False, False]
    assert events(path, CapMoved, CancelRequested) == []


def test_pause_stop_and_cancel_are_three_verbs(tmp_path: Path) -> None:
    paused = run_with_requests(tmp_path / "p.db", CapMoved("pause", until=1e9 + 7210))
    stopped = run_with_requests(tmp_path / "s.db", StopRequested())
    cancelled = run_with_requests(tmp_path / "c.db", CancelRequested("a#1"))

    assert paused.outcome == "complete"
    assert paused.ended_at - paused.started_at > 7200
    assert stopped.outcome == "stopped"
    assert [stopped.count("review"), stopped.count("queued")] == [3, 1]
    assert cancelled.issues["a#1"].state == "cancelled"
    assert cancelled.issues["a#1"].ended_at == cancelled.started_at + 10


def test_a_pause_with_a_time_ends_by_itself_and_the_level_is_as_before(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    async def look(scheduler: Scheduler) -> None:
        await asyncio.sleep(1000)
        assert (scheduler.cap.level, scheduler.cap.resumes_at) == (0, 1e9 + 3600)
        assert scheduler.status("a#1").why.text.startswith("paused until ")
        await asyncio.sleep(3000)
        assert (scheduler.cap.level, scheduler.cap.resumes_at) == (3, None)

    run_with_requests(path, CapMoved("pause", until=1e9 + 3600), act=look)

    assert events(path, PauseEnded) == [PauseEnded(1e9 + 3600)]


def test_a_pause_that_was_lifted_early_does_not_end_a_later_one(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    async def look(scheduler: Scheduler) -> None:
        await asyncio.sleep(1)
        scheduler.cap.resume()
        scheduler.cap.pause()
        await asyncio.sleep(10_000)
        assert scheduler.cap.level == 0
        scheduler.cap.resume()

    run_with_requests(path, CapMoved("pause", until=1e9 + 3600), act=look)

    assert events(path, PauseEnded) == []


def test_garbage_is_answered_and_what_comes_after_it_is_done(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    report = run_with_requests(path, "", b"\xff\xfe", "{}", "[" * 10_000, StopRequested())

    assert report.outcome == "stopped"
    assert [answer and answer.done for answer in answers(path)] == [False] * 4 + [True]


def test_a_notification_without_a_command_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    async def look(scheduler: Scheduler) -> None:
        before = path.with_name("j.db-wal").stat().st_size
        for _ in range(100):
            notify(path)
        await asyncio.sleep(1)
        assert path.with_name("j.db-wal").stat().st_size == before

    assert run_with_requests(path, act=look).outcome == "complete"


def test_the_wake_up_pipe_is_there_as_long_as_the_run(tmp_path: Path) -> None:
    path, pipe = tmp_path / "j.db", tmp_path / "j.db-bell"

    async def look(scheduler: Scheduler) -> None:
        assert pipe.is_fifo()

    run_with_requests(path, act=look)

    assert not pipe.exists()
    notify(path)  # with no process to wake


def test_the_wake_up_pipe_of_a_killed_run_is_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "j.db-bell")

    assert run_with_requests(tmp_path / "j.db", StopRequested()).outcome == "stopped"
    assert not (tmp_path / "j.db-bell").exists()


def test_without_a_wake_up_pipe_a_command_is_taken_at_the_next_event(
    tmp_path: Path,
) -> None:
    pipe = tmp_path / "j.db-bell"
    pipe.write_text("precious")

    report = run_with_requests(tmp_path / "j.db", StopRequested())

    assert report.outcome == "stopped"
    assert report.ended_at - report.started_at == 60  # not before a session had ended
    assert pipe.read_text() == "precious"


def test_no_step_of_the_run_waits_for_a_command(tmp_path: Path) -> None:
    with_journal = run_with_requests(tmp_path / "j.db")
    without = run_virtual(scheduler_of(WAVE).run)

    assert with_journal.ended_at - with_journal.started_at == without.ended_at - without.started_at


def test_a_table_of_commands_that_is_gone_does_not_end_the_run(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    async def remove(scheduler: Scheduler) -> None:
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("ALTER TABLE command RENAME TO gone")
        notify(path)
        await asyncio.sleep(1)
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("ALTER TABLE gone RENAME TO command")

    assert run_with_requests(path, act=remove).outcome == "complete"


# Sent while no run is under way


def test_commands_to_a_run_that_is_down_apply_when_it_comes_back(tmp_path: Path) -> None:
    path = cut_off(tmp_path / "j.db")

    capped = give(path, CapMoved("set", 1), clock=virtual_clock)
    parked = give(path, ParkRequested("a#2", "which footer?"), clock=virtual_clock)
    report = run_virtual(scheduler_of(WAVE, journal=path).run)

    assert capped
    assert capped.text.endswith("; no run is under way: it takes effect in the next one")
    assert parked == Answer(
        True, "a#2 is parked: which footer?; no run is under way: it takes effect in the next one"
    )
    assert report.highest_cap == 1
    assert report.issues["a#2"].why.text == "parked: which footer?"
    assert events(path)[1] == RunCutOff()
    assert len(events(path, CapMoved, ParkRequested)) == 2
    assert owner_of(path) is None


def test_a_blocked_wave_continues_when_its_issue_was_unparked_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    pipeline = ScriptedPipeline({("implement", "a#1"): [Blocked("which footer?")]})
    assert run_virtual(scheduler_of(WAVE, pipeline, journal=path).run).outcome == "blocked"

    answer = give(path, UnparkRequested("a#1"), clock=an_hour_later)
    report = run_virtual(scheduler_of(WAVE, journal=path, clock=an_hour_later).run)

    assert answer
    assert answer.done
    assert report.outcome == "complete"


def test_there_is_nothing_to_stop_where_no_run_is_under_way(tmp_path: Path) -> None:
    path = cut_off(tmp_path / "j.db")

    answer = give(path, StopRequested())

    assert answer
    assert not answer.done
    assert "nothing to stop" in answer.text
    assert events(path, StopRequested) == []


@pytest.mark.parametrize("from_open", [True, False])
def test_unanswered_commands_are_carried_out_once_by_the_next_run(
    tmp_path: Path, from_open: bool
) -> None:
    path = cut_off(tmp_path / "j.db")
    put(path, CapMoved("step_down"))
    put(path, StopRequested())  # for the run that was killed

    async def main() -> Report:
        scheduler = scheduler_of(WAVE, journal=path)
        if from_open:
            scheduler.open_journal()
            assert scheduler.cap.level == 2
        return await scheduler.run()

    assert run_virtual(main).outcome == "complete"
    assert events(path, CapMoved) == [CapMoved("step_down")]
    assert [answer and answer.done for answer in answers(path)] == [True, False]


def test_a_stop_that_is_sent_while_a_run_is_about_to_start_stops_it(tmp_path: Path) -> None:
    path = cut_off(tmp_path / "j.db")

    async def main() -> Report:
        scheduler = scheduler_of(WAVE, journal=path)
        scheduler.open_journal()
        put(path, StopRequested(), at=1e12)
        return await scheduler.run()

    assert run_virtual(main).outcome == "stopped"


def test_commands_are_not_lost_when_the_run_that_read_them_never_began(tmp_path: Path) -> None:
    path = cut_off(tmp_path / "j.db")
    put(path, CapMoved("step_down"))
    scheduler = scheduler_of(WAVE, journal=path)
    scheduler.open_journal()
    scheduler.discard_journal()

    assert answers(path) == [None]
    carry_out_waiting(path)
    assert [answer and answer.done for answer in answers(path)] == [True]
    assert len(events(path, CapMoved)) == 1


@pytest.mark.parametrize(
    ("level", "before"), [(3, CapMoved("pause")), (3, CapMoved("set", 1)), (2, CapMoved("pause"))]
)
def test_a_level_that_is_set_before_a_continued_run_applies_in_it(
    tmp_path: Path, level: int, before: CapMoved
) -> None:
    path = cut_off(tmp_path / "j.db", before)
    scheduler = scheduler_of(WAVE, journal=path, cap=3)

    scheduler.cap.set(level)
    scheduler.open_journal()

    assert scheduler.cap.level == level
    scheduler.discard_journal()


def test_a_pause_with_a_time_outlives_a_kill(tmp_path: Path) -> None:
    path = cut_off(tmp_path / "j.db", CapMoved("pause", until=1e9 + 3600))

    report = run_virtual(scheduler_of(WAVE, journal=path).run)

    assert report.outcome == "complete"
    assert report.ended_at == 1e9 + 3600 + 2 * 180
    assert events(path, PauseEnded) == [PauseEnded(1e9 + 3600)]


def test_a_pause_whose_time_has_come_while_no_run_was_under_way_ends_at_the_start(
    tmp_path: Path,
) -> None:
    path = cut_off(tmp_path / "j.db", CapMoved("pause", until=1e9 - 3600))

    assert run_virtual(scheduler_of(WAVE, journal=path).run).ended_at == 1e9 + 2 * 180


# Races and crashes


def test_a_run_that_starts_meanwhile_waits_for_the_command(tmp_path: Path) -> None:
    path = cut_off(tmp_path / "j.db")
    briefly = Lock(path, "journal", "", briefly=True)
    timer = threading.Timer(0.5, briefly.release)  # longer than a run waits for another one
    timer.start()

    scheduler = scheduler_of(WAVE, journal=path)
    scheduler.open_journal()

    scheduler.discard_journal()
    timer.join()


def test_a_run_does_not_wait_for_another_one(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "j.db", "journal", "")

    with pytest.raises(JournalInUse, match=f"in use by process {os.getpid()}"):
        scheduler_of(WAVE, journal=tmp_path / "j.db").open_journal()
    lock.release()


def test_commands_of_many_senders_are_each_carried_out_and_answered_once(
    tmp_path: Path,
) -> None:
    path = cut_off(tmp_path / "j.db")
    answered: list[Answer | None] = []

    def send() -> None:
        answered.append(give(path, CapMoved("step_down")))

    senders = [threading.Thread(target=send) for _ in range(6)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    assert (
        sorted(answer is not None and answer.done for answer in answered)
        == [False] * 3 + [True] * 3
    )
    assert len(events(path, CapMoved)) == 3
    assert len(events(path, RunCutOff)) == 1


def test_a_run_that_does_not_answer_leaves_the_command_in_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    busy = Journal(path, Settings(WAVE, 3, "done", Limits()))

    assert give(path, CapMoved("step_down"), patience=0.1) is None

    assert list(busy.unanswered_commands()) == [
        CommandRow(1, busy.unanswered_commands()[0].at, b'{"verb":"cap","move":"step_down"}')
    ]
    busy.close()
    carry_out_waiting(path)
    assert events(path) == [CapMoved("step_down")]


def test_a_sender_carries_its_command_out_when_the_run_dies_before_it_answers(
    tmp_path: Path,
) -> None:
    path = tmp_path / "j.db"
    dying = Journal(path, Settings(WAVE, 3, "done", Limits()))
    timer = threading.Timer(0.3, dying.close)
    timer.start()

    answer = give(path, CapMoved("step_down"))

    timer.join()
    assert answer
    assert answer.done
    assert events(path) == [CapMoved("step_down")]


SENDER = """
import os, signal, sys
from pathlib import Path
from wavelane.control import inbox
from wavelane_model.events import CapMoved
inbox.{where} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
inbox.give(Path(sys.argv[1]), CapMoved("step_down"))
"""


@pytest.mark.parametrize("where", ["owner_of", "load", "execute", "Journal.append"])
def test_a_sender_that_is_killed_leaves_its_command_to_whoever_comes_next(
    tmp_path: Path, where: str
) -> None:
    path = cut_off(tmp_path / "j.db")
    root = Path(__file__).parent.parent
    env = {**os.environ, "PYTHONPATH": f"{root / 'model'}{os.pathsep}{root / 'executor'}"}

    killed = subprocess.run(
        [sys.executable, "-c", SENDER.format(where=where), str(path)], env=env, check=False
    )

    assert killed.returncode == -signal.SIGKILL
    assert answers(path) == [None]
    assert give(path, ParkRequested("a#2", "?"))
    assert [answer and answer.done for answer in answers(path)] == [True, True]
    assert len(events(path, CapMoved)) == 1


def test_a_missing_file_or_one_that_is_no_journal_takes_no_command(tmp_path: Path) -> None:
    (tmp_path / "wave.yaml").write_text("wave: test")

    with pytest.raises(JournalError, match="there is no journal"):
        give(tmp_path / "none.db", StopRequested())
    with pytest.raises(JournalError, match="is not a journal"):
        give(tmp_path / "wave.yaml", StopRequested())
    assert not (tmp_path / "none.db").exists()
    assert [*tmp_path.iterdir()] == [tmp_path / "wave.yaml"]


def test_a_journal_of_a_newer_format_takes_no_command(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    Journal(path, Settings(WAVE, 3, "done", Limits())).close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'format'")

    with pytest.raises(JournalError, match="a newer version of wavelane wrote it"):
        give(path, StopRequested())
    assert answers(path) == []


@pytest.mark.broken_journals
def test_a_journal_that_was_changed_takes_no_command(tmp_path: Path) -> None:
    path = cut_off(tmp_path / "j.db")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE event SET at = at + 1")

    with pytest.raises(JournalError, match="was changed after it was written"):
        give(path, CapMoved("step_down"))
    assert owner_of(path) is None


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.binary(max_size=40)
        | st.text(max_size=40)
        | st.integers(-(2**63), 2**63 - 1)
        | st.sampled_from([encode_request(CapMoved("step_down")), encode_request(StopRequested())]),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([0.0, "soon", b"\xff", 7]),
)
def test_any_content_of_the_table_of_commands_is_answered(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], at: Any
) -> None:
    path = tmp_path_factory.mktemp("inbox") / "j.db"

    async def main() -> Report:
        scheduler = scheduler_of(WAVE, journal=path)
        run = asyncio.create_task(scheduler.run())
        await asyncio.sleep(10)
        with closing(sqlite3.connect(path)) as db, db:
            for row in rows:
                db.execute("INSERT INTO command (at, request) VALUES (?, ?)", (at, row))
        notify(path)
        await asyncio.sleep(1)
        with closing(JournalReader(path)) as reader:
            assert reader.unanswered_commands() == []
        scheduler.cap.resume()
        return await run

    assert run_virtual(main).outcome in ("complete", "stopped")
