"""What takes the place of a scheduler's surroundings in the simulation, and checks that both share.

A schedule and a life of a history replace the same four things: the journal, the thread that writes
it, the planner, and the stream of notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from specs.monitored import broken_rules
from specs.simulation.loop import SimulatedThread
from specs.simulation.planner import SimulatedPlanner
from wavelane import IllegalEvent, JournalError, Report
from wavelane.journal import Journal, RecordedEvent, Settings, read_journal
from wavelane.scheduler.notices import Notice, NoticeStream
from wavelane.verify import verify


class NoticeTap(NoticeStream):
    """Hands each notice over at once, instead of keeping it for a reader."""

    def __init__(self, on_notice: Callable[[Notice], None]) -> None:
        super().__init__()
        self._on_notice = on_notice

    def put(self, notice: Notice | None) -> None:
        if notice is not None:
            self._on_notice(notice)


@contextmanager
def substituted(
    *,
    journal: Callable[[Path, Settings], Journal],
    writer: SimulatedThread,
    planner: SimulatedPlanner,
    on_notice: Callable[[Notice], None],
) -> Iterator[None]:
    """Have schedulers that are made in this context use these substitutes."""
    stream = patch("wavelane.scheduler.notices.NoticeStream", partial(NoticeTap, on_notice))
    with (
        stream,
        patch.multiple(
            "wavelane.scheduler.run_journal",
            Journal=journal,
            ThreadPoolExecutor=lambda *_: writer,
        ),
        patch("wavelane.scheduler.background_planner.solve", planner),
    ):
        yield


def check_journal(
    path: Path,
    entries: Sequence[RecordedEvent],
    report: Report | None,
    complain: Callable[[str], None],
) -> Report | None:
    """Compare a journal with what was committed and with what the run reported.

    Args:
        path: The journal.
        entries: What was committed, in order.
        report: What `run()` returned; None if it did not return.
        complain: Called with each difference.

    Returns:
        The report into which the journal folds; None if it cannot be read.
    """
    try:
        folded = Report.from_journal(path)
        found = read_journal(path)[1]
        verdict = verify(path)
    except (JournalError, IllegalEvent) as error:
        complain(f"journal: {error}")
        return None
    if found != entries:
        complain("journal: its events differ from those that were committed")
    if report is not None and report != folded:
        complain("journal: it folds into another report than that of run()")
    if found and folded.ended_at != found[-1].at:
        complain("journal: the report into which it folds does not end with its last event")
    if not verdict.keeps_the_rules:
        complain(f"journal: {verdict}")
    for broken in broken_rules(path):
        complain(f"journal: {broken}")
    return folded


def unhandled(context: dict[str, Any]) -> str:
    """The complaint about an error that reached the event loop's exception handler."""
    error = context.get("exception")
    return f"unhandled: {context['message']}{f' ({error!r})' if error else ''}"
