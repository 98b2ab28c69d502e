"""A few kills with fixed seeds, and a checker that has to find forged violations."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from specs.kills.__main__ import POLICIES, play_waves
from specs.kills.checker import Comparison, violations
from specs.kills.disturbances import KINDS, disturbed_wave
from specs.kills.facts import Facts, LogLine, RepoFacts
from specs.kills.project import REPOS, Setting

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it needs /proc and flock")


@pytest.mark.git
@pytest.mark.nightly
def test_waves_that_are_killed_end_like_undisturbed_ones() -> None:
    played = list(play_waves(seed=7, kills=8, policies=POLICIES["both"], jobs=2))

    assert "\n\n".join(one.report() for one in played if one.broken) == ""
    assert sum(one.kills for one in played) >= 8


def test_a_seed_repeats_its_choices_and_another_one_does_not() -> None:
    assert disturbed_wave(3, 5) == disturbed_wave(3, 5)
    assert disturbed_wave(3, 5) != disturbed_wave(4, 5)
    assert disturbed_wave(3, 5).disturbances != disturbed_wave(3, 6).disturbances


def test_all_kinds_of_kill_points_are_among_150_kills() -> None:
    """If every run is killed at its kill point."""
    kinds: set[str] = set()
    kills = 0
    for wave in count():
        points = [one.kill_point for one in disturbed_wave(0, wave).disturbances if one.kill_point]
        kinds |= {point.name for point in points}
        kills += len(points)
        if kills >= 150:
            break

    assert kinds >= set(KINDS)


# The checker

CLOCK = count(1_000)
WANTED = {
    "core": ("core#1", "core#2"),
    "api": ("api#1", "api#2", "api#3"),
    "web": ("web#1", "web#2"),
}


def repo_facts(repo: str) -> RepoFacts:
    branches = frozenset(("main", "wavelane/storm/agent"))
    return RepoFacts(
        WANTED[repo], (), f"tree of {repo}", branches, frozenset((repo,)), frozenset(), ()
    )


def session(
    issue: str, step: str = "implement", run: str = "1", pid: int = 0
) -> tuple[LogLine, LogLine]:
    """The lines of a session that began and ended."""
    begun = LogLine(next(CLOCK), "begin", run, step, issue.partition("#")[0], issue, 1, pid or 77)
    return begun, begun._replace(at=next(CLOCK), what="end", note="0")


def sessions(setting: Setting) -> list[LogLine]:
    """The lines of a wave that went well."""
    return [
        line
        for pid, issue in enumerate(setting.issues, 1)
        for step in ("implement", "gate", "review")
        for line in session(issue.id, step, pid=pid)
    ]


def case(setting: Setting | None = None) -> Comparison:
    """A wave that went well."""
    setting = setting or Setting()
    facts = Facts(
        setting.exit_code,
        setting.done,
        {repo: repo_facts(repo) for repo in REPOS},
        tuple(sessions(setting)),
        files=frozenset(("journal.db",)),
    )
    return Comparison(setting, facts, facts)


def forged(of: Comparison, **changes: object) -> Comparison:
    return replace(of, facts=replace(of.facts, **changes))  # type: ignore[arg-type]


def with_repo(of: Comparison, repo: str, **changes: object) -> Comparison:
    changed = replace(of.facts.repos[repo], **changes)  # type: ignore[arg-type]
    return forged(of, repos={**of.facts.repos, repo: changed})


def with_sessions(
    of: Comparison, *more: LogLine, but: Callable[[LogLine], bool] = lambda line: False
) -> Comparison:
    kept = tuple(line for line in of.facts.sessions if not but(line))
    return forged(of, sessions=(*kept, *more))


def of_issue(issue: str) -> Callable[[LogLine], bool]:
    return lambda line: line.issue == issue


@pytest.mark.parametrize("policy", ["done", "review"])
@pytest.mark.parametrize("has_parked", [False, True])
def test_a_wave_that_went_well_has_no_violations(policy: str, has_parked: bool) -> None:
    setting = Setting("review" if policy == "review" else "done", has_parked=has_parked)

    assert violations(case(setting)) == []


def test_a_merge_that_was_made_twice_is_noticed() -> None:
    (violation,) = violations(with_repo(case(), "core", merges=("core#1", "core#2", "core#1")))

    assert violation == "the merges of core are core#1, core#1, core#2, not core#1, core#2"


def test_a_merge_that_is_missing_is_noticed() -> None:
    (violation,) = violations(with_repo(case(), "core", merges=("core#1",)))

    assert violation == "the merges of core are core#1, not core#1, core#2"


def test_content_that_differs_is_noticed() -> None:
    (violation,) = violations(with_repo(case(), "web", tree="another"))

    assert violation == "the content of web is another, not tree of web"


def test_commits_of_another_committer_that_are_gone_are_noticed() -> None:
    undisturbed = with_repo(case(), "web", others=("outside",))

    (violation,) = violations(replace(case(), reference=undisturbed.facts))

    assert violation == "the other commits of web are none"


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("branches", "wavelane/storm/issue/web#1"),
        ("worktrees", "web#1"),
        ("locks", ".git/index.lock"),
    ],
)
def test_what_git_has_left_is_noticed(what: str, found: str) -> None:
    (violation,) = violations(with_repo(case(), "web", **{what: frozenset((found,))}))

    assert violation.startswith(f"the {what} of web are {found}, not ")


def test_a_checkout_of_the_user_that_was_changed_is_noticed() -> None:
    (violation,) = violations(with_repo(case(), "api", checkout=("refs/heads/other",)))

    assert violation.startswith("the user's checkout of api was changed: ")


def test_another_set_of_done_issues_and_another_exit_code_are_noticed() -> None:
    done = Setting().done - {"web#2"}

    exit_code, issues = violations(forged(case(), exit_code=1, done=done))

    assert exit_code == "the last run ended with 1, not 0"
    assert issues.startswith(
        "the done issues are api#1, api#2, api#3, core#1, core#2, core#3, web#1, not "
    )


def test_a_journal_that_breaks_the_rules_is_noticed() -> None:
    (violation,) = violations(forged(case(), broken_rules="breaks the rules: 3 events"))

    assert violation == "the journal breaks the rules: 3 events"


def test_an_orphan_is_noticed() -> None:
    (violation,) = violations(forged(case(), processes=("sleep 30",)))

    assert violation == "a process is left: sleep 30"


def test_a_file_that_is_left_is_noticed() -> None:
    (violation,) = violations(forged(case(), files=frozenset(("journal.db", "journal.db-lock"))))

    assert violation == "files left beside the journal: journal.db-lock; missing: none"


def test_sessions_side_by_side_in_a_lane_are_noticed() -> None:
    first, first_end = session("core#3", pid=91)
    second, second_end = session("core#2", pid=92)
    overlapping = (first, second, first_end._replace(at=next(CLOCK)), second_end)

    (violation,) = violations(with_sessions(case(), *overlapping))

    assert violation == (
        "in lane core, implement of core#2 (run 1, attempt 1) began beside "
        "implement of core#3 (run 1, attempt 1)"
    )


def test_a_review_beside_an_implementation_is_a_matter_of_the_policy() -> None:
    first, first_end = session("core#3", "review", pid=91)
    second, second_end = session("core#2", pid=92)
    overlapping = (first, second, first_end._replace(at=next(CLOCK)), second_end)

    assert len(violations(with_sessions(case(Setting("done")), *overlapping))) == 1
    assert violations(with_sessions(case(Setting("review")), *overlapping)) == []


def test_two_sessions_of_one_issue_side_by_side_are_noticed_in_both_policies() -> None:
    first, first_end = session("core#3", "review", pid=91)
    second, second_end = session("core#3", "review", pid=92)
    overlapping = (first, second, first_end._replace(at=next(CLOCK)), second_end)

    (violation,) = violations(with_sessions(case(Setting("review")), *overlapping))

    assert violation.startswith("in issue core#3, ")


@pytest.mark.parametrize(
    ("what", "note", "message"),
    [
        ("beside", "lane core", "began while another session still had its lane core"),
        ("above", "3", "began while 3 sessions were running"),
        ("early", "core/core#1", "began before core/core#1 was merged"),
        ("again", "", "began although core#3 was merged"),
    ],
)
def test_violations_that_a_session_logs_are_reported(what: str, note: str, message: str) -> None:
    line = session("core#3")[0]._replace(what=what, note=note)

    (violation,) = violations(with_sessions(case(), line))

    assert violation == f"implement of core#3 (run 1, attempt 1) {message}"


def test_one_session_more_than_the_cap_is_noticed() -> None:
    setting = Setting("review", ceiling=2)
    begun = [
        session(issue, pid=90 + at)[0] for at, issue in enumerate(("core#3", "api#3", "web#1"))
    ]
    ends = [line._replace(at=next(CLOCK), what="end") for line in begun]
    freed = case(setting)

    found = violations(with_sessions(freed, *begun, *ends, but=of_issue("web#2")))

    assert found == ["implement of web#1 (run 1, attempt 1) was one of 3, and the cap is 2"]


def test_an_issue_that_begins_before_its_dependency_is_over_is_noticed() -> None:
    found = violations(with_sessions(case(), *session("core#1", "review", pid=99)))

    assert found == [
        "implement of api#1 (run 1, attempt 1) began before review of core#1 (run 1, attempt 1) "
        "was over"
    ]


def test_a_session_without_an_end_is_noticed_unless_its_run_was_killed() -> None:
    begun, _ = session("core#3", run="2", pid=91)
    cut_short = with_sessions(case(), begun)

    (violation,) = violations(cut_short)

    assert violation == (
        "implement of core#3 (run 2, attempt 1) was cut short in an undisturbed run"
    )
    assert violations(replace(cut_short, cut=frozenset(("2",)))) == []
