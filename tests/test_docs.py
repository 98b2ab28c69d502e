"""The docs are true: the tutorial runs, examples are valid, lists are complete."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import pytest
from docs.generate import PARTS, tree
from tests.helpers import scheduler_of, wave_of

import wavelane
import wavelane.testing
from wavelane import Finished, Issue, Scheduler, Wave
from wavelane.cli.outputs import OUTPUTS
from wavelane.testing import ScriptedPipeline, run_virtual, virtual_clock
from wavelane.wavefile import parse

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
READ_TOO = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "specs/README.md")]


class Block(NamedTuple):
    """A fenced block of a page: its language, its file name, and its text."""

    language: str
    title: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    fence = re.compile(
        r'^( *)```(\w+)(?: title="([^"]+)")?\n(.*?)^\1```$', re.DOTALL | re.MULTILINE
    )
    for indent, language, title, text in fence.findall(page.read_text(encoding="utf-8")):
        lines = [line.removeprefix(indent) for line in text.splitlines(keepends=True)]
        yield Block(language, title, "".join(lines))


def matches(expected: str, printed: str) -> bool:
    """Whether lines were printed in this order; … stands for anything, in a line or for lines."""
    lines = [" ".join(line.split()) for line in expected.splitlines() if line.strip() != "…"]
    parts = [re.escape(line).replace("…", ".*?") for line in lines]
    at = 0
    for part in parts:
        found = re.compile(rf"^{part}$", re.MULTILINE).search(printed, at)
        if found is None:
            return False
        at = found.end()
    return True


@pytest.mark.git
def test_the_tutorial_runs_as_printed(tmp_path: Path) -> None:
    """The files are written, the commands run, and they print what the page says."""
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"} | {
        "PATH": os.pathsep.join((str(tmp_path / ".bin"), os.environ["PATH"])),
        "PYTHONPATH": os.pathsep.join((str(ROOT / "model"), str(ROOT / "executor"))),
        "COLUMNS": "160",
    }
    for who in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{who}_NAME": "A Reader", f"GIT_{who}_EMAIL": "reader@example.org"}
    put_on_path(tmp_path / ".bin" / "wavelane")
    printed = ""
    for block in blocks(DOCS / "tutorial.md"):
        if block.title:
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "sh":
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block.text],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert done.returncode == 0, f"{block.text}\n{done.stdout}{done.stderr}"
            printed = "\n".join(" ".join(line.split()) for line in done.stdout.splitlines())
        elif block.language == "text":
            assert matches(block.text, printed), (
                f"{block.text}\nis not what was printed:\n{printed}"
            )


def put_on_path(command: Path) -> None:
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wavelane "$@"\n')
    command.chmod(0o755)


def test_what_a_page_prints_is_compared_line_by_line() -> None:
    assert matches("a\n…\nc …", "a\nb\nc 3 s")
    assert not matches("a\nc", "c\na")
    assert not matches("a", "a b")


PROGRAMS = [
    pytest.param(dedent(block.text), id=f"{page.relative_to(ROOT)}:{number}")
    for page in [*PAGES, *READ_TOO]
    for number, block in enumerate(blocks(page))
    if block.language == "python"
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_python_block_is_python_and_imports_what_is_there(program: str) -> None:
    read = ast.parse(program)
    for node in ast.walk(read):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wavelane"):
            code = f"from {node.module} import {', '.join(a.name for a in node.names)}"
            exec(code, {})


WAVE_FILES = [
    pytest.param(block.text, id=f"{page.relative_to(ROOT)}:{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page))
    if block.language == "yaml" and block.text.startswith("wave:")
]


@pytest.mark.parametrize("text", WAVE_FILES)
def test_every_whole_wave_file_is_one(text: str) -> None:
    assert parse(text).to_wave().issues


def test_the_page_on_the_journal_has_every_key_of_its_meta_table(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    wave = Wave([Issue("api#1", "api")], experience=[Finished("api", (), 60.0)])
    run_virtual(Scheduler(wave, ScriptedPipeline(), journal=path, clock=virtual_clock).run)
    with closing(sqlite3.connect(path)) as db:
        keys = {key for (key,) in db.execute("SELECT key FROM meta")}

    page = (DOCS / "reference" / "journal.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| `meta` |"))
    assert set(re.findall(r"`(\w+)`", row)) - {"meta"} == keys


def test_the_reference_has_every_public_name() -> None:
    page = (DOCS / "reference" / "library.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^::: wavelane\.(\w+)$", page, re.MULTILINE))

    assert shown == {*wavelane.__all__} - {"__version__"}


def test_the_reference_has_all_that_tests_of_an_engine_need() -> None:
    page = (DOCS / "reference" / "testing.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^::: wavelane\.testing\.(\w+)$", page, re.MULTILINE))

    assert shown - {"strategies"} == {*wavelane.testing.__all__}


def test_every_part_that_is_made_stands_in_one_page() -> None:
    used = [
        name
        for page in PAGES
        for name in re.findall(r"^<!-- made: ([a-z-]+) -->$", page.read_text("utf-8"), re.MULTILINE)
    ]

    assert sorted(used) == sorted(PARTS)


@pytest.mark.parametrize("name", sorted(PARTS))
def test_every_part_can_be_made(name: str) -> None:
    assert PARTS[name]().strip()


def test_the_json_outputs_are_all_in_their_page() -> None:
    page = PARTS["json-outputs"]()

    assert all(f"schemas/{name}.json" in page for name in OUTPUTS)


def test_the_map_in_contributing_is_that_of_the_tree() -> None:
    page = tree.CONTRIBUTING.read_text(encoding="utf-8")

    assert tree.markdown() in page, "run: uv run --locked python -m docs.generate"
    folders = {path.parent.name for path in Path(wavelane.__file__).parent.glob("*/__init__.py")}
    assert all(f"| `{name}/` |" in page for name in folders)


def test_every_decision_is_listed_and_has_its_parts() -> None:
    pages = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    index = (DOCS / "decisions" / "index.md").read_text(encoding="utf-8")

    assert [page.name[:3] for page in pages] == [f"{n:03}" for n in range(1, len(pages) + 1)]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert f"({page.name})" in index
        assert re.findall("^## (.*)$", text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
        ]


def test_the_glossary_stands_in_one_place_and_the_other_pages_lead_there() -> None:
    heads = [
        page for page in [*PAGES, *READ_TOO] if "| word | meaning |" in page.read_text("utf-8")
    ]

    assert heads == [DOCS / "glossary.md"]
    assert all("docs/glossary.md" in page.read_text("utf-8") for page in READ_TOO)


def program_named(title: str) -> str:
    return next(block.text for page in PAGES for block in blocks(page) if block.title == title)


def run_python(folder: Path, *arguments: str) -> str:
    paths = os.pathsep.join((str(ROOT / "model"), str(ROOT / "executor")))
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_engine_of_the_how_to_runs(tmp_path: Path) -> None:
    (tmp_path / "engine.py").write_text(program_named("engine.py"))

    assert run_python(tmp_path, "engine.py").splitlines() == ["api#1 done 2", "web#1 done 1"]


def test_the_monitor_of_the_how_to_steps_the_cap_down_and_up_again() -> None:
    page = DOCS / "how-to" / "engine.md"
    program = next(block.text for block in blocks(page) if "async def follow" in block.text)
    scheduler = scheduler_of(wave_of("api#1", "app#1", "web#1"))
    readings = iter([0, 30, 60, 85, 85, 0])
    levels: list[int] = []

    async def read_meter() -> float:
        levels.append(scheduler.cap.level)
        return next(readings)

    names: dict[str, Any] = {}
    exec(program, names)

    async def main() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(names["follow"](scheduler, read_meter), 5 * 300 + 1)

    run_virtual(main)

    assert [*levels, scheduler.cap.level] == [3, 3, 2, 1, 0, 0, 3]


def test_the_tests_of_an_engine_in_the_how_to_pass(tmp_path: Path) -> None:
    (tmp_path / "test_engine.py").write_text(program_named("test_engine.py"))

    printed = run_python(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_engine.py")

    assert "3 passed" in printed


@pytest.mark.parametrize("script", ["implement.sh", "review.sh"])
def test_the_scripts_for_an_agent_hand_it_a_prompt_and_take_its_verdict(
    script: str, tmp_path: Path
) -> None:
    (tmp_path / script).write_text(program_named(script))
    (tmp_path / "body").write_text("In full.\n")
    (tmp_path / "feedback").write_text("Add a test.\n")
    agent = ["sh", "-c", "cat > prompt; echo done; echo APPROVED"]

    subprocess.run(
        ["sh", script, *agent],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        env={
            **os.environ,
            "WAVELANE_TITLE": "Add the endpoint",
            "WAVELANE_BODY_FILE": str(tmp_path / "body"),
            "WAVELANE_FEEDBACK_FILE": str(tmp_path / "feedback"),
            "WAVELANE_AGENT_BRANCH": "wavelane/w/agent",
        },
        timeout=60,
    )

    prompt = (tmp_path / "prompt").read_text()
    assert "Add the endpoint" in prompt
    assert script == "review.sh" or {"In full.", "Add a test."} <= {*prompt.splitlines()}
