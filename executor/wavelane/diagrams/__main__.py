"""`python -m wavelane.diagrams write|check [DIRECTORY]`: make the picture files or compare them."""

from __future__ import annotations

import argparse
import sys

from wavelane.diagrams.dot import DotMissing
from wavelane.diagrams.files import differences, write_all


def main(arguments: list[str] | None = None) -> int:
    """Do it, and return the exit code: 0 fine, 1 out of date, 2 the program `dot` is missing."""
    parser = argparse.ArgumentParser(prog="python -m wavelane.diagrams", description=__doc__)
    parser.add_argument("action", choices=("write", "check"))
    parser.add_argument("directory", nargs="?", default="diagrams", help="default: ./diagrams")
    asked = parser.parse_args(arguments)
    try:
        if asked.action == "write":
            found = [str(path) for path in write_all(asked.directory)]
        else:
            found = differences(asked.directory)
    except DotMissing as error:
        print(error, file=sys.stderr)
        return 2
    failed = asked.action == "check" and bool(found)
    for line in found:
        print(line, file=sys.stderr if failed else sys.stdout)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
