"""The pictures by name, in each format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, get_args, overload

from wavelane.diagrams import machines
from wavelane.diagrams.architecture import architecture
from wavelane.diagrams.dot import dot_source, picture
from wavelane.diagrams.drawing import Drawing
from wavelane.diagrams.mermaid import mermaid_source

Name = Literal["issue", "cap", "architecture"]
Format = Literal["svg", "png", "dot", "mermaid"]
NAMES: Final[tuple[Name, ...]] = get_args(Name)

_DRAWINGS: Final[dict[Name, Callable[[], Drawing]]] = {
    "issue": machines.issue,
    "cap": machines.cap,
    "architecture": architecture,
}


@overload
def render(name: Name, format: Literal["svg", "dot", "mermaid"]) -> str: ...
@overload
def render(name: Name, format: Literal["png"]) -> bytes: ...
@overload
def render(name: Name, format: Format) -> str | bytes: ...
def render(name: Name, format: Format) -> str | bytes:  # noqa: A002
    """One picture: `issue` (the lifecycle), `cap` or `architecture` (the wings).

    The text of an SVG, a DOT or a Mermaid file, or the bytes of a PNG. Raises `ValueError` for
    another name or format, and `DotMissing` if SVG or PNG is requested and the program `dot` is not
    installed.
    """
    if name not in _DRAWINGS:
        raise ValueError(f"there is no picture {name!r}; there are {', '.join(NAMES)}")
    drawing = drawn(name)
    match format:
        case "dot":
            return dot_source(drawing)
        case "mermaid":
            return mermaid_source(drawing)
        case "svg":
            return picture(drawing, "svg").decode()
        case "png":
            return picture(drawing, "png")
        case _:
            formats = ", ".join(get_args(Format))
            raise ValueError(f"there is no format {format!r}; there are {formats}")


def drawn(name: Name) -> Drawing:
    """The content of a picture, in no format."""
    return _DRAWINGS[name]()
