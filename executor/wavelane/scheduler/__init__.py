"""The scheduler: an asyncio driver; events in, one write, effects out.

This wing decides when things happen, but no rule. A fact is applied at once and is on disk before
anything follows from it (`core`, `inbound`, `run_journal`). Each order of the model is carried out
(`orders`, `session_tasks`, `sessions`, `timers`, `merge_turns`, `notices`). The wave of an existing
journal is continued (`continuation`, `recovery`), and plans are made in the background
(`background_planner`). The wing offers the `Scheduler` (`scheduler`) and the control of its cap
(`cap_control`).
"""

from wavelane.scheduler.cap_control import CapControl
from wavelane.scheduler.notices import Notice, NoticeStream
from wavelane.scheduler.scheduler import Scheduler

__all__ = ["CapControl", "Notice", "NoticeStream", "Scheduler"]
