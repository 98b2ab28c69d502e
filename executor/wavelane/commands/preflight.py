"""Preflight: whether a command pipeline can work, found out without changing anything.

Everything that is wrong is reported at once, each in a sentence that names the thing and says what
to do. A command counts as missing only where that can be told: a path that a session may make
first (a gate's `node_modules/.bin/…`) and a word that only the shell can expand are not judged.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from wavelane.commands.settings import IssueCommands, RepoSettings
from wavelane.git.program import OLDEST_GIT, Git, GitError, environment, fallback_identity, version
from wavelane.git.repos import AGENT_TREE, agent_branch
from wavelane.git.worktrees import worktrees
from wavelane.processes.command import Command, ask

_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9_.+/-]*/[A-Za-z0-9_.+/-]+")


@dataclass(frozen=True, slots=True)
class RepoFacts:
    """What the check has found out about one repo.

    `base` is the full name of the base branch's ref, `common_dir` git's directory of the repo, and
    `identity` what commits need in their environment.
    """

    base: str
    common_dir: Path
    identity: Mapping[str, str]


class Preflight:
    """One check of one pipeline's settings. `problems` and `facts` are filled by `check`."""

    def __init__(
        self,
        wave: str,
        repos: Mapping[str, RepoSettings],
        commands: Mapping[str, IssueCommands],
        *,
        roots: Mapping[str, Path],
        wave_dir: Path,
    ) -> None:
        self.problems: list[str] = []
        self.facts: dict[str, RepoFacts] = {}
        self._wave = wave
        self._repos = repos
        self._commands = commands
        self._roots = roots
        self._wave_dir = wave_dir

    async def check(self) -> None:
        """Look at everything. Raises nothing that is a problem of the settings."""
        if await self._check_git():
            found = await asyncio.gather(*(self._survey(name) for name in self._repos))
            for name, result in zip(self._repos, found, strict=True):
                if isinstance(result, RepoFacts):
                    self.facts[name] = result
                else:
                    self.problems.append(f'repo "{name}": {result}')
            self._check_that_repos_differ()
        else:
            self._check_paths()
        await self._check_commands()

    # Git and the repos

    async def _check_git(self) -> bool:
        wanted = ".".join(map(str, OLDEST_GIT))
        try:
            found = await version()
        except GitError:
            self.problems.append(f"the program git was not found; install git {wanted} or later")
            return False
        if found < OLDEST_GIT:
            given = ".".join(map(str, found))
            self.problems.append(f"git is {given}; install git {wanted} or later")
            return False
        name = agent_branch(self._wave)
        if not (await Git.only_reading(Path("/")).run("check-ref-format", "--branch", name)).ok:
            self.problems.append(
                f'wave "{self._wave}": "{name}" is no valid name of a branch; '
                "name the wave with letters, digits, - and _"
            )
            return False
        return True

    def _check_paths(self) -> None:
        for name, repo in self._repos.items():
            if problem := _path_problem(repo.path):
                self.problems.append(f'repo "{name}": {problem}')

    def _check_that_repos_differ(self) -> None:
        seen: dict[Path, str] = {}
        for name, facts in self.facts.items():
            other = seen.setdefault(facts.common_dir, name)
            if other != name:
                self.problems.append(
                    f'repos "{other}" and "{name}" are the same git repo ({facts.common_dir}); '
                    "list it once"
                )

    async def _survey(self, name: str) -> RepoFacts | str:
        repo = self._repos[name]
        path = repo.path
        if problem := _path_problem(path):
            return problem
        git = Git.only_reading(path)
        try:
            if problem := await _repo_problem(git):
                return problem
            base = await _base_of(git, repo.base)
            if not base.startswith("refs/"):
                return base
            if problem := await self._branch_problem(git, name):
                return problem
            common_dir = path / await git.out("rev-parse", "--git-common-dir")
            return RepoFacts(base, _real(common_dir), await fallback_identity(git))
        except GitError as error:
            return f"{error}; see to it that this works"

    async def _branch_problem(self, git: Git, name: str) -> str | None:
        agent = agent_branch(self._wave)
        for taken in ("wavelane", f"wavelane/{self._wave}"):
            if await git.commit_of(f"refs/heads/{taken}") is not None:
                return (
                    f'its branch "{taken}" stands in the way of "{agent}"; rename it: '
                    f"git -C {git.directory} branch -m {taken} other-name"
                )
        for one in await worktrees(git):
            if one.branch == agent and one.directory != self._roots[name] / AGENT_TREE:
                if not _is_there(one.directory):
                    return (
                        f'branch "{agent}" belongs to the worktree {one.directory}, which is '
                        f"gone; run: git -C {git.directory} worktree prune"
                    )
                return (
                    f'branch "{agent}" is checked out in {one.directory}; '
                    "switch that checkout to another branch"
                )
        return None

    # Commands

    async def _check_commands(self) -> None:
        a_few = asyncio.Semaphore(8)

        async def check(command: Command, users: list[tuple[str, str]]) -> None:
            async with a_few:
                problems[command] = await self._command_problem(command, users)

        commands = self._all_commands()
        problems: dict[Command, str | None] = {}
        await asyncio.gather(*(check(command, users) for command, users in commands.items()))
        for command, users in commands.items():
            if problem := problems[command]:
                self.problems.append(f"{_named(users)}: {problem}")

    def _all_commands(self) -> dict[Command, list[tuple[str, str]]]:
        """Each command once, with its users: what it is to them, and who they are."""
        users: dict[Command, list[tuple[str, str]]] = {}
        for issue_id, commands in self._commands.items():
            users.setdefault(commands.implement, []).append(("implement", f'issue "{issue_id}"'))
            if commands.review is not None:
                users.setdefault(commands.review, []).append(("review", f'issue "{issue_id}"'))
        for name, repo in self._repos.items():
            for gate, command in repo.gates.items():
                users.setdefault(command, []).append((f'gate "{gate}"', f'repo "{name}"'))
        return users

    async def _command_problem(
        self, command: Command, users: Iterable[tuple[str, str]]
    ) -> str | None:
        is_session = any(what in ("implement", "review") for what, _ in users)
        if isinstance(command, str):
            return await self._shell_problem(command, is_session)
        if not command or not command[0]:
            return "the command is empty; give at least the program's name"
        word = command[0]
        if "/" not in word:
            return None if shutil.which(word) else _missing(word)
        if _is_there(self._wave_dir / word) or Path(word).is_absolute():
            return _file_problem(self._wave_dir / word)
        if is_session and self.facts and not await self._is_in_a_repo(word):
            return (
                f'"{word}" is neither in {self._wave_dir} nor in a repo; '
                "correct it, or commit the file"
            )
        return None

    async def _shell_problem(self, command: str, is_session: bool) -> str | None:
        if not command.strip():
            return "the command is empty; give a command for the shell"
        env = environment(self._wave_dir)
        syntax = await ask(("sh", "-n", "-c", command), env=env)
        if not syntax.ok:
            return f'"{command}" is no valid shell command: {syntax.errors.strip()}'
        word = _first_word(command)
        if _PLAIN_NAME.fullmatch(word):
            known = await ask(("sh", "-c", 'command -v -- "$0"', word), env=env)
            return None if known.ok else _missing(word)
        if not _PLAIN_PATH.fullmatch(word):
            return None
        if Path(word).is_absolute():
            return _file_problem(Path(word))
        if not self.facts or await self._is_in_a_repo(word):
            return None
        if _is_there(self._wave_dir / word):
            return (
                f'"{word}" is looked for in the issue\'s worktree, and is in {self._wave_dir}; '
                f'write "$WAVELANE_DIR/{_normal(word)}"'
            )
        return f'"{word}" is in no repo; correct it, or commit the file' if is_session else None

    async def _is_in_a_repo(self, path: str) -> bool:
        inside = _normal(path)
        for name, facts in self.facts.items():
            git = Git.only_reading(self._repos[name].path)
            for start in (f"refs/heads/{agent_branch(self._wave)}", facts.base):
                looked = await git.run("cat-file", "-e", f"{start}:{inside}")
                if looked.ok:
                    return True
        return False


