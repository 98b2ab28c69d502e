"""The observer sees how sessions and merges start and end, and the moves of the cap; nothing else.

It knows neither the model nor the scheduler's state. Its driver reports which issue an operator or
an outcome took out of flight, and when the process that ran the wave is gone, with all sessions. It
raises `RuleBroken` when a rule is broken in the world.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal

from wavelane_model.lifecycle import LaneRelease
from wavelane_model.wave import Wave

Step = Literal["implement", "review", "merge"]


class RuleBroken(AssertionError):
    """A rule was broken; the text begins with its name."""


@dataclass
class Observer:
    """Watches the runs of a wave, and raises `RuleBroken` at the start that breaks a rule."""

    wave: Wave
    lane_release: LaneRelease
    level: int
    stopping: bool = False
    open: dict[str, Step] = field(default_factory=dict)
    underway: set[str] = field(default_factory=set)
    merged: set[str] = field(default_factory=set)
    queues: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    turns: dict[str, str] = field(default_factory=dict)
    highest: int = 0
    starts: int = 0
    over: bool = False
    """Whether the run has ended, or was cut off."""
    lost: set[str] = field(default_factory=set)
    """Issues whose session was lost with the run, and of which nothing was reported since."""

    def __post_init__(self) -> None:
        self.highest = self.level

    def cap_moved(self, level: int) -> None:
        self.level = level
        if not self.over:
            self.highest = max(self.highest, level)

    def run_ended(self) -> None:
        """The run has ended by itself."""
        self._require(not self.open, "end", f"the run ends while {sorted(self.open)} are open")
        self.over = True
        self.stopping = False

    def run_cut_off(self) -> None:
        """The process is gone, and with it all sessions and all tickets."""
        self.over = True
        self.stopping = False
        self.lost = set(self.open)
        self.open.clear()
        self.turns.clear()
        for repo, queue in self.queues.items():
            self.queues[repo] = [who for who in queue if who in self.wave]

    def recovered(self, issue_id: str, *, merged: bool) -> None:
        """A recovery finding about an issue is reported. `merged`: its merge is in."""
        self.lost.discard(issue_id)
        if merged:
            self.left_flight(issue_id)
            self.merged.add(issue_id)

    def run_started(self) -> None:
        """Another run starts."""
        self._require(not self.lost, "end", f"nothing was reported of {sorted(self.lost)}")
        self.over = False
        self.highest = max(self.level, len(self.underway))

    def started(self, step: Step, issue_id: str) -> None:
        """A session or merge starts: the moment at which every rule is checked."""
        self.starts += 1
        repo = self.wave[issue_id].repo
        self._require(not self.over, "end", f"{issue_id} starts {step} between runs")
        self._require(issue_id not in self.open, "once", f"{issue_id} has two sessions at once")
        self._require(issue_id not in self.merged, "once", f"{issue_id} is merged already")
        if step == "merge":
            self._merge_starts(issue_id, repo)
        else:
            self._session_starts(step, issue_id, repo)
        self.open[issue_id] = step
        self._require(
            len(self.open) <= self.highest, "bound", f"{len(self.open)} sessions are open"
        )

    def ended(self, issue_id: str, *, approved: bool = False, merged: bool = False) -> None:
        """A session or merge is over. `approved`: joins the queue; `merged`: is in."""
        step = self.open.pop(issue_id)
        repo = self.wave[issue_id].repo
        if step == "merge":
            self.turns.pop(repo)
        if approved:
            self.queues[repo].append(issue_id)
        if merged:
            self.queues[repo].remove(issue_id)
            self.merged.add(issue_id)
            self.underway.discard(issue_id)

    def left_queue(self, issue_id: str) -> None:
        """The issue went from its merge queue back to work."""
        self.queues[self.wave[issue_id].repo].remove(issue_id)

    def left_flight(self, issue_id: str) -> None:
        """The issue was parked, cancelled, postponed or reset."""
        self.underway.discard(issue_id)
        queue = self.queues[self.wave[issue_id].repo]
        if issue_id in queue:
            queue.remove(issue_id)

    def turn_requested(self, repo: str, ticket: str) -> None:
        self.queues[repo].append(ticket)

    def turn_granted(self, repo: str, ticket: str) -> None:
        self._require(not self.over, "end", f"{ticket} has its turn between runs")
        self._require(repo not in self.turns, "merge", f"{repo} has two merges at once")
        self._require(self.queues[repo][0] == ticket, "merge", f"{ticket} is out of turn")
        self.turns[repo] = ticket

    def turn_returned(self, repo: str, ticket: str) -> None:
        self.queues[repo].remove(ticket)
        if self.turns.get(repo) == ticket:
            del self.turns[repo]

    def _session_starts(self, step: Step, issue_id: str, repo: str) -> None:
        self._require(self.level > 0 and not self.stopping, "pause", f"{issue_id} starts {step}")
        self._require(self._lane_is_free(step, repo), "lane", f"{repo} is busy: {self.open}")
        if issue_id not in self.underway:
            self._require(
                len(self.underway) < self.level,
                "cap",
                f"{issue_id} starts beside {sorted(self.underway)} at cap {self.level}",
            )
            self._require_dependencies(issue_id)
            self.underway.add(issue_id)

    def _lane_is_free(self, step: Step, repo: str) -> bool:
        busy = [of for one, of in self.open.items() if self.wave[one].repo == repo]
        if self.lane_release == "done":
            return not busy
        return step == "review" or "implement" not in busy

    def _require_dependencies(self, issue_id: str) -> None:
        for needed in self.wave[issue_id].depends_on:
            self._require(
                needed in self.merged or needed in self.wave.done,
                "order",
                f"{issue_id} starts before {needed} is done",
            )

    def _merge_starts(self, issue_id: str, repo: str) -> None:
        self._require(repo not in self.turns, "merge", f"{repo} has two merges at once")
        self._require(
            self.queues[repo][:1] == [issue_id],
            "merge",
            f"{issue_id} is out of turn: {self.queues[repo]}",
        )
        self.turns[repo] = issue_id

    @staticmethod
    def _require(condition: bool, rule: str, what: str) -> None:
        if not condition:
            raise RuleBroken(f"{rule}: {what}")
