"""Phrases about a moment that guards, moves and rules have in common."""

from __future__ import annotations

from specs.proof.logic import ISSUE, STATE_OF, TICKET, Formula, Term, every, is_in, z3
from specs.proof.moment import Moment, Setting
from wavelane_model.lifecycle import IN_FLIGHT, State, lane_states


def is_at(now: Moment, issue: Term, state: State) -> Formula:
    """The issue is in this state."""
    return now.state(issue) == STATE_OF[state]


def flies(now: Moment, issue: Term) -> Formula:
    """The issue is in flight."""
    return is_in(now.state(issue), IN_FLIGHT)


def under_way(now: Moment) -> Formula:
    """A run has started and not ended."""
    return z3.And(now.started, z3.Not(now.ended))


def is_active(setting: Setting, now: Moment, issue: Term) -> Formula:
    """The issue is in a state in which it needs its lane."""
    return is_in(now.state(issue), lane_states(setting.lane_release))


def merges(now: Moment, issue: Term) -> Formula:
    """The merge of the issue is under way."""
    return z3.And(is_at(now, issue, "merging"), now.open(issue))


def turn_is_free(setting: Setting, now: Moment, repo: Term) -> Formula:
    """Neither an issue nor a ticket has the merge turn of the repo."""
    return z3.And(
        every(ISSUE, have=lambda j: z3.Not(z3.And(setting.repo(j) == repo, now.turn(j)))),
        every(
            TICKET, have=lambda t: z3.Not(z3.And(setting.repo_of_ticket(t) == repo, now.granted(t)))
        ),
    )


def is_first(setting: Setting, now: Moment, repo: Term, place: Term) -> Formula:
    """No place in the merge queue of the repo is before this one."""
    return z3.And(
        every(
            ISSUE,
            have=lambda j: z3.Implies(
                z3.And(setting.repo(j) == repo, now.queued(j)), place <= now.joined(j)
            ),
        ),
        every(
            TICKET,
            have=lambda t: z3.Implies(
                z3.And(setting.repo_of_ticket(t) == repo, now.wants(t)), place <= now.asked(t)
            ),
        ),
    )


def none_starting(now: Moment) -> Formula:
    """No issue is between its admission and the start of its session."""
    return every(ISSUE, have=lambda j: z3.Not(now.starting(j)))