async def _repo_problem(git: Git) -> str | None:
    top = await git.run("rev-parse", "--git-dir")
    if not top.ok and "not a git repository" in top.errors:
        return f"{git.directory} is no git repo; give the top folder of one, or run git init there"
    if not top.ok:
        return f"git refuses {git.directory}: {' '.join(top.errors.split())}"
    bare, inside, found = (
        await git.out("rev-parse", "--is-bare-repository", "--is-inside-git-dir", "--git-dir")
    ).splitlines()
    if inside == "true" and (bare == "false" or found != "."):
        return f"{git.directory} is the inside of a git repo; give the folder of the checkout"
    if not await git.out("rev-list", "--all", "--max-count=1"):
        return f"{git.directory} has no commits yet; make the first one"
    return None


async def _base_of(git: Git, base: str | None) -> str:
    """The full name of the base branch's ref, or else what is wrong with it."""
    if base is None:
        head = await git.run("symbolic-ref", "--quiet", "HEAD")
        if not head.ok:
            return f"{git.directory} is on no branch (detached HEAD); give base, e.g. base: main"
        ref = head.out.strip()
        if await git.commit_of(ref) is None:
            missing = ref.removeprefix("refs/heads/")
            hint = await _hint(git)
            return f'its HEAD names branch "{missing}", which is not there; give base{hint}'
        return ref
    for ref in (f"refs/heads/{base}", f"refs/remotes/{base}"):
        if await git.commit_of(ref) is not None:
            return ref
    return f'it has no branch "{base}"; correct base{await _hint(git, base)}'


async def _hint(git: Git, wanted: str = "main") -> str:
    listing = await git.out("for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes")
    names = [re.sub("^refs/(heads|remotes)/", "", ref) for ref in listing.splitlines()]
    near = [name for name in names if name.endswith(f"/{wanted}")]
    best = near or get_close_matches(wanted, names, n=1) or names[:3]
    return f"; there is {', '.join(best)}" if best else ""


def _path_problem(path: Path) -> str | None:
    if not path.exists():
        return f"{path} does not exist; correct its path"
    if not path.is_dir():
        return f"{path} is no folder; give the top folder of a git repo"
    return None


def _file_problem(path: Path) -> str | None:
    if not path.exists():
        return f'"{path}" does not exist; correct it'
    if not path.is_file() or not os.access(path, os.X_OK):
        return f'"{path}" cannot be run; make it executable: chmod +x {path}'
    return None


def _missing(name: str) -> str:
    return f'the program "{name}" was not found; install it, or correct the name'


def _first_word(command: str) -> str:
    """The first word of a shell command, "" where the shell alone can tell."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        return ""
    return words[0] if words else ""


def _named(users: list[tuple[str, str]]) -> str:
    """The users of a command in few words: `implement of issue "a" and 11 more`."""
    what, who = users[0]
    more = len(users) - 1
    return f"{what} of {who}" + (f" and {more} more" if more else "")


def _normal(path: str) -> str:
    return os.path.normpath(path)


def _is_there(path: Path) -> bool:
    return path.exists()


def _real(path: Path) -> Path:
    return path.resolve()
