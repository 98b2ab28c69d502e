"""What the command pipeline finds after a crash: git is the truth, and no process survives."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.bench import ISSUE, Bench
from tests.gitrepos import git, make_repo, until

from wavelane.commands import PipelineError
from wavelane.pipeline import Assignment, Discarded, Resumed, SessionFailed
from wavelane.processes import TOKEN, SessionRegistry, group_is_alive
from wavelane.processes.leftovers import _boot, _started
from wavelane_model.outcomes import Approved, Blocked, Conflicted, Implemented, Merged


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "api")


@pytest.fixture
async def bench(repo: Path, tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    await made.pipeline.prepare()
    yield made
    made.pipeline._state_dir.release()


async def after_a_crash(bench: Bench) -> None:
    """The next process makes its own pipeline."""
    bench.pipeline = bench.another_pipeline()
    await bench.pipeline.prepare()


# What git says about an issue


async def test_an_implementing_session_that_died_is_discarded_with_branch_and_worktree(
    bench: Bench,
) -> None:
    bench.does("echo a > a; exit 11")
    await bench.pipeline.implement(ISSUE)
    (bench.tree / "half").write_text("half\n")
    await after_a_crash(bench)

    assert await bench.pipeline.recover(ISSUE, "running") == Discarded()

    assert not bench.tree.exists()
    assert "issue" not in git(bench.api, "for-each-ref")


async def test_a_review_is_made_again_on_what_it_began_with(bench: Bench) -> None:
    bench.does("echo a > a", "exit 0")
    await bench.pipeline.implement(ISSUE)
    implemented = bench.tip()
    repo = bench.pipeline._project.workspace(ISSUE).repo
    await repo.set_mark("reviewed", ISSUE.id, implemented)
    (bench.tree / "a").write_text("by the reviewer\n")
    git(bench.tree, "commit", "--quiet", "-am", "by the reviewer")
    (bench.tree / "b").write_text("more\n")
    await after_a_crash(bench)

    assert await bench.pipeline.recover(ISSUE, "review") == Resumed()

    assert (bench.tip(), bench.changes()) == (implemented, "")
    assert await bench.pipeline.review(ISSUE) == Approved()
    assert "refs/wavelane" not in git(bench.api, "for-each-ref")


async def test_a_merge_that_is_in_is_advanced_and_never_repeated(bench: Bench) -> None:
    bench.does("echo a > a")
    await bench.pipeline.implement(ISSUE)
    merging = bench.tree.with_name("@agent")
    git(merging, "merge", "--quiet", "--no-ff", "-m", "in", bench.pipeline.feature_branch("api#1"))
    before = bench.agent("rev-parse")
    await after_a_crash(bench)

    assert await bench.pipeline.recover(ISSUE, "merging") == Merged()

    assert bench.agent("rev-parse") == before
    assert not bench.tree.exists()
    assert "issue" not in git(bench.api, "for-each-ref", "refs/heads")


async def test_a_merge_that_is_in_is_known_by_its_message_when_its_branch_is_gone(
    bench: Bench,
) -> None:
    bench.does("echo a > a")
    await bench.pipeline.implement(ISSUE)
    await bench.pipeline.merge(ISSUE)
    await after_a_crash(bench)

    assert await bench.pipeline.recover(ISSUE, "merging") == Merged()


async def test_an_issue_that_changed_nothing_is_known_to_be_in_when_its_branch_is_gone(
    bench: Bench,
) -> None:
    bench.does("true")
    await bench.pipeline.implement(ISSUE)
    await bench.pipeline.merge(ISSUE)
    await after_a_crash(bench)

    assert await bench.pipeline.recover(ISSUE, "merging") == Merged()

    await bench.pipeline.close()
    assert "issue" not in git(bench.api, "for-each-ref")
    assert "refs/wavelane" not in git(bench.api, "for-each-ref")


async def test_what_had_nothing_to_merge_is_remembered_where_it_is_not_on_record(
    bench: Bench,
) -> None:
    bench.does("true")
    await bench.pipeline.implement(ISSUE)
    await bench.pipeline.merge(ISSUE)
    await bench.pipeline.close(recorded=False)
    await after_a_crash(bench)

    assert await bench.pipeline.recover(ISSUE, "merging") == Merged()


async def test_a_merge_that_is_not_in_is_tried_again(bench: Bench) -> None:
    bench.does("echo a > a")
    await bench.pipeline.implement(ISSUE)
    merging = bench.tree.with_name("@agent")
    branch = bench.pipeline.feature_branch("api#1")
    git(merging, "merge", "--quiet", "--no-ff", "--no-commit", branch)
    await after_a_crash(bench)

    assert await bench.pipeline.recover(ISSUE, "merging") == Resumed()
    assert await bench.pipeline.merge(ISSUE) == Merged()

    assert bench.agent("rev-list", "--count", "--merges") == "1"


async def test_a_conflict_that_was_not_written_down_is_met_again(bench: Bench) -> None:
    other = Assignment("api#2", "api")
    bench.does("echo mine > README")
    bench.does("echo other > README", issue="api#2")
    await bench.pipeline.implement(ISSUE)
    await bench.pipeline.implement(other)
    await bench.pipeline.merge(other)
    await bench.pipeline.merge(ISSUE)
    await after_a_crash(bench)

    assert await bench.pipeline.recover(ISSUE, "merging") == Resumed()
    assert isinstance(await bench.pipeline.merge(ISSUE), Conflicted)
    assert await bench.pipeline.recover(ISSUE, "admitted") == Resumed()
    bench.does("grep -q other README && echo mine >> README")
    assert await bench.pipeline.implement(ISSUE) == Implemented()


async def test_worktrees_whose_removal_was_cut_short_are_removed_by_the_next_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(directory: Path) -> None:
        (directory / "a").unlink()
        raise OSError("killed")

    bench.does("echo a > a")
    await bench.pipeline.implement(ISSUE)
    await bench.pipeline.merge(ISSUE)
    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", cut_short)
        with pytest.raises(OSError, match="killed"):
            await bench.pipeline.close()
    await after_a_crash(bench)

    await bench.pipeline.close()

    assert not list((bench.tmp_path / "state" / "worktrees").rglob("*"))
    assert len(git(bench.api, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("state", ["review", "merging"])
async def test_an_issue_whose_branch_is_gone_is_not_guessed(bench: Bench, state: str) -> None:
    await after_a_crash(bench)

    found = await bench.pipeline.recover(ISSUE, state)  # type: ignore[arg-type]

    assert found == Blocked(
        'its branch "wavelane/w/issue/api#1" is gone, and it is not merged; '
        "unpark it to have it implemented anew, or cancel it"
    )


async def test_an_issue_that_waited_for_its_next_session_goes_on_with_what_it_has(
    bench: Bench,
) -> None:
    bench.does("echo a > a; exit 11")
    await bench.pipeline.implement(ISSUE)
    before = bench.tip()
    await after_a_crash(bench)

    assert await bench.pipeline.recover(ISSUE, "admitted") == Resumed()

    assert bench.tip() == before


async def test_to_recover_twice_is_harmless(bench: Bench) -> None:
    bench.does("echo a > a")
    await bench.pipeline.implement(ISSUE)
    for _ in range(2):
        await after_a_crash(bench)
        assert await bench.pipeline.recover(ISSUE, "running") == Discarded()


async def test_lock_files_that_a_power_cut_left_are_no_obstacle(bench: Bench) -> None:
    bench.does("echo a > a")
    await bench.pipeline.implement(ISSUE)
    heads = bench.api / ".git" / "refs" / "heads" / "wavelane" / "w"
    (heads / "agent.lock").touch()
    (heads / "issue" / "api#1.lock").touch()
    (bench.api / ".git" / "worktrees" / "api#1" / "index.lock").touch()
    await after_a_crash(bench)

    assert await bench.pipeline.recover(ISSUE, "merging") == Resumed()
    assert await bench.pipeline.merge(ISSUE) == Merged()


async def test_a_review_that_fails_leaves_no_mark(bench: Bench) -> None:
    bench.does("echo a > a", "exit 3")
    await bench.pipeline.implement(ISSUE)

    with pytest.raises(SessionFailed):
        await bench.pipeline.review(ISSUE)

    assert git(bench.api, "for-each-ref", "refs/wavelane") == ""


# Surviving processes

RUNS_A_SESSION = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from wavelane.commands import CommandPipeline, IssueCommands, RepoSettings
    from wavelane.pipeline import Assignment

    top = Path(sys.argv[1])
    pipeline = CommandPipeline(
        "w",
        {"api": RepoSettings(top / "api")},
        {"api#1": IssueCommands(sys.argv[2])},
        state_dir=top / "state",
        wave_dir=top,
    )

    async def main():
        await pipeline.prepare()
        await pipeline.implement(Assignment("api#1", "api"))

    asyncio.run(main())
    """
)


