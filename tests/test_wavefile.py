"""The wave file: what it may contain, what it means, and how it is refused."""

from __future__ import annotations

import errno
import json
import os
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelane.wavefile import WaveFile, WaveFileError, json_schema, load, parse
from wavelane_model.limits import Limits
from wavelane_model.problems import Location, Place, Problem
from wavelane_model.wave_problems import WaveProblemCode

EXAMPLE = Path(__file__).parent.parent / "examples" / "wave.yaml"

SMALL = """\
wave: small
implement: make it
repos:
  api: ../api
issues:
  - id: api#1
    repo: api
"""


def problems(text: str, path: str = "wave.yaml") -> list[str]:
    with pytest.raises(WaveFileError) as caught:
        parse(textwrap.dedent(text), path)
    found = [str(problem) for problem in caught.value.problems]
    assert str(caught.value) == "\n".join(found)
    return found


def only_problem(text: str, path: str = "wave.yaml") -> str:
    (problem,) = problems(text, path)
    return problem


# Valid files.


def test_the_smallest_file_gets_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "wave.yaml"
    file.write_text(SMALL)

    found = load(file)

    assert found.path == file
    assert found.directory == tmp_path
    assert found.state_dir == tmp_path / ".wavelane" / "small"
    assert found.cap is None
    assert found.lane_release == "done"
    assert found.to_limits() == Limits()
    assert found.repos["api"].path == (tmp_path / "../api").resolve()
    assert found.repos["api"].base is None
    assert found.command_for("api#1", "implement") == "make it"
    assert found.command_for("api#1", "review") is None
    assert found.gates_for("api") == {}


def test_the_example_loads_though_its_repos_are_not_there() -> None:
    found = load(EXAMPLE)

    assert list(found.repos) == ["api", "web"]
    assert [issue.id for issue in found.to_wave().issues] == ["api#1", "api#2", "web#1", "web#2"]
    assert found.to_wave()["api#2"].estimate == 1200
    assert found.to_limits().implement_timeout == 1800
    assert found.command_for("api#1", "review") == ("my-agent", "review", "--strict")
    assert found.command_for("web#2", "implement") == "npx eslint --fix src"
    assert list(found.gates_for("web")) == ["test", "lint"]


def test_the_wave_has_all_that_the_issues_say() -> None:
    found = parse(
        """
        wave: w
        implement: x
        repos: {web: web, api: api}
        done: infra#3
        issues:
          - {id: api#1, repo: api, title: " One ", body: "two\\n", depends_on: infra#3,
             priority: -2, estimate: 1.5m, labels: [bug, good first issue, bug]}
          - {id: web#1, repo: web, depends_on: [api#1, infra#3, api#1], labels: ui}
        """
    ).to_wave()

    first, second = found.issues
    assert found.repos == ("web", "api")
    assert found.done == {"infra#3"}
    assert (first.id, first.repo, first.title, first.body) == ("api#1", "api", "One", "two\n")
    assert (first.depends_on, first.priority, first.estimate) == (("infra#3",), -2, 90)
    assert second.depends_on == ("api#1", "infra#3")
    assert (first.labels, second.labels) == (("bug", "good first issue"), ("ui",))


def test_an_issue_goes_before_its_repo_and_that_before_the_file() -> None:
    found = parse(
        """
        wave: w
        implement: of the file
        review: [of, the, file]
        gates: {test: of the file}
        repos:
          a: a
          b: {path: b, implement: of the repo, gates: {lint: [of, the, repo]}}
          c: {path: c, gates: {}}
          d: {path: d, gates: }
        issues:
          - {id: one, repo: a}
          - {id: two, repo: b}
          - {id: three, repo: b, implement: of the issue, review: of the issue}
        """
    )

    assert found.command_for("one", "implement") == "of the file"
    assert found.command_for("two", "implement") == "of the repo"
    assert found.command_for("two", "review") == ("of", "the", "file")
    assert found.command_for("three", "implement") == "of the issue"
    assert found.command_for("three", "review") == "of the issue"
    assert found.gates_for("a") == found.gates_for("d") == {"test": "of the file"}
    assert found.gates_for("b") == {"lint": ("of", "the", "repo")}
    assert found.gates_for("c") == {}
    with pytest.raises(KeyError):
        found.command_for("nine", "implement")
    with pytest.raises(KeyError):
        found.gates_for("nine")


