"""What `CommandPipeline.prepare` checks before it changes anything."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.gitrepos import commit, git, make_repo, snapshot, without_identity

from wavelane.commands import CommandPipeline, IssueCommands, PipelineError, RepoSettings
from wavelane.processes import CommandLine

FINE = IssueCommands("true")


@pytest.fixture(autouse=True)
def _no_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_identity(monkeypatch, tmp_path / "home")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "repo")


def pipeline(
    tmp_path: Path,
    repos: Mapping[str, RepoSettings],
    commands: Mapping[str, IssueCommands] | None = None,
    name: str = "w",
) -> CommandPipeline:
    return CommandPipeline(
        name,
        repos,
        {"api#1": FINE} if commands is None else commands,
        state_dir=tmp_path / "state",
        wave_dir=tmp_path,
    )


async def problems(prepared: CommandPipeline) -> list[str]:
    try:
        await prepared.prepare()
    except PipelineError as error:
        return [str(problem) for problem in error.problems]
    await prepared.close()
    return []


async def problem_of_repo(tmp_path: Path, settings: RepoSettings) -> str:
    (found,) = await problems(pipeline(tmp_path, {"api": settings}))
    return found


async def problem_of_command(tmp_path: Path, command: CommandLine) -> str:
    repos = {"api": RepoSettings(tmp_path / "repo")}
    found = await problems(pipeline(tmp_path, repos, {"api#1": IssueCommands(command)}))
    return "; ".join(found)


async def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    missing = tmp_path / "missing"

    assert await problem_of_repo(tmp_path, RepoSettings(missing)) == (
        f'repo "api": {missing} does not exist; correct its path'
    )


async def test_a_path_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert await problem_of_repo(tmp_path, RepoSettings(tmp_path / "file")) == (
        f'repo "api": {tmp_path}/file is not a folder; give the top folder of a git repo'
    )


async def test_a_folder_that_is_no_git_repo(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()

    assert await problem_of_repo(tmp_path, RepoSettings(tmp_path / "plain")) == (
        f'repo "api": {tmp_path}/plain is not a git repo; '
        "give the top folder of one, or run git init there"
    )


async def test_a_folder_inside_a_repo_is_not_taken_for_the_repo(tmp_path: Path, repo: Path) -> None:
    (repo / "inside").mkdir()

    found = await problem_of_repo(tmp_path, RepoSettings(repo / "inside"))

    assert f"{repo}/inside is not a git repo" in found


async def test_a_link_into_a_repo_is_not_taken_for_the_repo(tmp_path: Path, repo: Path) -> None:
    (repo / "inside").mkdir()
    (tmp_path / "link").symlink_to(repo / "inside")

    found = await problem_of_repo(tmp_path, RepoSettings(tmp_path / "link"))

    assert "is not a git repo" in found


async def test_the_git_folder_of_a_checkout(tmp_path: Path, repo: Path) -> None:
    found = await problem_of_repo(tmp_path, RepoSettings(repo / ".git"))

    assert found == (
        f'repo "api": {repo}/.git is the inside of a git repo; give the folder of the checkout'
    )


async def test_a_repo_without_commits(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "--quiet")

    assert await problem_of_repo(tmp_path, RepoSettings(empty)) == (
        f'repo "api": {empty} has no commits yet; make the first one'
    )


async def test_a_base_that_does_not_exist(tmp_path: Path, repo: Path) -> None:
    assert await problem_of_repo(tmp_path, RepoSettings(repo, base="mian")) == (
        'repo "api": it has no branch "mian"; correct base; there is main'
    )


async def test_a_base_that_only_the_remote_has(tmp_path: Path, repo: Path) -> None:
    git(repo, "update-ref", "refs/remotes/origin/develop", "main")

    found = await problem_of_repo(tmp_path, RepoSettings(repo, base="develop"))

    assert found == (
        'repo "api": it has no branch "develop"; correct base; there is origin/develop'
    )


async def test_a_detached_head_without_a_base(tmp_path: Path, repo: Path) -> None:
    git(repo, "checkout", "--quiet", "--detach")

    assert await problem_of_repo(tmp_path, RepoSettings(repo)) == (
        f'repo "api": {repo} is on no branch (detached HEAD); give base, e.g. base: main'
    )


async def test_a_head_that_names_a_branch_without_commits(tmp_path: Path, repo: Path) -> None:
    git(repo, "symbolic-ref", "HEAD", "refs/heads/master")

    assert await problem_of_repo(tmp_path, RepoSettings(repo)) == (
        'repo "api": its HEAD names branch "master", which does not exist; give base; there is main'
    )


async def test_one_repo_under_two_names(tmp_path: Path, repo: Path) -> None:
    (tmp_path / "link").symlink_to(repo)
    twice = {"api": RepoSettings(repo), "web": RepoSettings(tmp_path / "link")}

    assert await problems(pipeline(tmp_path, twice)) == [
        f'repos "api" and "web" are the same git repo ({repo}/.git); list it once'
    ]


async def test_the_agent_branch_is_checked_out_by_the_user(tmp_path: Path, repo: Path) -> None:
    git(repo, "checkout", "--quiet", "-b", "wavelane/w/agent")

    assert await problem_of_repo(tmp_path, RepoSettings(repo, base="main")) == (
        f'repo "api": branch "wavelane/w/agent" is checked out in {repo}; '
        "switch that checkout to another branch"
    )


async def test_the_agent_branch_belongs_to_a_worktree_that_is_gone(
    tmp_path: Path, repo: Path
) -> None:
    git(repo, "worktree", "add", "--quiet", "-b", "wavelane/w/agent", str(tmp_path / "gone"))
    shutil.rmtree(tmp_path / "gone")

    assert await problem_of_repo(tmp_path, RepoSettings(repo)) == (
        f'repo "api": branch "wavelane/w/agent" belongs to the worktree {tmp_path}/gone, '
        f"which is gone; run: git -C {repo} worktree prune"
    )


async def test_a_branch_stands_in_the_way(tmp_path: Path, repo: Path) -> None:
    git(repo, "branch", "wavelane")

    assert await problem_of_repo(tmp_path, RepoSettings(repo)) == (
        'repo "api": its branch "wavelane" stands in the way of "wavelane/w/agent"; '
        f"rename it: git -C {repo} branch -m wavelane other-name"
    )


async def test_a_wave_whose_name_makes_no_branch(tmp_path: Path, repo: Path) -> None:
    named = pipeline(tmp_path, {"api": RepoSettings(repo)}, name="a..b")

    assert await problems(named) == [
        'wave "a..b": "wavelane/a..b/agent" is not a valid branch name; '
        "name the wave with letters, digits, - and _"
    ]


async def test_git_is_not_installed(
    tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(tools))

    assert await problems(pipeline(tmp_path, {"api": RepoSettings(repo)})) == [
        "the program git was not found; install git 2.20 or later"
    ]


async def test_git_is_too_old(tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "git").write_text("#!/bin/sh\necho git version 2.17.1\n")
    (tools / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")

    assert await problems(pipeline(tmp_path, {"api": RepoSettings(repo)})) == [
        "git is 2.17.1; install git 2.20 or later"
    ]


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("agnet --now", 'the program "agnet" was not found; install it, or correct the name'),
        (("agnet",), 'the program "agnet" was not found; install it, or correct the name'),
        ("./agent", '"./agent" is in no repo; correct it, or commit the file'),
        ("/no/agent", '"/no/agent" does not exist; correct it'),
        (("/no/agent",), '"/no/agent" does not exist; correct it'),
        ("", "the command is empty; give a command for the shell"),
        ((), "the command is empty; give at least the program's name"),
    ],
)
async def test_a_command_that_does_not_exist(
    tmp_path: Path, repo: Path, command: CommandLine, problem: str
) -> None:
    assert await problem_of_command(tmp_path, command) == f'implement of issue "api#1": {problem}'


async def test_a_command_that_the_shell_cannot_read(tmp_path: Path, repo: Path) -> None:
    found = await problem_of_command(tmp_path, "echo 'never closed")

    assert 'issue "api#1": "echo \'never closed" is not a valid shell command: ' in found


async def test_a_shell_command_that_lies_beside_the_wave_file(tmp_path: Path, repo: Path) -> None:
    (tmp_path / "agent").touch()

    found = await problem_of_command(tmp_path, "./agent --now")

    assert found == (
        'implement of issue "api#1": "./agent" is looked for in the issue\'s worktree, '
        f'and is in {tmp_path}; write "$WAVELANE_DIR/agent"'
    )


async def test_a_program_that_may_not_be_run(tmp_path: Path, repo: Path) -> None:
    (tmp_path / "agent").write_text("#!/bin/sh\n")
    (tmp_path / "agent").chmod(0o644)

    found = await problem_of_command(tmp_path, ("./agent",))

    assert found == (
        f'implement of issue "api#1": "{tmp_path}/agent" cannot be run; '
        f"make it executable: chmod +x {tmp_path}/agent"
    )


@pytest.mark.parametrize(
    "command",
    [
        "true && anything",
        "FOO=1 agnet",
        "$AGENT --now",
        "if true; then echo; fi",
        "cd src; ./agnet",
        "cat <<END\nit's\nEND",
        "./in-the-repo",
        ("in/../in-the-repo",),
        ("true",),
        ("/bin/sh", "-c", "true"),
    ],
)
async def test_a_command_that_may_exist_is_no_problem(
    tmp_path: Path, repo: Path, command: CommandLine
) -> None:
    commit(repo, {"in-the-repo": "#!/bin/sh\n"})

    assert await problem_of_command(tmp_path, command) == ""


async def test_a_gate_may_be_a_file_that_a_session_makes_first(tmp_path: Path, repo: Path) -> None:
    gates: dict[str, CommandLine] = {
        "lint": "node_modules/.bin/eslint .",
        "test": (".venv/bin/pytest",),
    }

    assert not await problems(pipeline(tmp_path, {"api": RepoSettings(repo, gates=gates)}))


async def test_one_command_of_many_issues_is_one_problem(tmp_path: Path, repo: Path) -> None:
    commands = {f"api#{n}": IssueCommands("agnet", review="agnet") for n in range(5)}

    (found,) = await problems(pipeline(tmp_path, {"api": RepoSettings(repo)}, commands))

    assert found.startswith('implement of issue "api#0" and 9 more: the program "agnet"')


async def test_all_problems_are_reported_at_once_and_nothing_is_changed(
    tmp_path: Path, repo: Path
) -> None:
    before = snapshot(repo)
    branches = git(repo, "for-each-ref")
    (tmp_path / "plain").mkdir()
    repos = {
        "good": RepoSettings(repo, gates={"test": "no-such-test"}),
        "missing": RepoSettings(tmp_path / "missing"),
        "plain": RepoSettings(tmp_path / "plain"),
        "based": RepoSettings(make_repo(tmp_path / "based"), base="nowhere"),
        "again": RepoSettings(repo),
    }
    commands = {"a": IssueCommands("agnet", review=("rewiever",)), "b": FINE}

    found = await problems(pipeline(tmp_path, repos, commands))

    assert [line.split(":")[0] for line in found] == [
        'repo "missing"',
        'repo "plain"',
        'repo "based"',
        'repos "good" and "again" are the same git repo (' + f"{repo}/.git); list it once",
        'implement of issue "a"',
        'review of issue "a"',
        'gate "test" of repo "good"',
    ]
    assert snapshot(repo) == before
    assert git(repo, "for-each-ref") == branches
    assert not (tmp_path / "state").exists()


async def test_a_state_directory_that_cannot_be_made_leaves_the_repos_as_they_were(
    tmp_path: Path, repo: Path
) -> None:
    (tmp_path / "state").write_text("a file in the way")

    (found,) = await problems(pipeline(tmp_path, {"api": RepoSettings(repo)}))

    assert found == (
        f"{tmp_path}/state cannot be used: File exists: {tmp_path}/state; "
        "give a work_dir that can be written to"
    )
    assert git(repo, "branch", "--format=%(refname:short)") == "main"


async def test_a_failure_while_making_takes_back_what_was_made(tmp_path: Path, repo: Path) -> None:
    web = make_repo(tmp_path / "web")
    (web / ".git" / "worktrees").write_text("a file in the way")
    repos = {"api": RepoSettings(repo), "web": RepoSettings(web)}

    (found,) = await problems(pipeline(tmp_path, repos))

    assert found.startswith("the worktrees cannot be made: `git worktree add")
    assert git(repo, "branch", "--format=%(refname:short)") == "main"
    assert git(repo, "worktree", "list").count("\n") == 0
    assert git(web, "branch", "--format=%(refname:short)") == "main"


async def test_a_problem_says_which_setting_is_to_be_looked_at(tmp_path: Path, repo: Path) -> None:
    repos = {
        "api": RepoSettings(repo, base="mian", gates={"test": "no-such-test"}),
        "web": RepoSettings(tmp_path / "missing"),
    }
    commands = {"api#1": IssueCommands("true", review="rewiever")}

    with pytest.raises(PipelineError) as caught:
        await pipeline(tmp_path, repos, commands).check()

    assert [(one.code, one.subject, one.place.path) for one in caught.value.problems] == [
        ("no-such-branch", "api", ("repos", "api", "base")),
        ("no-such-path", "web", ("repos", "web", "path")),
        ("no-such-program", "api#1", ("commands", "api#1", "review")),
        ("no-such-program", "api", ("repos", "api", "gates", "test")),
    ]
