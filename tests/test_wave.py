from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest

from wavelane.pipeline import Assignment, assignment
from wavelane_model.problems import Location, Place, Problem
from wavelane_model.wave import Finished, Issue, Wave, WaveError
from wavelane_model.wave_problems import WaveProblemCode

API = Issue("api#1", "api")
WRONG: dict[WaveProblemCode, tuple[Callable[[], Wave], str, Location]] = {
    "empty-id": (lambda: Wave([API, Issue("", "api")]), "", ("issues", 1, "id")),
    "duplicate-id": (
        lambda: Wave([API, Issue("web#1", "web"), Issue("api#1", "web")]),
        "api#1",
        ("issues", 2, "id"),
    ),
    "duplicate-repo": (
        lambda: Wave([API], repos=["api", "web", "api", "api"]),
        "api",
        ("repos", 2),
    ),
    "issue-is-done": (lambda: Wave([API], done=["api#1"]), "api#1", ("issues", 0, "id")),
    "not-unicode": (lambda: Wave([API], repos=["api", "\ud800"]), "\ud800", ("repos", 1)),
    "unknown-repo": (lambda: Wave([API], repos=["web"]), "api#1", ("issues", 0, "repo")),
    "bad-estimate": (
        lambda: Wave([API, Issue("web#1", "web", estimate=-1)]),
        "web#1",
        ("issues", 1, "estimate"),
    ),
    "bad-label": (
        lambda: Wave([Issue("api#1", "api", labels=["fine", ""])]),
        "api#1",
        ("issues", 0, "labels"),
    ),
    "bad-experience": (
        lambda: Wave([], experience=[Finished("api", (), 1.0), Finished("web", (), -1.0)]),
        "web",
        ("experience", 1),
    ),
    "unknown-dependency": (
        lambda: Wave([Issue("api#1", "api", ["web#1"])]),
        "api#1",
        ("issues", 0, "depends_on"),
    ),
    "dependency-cycle": (
        lambda: Wave([Issue("web#1", "web", ["api#1"]), Issue("api#1", "api", ["web#1"])]),
        "api#1",
        ("issues", 1, "depends_on"),
    ),
}
"""For each kind of problem a wave that has it alone, what it is about, and where it stands."""


def problems(
    *issues: Issue, repos: list[str] | None = None, done: tuple[str, ...] = ()
) -> list[str]:
    with pytest.raises(WaveError) as caught:
        Wave(issues, repos=repos, done=done)
    found = [problem.message for problem in caught.value.problems]
    assert str(caught.value) == "\n".join(found)
    return found


@pytest.mark.parametrize("code", get_args(WaveProblemCode))
def test_each_kind_of_problem_says_what_it_is_about_and_where_it_stands(
    code: WaveProblemCode,
) -> None:
    wrong, subject, path = WRONG[code]

    with pytest.raises(WaveError) as caught:
        wrong()

    (problem,) = caught.value.problems
    assert (problem.code, problem.subject) == (code, subject)
    assert problem.place == Place(path)


def test_a_problem_is_written_with_its_place_in_a_file_if_it_has_one() -> None:
    place = Place(("issues", 2), "wave.yaml", 12, 3)

    assert str(Problem("any", "", "it is wrong")) == "it is wrong"
    assert str(Problem("any", "", "it is wrong", place)) == "wave.yaml:12:3: it is wrong"


def test_a_dependency_that_is_not_in_the_wave_is_named_with_what_to_do() -> None:
    assert problems(Issue("web#7", "web", ["api#9"])) == [
        'issue "web#7" depends on "api#9", which is not in the wave; add it, or list it under done'
    ]


def test_an_id_that_is_there_twice_is_named() -> None:
    assert problems(Issue("api#1", "api"), Issue("api#1", "web")) == [
        'issue "api#1" is listed twice; ids are unique in a wave'
    ]


def test_an_empty_id_is_named_by_its_repo() -> None:
    assert problems(Issue("", "api")) == [
        "an issue of repo 'api' has an empty id; give it one, e.g. 'api#1'"
    ]


def test_a_repo_that_is_not_the_projects_is_named_beside_those_that_are() -> None:
    assert problems(Issue("app#1", "app"), repos=["api", "web"]) == [
        'issue "app#1" is in repo "app", which is not one of the project\'s repos (api, web); '
        "add it to repos"
    ]


def test_a_project_without_repos_says_so() -> None:
    assert problems(Issue("app#1", "app"), repos=[]) == [
        'issue "app#1" is in repo "app", which is not one of the project\'s repos (none); '
        "add it to repos"
    ]


def test_a_repo_that_is_listed_twice_is_named() -> None:
    assert problems(Issue("api#1", "api"), repos=["api", "api"]) == ['repo "api" is listed twice']


def test_an_issue_that_is_in_the_wave_and_done_is_named() -> None:
    assert problems(Issue("api#1", "api"), done=("api#1",)) == [
        'issue "api#1" is in the wave and listed under done; drop one of the two'
    ]


@pytest.mark.parametrize("estimate", [-1.0, float("nan")])
def test_an_estimate_that_is_no_length_of_time_is_named(estimate: float) -> None:
    assert problems(Issue("api#1", "api", estimate=estimate)) == [
        f'issue "api#1" has the estimate {estimate}; give seconds, 0 or more'
    ]


@pytest.mark.parametrize("label", ["", " ", "two\nlines", "nul\0", "half \ud800", 7])
def test_a_label_that_is_no_text_of_one_line_is_named(label: Any) -> None:
    assert problems(Issue("api#1", "api", labels=["bug", label])) == [
        f'issue "api#1" has the label {label!r}; give one line of text'
    ]


