"""A counterexample in words: a moment that the rules allow, and what a move makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from specs.proof.finite import SmallWorld
from specs.proof.logic import ISSUE, REPO, STATE_OF, TICKET, Formula, Term, z3
from specs.proof.moment import Moment, Setting
from specs.proof.moves import LEVEL, WHO, WHOSE, Move

_FLAGS: Final = {
    "open": "session open",
    "untouched": "untouched",
    "starting": "about to start",
    "implemented": "implemented",
    "postponed": "postponed",
    "reserved": "its lane reserved",
    "holds": "holds the lane",
    "waits": "waits for the lane",
    "turn": "has the merge turn",
}
_OF_RUN: Final[dict[str, Callable[[Moment], Formula]]] = {
    "started": lambda now: now.started,
    "stopping": lambda now: now.stopping,
    "ended": lambda now: now.ended,
    "cut off": lambda now: now.cut_off,
}
_COUNTERS: Final = ("checkpoints", "rounds", "conflicts", "failures")


class Describer:
    """Puts a model of z3 into words, in one small world."""

    def __init__(self, model: Any, world: SmallWorld, setting: Setting) -> None:
        self.model = model
        self.world = world
        self.setting = setting

    def describe(self, move: Move) -> str:
        """The move, the moment before it, and what is new in the moment after it."""
        before = list(self._moment(move.before))
        after = [line for line in self._moment(move.after) if line not in before]
        return "\n".join(
            (
                f"{self._subject(move)}, lane_release={self.setting.lane_release!r}",
                "before:",
                *(f"  {line}" for line in before),
                "after:",
                *(f"  {line}" for line in after or ["the same"]),
            )
        )

    def _subject(self, move: Move) -> str:
        if move.row is not None:
            return f"{move.name}, of issue {self._name(WHO, ISSUE)}"
        if move.cap_row is not None:
            return f"{move.name}, level asked for: {self._number(LEVEL)}"
        return f"{move.name} (issue {self._name(WHO, ISSUE)}, ticket {self._name(WHOSE, TICKET)})"

    def _moment(self, now: Moment) -> Iterator[str]:
        yield (
            f"cap {self._number(now.level)} of {self._number(self.setting.ceiling)} "
            f"(before a pause {self._number(now.before_pause)}, "
            f"highest {self._number(now.highest)}), counted in flight {self._number(now.in_flight)}"
            + "".join(f", {name}" for name, is_so in _OF_RUN.items() if self._is(is_so(now)))
        )
        for issue in self.world.elements[ISSUE]:
            yield f"issue {self._issue(now, issue)}"
        for ticket in self.world.elements[TICKET]:
            if self._is(now.wants(ticket)) or self._is(now.granted(ticket)):
                repo = self.setting.repo_of_ticket(ticket)
                turn = ", has the merge turn" if self._is(now.granted(ticket)) else ""
                place = f"place {self._number(now.asked(ticket))} in its merge queue"
                yield f"ticket {ticket} ({self._repo(repo)}): {place}{turn}"

    def _issue(self, now: Moment, issue: Term) -> str:
        state = self._value(now.state(issue))
        said: list[str] = [next(name for name, value in STATE_OF.items() if value.eq(state))]
        said += [text for name, text in _FLAGS.items() if self._is(getattr(now, name)(issue))]
        if self._is(now.queued(issue)):
            said.append(f"place {self._number(now.joined(issue))} in its merge queue")
        counts = ((name, self._number(getattr(now, name)(issue))) for name in _COUNTERS)
        said += [f"{name} {count}" for name, count in counts if count]
        needed = [
            other
            for other in self.world.elements[ISSUE]
            if self._is(self.setting.needs(issue, other))
        ]
        said += [f"depends on {other}" for other in needed]
        return f"{issue} ({self._repo(self.setting.repo(issue))}): {', '.join(said)}"

    def _value(self, term: Term) -> Term:
        return self.model.eval(term, model_completion=True)

    def _is(self, formula: Formula) -> bool:
        return bool(z3.is_true(self._value(formula)))

    def _number(self, term: Term) -> int:
        return int(self._value(term).as_long())

    def _repo(self, repo: Term) -> str:
        return self._name(repo, REPO)

    def _name(self, term: Term, sort: Any) -> str:
        value = self._value(term)
        return next(str(one) for one in self.world.elements[sort] if self._value(one).eq(value))
