"""Replay: events folded through the model, into reports and status.

This wing decides how events become a state and times (`replay`, `recorder`), when a journal can be
trusted and whether its last run was cut off (`loading`), what may change in the wave of a journal
(`amendment`), and what finished issues teach (`experience`). It offers two views of a wave: a
`Report` by issue (`report`), and a status by issue and lane (`status`).
"""

from wavelane.replay.amendment import amendment_of
from wavelane.replay.experience import experience_of, finished_in
from wavelane.replay.loading import JournalView, Loaded, Phase, load, view_of
from wavelane.replay.recorder import Recorder, Recovered
from wavelane.replay.replay import Follower, Replay, StepResult, missing_events, state_of
from wavelane.replay.report import IssueReport, Report
from wavelane.replay.status import LaneStatus, Overview, Status, lanes_of, overview_of, status_of

__all__ = [
    "Follower",
    "IssueReport",
    "JournalView",
    "LaneStatus",
    "Loaded",
    "Overview",
    "Phase",
    "Recorder",
    "Recovered",
    "Replay",
    "Report",
    "Status",
    "StepResult",
    "amendment_of",
    "experience_of",
    "finished_in",
    "lanes_of",
    "load",
    "missing_events",
    "overview_of",
    "state_of",
    "status_of",
    "view_of",
]
