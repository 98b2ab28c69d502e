"""The single values of a wave file: what each must be, for pydantic and for editors.

A function returns its value, or raises the problem with its remedy. In the schema a text may also
be a number, because a text is taken as written.
"""

from __future__ import annotations

import math
import re
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainValidator, ValidationInfo, WithJsonSchema

from wavelane.processes import CommandLine
from wavelane.wavefile.problems import CONTROL, shown

_LARGEST: Final = 10**9
_NAME: Final = r"^(?!.*\.\.)(?!.*\.(lock)?$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"
_TIME: Final = r"^(?=\d)(\d+(\.\d+)?h)?(\d+(\.\d+)?m)?(\d+(\.\d+)?s)?$"
_SECONDS_IN: Final = {"h": 3600, "m": 60, "s": 1}


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"is {shown(value)}; give a text")


def _line(value: object) -> str:
    text = _text(value).strip()
    if CONTROL.search(text):
        raise ValueError(f"is {shown(text)}; keep to one line, without control characters")
    return text


def _word(value: object) -> str:
    if text := "" if value is None else _line(value):
        return text
    raise ValueError("is empty; fill it in (a value that starts with # must be in quotes)")


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _name(value: object) -> str:
    text = _line(value)
    if re.match(_NAME, text):
        return text
    raise ValueError(
        f"is {shown(text)}; use at most 100 letters, digits, '-', '_' and '.', starting with "
        "a letter, a digit or '_', without '..' and not ending in '.' or '.lock'"
    )


def _command(value: object) -> CommandLine:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, list | tuple) and all(isinstance(word, str) for word in value):
        words = tuple(value)
        if words and words[0].strip():
            return words
    raise ValueError(
        f"is {shown(value)}; give a command: a text for the shell, "
        "or a list of words with the program first"
    )


def _path(value: object, info: ValidationInfo) -> Path:
    text = str(value) if isinstance(value, Path) else _word(value)
    directory: Path = info.context["path"].parent if info.context else Path()
    try:
        return (directory / Path(text).expanduser()).resolve()
    except (OSError, RuntimeError) as error:
        raise ValueError(f"is {shown(text)}, which leads nowhere ({error}); check it") from None


def _whole(value: object, *, least: int = -_LARGEST) -> int:
    if isinstance(value, str | int) and not isinstance(value, bool):
        try:
            number = int(value)
        except ValueError:
            number = least - 1
        if least <= number <= _LARGEST:
            return number
    wanted = f" from {least} to {_LARGEST}" if least < 0 else f", {least} or more"
    raise ValueError(f"is {shown(value)}; give a whole number{wanted}")


def _seconds(value: object) -> float:
    if isinstance(value, str) and re.match(_TIME, value):
        parts = re.findall(r"([\d.]+)([hms])", value)
        found = sum(float(number) * _SECONDS_IN[unit] for number, unit in parts)
    else:
        found = _number(value)
    if 0 <= found <= _LARGEST:
        return found
    raise ValueError(
        f"is {shown(value)}; give seconds, 0 or more, or a time such as 90s, 30m, 2h or 1h30m"
    )


def _number(value: Any) -> float:
    """The number, or one outside every range."""
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _timeout(value: object) -> float:
    if seconds := _seconds(value):
        return seconds
    raise ValueError(f"is {shown(value)}; give a time above 0, or leave it out for no limit")


_WRITTEN: Final = {"type": ["string", "number"]}
_WORDS: Final = {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1}
_TIME_TEXT: Final = {"type": "string", "pattern": _TIME}


def _either(*schemas: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": list(schemas)})


Text = Annotated[str, PlainValidator(_text), WithJsonSchema(_WRITTEN)]
Line = Annotated[str, PlainValidator(_line), WithJsonSchema(_WRITTEN)]
Word = Annotated[str, PlainValidator(_word), WithJsonSchema(_WRITTEN)]
Words = Annotated[
    tuple[Word, ...],
    BeforeValidator(_listed),
    _either(_WRITTEN, {"type": "array", "items": _WRITTEN}),
]
Name = Annotated[str, PlainValidator(_name), WithJsonSchema({**_WRITTEN, "pattern": _NAME})]
Shell = Annotated[
    CommandLine, PlainValidator(_command), _either({"type": "string", "minLength": 1}, _WORDS)
]
FilePath = Annotated[Path, PlainValidator(_path), WithJsonSchema({"type": "string"})]
Whole = Annotated[int, PlainValidator(_whole), WithJsonSchema({"type": "integer"})]
Count = Annotated[
    int, PlainValidator(partial(_whole, least=0)), WithJsonSchema({"type": "integer", "minimum": 0})
]
Positive = Annotated[
    int, PlainValidator(partial(_whole, least=1)), WithJsonSchema({"type": "integer", "minimum": 1})
]
Seconds = Annotated[
    float, PlainValidator(_seconds), _either({"type": "number", "minimum": 0}, _TIME_TEXT)
]
Timeout = Annotated[
    float, PlainValidator(_timeout), _either({"type": "number", "exclusiveMinimum": 0}, _TIME_TEXT)
]
