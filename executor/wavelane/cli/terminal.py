"""What all commands share: exit codes, errors in words, JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

EXIT_CODES: Final = {"complete": 0, "blocked": 1, "stopped": 3, "unfinished": 3}
"""How `wavelane run` exits, by the outcome of the run."""
REFUSED: Final = 1
BAD_INPUT: Final = 2
INTERRUPTED: Final = 130
"""Ctrl-C, and not while a wave was run: as shells have it, 128 and the number of SIGINT."""
UNANSWERED: Final = 75
"""A command was given and not answered in time: it holds as soon as the run looks."""

WaveArgument = Annotated[
    Path, typer.Argument(help="The wave file, YAML or JSON.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON to standard output.")]


def print_json(value: object) -> None:
    """Print a value for programs."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_output(output: Mapping[str, Any]) -> None:
    """Print what a command says with `--json`; `wavelane.cli.outputs` has its schema."""
    from wavelane.cli.outputs import versioned

    print_json(versioned(output))


@contextmanager
def explained() -> Iterator[None]:
    """Turn what a person can mend into errors and exit code 2."""
    from wavelane.commands.settings import PipelineError
    from wavelane.diagrams import DotMissing
    from wavelane.git.program import GitError
    from wavelane.journal import JournalError
    from wavelane.wavefile import WaveFileError

    try:
        yield
    except (WaveFileError, PipelineError) as error:
        fail(error.problems)
    except (JournalError, GitError, DotMissing) as error:
        fail([str(error)])
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(BAD_INPUT) from None
    except OSError as error:
        fail([f"{error.filename or 'a file'}: {error.strerror or error}"])
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def fail(problems: Iterable[str], code: int = BAD_INPUT) -> NoReturn:
    """Print an error for each problem, and exit."""
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    raise typer.Exit(code)
