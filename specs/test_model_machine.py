"""The model under any events in any order, watched by an observer of the world.

The world is what the model's orders make of it: a session that was ordered is open until its end
is reported, or until the run is cut off. The machine reports what may happen to such a world;
everything else about it, the observer has to find out by itself.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from specs.endings import OUTCOMES, findings_of
from specs.observers import Observer, Step
from wavelane.journal import decode_event, encode_event
from wavelane.testing.strategies import lane_releases, limits, waves
from wavelane_model.cap import Cap, CapMove
from wavelane_model.effects import (
    AnnounceCap,
    AnnounceIssue,
    Effect,
    FinishWave,
    GrantMergeTurn,
    StartImplementing,
    StartMerging,
    StartReviewing,
)
from wavelane_model.events import (
    AttemptResumed,
    CancelRequested,
    CapMoved,
    Event,
    MergeFound,
    MergeTurnRequested,
    MergeTurnReturned,
    ParkRequested,
    PostponementEnded,
    RunCutOff,
    SessionEnded,
    SessionWithheld,
    StopRequested,
    UnparkRequested,
    WaveStarted,
)
from wavelane_model.lifecycle import IN_FLIGHT, LaneRelease, State
from wavelane_model.limits import Limits
from wavelane_model.outcomes import (
    Approved,
    Implemented,
    Merged,
    Outcome,
    Stopped,
)
from wavelane_model.properties import broken
from wavelane_model.state import WaveState
from wavelane_model.step import RECOVERY_FINDINGS, IllegalEvent, may_start, outcomes_of, step
from wavelane_model.wave import Wave
from wavelane_model.why import why

STEPS: dict[type[Effect], Step] = {
    StartImplementing: "implement",
    StartReviewing: "review",
    StartMerging: "merge",
}
SMOOTH = (Implemented(), Approved(), Merged())
"""They end every second session or so, so that waves come far enough."""
HAPPY: dict[State, Outcome] = {
    "running": Implemented(),
    "review": Approved(),
    "merging": Merged(),
}


class ModelMachine(RuleBasedStateMachine):
    """Feeds the model, plays the world, and lets the observer judge."""

    tickets: Bundle[tuple[str, str]] = Bundle("tickets")

    @initialize(
        wave=waves(),
        ceiling=st.integers(1, 4),
        lane_release=lane_releases,
        limits=limits,
        moves=st.lists(st.sampled_from(("step_down", "pause")), max_size=2),
    )
    def start(
        self,
        wave: Wave,
        ceiling: int,
        lane_release: LaneRelease,
        limits: Limits,
        moves: list[CapMove],
    ) -> None:
        self.wave = wave
        self.state = WaveState(wave, cap=Cap.at(ceiling), lane_release=lane_release, limits=limits)
        self.observer = Observer(wave, lane_release, ceiling, over=True)
        for move in moves:
            self.take(CapMoved(move))
        self.take(WaveStarted())

    def take(self, event: Event) -> bool:
        """Step an event, in the form in which a journal would give it back."""
        assert decode_event(*encode_event(event)) == event
        before = self.state.key()
        try:
            effects = step(self.state, event)
        except IllegalEvent:
            assert self.state.key() == before
            return False
        if isinstance(event, SessionEnded) and event.issue in self.observer.open:
            self.world_ends(event, effects)
        elif isinstance(event, SessionWithheld):
            self.observer.ended(event.issue)
        elif isinstance(event, RECOVERY_FINDINGS):
            self.observer.recovered(event.issue, merged=isinstance(event, MergeFound))
        elif isinstance(event, WaveStarted):
            self.observer.run_started()
        elif isinstance(event, RunCutOff):
            self.observer.run_cut_off()
        elif isinstance(event, StopRequested):
            self.observer.stopping = True
        elif isinstance(event, MergeTurnRequested):
            self.observer.turn_requested(event.repo, event.ticket)
        elif isinstance(event, MergeTurnReturned):
            self.observer.turn_returned(event.repo, event.ticket)
        for effect in effects:
            self.world_obeys(effect)
        return True

    def world_ends(self, event: SessionEnded, effects: list[Effect]) -> None:
        moved = next(one for one in effects if isinstance(one, AnnounceIssue))
        self.observer.ended(
            event.issue,
            approved=moved.target == "merging" and moved.source == "review",
            merged=isinstance(event.outcome, Merged),
        )

    def world_obeys(self, effect: Effect) -> None:
        match effect:
            case StartImplementing() | StartReviewing() | StartMerging():
                self.observer.started(STEPS[type(effect)], effect.issue)
            case AnnounceIssue(issue, _, source, target):
                if source in IN_FLIGHT and target not in (*IN_FLIGHT, "done"):
                    self.observer.left_flight(issue)
                elif source == "merging" and target == "admitted":
                    self.observer.left_queue(issue)
            case AnnounceCap(level):
                self.observer.cap_moved(level)
            case GrantMergeTurn(repo, ticket):
                self.observer.turn_granted(repo, ticket)
            case FinishWave():
                self.observer.run_ended()
            case _:
                pass

    running = precondition(lambda self: not self.observer.over)
    between_runs = precondition(lambda self: self.observer.over)

    @running
    @precondition(lambda self: self.observer.open)
    @rule(data=st.data())
    def a_session_ends(self, data: st.DataObject) -> None:
        issue = data.draw(st.sampled_from(sorted(self.observer.open)), "issue")
        record = self.state.find(issue)
        allowed = outcomes_of(record.state)
        outcome = data.draw(
            st.sampled_from(
                [one for one in (*SMOOTH, *OUTCOMES) if isinstance(one, (*allowed, Stopped))]
            ),
            "outcome",
        )
        taken = self.take(SessionEnded(issue, record.session, outcome))
        assert taken or isinstance(outcome, Stopped)

    @running
    @precondition(lambda self: self.observer.open)
    @rule(data=st.data())
    def a_session_that_may_not_start_is_withheld(self, data: st.DataObject) -> None:
        issue = data.draw(st.sampled_from(sorted(self.observer.open)), "issue")
        record = self.state.find(issue)
        may = may_start(self.state, issue, record.session)
        to_be_withheld = not may and record.pending_removal is None
        assert self.take(SessionWithheld(issue, record.session)) == to_be_withheld

    @rule(move=st.sampled_from(("step_down", "step_up", "pause", "resume")))
    def the_cap_moves(self, move: CapMove) -> None:
        self.take(CapMoved(move))

    @rule(level=st.integers(-1, 5))
    def the_cap_is_set(self, level: int) -> None:
        self.take(CapMoved("set", level))

    @rule(data=st.data(), park=st.booleans())
    def an_issue_is_taken_out(self, data: st.DataObject, park: bool) -> None:
        issue = data.draw(st.sampled_from(self.wave.issues)).id
        self.take(ParkRequested(issue, "a question") if park else CancelRequested(issue))

    @rule(data=st.data())
    def an_issue_is_unparked(self, data: st.DataObject) -> None:
        self.take(UnparkRequested(data.draw(st.sampled_from(self.wave.issues)).id))

    @running
    @rule(data=st.data())
    def a_postponement_ends(self, data: st.DataObject) -> None:
        self.take(PostponementEnded(data.draw(st.sampled_from(self.wave.issues)).id))

    @running
    @rule(late=st.integers(0, 9))
    def the_run_is_cut_off(self, late: int) -> None:
        if late == 0:
            assert self.take(RunCutOff())

    @between_runs
    @precondition(lambda self: self.state.flight)
    @rule(data=st.data())
    def a_recovery_finding_comes(self, data: st.DataObject) -> None:
        position = data.draw(st.sampled_from(sorted(self.state.flight)), "issue")
        findings = findings_of(self.wave.issues[position].id)
        assert self.take(data.draw(st.sampled_from(findings), "finding"))

    @running
    @rule(data=st.data())
    def no_recovery_finding_is_taken_while_the_run_is_under_way(self, data: st.DataObject) -> None:
        findings = findings_of(data.draw(st.sampled_from(self.wave.issues)).id)
        assert not self.take(data.draw(st.sampled_from(findings)))

    @rule(data=st.data(), number=st.integers(1, 3), target=tickets)
    def a_ticket_joins_the_merge_queue(
        self, data: st.DataObject, number: int
    ) -> tuple[str, str] | MultipleResults[tuple[str, str]]:
        repo = data.draw(st.sampled_from(self.wave.repos))
        taken = self.take(MergeTurnRequested(repo, f"turn-{number}"))
        return (repo, f"turn-{number}") if taken else multiple()

    @rule(ticket=consumes(tickets))
    def a_ticket_leaves_the_merge_queue(self, ticket: tuple[str, str]) -> None:
        self.take(MergeTurnReturned(*ticket))

    @rule(late=st.integers(0, 20))
    def a_stop_is_asked_for(self, late: int) -> None:
        if late == 0:
            assert self.take(StopRequested())

    @between_runs
    @rule(data=st.data())
    def nothing_of_a_run_happens_between_runs(self, data: st.DataObject) -> None:
        issue = data.draw(st.sampled_from(self.wave.issues)).id
        session = self.state.find(issue).session
        assert not self.take(RunCutOff())
        assert not self.take(PostponementEnded(issue))
        assert not self.take(SessionWithheld(issue, session))
        assert not self.take(SessionEnded(issue, session, Implemented()))

    @between_runs
    @rule()
    def the_next_run_starts(self) -> None:
        may = not self.observer.lost
        assert self.take(WaveStarted()) == may

    @invariant()
    def no_property_is_broken(self) -> None:
        if hasattr(self, "state"):
            assert broken(self.state) == []

    @invariant()
    def every_issue_says_why(self) -> None:
        if hasattr(self, "state"):
            for issue in self.wave.issues:
                assert why(self.state, issue.id).text

    def teardown(self) -> None:
        """With sessions that end and a cap above 0, the wave ends."""
        if not hasattr(self, "state"):
            return
        self.take(CapMoved("set", self.state.cap.ceiling))
        if self.state.outcome == "unfinished":
            for one in sorted(self.observer.lost):
                self.take(AttemptResumed(one))
            self.take(WaveStarted())
        for at, lane in enumerate(self.state.lanes):
            for who in [one for one in lane.merges if isinstance(one, str)]:
                self.take(MergeTurnReturned(self.wave.repos[at], who))
        for _ in range(20 * len(self.wave)):
            if self.observer.over:
                break
            for issue in self.wave.issues:
                self.take(PostponementEnded(issue.id))
            for one in list(self.observer.open):
                record = self.state.find(one)
                self.take(SessionEnded(one, record.session, HAPPY[record.state]))
        assert self.observer.over, "progress: the wave does not end"


TestModelMachine = ModelMachine.TestCase
TestModelMachine.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
