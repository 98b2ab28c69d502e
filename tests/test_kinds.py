"""Which tests a run chooses by their kind, and what it says about those it leaves out."""

from __future__ import annotations

import pytest
from tests.plugins.kinds import runs_git_or_the_command
from tests.plugins.parallel import sendable

ONE_OF_EACH = """
import subprocess
import pytest

def test_plain(): pass

@pytest.mark.layer
def test_layer(): pass

@pytest.mark.nightly
def test_of_the_night(): pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder of tests that know the kinds."""
    pytester.makeini(
        "[pytest]\naddopts = -p tests.plugins.kinds -p no:xdist -p no:asyncio --strict-markers\n"
    )
    return pytester


def test_a_nightly_test_is_left_out_and_the_run_says_so(project: pytest.Pytester) -> None:
    project.makepyfile(ONE_OF_EACH)

    run = project.runpytest_inprocess()

    run.assert_outcomes(passed=2, deselected=1)
    run.stdout.fnmatch_lines(["1 nightly tests were left out; run them by: *pytest -m nightly"])


@pytest.mark.parametrize(
    "asked", [("-m", "nightly"), ("test_of_each.py::test_of_the_night",)], ids=["marker", "id"]
)
def test_a_nightly_test_that_is_asked_for_is_run(
    project: pytest.Pytester, asked: tuple[str, ...]
) -> None:
    project.makepyfile(test_of_each=ONE_OF_EACH)

    run = project.runpytest_inprocess(*asked)

    assert run.parseoutcomes()["passed"] == 1
    assert "left out" not in run.stdout.str()


def test_a_layer_is_slow_by_itself(project: pytest.Pytester) -> None:
    project.makepyfile(ONE_OF_EACH)

    run = project.runpytest_inprocess("-m", "not slow")

    run.assert_outcomes(passed=1, deselected=2)


@pytest.mark.git
def test_a_test_that_starts_git_without_being_known_to_do_so_fails(
    project: pytest.Pytester,
) -> None:
    calls = "subprocess.run(['git', 'version'], check=True)"
    project.makepyfile(
        f"""
        import subprocess
        import pytest

        def test_secret(): {calls}

        @pytest.mark.git
        def test_known(): {calls}
        """
    )

    run = project.runpytest_inprocess()

    run.assert_outcomes(passed=2, errors=1)
    run.stdout.fnmatch_lines(["*it runs 'git version'; mark it with pytest.mark.git*"])


def test_a_test_whose_module_imports_the_helpers_for_git_is_known_to_run_it(
    request: pytest.FixtureRequest, project: pytest.Pytester
) -> None:
    project.makepyfile("from tests.gitrepos import git\n\ndef test_one(): pass\n")

    run = project.runpytest_inprocess("-m", "not git")

    run.assert_outcomes(deselected=1)
    assert request.node.get_closest_marker("git") is None


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("git -C here status", True),
        ("/usr/bin/git version", True),
        ("wavelane demo", True),
        ("python3 -m wavelane run wave.yaml", True),
        ("python3 -m specs.search", False),
        ("sleep 1", False),
    ],
)
def test_command_lines_of_git_and_of_ours_are_known(line: str, is_one: bool) -> None:
    assert runs_git_or_the_command(line.split()) is is_one


def test_a_shell_that_is_to_run_git_is_known() -> None:
    assert runs_git_or_the_command(["bash", "-c", "cd here && git init"])
    assert not runs_git_or_the_command(["bash", "-c", "cd legit && make"])


def test_what_is_no_text_is_sent_written_out() -> None:
    assert sendable({"said": ["h\udce9", 1, None]}) == {"said": ["h\\udce9", 1, None]}
