"""The command as a user meets it: a real process, real git repos, real signals."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commandline import ENV, PATIENCE, edit, git, make_repo, wait_for, wavelane
from typer.testing import CliRunner

from wavelane import Report
from wavelane.cli.app import app
from wavelane.cli.wave_run import WaveRun
from wavelane.commands import CommandPipeline
from wavelane.wavefile import load


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two repos and a wave file for them."""
    make_repo(tmp_path / "api")
    make_repo(tmp_path / "web")
    (tmp_path / "wave.yaml").write_text(
        """
wave: test
implement: echo "$WAVELANE_ISSUE" > "$WAVELANE_REPO-$WAVELANE_ATTEMPT.txt"
repos: {api: api, web: web}
issues:
  - {id: "api#1", repo: api, title: First}
  - {id: "web#1", repo: web, depends_on: ["api#1"]}
"""
    )
    return tmp_path


def fingerprint(project: Path) -> dict[str, tuple[str, str]]:
    """What must not change: branches and status of every repo."""
    return {
        repo: (git(project / repo, "for-each-ref"), git(project / repo, "status", "--porcelain"))
        for repo in ("api", "web")
    }


def test_a_wave_that_completes_exits_with_0_and_has_merged_everything(project: Path) -> None:
    done = wavelane("run", project / "wave.yaml")

    assert done.returncode == 0, done.stderr
    assert "complete: 2 of 2 issues done" in done.stdout
    assert "admitted → running" in done.stdout
    assert "\x1b" not in done.stdout
    assert "api-1.txt" in git(project / "api", "ls-tree", "--name-only", "wavelane/test/agent")
    assert git(project / "api", "branch", "--show-current") == "main"
    assert git(project / "api", "worktree", "list").count("\n") == 0


def test_the_report_is_json_on_standard_output_alone_when_asked_for(project: Path) -> None:
    done = wavelane("run", project / "wave.yaml", "--json")

    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["outcome"] == "complete"
    assert [issue["state"] for issue in report["issues"]] == ["done", "done"]


def test_a_wave_with_a_parked_issue_exits_with_1_and_says_why(project: Path) -> None:
    edit(project, "title: First", "title: First, implement: 'echo which one?; exit 10'")

    done = wavelane("run", project / "wave.yaml")

    assert done.returncode == 1
    assert "parked: which one?" in done.stdout
    assert "waits for api#1 (parked)" in done.stdout
    assert "blocked: 0 of 2 issues done, 1 parked" in done.stdout


def test_the_journal_of_a_run_gives_its_report(project: Path) -> None:
    done = wavelane("run", project / "wave.yaml", "--journal", project / "j.db", "--json")

    report = Report.from_journal(project / "j.db").to_dict()
    assert {"version": 1, **report} == json.loads(done.stdout)


@pytest.mark.broken_journals
def test_a_journal_is_verified_and_one_that_was_edited_is_not(project: Path) -> None:
    journal = project / "j.db"
    wavelane("run", project / "wave.yaml", "--journal", journal)

    kept = wavelane("verify", journal)
    with sqlite3.connect(journal) as forged:
        forged.execute("DELETE FROM event WHERE seq = 3")
    forged.close()
    broken = wavelane("verify", journal)
    as_json = wavelane("verify", journal, "--json")

    assert kept.returncode == 0
    assert kept.stdout.startswith("keeps the rules: ")
    assert "complete" in kept.stdout
    assert broken.returncode == 1
    assert broken.stdout.startswith("breaks the rules: ")
    assert json.loads(as_json.stdout)["keeps_the_rules"] is False


def test_a_file_that_is_no_journal_cannot_be_verified(project: Path) -> None:
    done = wavelane("verify", project / "wave.yaml")

    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_plan_shows_order_rounds_and_longest_path_and_changes_nothing(project: Path) -> None:
    before = fingerprint(project)

    done = wavelane("plan", project / "wave.yaml")

    assert done.returncode == 0, done.stderr
    assert "longest path (2 issues): api#1 → web#1" in done.stdout
    as_json = json.loads(wavelane("plan", project / "wave.yaml", "--json").stdout)
    assert as_json["rounds"] == [["api#1"], ["web#1"]]
    assert [issue["tail"] for issue in as_json["order"]] == [2, 1]
    assert as_json["unit"] == "sessions"
    assert [issue["id"] for issue in as_json["order"]] == ["api#1", "web#1"]
    assert fingerprint(project) == before
    assert not (project / ".wavelane").exists()


