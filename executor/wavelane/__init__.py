"""wavelane: a wave scheduler for engines that run autonomous coding agents over several git repos.

    report = await Scheduler(Wave(issues), pipeline).run()

Everything public is importable from here; helpers for testing an engine are in `wavelane.testing`.
"""

from wavelane.control.inbox import give
from wavelane.control.journal_status import JournalStatus, status_of_journal
from wavelane.control.requests import Addition, Answer, Request
from wavelane.journal import CommandRow, JournalError
from wavelane.lock import LockOwner
from wavelane.pipeline import (
    Assignment,
    Discarded,
    Extensible,
    Found,
    Pipeline,
    Recovering,
    Resumed,
    SessionFailed,
)
from wavelane.replay.experience import experience_of
from wavelane.replay.loading import Phase
from wavelane.replay.recorder import Recovered
from wavelane.replay.report import IssueReport, Report
from wavelane.replay.status import LaneStatus, Overview, Status
from wavelane.scheduler.cap_control import CapControl
from wavelane.scheduler.notices import Notice, NoticeStream
from wavelane.scheduler.scheduler import Scheduler
from wavelane.verify import Finding, Verdict, verify
from wavelane_model.cap import CapMove
from wavelane_model.effects import RunOutcome
from wavelane_model.events import (
    CancelRequested,
    CapMoved,
    ParkRequested,
    StopRequested,
    UnparkRequested,
    WaveAmended,
)
from wavelane_model.ladder import UsageLadder
from wavelane_model.lifecycle import LaneRelease, State, Trigger
from wavelane_model.limits import Limits
from wavelane_model.outcomes import (
    Approved,
    Blocked,
    ChangesRequested,
    Checkpoint,
    Conflicted,
    Implemented,
    Merged,
    Postponed,
)
from wavelane_model.problems import Location, Place, Problem
from wavelane_model.step import IllegalEvent
from wavelane_model.wave import Finished, Issue, Wave, WaveError
from wavelane_model.why import Reason, ReasonCode

__version__ = "0.1.0"

__all__ = [
    "Addition",
    "Answer",
    "Approved",
    "Assignment",
    "Blocked",
    "CancelRequested",
    "CapControl",
    "CapMove",
    "CapMoved",
    "ChangesRequested",
    "Checkpoint",
    "CommandRow",
    "Conflicted",
    "Discarded",
    "Extensible",
    "Finding",
    "Finished",
    "Found",
    "IllegalEvent",
    "Implemented",
    "Issue",
    "IssueReport",
    "JournalError",
    "JournalStatus",
    "LaneRelease",
    "LaneStatus",
    "Limits",
    "Location",
    "LockOwner",
    "Merged",
    "Notice",
    "NoticeStream",
    "Overview",
    "ParkRequested",
    "Phase",
    "Pipeline",
    "Place",
    "Postponed",
    "Problem",
    "Reason",
    "ReasonCode",
    "Recovered",
    "Recovering",
    "Report",
    "Request",
    "Resumed",
    "RunOutcome",
    "Scheduler",
    "SessionFailed",
    "State",
    "Status",
    "StopRequested",
    "Trigger",
    "UnparkRequested",
    "UsageLadder",
    "Verdict",
    "Wave",
    "WaveAmended",
    "WaveError",
    "__version__",
    "experience_of",
    "give",
    "status_of_journal",
    "verify",
]
