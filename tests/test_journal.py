from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers import scheduler_of, wave_of

from wavelane import (
    Approved,
    Assignment,
    Blocked,
    ChangesRequested,
    Conflicted,
    JournalError,
    Limits,
    Merged,
    Postponed,
    Report,
    Scheduler,
    Wave,
)
from wavelane.journal import (
    Journal,
    JournalReader,
    RecordedEvent,
    Settings,
    Standing,
    decode_event,
    encode_event,
    next_digest,
    read_journal,
)
from wavelane.steps import Step
from wavelane.testing import ScriptedPipeline, run_virtual
from wavelane.testing.virtual import EPOCH
from wavelane_model.events import (
    CapMoved,
    Event,
    MergeTurnRequested,
    MergeTurnReturned,
    OrderPlanned,
    ParkRequested,
    Reservation,
    ReservationEnded,
    SessionEnded,
    StopRequested,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.outcomes import Failed, Implemented, Outcome, Stopped
from wavelane_model.wave import Finished, Issue

# Values

TEXTS = st.text(max_size=20) | st.sampled_from(["", "Zoë", "caf\udce9", "\0", "a\nb", '"', "𝛿"])
TIMES = st.none() | st.floats(allow_nan=False, allow_infinity=False)
OUTCOMES: st.SearchStrategy[Any] = st.one_of(
    *(
        st.builds(Postponed, TIMES, TEXTS)
        if kind is Postponed
        else st.builds(kind, **dict.fromkeys(kind.__dataclass_fields__, TEXTS))
        for kind in get_args(Outcome)
    )
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "issue": TEXTS,
    "session": st.integers(0, 2**60),
    "outcome": OUTCOMES,
    "move": st.sampled_from(["step_down", "step_up", "set", "pause", "resume"]),
    "level": st.integers(0, 2**60),
    "until": st.floats(allow_nan=False, allow_infinity=False),
    "reason": TEXTS,
    "repo": TEXTS,
    "ticket": TEXTS,
    "issues": st.lists(
        st.builds(
            *(Issue, TEXTS, TEXTS, st.lists(TEXTS)),
            title=TEXTS,
            priority=st.integers(),
            labels=st.lists(TEXTS),
        )
    ).map(tuple),
    "done": st.lists(TEXTS).map(tuple),
    "experience": st.none()
    | st.lists(st.builds(Finished, TEXTS, st.lists(TEXTS), st.floats(0, 1e12))).map(tuple),
    "order": st.lists(TEXTS).map(tuple),
    "reservations": st.lists(
        st.builds(Reservation, TEXTS, st.floats(allow_nan=False, allow_infinity=False))
    ).map(tuple),
}
EVENTS: st.SearchStrategy[Any] = st.one_of(
    *(
        st.builds(kind, **{name: FIELDS[name] for name in kind.__dataclass_fields__})
        for kind in get_args(Event)
    )
)


@given(EVENTS)
def test_every_event_with_every_outcome_is_read_back_as_it_was_written(event: Event) -> None:
    assert decode_event(*encode_event(event)) == event


def test_every_kind_of_event_and_outcome_is_among_those() -> None:
    assert len(get_args(Event)) == 20
    assert len(get_args(Outcome)) == 10


def test_a_plan_and_the_end_of_a_reservation_stand_under_their_first_names_on_disk() -> None:
    """Existing journals say "holds" and "HoldEnded"."""
    plan = OrderPlanned(("web#1",), (Reservation("web#1", 9.0),))
    stored = ("OrderPlanned", None, '{"order":["web#1"],"holds":[{"issue":"web#1","until":9.0}]}')

    assert encode_event(plan) == stored
    assert decode_event(*stored) == plan
    assert encode_event(ReservationEnded("web#1", 9.0)) == ("HoldEnded", "web#1", '{"until":9.0}')


def columns_of(event: Event) -> list[str]:
    """The parts of an event with their own columns: ids and repos, which a wave has checked."""
    if isinstance(event, WaveAmended):
        return [text for issue in event.issues for text in (issue.id, issue.repo)]
    return [getattr(event, "issue", "")]


def is_unicode(text: str) -> bool:
    return text.encode("utf-8", "ignore").decode() == text


@pytest.mark.broken_journals
@given(st.lists(st.tuples(st.floats(0, 1e12), EVENTS), max_size=5))
def test_events_come_back_from_the_file_in_order_and_at_their_times(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[float, Event]]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    storable = [
        RecordedEvent(at, event)
        for at, event in written
        if all(is_unicode(text) for text in columns_of(event))
    ]
    journal = Journal(path, settings_of(wave_of("a#1")))
    journal.append(storable)
    journal.close()

    assert read_journal(path)[1] == storable


CELLS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()


@given(st.lists(CELLS | st.lists(CELLS)))
def test_a_row_is_sealed_as_the_json_of_its_values(row: list[object]) -> None:
    text = json.dumps(row, default=repr)

    assert next_digest("before", row) == hashlib.sha256(f"before{text}".encode()).hexdigest()


def settings_of(wave: Wave) -> Settings:
    return Settings(wave, 2, "done", Limits())


@pytest.mark.parametrize("lane_release", ["done", "review"])
def test_what_a_run_was_started_with_comes_back(tmp_path: Path, lane_release: LaneRelease) -> None:
    wave = Wave(
        [
            Issue("a#1", "a", ["x#9"], title="Zoë's", body="…\n", priority=-2, estimate=1.5),
            Issue("b#1", "b", ["a#1"], labels=["ui", "bug"]),
        ],
        repos=["b", "a", "c"],
        done=["x#9"],
        experience=[Finished("a", ["ui"], 61.25), Finished("z", (), 0.0)],
    )
    limits = Limits(review_rounds=1, merge_timeout=2.5, postpone_delay=7)
    journal = Journal(tmp_path / "j.db", Settings(wave, 2, lane_release, limits))
    journal.close()

    found, entries = read_journal(tmp_path / "j.db")

    assert found.wave.issues == wave.issues
    assert (found.wave.repos, found.wave.done) == (wave.repos, wave.done)
    assert found.wave.experience == wave.experience
    assert (found.ceiling, found.lane_release, found.limits) == (2, lane_release, limits)
    assert entries == []


def test_a_journal_without_labels_and_experience_has_no_keys_of_them(tmp_path: Path) -> None:
    Journal(tmp_path / "j.db", settings_of(wave_of("a#1"))).close()

    with closing(sqlite3.connect(tmp_path / "j.db")) as database:
        [(definition,)] = database.execute("SELECT definition FROM issue")
        keys = {key for (key,) in database.execute("SELECT key FROM meta")}
    assert "labels" not in json.loads(definition)
    assert "experience" not in keys
    assert read_journal(tmp_path / "j.db")[0].wave["a#1"].labels == ()


@pytest.mark.broken_journals
@pytest.mark.parametrize("experience", ["7", '[{"repo":"a"}]', '[{"repo":"a","labels":"bug"}]'])
def test_an_experience_that_cannot_be_read_is_said_to_be_wrong(
    tmp_path: Path, experience: str
) -> None:
    Journal(tmp_path / "j.db", settings_of(wave_of("a#1"))).close()
    with closing(sqlite3.connect(tmp_path / "j.db")) as database, database:
        database.execute("INSERT INTO meta VALUES ('experience', ?)", (experience,))

    with pytest.raises(JournalError, match="does not say what its run was started with"):
        read_journal(tmp_path / "j.db")


# Events before effects


class ReadsItsJournal(ScriptedPipeline):
    """At its beginning each call reads the journal with its own connection."""

    def __init__(self, path: Path, script: Any = None) -> None:
        super().__init__(script)
        self.path = path
        self.found: dict[tuple[Step, str], list[Event]] = {}

    async def _play(self, step: Step, issue: Assignment) -> object:
        self.found.setdefault((step, issue.id), self.on_disk())
        try:
            return await super()._play(step, issue)
        except asyncio.CancelledError:
            self.found["review", "cancelled"] = self.on_disk()
            raise

    def on_disk(self) -> list[Event]:
        with closing(sqlite3.connect(self.path)) as database:
            rows = database.execute("SELECT kind, issue, data FROM event ORDER BY seq")
            return [decode_event(*row) for row in rows]


def test_the_event_that_led_to_a_session_is_on_disk_before_it_starts(tmp_path: Path) -> None:
    pipeline = ReadsItsJournal(tmp_path / "j.db")
    scheduler = scheduler_of(wave_of("a#1", "b#1 < a#1"), pipeline, journal=pipeline.path)

    run_virtual(scheduler.run)

    assert {at: found[-1] for at, found in pipeline.found.items()} == {
        ("implement", "a#1"): WaveStarted(),
        ("review", "a#1"): SessionEnded("a#1", 1, Implemented()),
        ("merge", "a#1"): SessionEnded("a#1", 2, Approved()),
        ("implement", "b#1"): SessionEnded("a#1", 3, Merged()),
        ("review", "b#1"): SessionEnded("b#1", 1, Implemented()),
        ("merge", "b#1"): SessionEnded("b#1", 2, Approved()),
    }


def test_an_order_to_end_a_session_is_on_disk_before_the_session_notices(tmp_path: Path) -> None:
    pipeline = ReadsItsJournal(tmp_path / "j.db")
    scheduler = scheduler_of(wave_of("a#1"), pipeline, journal=pipeline.path)

    async def main() -> None:
        run = asyncio.create_task(scheduler.run())
        await asyncio.sleep(90)
        scheduler.park("a#1", "which key?")
        await run

    run_virtual(main)

    assert pipeline.found["review", "cancelled"][-1] == ParkRequested("a#1", "which key?")


def test_a_move_of_the_cap_is_on_disk_before_what_it_lets_start(tmp_path: Path) -> None:
    pipeline = ReadsItsJournal(tmp_path / "j.db")
    scheduler = scheduler_of(wave_of("a#1"), pipeline, journal=pipeline.path)
    scheduler.cap.pause()

    async def main() -> None:
        run = asyncio.create_task(scheduler.run())
        await asyncio.sleep(90)
        scheduler.cap.resume()
        await run

    run_virtual(main)

    assert pipeline.found["implement", "a#1"] == [
        CapMoved("pause"),
        WaveStarted(),
        CapMoved("resume"),
    ]


def test_a_turn_of_the_engine_is_on_disk_before_it_is_given(tmp_path: Path) -> None:
    pipeline = ReadsItsJournal(tmp_path / "j.db")
    scheduler = scheduler_of(wave_of("a#1"), pipeline, journal=pipeline.path)

    async def main() -> list[Event]:
        run = asyncio.create_task(scheduler.run())
        await asyncio.sleep(10)
        async with scheduler.merge_turn("a"):
            found = pipeline.on_disk()
        await run
        return [*found, *pipeline.on_disk()]

    events = run_virtual(main)

    assert events[1] == MergeTurnRequested("a", "turn-1")
    assert MergeTurnReturned("a", "turn-1") in events


def test_events_that_come_in_together_are_written_in_one_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[int] = []
    append = Journal.append

    def counting(journal: Journal, entries: list[RecordedEvent], *standings: Any) -> None:
        groups.append(len(entries))
        append(journal, entries, *standings)

    monkeypatch.setattr(Journal, "append", counting)
    scheduler = scheduler_of(wave_of("a#1", "b#1", "c#1"), journal=tmp_path / "j.db")

    run_virtual(scheduler.run)

    assert groups == [1, 3, 3, 3]


def test_what_was_committed_is_safe_from_a_power_cut(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db", settings_of(wave_of("a#1")))

    with closing(journal._db.execute("PRAGMA synchronous")) as full:
        assert full.fetchone() == (2,)
    with closing(journal._db.execute("PRAGMA journal_mode")) as mode:
        assert mode.fetchone() == ("wal",)
    journal.close()


def test_the_events_of_a_process_that_was_killed_are_there(tmp_path: Path) -> None:
    program = f"""
import asyncio, os, signal
from wavelane import *
class Dies:
    async def implement(self, issue): pass
    async def review(self, issue): os.kill(os.getpid(), signal.SIGKILL)
    async def merge(self, issue): pass
asyncio.run(Scheduler(Wave([Issue("a#1", "a")]), Dies(), journal={str(tmp_path / "j.db")!r}).run())
"""
    paths = os.pathsep.join(sys.path)
    died = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": paths}, check=False
    )

    assert died.returncode == -9
    assert [entry.event for entry in read_journal(tmp_path / "j.db")[1]] == [
        WaveStarted(),
        SessionEnded("a#1", 1, Implemented()),
    ]
    assert Report.from_journal(tmp_path / "j.db").issues["a#1"].state == "review"


# Readers


SCRIPT: dict[tuple[Step, str], list[object]] = {
    ("implement", "a#1"): [Postponed(reason="quota"), ValueError("it broke")],
    ("review", "a#1"): [ChangesRequested("a test")],
    ("merge", "a#2"): [Conflicted("a.py")],
    ("implement", "b#1"): [Blocked("which key?")],
}
EVENTFUL = ("a#1", "a#2", "b#1", "b#2 < b#1", "c#1 < a#1", "c#2")


@pytest.mark.parametrize("lane_release", ["done", "review"])
def test_a_report_from_the_journal_is_the_report_of_the_run(
    tmp_path: Path, lane_release: LaneRelease
) -> None:
    scheduler = scheduler_of(
        wave_of(*EVENTFUL),
        ScriptedPipeline(SCRIPT),
        cap=2,
        lane_release=lane_release,
        journal=tmp_path / "j.db",
    )

    async def main() -> Report:
        run = asyncio.create_task(scheduler.run())
        await asyncio.sleep(30)
        scheduler.cap.step_down()
        await asyncio.sleep(100)
        scheduler.cap.step_up()
        scheduler.cancel("c#2")
        async with scheduler.merge_turn("a"):
            await asyncio.sleep(10)
        return await run

    report = run_virtual(main)

    assert report.outcome == "blocked"
    assert Report.from_journal(tmp_path / "j.db") == report


def test_a_report_can_be_had_from_the_journal_of_a_live_run(tmp_path: Path) -> None:
    scheduler = scheduler_of(wave_of("a#1"), journal=tmp_path / "j.db")

    async def main() -> tuple[Report, Report]:
        run = asyncio.create_task(scheduler.run())
        await asyncio.sleep(90)
        found = Report.from_journal(tmp_path / "j.db"), scheduler.report()
        await run
        return found

    written, live = run_virtual(main)

    assert written == live
    assert (written.outcome, written.issues["a#1"].state) == ("unfinished", "review")


def test_any_sql_client_can_read_where_the_issues_stand(tmp_path: Path) -> None:
    scheduler = scheduler_of(
        wave_of(*EVENTFUL), ScriptedPipeline(SCRIPT), cap=2, journal=tmp_path / "j.db"
    )

    report = run_virtual(scheduler.run)

    with closing(sqlite3.connect(tmp_path / "j.db")) as database:
        rows = database.execute(
            "SELECT id, repo, state, since, attempts, reason "
            "FROM issue JOIN standing USING (position) ORDER BY position"
        ).fetchall()
    assert rows == [
        (
            issue.id,
            issue.repo,
            issue.state,
            scheduler.status(issue.id).since,
            issue.attempts,
            "which key?" if issue.id == "b#1" else "",
        )
        for issue in report.issues.values()
    ]


def test_the_rows_say_on_the_way_what_the_scheduler_says(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    compared = 0
    scheduler: Scheduler

    class Compares(ScriptedPipeline):
        async def _play(self, step: Step, issue: Assignment) -> object:
            nonlocal compared
            await asyncio.sleep(1)
            with JournalReader(path) as reader:
                for issue_id, standing in reader.standings().items():
                    status = scheduler.status(issue_id)
                    assert standing[:3] == (status.state, status.since, status.attempts)
                    compared += 1
            return await super()._play(step, issue)

    scheduler = scheduler_of(wave_of(*EVENTFUL), Compares(SCRIPT), cap=2, journal=path)
    report = run_virtual(scheduler.run)

    assert report.issues["c#1"].state == "done"
    assert compared == 6 * len([entry for entry in read_journal(path)[1] if is_end(entry.event)])


def is_end(event: Event) -> bool:
    return isinstance(event, SessionEnded)


def test_a_reader_does_not_stop_the_writer(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    scheduler = scheduler_of(wave_of("a#1"), journal=path)

    async def main() -> str:
        run = asyncio.create_task(scheduler.run())
        await asyncio.sleep(30)
        with closing(sqlite3.connect(path)) as database:
            database.execute("BEGIN")
            database.execute("SELECT * FROM event").fetchall()
            return (await run).outcome

    assert run_virtual(main) == "complete"


def test_texts_that_are_no_utf_8_are_kept(tmp_path: Path) -> None:
    pipeline = ScriptedPipeline({("implement", "a#1"): [Blocked("caf\udce9")]})
    scheduler = scheduler_of(wave_of("a#1"), pipeline, journal=tmp_path / "j.db")

    report = run_virtual(scheduler.run)

    assert report.issues["a#1"].why.text == "parked: caf\udce9"
    assert Report.from_journal(tmp_path / "j.db") == report


def test_a_stop_and_the_end_of_a_session_on_order_are_in_the_journal(tmp_path: Path) -> None:
    scheduler = scheduler_of(wave_of("a#1", "b#1"), journal=tmp_path / "j.db")

    async def main() -> None:
        run = asyncio.create_task(scheduler.run())
        await asyncio.sleep(30)
        scheduler.park("a#1", "which key?")
        await asyncio.sleep(1)
        scheduler.stop()
        await run

    run_virtual(main)

    assert [entry.event for entry in read_journal(tmp_path / "j.db")[1]][1:] == [
        ParkRequested("a#1", "which key?"),
        SessionEnded("a#1", 1, Stopped()),
        StopRequested(),
        SessionEnded("b#1", 1, Implemented()),
    ]


# What cannot be made


def refused(path: Path) -> str:
    """The text of the error of a run with this journal, which must have started nothing."""
    pipeline = ScriptedPipeline()
    with pytest.raises(JournalError) as caught:
        run_virtual(scheduler_of(wave_of("a#1"), pipeline, journal=path).run)
    assert pipeline.calls == []
    return str(caught.value)


@pytest.mark.parametrize("content", [b"garbage", b"SQLite format 3\0 almost"])
def test_a_file_that_is_there_already_is_never_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "j.db"
    path.write_bytes(content)

    reason = "file is not a database"
    assert refused(path) == f"{path} is not a journal ({reason}); give the path of one"
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE other (x)")
    before = path.read_bytes()

    assert refused(path) == f"{path} is not a journal (no such table: meta); give the path of one"
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    assert refused(tmp_path) == f"{tmp_path} is a folder, not a journal; name another file"


def test_an_empty_file_is_a_place_for_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.touch()

    run_virtual(scheduler_of(wave_of("a#1"), journal=path).run)

    assert Report.from_journal(path).outcome == "complete"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "j.db"

    text = refused(path)

    assert text.startswith(f"journal {path} cannot be made: ")
    assert text.endswith("; check that its folder exists, can be written to and has room")


def mounted(folder: Path, options: str) -> bool:
    """Whether a small disk could be put at `folder`."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@contextlib.contextmanager
def unwritable(folder: Path) -> Iterator[Path]:
    """A folder that cannot be written to, whoever runs the tests."""
    folder.mkdir()
    folder.chmod(0o555)
    if not os.access(folder, os.W_OK):
        yield folder
        folder.chmod(0o755)
    elif mounted(folder, "size=64k,ro"):
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)
    else:
        assert Path("/proc/self").is_dir(), "there is no folder that root cannot write to"
        yield Path("/proc/self")


def test_a_folder_that_is_read_only_is_named(tmp_path: Path) -> None:
    with unwritable(tmp_path / "read-only") as folder:
        text = refused(folder / "j.db")

    assert text.startswith(f"journal {folder / 'j.db'} cannot be made: ")


class SmallDisk:
    """A folder in which no file can be larger than `size`, until the limit is lifted."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size

    def __enter__(self) -> SmallDisk:
        self.folder.mkdir()
        self.is_mounted = mounted(self.folder, f"size={self.size}")
        self.limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        if not self.is_mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.limits[1]))
        return self

    def make_room(self) -> None:
        if self.is_mounted:
            remount = ["mount", "-o", "remount,size=64m", str(self.folder)]
            subprocess.run(remount, check=True)
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, self.limits)

    def __exit__(self, *_: object) -> None:
        self.make_room()
        if self.is_mounted:
            subprocess.run(["umount", str(self.folder)], check=True)


