"""Processes: commands under supervisors, until everything that they started is gone.

Decides how a command is started, ended and cancelled, and how a later run finds and ends what an
earlier one left running.
"""

from wavelane.processes.command import (
    CommandLine,
    CommandResult,
    Exit,
    ask,
    run,
    uninterrupted,
)
from wavelane.processes.groups import end_group, group_is_alive
from wavelane.processes.leftovers import SessionRegistry
from wavelane.processes.logs import last_line, tail
from wavelane.processes.tokens import TOKEN

__all__ = [
    "TOKEN",
    "CommandLine",
    "CommandResult",
    "Exit",
    "SessionRegistry",
    "ask",
    "end_group",
    "group_is_alive",
    "last_line",
    "run",
    "tail",
    "uninterrupted",
]
