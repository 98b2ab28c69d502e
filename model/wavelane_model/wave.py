"""A wave: its issues, their repos and dependencies, and how long earlier issues took.

A `Wave` is checked when it is made and never changes. Whatever can be computed once (positions,
dependents) is computed here, so that a step need not search for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass

from wavelane_model.problems import ProblemsError
from wavelane_model.wave_problems import problems_of


class WaveError(ProblemsError):
    """A wave that cannot be run.

    Attributes:
        problems: Every problem found, each a `Problem` with a code and a place from
            `wavelane_model.wave_problems`. The error's text is their messages, one per line.
    """


@dataclass(frozen=True, slots=True, eq=False)
class Issue:
    """One piece of work in one repo. Two issues are equal when all their fields are.

    Attributes:
        id: Unique in the wave, e.g. "api#12".
        repo: The repo that it belongs to.
        depends_on: Ids of issues that must be done before this one starts.
        title: A summary, in one line.
        body: The full description.
        priority: Higher is more urgent. An issue inherits the priority of the most urgent issue
            that depends on it.
        estimate: The expected length in seconds, if it is known.
        labels: What kind of issue it is, e.g. "bug". Labels serve only to estimate its length, from
            finished issues with the same labels.

    Raises:
        TypeError: For a string in place of a list of ids or labels.
    """

    id: str
    repo: str
    depends_on: Sequence[str] = ()
    _: KW_ONLY
    title: str = ""
    body: str = ""
    priority: int = 0
    estimate: float | None = None
    labels: Sequence[str] = ()

    def __post_init__(self) -> None:
        _keep_each_once(self, f"issue {self.id!r}", "depends_on", "ids")
        _keep_each_once(self, f"issue {self.id!r}", "labels", "labels")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Issue):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in ISSUE_FIELDS)

    def __hash__(self) -> int:
        return hash(self.id)


ISSUE_FIELDS = ("id", "repo", "depends_on", "title", "body", "priority", "estimate", "labels")
"""The names of an issue's fields."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished issue, from which the lengths of similar ones are learned.

    Attributes:
        repo: The repo that it belonged to.
        labels: Its labels.
        seconds: How long its sessions took in total.
    """

    repo: str
    labels: Sequence[str]
    seconds: float

    def __post_init__(self) -> None:
        _keep_each_once(self, f"a finished issue of repo {self.repo!r}", "labels", "labels")


class Wave:
    """A checked set of issues, which never changes.

    Args:
        issues: The issues, in the order of the file.
        repos: The project's repos, in order. Default: those of the issues, as first seen.
        done: Ids outside the wave that are done already, so that issues may depend on them.
        experience: Issues of earlier waves, to learn how long issues without an estimate take.

    Raises:
        WaveError: Lists every problem at once: duplicate ids, unknown repos, unknown dependencies,
            cycles.
    """

    __slots__ = (
        "dependencies",
        "dependents",
        "done",
        "experience",
        "issues",
        "position",
        "repo_of",
        "repos",
    )

    def __init__(
        self,
        issues: Iterable[Issue],
        *,
        repos: Sequence[str] | None = None,
        done: Collection[str] = (),
        experience: Iterable[Finished] = (),
    ) -> None:
        self.issues = tuple(issues)
        self.experience = tuple(experience)
        self.repos = tuple(
            dict.fromkeys(issue.repo for issue in self.issues) if repos is None else repos
        )
        self.done = frozenset(done)
        self.position: dict[str, int] = {}
        for at, issue in enumerate(self.issues):
            self.position.setdefault(issue.id, at)
        self.dependencies = self._positions_of_dependencies()
        self.dependents = self._positions_of_dependents()
        if problems := [*problems_of(self)]:
            raise WaveError(problems)
        repo_at = {repo: at for at, repo in enumerate(self.repos)}
        self.repo_of = tuple(repo_at[issue.repo] for issue in self.issues)

    def __len__(self) -> int:
        return len(self.issues)

    def __getitem__(self, issue_id: str) -> Issue:
        return self.issues[self.position[issue_id]]

    def __contains__(self, issue_id: object) -> bool:
        return issue_id in self.position

    def __repr__(self) -> str:
        return f"<Wave of {len(self.issues)} issues in {len(self.repos)} repos>"

    def amended(
        self,
        issues: Iterable[Issue],
        done: Iterable[str] = (),
        experience: Iterable[Finished] | None = None,
    ) -> Wave:
        """This wave with `issues` added; each replaces an issue with the same id.

        Positions stay as they are; new issues follow.

        Args:
            issues: New issues, and changed ones.
            done: Further ids outside the wave that are done already.
            experience: Replaces the wave's experience, if given.

        Raises:
            WaveError: If the resulting wave has problems.
        """
        by_id = {issue.id: issue for issue in self.issues}
        by_id.update((issue.id, issue) for issue in issues)
        return Wave(
            by_id.values(),
            repos=self.repos,
            done=self.done.union(done),
            experience=self.experience if experience is None else experience,
        )

    def topological(self) -> list[int]:
        """Positions of all issues, each after everything that it depends on."""
        unmet = [len(found) for found in self.dependencies]
        order = [at for at, count in enumerate(unmet) if count == 0]
        for at in order:
            for dependent in self.dependents[at]:
                unmet[dependent] -= 1
                if unmet[dependent] == 0:
                    order.append(dependent)
        return order

    def _positions_of_dependencies(self) -> tuple[tuple[int, ...], ...]:
        """Only dependencies in the wave; all others are done already."""
        return tuple(
            tuple(self.position[need] for need in issue.depends_on if need in self.position)
            for issue in self.issues
        )

    def _positions_of_dependents(self) -> tuple[tuple[int, ...], ...]:
        dependents: list[list[int]] = [[] for _ in self.issues]
        for at, needed in enumerate(self.dependencies):
            for need in needed:
                dependents[need].append(at)
        return tuple(tuple(found) for found in dependents)


def _keep_each_once(thing: object, name: str, field: str, items: str) -> None:
    """Make a field of strings a tuple without duplicates. Raises `TypeError` for a string."""
    given = getattr(thing, field)
    if isinstance(given, str):
        raise TypeError(
            f"{name}: {field} is the text {given!r}; give a list of {items}, e.g. [{given!r}]"
        )
    object.__setattr__(thing, field, tuple(dict.fromkeys(given)))
