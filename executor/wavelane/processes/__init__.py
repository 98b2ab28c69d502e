"""Processes: commands in process groups of their own, until the whole group is gone.

Decides how a command is started, ended and cancelled, and how a later run finds and ends what an
earlier one left running.
"""

from wavelane.processes.command import (
    CommandLine,
    CommandResult,
    Exit,
    ask,
    execute,
    run,
    uninterrupted,
)
from wavelane.processes.groups import end_group, group_is_alive
from wavelane.processes.leftovers import TOKEN, SessionRegistry
from wavelane.processes.logs import last_line, tail

__all__ = [
    "TOKEN",
    "CommandLine",
    "CommandResult",
    "Exit",
    "SessionRegistry",
    "ask",
    "end_group",
    "execute",
    "group_is_alive",
    "last_line",
    "run",
    "tail",
    "uninterrupted",
]