def test_a_cycle_is_named_from_its_first_id_round_to_it_again() -> None:
    found = problems(
        Issue("web#1", "web", ["app#1"]),
        Issue("api#1", "api", ["web#1"]),
        Issue("app#1", "app", ["api#1"]),
    )

    assert found == [
        "these issues wait for each other: api#1 → web#1 → app#1 → api#1; "
        "remove one of these dependencies"
    ]


def test_an_issue_that_depends_on_itself_is_a_cycle() -> None:
    assert problems(Issue("api#1", "api", ["api#1"])) == [
        "these issues wait for each other: api#1 → api#1; remove one of these dependencies"
    ]


def test_two_cycles_are_both_named_and_what_waits_for_them_is_not() -> None:
    found = problems(
        Issue("web#9", "web", ["api#1", "web#1"]),
        Issue("api#1", "api", ["api#2"]),
        Issue("api#2", "api", ["api#1"]),
        Issue("web#1", "web", ["web#2"]),
        Issue("web#2", "web", ["web#1"]),
    )

    assert found == [
        "these issues wait for each other: api#1 → api#2 → api#1; remove one of these dependencies",
        "these issues wait for each other: web#1 → web#2 → web#1; remove one of these dependencies",
    ]


def test_all_that_is_wrong_is_listed_at_once_cycles_too() -> None:
    found = problems(
        Issue("api#1", "api", ["api#2"]),
        Issue("api#2", "api", ["api#1"]),
        Issue("app#1", "app", ["gone#1"]),
        Issue("app#1", "api", estimate=-5),
        repos=["api"],
    )

    assert [problem.partition(" ")[0] for problem in found] == ["issue"] * 4 + ["these"]
    assert "twice" in found[0]
    assert 'repo "app"' in found[1]
    assert "estimate -5" in found[2]
    assert "gone#1" in found[3]
    assert "api#1 → api#2 → api#1" in found[4]


def test_what_is_done_already_is_no_reason_to_wait() -> None:
    wave = Wave([Issue("web#1", "web", ["api#9"])], done=["api#9"])

    assert wave.dependencies == ((),)


def test_a_diamond_is_no_cycle() -> None:
    wave = Wave(
        [
            Issue("d", "r", ["b", "c"]),
            Issue("b", "r", ["a"]),
            Issue("c", "r", ["a"]),
            Issue("a", "r"),
        ]
    )

    assert [wave.issues[at].id for at in wave.topological()] == ["a", "b", "c", "d"]


def test_a_wave_without_issues_is_a_wave() -> None:
    assert len(Wave([])) == 0


def test_the_projects_repos_are_those_of_the_issues_in_order_if_not_given() -> None:
    wave = Wave([Issue("web#1", "web"), Issue("api#1", "api"), Issue("web#2", "web")])

    assert wave.repos == ("web", "api")


def test_a_wave_finds_its_issues_by_id() -> None:
    wave = Wave([Issue("web#1", "web"), Issue("api#12", "api"), Issue("web#12", "web")])

    assert wave["web#12"].repo == "web"
    assert "api#12" in wave
    assert "#12" not in wave


def test_a_text_for_depends_on_is_refused_before_it_is_read_letter_by_letter() -> None:
    with pytest.raises(TypeError) as caught:
        Issue("web#1", "web", "api#1")

    assert str(caught.value) == (
        "issue 'web#1': depends_on is the text 'api#1'; give a list of ids, e.g. ['api#1']"
    )


def test_a_dependency_that_is_given_twice_counts_once() -> None:
    assert Issue("web#1", "web", ["api#1", "api#1"]).depends_on == ("api#1",)


def test_labels_keep_their_order_and_count_once() -> None:
    assert Issue("web#1", "web", labels=["ui", "bug", "ui"]).labels == ("ui", "bug")


def test_a_text_in_place_of_a_list_of_labels_is_an_error_that_says_so() -> None:
    with pytest.raises(TypeError, match=r"labels is the text 'bug'; give a list of labels"):
        Issue("web#1", "web", labels="bug")


def test_issues_are_equal_when_all_their_fields_are() -> None:
    one = Issue("web#1", "web", ["api#1"], title="Footer", priority=1, estimate=60)

    assert one == Issue("web#1", "web", ("api#1",), title="Footer", priority=1, estimate=60)
    assert one != Issue("web#1", "web", ("api#1",), title="Header", priority=1, estimate=60)
    assert one != Issue(
        "web#1", "web", ("api#1",), title="Footer", priority=1, estimate=60, labels=["ui"]
    )
    assert one != "web#1"


def test_issues_are_found_in_sets_by_what_they_are() -> None:
    assert Issue("web#1", "web") in {Issue("web#1", "web")}
    assert Issue("web#1", "web") not in {Issue("web#2", "web")}


def test_an_assignment_is_its_issue() -> None:
    issue = Issue(
        *("web#1", "web", ["api#1"]),
        title="Footer",
        body="…",
        priority=1,
        estimate=60,
        labels=["ui"],
    )

    handed_over = assignment(issue, attempt=3, feedback="add a test")

    assert isinstance(handed_over, Assignment)
    assert handed_over == issue
    assert issue == handed_over
    assert hash(handed_over) == hash(issue)
    assert (handed_over.attempt, handed_over.round, handed_over.feedback) == (3, 0, "add a test")
