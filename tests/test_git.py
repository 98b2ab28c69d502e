from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.gitrepos import git, hook, make_repo, until, without_identity

from wavelane.git.program import Git, GitError, environment, fallback_identity, version


@pytest.fixture(autouse=True)
def _no_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_identity(monkeypatch, tmp_path / "home")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "repo")


async def test_a_command_gives_its_output_without_the_last_newline(repo: Path) -> None:
    assert await Git(repo).out("branch", "--show-current") == "main"


async def test_a_failing_command_tells_what_where_and_git_s_last_words(repo: Path) -> None:
    with pytest.raises(GitError) as failure:
        await Git(repo).out("rev-parse", "--verify", "nowhere")

    assert str(failure.value) == (
        f"`git rev-parse --verify nowhere` in {repo} exited with 128: "
        "fatal: Needed a single revision"
    )
    assert failure.value.command == ("git", "rev-parse", "--verify", "nowhere")
    assert failure.value.ended is not None
    assert failure.value.ended.code == 128


async def test_a_question_that_git_cannot_answer_is_an_error(repo: Path) -> None:
    with pytest.raises(GitError):
        await Git(repo).is_so("merge-base", "--is-ancestor", "nowhere", "main")


async def test_a_revision_that_is_not_there_has_no_commit(repo: Path) -> None:
    assert await Git(repo).commit_of("nowhere") is None
    assert await Git(repo).commit_of("main") == git(repo, "rev-parse", "main")


async def test_the_environment_cannot_send_git_to_another_repo(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_repo(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))

    assert await Git(repo).out("rev-parse", "--show-toplevel") == str(repo)


async def test_the_repo_around_a_directory_is_never_taken_for_it(repo: Path) -> None:
    (repo / "inside").mkdir()

    with pytest.raises(GitError, match="not a git repository"):
        await Git(repo / "inside").out("status")


async def test_without_git_the_error_says_so(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repo))

    with pytest.raises(GitError, match="git cannot be started"):
        await version()


async def test_the_version_is_known() -> None:
    assert await version() >= (2, 20)


async def test_where_the_user_has_no_identity_there_is_a_fallback(repo: Path) -> None:
    assert await fallback_identity(Git(repo)) == {
        "GIT_AUTHOR_NAME": "wavelane",
        "GIT_AUTHOR_EMAIL": "wavelane@localhost",
        "GIT_COMMITTER_NAME": "wavelane",
        "GIT_COMMITTER_EMAIL": "wavelane@localhost",
    }


async def test_the_user_s_own_identity_is_kept(repo: Path) -> None:
    git(repo, "config", "user.name", "Ada")
    git(repo, "config", "committer.email", "ada@example.org")

    assert await fallback_identity(Git(repo)) == {"GIT_AUTHOR_EMAIL": "wavelane@localhost"}


async def test_an_identity_in_the_environment_is_kept(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Ada")
    monkeypatch.setenv("EMAIL", "ada@example.org")

    assert await fallback_identity(Git(repo)) == {"GIT_COMMITTER_NAME": "wavelane"}


async def test_commands_that_are_not_git_s_keep_the_user_s_language(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("GIT_DIR", "elsewhere")

    env = environment(repo)

    assert env["LC_ALL"] == "de_DE.UTF-8"
    assert "GIT_DIR" not in env


async def test_a_command_that_has_started_is_finished_when_it_is_cancelled(
    repo: Path, tmp_path: Path
) -> None:
    hook(repo, "pre-commit", f"touch {tmp_path}/in; until [ -e {tmp_path}/go ]; do :; done")
    identity = await fallback_identity(Git(repo))
    commit = asyncio.create_task(
        Git(repo, identity).out("commit", "--quiet", "--allow-empty", "-m", "finished")
    )
    await until((tmp_path / "in").exists)

    commit.cancel()
    (tmp_path / "go").touch()
    with pytest.raises(asyncio.CancelledError):
        await commit

    assert git(repo, "log", "-1", "--format=%s") == "finished"
    assert not (repo / ".git" / "index.lock").exists()


async def test_a_command_that_hangs_is_ended_when_patience_is_at_its_end(
    repo: Path, tmp_path: Path
) -> None:
    hook(repo, "pre-commit", f"touch {tmp_path}/in; sleep 1000")
    identity = await fallback_identity(Git(repo))
    commit = asyncio.create_task(
        Git(repo, identity, patience=0.05).out("commit", "--allow-empty", "-m", "never")
    )
    await until((tmp_path / "in").exists)

    commit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await commit

    assert git(repo, "log", "-1", "--format=%s") == "a commit"
    assert not (repo / ".git" / "index.lock").exists()
