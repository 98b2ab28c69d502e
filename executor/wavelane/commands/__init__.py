"""The command pipeline: sessions are the user's commands, in git worktrees.

This wing decides what a command gets to know and what its exit code means (`runs`), what has to be
right before a wave starts (`preflight`), and how branches and worktrees follow an issue
(`pipeline`). It offers `CommandPipeline`, which is a `Pipeline` like any engine's.
"""