def test_a_plan_predicts_the_end_at_each_cap_and_what_decides_it(project: Path) -> None:
    edit(project, "title: First", "title: First, estimate: 10m")

    done = wavelane("plan", project / "wave.yaml", "--cap", "1")

    assert done.returncode == 0, done.stderr
    assert "predicted end" in done.stdout
    assert "web 10:00 min" in done.stdout
    assert "decides the end at cap 1: api#1 → web#1" in done.stdout
    assert "1 of 2 issues have no estimate" in done.stdout
    sweep = json.loads(wavelane("plan", project / "wave.yaml", "--json").stdout)["cap_sweep"]
    assert [(one["cap"], one["end"]) for one in sweep["caps"]] == [(1, 1200), (2, 1200)]
    assert sweep["unit"] == "seconds"
    assert sweep["setbacks"] == []


def test_a_plan_says_that_a_higher_cap_is_predicted_to_end_later(project: Path) -> None:
    make_repo(project / "lib")
    edit(project, "web: web}", "web: web, lib: lib}")
    edit(project, "title: First", "estimate: 1")
    edit(
        project,
        '  - {id: "web#1", repo: web, depends_on: ["api#1"]}',
        """
  - {id: "web#1", repo: web, depends_on: ["api#1"], estimate: 5}
  - {id: "lib#1", repo: lib, depends_on: ["web#1"], estimate: 5}
  - {id: "lib#2", repo: lib, estimate: 5}
  - {id: "web#2", repo: web, estimate: 2}""",
    )

    done = wavelane("plan", project / "wave.yaml", "--no-plan")
    planned = wavelane("plan", project / "wave.yaml")

    assert "+1 s" in done.stdout
    assert "at cap 3 it is predicted to end 1 s later than at cap 2" in done.stdout
    assert "later than" not in planned.stdout


def test_a_plan_without_estimates_counts_sessions(project: Path) -> None:
    done = wavelane("plan", project / "wave.yaml")

    assert "2 sessions" in done.stdout
    assert "no issue has an estimate: these are numbers of successive sessions" in done.stdout


def test_a_plan_says_how_many_estimates_are_given_and_how_many_learned(project: Path) -> None:
    make_repo(project / "doc")
    edit(project, "web: web}", "web: web, doc: doc}")
    edit(project, "title: First", "title: First, estimate: 10m")
    edit(
        project,
        '  - {id: "web#1"',
        '  - {id: "doc#1", repo: doc, labels: [bug]}\n  - {id: "web#1"',
    )
    earlier = project / "earlier.db"
    wavelane("run", project / "wave.yaml", "--journal", earlier)

    done = wavelane("plan", project / "wave.yaml", "--learn", earlier, "--learn", earlier)
    as_json = json.loads(
        wavelane("plan", project / "wave.yaml", "--learn", earlier, "--json").stdout
    )

    assert done.returncode == 0, done.stderr
    assert "estimates: 1 given, 2 learned from 3 finished issues" in done.stdout
    assert re.search(r"api#1 .* 10:00 min +given", done.stdout)
    assert re.search(r"doc#1 .* learned: repo", done.stdout)
    assert (as_json["cap_sweep"]["with_estimate"], as_json["cap_sweep"]["learned"]) == (1, 2)
    assert as_json["cap_sweep"]["learned_from"] == 3
    by_id = {issue["id"]: issue for issue in as_json["order"]}
    assert by_id["doc#1"]["labels"] == ["bug"]
    assert by_id["doc#1"]["origin"] == "repo"
    assert 0 < by_id["doc#1"]["expected"] < 60
    assert (by_id["api#1"]["origin"], by_id["api#1"]["expected"]) == ("estimate", 600)


def test_a_run_learns_from_earlier_ones_and_its_journal_keeps_that(project: Path) -> None:
    earlier, journal = project / "earlier.db", project / "j.db"
    wavelane("run", project / "wave.yaml", "--journal", earlier)
    edit(project, "wave: test", "wave: next")

    done = wavelane("run", project / "wave.yaml", "--journal", journal, "--learn", earlier)
    again = wavelane("run", project / "wave.yaml", "--journal", journal)
    report = wavelane("report", journal)

    assert (done.returncode, again.returncode) == (0, 0), done.stderr + again.stderr
    assert wavelane("verify", journal).returncode == 0
    assert "predicted end: after" in report.stdout


