"""The command pipeline on real repos, with real commands: preparing, sessions, gates, reviews."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from tests.bench import ISSUE, Bench, cancelled_when
from tests.gitrepos import commit, git, hook, make_repo, snapshot, without_identity

from wavelane.commands import CommandPipeline, IssueCommands, RepoSettings
from wavelane.git import GitError
from wavelane.pipeline import Assignment, Pipeline, SessionFailed
from wavelane.processes import group_is_alive
from wavelane_model.outcomes import (
    Approved,
    Blocked,
    ChangesRequested,
    Checkpoint,
    Implemented,
    Merged,
    Postponed,
)

WEIRD = ["a/b c", "../x", "x.lock", "ä#1", "n" * 300]


@pytest.fixture(autouse=True)
def _no_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_identity(monkeypatch, tmp_path / "home")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "api")


@pytest.fixture
async def bench(repo: Path, tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    await made.pipeline.prepare()
    return made


def is_a_pipeline(pipeline: CommandPipeline) -> Pipeline:
    return pipeline


# Preparing


async def test_preparing_makes_the_agent_branch_from_the_branch_that_is_checked_out(
    repo: Path, tmp_path: Path
) -> None:
    git(repo, "checkout", "--quiet", "-b", "develop")
    commit(repo, {"new": ""})

    bench = Bench(tmp_path)
    await bench.pipeline.prepare()

    assert bench.agent("rev-parse") == git(repo, "rev-parse", "develop")


async def test_preparing_makes_the_agent_branch_from_the_base_that_is_given(
    repo: Path, tmp_path: Path
) -> None:
    git(repo, "branch", "release")
    commit(repo, {"new": ""})
    bench = Bench(tmp_path)
    bench.repos["api"] = RepoSettings(repo, base="release")

    pipeline = bench.another_pipeline()
    await pipeline.prepare()

    assert bench.agent("rev-parse") == git(repo, "rev-parse", "release")


async def test_preparing_again_keeps_the_agent_branch(bench: Bench) -> None:
    bench.does("echo more >> README")
    await bench.pipeline.implement(ISSUE)
    await bench.pipeline.merge(ISSUE)
    before = bench.agent("rev-parse")

    await bench.another_pipeline().prepare()

    assert bench.agent("rev-parse") == before


async def test_a_bare_repo_will_do(tmp_path: Path) -> None:
    make_repo(tmp_path / "origin")
    git(tmp_path, "clone", "--quiet", "--bare", str(tmp_path / "origin"), str(tmp_path / "api"))
    bench = Bench(tmp_path)
    bench.does("echo more >> README")

    await bench.pipeline.prepare()
    await bench.pipeline.implement(ISSUE)

    assert await bench.pipeline.merge(ISSUE) == Merged()
    assert bench.agent("log", "--format=%s").splitlines()[0] == "Merge api#1: Say more"


async def test_a_state_directory_inside_the_repo_stays_invisible(
    repo: Path, tmp_path: Path
) -> None:
    before = snapshot(repo)
    pipeline = CommandPipeline(
        "w",
        {"api": RepoSettings(repo)},
        {ISSUE.id: IssueCommands("echo more >> README")},
        state_dir=repo / ".wavelane" / "w",
        wave_dir=repo,
    )

    await pipeline.prepare()
    await pipeline.implement(ISSUE)

    assert git(repo, "status", "--porcelain") == before["status --porcelain"].decode() == ""


async def test_a_call_without_preparing_says_so(repo: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"await prepare\(\) first"):
        await Bench(tmp_path).pipeline.implement(ISSUE)


# Implementing


async def test_what_a_command_leaves_uncommitted_is_committed(bench: Bench) -> None:
    bench.does("echo more >> README; echo new > new; rm -f gone")

    assert await bench.pipeline.implement(ISSUE) == Implemented()

    assert git(bench.tree, "log", "-1", "--format=%B").strip() == (
        "Say more\n\nWavelane-Issue: api#1"
    )
    assert git(bench.tree, "show", "--name-only", "--format=").split() == ["README", "new"]
    assert bench.changes() == ""


async def test_a_command_that_commits_by_itself_gets_no_commit_more(bench: Bench) -> None:
    bench.does("echo new > new; git add new; git commit -q -m 'my own'")

    assert await bench.pipeline.implement(ISSUE) == Implemented()

    assert git(bench.tree, "log", "-1", "--format=%s by %an") == "my own by wavelane"
    assert git(bench.tree, "rev-list", "--count", "HEAD") == "2"


async def test_a_command_that_changes_nothing_is_through_all_the_same(bench: Bench) -> None:
    assert await bench.pipeline.implement(ISSUE) == Implemented()
    assert await bench.pipeline.merge(ISSUE) == Merged()


async def test_where_the_user_has_an_identity_it_signs_the_commits(
    bench: Bench, repo: Path
) -> None:
    git(repo, "config", "user.name", "Ada")
    git(repo, "config", "user.email", "ada@example.org")
    pipeline = bench.another_pipeline()
    await pipeline.prepare()
    bench.does("echo more >> README")

    await pipeline.implement(ISSUE)

    assert git(bench.tree, "log", "-1", "--format=%an <%ae>") == "Ada <ada@example.org>"


async def test_a_command_learns_of_its_task(bench: Bench) -> None:
    bench.does('cd "$WAVELANE_DIR"; env > environment; cat "$WAVELANE_BODY_FILE" > body')
    issue = Assignment(
        *("api#1", "api"),
        title="Say more",
        body="Täglich.\n",
        labels=["good first issue"],
        attempt=3,
        round=2,
        feedback="Why?",
    )

    await bench.pipeline.implement(issue)

    given = dict(
        line.split("=", 1) for line in (bench.tmp_path / "environment").read_text().splitlines()
    )
    assert len(given.pop("WAVELANE_SESSION")) == 32
    feedback = Path(given.pop("WAVELANE_FEEDBACK_FILE"))
    assert feedback.read_text() == "Why?"
    assert (bench.tmp_path / "body").read_text() == "Täglich.\n"
    assert {name: given[name] for name in given if name.startswith("WAVELANE")} == {
        "WAVELANE_ISSUE": "api#1",
        "WAVELANE_REPO": "api",
        "WAVELANE_TITLE": "Say more",
        "WAVELANE_BODY_FILE": str(feedback.with_name("body.md")),
        "WAVELANE_LABELS": "good first issue",
        "WAVELANE_ATTEMPT": "3",
        "WAVELANE_ROUND": "2",
        "WAVELANE_FIX": "0",
        "WAVELANE_DIR": str(bench.tmp_path),
        "WAVELANE_AGENT_BRANCH": "wavelane/w/agent",
        "WAVELANE_BRANCH": "wavelane/w/issue/api#1",
    }
    assert bench.changes() == ""


@pytest.mark.parametrize(("labels", "lines"), [((), ""), (("bug", "ui, old"), "bug\nui, old")])
async def test_labels_are_told_one_a_line(
    bench: Bench, labels: tuple[str, ...], lines: str
) -> None:
    bench.does('printf %s "$WAVELANE_LABELS" > "$WAVELANE_DIR/labels"')

    await bench.pipeline.implement(Assignment("api#1", "api", labels=labels))

    assert (bench.tmp_path / "labels").read_text() == lines


async def test_without_feedback_its_file_is_there_and_empty(bench: Bench) -> None:
    bench.does('test -f "$WAVELANE_FEEDBACK_FILE" && ! test -s "$WAVELANE_FEEDBACK_FILE"')

    assert await bench.pipeline.implement(ISSUE) == Implemented()


async def test_an_argv_may_name_a_program_beside_the_wave_file(bench: Bench) -> None:
    (bench.tmp_path / "agent").write_text('#!/bin/sh\necho "$1" > said\n')
    (bench.tmp_path / "agent").chmod(0o755)
    bench.does(("./agent", "two words"))

    assert await bench.pipeline.implement(ISSUE) == Implemented()

    assert (bench.tree / "said").read_text() == "two words\n"


async def test_exit_code_10_blocks_with_the_last_line_and_keeps_the_work(bench: Bench) -> None:
    bench.does("echo half > half; echo thinking; echo which one?; echo; exit 10")

    assert await bench.pipeline.implement(ISSUE) == Blocked("which one?")

    assert git(bench.tree, "show", "HEAD:half") == "half"


async def test_blocked_without_a_word_the_reason_names_the_log(bench: Bench) -> None:
    bench.does("exit 10")

    outcome = await bench.pipeline.implement(ISSUE)

    log = bench.log("001-implement.log")
    assert outcome == Blocked(f"implement gave no reason; log: {log}")
    assert log.exists()


async def test_exit_code_11_is_a_checkpoint_that_the_next_session_goes_on_from(
    bench: Bench,
) -> None:
    bench.does("echo one > part1; echo part 2 is next; exit 11")
    assert await bench.pipeline.implement(ISSUE) == Checkpoint("part 2 is next")

    bench.does("test -f part1 && echo two > part2")
    assert await bench.pipeline.implement(ISSUE) == Implemented()

    assert git(bench.tree, "ls-files").split() == ["README", "part1", "part2"]


async def test_exit_code_75_postpones_and_keeps_only_commits(bench: Bench) -> None:
    bench.does(
        "echo kept > kept; git add kept; git commit -qm kept; echo lost > lost; "
        "echo lost >> README; echo over quota; exit 75"
    )

    assert await bench.pipeline.implement(ISSUE) == Postponed(reason="over quota")

    assert git(bench.tree, "ls-files").split() == ["README", "kept"]
    assert bench.changes() == ""


async def test_any_other_exit_code_fails_and_leaves_nothing(bench: Bench) -> None:
    await bench.pipeline.implement(ISSUE)
    start = bench.tip()
    bench.does(
        "echo a > a; git add a; git commit -qm a; echo b > b; echo c >> README; echo sorry; exit 3"
    )

    with pytest.raises(SessionFailed) as failure:
        await bench.pipeline.implement(ISSUE)

    log = bench.log("002-implement.log")
    assert str(failure.value) == f"implement exited with 3: sorry; log: {log}"
    assert bench.tip() == start
    assert bench.changes() == ""
    assert not (bench.tree / "b").exists()


async def test_a_command_that_is_killed_fails_with_the_signal_s_name(bench: Bench) -> None:
    bench.does("kill -SEGV $$")

    with pytest.raises(SessionFailed, match="implement was killed by signal SIGSEGV; log: /"):
        await bench.pipeline.implement(ISSUE)


async def test_a_command_that_cannot_be_started_fails(bench: Bench) -> None:
    bench.does(("no-such-agent",))

    with pytest.raises(SessionFailed, match=r"implement cannot be started: .*no-such-agent"):
        await bench.pipeline.implement(ISSUE)


async def test_a_hook_that_refuses_the_commit_fails_and_says_what_it_said(
    bench: Bench, repo: Path
) -> None:
    hook(repo, "pre-commit", "echo no tabs please >&2; exit 1")
    bench.does("echo more >> README")

    with pytest.raises(GitError, match=r"`git commit .* exited with 1: no tabs please"):
        await bench.pipeline.implement(ISSUE)

    assert bench.changes() == ""
    assert bench.tip() == git(repo, "rev-parse", "main")


async def test_conflict_marks_are_never_committed_as_an_implementation(
    bench: Bench, repo: Path
) -> None:
    commit(repo, {"README": "ours\n"})
    bench.does("echo theirs > README; git commit -qam theirs; git merge -q main; exit 0")

    with pytest.raises(SessionFailed, match=r"conflicts are left in README of .*; resolve them"):
        await bench.pipeline.implement(ISSUE)

    assert bench.changes() == ""
    assert not git(bench.tree, "rev-list", "--merges", "HEAD")


async def test_a_rebase_that_was_given_up_midway_leaves_nothing(bench: Bench, repo: Path) -> None:
    commit(repo, {"README": "ours\n"})
    bench.does("echo theirs > README; git commit -qam theirs; git rebase -q main; exit 5")

    with pytest.raises(SessionFailed, match="exited with 5"):
        await bench.pipeline.implement(ISSUE)
    bench.does("! git rebase --show-current-patch && echo fine > fine")

    assert await bench.pipeline.implement(ISSUE) == Implemented()
    assert git(bench.tree, "branch", "--show-current") == "wavelane/w/issue/api#1"


async def test_work_on_a_branch_of_the_session_s_own_is_taken_over(bench: Bench) -> None:
    bench.does("git checkout -q -b my-idea; echo a > a; git add a; git commit -qm a; echo b > b")

    assert await bench.pipeline.implement(ISSUE) == Implemented()
    assert await bench.pipeline.merge(ISSUE) == Merged()

    assert bench.agent("ls-tree", "--name-only").split() == ["README", "a", "b"]


async def test_work_that_does_not_continue_the_branch_fails(bench: Bench) -> None:
    bench.does("echo a > a")
    await bench.pipeline.implement(ISSUE)
    bench.does("git checkout -q --orphan other; git commit -qm other")

    with pytest.raises(
        GitError, match=r'which lacks commits of its branch "wavelane/w/issue/api#1'
    ):
        await bench.pipeline.implement(ISSUE)

    assert git(bench.tree, "branch", "--show-current") == "wavelane/w/issue/api#1"
    assert (bench.tree / "a").exists()


async def test_a_session_that_deletes_its_own_git_file_never_reaches_the_repo_around_it(
    repo: Path, tmp_path: Path
) -> None:
    """The worktree is inside the user's checkout, which git might use instead."""
    (repo / "README").write_text("changed by the user\n")
    pipeline = CommandPipeline(
        "w",
        {"api": RepoSettings(repo)},
        {ISSUE.id: IssueCommands("rm -rf .git *; git add --all; git commit -qm oops; exit 0")},
        state_dir=repo / ".wavelane" / "w",
        wave_dir=repo,
    )
    await pipeline.prepare()
    before = snapshot(repo)

    with pytest.raises(GitError, match="is no longer a worktree of its repo"):
        await pipeline.implement(ISSUE)

    after = {name: text for name, text in snapshot(repo).items() if name in before}
    assert {name: text for name, text in before.items() if ".wavelane" not in name} == {
        name: text for name, text in after.items() if ".wavelane" not in name
    }


