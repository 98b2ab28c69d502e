"""What MkDocs asks of this repo when it builds the site: files and parts of pages that are made.

1. In a page, a line `<!-- made: NAME -->` stands for what `docs.generate` makes under that name.
2. The pictures of `diagrams/` and the JSON schemas are files of the site like any other.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # the command mkdocs does not look for modules where it is started

from docs.generate import PARTS, schemas  # noqa: E402

MADE: Final = re.compile(r"^<!-- made: ([a-z-]+) -->$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pictures and the schemas."""
    for picture in sorted((ROOT / "diagrams").glob("*.svg")):
        name = f"diagrams/{picture.name}"
        files.append(File.generated(config, name, abs_src_path=str(picture)))
    for name, schema in schemas().items():
        text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        files.append(File.generated(config, f"reference/schemas/{name}.json", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put in what is made."""
    return MADE.sub(lambda found: PARTS[found[1]](), markdown)
