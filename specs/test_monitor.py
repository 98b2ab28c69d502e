"""The rule monitor sees a broken rule by itself, and so a model without one of its guards."""

from __future__ import annotations

from pathlib import Path

import pytest

from specs.forgeries import PIPELINED, STRICT, Base
from specs.monitor import RuleMonitor
from specs.monitored import broken_rules
from wavelane import Issue, Wave
from wavelane_model import step as steps
from wavelane_model.cap import Cap
from wavelane_model.effects import (
    AnnounceCap,
    AnnounceIssue,
    Effect,
    EndReservationAt,
    EndSession,
    FinishWave,
    GrantMergeTurn,
    StartImplementing,
    StartMerging,
    StartReviewing,
    WakeAt,
)
from wavelane_model.events import (
    AttemptDiscarded,
    AttemptResumed,
    CancelRequested,
    CapMoved,
    Event,
    MergeTurnRequested,
    MergeTurnReturned,
    OrderPlanned,
    PostponementEnded,
    Reservation,
    RunCutOff,
    SessionEnded,
    StopRequested,
    WaveStarted,
)
from wavelane_model.lifecycle import TABLE, Guard, LaneRelease, Row
from wavelane_model.limits import Limits
from wavelane_model.outcomes import (
    Approved,
    ChangesRequested,
    Conflicted,
    Implemented,
    Postponed,
    Stopped,
)

WAVE = Wave((Issue("a#1", "a"), Issue("a#2", "a"), Issue("b#1", "b", ("a#1",)), Issue("c#1", "c")))
Story = list[tuple[Event, list[Effect]]]


def admitted(issue: str) -> list[Effect]:
    return [
        AnnounceIssue(issue, "admit", "queued", "admitted"),
        AnnounceIssue(issue, "begin", "admitted", "running"),
        StartImplementing(issue, 1),
    ]


def started(*issues: str) -> tuple[Event, list[Effect]]:
    return WaveStarted(), [AnnounceCap(2), *(each for one in issues for each in admitted(one))]


def implemented(issue: str, *more: Effect) -> tuple[Event, list[Effect]]:
    return SessionEnded(issue, 1, Implemented()), [
        AnnounceIssue(issue, "implemented", "running", "review"),
        AnnounceIssue(issue, "begin_review", "review", "review"),
        StartReviewing(issue, 2),
        *more,
    ]


def approved(issue: str, *more: Effect) -> tuple[Event, list[Effect]]:
    return SessionEnded(issue, 2, Approved()), [
        AnnounceIssue(issue, "approve", "review", "merging"),
        *more,
    ]


def merge(issue: str) -> list[Effect]:
    return [AnnounceIssue(issue, "begin_merge", "merging", "merging"), StartMerging(issue, 3)]


def cancelled(issue: str) -> tuple[Event, list[Effect]]:
    return CancelRequested(issue), [AnnounceIssue(issue, "cancel", "queued", "cancelled")]


