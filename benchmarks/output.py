"""What every benchmark shares: its options, how it prints its results, and its exit code."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def parser_for(program: str, description: str, repeat: int = 3) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument(
        "--sizes",
        type=_sizes,
        default="1000,10000,100000",
        help="how many issues, separated by commas (default: %(default)s)",
    )
    parser.add_argument(
        "--repeat", type=_positive, default=repeat, help="runs of each (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a limit is passed")
    return parser


def report_results(
    given: argparse.Namespace,
    found: dict[str, Any],
    tables: Sequence[Table],
    excesses: Iterable[str],
) -> int:
    """Print what was measured, and the limits that were passed if asked; the exit code."""
    if given.json:
        print(json.dumps({"machine": machine(), **found}, indent=2))
    else:
        print(*(f"{name} {value}" for name, value in machine().items()), sep=" · ")
        console = Console(width=None if sys.stdout.isatty() else 200)
        for table in tables:
            console.print(table)
    passed = list(excesses) if given.check else []
    for excess in passed:
        print(f"error: {excess}", file=sys.stderr)
    return 1 if passed else 0


def machine() -> dict[str, Any]:
    """What the numbers depend on and the table does not show."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is below 1; give 1 or more")
    return number


def _sizes(text: str) -> list[int]:
    return sorted({_positive(part) for part in text.split(",")})
