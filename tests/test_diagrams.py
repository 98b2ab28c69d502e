"""The pictures show what the tables and the code say, and a stale file is noticed."""

from __future__ import annotations

import html
import os
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import graphviz
import pytest

from wavelane import diagrams
from wavelane.diagrams import architecture, machines, pictures
from wavelane.diagrams.__main__ import main
from wavelane_model import cap, lifecycle
from wavelane_model.lifecycle import IN_FLIGHT, TABLE, Row

pytestmark = pytest.mark.needs("dot")

ROOT = Path(__file__).parent.parent

Ways = set[tuple[str, str, str]]
"""Source, target and what is said about the way: a trigger with its guards in brackets."""


def said(trigger: str, conditions: list[str]) -> str:
    return f"{trigger} [{', '.join(conditions)}]" if conditions else trigger


def ways_of_table(table: tuple[Row, ...]) -> Ways:
    return {
        (
            row.source,
            row.target,
            said(row.trigger, [*row.guards, *(f"not {guard}" for guard in row.unless)]),
        )
        for row in table
    }


def ways_of_cap(ceiling: int) -> Ways:
    return {
        (cap.level_name(edge.source), cap.level_name(edge.target), said(edge.move, [edge.when]))
        if edge.when
        else (cap.level_name(edge.source), cap.level_name(edge.target), edge.move)
        for edge in cap.edges(ceiling)
    }


def unframed(source: str) -> frozenset[str]:
    return IN_FLIGHT if source in ("in_flight", "cluster_in_flight") else frozenset({source})


def labels_in(markup: str) -> list[str]:
    """The labels of an HTML-like label in DOT: a name in bold, and the guards below it."""
    text = re.sub(r"<b>", "\0", re.sub(r"<br[^>]*/>", " ", markup))
    plain = html.unescape(re.sub(r"<[^>]*>", "", text))
    return [" ".join(label.replace("↺", "").split()) for label in plain.split("\0")[1:]]


def ways_of_dot(dot: str) -> Ways:
    ways: Ways = set()
    for line in map(str.strip, dot.splitlines()):
        markup = re.search(r"label=<(.*?>)>(?= |\])", line)
        if edge := re.match(r'"?(\w+)"? -> "?(\w+)"? \[', line):
            tail = re.search(r"ltail=(\w+)", line)
            assert markup is not None
            ways |= {
                (source, edge[2], label)
                for source in unframed(tail[1] if tail else edge[1])
                for label in labels_in(markup[1])
            }
        elif (node := re.match(r'"?(\w+)"? \[', line)) and markup is not None:
            ways |= {(node[1], node[1], label) for label in labels_in(markup[1])[1:]}
    return ways


def ways_of_mermaid(mermaid: str) -> Ways:
    ways: Ways = set()
    for line in map(str.strip, mermaid.splitlines()):
        if edge := re.match(r"(\w+) --> (\w+) : (.*)", line):
            source, target = (name.removeprefix("level_") for name in edge.groups()[:2])
            ways |= {
                (one, target, label) for one in unframed(source) for label in edge[3].split("<br/>")
            }
        elif stay := re.match(r"(\w+) : ↺ (.*)", line):
            ways.add((stay[1], stay[1], stay[2]))
    return ways


@pytest.fixture(scope="module", autouse=True)
def drawn_once() -> Iterator[None]:
    """Each picture of each source is drawn once, and the code is read once for the architecture."""
    pipe = graphviz.Source.pipe
    known: dict[tuple[str, str, str], bytes] = {}

    def pipe_once(source: Any, format: str) -> bytes:  # noqa: A002
        key = os.environ["PATH"], source.source, format
        if key not in known:
            known[key] = pipe(source, format=format)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graphviz.Source, "pipe", pipe_once)
        patch.setitem(pictures._DRAWINGS, "architecture", cache(architecture.architecture))
        yield


@pytest.fixture(scope="module")
def written_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "diagrams"
    diagrams.write_all(folder)
    return folder


