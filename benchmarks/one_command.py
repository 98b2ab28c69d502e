"""A bare typer program with one command, as its documentation begins: what `--help` costs least."""

from __future__ import annotations

import typer


def main(name: str) -> None:
    """Say hello."""
    typer.echo(f"hello {name}")


if __name__ == "__main__":
    typer.run(main)
