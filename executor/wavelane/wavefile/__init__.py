"""The wave file: a wave, its repos and its commands, in YAML or JSON.

1. A text is taken as written: `id: 12` is "12", `base: 1.10` is "1.10", `title: on` is "on". The
   key determines the type of its value, never the value's form.
2. A key without a value counts as left out.
3. Unknown and duplicate keys are errors.
4. Paths are relative to the wave file. Whether they exist is not checked here.
5. A command of an issue takes precedence over its repo's, and that over the file's. Gates of a
   repo replace the file's.
6. All problems are reported at once, each with its place:
   `wave.yaml:12: issues[2].repo: what; remedy`.

`document` reads the text and knows the lines; `values`, `entries` and `file` define what may appear
where; `consistency` asks `Wave` about what no single entry can know; `loading` combines them.
"""

from wavelane.wavefile.entries import IssueEntry, LimitsEntry, RepoEntry
from wavelane.wavefile.file import CommandStep, WaveFile
from wavelane.wavefile.loading import load, parse
from wavelane.wavefile.problems import WaveFileError
from wavelane.wavefile.schema import json_schema

__all__ = [
    "CommandStep",
    "IssueEntry",
    "LimitsEntry",
    "RepoEntry",
    "WaveFile",
    "WaveFileError",
    "json_schema",
    "load",
    "parse",
]