@pytest.fixture
def written(tmp_path: Path, written_once: Path) -> Path:
    """A folder with all files as generated from the code, for one test to edit."""
    return shutil.copytree(written_once, tmp_path / "diagrams")


def without_set(ways: Ways) -> Ways:
    return {way for way in ways if not way[2].startswith("set ")}


def test_every_row_of_the_issue_table_is_in_the_dot_with_its_guards() -> None:
    assert ways_of_dot(diagrams.render("issue", "dot")) == ways_of_table(TABLE)


def test_every_row_of_the_issue_table_is_in_the_mermaid_with_its_guards() -> None:
    assert ways_of_mermaid(diagrams.render("issue", "mermaid")) == ways_of_table(TABLE)


def test_every_move_of_the_cap_but_set_is_drawn() -> None:
    expected = without_set(ways_of_cap(machines.CEILING))

    assert ways_of_dot(diagrams.render("cap", "dot")) == expected
    assert ways_of_mermaid(diagrams.render("cap", "mermaid")) == expected


@pytest.mark.parametrize("kind", ["svg", "dot", "mermaid"])
def test_the_cap_says_in_words_that_set_leads_everywhere(kind: diagrams.Format) -> None:
    text = str(diagrams.render("cap", kind))

    assert "not drawn: set leads from every level to every other one" in text
    assert "set [asks_3] to 3" in text
    assert "set [asks_0] to paused" in text


def test_the_happy_path_is_one_heavy_line_from_queued_to_done() -> None:
    heavy = [(edge.source, edge.target) for edge in machines.issue().edges if edge.role == "path"]

    assert heavy == [
        ("queued", "admitted"),
        ("admitted", "running"),
        ("running", "review"),
        ("review", "merging"),
        ("merging", "done"),
    ]


def test_what_all_states_in_flight_can_do_alike_leads_once_from_their_frame() -> None:
    framed = {
        (edge.target, *map(str, edge.labels))
        for edge in machines.issue().edges
        if edge.source == machines.FLIGHT
    }

    assert framed == {
        ("queued", "reset"),
        ("done", "find_merged"),
        ("parked", "block"),
        ("cancelled", "cancel"),
    }


def test_a_move_that_one_state_in_flight_lacks_leaves_the_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = tuple(row for row in TABLE if row[:2] != ("reset", "review"))
    monkeypatch.setattr(lifecycle, "TABLE", table)

    assert ways_of_dot(diagrams.render("issue", "dot")) == ways_of_table(table)
    assert "in_flight --> queued" not in diagrams.render("issue", "mermaid")


def test_a_changed_row_makes_the_committed_files_out_of_date(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = Row("approve", "review", "merging", ("session_open", "untouched"))
    table = tuple(changed if row.trigger == "approve" else row for row in TABLE)
    monkeypatch.setattr(lifecycle, "TABLE", table)

    stale = diagrams.differences(written)

    assert [line.partition(" ")[0] for line in stale] == [
        str(written / name) for name in ("issue.svg", "issue.dot", "issue.mmd")
    ]
    assert all("is out of date; run: uv run python -m wavelane.diagrams write" in s for s in stale)


@pytest.mark.parametrize(
    "name",
    ["issue.svg", "issue.dot", "issue.mmd", "cap.svg", "architecture.svg", "README.md"],
)
def test_an_edited_file_is_out_of_date(name: str, written: Path) -> None:
    edited = written / name
    edited.write_text(re.sub(r">paused<|>queued<|>replay<|issue", ">lost<", edited.read_text()))

    assert diagrams.differences(written) == [
        f"{edited} is out of date; run: uv run python -m wavelane.diagrams write {written}"
    ]


def test_a_missing_file_and_an_svg_that_is_none_are_named(written: Path) -> None:
    (written / "cap.dot").unlink()
    (written / "cap.svg").write_text("<svg")

    assert [line.partition(";")[0] for line in diagrams.differences(written)] == [
        f"{written / 'cap.svg'} is out of date",
        f"{written / 'cap.dot'} is missing",
    ]


def test_an_svg_drawn_with_other_fonts_is_up_to_date(written: Path) -> None:
    moved = written / "issue.svg"
    moved.write_text(re.sub(r'(x|y|width|height)="[^"]*"', r'\1="1"', moved.read_text()))

    assert diagrams.differences(written) == []


def test_the_committed_files_are_up_to_date() -> None:
    assert diagrams.differences(ROOT / "diagrams") == []


def test_an_svg_can_be_read_on_a_dark_page() -> None:
    for name in diagrams.NAMES:
        root = ElementTree.fromstring(diagrams.render(name, "svg"))
        background = root.find(".//{http://www.w3.org/2000/svg}polygon")
        assert background is not None
        assert background.get("fill") == "white"


def test_a_png_is_a_png() -> None:
    assert diagrams.render("cap", "png").startswith(b"\x89PNG\r\n")


def test_an_unknown_picture_or_format_is_named() -> None:
    with pytest.raises(ValueError, match="there is no picture 'lanes'; there are issue, cap, arch"):
        diagrams.render("lanes", "dot")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="there is no format 'gif'; there are svg, png, dot, mer"):
        diagrams.render("cap", "gif")  # type: ignore[call-overload]


