"""The rule monitor: takes one event and its effects after another, and names the broken rules."""

from __future__ import annotations

from collections.abc import Iterator

from specs.monitor.facts import apply_event
from specs.monitor.legality import is_legal, is_revoked
from specs.monitor.orders import apply_effects, apply_effects_between_runs
from specs.monitor.state import MonitorState
from wavelane_model.effects import Effect, RunOutcome
from wavelane_model.events import Event, RunCutOff, WaveStarted


class RuleMonitor(MonitorState):
    """Judges the events and effects of a wave by the rules of the design."""

    __slots__ = ()

    def legal(self, event: Event) -> bool | None:
        """Whether `event` must be taken; None where it may be taken or refused."""
        return is_legal(self, event)

    def revoked(self, issue: int) -> bool:
        """Whether an ordered session of `issue` that has not started may no longer start."""
        return is_revoked(self, issue)

    def watch(self, event: Event, effects: list[Effect]) -> list[str]:
        """Judge an event that was taken, and apply it where it is legal."""
        if self.legal(event) is False:
            return [f"rejection: {event} is not legal, but it is taken"]
        return self.take(event, effects)

    def take(self, event: Event, effects: list[Effect]) -> list[str]:
        """Apply `event` and `effects`; what is broken, "property: what", a line each."""
        ended = None if isinstance(event, WaveStarted) else self.outcome
        apply = apply_effects if ended is None else apply_effects_between_runs
        return [
            *apply_event(self, event, effects),
            *apply(self, event, effects),
            *self._judge(event, ended),
        ]

    def _judge(self, event: Event, ended: RunOutcome | None) -> Iterator[str]:
        """Judge bound and end after the event; `ended` is how the run had ended before it."""
        if self.started and self.in_flight > self.highest:
            yield f"bound: {self.in_flight} are in flight; the highest cap was {self.highest}"
        due = ended
        if isinstance(event, RunCutOff):
            due = "unfinished"
        elif self.started and ended is None:
            due = self._outcome_due()
            self.stopping = self.stopping and due is None
        if self.outcome != due:
            yield f"end: the outcome is {self.outcome} and should be {due}"

    def _outcome_due(self) -> RunOutcome | None:
        """The outcome with which the run has to end now; None where it has to go on."""
        tickets_wait = any(isinstance(who, str) for queue in self.queues for who in queue)
        if tickets_wait or any(step is not None for step in self.open):
            return None
        if all(state == "done" for state in self.states):
            return "complete"
        if self.in_flight == 0 and not any(map(self.could_go, range(len(self.states)))):
            return "blocked"
        return "stopped" if self.stopping else None
