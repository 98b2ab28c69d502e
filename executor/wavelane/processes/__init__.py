"""Processes: one command in a group of its own, until the group is gone.

This wing decides how a command is started, ended and waited for (`command`), and how sessions that
outlive the process that ran them are found and ended (`leftovers`).
"""
