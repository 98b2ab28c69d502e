"""Problems that pydantic found, in the words of a wave file."""

from __future__ import annotations

import difflib
from typing import Final

from pydantic_core import ErrorDetails

from wavelane.wavefile.entries import EntryModel, IssueEntry, LimitsEntry, RepoEntry
from wavelane.wavefile.file import WaveFile
from wavelane.wavefile.problems import problem_at, shown
from wavelane_model.problems import Location, Problem

_ENTRY_UNDER: Final[dict[str | int, type[EntryModel]]] = {
    "limits": LimitsEntry,
    "repos": RepoEntry,
    "issues": IssueEntry,
}
_CODES: Final = {"missing": "missing-key", "extra_forbidden": "unknown-key"}


def in_plain_words(error: ErrorDetails) -> Problem:
    """The problem for an error of the models."""
    where = tuple(step for step in error["loc"] if step != "[key]")
    context = error.get("ctx", {})
    code = _CODES.get(error["type"], "bad-value")
    match error["type"]:
        case "missing":
            text = "is missing; add it"
        case "extra_forbidden":
            text = _unknown_key(where)
        case "value_error":
            text = str(context["error"])
        case "literal_error":
            text = f"is {shown(error['input'])}; give one of {context['expected']}"
        case "tuple_type" | "list_type":
            text = f"is {shown(error['input'])}; give a list"
        case "model_type" | "dict_type":
            text = f"is {shown(error['input'])}; give a mapping, one `key: value` a line"
        case _:
            text = error["msg"]
    return problem_at(where, code, text)


def _unknown_key(where: Location) -> str:
    *around, key = where
    known = (_ENTRY_UNDER[around[0]] if around else WaveFile).keys()
    if close := difflib.get_close_matches(str(key)[:40].lower(), known, n=1):
        return f"is not a key of a wave file; did you mean {close[0]}?"
    return f"is not a key of a wave file; those known here are {', '.join(known)}"