@pytest.fixture(params=["a full disk", "a file that may grow no more"])
def small_disks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes small disks: by a limit on file sizes where mounting is impossible, and once in any
    case."""
    if request.param != "a full disk":
        monkeypatch.setattr(f"{__name__}.mounted", lambda folder, options: False)


@pytest.mark.usefixtures("small_disks")
def test_a_disk_without_room_for_the_journal_is_reported_and_nothing_is_left_on_it(
    tmp_path: Path,
) -> None:
    with SmallDisk(tmp_path / "disk", 8192) as disk:
        path = disk.folder / "j.db"
        text = refused(path)

        assert text.startswith(f"journal {path} cannot be made: ")
        assert text.endswith("; check that its folder exists, can be written to and has room")
        assert [*disk.folder.iterdir()] == []

        disk.make_room()
        run_virtual(scheduler_of(wave_of("a#1"), journal=path).run)
        assert Report.from_journal(path).outcome == "complete"


@pytest.mark.usefixtures("small_disks")
def test_a_disk_that_is_full_in_mid_run_ends_the_sessions_and_the_run_with_an_error(
    tmp_path: Path,
) -> None:
    pipeline = ScriptedPipeline(seconds=lambda step, issue: 60 + ord(issue.repo) % 7)
    wave = wave_of(*(f"{repo}#{number}" for repo in "abcde" for number in range(9)))
    with SmallDisk(tmp_path / "disk", 256 * 1024) as disk:
        path = disk.folder / "j.db"
        scheduler = scheduler_of(wave, pipeline, journal=path)

        with pytest.raises(JournalError) as caught:
            run_virtual(scheduler.run)

        assert str(caught.value).startswith(f"journal {path} cannot be written: ")
        assert pipeline.under_way() == []
        assert "cancelled" in {call.outcome for call in pipeline.calls}
        disk.make_room()
        assert Report.from_journal(path).outcome == "unfinished"


def test_after_a_write_that_failed_nothing_more_is_written_so_that_there_is_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = Journal._insert
    writes = 0

    def fails_once(journal: Journal, entries: Any, standings: Any) -> None:
        nonlocal writes
        writes += 1
        if writes == 5:
            raise sqlite3.OperationalError("database or disk is full")
        insert(journal, entries, standings)

    monkeypatch.setattr(Journal, "_insert", fails_once)
    path = tmp_path / "j.db"
    pipeline = merges_late(lambda step, issue: 60 if issue.id == "a#1" else 45)
    scheduler = scheduler_of(wave_of("a#1", "b#1"), pipeline, journal=path)

    with pytest.raises(JournalError, match="cannot be written: database or disk is full"):
        run_virtual(scheduler.run)

    assert scheduler.report().issues["b#1"].state == "done", "its merge was in all the same"
    assert writes == 5
    assert [entry.event for entry in read_journal(path)[1]] == [
        WaveStarted(),
        SessionEnded("b#1", 1, Implemented()),
        SessionEnded("a#1", 1, Implemented()),
        SessionEnded("b#1", 2, Approved()),
    ]
    assert Report.from_journal(path).issues["b#1"].state == "merging"


def test_an_error_of_the_journal_is_not_hidden_by_a_cancelled_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = scheduler_of(wave_of("a#1"), merges_late(), journal=tmp_path / "j.db")

    def fails(journal: Journal, entries: Any, standings: Any) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    async def main() -> None:
        run = asyncio.create_task(scheduler.run())
        await asyncio.sleep(150)
        monkeypatch.setattr(Journal, "_insert", fails)
        run.cancel()
        await run

    with pytest.raises(JournalError, match="cannot be written: disk I/O error"):
        run_virtual(main)


def merges_late(
    seconds: float | Callable[[Step, Assignment], float] = 60,
) -> ScriptedPipeline:
    """A pipeline whose merges have gone in when they are cancelled."""

    class MergesLate(ScriptedPipeline):
        async def merge(self, issue: Assignment) -> Merged:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
            return Merged()

    return MergesLate(seconds=seconds)


# What cannot be read


def unreadable(path: Path) -> str:
    with pytest.raises(JournalError) as caught:
        Report.from_journal(path)
    return str(caught.value)


def test_a_journal_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    assert unreadable(path) == f"there is no journal {path}; give the path of an existing one"
    assert not path.exists()


def test_a_file_that_is_no_journal_is_named(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.write_bytes(b"garbage" * 1000)

    assert unreadable(path).startswith(f"{path} is not a journal (file is not a database)")


def test_a_database_that_is_no_journal_is_named(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE other (x)")

    assert unreadable(path).startswith(f"{path} is not a journal (no such table: meta)")


def changed(path: Path, *statements: str) -> Path:
    """A journal of a whole run, changed by hand."""
    run_virtual(scheduler_of(wave_of("a#1"), journal=path).run)
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()
    return path


@pytest.mark.broken_journals
@pytest.mark.parametrize(("version", "age"), [("5", "a newer"), ("3", "another")])
def test_a_journal_of_another_format_is_refused(tmp_path: Path, version: str, age: str) -> None:
    path = changed(tmp_path / "j.db", f"UPDATE meta SET value = '{version}' WHERE key = 'format'")

    assert unreadable(path) == refused(path)
    assert unreadable(path) == (
        f"journal {path} has format {version}: {age} version of wavelane wrote it, and this one "
        "reads format 4; use that version"
    )


@pytest.mark.broken_journals
def test_an_event_of_another_version_is_refused(tmp_path: Path) -> None:
    path = changed(tmp_path / "j.db", "UPDATE event SET version = 2 WHERE seq = 3")

    assert unreadable(path) == (
        f"journal {path} has an event of version 2; this version of wavelane reads version 1"
    )


@pytest.mark.broken_journals
@pytest.mark.parametrize(
    "change",
    [
        "kind = 'Surprise'",
        "data = 'garbage'",
        "data = NULL",
        "issue = NULL",
        """data = '{"session":1,"outcome":"Surprise"}'""",
        """data = '{"session":1,"outcome":"Blocked"}'""",
        """data = '{"session":1,"outcome":"Implemented","more":1}'""",
    ],
)
def test_an_event_that_no_version_has_written_is_refused(tmp_path: Path, change: str) -> None:
    path = changed(tmp_path / "j.db", f"UPDATE event SET {change} WHERE seq = 2")

    assert unreadable(path).startswith("the journal has an event that cannot be read")


def test_a_failure_is_written_with_its_text(tmp_path: Path) -> None:
    pipeline = ScriptedPipeline({("implement", "a#1"): [ValueError("it broke")]})
    run_virtual(scheduler_of(wave_of("a#1"), pipeline, journal=tmp_path / "j.db").run)

    first_end = next(entry for entry in read_journal(tmp_path / "j.db")[1] if is_end(entry.event))
    assert first_end == RecordedEvent(
        EPOCH + 60, SessionEnded("a#1", 1, Failed("implement raised ValueError: it broke"))
    )


@pytest.mark.broken_journals
def test_a_standing_is_what_the_row_then_says(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db", settings_of(wave_of("a#1", "b#1")))
    standing = Standing("parked", 5.0, 2, "which key?")
    written: Iterable[tuple[str, Standing]] = [("a#1", standing)]
    journal.append([RecordedEvent(5.0, WaveStarted())], written)
    journal.close()

    with JournalReader(tmp_path / "j.db") as reader:
        assert reader.standings() == {"a#1": standing, "b#1": Standing("queued", None, 0, "")}
