"""The README's code runs as printed, and what it says it prints is what it prints."""

import asyncio
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.helpers import scheduler_of, wave_of

from wavelane import UsageLadder, Wave
from wavelane.testing import run_virtual
from wavelane.wavefile import parse

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_library_in_twenty_lines_runs_as_printed() -> None:
    program = blocks("python")[0]
    assert len([line for line in program.splitlines() if line.strip()]) <= 20

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    lines = done.stdout.splitlines()
    assert sorted(lines[:3]) == ["merged api#1", "merged web#1", "merged web#2"]
    assert lines[3] == "complete done"


def test_the_monitor_steps_the_cap_down_and_up_again_as_printed() -> None:
    program = next(block for block in blocks("python") if "def monitor" in block)
    scheduler = scheduler_of(wave_of("api#1", "app#1", "web#1"))
    readings = iter([0, 30, 60, 85, 85, 0])
    levels: list[int] = []

    async def read_meter() -> float:
        levels.append(scheduler.cap.level)
        return next(readings)

    names: dict[str, Any] = {
        "asyncio": asyncio,
        "UsageLadder": UsageLadder,
        "scheduler": scheduler,
        "read_meter": read_meter,
    }
    exec(program, names)

    async def main() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(names["monitor"](), 5 * 300 + 1)

    run_virtual(main)

    assert [*levels, scheduler.cap.level] == [3, 3, 2, 1, 0, 0, 3]


def test_the_wave_file_is_one() -> None:
    file = parse(blocks("yaml")[0])

    assert isinstance(file.to_wave(), Wave)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_every_link_leads_somewhere(link: str) -> None:
    if not link.startswith("https://"):
        assert (Path(__file__).parent.parent / link).exists()
