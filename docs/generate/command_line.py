"""The command line, from its parser."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from typer.main import get_command

from wavelane.cli.app import app

_VALUES: Final[dict[object, str]] = {int: "NUMBER", Path: "PATH", str: "TEXT"}


def markdown() -> str:
    """A section for each command, in alphabetical order."""
    commands: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
    return "\n".join(line for name in sorted(commands) for line in _section(name, commands[name]))


def _section(name: str, command: Any) -> Iterator[str]:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    usage = " ".join(["wavelane", name, *(_metavar(one) for one in arguments)])
    types = get_type_hints(inspect.unwrap(command.callback))
    yield f"## {name}"
    yield ""
    yield f"```\n{usage}{' [OPTIONS]' if options else ''}\n```"
    yield ""
    yield from (command.help or "").splitlines()
    yield ""
    yield "| | what it is |"
    yield "|---|---|"
    for one in arguments:
        yield f"| `{_metavar(one)}` | {_help(one)} |"
    for one in options:
        names = ", ".join(f"`{each}`" for each in (*one.opts, *one.secondary_opts))
        value = "" if one.is_flag else f" `{_value(one, types[one.name])}`"
        yield f"| {names}{value} | {_help(one)}{_default(one)} |"
    yield ""


def _metavar(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name}]"


def _value(option: Any, kind: Any) -> str:
    if option.metavar:
        return str(option.metavar)
    inner = next((one for one in get_args(kind) if one is not type(None)), kind)
    if isinstance(inner, type) and issubclass(inner, Enum):
        return "|".join(str(one.value) for one in inner)
    return _VALUES[inner]


def _help(param: Any) -> str:
    return (param.help or "").replace("|", "\\|")


def _default(option: Any) -> str:
    if isinstance(option.show_default, str):
        return f" Default: {option.show_default}."
    if option.default in (None, False) or option.is_flag:
        return ""
    return f" Default: {getattr(option.default, 'value', option.default)}."
