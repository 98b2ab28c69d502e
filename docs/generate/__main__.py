"""`python -m docs.generate`: write the map of the tree into CONTRIBUTING.md."""

from docs.generate.tree import CONTRIBUTING, with_map

if __name__ == "__main__":
    page = CONTRIBUTING.read_text(encoding="utf-8")
    CONTRIBUTING.write_text(with_map(page), encoding="utf-8", newline="\n")
