"""Hypothesis strategies: waves, caps and lane policies as a user might write them."""

from __future__ import annotations

from hypothesis import strategies as st

from wavelane_model.lifecycle import LaneRelease
from wavelane_model.limits import Limits
from wavelane_model.wave import Issue, Wave

lane_releases: st.SearchStrategy[LaneRelease] = st.sampled_from(("done", "review"))
"""Both lane policies."""

limits: st.SearchStrategy[Limits] = st.builds(
    Limits,
    review_rounds=st.integers(0, 2),
    checkpoints=st.integers(1, 3),
    conflicts=st.integers(0, 2),
    failures=st.integers(0, 2),
)
"""Limits low enough to be reached."""


@st.composite
def waves(draw: st.DrawFn, *, max_repos: int = 3, max_issues: int = 6) -> Wave:
    """A wave: issues in a few repos, with dependencies within and across them.

    Args:
        draw: Given by Hypothesis.
        max_repos: The most repos.
        max_issues: The most issues.
    """
    repos = [f"repo{at}" for at in range(draw(st.integers(1, max_repos)))]
    issues: list[Issue] = []
    for number in range(draw(st.integers(1, max_issues))):
        repo = draw(st.sampled_from(repos))
        earlier = [issue.id for issue in issues]
        needed = (
            draw(st.lists(st.sampled_from(earlier), max_size=2, unique=True)) if earlier else []
        )
        issues.append(Issue(f"{repo}#{number}", repo, needed, priority=draw(st.integers(0, 2))))
    if draw(st.booleans()):
        issues.reverse()
    return Wave(issues, repos=repos)
