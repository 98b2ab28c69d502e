"""Applies the effects of an event to what the monitor knows, and checks each against the rules."""

from __future__ import annotations

from collections.abc import Iterator

from specs.monitor.state import MonitorState
from specs.monitor.tables import IN_FLIGHT, LEADS, STARTS, STEP_STATE, Step
from wavelane_model.effects import (
    AnnounceCap,
    AnnounceIssue,
    Effect,
    EndSession,
    FinishWave,
    GrantMergeTurn,
    StartImplementing,
    StartMerging,
    StartReviewing,
    WakeAt,
)
from wavelane_model.events import (
    CancelRequested,
    CapMoved,
    Event,
    MergeFound,
    ParkRequested,
    PauseEnded,
    SessionEnded,
    WaveStarted,
)
from wavelane_model.outcomes import Merged


def apply_effects(known: MonitorState, event: Event, effects: list[Effect]) -> Iterator[str]:
    """Apply the effects of an event during a run; what is broken by them."""
    for effect in effects:
        if known.ended:
            yield f"end: {effect} is ordered after the end"
        match effect:
            case AnnounceIssue():
                yield from _move_issue(known, event, effect)
            case StartImplementing(name, session):
                yield from _start_session(known, "implement", name, session)
            case StartReviewing(name, session):
                yield from _start_session(known, "review", name, session)
            case StartMerging(name, session):
                yield from _start(known, "merge", name, session)
                issue = known.wave.position[name]
                yield from _give_turn(known, known.wave.repo_of[issue], issue)
            case GrantMergeTurn(repo, ticket):
                yield from _give_turn(known, known.wave.repos.index(repo), ticket)
            case EndSession(name):
                asked = isinstance(event, ParkRequested | CancelRequested) and event.issue == name
                if not asked:
                    yield f"glide: the session of {name} is ended without a request"
            case WakeAt(name):
                issue = known.wave.position[name]
                if known.states[issue] != "queued":
                    yield f"wake: {name} is to be woken, but it is {known.states[issue]}"
                known.waking[issue] = True
            case FinishWave(outcome):
                known.outcome = outcome
                known.reservations = {}
            case AnnounceCap():
                if not isinstance(event, CapMoved | PauseEnded | WaveStarted):
                    yield "cap control: a level is announced, but the cap has not moved"


def apply_effects_between_runs(
    known: MonitorState, event: Event, effects: list[Effect]
) -> Iterator[str]:
    """Between runs, only the issue that the event is about may move, and no work may start."""
    about = getattr(event, "issue", None)
    for effect in effects:
        match effect:
            case AnnounceIssue() if effect.issue == about and effect.trigger not in STARTS:
                yield from _move_issue(known, event, effect)
            case AnnounceCap() if isinstance(event, CapMoved):
                pass
            case EndSession() if isinstance(event, ParkRequested | CancelRequested):
                pass
            case _:
                yield f"end: {effect} is ordered between runs"


# Moves of issues


def _move_issue(known: MonitorState, event: Event, move: AnnounceIssue) -> Iterator[str]:
    issue = known.wave.position[move.issue]
    targets = LEADS[move.trigger].get(move.source, ())
    if move.target not in targets or known.states[issue] != move.source:
        yield f"announced: {move.issue} is {known.states[issue]}, but {move} is announced"
    yield from _move_lane(known, move, issue)
    if move.trigger == "begin" and known.implemented[issue] != (move.target == "review"):
        yield f"outcome: {move.issue} begins with a review exactly if it is implemented"
    _move_in_merge_queue(known, move, issue)
    if move.target == "done" and not _merge_is_in(event, move.issue):
        yield f"once: {move.issue} is done without a merge"
    known.untouched[issue] = move.trigger == "admit" or (
        known.untouched[issue] and move.target in IN_FLIGHT
    )
    known.states[issue] = move.target
    repo = known.wave.repo_of[issue]
    if known.holders[repo] == issue and move.target not in known.active_states:
        known.holders[repo] = None
    known.end_reservations()


def _move_in_merge_queue(known: MonitorState, move: AnnounceIssue, issue: int) -> None:
    queue = known.queues[known.wave.repo_of[issue]]
    if move.target == "merging" and issue not in queue:
        queue.append(issue)
    elif move.target != "merging" and issue in queue:
        queue.remove(issue)


