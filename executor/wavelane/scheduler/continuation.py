"""Continuing the wave of an existing journal; see `wavelane.scheduler.recovery` for the rules.

The following is applied to it, in this order: the cut-off of a run that has no end; the return of
the previous process's merge turns; commands given while no run was under way; changes of the wave;
and requests made to this scheduler before its journal was opened.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from wavelane.journal import Journal, JournalError, Settings
from wavelane.pipeline import Pipeline
from wavelane.replay.amendment import amendment_of
from wavelane.replay.loading import load
from wavelane.replay.replay import missing_events
from wavelane.scheduler.background_planner import BackgroundPlanner
from wavelane.scheduler.core import Core
from wavelane.scheduler.inbound import Inbound
from wavelane.scheduler.recovery import finding_of
from wavelane.scheduler.run_journal import RunJournal
from wavelane.scheduler.session_tasks import assignment_of
from wavelane_model.events import CapMoved, Event, MergeTurnReturned, OrderPlanned, WaveAmended
from wavelane_model.records import Record
from wavelane_model.step import IllegalEvent
from wavelane_model.view import is_planned, issues_in_flight, waiting_tickets


class Continuation:
    """Continues where a journal ends."""

    def __init__(
        self,
        core: Core,
        journal: RunJournal,
        inbound: Inbound,
        planner: BackgroundPlanner,
        pipeline: Pipeline,
        settings: Settings,
        cap_given: bool,
    ) -> None:
        self._core = core
        self._journal = journal
        self._inbound = inbound
        self._planner = planner
        self._pipeline = pipeline
        self._settings = settings
        self._cap_given = cap_given

    def open_journal(self) -> None:
        """Make or continue the journal, if there is one to keep. Raises `JournalError`."""
        if self._journal.path is None or self._journal.file is not None:
            return
        with self._journal.opening(self._settings) as file, self._core.lock:
            early = self._core.take_early()
            if not file.is_new:
                self._go_on(file, early)

    def _go_on(self, file: Journal, early: list[Event]) -> None:
        core, settings = self._core, self._settings
        replay, digest = load(file.path, settings)
        self._require_cap_within(replay.state.cap.ceiling, file.path)
        file.continue_from(digest)
        core.adopt(replay)
        self._inbound.take_answers()
        self._planner.follow(replay)
        for event in missing_events(replay):
            core.apply(event)
        for repo, ticket in waiting_tickets(replay.state):  # of a process that no longer exists
            core.apply(MergeTurnReturned(repo, ticket))
        if self._planner.wanted is False and is_planned(replay.state):
            core.apply(OrderPlanned(()))
        self._inbound.execute_early(file)
        if amendment := amendment_of(file.path, replay.state, settings.wave):
            self._amend(file.path, amendment)
        if self._cap_given and settings.ceiling < replay.state.cap.level:
            early.insert(0, CapMoved("set", settings.ceiling))
        for event in early:
            with suppress(IllegalEvent):  # it already is so
                core.apply(event)

    def _require_cap_within(self, ceiling: int, path: Path) -> None:
        if self._cap_given and self._settings.ceiling > ceiling:
            raise JournalError(
                f"journal {path} was started with cap {ceiling}, which is the highest it "
                f"can have; give {ceiling} or less"
            )

    def _amend(self, path: Path, amendment: WaveAmended) -> None:
        try:
            self._core.apply(amendment)
        except IllegalEvent as refusal:
            raise JournalError(
                f"journal {path} has an earlier version of this wave, which cannot be changed to "
                f"this one: {refusal}"
            ) from refusal

    async def ask_about_the_past(self) -> None:
        """Ask the pipeline about each issue in flight, and apply what it reports."""
        state = self._core.state
        async with asyncio.TaskGroup() as group:
            for issue in issues_in_flight(state):
                group.create_task(self._ask_about(state.find(issue)))

    async def _ask_about(self, record: Record) -> None:
        issue = assignment_of(self._core.state.wave, record)
        found = await finding_of(self._pipeline, issue, record.state, was_open=record.open)
        with suppress(IllegalEvent):  # it was parked or cancelled in the meantime
            self._core.apply(found)
