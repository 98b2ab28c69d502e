"""The command pipeline: issues implemented, gated and reviewed by commands, and merged by git.

Decides what is run for an issue, what an exit code means, what is checked before the first session
and what is claimed for the duration of a run. The git wing decides what happens to the work.
"""

from wavelane.commands.pipeline import CommandPipeline
from wavelane.commands.sessions import SessionExit
from wavelane.commands.settings import IssueCommands, PipelineError, RepoSettings

__all__ = [
    "CommandPipeline",
    "IssueCommands",
    "PipelineError",
    "RepoSettings",
    "SessionExit",
]
