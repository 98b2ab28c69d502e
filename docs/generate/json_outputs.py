"""What the commands print with `--json`, from the schemas of their outputs."""

from __future__ import annotations

from collections.abc import Iterator

from docs.generate.schema_table import tables

from wavelane.cli.outputs import OUTPUTS, output_schema


def markdown() -> str:
    """A section for each output, with a link to its schema."""
    return "\n".join(line for name in OUTPUTS for line in _section(name))


def _section(name: str) -> Iterator[str]:
    lines = tables(output_schema(name), f"The output `{name}`", prefix=name)
    yield next(lines)
    yield f"\n[Its schema](schemas/{name}.json), also from `wavelane schema --of {name}`."
    yield from lines