TAKES_LANE_OF_A = AnnounceIssue("a#2", "take_lane", "admitted", "admitted")
BROKEN: list[tuple[Story, LaneRelease, str]] = [
    (
        [started("a#1", "a#2")],
        "done",
        "lane: a#2 is admitted while a#1 has its lane",
    ),
    (
        [started("a#1"), implemented("a#1"), (StopRequested(), [TAKES_LANE_OF_A])],
        "done",
        "lane: a#2 takes the lane of a#1",
    ),
    (
        [
            started("a#1"),
            implemented("a#1"),
            (
                SessionEnded("a#1", 2, ChangesRequested()),
                [
                    AnnounceIssue("a#1", "request_changes", "review", "admitted"),
                    *admitted("a#2"),
                ],
            ),
        ],
        "review",
        "lane: a#2 is admitted before a#1, which waits to take its lane again",
    ),
    (
        [
            started("a#1"),
            implemented("a#1"),
            (
                SessionEnded("a#1", 2, ChangesRequested()),
                [
                    AnnounceIssue("a#1", "request_changes", "review", "admitted"),
                    AnnounceIssue("a#1", "begin", "admitted", "running"),
                    StartImplementing("a#1", 3),
                ],
            ),
        ],
        "review",
        "lane: a#1 begins without its lane",
    ),
    (
        [
            (CapMoved("step_down"), [AnnounceCap(1)]),
            (WaveStarted(), [AnnounceCap(1), *admitted("a#1"), *admitted("c#1")]),
        ],
        "done",
        "cap: c#1 is admitted with 1 in flight at cap 1",
    ),
    (
        [
            started("a#1", "c#1"),
            (CapMoved("pause"), [AnnounceCap(0)]),
            implemented("a#1"),
        ],
        "done",
        "pause: a#1 starts to review at cap 0, stopping: False",
    ),
    (
        [started("a#1"), (StopRequested(), admitted("c#1"))],
        "done",
        "pause: c#1 is admitted at cap 2, stopping: True",
    ),
    (
        [started("a#1", "b#1")],
        "done",
        "order: b#1 is admitted; a#1 is not done",
    ),
    (
        [
            started("a#1"),
            implemented("a#1", *admitted("a#2")),
            implemented("a#2"),
            approved("a#1", *merge("a#1")),
            approved("a#2", *merge("a#2")),
        ],
        "review",
        "merge: a#2 gets a second turn in a",
    ),
    (
        [
            started("a#1"),
            (MergeTurnRequested("a", "turn-1"), [GrantMergeTurn("a", "turn-1")]),
            implemented("a#1"),
            approved("a#1", *merge("a#1")),
        ],
        "done",
        "merge: a#1 is not first in the merge queue of a",
    ),
    (
        [started("a#1"), (MergeTurnReturned("a", "turn-1"), [])],
        "done",
        "rejection: MergeTurnReturned(repo='a', ticket='turn-1') is not legal, but it is taken",
    ),
    (
        [
            started("c#1"),
            (
                SessionEnded("c#1", 1, Postponed()),
                [
                    AnnounceIssue("c#1", "postpone", "running", "queued"),
                    WakeAt("c#1", None),
                    AnnounceIssue("c#1", "admit", "queued", "admitted"),
                ],
            ),
        ],
        "done",
        "wake: c#1 is admitted before its wait is over",
    ),
    (
        [started("a#1"), implemented("a#1"), implemented("a#1")],
        "done",
        "rejection: SessionEnded(issue='a#1', session=1, outcome=Implemented()) is not "
        "legal, but it is taken",
    ),
    (
        [started("a#1"), (StopRequested(), [StartImplementing("a#1", 2)])],
        "done",
        "once: a#1 has two sessions at once",
    ),
    (
        [started("a#1"), (StopRequested(), [EndSession("a#1", 7)])],
        "done",
        "glide: the session of a#1 is ended without a request",
    ),
    (
        [
            started("a#1"),
            implemented("a#1"),
            approved("a#1", *merge("a#1")),
            (
                SessionEnded("a#1", 3, Conflicted()),
                [AnnounceIssue("a#1", "merged", "merging", "done")],
            ),
        ],
        "done",
        "once: a#1 is done without a merge",
    ),
    (
        [
            started("a#1"),
            (
                SessionEnded("a#1", 1, Implemented()),
                [AnnounceIssue("a#1", "implemented", "running", "done")],
            ),
        ],
        "done",
        "announced: a#1 is running, but AnnounceIssue(issue='a#1', "
        "trigger='implemented', source='running', target='done') is announced",
    ),
    (
        [started("a#1"), (CapMoved("step_down"), [AnnounceCap(0)])],
        "done",
        "cap control: the cap is at 1, but [0] is announced",
    ),
    (
        [started("a#1"), (CapMoved("set", 3), [AnnounceCap(3)])],
        "done",
        "rejection: CapMoved(move='set', level=3, until=None) is not legal, but it is taken",
    ),
    (
        [started("a#1"), (StopRequested(), [FinishWave("stopped")])],
        "done",
        "end: the outcome is stopped and should be None",
    ),
    (
        [(WaveStarted(), [AnnounceCap(2), FinishWave("complete")])],
        "done",
        "end: the outcome is complete and should be None",
    ),
    (
        [
            *(cancelled(issue.id) for issue in WAVE.issues),
            (WaveStarted(), [AnnounceCap(2), FinishWave("blocked")]),
            (PostponementEnded("a#1"), []),
        ],
        "done",
        "rejection: PostponementEnded(issue='a#1') is not legal, but it is taken",
    ),
    (
        [started("a#1"), (SessionEnded("a#1", 1, Stopped()), [StartReviewing("a#1", 2)])],
        "done",
        "rejection: SessionEnded(issue='a#1', session=1, outcome=Stopped()) is not "
        "legal, but it is taken",
    ),
    (
        [started("a#1"), (RunCutOff(), []), (WaveStarted(), [AnnounceCap(2)])],
        "done",
        "rejection: WaveStarted() is not legal, but it is taken",
    ),
    (
        [started("a#1"), (RunCutOff(), []), (CapMoved("step_down"), admitted("c#1"))],
        "done",
        "end: AnnounceIssue(issue='c#1', trigger='admit', source='queued', "
        "target='admitted') is ordered between runs",
    ),
    (
        [
            started("a#1"),
            (RunCutOff(), []),
            (MergeTurnRequested("b", "turn-1"), [GrantMergeTurn("b", "turn-1")]),
        ],
        "done",
        "end: GrantMergeTurn(repo='b', ticket='turn-1') is ordered between runs",
    ),
    (
        [
            started("a#1"),
            implemented("a#1", *admitted("a#2")),
            (
                SessionEnded("a#1", 2, ChangesRequested()),
                [AnnounceIssue("a#1", "request_changes", "review", "admitted")],
            ),
            (RunCutOff(), []),
            (
                AttemptDiscarded("a#2"),
                [
                    AnnounceIssue("a#2", "reset", "running", "queued"),
                    AnnounceIssue("a#1", "take_lane", "admitted", "admitted"),
                ],
            ),
        ],
        "review",
        "end: AnnounceIssue(issue='a#1', trigger='take_lane', source='admitted', "
        "target='admitted') is ordered between runs",
    ),
    (
        [
            started("a#1"),
            (MergeTurnRequested("b", "turn-1"), [GrantMergeTurn("b", "turn-1")]),
            (RunCutOff(), []),
            (AttemptDiscarded("a#1"), [AnnounceIssue("a#1", "reset", "running", "queued")]),
            (MergeTurnReturned("b", "turn-1"), []),
        ],
        "done",
        "rejection: MergeTurnReturned(repo='b', ticket='turn-1') is not legal, but it is taken",
    ),
    (
        [
            started("a#1"),
            (AttemptDiscarded("a#1"), [AnnounceIssue("a#1", "reset", "running", "queued")]),
        ],
        "done",
        "rejection: AttemptDiscarded(issue='a#1') is not legal, but it is taken",
    ),
    (
        [started("a#1"), (RunCutOff(), []), (AttemptResumed("a#2"), [])],
        "done",
        "rejection: AttemptResumed(issue='a#2') is not legal, but it is taken",
    ),
    (
        [
            started("a#1"),
            (RunCutOff(), []),
            (
                AttemptResumed("a#1"),
                [AnnounceIssue("a#1", "find_merged", "running", "done")],
            ),
        ],
        "done",
        "once: a#1 is done without a merge",
    ),
    (
        [
            started("c#1"),
            (
                SessionEnded("c#1", 1, Postponed()),
                [AnnounceIssue("c#1", "postpone", "running", "queued"), WakeAt("c#1", None)],
            ),
            (RunCutOff(), []),
            (WaveStarted(), [AnnounceCap(2)]),
        ],
        "done",
        "wake: a run starts with ['c#1'] postponed, but announces when [] wake",
    ),
    (
        [
            started("a#1"),
            (StopRequested(), []),
            (RunCutOff(), []),
            (AttemptDiscarded("a#1"), [AnnounceIssue("a#1", "reset", "running", "queued")]),
            (WaveStarted(), [AnnounceCap(2), FinishWave("stopped")]),
        ],
        "done",
        "end: the outcome is stopped and should be None",
    ),
    (
        [
            started("a#1"),
            (CapMoved("step_down"), [AnnounceCap(1)]),
            (RunCutOff(), []),
            (CapMoved("step_up"), [AnnounceCap(2)]),
            (AttemptResumed("a#1"), [AnnounceIssue("a#1", "resume", "running", "admitted")]),
            (CapMoved("step_down"), [AnnounceCap(1)]),
            (WaveStarted(), [AnnounceCap(1), *admitted("c#1")]),
        ],
        "done",
        "bound: 2 are in flight; the highest cap was 1",
    ),
]


