"""Planning: what to admit first, so that the wave ends soon.

This wing decides when an order is planned and whether it is better than the one in force
(`replanner`), and how one is found: a job shop (`job_shop`) is solved by list schedules
(`list_schedule`) and a tabu search (`tabu_search`), in plain Python. What may start is decided by
the model, planned or not. It offers the `Replanner`, which knows no clock and no thread, and
`solve`, which takes its time.
"""

from wavelane.planning.replanner import LARGEST, Question, Replanner, Solution, opening, solve

__all__ = ["LARGEST", "Question", "Replanner", "Solution", "opening", "solve"]
