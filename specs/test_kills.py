"""A few kills with fixed seeds, and a judge that is shown what it must not let pass."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from specs.kills.__main__ import POLICIES, storm
from specs.kills.facts import Facts, Lane, Line
from specs.kills.judge import Case, judged
from specs.kills.plan import KINDS, plan_of
from specs.kills.project import REPOS, Setting

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it needs /proc and flock")


@pytest.mark.git
@pytest.mark.slow
def test_waves_that_are_killed_end_as_if_nobody_had_disturbed_them() -> None:
    played = list(storm(seed=7, kills=8, policies=POLICIES["both"], jobs=2))

    assert "\n\n".join(one.account() for one in played if one.broken) == ""
    assert sum(one.kills for one in played) >= 8


def test_a_seed_chooses_the_same_again_and_another_one_does_not() -> None:
    assert plan_of(3, 5) == plan_of(3, 5)
    assert plan_of(3, 5) != plan_of(4, 5)
    assert plan_of(3, 5).disturbances != plan_of(3, 6).disturbances


def test_all_kinds_of_moments_are_among_150_kills() -> None:
    """Where each wave is killed as often as is planned, and no random moment comes first."""
    kinds: set[str] = set()
    kills = 0
    for wave in count():
        moments = [one.moment for one in plan_of(0, wave).disturbances if one.moment]
        kinds |= {moment.name for moment in moments}
        kills += len(moments)
        if kills >= 150:
            break

    assert kinds >= set(KINDS)


# The judge

CLOCK = count(1_000)
WANTED = {
    "core": ("core#1", "core#2"),
    "api": ("api#1", "api#2", "api#3"),
    "web": ("web#1", "web#2"),
}


def lane(repo: str) -> Lane:
    branches = frozenset(("main", "wavelane/storm/agent"))
    return Lane(WANTED[repo], (), f"tree of {repo}", branches, frozenset((repo,)), frozenset(), ())


def session(issue: str, step: str = "implement", run: str = "1", pid: int = 0) -> tuple[Line, Line]:
    """One that began and ended."""
    begun = Line(next(CLOCK), "begin", run, step, issue.partition("#")[0], issue, 1, pid or 77)
    return begun, begun._replace(at=next(CLOCK), what="end", note="0")


def sessions(setting: Setting) -> list[Line]:
    """Those of a wave that went well."""
    return [
        line
        for pid, task in enumerate(setting.tasks, 1)
        for step in ("implement", "gate", "review")
        for line in session(task.id, step, pid=pid)
    ]


def case(setting: Setting | None = None) -> Case:
    """A wave that went well."""
    setting = setting or Setting()
    facts = Facts(
        setting.exit_code,
        setting.done,
        {repo: lane(repo) for repo in REPOS},
        tuple(sessions(setting)),
        files=frozenset(("journal.db",)),
    )
    return Case(setting, facts, facts)


def forged(of: Case, **changes: object) -> Case:
    return replace(of, facts=replace(of.facts, **changes))  # type: ignore[arg-type]


def with_lane(of: Case, repo: str, **changes: object) -> Case:
    changed = replace(of.facts.lanes[repo], **changes)  # type: ignore[arg-type]
    return forged(of, lanes={**of.facts.lanes, repo: changed})


def with_sessions(of: Case, *more: Line, but: Callable[[Line], bool] = lambda line: False) -> Case:
    kept = tuple(line for line in of.facts.sessions if not but(line))
    return forged(of, sessions=(*kept, *more))


def of_issue(issue: str) -> Callable[[Line], bool]:
    return lambda line: line.issue == issue


@pytest.mark.parametrize("policy", ["done", "review"])
@pytest.mark.parametrize("has_parked", [False, True])
def test_the_judge_has_nothing_against_a_wave_that_went_well(policy: str, has_parked: bool) -> None:
    setting = Setting("review" if policy == "review" else "done", has_parked=has_parked)

    assert judged(case(setting)) == []


def test_a_merge_that_was_made_twice_is_noticed() -> None:
    (said,) = judged(with_lane(case(), "core", merges=("core#1", "core#2", "core#1")))

    assert said == "merged in core are core#1, core#1, core#2, not core#1, core#2"


def test_a_merge_that_is_missing_is_noticed() -> None:
    (said,) = judged(with_lane(case(), "core", merges=("core#1",)))

    assert said == "merged in core are core#1, not core#1, core#2"


def test_content_that_differs_is_noticed() -> None:
    (said,) = judged(with_lane(case(), "web", tree="another"))

    assert said == "the content of web is another, not tree of web"


def test_commits_of_somebody_else_that_are_gone_are_noticed() -> None:
    undisturbed = with_lane(case(), "web", others=("outside",))

    (said,) = judged(replace(case(), reference=undisturbed.facts))

    assert said == "web has the other commits none"


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("branches", "wavelane/storm/issue/web#1"),
        ("worktrees", "web#1"),
        ("locks", ".git/index.lock"),
    ],
)
def test_what_git_has_left_is_noticed(what: str, found: str) -> None:
    (said,) = judged(with_lane(case(), "web", **{what: frozenset((found,))}))

    assert said.startswith(f"web has the {what} {found}, not ")


def test_a_checkout_of_the_user_that_was_changed_is_noticed() -> None:
    (said,) = judged(with_lane(case(), "api", checkout=("refs/heads/other",)))

    assert said.startswith("the user's checkout of api was changed: ")


def test_another_set_of_done_issues_and_another_exit_code_are_noticed() -> None:
    done = Setting().done - {"web#2"}

    exit_code, issues = judged(forged(case(), exit_code=1, done=done))

    assert exit_code == "the last run ended with 1, not 0"
    assert issues.startswith("done are api#1, api#2, api#3, core#1, core#2, core#3, web#1, not ")


def test_a_journal_that_breaks_a_rule_is_noticed() -> None:
    (said,) = judged(forged(case(), broken_rules="breaks the rules: 3 events"))

    assert said == "the journal breaks the rules: 3 events"


def test_an_orphan_is_noticed() -> None:
    (said,) = judged(forged(case(), processes=("sleep 30",)))

    assert said == "a process is left: sleep 30"


def test_a_file_that_is_left_is_noticed() -> None:
    (said,) = judged(forged(case(), files=frozenset(("journal.db", "journal.db-lock"))))

    assert said == "beside the journal are left journal.db-lock, and there lack none"


def test_sessions_side_by_side_in_a_lane_are_noticed() -> None:
    first, first_end = session("core#3", pid=91)
    second, second_end = session("core#2", pid=92)
    overlapping = (first, second, first_end._replace(at=next(CLOCK)), second_end)

    (said,) = judged(with_sessions(case(), *overlapping))

    assert said == (
        "in lane core, implement of core#2 (run 1, attempt 1) began beside "
        "implement of core#3 (run 1, attempt 1)"
    )


def test_a_review_beside_an_implementation_is_a_matter_of_the_policy() -> None:
    first, first_end = session("core#3", "review", pid=91)
    second, second_end = session("core#2", pid=92)
    overlapping = (first, second, first_end._replace(at=next(CLOCK)), second_end)

    assert len(judged(with_sessions(case(Setting("done")), *overlapping))) == 1
    assert judged(with_sessions(case(Setting("review")), *overlapping)) == []


def test_two_sessions_of_one_issue_side_by_side_are_noticed_in_both_policies() -> None:
    first, first_end = session("core#3", "review", pid=91)
    second, second_end = session("core#3", "review", pid=92)
    overlapping = (first, second, first_end._replace(at=next(CLOCK)), second_end)

    (said,) = judged(with_sessions(case(Setting("review")), *overlapping))

    assert said.startswith("in issue core#3, ")


@pytest.mark.parametrize(
    ("what", "note", "says"),
    [
        ("beside", "lane core", "began while somebody still had its lane core"),
        ("above", "3", "began while 3 sessions were running"),
        ("early", "core/core#1", "began before core/core#1 was merged"),
        ("again", "", "began although core#3 was merged"),
    ],
)
def test_what_a_session_notices_is_passed_on(what: str, note: str, says: str) -> None:
    line = session("core#3")[0]._replace(what=what, note=note)

    (said,) = judged(with_sessions(case(), line))

    assert said == f"implement of core#3 (run 1, attempt 1) {says}"


def test_one_session_more_than_the_cap_is_noticed() -> None:
    setting = Setting("review", ceiling=2)
    begun = [
        session(issue, pid=90 + at)[0] for at, issue in enumerate(("core#3", "api#3", "web#1"))
    ]
    ends = [line._replace(at=next(CLOCK), what="end") for line in begun]
    freed = case(setting)

    said = judged(with_sessions(freed, *begun, *ends, but=of_issue("web#2")))

    assert said == ["implement of web#1 (run 1, attempt 1) was one of 3, and the cap is 2"]


def test_an_issue_that_begins_before_what_it_needs_is_over_is_noticed() -> None:
    said = judged(with_sessions(case(), *session("core#1", "review", pid=99)))

    assert said == [
        "implement of api#1 (run 1, attempt 1) began before review of core#1 (run 1, attempt 1) "
        "was over"
    ]


def test_a_session_without_an_end_is_noticed_unless_its_run_was_killed() -> None:
    begun, _ = session("core#3", run="2", pid=91)
    cut_short = with_sessions(case(), begun)

    (said,) = judged(cut_short)

    assert said == (
        "implement of core#3 (run 2, attempt 1) was cut short, and nobody disturbed that run"
    )
    assert judged(replace(cut_short, cut=frozenset(("2",)))) == []