async def killed_with(bench: Bench, command: str) -> int:
    """Kill a process that runs `command` as a session; the process group of that session.

    The command writes its number to the file `group`, at the end of a line.
    """
    bench.pipeline._state_dir.release()
    runs = subprocess.Popen([sys.executable, "-c", RUNS_A_SESSION, str(bench.tmp_path), command])
    group = bench.tmp_path / "group"
    try:
        await until(lambda: group.exists() and group.read_text().endswith("\n"))
    finally:
        runs.kill()
        runs.wait()
    return int(group.read_text())


@pytest.mark.parametrize(
    "command",
    [
        'echo $$ > "$WAVELANE_DIR/group"; exec sleep 1000',
        'sleep 1000 & (sleep 1000 & sleep 1000) & echo $$ > "$WAVELANE_DIR/group"; wait',
        "trap '' TERM; echo $$ > \"$WAVELANE_DIR/group\"; while :; do sleep 0.1; done",
    ],
    ids=["alone", "with children", "deaf to SIGTERM"],
)
async def test_nothing_of_a_session_is_left_when_its_scheduler_was_killed_and_the_next_begins(
    bench: Bench, command: str
) -> None:
    group = await killed_with(bench, command)

    await after_a_crash(bench)

    assert not group_is_alive(group)
    assert [*(bench.tmp_path / "state" / "sessions").iterdir()] == []


