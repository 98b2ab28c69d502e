"""Steering a run from another terminal: real processes, real repos, the journal between them."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.commandline import ENV, PATIENCE, edit, git, make_repo, wait_for, wavelane
from typer.testing import CliRunner

from wavelane import Report
from wavelane.cli.app import app
from wavelane.control.inbox import give
from wavelane.journal import read_journal
from wavelane.times import clock_text
from wavelane_model.events import CapMoved, ParkRequested, PauseEnded, RunCutOff, StopRequested

WAITING = (
    'touch "$WAVELANE_DIR/begun-$WAVELANE_REPO"; '
    'while [ ! -e "$WAVELANE_DIR/go" ]; do sleep 0.02; done; touch x'
)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """Two repos and a wave file for them; its sessions wait for the file `go`."""
    make_repo(tmp_path / "api")
    make_repo(tmp_path / "web")
    (tmp_path / "wave.yaml").write_text(
        f"""
wave: test
implement: {json.dumps(WAITING)}
repos: {{api: api, web: web}}
issues:
  - {{id: "api#1", repo: api, title: First}}
  - {{id: "web#1", repo: web}}
  - {{id: "web#2", repo: web}}
"""
    )
    yield tmp_path
    (tmp_path / "go").touch()  # for sessions that outlive a run that was killed


def started(project: Path, *options: object, begun: tuple[str, ...] = ("api", "web")) -> Any:
    """A run, once its sessions have begun."""
    process = subprocess.Popen(
        [sys.executable, "-m", "wavelane", "run", str(project / "wave.yaml"), *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENV,
    )
    wait_for(lambda: all((project / f"begun-{repo}").exists() for repo in begun))
    return process


def journal_of(project: Path) -> Path:
    return project / ".wavelane/test/journal.db"


def let_go(project: Path, process: Any) -> tuple[int, str]:
    """Let all sessions continue; the run's exit code and output."""
    (project / "go").touch()
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err
    return process.returncode, out


def killed(project: Path, process: Any) -> None:
    """Kill only the run; its sessions continue, as after a crash."""
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=PATIENCE)


def test_the_cap_of_a_live_run_is_moved_and_nothing_is_interrupted(project: Path) -> None:
    run = started(project)

    lower = wavelane("cap", project / "wave.yaml", 1)
    down = wavelane("cap", journal_of(project), "down", "--json")
    again = wavelane("cap", journal_of(project), "down")
    up = wavelane("cap", journal_of(project), "up")

    assert (lower.returncode, lower.stdout) == (
        0,
        "cap 2 → 1; 2 are in flight, nothing is interrupted\n",
    )
    assert json.loads(down.stdout) == {
        "version": 1,
        "done": True,
        "answered": True,
        "text": "cap 1 → paused: nothing new starts; 2 sessions finish their step",
    }
    assert again.returncode == 1
    assert again.stderr == "error: paused already: there is no lower level\n"
    assert (up.returncode, up.stdout) == (
        0,
        "cap paused → 1; 2 are in flight, nothing is interrupted\n",
    )
    code, out = let_go(project, run)
    assert code == 0
    assert "complete: 3 of 3 issues done" in out


def test_stop_lets_sessions_finish_their_step_and_the_run_exits_with_3(project: Path) -> None:
    run = started(project)

    done = wavelane("stop", project / "wave.yaml")

    assert done.stdout == "stopping: 2 sessions finish their step, then the run ends\n"
    assert let_go(project, run)[0] == 3
    report = Report.from_journal(journal_of(project))
    assert [issue.state for issue in report.issues.values()] == ["review", "review", "queued"]


