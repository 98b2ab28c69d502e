"""The command pipeline on real repos: merging, and tidying up."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from tests.bench import ISSUE, Bench
from tests.gitrepos import git, hook, make_repo, until, without_identity

from wavelane.git import GitError
from wavelane.pipeline import Assignment, SessionFailed
from wavelane_model.outcomes import Conflicted, Implemented, Merged


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


# Merging


async def test_a_merge_goes_in_with_a_merge_commit_and_removes_the_branch(bench: Bench) -> None:
    bench.does("echo a > a")
    await bench.pipeline.implement(ISSUE)
    tip = bench.tip()

    assert await bench.pipeline.merge(ISSUE) == Merged()

    assert bench.agent("log", "-1", "--format=%B").strip() == (
        "Merge api#1: Say more\n\nWavelane-Issue: api#1"
    )
    parents = bench.agent("log", "-1", "--format=%P").split()
    assert parents == [git(bench.api, "rev-parse", "main"), tip]
    assert not bench.tree.exists()
    assert "issue" not in git(bench.api, "for-each-ref")
    assert str(bench.tree) not in git(bench.api, "worktree", "list")


async def test_a_merge_that_is_in_is_not_made_again(bench: Bench) -> None:
    bench.does("echo a > a")
    await bench.pipeline.implement(ISSUE)
    await bench.pipeline.merge(ISSUE)
    before = bench.agent("rev-parse")

    assert await bench.pipeline.merge(ISSUE) == Merged()

    assert bench.agent("rev-parse") == before


async def test_a_merge_that_went_in_before_a_crash_is_only_tidied_up(bench: Bench) -> None:
    bench.does("echo a > a")
    await bench.pipeline.implement(ISSUE)
    merging = bench.tree.with_name("@agent")
    git(merging, "merge", "--quiet", "--no-ff", "-m", "in", bench.pipeline.feature_branch("api#1"))
    before = bench.agent("rev-parse")

    assert await bench.pipeline.merge(ISSUE) == Merged()

    assert bench.agent("rev-parse") == before
    assert not bench.tree.exists()


async def test_what_a_crash_left_of_a_merge_is_put_right_first(bench: Bench) -> None:
    bench.does("echo a > a")
    await bench.pipeline.implement(ISSUE)
    merging = bench.tree.with_name("@agent")
    git(merging, "merge", "--no-commit", "--no-ff", bench.pipeline.feature_branch("api#1"))
    (merging / "README").write_text("<<<<<<<\n")
    (merging / "stray").touch()
    assert git(merging, "rev-parse", "--verify", "MERGE_HEAD")

    assert await bench.pipeline.merge(ISSUE) == Merged()

    assert bench.agent("rev-list", "--count", "--merges") == "1"
    assert bench.agent("ls-tree", "--name-only").split() == ["README", "a"]
    assert bench.agent("show", "--format=%s").splitlines()[0] == "Merge api#1: Say more"


async def two_that_conflict(bench: Bench) -> Assignment:
    """Issue api#1 is implemented; api#2, which makes a different change, is merged."""
    other = Assignment("api#2", "api")
    bench.does("echo mine > README; echo a > a")
    bench.does("echo other > README", issue="api#2")
    await bench.pipeline.implement(ISSUE)
    await bench.pipeline.implement(other)
    await bench.pipeline.merge(other)
    return other


async def test_a_conflict_leaves_nothing_behind_and_tells_files_and_change(bench: Bench) -> None:
    await two_that_conflict(bench)
    before = bench.agent("rev-parse")

    outcome = await bench.pipeline.merge(ISSUE)

    assert isinstance(outcome, Conflicted)
    assert outcome.details.startswith(
        "merging into wavelane/w/agent conflicts in README. The earlier change was:\ndiff --git"
    )
    assert "+mine" in outcome.details
    assert bench.agent("rev-parse") == before
    assert git(bench.tree.with_name("@agent"), "status", "--porcelain") == ""


async def test_after_a_conflict_the_next_attempt_starts_from_what_is_merged(bench: Bench) -> None:
    await two_that_conflict(bench)
    await bench.pipeline.merge(ISSUE)
    bench.does("grep -q other README && echo mine >> README")

    assert await bench.pipeline.implement(ISSUE) == Implemented()
    assert await bench.pipeline.merge(ISSUE) == Merged()

    assert bench.agent("rev-list", "--count", "--merges") == "2"


async def test_a_huge_change_is_cut_in_the_details_of_a_conflict(bench: Bench) -> None:
    await two_that_conflict(bench)
    bench.does("seq 100000 > big")
    await bench.pipeline.implement(ISSUE)

    outcome = await bench.pipeline.merge(ISSUE)

    assert isinstance(outcome, Conflicted)
    assert len(outcome.details) < 70_000
    assert outcome.details.endswith("[cut here]")


async def test_a_conflict_that_git_once_learned_to_resolve_is_still_reported(
    bench: Bench, repo: Path
) -> None:
    git(repo, "config", "rerere.enabled", "true")
    git(repo, "config", "rerere.autoUpdate", "true")
    await two_that_conflict(bench)
    aside = bench.tmp_path / "aside"
    git(repo, "worktree", "add", "--quiet", "--detach", str(aside), "wavelane/w/agent")
    with pytest.raises(subprocess.CalledProcessError):
        git(aside, "merge", "--quiet", bench.pipeline.feature_branch("api#1"))
    (aside / "README").write_text("resolved\n")
    git(aside, "add", "--all")
    git(aside, "commit", "--quiet", "-m", "resolved")

    outcome = await bench.pipeline.merge(ISSUE)

    assert isinstance(outcome, Conflicted)
    assert "conflicts in README." in outcome.details


