"""The README's code runs as printed, and prints what the README says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from wavelane import Wave
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


def test_the_wave_file_is_one() -> None:
    file = parse(blocks("yaml")[0])

    assert isinstance(file.to_wave(), Wave)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_every_link_leads_somewhere(link: str) -> None:
    if not link.startswith("https://"):
        assert (Path(__file__).parent.parent / link).exists()