@pytest.mark.parametrize(("story", "policy", "broken"), BROKEN, ids=[text for *_, text in BROKEN])
def test_the_rule_monitor_sees_a_broken_rule_by_itself(
    story: Story, policy: LaneRelease, broken: str
) -> None:
    monitor = RuleMonitor(WAVE, Cap.at(2), policy, Limits())

    seen = [monitor.watch(event, effects) for event, effects in story]

    assert not any(seen[:-1])
    assert broken in seen[-1]


PLANNED = Wave(
    (
        Issue("a#1", "a"),
        Issue("a#2", "a", priority=1),
        Issue("b#1", "b"),
        Issue("b#2", "b", ("a#1",)),
    )
)
"""a#2 is more urgent than the others."""


def test_a_plan_puts_issues_in_order_among_equally_urgent_ones_only() -> None:
    plan = OrderPlanned(("a#1", "a#2", "b#1"))
    monitor = RuleMonitor(PLANNED, Cap.at(1), "done", Limits())

    assert monitor.watch(plan, []) == []
    found = monitor.watch(WaveStarted(), [AnnounceCap(1), *admitted("a#2")])

    assert found == []


@pytest.mark.parametrize(("admits", "broken"), [("a#1", "a#2"), ("b#1", "a#2")])
def test_an_issue_before_a_more_urgent_one_in_the_plan_is_seen(admits: str, broken: str) -> None:
    monitor = RuleMonitor(PLANNED, Cap.at(1), "done", Limits())
    monitor.watch(OrderPlanned(("a#1", "a#2", "b#1")), [])

    found = monitor.watch(WaveStarted(), [AnnounceCap(1), *admitted(admits)])

    assert f"plan: {admits} is admitted before {broken}" in found


