"""The scheduler: an asyncio driver; events in, one write, effects out.

This wing decides when things happen, and no rule: a fact is applied at once and on disk before
anything follows from it (`core`, `inbound`, `run_journal`), each order of the model is carried out
(`orders`, `session_tasks`, `sessions`, `timers`, `merge_turns`, `notices`), the wave of a journal
goes on (`continuation`, `recovery`), and plans are made beside it (`background_planner`). It offers
the `Scheduler` (`scheduler`) and the control of its cap (`cap_control`).
"""

from wavelane.scheduler.cap_control import CapControl
from wavelane.scheduler.notices import Notice, NoticeStream
from wavelane.scheduler.scheduler import Scheduler

__all__ = ["CapControl", "Notice", "NoticeStream", "Scheduler"]
