"""Checks beyond a single entry of a wave file: whether its issues, repos and commands fit together.

`Wave` has the rules. It checks whatever of the file can be read, so that its problems are reported
together with those of the unreadable parts. Its problems give their place in the wave, from which
the place in the file follows; their words are never parsed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from wavelane.wavefile.problems import CONTROL, problem_at
from wavelane_model.problems import Location, Place, Problem
from wavelane_model.wave import Issue, Wave, WaveError


def wave_problems(top: dict[str, Any]) -> Iterator[Problem]:
    """The problems of the wave that the file describes, whether its values are valid or not."""
    repos = {name.strip(): repo for name, repo in _mapping_at(top, "repos").items()}
    issues = _sketches(top, repos)
    yield from _refused(issues, list(repos) or None, _readable(top.get("done")))
    if top.get("implement") is None:
        without = {name for name in repos if _mapping_at(repos, name).get("implement") is None}
        yield from _without_command(
            top, {at: issue for at, issue in issues.items() if issue.repo in without}
        )


def _mapping_at(mapping: dict[str, Any], key: str) -> dict[str, Any]:
    found = mapping.get(key)
    return found if isinstance(found, dict) else {}


def _readable(value: object) -> list[str]:
    """The readable part of a text, or of a list of texts."""
    items: list[object] = value if isinstance(value, list) else [value]
    texts = [item.strip() for item in items if isinstance(item, str)]
    return [text for text in texts if text and not CONTROL.search(text)]


def _sketches(top: dict[str, Any], repos: dict[str, Any]) -> dict[int, Issue]:
    """The issues for `Wave` to check, one for each entry with an id, by its position."""
    entries = top.get("issues")
    return {
        at: _sketch(entry, repos)
        for at, entry in enumerate(entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and _readable(entry.get("id"))
    }


def _sketch(entry: dict[str, Any], repos: dict[str, Any]) -> Issue:
    """An issue for checking; an unreadable repo is reported elsewhere, so any repo will do."""
    repo = next(iter(_readable(entry.get("repo"))), next(iter(repos), ""))
    return Issue(_readable(entry["id"])[0], repo, _readable(entry.get("depends_on")))


def _without_command(top: dict[str, Any], issues: dict[int, Issue]) -> Iterator[Problem]:
    """`issues` are those for which neither the file nor their repo has a command."""
    without = [at for at in issues if top["issues"][at].get("implement") is None]
    if without and len(without) == len(top["issues"]):
        text = "is missing; add the command that implements an issue"
        yield problem_at(("implement",), "no-implement-command", text)
        return
    for at in without:
        yield problem_at(
            ("issues", at),
            "no-implement-command",
            f'issue "{issues[at].id}" has no implement command; '
            "give one to the issue, to its repo or to the file",
        )


def _refused(
    issues: dict[int, Issue], repos: list[str] | None, done: Collection[str]
) -> Iterator[Problem]:
    """The problems that `Wave` finds, each at its place in the file."""
    try:
        Wave(issues.values(), repos=repos, done=done)
    except WaveError as error:
        for problem in error.problems:
            where = _in_file(problem.place.path, list(issues), repos or [])
            yield replace(problem, place=Place(where))


def _in_file(path: Location, positions: Sequence[int], repos: Sequence[str]) -> Location:
    """The place in the file of `path` in a wave made of the readable part of the file."""
    match path:
        case ("issues", int(at), *field):
            return ("issues", positions[at], *field)
        case ("repos", int(at)):
            return ("repos", repos[at])
        case _:
            raise AssertionError(f"no part of a wave file stands for {path} of a wave")
