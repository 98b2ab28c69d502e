"""The survey of a repo: whether a wave can work in it, determined without changing anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from wavelane.git.program import Git, GitError, fallback_identity
from wavelane.git.repos import AGENT_TREE, agent_branch
from wavelane.git.worktrees import worktrees


@dataclass(frozen=True, slots=True)
class RepoFacts:
    """What a survey has determined about one repo.

    Attributes:
        base: The full name of the base branch's ref.
        common_dir: Git's directory of the repo.
        identity: Variables that commits need in their environment.
    """

    base: str
    common_dir: Path
    identity: Mapping[str, str]


class RepoUnfitError(Exception):
    """A wave cannot work in a repo.

    Attributes:
        code: The kind of obstacle.
        key: The setting of the repo to check: "path" or "base".
    """

    def __init__(self, code: str, text: str, key: str = "path") -> None:
        super().__init__(text)
        self.code = code
        self.key = key


def check_path(path: Path) -> None:
    """Raises `RepoUnfitError` if there is no folder."""
    if not path.exists():
        raise RepoUnfitError("no-such-path", f"{path} does not exist; correct its path")
    if not path.is_dir():
        raise RepoUnfitError(
            "not-a-folder", f"{path} is not a folder; give the top folder of a git repo"
        )


async def survey(path: Path, base: str | None, *, wave: str, root: Path) -> RepoFacts:
    """The facts of the repo at `path`, for a wave that will keep its worktrees in `root`.

    Raises `RepoUnfitError` for the first obstacle.
    """
    check_path(path)
    git = Git.only_reading(path)
    try:
        await _check_that_it_is_a_repo(git)
        ref = await (_branch_of_head(git) if base is None else _branch_named(git, base))
        await _check_branches(git, wave, root)
        common_dir = path / await git.out("rev-parse", "--git-common-dir")
        return RepoFacts(ref, _real(common_dir), await fallback_identity(git))
    except GitError as error:
        raise RepoUnfitError("git-fails", f"{error}; make sure that this works") from error


async def _check_that_it_is_a_repo(git: Git) -> None:
    top = await git.run("rev-parse", "--git-dir")
    if not top.ok and "not a git repository" in top.errors:
        raise RepoUnfitError(
            "no-repo",
            f"{git.directory} is not a git repo; give the top folder of one, or run git init there",
        )
    if not top.ok:
        words = " ".join(top.errors.split())
        raise RepoUnfitError("git-refuses", f"git refuses {git.directory}: {words}")
    bare, inside, found = (
        await git.out("rev-parse", "--is-bare-repository", "--is-inside-git-dir", "--git-dir")
    ).splitlines()
    if inside == "true" and (bare == "false" or found != "."):
        raise RepoUnfitError(
            "inside-of-a-repo",
            f"{git.directory} is the inside of a git repo; give the folder of the checkout",
        )
    if not await git.out("rev-list", "--all", "--max-count=1"):
        raise RepoUnfitError(
            "no-commits", f"{git.directory} has no commits yet; make the first one"
        )


async def _branch_of_head(git: Git) -> str:
    """The full name of the branch that is checked out."""
    head = await git.run("symbolic-ref", "--quiet", "HEAD")
    if not head.ok:
        raise RepoUnfitError(
            "detached-head",
            f"{git.directory} is on no branch (detached HEAD); give base, e.g. base: main",
            "base",
        )
    ref = head.out.strip()
    if await git.commit_of(ref) is None:
        missing = ref.removeprefix("refs/heads/")
        raise RepoUnfitError(
            "no-such-branch",
            f'its HEAD names branch "{missing}", which does not exist; give base{await _hint(git)}',
            "base",
        )
    return ref


async def _branch_named(git: Git, base: str) -> str:
    """The full name of the branch called `base`, here or in a remote."""
    for ref in (f"refs/heads/{base}", f"refs/remotes/{base}"):
        if await git.commit_of(ref) is not None:
            return ref
    raise RepoUnfitError(
        "no-such-branch",
        f'it has no branch "{base}"; correct base{await _hint(git, base)}',
        "base",
    )


async def _hint(git: Git, wanted: str = "main") -> str:
    listing = await git.out("for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes")
    names = [re.sub("^refs/(heads|remotes)/", "", ref) for ref in listing.splitlines()]
    near = [name for name in names if name.endswith(f"/{wanted}")]
    best = near or get_close_matches(wanted, names, n=1) or names[:3]
    return f"; there is {', '.join(best)}" if best else ""


async def _check_branches(git: Git, wave: str, root: Path) -> None:
    """Require that no other branch is in the place of the wave's branches."""
    agent = agent_branch(wave)
    for taken in ("wavelane", f"wavelane/{wave}"):
        if await git.commit_of(f"refs/heads/{taken}") is not None:
            raise RepoUnfitError(
                "branch-in-the-way",
                f'its branch "{taken}" stands in the way of "{agent}"; rename it: '
                f"git -C {git.directory} branch -m {taken} other-name",
            )
    for one in await worktrees(git):
        if one.branch != agent or one.directory == root / AGENT_TREE:
            continue
        if not _is_there(one.directory):
            raise RepoUnfitError(
                "agent-branch-taken",
                f'branch "{agent}" belongs to the worktree {one.directory}, which is '
                f"gone; run: git -C {git.directory} worktree prune",
            )
        raise RepoUnfitError(
            "agent-branch-taken",
            f'branch "{agent}" is checked out in {one.directory}; '
            "switch that checkout to another branch",
        )


def _is_there(path: Path) -> bool:
    return path.exists()


def _real(path: Path) -> Path:
    return path.resolve()