def test_a_text_is_taken_as_it_is_written() -> None:
    found = parse(
        """
        wave: 2026-11-23
        implement: [sleep, 1.50, true, ""]
        repos: {no: {path: 007, base: 1.10}}
        issues:
          - {id: 12, repo: no, title: on, depends_on: [1:30, 0x1F]}
          - {id: 1:30, repo: no, depends_on: 0x1F}
          - {id: 0x1F, repo: no, body: 3}
        """
    )

    assert found.wave == "2026-11-23"
    assert found.repos["no"].base == "1.10"
    assert found.repos["no"].path.name == "007"
    assert [issue.id for issue in found.issues] == ["12", "1:30", "0x1F"]
    assert found.issues[0].depends_on == ("1:30", "0x1F")
    assert (found.issues[0].title, found.issues[2].body) == ("on", "3")
    assert found.implement == ("sleep", "1.50", "true", "")


def test_a_key_without_a_value_is_left_out() -> None:
    found = parse(
        """
        wave: w
        cap:
        limits: {failures: , merge_timeout: null}
        implement: x
        review: ~
        repos: {a: {path: a, base: }}
        done:
        issues:
          - {id: one, repo: a, body: , depends_on: , estimate: }
        """
    )

    assert found.cap is None
    assert found.review is None
    assert found.to_limits() == Limits()
    assert found.repos["a"].base is None
    assert (found.issues[0].body, found.issues[0].depends_on) == ("", ())


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("600", 600), ("0.5", 0.5), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400)],
)
def test_times_are_in_seconds_or_carry_a_unit(written: str, seconds: float) -> None:
    found = parse(SMALL + f"limits: {{merge_timeout: {written}}}")
    assert found.to_limits().merge_timeout == seconds


def test_limits_come_out_as_the_scheduler_takes_them() -> None:
    found = parse(
        SMALL
        + "limits: {review_rounds: 0, checkpoints: 1, conflicts: 0, failures: 5, gate_attempts: 0,"
        " implement_timeout: 30m, review_timeout: 600, merge_timeout: 2m, postpone_delay: 0}"
    )

    assert found.to_limits() == Limits(0, 1, 0, 5, 0, 1800, 600, 120, 0)