def test_without_the_program_dot_svg_says_how_to_get_it_and_the_texts_still_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    for name in diagrams.NAMES:
        assert "digraph" in diagrams.render(name, "dot")
        assert "title:" in diagrams.render(name, "mermaid")
        for kind in ("svg", "png"):
            with pytest.raises(diagrams.DotMissing, match=r"apt install graphviz.*brew install"):
                diagrams.render(name, kind)


def test_without_the_program_dot_nothing_is_written_and_the_command_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert main(["write", str(tmp_path / "new")]) == 2
    assert main(["check", str(tmp_path / "new")]) == 2
    assert not (tmp_path / "new").exists()
    assert "--format dot or --format mermaid" in capsys.readouterr().err


def test_the_command_writes_then_agrees_then_notices_an_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["write"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "diagrams/issue.svg"
    assert main(["check"]) == 0

    shutil.copy("diagrams/cap.mmd", "diagrams/issue.mmd")
    capsys.readouterr()

    assert main(["check"]) == 1
    out, err = capsys.readouterr()
    assert err.startswith("diagrams/issue.mmd is out of date")
    assert out == ""


def test_an_import_to_which_a_longer_way_leads_is_not_drawn() -> None:
    imports = {"a": {"b", "c"}, "b": {"c"}, "c": set[str]()}

    assert architecture.reduced(imports) == [("a", "b"), ("b", "c")]


def test_modules_that_import_each_other_stay_connected() -> None:
    imports = {"a": {"b", "c"}, "b": {"a", "c"}, "c": set[str]()}

    kept = architecture.reduced(imports)

    assert {("a", "b"), ("b", "a")} <= set(kept)
    assert len([edge for edge in kept if edge[1] == "c"]) == 1


def test_the_architecture_shows_each_wing_and_the_model_once() -> None:
    drawing = architecture.architecture()
    titles = [node.title for node in drawing.nodes]

    assert len(titles) == len(set(titles))
    assert {*titles} == {*architecture.wings(), "wavelane_model"} - {"testing"}
    assert len(titles) <= 18, "more boxes than a reader takes in at one glance"


def test_no_arrow_of_the_architecture_leads_out_of_the_model() -> None:
    edges = architecture.architecture().edges

    assert "wavelane_model" in {edge.target for edge in edges}
    assert "wavelane_model" not in {edge.source for edge in edges}


def test_every_box_of_the_architecture_says_what_it_is_for_in_a_few_words() -> None:
    sentences = {node.title: node.sentence for node in architecture.architecture().nodes}

    assert {title: said for title, said in sentences.items() if not 10 < len(said) < 80} == {}
    assert all(said.endswith(".") for said in sentences.values())
