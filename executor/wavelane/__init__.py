"""wavelane: a wave scheduler for engines that run autonomous coding agents over several git repos.

    report = await Scheduler(Wave(issues), pipeline).run()

Everything public is importable from here.
"""

from wavelane.journal import JournalError
from wavelane.pipeline import (
    Assignment,
    Discarded,
    Extensible,
    Pipeline,
    Recovering,
    Resumed,
    SessionFailed,
)
from wavelane.replay.experience import experience_of
from wavelane.replay.report import IssueReport, Recovered, Report
from wavelane.replay.status import LaneStatus, Status
from wavelane.scheduler.cap_control import CapControl
from wavelane.scheduler.notices import Notice, NoticeStream
from wavelane.scheduler.scheduler import Scheduler
from wavelane_model.ladder import UsageLadder
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
from wavelane_model.problems import Place, Problem
from wavelane_model.step import IllegalEvent
from wavelane_model.wave import Finished, Issue, Wave, WaveError
from wavelane_model.why import Reason

__version__ = "0.1.0"

__all__ = [
    "Approved",
    "Assignment",
    "Blocked",
    "CapControl",
    "ChangesRequested",
    "Checkpoint",
    "Conflicted",
    "Discarded",
    "Extensible",
    "Finished",
    "IllegalEvent",
    "Implemented",
    "Issue",
    "IssueReport",
    "JournalError",
    "LaneStatus",
    "Limits",
    "Merged",
    "Notice",
    "NoticeStream",
    "Pipeline",
    "Place",
    "Postponed",
    "Problem",
    "Reason",
    "Recovered",
    "Recovering",
    "Report",
    "Resumed",
    "Scheduler",
    "SessionFailed",
    "Status",
    "UsageLadder",
    "Wave",
    "WaveError",
    "__version__",
    "experience_of",
]
