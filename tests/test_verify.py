"""`verify` accepts every journal of a run that keeps the rules, and no other."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from specs.forgeries import CUT_OFF, FORGERIES, PIPELINED, STRICT, Base, Forger, forge
from specs.written import write_journal
from tests.helpers import scheduler_of, wave_of

from wavelane import Issue, JournalError, Limits, Report, Scheduler, Wave
from wavelane.journal import (
    Journal,
    JournalReader,
    RecordedEvent,
    Settings,
    decode_event,
    encode_event,
)
from wavelane.testing import ScriptedPipeline, assert_keeps_the_rules, run_virtual, virtual_clock
from wavelane.testing.strategies import lane_releases, limits, waves
from wavelane.verify import Finding, verify
from wavelane_model.events import (
    AttemptResumed,
    PostponementEnded,
    RunCutOff,
    SessionEnded,
    WaveStarted,
)
from wavelane_model.lifecycle import LaneRelease
from wavelane_model.outcomes import (
    Approved,
    Blocked,
    ChangesRequested,
    Checkpoint,
    Conflicted,
    Failed,
    Implemented,
    Outcome,
    Postponed,
)

pytestmark = pytest.mark.broken_journals
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def journal_of(folder: Path, tmp_path: Path) -> Callable[[Base], Path]:
    """A fresh copy of a base's journal; each base is run once."""

    def copy(base: Base) -> Path:
        kept = folder / f"{id(base)}.db"
        if not kept.exists():
            base.write(kept)
        return Path(shutil.copy(kept, tmp_path / "journal.db"))

    return copy


# Journals that keep the rules


def test_the_journal_of_a_run_keeps_the_rules(journal_of: Callable[[Base], Path]) -> None:
    verdict = verify(journal_of(STRICT))

    assert verdict.keeps_the_rules
    assert verdict.outcome == "blocked"
    assert str(verdict) == "keeps the rules: 11 events, blocked"
    assert (verdict.findings, verdict.notes) == ((), ())