async def test_a_worktree_that_was_destroyed_is_made_again(bench: Bench) -> None:
    bench.does("echo one > one; exit 11")
    await bench.pipeline.implement(ISSUE)
    shutil.rmtree(bench.tree)
    bench.does("test -f one")

    assert await bench.pipeline.implement(ISSUE) == Implemented()


async def test_a_state_directory_that_was_destroyed_is_made_again(bench: Bench) -> None:
    bench.does("echo one > one; exit 11")
    await bench.pipeline.implement(ISSUE)
    shutil.rmtree(bench.tmp_path / "state")
    bench.does("test -f one")

    pipeline = bench.another_pipeline()
    await pipeline.prepare()

    assert await pipeline.implement(ISSUE) == Implemented()
    assert await pipeline.merge(ISSUE) == Merged()


async def test_what_a_human_left_in_a_parked_worktree_is_kept(bench: Bench) -> None:
    bench.does("echo help; exit 10")
    await bench.pipeline.implement(ISSUE)
    (bench.tree / "answer").write_text("42\n")
    bench.does("exit 4")

    with pytest.raises(SessionFailed):
        await bench.pipeline.implement(ISSUE)

    assert git(bench.tree, "show", "HEAD:answer") == "42"
    assert git(bench.tree, "log", "-1", "--format=%s") == "Found in the worktree: Say more"