@pytest.mark.parametrize("command", ["plan", "run"])
def test_what_nothing_can_be_learned_from_is_bad_input(project: Path, command: str) -> None:
    missing = wavelane(command, project / "wave.yaml", "--learn", project / "gone.db")
    (project / "text.db").write_text("no journal")
    damaged = wavelane(command, project / "wave.yaml", "--learn", project / "text.db")

    assert (missing.returncode, damaged.returncode) == (2, 2)
    assert missing.stderr.startswith("error: there is no ")
    assert "gone.db" in missing.stderr
    assert "text.db is not a journal" in damaged.stderr
    assert not (project / ".wavelane").exists()


def test_a_run_does_not_learn_from_its_own_journal_twice(project: Path) -> None:
    wavelane("run", project / "wave.yaml")

    done = wavelane("run", project / "wave.yaml", "--learn", project / "wave.yaml")

    assert done.returncode == 2
    assert "is this wave's own, from which it learns anyway" in done.stderr


def test_a_plan_says_that_nothing_is_learned_where_nothing_is_finished(project: Path) -> None:
    edit(project, "title: First", "title: First, implement: 'exit 10'")
    wavelane("run", project / "wave.yaml")

    done = wavelane("plan", project / "wave.yaml", "--learn", project / "wave.yaml")

    assert done.returncode == 0, done.stderr
    assert "nothing is learned: no issue of these journals is finished" in done.stdout


def test_a_plan_is_drawn(project: Path) -> None:
    done = wavelane("plan", project / "wave.yaml", "--svg", project / "plan.svg")

    assert done.returncode == 0, done.stderr
    assert "how it is expected to go" in (project / "plan.svg").read_text()


def test_a_report_tells_how_a_wave_went_and_draws_it(project: Path) -> None:
    wavelane("run", project / "wave.yaml")

    done = wavelane("report", project / "wave.yaml", "--svg", project / "run.svg")

    assert done.returncode == 0, done.stderr
    assert "complete: 2 of 2 issues done" in done.stdout
    assert "dependencies" in done.stdout
    assert "no issue has an estimate: nothing was predicted" in done.stdout
    assert "\x1b" not in done.stdout
    assert (project / "run.svg").read_text().count('class="session"') == 6
    journal = project / ".wavelane/test/journal.db"
    as_json = json.loads(wavelane("report", journal, "--json").stdout)
    assert as_json["outcome"] == "complete"
    assert [one["step"] for one in as_json["sessions"]] == ["implement", "review", "merge"] * 2


def test_a_report_compares_the_end_with_the_predicted_one(project: Path) -> None:
    edit(project, "title: First", "title: First, estimate: 10m")
    wavelane("run", project / "wave.yaml")

    done = wavelane("report", project / "wave.yaml")

    predicted = r"predicted end: after 20:00 min; it was (1\d|20):\d\d min earlier"
    assert re.search(predicted, done.stdout)


def test_a_report_of_what_is_no_journal_is_one_clear_error(project: Path) -> None:
    (project / "text.db").write_text("precious")

    for journal in (project / "text.db", project / "none.db", project / "wave.yaml"):
        done = wavelane("report", journal)

        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize("place", ["no-such-folder/x.svg", "."])
def test_a_picture_that_cannot_be_written_is_one_clear_error(project: Path, place: str) -> None:
    done = wavelane("plan", project / "wave.yaml", "--svg", project / place)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


