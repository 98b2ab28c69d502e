"""The commands' JSON output has exactly the keys of its schema."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.gitrepos import make_repo
from typer.testing import CliRunner

from wavelane import Issue, Scheduler, Wave
from wavelane.cli.app import Described, app
from wavelane.cli.outputs import OUTPUTS, VERSION, output_schema
from wavelane.testing import ScriptedPipeline

Speak = Callable[..., dict[str, Any]]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Speak:
    """Runs a command with --json beside two repos, and returns its output."""
    for repo in ("api", "web"):
        make_repo(tmp_path / repo)
    monkeypatch.chdir(tmp_path)

    def said(*arguments: str, exits: int = 0) -> dict[str, Any]:
        done = CliRunner().invoke(app, [*arguments, "--json"])
        assert done.exit_code == exits, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return said


def write_wave(*issues: str) -> None:
    Path("wave.yaml").write_text(
        "wave: shop\n"
        "implement: 'echo $WAVELANE_ATTEMPT > file-$WAVELANE_ATTEMPT'\n"
        "repos: {api: api, web: web}\n"
        "issues:\n" + "".join(f"  - {{{issue}}}\n" for issue in issues)
    )


def strict(schema: Any) -> Any:
    """The schema, with no other keys allowed."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: strict(value) for name, value in schema.items()}
    return {**found, "additionalProperties": False} if "properties" in found else found


def check(name: str, output: dict[str, Any]) -> None:
    Draft202012Validator(strict(output_schema(name))).validate(output)
    assert next(iter(output.items())) == ("version", VERSION)


def test_a_plan_with_and_without_estimates(say: Speak) -> None:
    write_wave('id: "api#1", repo: api', 'id: "web#1", repo: web, depends_on: ["api#1"]')
    check("plan", say("plan", "wave.yaml"))

    write_wave(
        'id: "api#1", repo: api, estimate: 10m, labels: bug',
        'id: "api#2", repo: api, estimate: 20m',
        'id: "web#1", repo: web, depends_on: ["api#2"], estimate: 1h',
    )
    check("plan", say("plan", "wave.yaml", "--cap", "1"))


def test_a_wave_that_is_blocked_from_its_run_to_its_verdict(say: Speak) -> None:
    write_wave(
        'id: "api#1", repo: api, estimate: 1s',
        'id: "web#1", repo: web, implement: "echo which footer?; exit 10", estimate: 1s',
        'id: "web#2", repo: web, depends_on: ["web#1"]',
    )
    check("run", say("run", "wave.yaml", exits=1))

    check("status", say("status", "wave.yaml"))
    check("report", say("report", "wave.yaml"))
    check("verify", say("verify", "wave.yaml"))
    for command in (
        ["cap", "wave.yaml", "1"],
        ["pause", "wave.yaml", "--until", "+2h"],
        ["resume", "wave.yaml"],
        ["unpark", "wave.yaml", "web#1"],
        ["park", "wave.yaml", "web#1", "which one?"],
        ["cancel", "wave.yaml", "web#1"],
        ["add", "wave.yaml", "wave.yaml"],
    ):
        check("steering", say(*command))
    check("steering", say("stop", "wave.yaml", exits=1))
    check("steering", say("park", "wave.yaml", "api#1", "it is done", exits=1))


def test_input_that_is_refused(say: Speak) -> None:
    write_wave('id: "api#1", repo: app', 'id: "web#1", repo: web, depends_on: ["api#9"]')
    check("problems", say("plan", "wave.yaml", exits=2))
    check("problems", say("run", "wave.yaml", "--cap", "0", exits=2))
    check("problems", say("status", "gone.db", exits=2))


def test_a_wave_that_has_not_begun(say: Speak) -> None:
    scheduler = Scheduler(Wave([Issue("api#1", "api")]), ScriptedPipeline(), journal="new.db")
    scheduler.open_journal()
    check("status", say("status", "new.db"))
    check("report", say("report", "new.db"))
    scheduler.discard_journal()


@pytest.mark.broken_journals
def test_a_journal_that_was_changed(say: Speak) -> None:
    write_wave('id: "api#1", repo: api')
    say("run", "wave.yaml", "--journal", "j.db")
    with closing(sqlite3.connect("j.db")) as db, db:
        db.execute("DELETE FROM event WHERE seq = 2")

    check("verify", say("verify", "j.db", exits=1))


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_command_prints_the_schema_and_it_describes_every_key(name: str) -> None:
    schema = json.loads(CliRunner().invoke(app, ["schema", "--of", name]).stdout)

    Draft202012Validator.check_schema(schema)
    objects = [schema, *schema.get("$defs", {}).values()]
    assert all(one.get("description") for one in objects)
    assert all(
        value.get("description") for one in objects for value in one.get("properties", {}).values()
    )


def test_everything_that_has_a_schema_can_be_asked_for() -> None:
    assert {one.value for one in Described} == {"wave-file", *OUTPUTS}
