"""Git: the branches and worktrees of a wave, through the `git` program.

Decides what a wave may change in a repo, how an issue's work is kept, restored and merged, and when
a merge is in. Nothing here knows of commands, gates or outcomes.
"""

from wavelane.git.lock import GitLock, GitLockHeldError
from wavelane.git.program import OLDEST_GIT, Git, GitError, environment, version
from wavelane.git.project import Project, merged_in
from wavelane.git.repos import AGENT_TREE, Repo, agent_branch, feature_branch
from wavelane.git.slugs import slug
from wavelane.git.survey import RepoFacts, RepoUnfitError, check_path, survey
from wavelane.git.workspace import Workspace
from wavelane.git.worktrees import Worktree

__all__ = [
    "AGENT_TREE",
    "OLDEST_GIT",
    "Git",
    "GitError",
    "GitLock",
    "GitLockHeldError",
    "Project",
    "Repo",
    "RepoFacts",
    "RepoUnfitError",
    "Workspace",
    "Worktree",
    "agent_branch",
    "check_path",
    "environment",
    "feature_branch",
    "merged_in",
    "slug",
    "survey",
    "version",
]
