"""Planning: what to admit first, so that the wave ends soon.

This wing decides when an order is planned and whether it is better than the one in force
(`replanner`), and how one is found: list schedules (`list_schedule`) and a tabu search
(`tabu_search`) solve a job shop (`job_shop`), in plain Python. Planned or not, the model decides
what may start. The wing offers the `Replanner`, which knows no clock and no thread, and `solve`,
which takes its time.
"""

from wavelane.planning.replanner import LARGEST, Question, Replanner, Solution, opening, solve

__all__ = ["LARGEST", "Question", "Replanner", "Solution", "opening", "solve"]