def test_under_nohup_a_closed_terminal_ends_nothing(project: Path) -> None:
    deaf = ("sh", "-c", 'trap "" HUP; exec "$@"', "sh")
    run = subprocess.Popen(
        [*deaf, sys.executable, "-m", "wavelane", "run", str(project / "wave.yaml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENV,
    )
    wait_for(lambda: all((project / f"begun-{repo}").exists() for repo in ("api", "web")))

    run.send_signal(signal.SIGHUP)

    assert let_go(project, run)[0] == 0


def test_pause_waits_until_resume_and_sessions_finish_their_step(project: Path) -> None:
    run = started(project)

    paused = wavelane("pause", project / "wave.yaml")
    (project / "go").touch()
    wait_for(lambda: status(project)["in_flight"] == 2 and "review" in states(project))
    resumed = wavelane("resume", project / "wave.yaml")

    assert paused.stdout.startswith("cap 2 → paused: nothing new starts; 2 sessions finish")
    assert resumed.stdout == "cap paused → 2\n"
    assert let_go(project, run)[0] == 0


def status(project: Path) -> Any:
    done = wavelane("status", project / "wave.yaml", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def states(project: Path) -> list[str]:
    return [issue["state"] for issue in status(project)["issues"]]


def test_cancel_and_park_end_sessions_now_and_unpark_lets_them_be_tried_again(
    project: Path,
) -> None:
    run = started(project)

    cancelled = wavelane("cancel", project / "wave.yaml", "api#1")
    parked = wavelane("park", project / "wave.yaml", "web#1", "which footer?")
    wait_for(lambda: states(project)[:2] == ["cancelled", "parked"])
    unparked = wavelane("unpark", project / "wave.yaml", "web#1")
    unknown = wavelane("cancel", project / "wave.yaml", "api#9")

    assert cancelled.stdout == "api#1 is being ended, then cancelled\n"
    assert parked.stdout == "web#1 is being ended, then parked\n"
    assert unparked.stdout == "web#1 is tried again: lane web held by web#2\n"
    assert unknown.returncode == 1
    assert unknown.stderr == (
        'error: issue "api#9" is not in the wave; its issues are api#1, web#1, web#2\n'
    )
    code, out = let_go(project, run)
    assert code == 1
    assert "blocked: 2 of 3 issues done" in out


def test_status_shows_lanes_issues_cap_and_who_runs_it(project: Path) -> None:
    run = started(project)

    done = wavelane("status", project / "wave.yaml")
    found = status(project)

    assert done.returncode == 0, done.stderr
    assert f"run by process {run.pid} (since " in done.stdout
    assert "wave 0 of 3 done · in flight 2 · waiting 1 · cap 2 of 2" in done.stdout
    assert re.search(r"web#2 +web +queued .* lane web held by web#1", done.stdout)
    assert "Traceback" not in done.stderr
    assert found["phase"] == "running"
    assert found["process"]["pid"] == run.pid
    assert found["cap"] == {"level": 2, "ceiling": 2, "resumes_at": None}
    assert (found["in_flight"], found["waiting"], found["unanswered_commands"]) == (2, 1, 0)
    assert found["issues"][2]["why"]["text"] == "lane web held by web#1"
    let_go(project, run)


def test_status_of_a_run_that_has_ended_and_of_one_that_was_cut_off(project: Path) -> None:
    run = started(project)
    killed(project, run)

    cut_off = wavelane("status", project / "wave.yaml")
    (project / "go").touch()
    wavelane("run", project / "wave.yaml")
    ended = wavelane("status", project / "wave.yaml")

    assert "no run is under way; the last one was cut off" in cut_off.stdout
    assert "implementing when the run was cut off" in cut_off.stdout
    assert "no run is under way; the last one ended complete" in ended.stdout
    assert status(project)["process"] is None


def test_what_is_given_to_a_killed_run_holds_when_it_comes_back_exactly_once(
    project: Path,
) -> None:
    run = started(project)
    killed(project, run)

    capped = wavelane("cap", project / "wave.yaml", 1)
    parked = wavelane("park", project / "wave.yaml", "web#2", "which footer?")
    stopped = wavelane("stop", project / "wave.yaml")
    (project / "go").touch()
    again = wavelane("run", project / "wave.yaml", "--json")

    assert capped.stdout.endswith("; no run is under way: it takes effect in the next one\n")
    assert parked.returncode == 0
    assert stopped.returncode == 1
    assert "there is nothing to stop" in stopped.stderr
    assert again.returncode == 1, again.stderr
    report = json.loads(again.stdout)
    assert report["highest_cap"] == 1
    assert [issue["state"] for issue in report["issues"]] == ["done", "done", "parked"]
    recorded = [entry.event for entry in read_journal(journal_of(project))[1]]
    assert recorded.count(RunCutOff()) == 1
    assert [one for one in recorded if isinstance(one, CapMoved | ParkRequested)] == [
        CapMoved("set", 1),
        ParkRequested("web#2", "which footer?"),
    ]


def test_a_command_that_a_frozen_run_has_not_answered_holds_once_after_its_death(
    project: Path,
) -> None:
    run = started(project)
    run.send_signal(signal.SIGSTOP)  # it accepts no more commands

    answer = give(journal_of(project), CapMoved("step_down"), patience=0.2)
    found = status(project)
    killed(project, run)
    (project / "go").touch()
    again = wavelane("run", project / "wave.yaml")

    assert answer is None
    assert found["unanswered_commands"] == 1
    assert again.returncode == 0, again.stderr
    recorded = [entry.event for entry in read_journal(journal_of(project))[1]]
    assert recorded.count(CapMoved("step_down")) == 1
    assert status(project)["unanswered_commands"] == 0


def test_a_stop_that_a_frozen_run_has_not_taken_comes_before_the_end_of_its_pause(
    project: Path,
) -> None:
    run = started(project, "--pause-until", "+1h", begun=())
    wait_for(lambda: journal_of(project).exists() and status(project)["process"] is not None)
    resumes_at = time.time() + 1.5
    give(journal_of(project), CapMoved("pause", until=resumes_at))
    run.send_signal(signal.SIGSTOP)

    answer = give(journal_of(project), StopRequested(), patience=resumes_at + 0.2 - time.time())
    run.send_signal(signal.SIGCONT)
    _, err = run.communicate(timeout=PATIENCE)

    assert answer is None
    assert run.returncode == 3, err
    assert not (project / "begun-api").exists()


def test_an_unparked_issue_lets_a_blocked_wave_go_on(project: Path) -> None:
    edit(project, "title: First", "title: First, implement: '[ -e ../../../go2 ] || exit 10'")
    edit(project, "../../../go2", str(project / "go2"))
    (project / "go").touch()
    assert wavelane("run", project / "wave.yaml").returncode == 1
    (project / "go2").touch()

    done = wavelane("unpark", project / "wave.yaml", "api#1")
    again = wavelane("run", project / "wave.yaml")

    later = "no run is under way: it takes effect in the next one"
    assert done.stdout == f"api#1 is tried again; {later}\n"
    assert again.returncode == 0, again.stderr


def test_senders_at_once_are_each_answered(project: Path) -> None:
    run = started(project)

    with ThreadPoolExecutor(4) as pool:
        all_done = [
            *pool.map(
                lambda at: wavelane("park", journal_of(project), "web#2", f"question {at}"),
                range(4),
            )
        ]

    assert sorted(done.returncode for done in all_done) == [0, 1, 1, 1]
    assert "Traceback" not in "".join(done.stderr for done in all_done)
    let_go(project, run)


def test_a_pause_with_a_time_is_lifted_by_itself(project: Path) -> None:
    run = started(project)

    paused = wavelane("pause", project / "wave.yaml", "--until", "+1h")
    shown = wavelane("status", project / "wave.yaml").stdout
    sooner = wavelane("pause", project / "wave.yaml", "--until", "+1s")
    code, _ = let_go(project, run)

    events = [entry.event for entry in read_journal(journal_of(project))[1]]
    later, soon = [one.until for one in events if isinstance(one, CapMoved) and one.until]
    assert code == 0
    assert paused.stdout.startswith(f"cap 2 → paused until {clock_text(later)}: nothing new starts")
    assert f"cap paused until {clock_text(later)}" in shown
    assert sooner.stdout.startswith(f"paused until {clock_text(soon)}: nothing new starts")
    assert [one for one in events if isinstance(one, PauseEnded)] == [PauseEnded(soon)]


def test_a_run_may_begin_paused_until_a_time(project: Path) -> None:
    (project / "go").touch()
    began = time.time()

    done = wavelane("run", project / "wave.yaml", "--pause-until", "+2s")

    assert done.returncode == 0, done.stderr
    entries = read_journal(journal_of(project))[1]
    (ended,) = [entry.at for entry in entries if isinstance(entry.event, PauseEnded)]
    assert ended - began >= 2


def test_a_run_whose_pause_is_over_already_is_not_paused(project: Path) -> None:
    (project / "go").touch()

    done = wavelane("run", project / "wave.yaml", "--pause-until", "2020-01-01T00:00")

    assert done.returncode == 0, done.stderr
    assert not [e for e in read_journal(journal_of(project))[1] if isinstance(e.event, CapMoved)]


def test_a_cap_on_the_command_line_is_set_when_a_run_is_continued(project: Path) -> None:
    run = started(project)
    killed(project, run)
    wavelane("pause", project / "wave.yaml")
    (project / "go").touch()

    done = wavelane("run", project / "wave.yaml", "--cap", 2)

    assert done.returncode == 0, done.stderr


BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "no such level": (("cap", "J", "many"), "give a whole number (0 is paused), or up, or down"),
    "no such time": (
        ("pause", "J", "--until", "soon"),
        "--until: 'soon' is not a time; give an ISO",
    ),
    "a time that is past": (("pause", "J", "--until", "2020-01-01T00:00"), "give a future time"),
    "a start at no time": (("run", "W", "--pause-until", "x"), "--pause-until: 'x' is not a time"),
    "a file that is not there": (("status", "none.yaml"), "none.yaml; give a journal, or a wave"),
    "a wave that was not run": (("stop", "W"), "the wave has not been run yet, or only"),
    "a folder": (("status", "api"), "api"),
    "an addition from no wave file": (("add", "api/file.txt", "W"), "file.txt"),
    "a file that is neither": (("status", "api/file.txt"), "file.txt"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_clear_error(
    project: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, says = BAD[kind]
    known = {"W": "wave.yaml", "J": "j.db"}
    monkeypatch.chdir(project)

    done = CliRunner().invoke(app, [known.get(one, one) for one in arguments])

    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("error: ")
    assert says in done.stderr
    assert done.stdout == ""
    assert not (project / ".wavelane").exists()


def with_more(project: Path, *issues: str) -> Path:
    """The wave file, with more issues, or with some in another form."""
    file = project / "wave.yaml"
    file.write_text(file.read_text() + "".join(f"  - {issue}\n" for issue in issues))
    return file


def test_what_is_new_in_the_wave_file_is_added_to_a_live_run(project: Path) -> None:
    run = started(project)
    file = with_more(
        project, '{id: "api#2", repo: api, depends_on: ["api#1"], implement: echo two > two}'
    )
    file.write_text(file.read_text().replace('"web#2", repo: web', '"web#2", repo: web, title: N'))

    added = wavelane("add", project / "wave.yaml", file)
    again = wavelane("add", project / "wave.yaml", file, "--json")
    file.write_text(file.read_text().replace("title: First", "title: Other"))
    begun = wavelane("add", project / "wave.yaml", file)
    file.write_text(file.read_text().replace("title: Other", "title: First"))
    code, _ = let_go(project, run)

    assert added.stdout == "added api#2; changed web#2; keep that in the wave file\n", added.stderr
    assert json.loads(again.stdout) == {
        "version": 1,
        "done": True,
        "answered": True,
        "text": f"nothing is new in {file}",
    }
    assert begun.returncode == 1
    assert 'issue "api#1" is running and has begun' in begun.stderr
    assert code == 0
    assert git(project / "api", "show", "wavelane/test/agent:two") == "two"
    assert wavelane("run", file).returncode == 0


def test_what_is_added_to_a_killed_run_is_done_in_the_next_one(project: Path) -> None:
    killed(project, started(project))
    file = with_more(project, '{id: "api#2", repo: api, depends_on: ["api#1"]}')

    added = wavelane("add", project / "wave.yaml", file)
    (project / "go").touch()
    again = wavelane("run", file, "--json")

    assert added.stdout == "added api#2; no run is under way: keep that in the wave file\n"
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["issues"][3]["id"] == "api#2"


def test_a_wave_file_of_another_name_is_no_change_of_this_wave(project: Path) -> None:
    killed(project, started(project))
    other = project / "other.yaml"
    other.write_text((project / "wave.yaml").read_text().replace("wave: test", "wave: other"))

    added = wavelane("add", project / "wave.yaml", other)
    run = wavelane("run", other, "--journal", journal_of(project))

    assert added.returncode == 2
    assert 'is wave "other", and the journal is of wave "test"' in added.stderr
    assert run.returncode == 2
    assert "was started with the name test, and now it is other; give test" in run.stderr


def test_a_lost_journal_does_not_lead_to_merges_twice(project: Path) -> None:
    (project / "go").touch()
    wavelane("run", project / "wave.yaml")
    before = git(project / "web", "log", "--format=%s", "wavelane/test/agent")
    journal_of(project).unlink()

    again = wavelane("run", project / "wave.yaml")

    assert again.returncode == 2
    assert 'branch "wavelane/test/agent" has merges of web#1' in again.stderr
    assert "list these issues under done instead" in again.stderr
    assert git(project / "web", "log", "--format=%s", "wavelane/test/agent") == before


def test_issues_that_are_wrong_are_not_added(project: Path) -> None:
    run = started(project)
    file = with_more(project, '{id: "api#2", repo: api, implement: no-such-program}')

    wrong = wavelane("add", project / "wave.yaml", file)

    assert wrong.returncode == 2
    assert 'the program "no-such-program" was not found' in wrong.stderr
    assert let_go(project, run)[0] == 0


@pytest.mark.parametrize("command", ["status", "stop"])
def test_a_journal_of_a_newer_format_is_refused(project: Path, command: str) -> None:
    (project / "go").touch()
    wavelane("run", project / "wave.yaml")
    with closing(sqlite3.connect(journal_of(project))) as db, db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'format'")

    done = wavelane(command, project / "wave.yaml")

    assert done.returncode == 2
    assert "has format 99: a newer version of wavelane wrote it" in done.stderr


@pytest.mark.parametrize(
    "command", ["status", "cap", "pause", "resume", "stop", "park", "unpark", "cancel", "add"]
)
def test_every_command_helps(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"])

    assert done.exit_code == 0
    assert "JOURNAL" in done.stdout


def test_a_command_leaves_no_file_behind(project: Path) -> None:
    (project / "go").touch()
    wavelane("run", project / "wave.yaml")
    before = sorted(path.name for path in journal_of(project).parent.iterdir())

    wavelane("pause", project / "wave.yaml")

    assert sorted(path.name for path in journal_of(project).parent.iterdir()) == before
    assert git(project / "api", "status", "--porcelain") == ""
