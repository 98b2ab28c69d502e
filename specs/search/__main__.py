"""`python -m specs.search [--nightly] [WORD …]`: search the worlds whose names contain a WORD.

Prints a table, then the first violation of each property as a script. Status 1 when one failed.
"""

from __future__ import annotations

import argparse
import sys

from specs.search import search
from specs.search.worlds import WORLDS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m specs.search", description=__doc__)
    parser.add_argument("--nightly", action="store_true", help="the large worlds too")
    parser.add_argument("words", nargs="*", help="words in the names of worlds")
    asked = parser.parse_args()
    worlds = [
        world
        for world in WORLDS
        if (asked.nightly or not world.nightly) and all(word in world.name for word in asked.words)
    ]
    if not worlds:
        parser.error(f"no world's name holds {' and '.join(asked.words)}")
    results = search(worlds)
    for one in results:
        word = "ok" if one.passed else "FAILED"
        print(f"{word:7}{one.property:60}{one.amount:>9} {one.unit:9}{one.seconds:8.1f} s")
    for one in results:
        if not one.passed:
            print(f"\n# {one.property}\n{one.detail}")
    return 0 if all(one.passed for one in results) else 1


if __name__ == "__main__":
    sys.exit(main())
