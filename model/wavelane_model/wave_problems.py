"""The problems that a wave can have: the rules for its issues, repos and dependencies.

A problem's place is a path into what the wave was made from: `("issues", 2, "repo")` is the repo of
its third issue, `("repos", 0)` its first repo, `("experience", 0)` the first of the finished
issues.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from wavelane_model.problems import Place, Problem

if TYPE_CHECKING:
    from wavelane_model.wave import Wave

WaveProblemCode = Literal[
    "empty-id",
    "duplicate-id",
    "duplicate-repo",
    "issue-is-done",
    "not-unicode",
    "unknown-repo",
    "bad-estimate",
    "bad-label",
    "bad-experience",
    "unknown-dependency",
    "dependency-cycle",
]
"""The kinds of problems that a wave may have."""


def problems_of(wave: Wave) -> Iterator[Problem]:
    """Every problem of a wave."""
    yield from _of_ids(wave)
    yield from _of_repos(wave)
    yield from _of_done(wave)
    yield from _of_texts(wave)
    yield from _of_fields(wave)
    yield from _of_dependencies(wave)
    yield from _of_cycles(wave)
    yield from _of_experience(wave)


def _problem(code: WaveProblemCode, subject: str, message: str, *path: str | int) -> Problem:
    assert path, "a problem of a wave says where it is"
    return Problem(code, subject, message, Place(path))


def _of_ids(wave: Wave) -> Iterator[Problem]:
    for at, issue in enumerate(wave.issues):
        if not issue.id:
            message = f"an issue of repo {issue.repo!r} has an empty id; give it one, e.g. 'api#1'"
            yield _problem("empty-id", "", message, "issues", at, "id")
        if wave.position[issue.id] != at:
            message = f'issue "{issue.id}" is listed twice; ids are unique in a wave'
            yield _problem("duplicate-id", issue.id, message, "issues", at, "id")


def _of_repos(wave: Wave) -> Iterator[Problem]:
    second: dict[str, int] = {}
    first: dict[str, int] = {}
    for at, repo in enumerate(wave.repos):
        if first.setdefault(repo, at) != at:
            second.setdefault(repo, at)
    for repo, at in second.items():
        yield _problem("duplicate-repo", repo, f'repo "{repo}" is listed twice', "repos", at)


def _of_done(wave: Wave) -> Iterator[Problem]:
    for both in sorted(wave.position.keys() & wave.done):
        message = f'issue "{both}" is in the wave and listed under done; drop one of the two'
        yield _problem("issue-is-done", both, message, "issues", wave.position[both], "id")


def _of_texts(wave: Wave) -> Iterator[Problem]:
    def problem(text: str, *path: str | int) -> Problem:
        message = f"{text!r} is not valid Unicode; ids and repos are written in UTF-8"
        return _problem("not-unicode", text, message, *path)

    for text, at in wave.position.items():
        if not _is_writable(text):
            yield problem(text, "issues", at, "id")
    for at, text in enumerate(wave.repos):
        if not _is_writable(text):
            yield problem(text, "repos", at)


def _of_fields(wave: Wave) -> Iterator[Problem]:
    known = frozenset(wave.repos)
    for at, issue in enumerate(wave.issues):
        if issue.repo not in known:
            message = (
                f'issue "{issue.id}" is in repo "{issue.repo}", which is not one of the '
                f"project's repos ({', '.join(wave.repos) or 'none'}); add it to repos"
            )
            yield _problem("unknown-repo", issue.id, message, "issues", at, "repo")
        if issue.estimate is not None and not 0 <= issue.estimate < float("inf"):
            message = (
                f'issue "{issue.id}" has the estimate {issue.estimate}; give seconds, 0 or more'
            )
            yield _problem("bad-estimate", issue.id, message, "issues", at, "estimate")
        for label in issue.labels:
            if not _is_line(label):
                message = f'issue "{issue.id}" has the label {label!r}; give one line of text'
                yield _problem("bad-label", issue.id, message, "issues", at, "labels")


def _of_dependencies(wave: Wave) -> Iterator[Problem]:
    for at, issue in enumerate(wave.issues):
        for needed in issue.depends_on:
            if needed not in wave.position and needed not in wave.done:
                message = (
                    f'issue "{issue.id}" depends on "{needed}", which is not in the wave; '
                    "add it, or list it under done"
                )
                yield _problem("unknown-dependency", issue.id, message, "issues", at, "depends_on")


def _of_cycles(wave: Wave) -> Iterator[Problem]:
    """One problem for each group of issues that wait for each other, naming a cycle."""
    for cycle in _cycles(wave):
        ids = [wave.issues[position].id for position in cycle]
        first = ids.index(min(ids))
        named = [*ids[first:], *ids[: first + 1]]
        message = (
            f"these issues wait for each other: {' → '.join(named)}; "
            "remove one of these dependencies"
        )
        at = cycle[first]
        yield _problem("dependency-cycle", named[0], message, "issues", at, "depends_on")


def _cycles(wave: Wave) -> Iterator[list[int]]:
    """One cycle of positions from each group of issues that wait for each other."""
    unsettled = set(range(len(wave.issues))).difference(wave.topological())
    seen: set[int] = set()
    for start in sorted(unsettled):
        path: dict[int, None] = {}
        at = start
        while at not in seen and at not in path:
            path[at] = None
            at = next(need for need in wave.dependencies[at] if need in unsettled)
        if at in path:
            walk = list(path)
            yield walk[walk.index(at) :]
        seen.update(path)


def _of_experience(wave: Wave) -> Iterator[Problem]:
    for at, one in enumerate(wave.experience):
        if not 0 <= one.seconds < float("inf"):
            message = (
                f'a finished issue of repo "{one.repo}" is said to have taken {one.seconds}; '
                "give seconds, 0 or more"
            )
            yield _problem("bad-experience", one.repo, message, "experience", at)


def _is_line(label: object) -> bool:
    """Whether a label is one line of text, not blank, that can be written in UTF-8."""
    return (
        isinstance(label, str)
        and bool(label.strip())
        and label.splitlines() == [label]
        and "\0" not in label
        and _is_writable(label)
    )


def _is_writable(text: str) -> bool:
    """Whether a text can be written in UTF-8; half of a surrogate pair cannot."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)