def _merge_is_in(event: Event, issue: str) -> bool:
    """Whether the event says that the merge of the issue went in."""
    match event:
        case SessionEnded(one, _, Merged()) | MergeFound(one):
            return one == issue
        case _:
            return False


def _move_lane(known: MonitorState, move: AnnounceIssue, issue: int) -> Iterator[str]:
    """Admissions and rework take the lane; a session begins only with it."""
    repo = known.wave.repo_of[issue]
    holder = known.holders[repo]
    if move.trigger == "admit":
        yield from _admit(known, move.issue, issue)
        known.holders[repo] = issue
    elif move.trigger == "take_lane":
        if holder is not None:
            yield f"lane: {move.issue} takes the lane of {known.wave.issues[holder].id}"
        known.holders[repo] = issue
    elif move.trigger == "begin" and holder != issue:
        yield f"lane: {move.issue} begins without its lane"


# Admissions


def _admit(known: MonitorState, name: str, issue: int) -> Iterator[str]:
    if known.in_flight >= known.level:
        yield f"cap: {name} is admitted with {known.in_flight} in flight at cap {known.level}"
    if known.level == 0 or known.stopping:
        yield f"pause: {name} is admitted at cap {known.level}, stopping: {known.stopping}"
    for obstacle in _lane_obstacles(known, known.wave.repo_of[issue]):
        yield f"lane: {name} is admitted {obstacle}"
    if known.waking[issue]:
        yield f"wake: {name} is admitted before its wait is over"
    for needed in known.wave.dependencies[issue]:
        if known.states[needed] != "done":
            yield f"order: {name} is admitted; {known.wave.issues[needed].id} is not done"
    if known.reserved_for(issue):
        yield f"plan: {name} is admitted into a lane that is reserved"
    for other in known.plan:
        if known.rank(other) < known.rank(issue) and _could_be_admitted(known, other):
            yield f"plan: {name} is admitted before {known.wave.issues[other].id}"


def _lane_obstacles(known: MonitorState, repo: int) -> Iterator[str]:
    """Why no issue may be admitted into a lane: its holder, or rework that waits to take it."""
    holder = known.holders[repo]
    for other, state in enumerate(known.states):
        if known.wave.repo_of[other] != repo:
            continue
        name = known.wave.issues[other].id
        if other == holder:
            yield f"while {name} has its lane"
        elif holder is None and state == "admitted":
            yield f"before {name}, which waits to take its lane again"


def _could_be_admitted(known: MonitorState, issue: int) -> bool:
    """Whether an issue is due, its lane is free, and no reservation is in its way."""
    return (
        known.could_go(issue)
        and not known.waking[issue]
        and not known.reserved_for(issue)
        and not any(
            state in known.active_states and known.wave.repo_of[other] == known.wave.repo_of[issue]
            for other, state in enumerate(known.states)
        )
    )


# Sessions and merges


def _start_session(known: MonitorState, step: Step, name: str, session: int) -> Iterator[str]:
    if known.level == 0 or known.stopping:
        yield f"pause: {name} starts to {step} at cap {known.level}, stopping: {known.stopping}"
    repo = known.wave.repo_of[known.wave.position[name]]
    at_work = [
        known.wave.issues[other].id
        for other, doing in enumerate(known.open)
        if known.wave.repo_of[other] == repo
        and doing is not None
        and (known.lane_release == "done" or doing == step == "implement")
    ]
    if at_work:
        yield f"lane: {name} starts to {step} beside {', '.join(at_work)}"
    yield from _start(known, step, name, session)


def _start(known: MonitorState, step: Step, name: str, session: int) -> Iterator[str]:
    issue = known.wave.position[name]
    if known.open[issue] is not None:
        yield f"once: {name} has two sessions at once"
    if known.states[issue] != STEP_STATE[step] or session != known.session[issue] + 1:
        yield f"once: {name} is {known.states[issue]}; session {session} starts to {step}"
    known.open[issue] = step
    known.session[issue] = session


def _give_turn(known: MonitorState, repo: int, who: int | str) -> Iterator[str]:
    name = known.wave.issues[who].id if isinstance(who, int) else who
    repo_name = known.wave.repos[repo]
    if known.turns[repo] is not None:
        yield f"merge: {name} gets a second turn in {repo_name}"
    if known.queues[repo][:1] != [who]:
        yield f"merge: {name} is not first in the merge queue of {repo_name}"
    known.turns[repo] = who