async def test_an_issue_without_commits_starts_from_what_was_merged_meanwhile(
    bench: Bench,
) -> None:
    bench.does("exit 4")
    with pytest.raises(SessionFailed):
        await bench.pipeline.implement(ISSUE)
    other = Assignment("api#2", "api")
    bench.does("echo two > two", issue="api#2")
    await bench.pipeline.implement(other)
    await bench.pipeline.merge(other)
    bench.does("test -f two")

    assert await bench.pipeline.implement(ISSUE) == Implemented()


async def test_a_lock_that_a_killed_git_left_behind_does_no_harm(bench: Bench) -> None:
    bench.does('touch "$(git rev-parse --git-dir)/index.lock"; echo more >> README')

    assert await bench.pipeline.implement(ISSUE) == Implemented()
    assert git(bench.tree, "log", "-1", "--format=%s") == "Say more"


async def test_the_session_s_git_sees_its_worktree_whatever_the_environment_says(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(bench.api / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(bench.api))
    bench.does('test "$(git rev-parse --show-toplevel)" = "$PWD"')

    assert await bench.pipeline.implement(ISSUE) == Implemented()


@pytest.mark.parametrize("issue_id", WEIRD)
async def test_an_issue_with_a_weird_id_goes_all_the_way(bench: Bench, issue_id: str) -> None:
    issue = Assignment(issue_id, "api", title='# "quoted" $HOME\n\nand more')
    bench.does('printf %s "$WAVELANE_ISSUE" > id', review="true", issue=issue_id)

    assert await bench.pipeline.implement(issue) == Implemented()
    assert (bench.pipeline.worktree("api", issue_id) / "id").read_text() == issue_id
    assert await bench.pipeline.review(issue) == Approved()
    assert await bench.pipeline.merge(issue) == Merged()
    assert await bench.pipeline.merge(issue) == Merged()

    assert not bench.pipeline.worktree("api", issue_id).exists()
    assert bench.agent("log", "--format=%B").splitlines()[2] == f"Wavelane-Issue: {issue_id}"
    outside = {path.name for path in bench.tmp_path.iterdir()}
    assert outside == {"api", "home", "state"}


async def test_two_issues_of_one_repo_never_share_a_worktree(bench: Bench) -> None:
    issues = [Assignment(f"api#{n}", "api") for n in range(6)]
    for issue in issues:
        bench.does('test ! -e mine && echo "$WAVELANE_ISSUE" > mine', issue=issue.id)

    outcomes = await asyncio.gather(*map(bench.pipeline.implement, issues))

    assert outcomes == [Implemented()] * 6
    said = [(bench.pipeline.worktree("api", one.id) / "mine").read_text() for one in issues]
    assert said == [f"{one.id}\n" for one in issues]


async def test_worktrees_of_one_repo_are_made_one_after_the_other(bench: Bench, repo: Path) -> None:
    busy, met = bench.tmp_path / "busy", bench.tmp_path / "met"
    hook(repo, "post-checkout", f"mkdir {busy} || touch {met}; seq 20000 | sort >&2; rmdir {busy}")
    issues = [Assignment(f"api#{n}", "api") for n in range(6)]
    for issue in issues:
        bench.does("true", issue=issue.id)

    await asyncio.gather(*map(bench.pipeline.implement, issues))

    assert not met.exists()


async def test_two_repos_side_by_side_do_not_meet(bench: Bench) -> None:
    """Each session waits until the other one has started."""
    bench.repos["web"] = RepoSettings(make_repo(bench.tmp_path / "web"))
    web = Assignment("web#1", "web")
    meet = (
        'cd "$WAVELANE_DIR"; touch "$WAVELANE_REPO-is-here"; '
        "until [ -e api-is-here ] && [ -e web-is-here ]; do :; done; "
        'cd "$OLDPWD"; echo "$WAVELANE_REPO" > repo'
    )
    bench.does(meet)
    bench.does(meet, issue="web#1")
    pipeline = bench.another_pipeline()
    await pipeline.prepare()

    async def whole(issue: Assignment) -> object:
        await pipeline.implement(issue)
        return await pipeline.merge(issue)

    assert await asyncio.gather(*map(whole, (ISSUE, web))) == [Merged()] * 2
    for repo in ("api", "web"):
        assert git(bench.tmp_path / repo, "show", "wavelane/w/agent:repo") == repo


@pytest.mark.parametrize("step", ["implement", "review"])
async def test_a_postponed_session_may_say_when_to_try_again(bench: Bench, step: str) -> None:
    quota = "echo 'the quota resets at 2099-01-02T03:04:05Z'; exit 75"
    bench.does(quota if step == "implement" else "echo a > a", quota)
    if step == "review":
        await bench.pipeline.implement(ISSUE)

    outcome = await getattr(bench.pipeline, step)(ISSUE)

    assert outcome == Postponed(4_071_006_245.0, "the quota resets at 2099-01-02T03:04:05Z")


# Gates


async def test_gates_run_in_order_on_what_was_committed(bench: Bench) -> None:
    bench.gates["first"] = 'git diff --quiet HEAD; echo first >> "$WAVELANE_DIR/order"; touch cache'
    bench.gates["second"] = 'test -f new && echo second >> "$WAVELANE_DIR/order"; echo x >> README'
    bench.does("echo new > new")

    assert await bench.pipeline.implement(ISSUE) == Implemented()

    assert (bench.tmp_path / "order").read_text() == "first\nsecond\n"
    assert bench.changes() == ""
    assert bench.logs() == ["001-implement.log", "002-gate-first.log", "003-gate-second.log"]


async def test_what_a_gate_commits_is_undone(bench: Bench) -> None:
    bench.gates["format"] = "echo x > x; git add x; git commit -qm x"
    bench.does("echo new > new")

    await bench.pipeline.implement(ISSUE)

    assert git(bench.tree, "ls-files").split() == ["README", "new"]


async def test_files_that_the_repo_ignores_stay_between_sessions(bench: Bench, repo: Path) -> None:
    bench.does("echo cache > .gitignore; mkdir cache; touch cache/thing")
    bench.gates["test"] = "test -f cache/thing"

    assert await bench.pipeline.implement(ISSUE) == Implemented()

    assert (bench.tree / "cache" / "thing").exists()


async def test_a_failing_gate_goes_back_with_its_output_until_it_passes(bench: Bench) -> None:
    bench.gates["test"] = "seq 300; echo README is short; test $(wc -l < README) -ge 3"
    bench.gates["lint"] = "true"
    bench.does(
        'echo more >> README; cp "$WAVELANE_FEEDBACK_FILE" "$WAVELANE_DIR/fix-$WAVELANE_FIX"'
    )

    assert await bench.pipeline.implement(ISSUE) == Implemented()

    assert (bench.tmp_path / "fix-0").read_text() == ""
    lines = (bench.tmp_path / "fix-1").read_text().splitlines()
    assert lines[0] == "gate 'test' failed (exit 1):"
    assert lines[1:] == [*map(str, range(102, 301)), "README is short"]
    assert bench.logs() == [
        "001-implement.log",
        "002-gate-test.log",
        "003-implement.log",
        "004-gate-test.log",
        "005-gate-lint.log",
    ]


async def test_a_gate_that_always_fails_blocks_and_keeps_the_work(bench: Bench) -> None:
    bench.gates["test"] = "echo 1 failed; exit 1"
    bench.does('echo more >> README; echo run >> "$WAVELANE_DIR/runs"')

    outcome = await bench.pipeline.implement(ISSUE)

    log = bench.log("008-gate-test.log")
    assert outcome == Blocked(f"gate 'test' still fails after 3 fixes; see {log}: 1 failed")
    assert (bench.tmp_path / "runs").read_text().count("run") == 4
    assert git(bench.tree, "rev-list", "--count", "main..HEAD") == "4"


async def test_without_gate_attempts_a_failing_gate_blocks_at_once(bench: Bench) -> None:
    bench.gates["test"] = "exit 1"
    pipeline = bench.another_pipeline(gate_attempts=0)
    await pipeline.prepare()

    outcome = await pipeline.implement(ISSUE)

    assert isinstance(outcome, Blocked)
    assert outcome.reason.startswith("gate 'test' fails; see ")


async def test_a_fix_that_fails_puts_everything_back_to_before_the_first(bench: Bench) -> None:
    bench.gates["test"] = "exit 1"
    bench.does("echo more >> README; exit $WAVELANE_FIX")

    with pytest.raises(SessionFailed, match="implement exited with 1"):
        await bench.pipeline.implement(ISSUE)

    assert bench.tip() == git(bench.api, "rev-parse", "main")


# Cancellation


async def test_a_time_out_ends_the_session_and_leaves_nothing(bench: Bench) -> None:
    started = bench.tmp_path / "group"
    bench.does(
        "echo a > a; git add a; git commit -qm a; echo b > b; "
        'sleep 1000 & (sleep 1000 & sleep 1000) & echo $$ > "$WAVELANE_DIR/group"; sleep 1000'
    )

    async with cancelled_when(started, asyncio.create_task(_implement(bench))):
        assert not group_is_alive(int(started.read_text()))
        assert bench.tip() == git(bench.api, "rev-parse", "main")
        assert bench.changes() == ""


async def test_a_gate_that_is_cancelled_takes_the_implementation_with_it(bench: Bench) -> None:
    started = bench.tmp_path / "group"
    bench.gates["test"] = 'echo $$ > "$WAVELANE_DIR/group"; sleep 1000'
    bench.does("echo a > a")

    async with cancelled_when(started, asyncio.create_task(_implement(bench))):
        assert not group_is_alive(int(started.read_text()))
        assert bench.tip() == git(bench.api, "rev-parse", "main")


async def test_a_review_that_is_cancelled_leaves_the_implementation_as_it_was(
    bench: Bench,
) -> None:
    started = bench.tmp_path / "group"
    bench.does("echo a > a", review='echo b > b; echo $$ > "$WAVELANE_DIR/group"; sleep 1000')
    await bench.pipeline.implement(ISSUE)
    before = bench.tip()

    async with cancelled_when(started, asyncio.create_task(_review(bench))):
        assert not group_is_alive(int(started.read_text()))
        assert bench.tip() == before
        assert bench.changes() == ""


async def test_asyncio_s_own_time_out_works_on_a_session(bench: Bench) -> None:
    bench.does("echo a > a; sleep 1000")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await bench.pipeline.implement(ISSUE)

    assert bench.tip() == git(bench.api, "rev-parse", "main")


async def _implement(bench: Bench) -> object:
    return await bench.pipeline.implement(ISSUE)


async def _review(bench: Bench) -> object:
    return await bench.pipeline.review(ISSUE)


# Reviewing


async def test_without_a_review_command_everything_is_approved(bench: Bench) -> None:
    await bench.pipeline.implement(ISSUE)

    assert await bench.pipeline.review(ISSUE) == Approved()


@pytest.mark.parametrize(
    ("review", "outcome"),
    [
        ("echo fine; exit 0", Approved()),
        ("echo one; echo two; exit 1", ChangesRequested("one\ntwo")),
        ("echo hm; echo ask Ada; exit 10", Blocked("ask Ada")),
        ("echo over quota; exit 75", Postponed(reason="over quota")),
    ],
)
async def test_a_review_s_exit_code_is_its_verdict(
    bench: Bench, review: str, outcome: object
) -> None:
    bench.does("echo a > a", review=review)
    await bench.pipeline.implement(ISSUE)

    assert await bench.pipeline.review(ISSUE) == outcome


@pytest.mark.parametrize("code", [2, 11, 127])
async def test_a_review_with_any_other_exit_code_has_failed(bench: Bench, code: int) -> None:
    bench.does("echo a > a", review=f"echo oh; exit {code}")
    await bench.pipeline.implement(ISSUE)

    with pytest.raises(SessionFailed, match=f"review exited with {code}: oh; log: /"):
        await bench.pipeline.review(ISSUE)


async def test_a_review_sees_the_change_and_what_it_does_to_it_is_undone(bench: Bench) -> None:
    bench.does(
        "echo a > a",
        review='test "$(git diff --name-only "$WAVELANE_AGENT_BRANCH"...HEAD)" = a && '
        "echo b > b && git add b && git commit -qm b && echo c > c && echo d >> README",
    )
    await bench.pipeline.implement(ISSUE)
    before = bench.tip()

    assert await bench.pipeline.review(ISSUE) == Approved()

    assert bench.tip() == before
    assert bench.changes() == ""


async def test_a_review_of_what_was_never_implemented_says_so(bench: Bench) -> None:
    bench.does("true", review="true")

    with pytest.raises(SessionFailed, match='nothing to review for issue "api#1"'):
        await bench.pipeline.review(ISSUE)


# The user's own checkout


async def test_the_user_s_checkout_is_left_exactly_as_it_was(bench: Bench, repo: Path) -> None:
    commit(repo, {"tracked": "one\n", "staged": "one\n", ".gitignore": "ignored\n"})
    (repo / "tracked").write_text("changed\n")
    (repo / "staged").write_text("changed\n")
    git(repo, "add", "staged")
    (repo / "untracked").write_text("new\n")
    (repo / "ignored").write_text("ignored\n")
    (repo / "README").write_text("stashed\n")
    git(repo, "stash", "push", "--quiet", "README")
    git(repo, "config", "branch.autoSetupMerge", "always")
    bench.does("echo mine > README", review="echo x > x; exit 0")
    bench.gates["test"] = "echo y > y"
    before = snapshot(repo)

    pipeline = bench.another_pipeline()
    await pipeline.prepare()
    await pipeline.implement(ISSUE)
    await pipeline.review(ISSUE)
    await pipeline.merge(ISSUE)
    bench.does("exit 9")
    with pytest.raises(SessionFailed):
        await pipeline.implement(ISSUE)
    await pipeline.discard(ISSUE)
    await pipeline.close()

    assert snapshot(repo) == before
