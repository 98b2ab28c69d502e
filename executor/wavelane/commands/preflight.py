"""Preflight: whether a command pipeline can work, determined without changing anything.

Everything that is wrong is reported at once, each with a sentence that names the thing and what to
do: git itself, the repos (`wavelane.git.survey`), the commands (`command_check`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from wavelane.commands.command_check import CommandCheck, Fault
from wavelane.commands.settings import IssueCommands, RepoSettings
from wavelane.git import (
    OLDEST_GIT,
    Git,
    GitError,
    RepoFacts,
    RepoUnfitError,
    agent_branch,
    check_path,
    survey,
    version,
)
from wavelane.processes import CommandLine
from wavelane_model.problems import Place, Problem

_MOST_AT_ONCE = 8
"""Commands checked in parallel."""


class CommandUser(NamedTuple):
    """A user of a command: which issue or repo, and as what."""

    what: str
    """In words: implement, review, gate "test"."""
    owner: str
    """In words: issue "api#1", repo "api"."""
    subject: str
    key: tuple[str, ...]
    """Its place in what the pipeline was made from."""
    is_session: bool


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
        self.problems: list[Problem] = []
        self.facts: dict[str, RepoFacts] = {}
        self._wave = wave
        self._repos = repos
        self._commands = commands
        self._roots = roots
        self._wave_dir = wave_dir

    async def check(self) -> None:
        """Check everything. Raises nothing that is a problem of the settings."""
        if await self._check_git():
            await asyncio.gather(*map(self._survey, self._repos))
            self.facts = {name: self.facts[name] for name in self._repos if name in self.facts}
            self._sort_problems_of_repos()
            self._check_that_repos_differ()
        else:
            self._check_paths()
        await self._check_commands()

    # Git and the repos

    async def _check_git(self) -> bool:
        problem = await self._problem_of_git()
        if problem is not None:
            self.problems.append(problem)
        return problem is None

    async def _problem_of_git(self) -> Problem | None:
        wanted = ".".join(map(str, OLDEST_GIT))
        try:
            found = await version()
        except GitError:
            text = f"the program git was not found; install git {wanted} or later"
            return Problem("no-git", "git", text)
        if found < OLDEST_GIT:
            given = ".".join(map(str, found))
            return Problem("old-git", "git", f"git is {given}; install git {wanted} or later")
        name = agent_branch(self._wave)
        git = Git.only_reading(Path("/"))
        if not (await git.run("check-ref-format", "--branch", name)).ok:
            text = (
                f'wave "{self._wave}": "{name}" is not a valid branch name; '
                "name the wave with letters, digits, - and _"
            )
            return Problem("bad-wave-name", self._wave, text, Place(("name",)))
        return None

    async def _survey(self, name: str) -> None:
        repo = self._repos[name]
        try:
            self.facts[name] = await survey(
                repo.path, repo.base, wave=self._wave, root=self._roots[name]
            )
        except RepoUnfitError as unfit:
            self._report_repo(name, unfit)

    def _check_paths(self) -> None:
        for name, repo in self._repos.items():
            try:
                check_path(repo.path)
            except RepoUnfitError as unfit:
                self._report_repo(name, unfit)

    def _report_repo(self, name: str, unfit: RepoUnfitError) -> None:
        place = Place(("repos", name, unfit.key))
        self.problems.append(Problem(unfit.code, name, f'repo "{name}": {unfit}', place))

    def _sort_problems_of_repos(self) -> None:
        """Repos are surveyed in parallel, and reported in their order."""
        order = [*self._repos]
        self.problems.sort(key=lambda problem: order.index(problem.subject))

    def _check_that_repos_differ(self) -> None:
        seen: dict[Path, str] = {}
        for name, facts in self.facts.items():
            other = seen.setdefault(facts.common_dir, name)
            if other != name:
                text = (
                    f'repos "{other}" and "{name}" are the same git repo ({facts.common_dir}); '
                    "list it once"
                )
                place = Place(("repos", name, "path"))
                self.problems.append(Problem("same-repo", name, text, place))

    # Commands

    async def _check_commands(self) -> None:
        check = CommandCheck(self._wave_dir, self._is_in_a_repo if self.facts else None)
        a_few = asyncio.Semaphore(_MOST_AT_ONCE)

        async def fault(command: CommandLine, users: Iterable[CommandUser]) -> Fault | None:
            async with a_few:
                is_session = any(user.is_session for user in users)
                return await check.fault(command, is_session=is_session)

        commands = self._all_commands()
        faults = await asyncio.gather(*(fault(*one) for one in commands.items()))
        for users, found in zip(commands.values(), faults, strict=True):
            if found is not None:
                text = f"{_named(users)}: {found.text}"
                place = Place(users[0].key)
                self.problems.append(Problem(found.code, users[0].subject, text, place))

    def _all_commands(self) -> dict[CommandLine, list[CommandUser]]:
        """Each command once, with its users."""
        users: dict[CommandLine, list[CommandUser]] = {}
        for issue_id, commands in self._commands.items():
            for step in ("implement", "review"):
                command: CommandLine | None = getattr(commands, step)
                if command is not None:
                    owner, key = f'issue "{issue_id}"', ("commands", issue_id, step)
                    user = CommandUser(step, owner, issue_id, key, True)
                    users.setdefault(command, []).append(user)
        for name, repo in self._repos.items():
            for gate, command in repo.gates.items():
                what, owner = f'gate "{gate}"', f'repo "{name}"'
                user = CommandUser(what, owner, name, ("repos", name, "gates", gate), False)
                users.setdefault(command, []).append(user)
        return users

    async def _is_in_a_repo(self, path: str) -> bool:
        for name, facts in self.facts.items():
            git = Git.only_reading(self._repos[name].path)
            for start in (f"refs/heads/{agent_branch(self._wave)}", facts.base):
                if (await git.run("cat-file", "-e", f"{start}:{path}")).ok:
                    return True
        return False


def _named(users: list[CommandUser]) -> str:
    """The users of a command in few words: `implement of issue "a" and 11 more`."""
    more = len(users) - 1
    return f"{users[0].what} of {users[0].owner}" + (f" and {more} more" if more else "")