def test_paths_are_relative_to_the_file_not_to_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "waves").mkdir()
    (tmp_path / "waves" / "wave.yaml").write_text(
        SMALL.replace("../api", "../repos/api") + "work_dir: ../work"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    found = load("waves/wave.yaml")

    assert found.path == tmp_path / "waves" / "wave.yaml"
    assert found.repos["api"].path == tmp_path / "repos" / "api"
    assert found.state_dir == tmp_path / "work" / "small"
    at_home = parse(SMALL.replace("../api", "~/api"))
    assert at_home.repos["api"].path == tmp_path / "home" / "api"


def test_json_is_read_with_its_tabs_and_its_pairs_of_escapes(tmp_path: Path) -> None:
    content = {
        "$schema": "./wave.schema.json",
        "wave": "w",
        "implement": ["x"],
        "repos": {"a": "a"},
        "issues": [{"id": 1, "repo": "a", "title": "a rocket \U0001f680 \\ / \t."[:-3]}],
    }
    file = tmp_path / "wave.json"
    file.write_text(json.dumps(content, indent="\t"))

    found = load(file)

    assert "\\ud83d" in file.read_text()
    assert found.issues[0].title == "a rocket \U0001f680 \\ /"


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    file = tmp_path / "wave.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + SMALL.encode())
    assert load(file).wave == "small"


def test_anchors_and_aliases_are_yaml_and_may_be_used() -> None:
    found = parse(
        """
        wave: w
        implement: &it make it
        review: *it
        repos: {a: a}
        issues: [{id: one, repo: a, depends_on: &on [two]}, {id: three, repo: a, depends_on: *on}]
        done: two
        """
    )

    assert found.review == "make it"
    assert found.issues[1].depends_on == ("two",)


# Refusals.


def test_all_problems_are_told_at_once_each_with_its_line() -> None:
    found = problems(
        """\
        wave: not good
        cap: 0
        lane_release: never
        limits:
          failurs: 3
          review_timeout: 0
        repos:
          api: ../api
          web:
            base: main
          lib: {path: ../lib, implement: make}
        issues:
          - id: api#1
            repo: api
            dependson: x
          - id: api#2
            repo: apo
            depends_on:
              - api#3
              - nix#1
          - repo: api
          - id: api#3
            repo: lib
            depends_on: api#2
            priority: high
          - id: api#3
            repo: lib
            estimate: 3 days
            labels: [bug, {ui: true}]
        """
    )

    assert found == [
        "wave.yaml:1: wave: is 'not good'; use at most 100 letters, digits, '-', '_' and '.', "
        "starting with a letter, a digit or '_', without '..' and not ending in '.' or '.lock'",
        "wave.yaml:2: cap: is '0'; give a whole number, 1 or more",
        "wave.yaml:3: lane_release: is 'never'; give one of 'done' or 'review'",
        "wave.yaml:5: limits.failurs: is not a key of a wave file; did you mean failures?",
        "wave.yaml:6: limits.review_timeout: is '0'; give a time above 0, or leave it out for no "
        "limit",
        "wave.yaml:9: repos.web.path: is missing; add it",
        'wave.yaml:13: issues[0]: issue "api#1" has no implement command; give one to the issue, '
        "to its repo or to the file",
        "wave.yaml:15: issues[0].dependson: is not a key of a wave file; did you mean depends_on?",
        'wave.yaml:17: issues[1].repo: issue "api#2" is in repo "apo", which is not one of the '
        "project's repos (api, web, lib); add it to repos",
        'wave.yaml:18: issues[1].depends_on: issue "api#2" depends on "nix#1", which is not in '
        "the wave; add it, or list it under done",
        "wave.yaml:18: issues[1].depends_on: these issues wait for each other: "
        "api#2 → api#3 → api#2; remove one of these dependencies",
        "wave.yaml:21: issues[2].id: is missing; add it",
        "wave.yaml:25: issues[3].priority: is 'high'; give a whole number from -1000000000 to "
        "1000000000",
        'wave.yaml:26: issues[4].id: issue "api#3" is listed twice; ids are unique in a wave',
        "wave.yaml:28: issues[4].estimate: is '3 days'; give seconds, 0 or more, or a time such as "
        "90s, 30m, 2h or 1h30m",
        "wave.yaml:29: issues[4].labels[1]: is a mapping; give a text",
    ]


def test_a_key_that_is_there_twice_is_not_overridden_in_silence() -> None:
    assert only_problem(SMALL + "wave: other\n") == (
        "wave.yaml:8: wave: is there twice (first on line 1); keep one of the two"
    )


def test_every_copy_of_an_id_is_told_at_its_own_line() -> None:
    twice = 'issue "api#1" is listed twice; ids are unique in a wave'

    found = problems(SMALL + "  - {id: api#1, repo: api}\n" * 2)

    assert found == [
        f"wave.yaml:8: issues[1].id: {twice}",
        f"wave.yaml:9: issues[2].id: {twice}",
    ]


def test_an_issue_that_is_in_the_wave_and_done_is_told_at_the_issue() -> None:
    assert only_problem(SMALL + "done: api#1\n") == (
        'wave.yaml:6: issues[0].id: issue "api#1" is in the wave and listed under done; '
        "drop one of the two"
    )


def test_without_any_implement_command_there_is_one_problem_not_one_for_each_issue() -> None:
    text = SMALL.replace("implement: make it\n", "") + "  - {id: api#2, repo: api}\n"
    assert only_problem(text) == (
        "wave.yaml:1: implement: is missing; add the command that implements an issue"
    )


def test_a_name_that_cannot_be_part_of_a_branch_is_refused() -> None:
    for name in ("a/b", "..", "a..b", ".a", "-a", "a.lock", "a.", "a b", "ä", "x" * 101, '""'):
        assert "wave.yaml:1: wave: is " in only_problem(SMALL.replace("small", name))
    for name in ("a", "A-1_b.2", "_", "x" * 100):
        assert parse(SMALL.replace("small", name)).wave == name


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("cap: true", "cap: is 'true'; give a whole number, 1 or more"),
        ("cap: 1.5", "cap: is '1.5'; give a whole number, 1 or more"),
        ("cap: " + "9" * 5000, f"cap: is '{'9' * 59}…'; give a whole number, 1 or more"),
        ("cap: [1]", "cap: is a list; give a whole number, 1 or more"),
        ("limits: 3", "limits: is '3'; give a mapping, one `key: value` a line"),
        ("gates: pytest", "gates: is 'pytest'; give a mapping, one `key: value` a line"),
        (
            "gates: {test: }",
            "gates.test: is empty; give a command: a text for the shell, or a list of words with "
            "the program first",
        ),
        (
            "review: []",
            "review: is an empty list; give a command: a text for the shell, or a list of words "
            "with the program first",
        ),
        (
            "work_dir: ''",
            "work_dir: is empty; fill it in (a value that starts with # must be in quotes)",
        ),
        ("done: {a: b}", "done: is a mapping; give a list"),
        ("done: [a, [b]]", "done[1]: is a list; give a text"),
        ("review: !!python/name:os.system x", "review: has the tag"),
        ('review: "\\0"', "review: has a NUL character in it; take it out"),
        ('review: "\\ud800"', "review: has one half of a character (\\ud800 to \\udfff)"),
        ("? [a]\n: b", "has a key that is not a text; give a text"),
        ("verbose: yes", "verbose: is not a key of a wave file; those known here are wave, "),
        ("<<: {cap: 1}", "['<<']: is not a key of a wave file; those known here are wave, "),
    ],
)
def test_a_wrong_value_is_named_with_the_remedy(line: str, problem: str) -> None:
    assert only_problem(SMALL + line).startswith(f"wave.yaml:8: {problem}")


