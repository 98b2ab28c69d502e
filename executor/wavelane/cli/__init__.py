"""The command `wavelane`: what a person types, and what is printed.

Decides the options, the exit codes, and how waves, plans and errors look on a terminal and as JSON.
What a command needs is imported when it runs, so that help is there at once.
"""

from wavelane.cli.app import main

__all__ = ["main"]
