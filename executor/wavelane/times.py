"""Times as people and programs write them: ISO 8601, or a delay from now.

    2026-11-26T14:30            local time; a space may stand for the T, and seconds may follow
    2026-11-26T14:30:00Z        with a zone: Z, or an offset such as +01:00
    +90s  +30m  +2h  +1d        from now; units can be combined: +1h30m

They are converted to seconds since the epoch.
"""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Final

HOW: Final = "an ISO 8601 time such as 2026-11-26T14:30 (local) or …14:30Z, or a delay such as +30m"
"""What a time looks like, for help texts and error messages."""

_DELAY: Final = re.compile(r"\+(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_UNITS: Final = (86_400, 3600, 60, 1)
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
_AT_THE_END: Final = re.compile(
    rf"(?:^|(?<=[\s(:=,]))({_TIME.pattern}|\+\d\w*)[.,;)!]*\s*$", re.ASCII | re.IGNORECASE
)
_LATEST: Final = 253_402_214_400.0
"""The last day of the year 9999: some time zone cannot show a date later than that."""


def parse_time(text: str, now: float) -> float:
    """The time that `text` gives, in seconds since the epoch; it may lie in the past.

    Args:
        text: An ISO 8601 time, or a delay such as +30m.
        now: The time that delays count from, in seconds since the epoch.

    Raises:
        ValueError: It is not a time; the text says what one looks like.
    """
    found = _delayed(text.strip(), now) if text.strip().startswith("+") else _at(text.strip())
    if found is None or not is_time(found):
        raise ValueError(f"{text!r} is not a time; give {HOW}")
    return found


def time_at_end(text: str, now: float) -> float | None:
    """The time at the end of a line of a program's output, if there is one and it is in the future.

    "the quota resets at 2026-11-26T14:30:00Z.", "try again in +30m"
    """
    found = _AT_THE_END.search(text)
    if found is None:
        return None
    try:
        at = parse_time(found.group(1), now)
    except ValueError:
        return None
    return at if at > now else None


def is_time(at: float) -> bool:
    """Whether it can be shown as a date: not before 1970, nor after 9999."""
    return 0 <= at < _LATEST


def clock_text(at: float) -> str:
    """A time as people read it, in the local zone: 2026-11-26 14:30:00."""
    if not is_time(at):
        return f"{at:g}"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def duration(seconds: float) -> str:
    """A length of time as people read it: 7 s, 2:05 min, 1:02:03 h."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02} h"


def _delayed(text: str, now: float) -> float | None:
    found = _DELAY.fullmatch(text)
    if found is None or not any(found.groups()):
        return None
    counts = (int(count[:18]) if count else 0 for count in found.groups())
    return now + sum(count * unit for count, unit in zip(counts, _UNITS, strict=True))


def _at(text: str) -> float | None:
    if _TIME.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