async def test_a_hook_that_refuses_the_merge_fails_and_leaves_the_branch_to_try_again(
    bench: Bench, repo: Path
) -> None:
    bench.does("echo a > a")
    await bench.pipeline.implement(ISSUE)
    hook(repo, "pre-merge-commit", "echo frozen >&2; exit 1")
    before = bench.agent("rev-parse")

    with pytest.raises(GitError, match=r"`git merge .* exited with 1: .*frozen"):
        await bench.pipeline.merge(ISSUE)

    assert bench.agent("rev-parse") == before
    assert git(bench.tree.with_name("@agent"), "status", "--porcelain") == ""
    (repo / ".git" / "hooks" / "pre-merge-commit").unlink()
    assert await bench.pipeline.merge(ISSUE) == Merged()


async def test_a_merge_of_what_was_never_implemented_says_so(bench: Bench) -> None:
    with pytest.raises(
        SessionFailed, match='nothing to merge for issue "api#1": repo "api" has no'
    ):
        await bench.pipeline.merge(ISSUE)


async def test_a_merge_that_is_in_when_it_is_cancelled_is_merged(bench: Bench, repo: Path) -> None:
    bench.does("echo a > a")
    await bench.pipeline.implement(ISSUE)
    at, go = bench.tmp_path / "at", bench.tmp_path / "go"
    hook(repo, "post-merge", f"echo > {at}; until [ -e {go} ]; do :; done")

    merge = asyncio.create_task(bench.pipeline.merge(ISSUE))
    await until(at.exists)
    merge.cancel()
    await asyncio.sleep(0)
    merge.cancel()
    go.touch()

    assert await merge == Merged()
    assert not bench.tree.exists()


async def test_a_merge_that_is_not_in_when_it_is_cancelled_leaves_nothing(
    bench: Bench, repo: Path
) -> None:
    bench.does("echo a > a")
    await bench.pipeline.implement(ISSUE)
    at, go = bench.tmp_path / "at", bench.tmp_path / "go"
    hook(repo, "pre-merge-commit", f"echo > {at}; until [ -e {go} ]; do :; done; exit 1")
    before, tip = bench.agent("rev-parse"), bench.tip()

    merge = asyncio.create_task(bench.pipeline.merge(ISSUE))
    await until(at.exists)
    merge.cancel()
    go.touch()
    with pytest.raises(asyncio.CancelledError):
        await merge

    assert (bench.agent("rev-parse"), bench.tip()) == (before, tip)
    assert git(bench.tree.with_name("@agent"), "status", "--porcelain") == ""


async def test_merges_of_issues_while_others_are_implemented_do_not_disturb_each_other(
    bench: Bench,
) -> None:
    issues = [Assignment(f"api#{n}", "api") for n in range(8)]
    for issue in issues:
        bench.does(
            'echo x > "file-$WAVELANE_ISSUE"; git commit --allow-empty -qm y', issue=issue.id
        )
    turn = asyncio.Lock()

    async def whole(issue: Assignment) -> object:
        await bench.pipeline.implement(issue)
        async with turn:
            return await bench.pipeline.merge(issue)

    assert await asyncio.gather(*map(whole, issues)) == [Merged()] * 8
    assert bench.agent("rev-list", "--count", "--merges") == "8"


# Tidying up


async def test_discarding_removes_worktree_and_branch(bench: Bench) -> None:
    bench.does("echo a > a; exit 10")
    await bench.pipeline.implement(ISSUE)
    (bench.tree / "uncommitted").touch()

    await bench.pipeline.discard(ISSUE)
    await bench.pipeline.discard(ISSUE)

    assert not bench.tree.exists()
    assert "issue" not in git(bench.api, "for-each-ref")


async def test_closing_removes_what_is_not_needed_and_keeps_parked_work(bench: Bench) -> None:
    parked = Assignment("api#2", "api")
    bench.does("echo a > a")
    bench.does("echo why; exit 10", issue="api#2")
    await bench.pipeline.implement(ISSUE)
    await bench.pipeline.merge(ISSUE)
    await bench.pipeline.implement(parked)

    await bench.pipeline.close()

    left = [path.name for path in (bench.tmp_path / "state" / "worktrees" / "api").iterdir()]
    assert left == ["api#2"]
    assert bench.agent("rev-list", "--count", "--merges") == "1"


async def test_closing_removes_a_merged_issue_s_worktree_that_a_crash_left(bench: Bench) -> None:
    bench.does("echo a > a")
    await bench.pipeline.implement(ISSUE)
    merging = bench.tree.with_name("@agent")
    git(merging, "merge", "--quiet", "--no-ff", "-m", "in", bench.pipeline.feature_branch("api#1"))

    pipeline = bench.another_pipeline()
    await pipeline.prepare()
    await pipeline.close()

    assert not bench.tree.exists()
    assert "issue" not in git(bench.api, "for-each-ref")


async def test_closing_keeps_a_worktree_with_uncommitted_changes(bench: Bench) -> None:
    merging = bench.tree.with_name("@agent")
    (merging / "notes").write_text("by a human\n")

    await bench.pipeline.close()

    assert (merging / "notes").exists()


async def test_after_closing_the_next_run_goes_on(bench: Bench) -> None:
    bench.does("echo a > a; exit 11")
    await bench.pipeline.implement(ISSUE)
    await bench.pipeline.close()

    pipeline = bench.another_pipeline()
    await pipeline.prepare()
    bench.does("test -f a")

    assert await pipeline.implement(ISSUE) == Implemented()
    assert await pipeline.merge(ISSUE) == Merged()
