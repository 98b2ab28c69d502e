"""What the monitor knows of a wave: its own state, kept from events and effects alone."""

from __future__ import annotations

from typing import Self

from specs.monitor.tables import AT_WORK, IN_FLIGHT, NONE_YET, Ending, Step
from wavelane_model.cap import Cap, CapMove
from wavelane_model.effects import RunOutcome
from wavelane_model.lifecycle import LaneRelease, State
from wavelane_model.limits import Limits
from wavelane_model.wave import Wave


class MonitorState:
    """Where each issue is, what is under way in each repo, and where the cap is.

    Attributes:
        wave: The wave, with all that was added to it.
        limits: How often each way back may be taken.
        lane_release: When an issue leaves its lane.
        ceiling: The highest level of the cap.
        level: The level of the cap.
        before_pause: The level to which the cap resumes.
        pause_ends: When the pause ends by itself, in the time of the events; None: it does not.
        highest: The highest level in force since the run began.
        started: Whether any run has started.
        stopping: Whether a stop was asked for in this run.
        outcome: How the latest run ended; None before the first and while one is under way.
        plan: The issues in the order in which they are to be admitted.
        reservations: By issue for which its lane is reserved: until when at the latest.
        had_reservation: The issues whose lane is or was reserved for them, since a human queued
            them last.
        states: By issue, its state.
        open: By issue, the step of its open session.
        session: By issue, the number of its latest session.
        ending: By issue, how it is to be taken out when its session ends.
        waking: By issue, whether it is postponed.
        untouched: By issue, whether it is in flight and no session of it has ended since it was
            admitted.
        implemented: By issue, whether only its review is still to be made.
        counts: By issue, how often each of `WAYS_BACK` was taken since a human queued it last;
            a discarded attempt takes its checkpoints and reviews with it.
        urgency: By issue, the highest priority among itself and all that depends on it.
        holders: By repo, the issue that has its lane.
        queues: By repo, its merge queue: positions of issues, and tickets.
        turns: By repo, the issue or ticket that has the merge turn.
    """

    __slots__ = (
        "before_pause",
        "ceiling",
        "counts",
        "ending",
        "had_reservation",
        "highest",
        "holders",
        "implemented",
        "lane_release",
        "level",
        "limits",
        "open",
        "outcome",
        "pause_ends",
        "plan",
        "queues",
        "reservations",
        "session",
        "started",
        "states",
        "stopping",
        "turns",
        "untouched",
        "urgency",
        "waking",
        "wave",
    )

    def __init__(self, wave: Wave, cap: Cap, lane_release: LaneRelease, limits: Limits) -> None:
        count = len(wave)
        self.wave = wave
        self.limits = limits
        self.lane_release: LaneRelease = lane_release
        self.ceiling = cap.ceiling
        self.level = cap.level
        self.before_pause = cap.before_pause
        self.pause_ends: float | None = None
        self.highest = 0
        self.started = False
        self.stopping = False
        self.outcome: RunOutcome | None = None
        self.plan: tuple[int, ...] = ()
        self.reservations: dict[int, float] = {}
        self.had_reservation: frozenset[int] = frozenset()
        self.states: list[State] = ["queued"] * count
        self.open: list[Step | None] = [None] * count
        self.session = [0] * count
        self.ending: list[Ending | None] = [None] * count
        self.waking = [False] * count
        self.untouched = [False] * count
        self.implemented = [False] * count
        self.counts: list[tuple[int, ...]] = [NONE_YET] * count
        self.urgency = inherited_priorities(wave)
        self.holders: list[int | None] = [None for _ in wave.repos]
        self.queues: list[list[int | str]] = [[] for _ in wave.repos]
        self.turns: list[int | str | None] = [None for _ in wave.repos]

    def clone(self) -> Self:
        """An independent copy; wave and limits are shared."""
        twin = type(self).__new__(type(self))
        twin.wave = self.wave
        twin.limits = self.limits
        twin.lane_release = self.lane_release
        twin.ceiling = self.ceiling
        twin.level = self.level
        twin.before_pause = self.before_pause
        twin.pause_ends = self.pause_ends
        twin.highest = self.highest
        twin.started = self.started
        twin.stopping = self.stopping
        twin.outcome = self.outcome
        twin.plan = self.plan
        twin.reservations = self.reservations.copy()
        twin.had_reservation = self.had_reservation
        twin.states = self.states[:]
        twin.open = self.open[:]
        twin.session = self.session[:]
        twin.ending = self.ending[:]
        twin.waking = self.waking[:]
        twin.untouched = self.untouched[:]
        twin.implemented = self.implemented[:]
        twin.counts = self.counts[:]
        twin.urgency = self.urgency
        twin.holders = self.holders[:]
        twin.queues = [queue[:] for queue in self.queues]
        twin.turns = self.turns[:]
        return twin

    def key(self) -> tuple[object, ...]:
        """Everything but the wave, its settings, and the session numbers."""
        return (
            self.level,
            self.before_pause,
            self.pause_ends,
            self.wave.dependencies,
            self.highest,
            self.started,
            self.stopping,
            self.outcome,
            self.plan,
            tuple(sorted(self.reservations.items())),
            tuple(sorted(self.had_reservation)),
            tuple(self.states),
            tuple(self.open),
            tuple(self.ending),
            tuple(self.waking),
            tuple(self.untouched),
            tuple(self.implemented),
            tuple(self.counts),
            tuple(self.holders),
            tuple(map(tuple, self.queues)),
            tuple(self.turns),
        )

    @property
    def ended(self) -> bool:
        """Whether the run is over, or was cut off."""
        return self.outcome is not None

    @property
    def cut_off(self) -> bool:
        """Whether the latest run was cut off, and none has started since."""
        return self.outcome == "unfinished"

    @property
    def under_way(self) -> bool:
        """Whether a run is under way."""
        return self.started and not self.ended

    @property
    def in_flight(self) -> int:
        """How many issues are in flight."""
        return sum(state in IN_FLIGHT for state in self.states)

    @property
    def active_states(self) -> frozenset[State]:
        """The states in which an issue needs its lane."""
        return IN_FLIGHT if self.lane_release == "done" else AT_WORK

    def queue_of(self, repo: str) -> list[int | str]:
        """The merge queue of a repo."""
        return self.queues[self.wave.repos.index(repo)]

    def level_after(self, move: CapMove, asked: int) -> int | None:
        """The level after a move of the cap; None where the move is illegal."""
        match move:
            case "step_down":
                return self.level - 1 if self.level > 0 else None
            case "step_up":
                return self.level + 1 if self.level < self.ceiling else None
            case "set":
                return asked if 0 <= asked <= self.ceiling and asked != self.level else None
            case "pause":
                return 0 if self.level > 0 else None
            case "resume":
                return self.before_pause if self.level == 0 else None

    def could_go(self, issue: int) -> bool:
        """Whether an issue is queued and all that it depends on is done."""
        return self.states[issue] == "queued" and all(
            self.states[needed] == "done" for needed in self.wave.dependencies[issue]
        )

    def rank(self, issue: int) -> tuple[int, int]:
        """The more urgent issue first, and of equally urgent ones the one that is planned first."""
        place = self.plan.index(issue) if issue in self.plan else len(self.plan)
        return -self.urgency[issue], place

    def reserved_for(self, issue: int) -> set[int]:
        """The issues before `issue` in the plan for which its lane is reserved."""
        repo = self.wave.repo_of[issue]
        return {
            one
            for one in self.reservations
            if self.wave.repo_of[one] == repo and self.rank(one) < self.rank(issue)
        }

    def reserve(self, wished: dict[int, float]) -> None:
        """Reserve lanes anew: once for each issue, and no longer than before."""
        spent = self.had_reservation.difference(self.reservations)
        self.reservations = {
            one: min(until, self.reservations.get(one, until))
            for one, until in wished.items()
            if one not in spent
        }
        self.end_reservations()
        self.had_reservation = self.had_reservation.union(self.reservations)

    def end_reservations(self) -> None:
        """End the reservations for issues that are not queued or wait for a human."""
        if not self.reservations:
            return
        stuck = {one for one, state in enumerate(self.states) if state in ("parked", "cancelled")}
        for one in self.wave.topological():
            if stuck.intersection(self.wave.dependencies[one]):
                stuck.add(one)
        self.reservations = {
            one: until
            for one, until in self.reservations.items()
            if self.states[one] == "queued" and one not in stuck
        }

    def close_session(self, issue: int) -> None:
        """No session of the issue is open any more."""
        self.open[issue] = None
        self.ending[issue] = None
        self.give_turn_back(self.wave.repo_of[issue], issue)

    def give_turn_back(self, repo: int, who: int | str) -> None:
        """Free the merge turn of a repo if this issue or ticket has it."""
        if self.turns[repo] == who:
            self.turns[repo] = None

    def grow(self, wave: Wave) -> None:
        """The wave is replaced by one that has the same issues, and more behind them."""
        more = len(wave) - len(self.wave)
        self.wave = wave
        self.urgency = inherited_priorities(wave)
        queued: list[State] = ["queued"] * more
        self.states += queued
        self.open += [None] * more
        self.session += [0] * more
        self.ending += [None] * more
        for flags in (self.waking, self.untouched, self.implemented):
            flags += [False] * more
        self.counts += [NONE_YET] * more


def inherited_priorities(wave: Wave) -> tuple[int, ...]:
    """By issue, the highest priority among itself and all that depends on it."""
    found = [issue.priority for issue in wave.issues]
    for position in reversed(wave.topological()):
        for needed in wave.dependencies[position]:
            found[needed] = max(found[needed], found[position])
    return tuple(found)