BAD_FILES: dict[str, tuple[str, str, str]] = {
    "a cycle": (
        "title: First",
        'depends_on: ["web#1"]',
        "wait for each other: api#1 → web#1 → api#1",
    ),
    "an unknown id": ('["api#1"]', '["api#9"]', 'depends on "api#9", which is not in the wave'),
    "a duplicate id": ('"web#1"', '"api#1"', 'issue "api#1" is listed twice'),
    "an unknown repo": ("repo: web", "repo: wob", "wob"),
    "a path that is no repo": ("web: web", "web: nowhere", "nowhere"),
    "a missing branch": ("web: web", "web: {path: web, base: trunk}", "trunk"),
    "a cap below 1": ("wave: test", "wave: test\ncap: 0", "cap"),
    "a file that is not YAML": ("wave: test", "wave: [test", "YAML"),
    "a command that does not exist": ("echo", "no-such-program", "no-such-program"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_bad_input_is_one_clear_error_and_leaves_the_repos_alone(
    project: Path, kind: str, command: str
) -> None:
    old, new, said = BAD_FILES[kind]
    edit(project, old, new)
    before = fingerprint(project)

    done = wavelane(command, project / "wave.yaml")

    assert done.returncode == 2
    errors = done.stderr.splitlines()
    assert len(errors) == 1, done.stderr
    assert errors[0].startswith("error: ")
    assert said in errors[0]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert fingerprint(project) == before


def test_bad_input_is_reported_to_programs_as_values(project: Path) -> None:
    edit(project, '["api#1"]', '["api#9"]')

    done = wavelane("plan", project / "wave.yaml", "--json")

    assert done.returncode == 2
    (problem,) = json.loads(done.stdout)["problems"]
    assert done.stderr == f"error: {project}/wave.yaml:7: {problem['message']}\n"
    assert (problem["code"], problem["subject"]) == ("unknown-dependency", "web#1")
    assert problem["place"] == {
        "path": ["issues", 1, "depends_on"],
        "file": f"{project}/wave.yaml",
        "line": 7,
        "column": None,
    }


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_cap_below_1_on_the_command_line_is_one_clear_error(project: Path, command: str) -> None:
    done = wavelane(command, project / "wave.yaml", "--cap", "0")

    assert done.returncode == 2
    assert done.stderr == "error: --cap is 0; give 1 or more (1 is fully sequential)\n"


def test_a_wave_file_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    done = wavelane("run", tmp_path / "none.yaml")

    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "none.yaml" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "journal", ["exists.db", "no-such-folder/journal.db", "is-a-folder", "/proc/journal.db"]
)
def test_a_journal_that_cannot_be_made_is_one_clear_error(project: Path, journal: str) -> None:
    (project / "exists.db").write_text("precious")
    (project / "is-a-folder").mkdir()
    before = fingerprint(project)

    done = wavelane("run", project / "wave.yaml", "--journal", project / journal)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert Path(journal).name in done.stderr
    assert (project / "exists.db").read_text() == "precious"
    assert fingerprint(project) == before


def start(project: Path, implement: str) -> subprocess.Popen[str]:
    """A run whose first session has begun and waits."""
    edit(project, 'echo "$WAVELANE_ISSUE" > "$WAVELANE_REPO-$WAVELANE_ATTEMPT.txt"', implement)
    process = subprocess.Popen(
        [sys.executable, "-m", "wavelane", "run", str(project / "wave.yaml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENV,
    )
    wait_for((project / "begun").exists)
    return process


WAITING = (
    'touch "$WAVELANE_DIR/begun"; while [ ! -e "$WAVELANE_DIR/go" ]; do sleep 0.02; done; touch x'
)


def test_ctrl_c_once_lets_the_session_finish_and_exits_with_3(project: Path) -> None:
    process = start(project, WAITING)

    process.send_signal(signal.SIGINT)
    wait_for(lambda: stop_is_on_record(project))
    (project / "go").touch()
    out, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == 3, err
    assert "Traceback" not in err
    assert "stopped: 0 of 2 issues done" in out
    report = Report.from_journal(project / ".wavelane/test/journal.db")
    assert report.outcome == "stopped"
    assert report.issues["api#1"].state == "review"
    assert report.issues["web#1"].state == "queued"


def stop_is_on_record(project: Path) -> bool:
    with sqlite3.connect(project / ".wavelane/test/journal.db") as journal:
        kinds = [kind for (kind,) in journal.execute("SELECT kind FROM event")]
    journal.close()
    return "StopRequested" in kinds


@pytest.mark.parametrize(
    "signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM,), (signal.SIGHUP,)]
)
def test_ctrl_c_twice_or_a_termination_ends_the_session_now_and_exits_with_3(
    project: Path, signals: tuple[signal.Signals, ...]
) -> None:
    before = fingerprint(project)["web"]
    process = start(project, 'echo $$ > "$WAVELANE_DIR/pid"; ' + WAITING)

    for one in signals:
        process.send_signal(one)
        if len(signals) > 1 and one == signals[0]:
            wait_for(lambda: stop_is_on_record(project))
    _, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == 3, err
    assert "Traceback" not in err
    pid = int((project / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()
    assert git(project / "api", "status", "--porcelain") == ""
    assert git(project / "api", "rev-parse", "wavelane/test/agent") == git(
        project / "api", "rev-parse", "main"
    )
    assert git(project / "web", "status", "--porcelain") == before[1]


def test_ctrl_c_before_the_wave_goes_on_says_so_and_exits_with_130(project: Path) -> None:
    before = fingerprint(project)
    slow = project / "bin/git"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\ntouch "{project}/begun"; exec sleep 60\n')
    slow.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "wavelane", "run", str(project / "wave.yaml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**ENV, "PATH": f"{slow.parent}:{ENV['PATH']}"},
    )
    wait_for((project / "begun").exists)

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=15)  # and not for as long as git may take

    assert (process.returncode, out) == (130, ""), err
    assert err == (
        "error: interrupted before the wave went on; processes left by an earlier run are still "
        "there, the next run ends them\n"
    )
    assert fingerprint(project) == before


def test_ctrl_c_while_the_run_tidies_up_changes_nothing_any_more(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close, said = CommandPipeline.close, list[str]()

    async def interrupted(self: CommandPipeline, *, recorded: bool = True) -> None:
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0)
        await close(self, recorded=recorded)

    monkeypatch.setattr(CommandPipeline, "close", interrupted)

    wave_run = WaveRun(load(project / "wave.yaml"))
    report = asyncio.run(wave_run.run(said.append))

    assert wave_run.went_on
    assert report.outcome == "complete"
    assert said == ["the run is over; tidying up"]


def test_ctrl_c_after_the_run_was_over_says_where_to_look(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted_at_the_end(self: WaveRun, *args: object) -> Report:
        self.went_on = True
        raise KeyboardInterrupt

    monkeypatch.setattr(WaveRun, "run", interrupted_at_the_end)

    done = CliRunner().invoke(app, ["run", str(project / "wave.yaml")])

    assert done.exit_code == 130
    assert "interrupted after the run was over; `wavelane report` shows how it went" in done.output


def test_on_a_terminal_the_lanes_are_shown_live(project: Path) -> None:
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "wavelane", "run", str(project / "wave.yaml")],
        stdout=secondary,
        stderr=secondary,
        env={**ENV, "TERM": "xterm-256color"},
    )
    os.close(secondary)
    shown = b""
    while True:
        try:
            chunk = os.read(primary, 65536)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    os.close(primary)
    process.wait(timeout=PATIENCE)

    assert process.returncode == 0
    assert b"why it waits" in shown
    assert b"\x1b[" in shown


def test_the_demo_shows_everything_that_can_happen_and_ends_well(tmp_path: Path) -> None:
    done = wavelane("demo", "--dir", tmp_path / "demo")

    assert done.returncode == 0, done.stderr
    for said in (
        "changes requested",
        "merge conflict",
        "parked: Which colour should the button have?",
        "cap 2",
        "waits for web#2 (parked)",
        "8 of 10 issues done, 1 parked",
        "log --graph",
    ):
        assert said in done.stdout
    log = git(tmp_path / "demo" / "core", "log", "--oneline", "--merges", "wavelane/demo/agent")
    assert len(log.splitlines()) == 3


def test_a_demo_in_a_folder_with_something_in_it_is_refused(project: Path) -> None:
    done = wavelane("demo", "--dir", project)

    assert done.returncode == 2
    assert done.stderr == f"error: {project}: it is not empty; name a new folder\n"


@pytest.mark.needs("dot")
@pytest.mark.parametrize("name", ["issue", "cap", "architecture"])
@pytest.mark.parametrize(
    ("picture_format", "begins"),
    [("dot", "digraph"), ("mermaid", ""), ("svg", "<?xml"), ("png", "\x89PNG")],
)
def test_each_diagram_is_drawn_in_each_format(
    tmp_path: Path, name: str, picture_format: str, begins: str
) -> None:
    output = tmp_path / "picture"

    done = wavelane("diagram", name, "--format", picture_format, "--output", output)

    assert done.returncode == 0, done.stderr
    assert (
        output.read_bytes().decode("latin-1").lstrip("/").startswith(begins)
        or picture_format == "dot"
    )
    assert output.stat().st_size > 100


def test_where_dot_is_missing_the_error_says_how_to_install_it(tmp_path: Path) -> None:
    env = {**ENV, "PATH": str(tmp_path)}
    command = [sys.executable, "-m", "wavelane", "diagram", "issue"]

    svg = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    dot = subprocess.run([*command, "-f", "dot"], capture_output=True, env=env, check=False)

    assert svg.returncode == 2
    assert "apt install graphviz" in svg.stderr
    assert "Traceback" not in svg.stderr
    assert dot.returncode == 0


def test_the_schema_is_json() -> None:
    assert json.loads(wavelane("schema").stdout)["type"] == "object"


def test_the_version_is_printed() -> None:
    assert wavelane("--version").stdout == "wavelane 0.1.0\n"


@pytest.mark.parametrize(
    "command", ["run", "plan", "report", "verify", "demo", "diagram", "schema"]
)
def test_every_command_helps(command: str) -> None:
    done = wavelane(command, "--help")

    assert done.returncode == 0
    assert "Usage" in done.stdout
