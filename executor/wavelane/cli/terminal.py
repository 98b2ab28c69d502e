"""What all commands share: exit codes, error messages, JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

if TYPE_CHECKING:
    from wavelane_model.problems import Problem

EXIT_CODES: Final = {"complete": 0, "blocked": 1, "stopped": 3, "unfinished": 3}
"""How `wavelane run` exits, by the outcome of the run."""
REFUSED: Final = 1
BAD_INPUT: Final = 2
INTERRUPTED: Final = 130
"""Ctrl-C outside the run of a wave: as in shells, 128 plus the number of SIGINT."""
UNANSWERED: Final = 75
"""A command was given and not answered in time: the run executes it as soon as it looks."""

WaveArgument = Annotated[
    Path, typer.Argument(help="The wave file, YAML or JSON.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON to standard output.")]


def print_json(value: object) -> None:
    """Print a value for programs."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_output(output: Mapping[str, Any]) -> None:
    """Print a command's output with `--json`; `wavelane.cli.outputs` has its schema."""
    from wavelane.cli.outputs import versioned

    print_json(versioned(output))


@contextmanager
def explained(as_json: bool = False) -> Iterator[None]:
    """Turn what a person can fix into errors and exit code 2."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(BAD_INPUT) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        problems = problems_of(error)
        if not problems:
            raise
        fail(problems, as_json=as_json)


def problems_of(error: Exception) -> tuple[Problem, ...]:
    """The problems that an error reports to a person; none for an error of the program."""
    from wavelane.diagrams import DotMissing
    from wavelane.git import GitError
    from wavelane.journal import JournalError
    from wavelane_model.problems import Problem, ProblemsError

    match error:
        case ProblemsError():
            return error.problems
        case JournalError():
            return (Problem("journal", "", str(error)),)
        case GitError():
            return (Problem("git-fails", "", str(error)),)
        case DotMissing():
            return (Problem("no-dot", "dot", str(error)),)
        case OSError():
            name = str(error.filename or "")
            text = f"{name or 'a file'}: {error.strerror or error}"
            return (Problem("file", name, text),)
        case _:
            return ()


def refuse_option(option: str, text: str, *, as_json: bool = False) -> NoReturn:
    """Print what is wrong with an option or an argument, and exit."""
    from wavelane_model.problems import Problem

    fail([Problem("bad-option", option, text)], as_json=as_json)


def fail(problems: Iterable[Problem], code: int = BAD_INPUT, *, as_json: bool = False) -> NoReturn:
    """Print an error for each problem, and exit. As JSON, they also go to standard output."""
    problems = [*problems]
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if as_json:
        print_output({"problems": [problem.to_dict() for problem in problems]})
    raise typer.Exit(code)
