"""The wave file: a wave, its repos and its commands, in YAML or JSON.

1. A text is taken as it is written: `id: 12` is "12", `base: 1.10` is "1.10", `title: on` is
   "on". What a value is follows from its key, never from how it looks.
2. A key without a value is a key left out.
3. An unknown key, and a key that is there twice, are errors.
4. Paths are relative to the wave file. Whether they lead anywhere is not asked here.
5. A command of an issue goes before that of its repo, and that before the file's. Gates of a
   repo replace the file's.
6. All problems are reported at once, each with its place:
   `wave.yaml:12: issues[2].repo: what; remedy`.

`document` reads the text and knows the lines, `values`, `entries` and `file` say what may stand
where, `consistency` asks `Wave` for what no single entry can know, `loading` puts them together.
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
