"""All layers of checks, as one table: `python -m specs [--nightly] [LAYER …] [--json]`.

Exit code 1 where a property does not hold; what is wrong follows the table.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from rich.console import Console
from rich.table import Table

from specs.results import Result

LAYERS: Final = {
    "proof": "for any number of issues and repos, by z3",
    "search": "every state of small worlds, by the real step",
    "promela": "an independent model, by spin",
    "traces": "journals, judged without trust",
    "simulation": "the real executor, under chosen schedules",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the layers and print what they say; 0 where all properties hold."""
    asked = _parser().parse_args(arguments)
    console = Console(stderr=asked.as_json)
    results: list[Result] = []
    for layer in asked.layers or LAYERS:
        console.print(f"{layer}: {LAYERS[layer]} …", style="dim")
        results += importlib.import_module(f"specs.{layer}").run(nightly=asked.nightly)
    if asked.as_json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        console.print(table(results))
    failed = [result for result in results if not result.passed]
    for result in failed:
        console.print(f"\n{result.layer}, {result.property}:\n{result.detail}", markup=False)
    return 1 if failed or not results else 0


def table(results: Sequence[Result]) -> Table:
    """One row a property."""
    shown = Table(box=None, pad_edge=False, header_style="dim")
    shown.add_column("layer", no_wrap=True)
    shown.add_column("property")
    shown.add_column("result", no_wrap=True)
    shown.add_column("looked at", justify="right", no_wrap=True)
    shown.add_column("seconds", justify="right", no_wrap=True)
    for result in results:
        shown.add_row(
            result.layer,
            result.property,
            "[green]holds[/]" if result.passed else "[bold red]FAILS[/]",
            f"{result.amount:,} {result.unit}",
            f"{result.seconds:.1f}",
        )
    return shown


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m specs", description=__doc__)
    parser.add_argument("layers", nargs="*", metavar="LAYER", help=", ".join(LAYERS))
    parser.add_argument("--nightly", action="store_true", help="the long form")
    parser.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
