"""Facts: the evidence about a wave that has ended, from git, the kernel and the sessions.

The code under test contributes only two: which issues are done by the journal, and whether the
journal keeps the rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from specs.kills.processes import processes_of
from specs.kills.project import AGENT_BRANCH, REPOS, Project, git
from wavelane.journal import read_journal
from wavelane.replay.report import Report
from wavelane.verify import verify
from wavelane_model.events import Event, OrderPlanned, Reservation

_DEPTHS: Final = {"logs": 1, "inputs": 1, "worktrees": 3}
"""How many levels of a folder beside the journal are listed; of all others, every level."""
_TRAILER: Final = "Wavelane-Issue: "


class LogLine(NamedTuple):
    """A line of the sessions' log.

    Attributes:
        at: When it was written, in nanoseconds.
        what: `begin` or `end`, or a violation: `beside`, `above`, `early` or `again`.
        run: The number of the run.
        step: `implement`, `review` or `gate`.
        repo: The repo of the issue.
        issue: The issue.
        attempt: The attempt.
        pid: The process of the session.
        note: Details.
    """

    at: int
    what: str
    run: str
    step: str
    repo: str
    issue: str
    attempt: int
    pid: int
    note: str = ""

    @classmethod
    def parsed(cls, text: str) -> LogLine:
        at, what, run, step, repo, issue, attempt, pid, *note = text.split()
        return cls(int(at), what, run, step, repo, issue, int(attempt), int(pid), " ".join(note))

    def __str__(self) -> str:
        return f"{self.step} of {self.issue} (run {self.run}, attempt {self.attempt})"


@dataclass(frozen=True, slots=True)
class RepoFacts:
    """The state of a repo."""

    merges: tuple[str, ...]
    """The issues of the merge commits on the agent branch, in order; "?" for one without."""
    others: tuple[str, ...]
    """The subjects of the other commits there, after the base."""
    tree: str
    """The hash of the agent branch's tree."""
    branches: frozenset[str]
    worktrees: frozenset[str]
    locks: frozenset[str]
    """The lock files that git has left."""
    checkout: tuple[str, ...]
    """The user's own branch, commit, changes and files."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A wave that has ended."""

    exit_code: int | None
    done: frozenset[str]
    repos: dict[str, RepoFacts]
    sessions: tuple[LogLine, ...] = ()
    processes: tuple[str, ...] = ()
    files: frozenset[str] = frozenset()
    """The files beside the journal, without the contents of logs, inputs and worktrees."""
    broken_rules: str = ""
    """The violations that `wavelane verify` finds in the journal."""
    events: Counter[str] = field(default_factory=Counter)
    """How often each event is in the journal, and how many reservations its plans make."""

    @property
    def merges(self) -> int:
        return sum(len(repo.merges) for repo in self.repos.values())


def collect_facts(project: Project, exit_code: int | None) -> Facts:
    """Collect the evidence about a project's wave."""
    processes = tuple(processes_of(project.folder).values())
    folders = (project.state_dir, project.disk)
    files = frozenset(name for folder in folders if folder for name in _files(folder))
    report = Report.from_journal(project.journal)
    verdict = verify(project.journal)
    return Facts(
        exit_code,
        frozenset(one for one, issue in report.issues.items() if issue.state == "done"),
        {name: _repo_facts(project.folder / name) for name in REPOS},
        tuple(log_lines(project.log)),
        processes,
        files,
        "" if verdict.keeps_the_rules else str(verdict),
        _counted(entry.event for entry in read_journal(project.journal)[1]),
    )


def _counted(events: Iterable[Event]) -> Counter[str]:
    found: Counter[str] = Counter()
    for event in events:
        found[type(event).__name__] += 1
        if isinstance(event, OrderPlanned):
            found[Reservation.__name__] += len(event.reservations)
    return found


def log_lines(log: Path) -> Iterator[LogLine]:
    """The lines that the sessions have logged so far."""
    if log.exists():
        yield from map(LogLine.parsed, log.read_text().splitlines())


def _repo_facts(repo: Path) -> RepoFacts:
    span = f"main..{AGENT_BRANCH}"
    form = ("log", "--first-parent", "--reverse", "--format=%P%x1f%B%x1e", span)
    merges, others = [], []
    for commit in git(repo, *form).split("\x1e"):
        if commit.strip():
            parents, _, message = commit.strip("\n").partition("\x1f")
            if len(parents.split()) > 1:
                merges.append(_issue_in(message))
            else:
                others.append(message.splitlines()[0])
    branches = git(repo, "for-each-ref", "--format=%(refname:short)", "refs/heads")
    listing = git(repo, "worktree", "list", "--porcelain").splitlines()
    return RepoFacts(
        tuple(merges),
        tuple(others),
        git(repo, "rev-parse", f"{AGENT_BRANCH}^{{tree}}"),
        frozenset(branches.splitlines()),
        frozenset(Path(line).name for line in listing if line.startswith("worktree ")),
        frozenset(str(lock.relative_to(repo)) for lock in (repo / ".git").rglob("*.lock")),
        _checkout(repo),
    )


def _issue_in(message: str) -> str:
    found = [line for line in message.splitlines() if line.startswith(_TRAILER)]
    return found[-1].removeprefix(_TRAILER) if found else "?"


def _checkout(repo: Path) -> tuple[str, ...]:
    questions = (
        ("symbolic-ref", "HEAD"),
        ("rev-parse", "--abbrev-ref", "HEAD"),
        ("rev-parse", "HEAD^{tree}"),
        ("status", "--porcelain"),
        ("stash", "list"),
    )
    files = sorted(path for path in repo.iterdir() if path.is_file())
    texts = (f"{path.name}: {path.read_text()}" for path in files)
    return (*(git(repo, *question) for question in questions), *texts)


def _files(folder: Path) -> Iterable[str]:
    for path in folder.rglob("*"):
        inside = path.relative_to(folder).parts
        if len(inside) <= _DEPTHS.get(inside[0], len(inside)):
            yield "/".join(inside)
