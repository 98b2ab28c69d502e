from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavelane.git.slugs import slug

WEIRD = [
    "a/b c",
    "../x",
    "x.lock",
    "ä#1",
    "x" * 300,
    ".",
    "..",
    "-",
    "@",
    "a..b",
    "%41",
    "@{",
    "\n",
]


@pytest.mark.parametrize(
    ("issue_id", "expected"),
    [
        ("api#12", "api#12"),
        ("a/b c", "a%2Fb%20c"),
        ("../x", "%2E%2E%2Fx"),
        ("x.lock", "x%2Elock"),
        ("v1.2", "v1.2"),
        ("a..b", "a%2E%2Eb"),
        (".hidden.", "%2Ehidden%2E"),
        ("ä#1", "%C3%A4#1"),
        ("@agent", "%40agent"),
        ("50%", "50%25"),
    ],
)
def test_a_slug_keeps_what_is_plain_and_encodes_the_rest(issue_id: str, expected: str) -> None:
    assert slug(issue_id) == expected


def test_long_ids_that_differ_at_the_end_have_short_slugs_that_differ() -> None:
    first, second = slug("x" * 300 + "1"), slug("x" * 300 + "2")

    assert first != second
    assert len(first) <= 100


@pytest.mark.git
@pytest.mark.parametrize("issue_id", WEIRD)
def test_git_accepts_the_slug_of_a_weird_id(issue_id: str) -> None:
    name = f"refs/heads/wavelane/w/issue/{slug(issue_id)}"

    assert subprocess.run(["git", "check-ref-format", name], check=False).returncode == 0


@given(st.lists(st.text(min_size=1), min_size=2, max_size=2, unique=True))
def test_two_ids_never_share_a_slug(ids: list[str]) -> None:
    assert slug(ids[0]) != slug(ids[1])


@given(st.text(st.sampled_from("a.#%/@l ock-"), min_size=1))
def test_a_slug_is_one_plain_part_of_a_path(issue_id: str) -> None:
    found = slug(issue_id)

    assert "/" not in found
    assert "@" not in found
    assert ".." not in found
    assert not found.startswith(".")
    assert not found.endswith((".", ".lock"))
    assert len(found) <= 100
