"""Git: the program, repos, branches and worktrees.

This wing decides how git is called so that no command of a killed run overlaps with one of the next
(`program`), and where the branches and worktrees of a wave are (`repos`, `worktrees`, `slugs`). It
knows nothing of issues' states.
"""
