"""The command `wavelane`: what a person types, and what is printed.

Decides the options, the exit codes, and how waves, plans and errors look on a terminal and as JSON.
A command imports what it needs when it runs, so that help appears at once.
"""

from wavelane.cli.app import main

__all__ = ["main"]