@given(
    wave=waves(),
    ceiling=st.integers(1, 4),
    lane_release=lane_releases,
    limits=limits,
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_the_journal_of_any_run_keeps_the_rules_and_says_what_its_report_says(
    wave: Wave, ceiling: int, lane_release: LaneRelease, limits: Limits, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "journal.db"
        report = run_any(path, wave, ceiling, lane_release, limits, data)

        verdict = assert_keeps_the_rules(path)

    assert verdict.outcome == report.outcome


ENDINGS: dict[str, list[object]] = {
    "implement": [None, Checkpoint("half"), Blocked(""), Postponed(), ValueError("broken")],
    "review": [Approved(), ChangesRequested("again"), Blocked("why?"), Postponed(reason="quota")],
    "merge": [None, Conflicted("a.py"), OSError("no disk")],
}


def run_any(
    path: Path,
    wave: Wave,
    ceiling: int,
    lane_release: LaneRelease,
    limits: Limits,
    data: st.DataObject,
) -> Report:
    """A run whose sessions end as the data says."""
    script: dict[Any, list[object]] = {
        (step, issue.id): data.draw(st.lists(st.sampled_from(endings), max_size=2))
        for issue in wave.issues
        for step, endings in ENDINGS.items()
    }
    scheduler = Scheduler(
        wave,
        ScriptedPipeline(script),
        cap=ceiling,
        lane_release=lane_release,
        limits=limits,
        journal=path,
        clock=virtual_clock,
    )
    return run_virtual(scheduler.run)


def test_a_run_that_goes_on_keeps_the_rules_and_its_open_sessions_are_named(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db", Settings(STRICT.wave, 2, "done", Limits()))
    journal.append([RecordedEvent(1.0, WaveStarted())])
    forge(journal.path, lambda f: f.set_standing("api#1", state="running", since=1.0, attempts=1))
    forge(journal.path, lambda f: f.set_standing("app#1", state="running", since=1.0, attempts=1))

    verdict = assert_keeps_the_rules(journal.path)
    journal.close()

    assert verdict.outcome == "unfinished"
    assert verdict.notes == (
        "session 1 of api#1 is still open: the run goes on, or was cut off",
        "session 1 of app#1 is still open: the run goes on, or was cut off",
    )


def test_a_wave_whose_runs_were_cut_off_keeps_the_rules_to_its_end(
    journal_of: Callable[[Base], Path],
) -> None:
    verdict = verify(journal_of(CUT_OFF))

    assert str(verdict) == "keeps the rules: 14 events, stopped"


def test_a_run_that_was_cut_off_keeps_the_rules_and_its_lost_sessions_are_named(
    tmp_path: Path,
) -> None:
    write_journal(
        tmp_path / "journal.db", Settings(STRICT.wave, 2, "done", Limits()), CUT_OFF.events[:5]
    )

    verdict = assert_keeps_the_rules(tmp_path / "journal.db")

    assert verdict.outcome == "unfinished"
    assert verdict.notes == (
        "session 1 of app#1 was cut off; what is left of it is not recorded yet",
    )


@pytest.mark.parametrize(("until", "rules"), [(240.0, []), (900.0, ["wait"])])
def test_a_wait_goes_on_over_a_run_that_was_cut_off(
    tmp_path: Path, until: float, rules: list[str]
) -> None:
    wave = Wave([Issue("a#1", "a"), Issue("b#1", "b")])
    write_journal(
        tmp_path / "journal.db",
        Settings(wave, 2, "done", Limits()),
        (
            WaveStarted(),
            SessionEnded("a#1", 1, Postponed(1_000_000_000.0 + until)),
            RunCutOff(),
            AttemptResumed("b#1"),
            WaveStarted(),
            PostponementEnded("a#1"),
        ),
    )

    assert [found.rule for found in verify(tmp_path / "journal.db").findings] == rules


def test_a_journal_without_events_is_that_of_a_run_that_has_not_begun(tmp_path: Path) -> None:
    Journal(tmp_path / "journal.db", Settings(STRICT.wave, 2, "done", Limits())).close()

    verdict = verify(tmp_path / "journal.db")

    assert str(verdict) == "keeps the rules: 0 events, unfinished"


def test_a_clock_that_is_set_back_a_little_is_a_note(journal_of: Callable[[Base], Path]) -> None:
    path = journal_of(STRICT)
    forge(path, lambda f: f.change(6, at=1_000_000_179.0))

    verdict = verify(path)

    assert verdict.keeps_the_rules
    assert verdict.notes == (
        "event 6: its time is 1 s before that of the event before it; the clock was set back",
    )


# Forged journals: that each of FORGERIES is found is checked by the traces, in specs/


def test_the_forgeries_are_as_many_as_their_names() -> None:
    assert len({forgery.name for forgery in FORGERIES}) == len(FORGERIES) >= 12


def test_a_change_that_breaks_no_rule_is_noticed_by_the_hash_chain_alone(
    journal_of: Callable[[Base], Path],
) -> None:
    path = journal_of(STRICT)
    forge(path, lambda f: f.define("web#1", title="Another"), rehash=False)

    verdict = verify(path)

    assert [found.rule for found in verdict.findings] == ["hash_chain"]


def test_a_verdict_is_a_line_for_people_and_values_for_machines(
    journal_of: Callable[[Base], Path],
) -> None:
    path = journal_of(STRICT)
    forge(path, lambda f: f.insert(2, SessionEnded("api#2", 1, Implemented())))

    verdict = verify(path)

    sentence = (
        "session 1 of api#2 ended with Implemented, "
        "but api#2 was never started: lane api held by api#1"
    )
    assert str(verdict) == (
        f"breaks the rules: 12 events, unfinished\nlane: event 3 (SessionEnded api#2): {sentence}"
    )
    assert json.loads(json.dumps(verdict.to_dict())) == {
        "keeps_the_rules": False,
        "events": 12,
        "outcome": "unfinished",
        "findings": [
            {
                "rule": "lane",
                "text": sentence,
                "event": 3,
                "at": 1_000_000_060.0,
                "subject": "api#2",
                "what": "SessionEnded api#2",
            }
        ],
        "notes": [],
    }


def test_a_journal_that_breaks_a_rule_fails_a_test_that_asserts_it_keeps_them(
    journal_of: Callable[[Base], Path],
) -> None:
    path = journal_of(PIPELINED)
    forge(path, lambda f: f.swap(6, 7))

    with pytest.raises(
        AssertionError, match=r"journal .* breaks the rules: 7 events.*\nmerge: event"
    ):
        assert_keeps_the_rules(path)


# Files that are not journals


@pytest.mark.parametrize("content", [b"", b"precious", b"SQLite format 3\0" + b"x" * 4096])
def test_a_file_that_is_no_journal_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal.db").write_bytes(content)

    with pytest.raises(JournalError, match=r"journal\.db"):
        verify(tmp_path / "journal.db")


def test_a_journal_of_another_format_is_an_error(journal_of: Callable[[Base], Path]) -> None:
    path = journal_of(STRICT)
    forge(path, lambda f: f.set_meta("format", 5))

    with pytest.raises(JournalError, match="has format 5: a newer version of wavelane wrote it"):
        verify(path)


def test_a_journal_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"there is no journal .*none\.db"):
        verify(tmp_path / "none.db")


# Random damage


COLUMNS: dict[str, st.SearchStrategy[object]] = {
    "kind": st.sampled_from(("WaveStarted", "CapMoved", "StopRequested", "PostponementEnded", "?")),
    "issue": st.sampled_from(("repo0#0", "repo1#1", "api#9", None, b"\xff")),
    "at": st.sampled_from((0.0, 1_000_000_060.0, 1e300, "noon")),
    "version": st.integers(0, 2),
    "data": st.sampled_from((None, "", "[]", "[" * 9999, '{"move":"set","level":NaN}', b"\xff"))
    | st.builds(
        lambda session, outcome: json.dumps({"session": session, "outcome": outcome}),
        st.sampled_from((1, 2, 3, "1", None, True, 10**400)),
        st.sampled_from(("Implemented", "Approved", "Merged", "Failed", "Stopped", "?", 0)),
    ),
}


@st.composite
def damages(draw: st.DrawFn, events: int) -> Callable[[Forger], object]:
    """One change of a journal: an event dropped, doubled, moved or edited."""
    at, other = draw(st.integers(1, events)), draw(st.integers(1, events))
    column = draw(st.sampled_from(sorted(COLUMNS)))
    value = draw(COLUMNS[column])
    close_gap = draw(st.booleans())
    changes: list[Callable[[Forger], object]] = [
        lambda f: f.drop(at, close_gap=close_gap),
        lambda f: f.double(at),
        lambda f: f.swap(at, other),
        lambda f: f.change(at, **{column: value}),
    ]
    return draw(st.sampled_from(changes))


@given(
    wave=waves(),
    ceiling=st.integers(1, 3),
    lane_release=lane_releases,
    limits=limits,
    rehashed=st.booleans(),
    data=st.data(),
)
@settings(max_examples=150, deadline=None)
def test_random_damage_is_found_or_changes_nothing_that_the_journal_says(
    wave: Wave,
    ceiling: int,
    lane_release: LaneRelease,
    limits: Limits,
    rehashed: bool,
    data: st.DataObject,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "journal.db"
        report = run_any(path, wave, ceiling, lane_release, limits, data)
        before = content(path)
        forge(path, data.draw(damages(events=len(before))), rehash=rehashed)

        verdict = verify(path)

        if content(path) == before:
            assert verdict.keeps_the_rules
        elif not rehashed:
            assert not verdict.keeps_the_rules
        elif verdict.keeps_the_rules:
            assert_tells_the_same(path, report)


def content(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT * FROM event ORDER BY seq").fetchall()


def assert_tells_the_same(path: Path, report: Report) -> None:
    """In a changed journal that keeps the rules, issues and their rows end as they did."""
    folded = Report.from_journal(path)
    with closing(JournalReader(path)) as reader:
        rows = reader.standings()
    for issue, row in rows.items():
        assert row.state == folded.issues[issue].state == report.issues[issue].state
        assert row.attempts == folded.issues[issue].attempts == report.issues[issue].attempts


@given(
    places=st.lists(st.tuples(st.integers(0, 2**15), st.integers(0, 255)), min_size=1, max_size=20)
)
@example(places=[(3854, 32)])  # the table of events loses its key: numbers are NULL
@settings(max_examples=150, deadline=None)
def test_bytes_that_rot_are_a_verdict_or_one_clear_error(places: list[tuple[int, int]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "journal.db"
        path.write_bytes(rotten(places))

        with suppress(JournalError):
            verify(path)


def rotten(places: list[tuple[int, int]]) -> bytes:
    global _sound
    if not _sound:
        with tempfile.TemporaryDirectory() as name:
            STRICT.write(Path(name) / "journal.db")
            _sound = (Path(name) / "journal.db").read_bytes()
    found = bytearray(_sound)
    for place, value in places:
        found[place % len(found)] = value
    return bytes(found)


_sound = b""


# What a journal stores


@pytest.mark.parametrize(
    "outcome", [Blocked(""), Failed(""), Checkpoint(""), Postponed(0.0), Postponed(None, "quota")]
)
def test_an_outcome_with_an_empty_text_is_read_as_it_was_written(outcome: Outcome) -> None:
    event = SessionEnded("api#1", 1, outcome)

    assert decode_event(*encode_event(event)) == event


def test_two_readers_of_a_run_that_goes_on_each_see_one_moment(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db", Settings(STRICT.wave, 2, "done", Limits()))
    with closing(JournalReader(journal.path)) as early:
        journal.append([RecordedEvent(1.0, WaveStarted())])
        with closing(JournalReader(journal.path)) as late:
            assert len(list(early.event_rows())) == 0
            assert len(list(late.event_rows())) == 1
    journal.close()


def test_a_finding_about_the_whole_has_no_event() -> None:
    assert str(Finding("hash_chain", "it was changed")) == "it was changed"


# The tests' own journals


LOSES_ITS_LAST_EVENT = """
import pytest
from specs.forgeries import STRICT, forge

@pytest.mark.parametrize("damaged", [False, True])
def test_a_run(tmp_path, damaged):
    STRICT.write(tmp_path / "journal.db")
    if damaged:
        forge(tmp_path / "journal.db", lambda forger: forger.drop(11))

@pytest.mark.broken_journals
def test_that_damages_on_purpose(tmp_path):
    test_a_run(tmp_path, True)
"""


def test_a_test_whose_journal_breaks_a_rule_fails(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(LOSES_ITS_LAST_EVENT)
    paths = [str(ROOT / folder) for folder in ("", "model", "executor")]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "--rootdir", tmp_path, "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "1 failed, 2 passed" in done.stdout
    assert "journal.db breaks the rules: 10 events, unfinished" in done.stdout
    assert "the row of web#1 says state 'done'; by the events it is 'merging'" in done.stdout


def test_a_stop_before_the_start_ends_the_run_within_the_rules(tmp_path: Path) -> None:
    scheduler = scheduler_of(wave_of("a#1"), journal=tmp_path / "j.db")
    scheduler.stop()

    report = run_virtual(scheduler.run)

    assert report.outcome == "stopped"
    assert verify(tmp_path / "j.db").keeps_the_rules
