"""What must be possible: `sometimes` properties. The search must find an example of each.

A model that does nothing breaks no rule. So each of these without an example is a failure: all
rows of the table, all rows of the cap's table, all reasons, all ends, and the situations that the
rules are about.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, get_args

from specs.monitor import WAYS_BACK, RecoveryFinding, RuleMonitor, Step
from specs.search.worlds import World
from wavelane_model.cap import MOVES
from wavelane_model.effects import (
    AnnounceIssue,
    Effect,
    EndReservationAt,
    EndSession,
    FinishWave,
    ResumeAt,
    RunOutcome,
    StartImplementing,
    WakeAt,
)
from wavelane_model.events import (
    AttemptResumed,
    CapMoved,
    Event,
    MergeFound,
    OrderPlanned,
    PauseEnded,
    ReservationEnded,
    RunCutOff,
    SessionEnded,
    WaveAmended,
    WaveStarted,
)
from wavelane_model.lifecycle import IN_FLIGHT, TABLE
from wavelane_model.outcomes import Blocked, Merged
from wavelane_model.state import WaveState
from wavelane_model.why import ReasonCode, why


class Seen(NamedTuple):
    """One transition: the state before it, the event, its effects, and the state after it."""

    world: World
    before: RuleMonitor
    state: WaveState
    monitor: RuleMonitor
    event: Event
    effects: list[Effect]

    def starts(self) -> int:
        """How many implementing sessions start."""
        return sum(
            isinstance(one, AnnounceIssue) and one.trigger == "begin" for one in self.effects
        )


def two_merges_queue(seen: Seen) -> bool:
    """Two approved merges of one repo wait, one behind the other."""
    return seen.world.lane_release == "review" and any(
        sum(isinstance(who, int) for who in queue) >= 2 for queue in seen.monitor.queues
    )


def two_reviews_of_one_repo(seen: Seen) -> bool:
    repos = [
        seen.monitor.wave.repo_of[at] for at, one in enumerate(seen.monitor.open) if one == "review"
    ]
    return len(set(repos)) < len(repos)


def rework_waits_for_its_lane(seen: Seen) -> bool:
    return any(lane.rework for lane in seen.state.lanes)


def rework_takes_the_lane_before_an_admission(seen: Seen) -> bool:
    """A lane goes to rework while an issue of the repo is ready and the cap has room."""
    taken = [
        one for one in seen.effects if isinstance(one, AnnounceIssue) and one.trigger == "take_lane"
    ]
    wave = seen.monitor.wave
    return any(
        record.ready and seen.monitor.in_flight < seen.monitor.level
        for one in taken
        for record in seen.state.records
        if wave.issues[record.position].repo == wave[one.issue].repo
    )


def more_in_flight_than_the_level(seen: Seen) -> bool:
    """The cap was lowered and nothing was interrupted."""
    return seen.monitor.in_flight > seen.monitor.level > 0


def a_merge_goes_in_while_paused(seen: Seen) -> bool:
    return (
        isinstance(seen.event, SessionEnded)
        and isinstance(seen.event.outcome, Merged)
        and seen.monitor.level == 0
    )


def a_merge_starts_while_paused(seen: Seen) -> bool:
    return seen.monitor.level == 0 and any(
        isinstance(one, AnnounceIssue) and one.trigger == "begin_merge" for one in seen.effects
    )


def a_review_waits_for_the_cap(seen: Seen) -> bool:
    return any(
        at == "review" and doing is None
        for at, doing in zip(seen.monitor.states, seen.monitor.open, strict=True)
    )


def one_move_starts_two(seen: Seen) -> bool:
    """A cap that goes up is used in the same step, up to its level."""
    return isinstance(seen.event, CapMoved) and seen.starts() >= 2


def a_lane_is_free_and_the_cap_is_full(seen: Seen) -> bool:
    return (
        any(
            record.ready and seen.state.lanes[record.lane].holder is None
            for record in seen.state.records
        )
        and seen.monitor.in_flight >= seen.monitor.level > 0
    )


def three_repos_at_once(seen: Seen) -> bool:
    doing = {seen.monitor.wave.repo_of[at] for at, one in enumerate(seen.monitor.open) if one}
    return len(doing) >= 3


def merged_though_it_was_to_be_taken_out(seen: Seen) -> bool:
    """Git decides: a merged issue is done, even if its cancellation was asked for."""
    return (
        isinstance(seen.event, SessionEnded)
        and isinstance(seen.event.outcome, Merged)
        and seen.before.ending[seen.monitor.wave.position[seen.event.issue]] is not None
    )


def others_wait_behind_a_merge(seen: Seen) -> bool:
    return any(
        queue and isinstance(queue[0], int) and any(isinstance(who, str) for who in queue)
        for queue in seen.monitor.queues
    )


def a_merge_waits_behind_others(seen: Seen) -> bool:
    return any(
        queue and isinstance(queue[0], str) and any(isinstance(who, int) for who in queue)
        for queue in seen.monitor.queues
    )


def a_postponed_issue_leaves_its_lane_to_another(seen: Seen) -> bool:
    repos = seen.monitor.wave.repo_of
    return any(
        waking and repos[at] == repos[other] and seen.monitor.states[other] in IN_FLIGHT
        for at, waking in enumerate(seen.monitor.waking)
        for other in range(len(repos))
    )


def a_dependent_stays_behind_a_parked_issue(seen: Seen) -> bool:
    return seen.monitor.outcome == "blocked" and any(
        at == "queued" and any(seen.monitor.states[need] == "parked" for need in needs)
        for at, needs in zip(seen.monitor.states, seen.monitor.wave.dependencies, strict=True)
    )


def a_run_goes_on_after_its_end(seen: Seen) -> bool:
    return isinstance(seen.event, WaveStarted) and any(at != "queued" for at in seen.monitor.states)


def _cut_off_during(seen: Seen, step: Step) -> bool:
    return isinstance(seen.event, RunCutOff) and step in seen.before.open


def a_run_is_cut_off_during_an_implementation(seen: Seen) -> bool:
    return _cut_off_during(seen, "implement")


def a_run_is_cut_off_during_a_review(seen: Seen) -> bool:
    return _cut_off_during(seen, "review")


def a_run_is_cut_off_during_a_merge(seen: Seen) -> bool:
    return _cut_off_during(seen, "merge")


def others_lose_their_turn_with_the_run(seen: Seen) -> bool:
    return isinstance(seen.event, RunCutOff) and any(
        isinstance(turn, str) for turn in seen.before.turns
    )


def a_run_that_goes_on_with_an_attempt_is_cut_off_too(seen: Seen) -> bool:
    """Only a resumption brings an issue back to work in a world without ways back."""
    return (
        isinstance(seen.event, RunCutOff)
        and not set(WAYS_BACK) & set(seen.world.outcomes)
        and any(
            doing == "implement" and not untouched
            for doing, untouched in zip(seen.before.open, seen.before.untouched, strict=True)
        )
    )


def _is_finding(seen: Seen, at: str, ending: str | None, target: str) -> bool:
    """A recovery finding about an issue in `at`, with this end pending, leads to `target`."""
    if not isinstance(seen.event, RecoveryFinding):
        return False
    issue = seen.monitor.wave.position[seen.event.issue]
    before = seen.before.states[issue], seen.before.ending[issue], seen.monitor.states[issue]
    return before == (at, ending, target)


def a_cancel_survives_a_run_that_is_cut_off(seen: Seen) -> bool:
    return isinstance(seen.event, AttemptResumed) and _is_finding(
        seen, "running", "cancel", "cancelled"
    )


def a_park_survives_a_run_that_is_cut_off(seen: Seen) -> bool:
    return isinstance(seen.event, AttemptResumed) and _is_finding(seen, "review", "block", "parked")


def a_merge_is_found_though_its_issue_was_to_be_taken_out(seen: Seen) -> bool:
    return isinstance(seen.event, MergeFound) and _is_finding(seen, "merging", "cancel", "done")


def an_issue_at_rest_is_found_merged(seen: Seen) -> bool:
    """A recovery finding about an issue that had no session open."""
    return (
        isinstance(seen.event, MergeFound)
        and seen.before.open[seen.monitor.wave.position[seen.event.issue]] is None
    )


def _starts_with(seen: Seen, trigger: str) -> bool:
    return isinstance(seen.event, WaveStarted) and any(
        isinstance(one, AnnounceIssue) and one.trigger == trigger for one in seen.effects
    )


def a_resumed_review_is_made_again(seen: Seen) -> bool:
    return _starts_with(seen, "begin_review")


def a_resumed_merge_is_tried_again_before_others(seen: Seen) -> bool:
    return _starts_with(seen, "begin_merge") and any(
        len(queue) > 1 for queue in seen.monitor.queues
    )


def rework_takes_its_lane_at_the_start_of_a_run(seen: Seen) -> bool:
    return _starts_with(seen, "take_lane")


def a_postponed_issue_is_to_be_woken_in_the_next_run(seen: Seen) -> bool:
    return isinstance(seen.event, WaveStarted) and any(
        isinstance(one, WakeAt) for one in seen.effects
    )


def the_cap_is_raised_between_runs(seen: Seen) -> bool:
    return (
        isinstance(seen.event, CapMoved)
        and seen.before.ended
        and seen.monitor.level > seen.monitor.highest
    )


def a_run_starts_with_more_in_flight_than_the_level(seen: Seen) -> bool:
    return isinstance(seen.event, WaveStarted) and seen.monitor.in_flight > seen.monitor.level


def an_issue_is_taken_out_before_its_recovery_finding(seen: Seen) -> bool:
    return seen.before.cut_off and any(isinstance(one, EndSession) for one in seen.effects)


def a_run_is_stopped_as_it_starts(seen: Seen) -> bool:
    return isinstance(seen.event, WaveStarted) and seen.monitor.outcome == "stopped"


def a_pause_ends_by_itself(seen: Seen) -> bool:
    return isinstance(seen.event, PauseEnded) and bool(seen.effects)


def a_pause_that_was_to_end_by_itself_goes_on_in_the_next_run(seen: Seen) -> bool:
    return isinstance(seen.event, WaveStarted) and any(
        isinstance(one, ResumeAt) for one in seen.effects
    )


def an_added_issue_starts_at_once(seen: Seen) -> bool:
    return isinstance(seen.event, WaveAmended) and any(
        isinstance(one, StartImplementing) for one in seen.effects
    )


def a_change_makes_an_issue_wait_that_could_have_gone(seen: Seen) -> bool:
    return isinstance(seen.event, WaveAmended) and any(
        at == "queued"
        and needs != before
        and not any(seen.before.states[need] != "done" for need in before)
        for at, needs, before in zip(
            seen.before.states,
            seen.monitor.wave.dependencies[: len(seen.before.states)],
            seen.before.wave.dependencies,
            strict=True,
        )
    )


def issues_are_added_between_runs(seen: Seen) -> bool:
    return isinstance(seen.event, WaveAmended) and seen.before.ended


def a_lane_is_reserved_and_idle(seen: Seen) -> bool:
    """A slot and a lane are free and an issue is ready, and its lane is reserved for another."""
    return seen.monitor.under_way and any(
        why(seen.state, issue.id).code == "reserved" and seen.monitor.in_flight < seen.monitor.level
        for issue in seen.monitor.wave.issues
    )


def _a_reservation_ends(seen: Seen) -> bool:
    return (
        bool(seen.before.reservations) and not seen.monitor.reservations and not seen.monitor.ended
    )


def a_reservation_ends_with_its_issue(seen: Seen) -> bool:
    return _a_reservation_ends(seen) and any(
        isinstance(one, AnnounceIssue)
        and one.trigger == "admit"
        and seen.monitor.wave.position[one.issue] in seen.before.reservations
        for one in seen.effects
    )


def a_reservation_ends_because_its_time_has_come(seen: Seen) -> bool:
    """The issue that waited for it starts at once."""
    return isinstance(seen.event, ReservationEnded) and seen.starts() > 0


def a_reservation_ends_because_what_is_waited_for_is_parked(seen: Seen) -> bool:
    return (
        _a_reservation_ends(seen)
        and isinstance(seen.event, SessionEnded)
        and isinstance(seen.event.outcome, Blocked)
        and seen.starts() > 0
    )


def a_reservation_ends_because_a_human_has_to_come_before_what_is_waited_for(seen: Seen) -> bool:
    """By a change, or at the beginning of a chain."""
    monitor = seen.monitor
    return _a_reservation_ends(seen) and any(
        monitor.states[one] == "queued"
        and not isinstance(seen.event, ReservationEnded | OrderPlanned)
        and not any(monitor.states[need] == "parked" for need in monitor.wave.dependencies[one])
        for one in seen.before.reservations
    )


def _a_plan_asks_for_a_reservation(seen: Seen, wanted: Callable[[int, float], bool]) -> bool:
    return isinstance(seen.event, OrderPlanned) and any(
        wanted(seen.monitor.wave.position[one.issue], one.until) for one in seen.event.reservations
    )


def a_plan_would_put_a_reservation_off(seen: Seen) -> bool:
    return _a_plan_asks_for_a_reservation(
        seen, lambda issue, until: until > seen.before.reservations.get(issue, until)
    )


def a_plan_would_reserve_a_lane_again(seen: Seen) -> bool:
    """For what waits in the queue, and for no human."""
    return _a_plan_asks_for_a_reservation(
        seen,
        lambda issue, _: (
            seen.state.reservations.may_be_made_for(seen.state.records[issue])
            and issue not in seen.monitor.reservations
        ),
    )


def a_run_begins_with_a_lane_reserved(seen: Seen) -> bool:
    return isinstance(seen.event, WaveStarted) and any(
        isinstance(one, EndReservationAt) for one in seen.effects
    )


def a_plan_lets_an_issue_go_before_one_that_came_before_it(seen: Seen) -> bool:
    """In the order of the file, that is."""
    return isinstance(seen.event, WaveStarted) and any(
        isinstance(one, AnnounceIssue)
        and one.trigger == "admit"
        and any(
            seen.monitor.wave.repo_of[earlier]
            == seen.monitor.wave.repo_of[seen.monitor.wave.position[one.issue]]
            and seen.monitor.states[earlier] == "queued"
            and not seen.monitor.wave.dependencies[earlier]
            for earlier in range(seen.monitor.wave.position[one.issue])
        )
        for one in seen.effects
    )


SITUATIONS: Final[tuple[Callable[[Seen], bool], ...]] = (
    two_merges_queue,
    two_reviews_of_one_repo,
    rework_waits_for_its_lane,
    rework_takes_the_lane_before_an_admission,
    more_in_flight_than_the_level,
    a_merge_goes_in_while_paused,
    a_merge_starts_while_paused,
    a_review_waits_for_the_cap,
    one_move_starts_two,
    a_lane_is_free_and_the_cap_is_full,
    three_repos_at_once,
    merged_though_it_was_to_be_taken_out,
    others_wait_behind_a_merge,
    a_merge_waits_behind_others,
    a_postponed_issue_leaves_its_lane_to_another,
    a_dependent_stays_behind_a_parked_issue,
    a_run_goes_on_after_its_end,
    a_run_is_cut_off_during_an_implementation,
    a_run_is_cut_off_during_a_review,
    a_run_is_cut_off_during_a_merge,
    others_lose_their_turn_with_the_run,
    a_run_that_goes_on_with_an_attempt_is_cut_off_too,
    a_cancel_survives_a_run_that_is_cut_off,
    a_park_survives_a_run_that_is_cut_off,
    a_merge_is_found_though_its_issue_was_to_be_taken_out,
    an_issue_at_rest_is_found_merged,
    a_resumed_review_is_made_again,
    a_resumed_merge_is_tried_again_before_others,
    rework_takes_its_lane_at_the_start_of_a_run,
    a_postponed_issue_is_to_be_woken_in_the_next_run,
    the_cap_is_raised_between_runs,
    a_run_starts_with_more_in_flight_than_the_level,
    an_issue_is_taken_out_before_its_recovery_finding,
    a_run_is_stopped_as_it_starts,
    a_pause_ends_by_itself,
    a_pause_that_was_to_end_by_itself_goes_on_in_the_next_run,
    an_added_issue_starts_at_once,
    a_change_makes_an_issue_wait_that_could_have_gone,
    issues_are_added_between_runs,
    a_lane_is_reserved_and_idle,
    a_reservation_ends_with_its_issue,
    a_reservation_ends_because_its_time_has_come,
    a_reservation_ends_because_what_is_waited_for_is_parked,
    a_reservation_ends_because_a_human_has_to_come_before_what_is_waited_for,
    a_plan_would_put_a_reservation_off,
    a_plan_would_reserve_a_lane_again,
    a_run_begins_with_a_lane_reserved,
    a_plan_lets_an_issue_go_before_one_that_came_before_it,
)


class Examples:
    """The examples still looked for, in groups: rows, moves, reasons, ends, situations."""

    def __init__(self) -> None:
        self.rows = {(row.trigger, row.source, row.target) for row in TABLE}
        self.moves = set(MOVES)
        self.reasons: set[ReasonCode] = set(get_args(ReasonCode))
        self.ends: set[RunOutcome] = set(get_args(RunOutcome))
        self.situations = list(SITUATIONS)

    def look(self, seen: Seen) -> None:
        """Strike out what this transition is an example of."""
        for effect in seen.effects:
            if isinstance(effect, AnnounceIssue):
                self.rows.discard((effect.trigger, effect.source, effect.target))
            elif isinstance(effect, FinishWave):
                self.ends.discard(effect.outcome)
        if isinstance(seen.event, RunCutOff):
            self.ends.discard("unfinished")
        if isinstance(seen.event, CapMoved):
            self.moves.discard(seen.event.move)
        if self.reasons:
            for issue in seen.monitor.wave.issues:
                self.reasons.discard(why(seen.state, issue.id).code)
        if self.situations:
            self.situations = [one for one in self.situations if not one(seen)]

    def groups(self) -> dict[str, tuple[int, list[str]]]:
        """By property: how many examples were looked for, and which were not found."""
        return {
            "every row of the table fires": (
                len(TABLE),
                [
                    f"{trigger}: {source} to {target}"
                    for trigger, source, target in sorted(self.rows)
                ],
            ),
            "every move of the cap is made": (len(MOVES), sorted(self.moves)),
            "every reason is given": (len(get_args(ReasonCode)), sorted(self.reasons)),
            "every end is reached": (len(get_args(RunOutcome)), sorted(self.ends)),
            "every situation occurs": (
                len(SITUATIONS),
                [one.__name__.replace("_", " ") for one in self.situations],
            ),
        }