def test_a_dependency_that_yaml_takes_for_a_comment_is_explained() -> None:
    assert only_problem(SMALL + "    depends_on:\n      - #4\n") == (
        "wave.yaml:9: issues[0].depends_on[0]: is empty; "
        "fill it in (a value that starts with # must be in quotes)"
    )


def test_what_a_terminal_would_obey_is_not_passed_on() -> None:
    found = problems(SMALL.replace("api#1", '"\\e[31mred"') + 'done: "\\e]0;\\a"\n"\\e[0m": x\n')
    assert len(found) == 3
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", "".join(found))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1: this is empty; start with `wave: NAME`, `repos:` and `issues:`"),
        ("# nothing yet\n", "1: this is empty; start with `wave: NAME`, `repos:` and `issues:`"),
        ("~", "1: this is empty; a wave file is a mapping with the keys wave, repos, issues"),
        ("- a", "1: this is a list; a wave file is a mapping with the keys wave, repos, issues"),
        ("hello", "1: this is 'hello'; a wave file is a mapping with the keys wave, repos, issues"),
        (
            "wave: w\nissues: [a, b\nrepos: c",
            "3:6: this is not YAML: expected ',' or ']', but got ':'; "
            "check the indentation, the quotes and the brackets up to here",
        ),
        (
            "wave: w\nrepos:\n\tapi: x",
            "3:1: this is not YAML: found character '\\t' that cannot start any token; "
            "indent with spaces, not with tabs",
        ),
        (
            "wave: w\ntitle: a: b",
            "2:9: this is not YAML: mapping values are not allowed here; "
            "put a text with a colon in it in quotes",
        ),
        (
            "wave: w\n---\nwave: x",
            "2:1: this is not YAML: but found another document; "
            "keep to one document, without '---' in between",
        ),
        (
            "wave: w\nrepos: \x00",
            "2:8: this is not YAML: the character U+0000 is not allowed; "
            "check the indentation, the quotes and the brackets up to here",
        ),
        (
            'wave: "\\UFFFFFFFF"',
            "1: this is not YAML: an escape (\\U…) stands for no character; "
            "check what follows the backslashes",
        ),
        ("wave: &a [*a]", "1: this contains an alias (*name) of itself; take it out"),
        ("[" * 50_000, "1: this is nested too deeply; keep to the form of a wave file"),
        ("- " * 50_000, "1: this is nested too deeply; keep to the form of a wave file"),
    ],
)
def test_what_cannot_be_read_at_all_is_one_problem(text: str, problem: str) -> None:
    assert only_problem(text) == f"wave.yaml:{problem}"