def test_an_issue_in_a_lane_that_is_reserved_for_another_is_seen() -> None:
    monitor = RuleMonitor(PLANNED, Cap.at(2), "done", Limits())
    reservation = Reservation("b#2", 9.0)
    monitor.watch(OrderPlanned(("a#2", "a#1", "b#2", "b#1"), (reservation,)), [])

    found = monitor.watch(
        WaveStarted(),
        [AnnounceCap(2), EndReservationAt("b#2", 9.0), *admitted("a#2"), *admitted("b#1")],
    )

    assert found == ["plan: b#1 is admitted into a lane that is reserved"]


def test_a_session_whose_number_leaves_one_out_is_seen() -> None:
    monitor = RuleMonitor(WAVE, Cap.at(2), "done", Limits())
    start: list[Effect] = [
        AnnounceIssue("c#1", "admit", "queued", "admitted"),
        AnnounceIssue("c#1", "begin", "admitted", "running"),
        StartImplementing("c#1", 2),
    ]

    found = monitor.watch(WaveStarted(), [AnnounceCap(2), *start])

    assert found == ["once: c#1 is running; session 2 starts to implement"]


# A model that is wrong, and the journals of the runs that it allows


def without(table: tuple[Row, ...], guard: Guard) -> tuple[Row, ...]:
    return tuple(
        row._replace(guards=tuple(one for one in row.guards if one != guard)) for row in table
    )


@pytest.mark.parametrize(("guard", "rule"), [("below_cap", "cap"), ("sessions_allowed", "pause")])
def test_a_run_by_a_model_without_a_guard_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guard: Guard, rule: str
) -> None:
    monkeypatch.setattr(steps, "_ROWS", steps.compiled(without(TABLE, guard)))
    monkeypatch.setattr(steps, "start_revoked", lambda state, record: False)

    Base(cap=1, moves={30.0: "pause", 400.0: "resume"}).write(tmp_path / "journal.db")

    assert rule in {broken.property for broken in broken_rules(tmp_path / "journal.db")}


def test_a_model_whose_merges_go_last_first_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "wavelane_model.lanes.Lane.next_merge", lambda lane: next(reversed(lane.merges), None)
    )
    wave = Wave([Issue(f"api#{number}", "api") for number in range(4)])

    Base(wave, cap=4, pipelined=True, merge_seconds=900.0).write(tmp_path / "journal.db")

    assert {broken.property for broken in broken_rules(tmp_path / "journal.db")} == {"merge"}


@pytest.mark.parametrize("base", [STRICT, PIPELINED], ids=["strict", "pipelined"])
def test_a_run_by_the_model_as_it_is_breaks_no_rule(tmp_path: Path, base: Base) -> None:
    base.write(tmp_path / "journal.db")

    assert broken_rules(tmp_path / "journal.db") == []
