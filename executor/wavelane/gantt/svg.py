"""SVG by hand: elements as text, and the approximate width of a text."""

from __future__ import annotations

from html import escape


def text_width(text: str, size: float) -> float:
    """The approximate width of a text; too wide rather than too narrow."""
    return sum(1.0 if ord(char) > 0x2E7F else 0.57 for char in text) * size


def shortened(text: str, room: float, size: float) -> str:
    """The text, cut to fit."""
    if text_width(text, size) <= room:
        return text
    while text and text_width(text + "…", size) > room:
        text = text[:-1]
    return text + "…"


def escaped(text: str) -> str:
    """Text for XML: escaped where necessary, and without characters that XML cannot have."""
    return escape("".join(char if _is_legal(char) else "\ufffd" for char in text))


def _is_legal(char: str) -> bool:
    return char in "\t\n\r" or (char >= " " and char not in "\ufffe\uffff" and not _is_half(char))


def _is_half(char: str) -> bool:
    return "\ud800" <= char <= "\udfff"


def short(number: float) -> str:
    """A number with as many digits as matter to the eye."""
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def tag(name: str, *inside: str, **attributes: float | str) -> str:
    """An element; what is `inside` is markup. A `_` in an attribute's name stands for `-`.

    Attributes without a value are left out, and `class_` is the attribute `class`.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value != ""
    )
    if not any(inside):
        return f"<{name}{written}/>"
    return f"<{name}{written}>{''.join(inside)}</{name}>"


def _value(value: float | str) -> str:
    return escaped(value) if isinstance(value, str) else short(value)


def titled(title: str) -> str:
    """The tooltip of the element around it; "" for no title."""
    return tag("title", escaped(title)) if title else ""


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line of a class."""
    return tag("line", class_=kind, x1=x1, y1=y1, x2=x2, y2=y2)


def rect(
    x: float,
    y: float,
    width: float,
    height: float,
    kind: str,
    *,
    title: str = "",
    round_by: float = 0.0,
    fill: str = "",
) -> str:
    """A rectangle of a class, or filled with `fill`."""
    rx: float | str = round_by or ""
    box = {"x": x, "y": y, "width": width, "height": height}
    return tag("rect", titled(title), **box, rx=rx, class_=kind, fill=fill)


def text_at(
    x: float, y: float, text: str, kind: str = "", *, title: str = "", anchor: str = ""
) -> str:
    """A line of text on the base line `y`; `anchor` is "middle" or "end", if not the start."""
    inside = (titled(title), escaped(text))
    return tag("text", *inside, x=x, y=y, class_=kind, text_anchor=anchor)


def moved(x: float, y: float, *inside: str) -> str:
    """Elements, moved to a point."""
    return tag("g", *inside, transform=f"translate({short(x)} {short(y)})")