def test_an_alias_bomb_is_refused_without_being_set_off() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for at in range(1, 30):
        levels.append(f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]")

    found = only_problem("\n".join(levels))

    assert found.startswith("wave.yaml:1: its aliases (*name) stand for ")


def test_a_large_wave_without_aliases_is_not_taken_for_one() -> None:
    issues = "".join(f"  - {{id: a{at}, repo: api}}\n" for at in range(500))
    assert len(parse(SMALL + issues).to_wave()) == 501


# Files that are not there, or not what they should be.


@pytest.fixture
def unreadable(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"PK\x03\x04\xff\xfe\x00")
    (tmp_path / "utf-16").write_text(SMALL, encoding="utf-16")
    (tmp_path / "loop").symlink_to("loop")
    return {name: tmp_path / name for name in ("missing", "folder", "binary", "utf-16", "loop")}


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("missing", "there is no such file; check the path"),
        ("folder", "this is a directory; give the wave file in it"),
        (
            "binary",
            "this is not a text in UTF-8 (byte 5 is 0xff); save it as UTF-8",
        ),
        (
            "utf-16",
            "this is not a text in UTF-8 (byte 1 is 0xff); save it as UTF-8",
        ),
        ("loop", f"this file cannot be read: {os.strerror(errno.ELOOP)}"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_problem(
    unreadable: dict[str, Path], name: str, problem: str
) -> None:
    with pytest.raises(WaveFileError) as caught:
        load(unreadable[name])
    assert [str(one) for one in caught.value.problems] == [f"{unreadable[name]}: {problem}"]


def test_a_file_without_permission_is_one_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "wave.yaml"
    file.write_text(SMALL)
    if os.geteuid() == 0:  # root may read everything

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
    else:
        file.chmod(0)

    with pytest.raises(WaveFileError, match="may not be read; check its permissions"):
        load(file)


def test_a_path_that_no_file_can_have_is_one_problem() -> None:
    with pytest.raises(WaveFileError, match="a\\?b: this file cannot be read"):
        load("a\0b")


def test_a_file_too_large_to_be_a_wave_file_is_not_read_to_its_end() -> None:
    with pytest.raises(WaveFileError, match="has more than 67,108,864 bytes; give a wave file"):
        load("/dev/zero")


# The schema.


def properties(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {}).items()
        for item in schema.values():
            yield from properties(item)
    elif isinstance(schema, list):
        for item in schema:
            yield from properties(item)


def test_the_schema_helps_with_every_key_and_knows_the_short_forms() -> None:
    schema = json_schema()

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(schema)) == schema
    assert len(list(properties(schema))) == 12 + 9 + 5 + 10
    for name, found in properties(schema):
        named = schema["$defs"].get(found.get("$ref", "").removeprefix("#/$defs/"), found)
        assert named.get("title"), name
        assert found.get("description"), name
    assert schema["required"] == ["wave", "repos", "issues"]
    repo = schema["$defs"]["RepoEntry"]["anyOf"]
    assert [form["type"] for form in repo] == ["string", "object"]
    assert schema["$defs"]["IssueEntry"]["properties"]["depends_on"]["anyOf"][1]["type"] == "array"
    assert schema["$defs"]["LimitsEntry"]["properties"]["checkpoints"]["minimum"] == 1


# Problems of the wave have their place in the file.

OF_A_WAVE: dict[str, tuple[str, int, Location]] = {
    "duplicate-id": ("{id: a, repo: api}, {id: a, repo: api}", 2, ("issues", 2, "id")),
    "issue-is-done": ("{id: gone, repo: api}", 1, ("issues", 1, "id")),
    "unknown-repo": ("{id: a, repo: app}", 1, ("issues", 1, "repo")),
    "unknown-dependency": ("{id: a, repo: api, depends_on: b}", 1, ("issues", 1, "depends_on")),
    "dependency-cycle": (
        "{id: b, repo: api, depends_on: a}, {id: a, repo: api, depends_on: b}",
        2,
        ("issues", 2, "depends_on"),
    ),
}
"""Issues that follow one without an id, the line of the problem after it, and its place."""
REFUSED_ALREADY = {
    *("empty-id", "not-unicode", "bad-estimate", "bad-label"),
    *("duplicate-repo", "bad-experience"),
}
"""What the file cannot say at all, or what is refused as a value before a wave is made of it."""


