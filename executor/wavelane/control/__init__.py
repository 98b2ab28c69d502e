"""Control: commands from outside, given through the journal and answered.

This wing decides what may be requested and how it is answered (`requests`), how a command reaches a
run in another process and is executed once (`inbox`, `wakeup`), and what an outsider sees of a wave
(`journal_status`). It offers `give` and `status_of_journal`.
"""

from wavelane.control.inbox import give
from wavelane.control.journal_status import JournalStatus, status_of_journal
from wavelane.control.requests import Addition, Answer, Request, execute
from wavelane.control.wakeup import WakeupPipe, notify, open_wakeup

__all__ = [
    "Addition",
    "Answer",
    "JournalStatus",
    "Request",
    "WakeupPipe",
    "execute",
    "give",
    "notify",
    "open_wakeup",
    "status_of_journal",
]
