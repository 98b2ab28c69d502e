"""What no single entry of a wave file can know: whether its issues, repos and commands go together.

`Wave` has the rules. It is asked about all that can be read of the file, so that its answer is
told together with what cannot be read.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any, Final

from wavelane.wavefile.problems import CONTROL, Location, Problem
from wavelane_model.wave import Issue, Wave, WaveError


def wave_problems(top: dict[str, Any]) -> Iterator[Problem]:
    """The problems of the wave that the values of a file stand for, be they valid or not."""
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
    """What can be read of a text, or of a list of texts."""
    items: list[object] = value if isinstance(value, list) else [value]
    texts = [item.strip() for item in items if isinstance(item, str)]
    return [text for text in texts if text and not CONTROL.search(text)]


def _sketches(top: dict[str, Any], repos: dict[str, Any]) -> dict[int, Issue]:
    """What `Wave` asks about, for each entry with an id, by its position."""
    entries = top.get("issues")
    return {
        at: _sketch(entry, repos)
        for at, entry in enumerate(entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and _readable(entry.get("id"))
    }


def _sketch(entry: dict[str, Any], repos: dict[str, Any]) -> Issue:
    """An unreadable repo is told elsewhere, so here it is any."""
    repo = next(iter(_readable(entry.get("repo"))), next(iter(repos), ""))
    return Issue(_readable(entry["id"])[0], repo, _readable(entry.get("depends_on")))


def _without_command(top: dict[str, Any], issues: dict[int, Issue]) -> Iterator[Problem]:
    """`issues` are those for which neither the file nor their repo has a command."""
    without = [at for at in issues if top["issues"][at].get("implement") is None]
    if without and len(without) == len(top["issues"]):
        yield Problem(("implement",), "is missing; add the command that implements an issue")
        return
    for at in without:
        yield Problem(
            ("issues", at),
            f'issue "{issues[at].id}" has no implement command; '
            "give one to the issue, to its repo or to the file",
        )


def _refused(
    issues: dict[int, Issue], repos: list[str] | None, done: Collection[str]
) -> Iterator[Problem]:
    """The problems that `Wave` finds, each at its issue where its text names one."""
    try:
        Wave(issues.values(), repos=repos, done=done)
    except WaveError as error:
        positions: dict[str, list[int]] = defaultdict(list)
        for at, issue in issues.items():
            positions[issue.id].append(at)
        for problem in error.problems:
            yield Problem(_place(problem, positions), problem)


_OF_WAVE: Final = re.compile(
    r'issue "(?P<id>.*)" (?P<what>is there twice|is in repo|is in the wave|depends on) ?'
    r"|these issues wait for each other: (?P<first>.*?) → "
)
_KEY_OF: Final = {"is in repo": "repo", "depends on": "depends_on"}


def _place(problem: str, positions: dict[str, list[int]]) -> Location:
    named = _OF_WAVE.match(problem)
    if named is None or not (found := positions.get(named["id"] or named["first"])):
        return ()
    if named["first"]:
        return ("issues", found[0], "depends_on")
    if named["what"] == "is there twice" and len(found) > 1:
        return ("issues", found.pop(1), "id")
    return ("issues", found[0], _KEY_OF.get(named["what"], "id"))
