"""One call of the pipeline, turned into an outcome, whatever happens in it.

A call may return, raise, time out, be cancelled by itself, or return something it may not: each is
an outcome. The model's table decides what a step may return in its state. Only a cancellation that
the event loop requested passes through.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import fields
from functools import cache
from typing import Final

from wavelane.pipeline import Assignment, SessionFailed
from wavelane.steps import KINDS, StepKind
from wavelane_model.outcomes import Failed, Outcome, Postponed, Stopped
from wavelane_model.step import outcomes_of

log = logging.getLogger("wavelane")
log.addHandler(logging.NullHandler())

_NO_LIMIT: Final = nullcontext()
"""`asyncio.timeout(None)` would do, but costs as much as a real time-out."""
_ALLOWED: Final = {
    kind.step: tuple(
        one for one in outcomes_of(kind.state) if one is not Failed and one is not Stopped
    )
    for kind in KINDS.values()
}


async def outcome_of(
    kind: StepKind,
    call: Callable[[Assignment], Awaitable[object]],
    issue: Assignment,
    seconds: float | None,
) -> Outcome:
    """Make the call and return how it ended. It counts as failed after `seconds`, if given.

    Raises only `CancelledError`, when the task that runs this was cancelled, and anything that is
    not an `Exception` (an interrupt, an exit).
    """
    limit = _NO_LIMIT if seconds is None else asyncio.timeout(seconds)
    try:
        async with limit:
            called = call(issue)
            if not inspect.isawaitable(called):
                return Failed(f"{kind.step} is not a coroutine; write it with `async def`")
            returned = await called
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return Failed(f"{kind.step} raised CancelledError, though it was not cancelled")
    except SessionFailed as error:
        return Failed(_said(str, error))
    except TimeoutError as error:
        if isinstance(limit, asyncio.Timeout) and limit.expired():
            return Failed(f"{kind.step} took longer than {seconds:g} s")
        return _raised(kind, issue, error)
    except Exception as error:
        return _raised(kind, issue, error)
    return _checked(kind, returned)


def _raised(kind: StepKind, issue: Assignment, error: Exception) -> Failed:
    log.warning("%s of issue %s raised", kind.step, issue.id, exc_info=error)
    text = _said(str, error)
    return Failed(f"{kind.step} raised {type(error).__name__}{f': {text}' if text else ''}")


def _checked(kind: StepKind, returned: object) -> Outcome:
    if returned is None and kind.default is not None:
        return kind.default
    allowed = _ALLOWED[kind.step]
    if not isinstance(returned, allowed):
        names = ", ".join(one.__name__ for one in allowed)
        return Failed(f"{kind.step} returned {_said(repr, returned)}; it may return {names}")
    found: type = type(returned)
    for name in _texts_of(found):
        value = getattr(returned, name)
        if not isinstance(value, str):
            return Failed(
                f"{kind.step} returned {type(returned).__name__} with {name}="
                f"{_said(repr, value)}; give a text"
            )
    if isinstance(returned, Postponed) and not _is_time(returned.until):
        return Failed(
            f"{kind.step} returned Postponed(until={returned.until!r}); "
            "give seconds since the epoch, or None"
        )
    return returned


@cache
def _texts_of(kind: type) -> tuple[str, ...]:
    """The fields of an outcome that must be texts: all but a time."""
    return tuple(field.name for field in fields(kind) if field.name != "until")


def _is_time(until: object) -> bool:
    return until is None or (isinstance(until, (int, float)) and abs(until) <= sys.float_info.max)


def _said(say: Callable[[object], str], of: object) -> str:
    """The text of an object from the pipeline, even if its own methods raise."""
    try:
        return say(of)
    except Exception as error:
        return f"a {type(of).__name__} whose {say.__name__}() raises {type(error).__name__}"