async def test_a_process_that_has_the_number_of_a_session_by_chance_is_left_alone(
    bench: Bench,
) -> None:
    innocent = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    records = bench.tmp_path / "state" / "sessions"
    records.mkdir(exist_ok=True)
    try:
        record = {"pid": innocent.pid, "started": "1", "boot": _boot(), "token": "t" * 32}
        (records / ("t" * 32)).write_text(json.dumps(record))
        await after_a_crash(bench)

        record = {**record, "started": _started(innocent.pid), "boot": "another boot"}
        (records / ("t" * 32)).write_text(json.dumps(record))
        await after_a_crash(bench)

        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
async def test_a_record_that_a_power_cut_has_torn_is_no_obstacle(bench: Bench, text: str) -> None:
    records = bench.tmp_path / "state" / "sessions"
    records.mkdir(exist_ok=True)
    (records / ("t" * 32)).write_text(text)

    await after_a_crash(bench)

    assert [*records.iterdir()] == []


async def test_a_command_that_cannot_be_put_on_record_does_not_begin(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    bench.does('touch "$WAVELANE_DIR/began"')
    monkeypatch.setattr("wavelane.processes.leftovers.json.dumps", full)

    with pytest.raises(Exception, match=r"implement cannot be started: .*No space left"):
        await bench.pipeline.implement(ISSUE)

    assert not (bench.tmp_path / "began").exists()


def test_a_command_waits_until_it_is_on_record_and_ends_if_it_never_is(
    tmp_path: Path,
) -> None:
    """The process that started it dies between its start and the record."""
    program = textwrap.dedent(
        """
        import asyncio, os, signal, sys
        from pathlib import Path
        from wavelane.processes.command import run

        def dies(pid):
            print(pid, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

        top, env = Path(sys.argv[1]), dict(os.environ)
        asyncio.run(run("touch began", cwd=top, env=env, log=top / "log", register=dies))
        """
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
    )

    assert ended.returncode == -signal.SIGKILL
    while group_is_alive(int(ended.stdout)):
        pass
    assert not (tmp_path / "began").exists()


async def test_a_git_command_of_a_killed_run_is_waited_for(bench: Bench) -> None:
    bench.pipeline._state_dir.release()
    git_lock = os.open(bench.tmp_path / "state" / "git-leash", os.O_RDWR | os.O_CREAT)
    fcntl.flock(git_lock, fcntl.LOCK_EX)
    git_of_before = subprocess.Popen(["sleep", "0.5"], pass_fds=(git_lock,))
    os.close(git_lock)

    await after_a_crash(bench)

    assert git_of_before.poll() == 0


async def test_each_run_is_refused_while_a_git_command_of_an_earlier_one_does_not_end(
    bench: Bench,
) -> None:
    bench.pipeline._state_dir.release()
    git_lock = os.open(bench.tmp_path / "state" / "git-leash", os.O_RDWR | os.O_CREAT)
    fcntl.flock(git_lock, fcntl.LOCK_EX)
    try:
        for _ in range(2):
            with pytest.raises(PipelineError, match="a git command of the last run is still"):
                await bench.another_pipeline(git_wait=0.1).prepare()
    finally:
        os.close(git_lock)


async def test_git_commands_inherit_the_git_lock(bench: Bench) -> None:
    hook = bench.api / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nls -l /proc/$PPID/fd > {bench.tmp_path}/fds\n")
    hook.chmod(0o755)
    bench.does("echo a > a")

    await bench.pipeline.implement(ISSUE)

    assert "git-leash" in (bench.tmp_path / "fds").read_text()


async def test_a_session_does_not_inherit_the_git_lock(bench: Bench) -> None:
    bench.does('ls -l /proc/$$/fd > "$WAVELANE_DIR/fds"')

    await bench.pipeline.implement(ISSUE)

    assert "git-leash" not in (bench.tmp_path / "fds").read_text()


async def test_a_wave_that_begins_does_nothing_that_is_merged_already(bench: Bench) -> None:
    bench.does("echo a > a")
    await bench.pipeline.implement(ISSUE)
    await bench.pipeline.merge(ISSUE)
    await bench.pipeline.close()

    with pytest.raises(PipelineError, match=r"has merges of api#1, and the journal is new"):
        await bench.another_pipeline().prepare(begins=lambda: True)


async def test_two_runs_never_work_in_one_folder(bench: Bench) -> None:
    second = Bench.__new__(Bench)
    second.__dict__.update(bench.__dict__, pipeline=None)

    with pytest.raises(PipelineError, match=r"state/worktrees is in use by process \d+ \(since"):
        await second.another_pipeline().prepare()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True, env={TOKEN: "x"})
    yield process
    process.kill()
    process.wait()


async def test_where_starts_cannot_be_told_a_process_is_never_signalled_but_named(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    record = {"pid": sleeper.pid, "started": "", "boot": _boot(), "token": "x"}
    (tmp_path / "x").write_text(json.dumps(record))

    with pytest.raises(OSError, match="it may be a session of the last run; end it"):
        await SessionRegistry(tmp_path).end_leftovers(1.0)

    assert sleeper.poll() is None