@pytest.mark.parametrize("code", get_args(WaveProblemCode))
def test_each_kind_of_problem_of_a_wave_has_its_line_in_the_file(code: str) -> None:
    if code in REFUSED_ALREADY:
        return
    issues, line, path = OF_A_WAVE[code]
    text = "wave: w\ndone: gone\nimplement: it\nrepos: {api: api}\nissues: [\n{repo: api},\n"
    text += issues.replace("}, {", "},\n{") + "]\n"

    with pytest.raises(WaveFileError) as caught:
        parse(text)

    missing, problem = sorted(caught.value.problems, key=lambda one: one.code != "missing-key")
    assert missing.place == Place(("issues", 0, "id"), "wave.yaml", 6)
    assert problem.code == code
    assert problem.place == Place(path, "wave.yaml", 6 + line)


def test_a_problem_of_a_value_says_which_issue_or_repo_it_belongs_to() -> None:
    with pytest.raises(WaveFileError) as caught:
        parse(SMALL.replace("api: ../api", "api: {path: x, bse: y}") + "    priority: high\n")

    assert [(one.code, one.subject, one.place.path) for one in caught.value.problems] == [
        ("unknown-key", "api", ("repos", "api", "bse")),
        ("bad-value", "api#1", ("issues", 0, "priority")),
    ]


# No error but WaveFileError, whatever the input.

JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from([*WaveFile.model_fields, "id", "repo", "depends_on", "path", "x"])
NEAR_MISSES = st.recursive(
    JSON_LIKE | st.sampled_from(["api", "api#1", "3m", "done"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=8),
    max_leaves=30,
)
YAML_TEXT = st.text(
    st.sampled_from("ab1 \n\t:-?&*!|>'\"[]{},#%@`~<=\\\x00\x85\u2028\ufeff\ud800é")
    | st.characters()
)


def refusal(text: str, path: str) -> Sequence[Problem]:
    try:
        found = parse(text, path)
    except WaveFileError as error:
        return error.problems
    found.to_wave()
    found.to_limits()
    return ()


def check_answer(text: str, path: str) -> None:
    for problem in refusal(text, path):
        assert re.match(r"wave\.(yaml|json):\d+(:\d+)?: ", str(problem))
        assert "\n" not in str(problem)
        assert "nput should" not in str(problem)


@settings(deadline=None)
@given(YAML_TEXT | st.text())
def test_no_text_is_answered_with_a_traceback(text: str) -> None:
    check_answer(text, "wave.yaml")


@settings(deadline=None)
@given(NEAR_MISSES)
def test_no_structure_is_answered_with_a_traceback(content: Any) -> None:
    check_answer(json.dumps(content), "wave.json")
    check_answer(yaml.safe_dump(content), "wave.yaml")


@settings(deadline=None)
@given(st.data())
def test_a_good_file_with_something_else_in_one_place_is_answered_in_plain_words(
    data: st.DataObject,
) -> None:
    content = yaml.safe_load(EXAMPLE.read_text())
    place, key = content, data.draw(st.sampled_from(list(content)))
    while isinstance(place[key], dict | list) and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(
            st.sampled_from(list(place) if isinstance(place, dict) else [*range(len(place))])
        )
    place[key] = data.draw(NEAR_MISSES)

    check_answer(json.dumps(content), "wave.json")


@settings(deadline=None)
@given(st.binary())
def test_no_bytes_are_answered_with_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    file = tmp_path_factory.mktemp("bytes") / "wave.yaml"
    file.write_bytes(data)
    with pytest.raises(WaveFileError) as caught:
        load(file)
    assert all(problem.place.file == str(file) for problem in caught.value.problems)
