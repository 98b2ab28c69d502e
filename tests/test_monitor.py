"""The referee sees a broken rule by itself: lawful runs, with one announcement or order changed."""

from __future__ import annotations

import pytest

from wavelane import Issue, Wave
from wavelane.verify.monitor import Breach, RuleMonitor
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
    AttemptDiscarded,
    AttemptResumed,
    CapMoved,
    Event,
    MergeTurnRequested,
    MergeTurnReturned,
    PostponementEnded,
    RunCutOff,
    SessionEnded,
    StopRequested,
    WaveStarted,
)
from wavelane_model.lifecycle import LaneRelease
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


TAKES_LANE_OF_A = AnnounceIssue("a#2", "take_lane", "admitted", "admitted")
BROKEN: list[tuple[Story, LaneRelease, Breach]] = [
    (
        [started("a#1", "a#2")],
        "done",
        Breach("lane", "a#2 is admitted while a#1 holds lane a"),
    ),
    (
        [started("a#1"), implemented("a#1"), (StopRequested(), [TAKES_LANE_OF_A])],
        "done",
        Breach("lane", "a#2 takes lane a from a#1"),
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
        Breach("lane", "a#2 is admitted before a#1, which waits for lane a"),
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
        Breach("lane", "a#1 begins without the lane of a"),
    ),
    (
        [
            (CapMoved("step_down"), [AnnounceCap(1)]),
            (WaveStarted(), [AnnounceCap(1), *admitted("a#1"), *admitted("c#1")]),
        ],
        "done",
        Breach("cap", "c#1 is admitted while 1 are in flight at cap 1"),
    ),
    (
        [
            started("a#1", "c#1"),
            (CapMoved("pause"), [AnnounceCap(0)]),
            implemented("a#1"),
        ],
        "done",
        Breach("pause", "reviewing of a#1 starts while the cap is paused"),
    ),
    (
        [started("a#1"), (StopRequested(), admitted("c#1"))],
        "done",
        Breach("pause", "c#1 is admitted after a stop was asked for"),
    ),
    (
        [started("a#1", "b#1")],
        "done",
        Breach("order", "b#1 is admitted before a#1 is done (it is running)"),
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
        Breach("merge", "a#2 has the merge turn of a beside a#1"),
    ),
    (
        [
            started("a#1"),
            (MergeTurnRequested("a", "turn-1"), [GrantMergeTurn("a", "turn-1")]),
            implemented("a#1"),
            approved("a#1", *merge("a#1")),
        ],
        "done",
        Breach("merge", 'a#1 has the merge turn of a out of turn: ticket "turn-1" is first'),
    ),
    (
        [started("a#1"), (MergeTurnReturned("a", "turn-1"), [])],
        "done",
        Breach("merge", 'ticket "turn-1" has no place in the merge queue of a'),
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
        Breach("wait", "c#1 is admitted while it is postponed"),
    ),
    (
        [started("a#1"), implemented("a#1"), implemented("a#1")],
        "done",
        Breach("once", "session 1 of a#1 is not under way"),
    ),
    (
        [started("a#1"), (StopRequested(), [StartImplementing("a#1", 2)])],
        "done",
        Breach("once", "implementing of a#1 starts beside session 1"),
    ),
    (
        [started("a#1"), (StopRequested(), [EndSession("a#1", 7)])],
        "done",
        Breach("once", "the end of session 7 of a#1 is ordered, which is not under way"),
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
        Breach("once", "a#1 counts as Merged, which nobody reported"),
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
        Breach(
            "table",
            'a#1 is running; the table has no move of it by "implemented" from running to done',
        ),
    ),
    (
        [started("a#1"), (CapMoved("step_down"), [AnnounceCap(0)])],
        "done",
        Breach("cap", '"step_down" moves the cap from 2 to 0'),
    ),
    (
        [started("a#1"), (CapMoved("set", 3), [AnnounceCap(3)])],
        "done",
        Breach("cap", "the cap is moved to 3; its ceiling is 2"),
    ),
    (
        [started("a#1"), (StopRequested(), [FinishWave("stopped")])],
        "done",
        Breach("end", "the run ends while session 1 of a#1 is under way"),
    ),
    (
        [(WaveStarted(), [AnnounceCap(2), FinishWave("complete")])],
        "done",
        Breach("end", "the run ends as complete with 0 of 4 issues done"),
    ),
    (
        [
            (WaveStarted(), [AnnounceCap(2), FinishWave("blocked")]),
            (PostponementEnded("a#1"), []),
        ],
        "done",
        Breach("end", "it comes after the end of the run (blocked)"),
    ),
    (
        [started("a#1"), (SessionEnded("a#1", 1, Stopped()), [StartReviewing("a#1", 2)])],
        "done",
        Breach("table", "reviewing of a#1 starts, which is running"),
    ),
    (
        [started("a#1"), (RunCutOff(), []), (WaveStarted(), [AnnounceCap(2)])],
        "done",
        Breach("end", "the run starts before it is told what is left of session 1 of a#1"),
    ),
    (
        [started("a#1"), (RunCutOff(), []), (CapMoved("step_down"), admitted("c#1"))],
        "done",
        Breach("end", "c#1 is admitted outside of a run"),
    ),
    (
        [
            started("a#1"),
            (RunCutOff(), []),
            (MergeTurnRequested("b", "turn-1"), [GrantMergeTurn("b", "turn-1")]),
        ],
        "done",
        Breach("end", 'ticket "turn-1" has the merge turn of b outside of a run'),
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
        Breach("end", "a#1 takes lane a outside of a run"),
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
        Breach("merge", 'ticket "turn-1" has no place in the merge queue of b'),
    ),
    (
        [
            started("a#1"),
            (AttemptDiscarded("a#1"), [AnnounceIssue("a#1", "reset", "running", "queued")]),
        ],
        "done",
        Breach("end", "what is left of a#1 is told, and no run has ended before"),
    ),
    (
        [started("a#1"), (RunCutOff(), []), (AttemptResumed("a#2"), [])],
        "done",
        Breach("table", "what is left of a#2 is told, which is queued"),
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
        Breach("once", "a#1 counts as found merged, which nobody reported"),
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
        Breach("wait", "the run starts, and nobody is to wake c#1 from its wait"),
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
        Breach("end", "the run ends as stopped, and nobody asked for a stop"),
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
        Breach("bound", "c#1 is admitted beside 1 others; the highest cap was 1"),
    ),
]


@pytest.mark.parametrize(
    ("story", "policy", "breach"), BROKEN, ids=[breach.text for _, _, breach in BROKEN]
)
def test_the_referee_sees_a_broken_rule_by_itself(
    story: Story, policy: LaneRelease, breach: Breach
) -> None:
    monitor = RuleMonitor(WAVE, ceiling=2, lane_release=policy)

    seen = [list(monitor.watch(event, effects)) for event, effects in story]

    assert not any(seen[:-1])
    assert breach in seen[-1]
