"""Spin and its verifier: how a model is compiled and run, and what its answers mean.

`spin -a` makes a verifier, pan, from a model, and gcc compiles it. The exit code of pan is the same
for success and failure, so its answer is read from its output. An answer that cannot be read, or a
search that was cut off, is an error and never "no violation". Partial-order reduction is off, so
spin visits every state and every transition.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Purpose = Literal["safety", "ltl"]

FLAGS: Final[dict[Purpose, tuple[str, ...]]] = {
    "safety": ("-DSAFETY", "-DNOCLAIM", "-DPRINTF"),
    "ltl": ("-DNFAIR=3",),
}
"""The options of gcc beside -DNOREDUCE. NFAIR: weak fairness for more than six processes."""
WHOLE: Final = ("-o1", "-o2")
"""The options of spin: no variable is left out of the state, dead or never read."""
DEPTH: Final = 100_000
"""Steps after which pan cuts a path off; that it did so is an error."""
TOOL_TIMEOUT: Final = 900.0
"""Seconds for one call of a tool."""
HELP: Final[dict[str, str]] = {
    "spin": "install spin, e.g. with `apt-get install spin` or `brew install spin`",
    "gcc": "install a C compiler, e.g. with `apt-get install gcc`",
}


class SpinError(RuntimeError):
    """A tool is missing, or it failed, or its answer cannot be relied on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What pan found.

    `violated` are the assertions that failed, as they stand in the model. `refuted` says that the
    LTL property does not hold. `printed` are the lines that the model printed.
    """

    states: int
    transitions: int
    violated: frozenset[str]
    refuted: bool
    printed: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether pan found no violation."""
        return not self.violated and not self.refuted


def require_tools() -> None:
    """Raise `SpinError` unless spin and gcc are there."""
    for name in HELP:
        _tool(name)


class Verifier:
    """A model compiled for one purpose, in a folder of its own."""

    def __init__(
        self, folder: Path, files: Mapping[str, str], model: str, purpose: Purpose
    ) -> None:
        """Compile `model`, one of the `files` (name → text), in `folder`, which exists.

        Raises `SpinError` for a model that spin or gcc does not take.
        """
        self.folder = folder
        self.purpose = purpose
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        defines = ["-DUNJUDGED"] if purpose == "ltl" else []
        self._call(_tool("spin"), "-a", *WHOLE, *defines, model)
        self._call(_tool("gcc"), "-w", "-O0", "-DNOREDUCE", *FLAGS[purpose], "-o", "pan", "pan.c")

    def safety(self) -> Answer:
        """Visit all states, whatever is violated on the way."""
        return self._answer("-c0")

    def ltl(self, name: str, *, fair: bool = True) -> Answer:
        """Search for a run, weakly fair if `fair`, that refutes the LTL property `name`."""
        return self._answer("-a", "-N", name, *(["-f"] if fair else []))

    def trace(self, name: str = "") -> str:
        """How the first violation comes about: states and what happens between them, a line each.

        `name` is that of the LTL property that the latest search refuted.
        """
        if self.purpose == "safety":
            self._answer()
        said = self._call(str(self.folder / "pan"), "-r", "-S", *(["-N", name] if name else []))
        return "\n".join(_steps(said.splitlines()))

    def _answer(self, *options: str) -> Answer:
        said = self._call(str(self.folder / "pan"), "-n", "-w20", f"-m{DEPTH}", *options)
        errors = _number(r"errors: (\d+)", said)
        if "max search depth too small" in said or (not errors and "not completed" in said):
            raise SpinError(f"the search was cut off:\n{_without_states(said)}")
        violated = frozenset(re.findall(r"^pan:\d+: assertion violated (\w+_rule) ", said, re.M))
        if errors and self.purpose == "safety" and not violated:
            raise SpinError(f"pan found something else than a rule:\n{_without_states(said)}")
        return Answer(
            states=_number(r"^ *(\d+) states, stored", said),
            transitions=_number(r"^ *(\d+) transitions \(=", said),
            violated=violated if self.purpose == "safety" else frozenset(),
            refuted=errors > 0 and self.purpose == "ltl",
            printed=tuple(line for line in said.splitlines() if line.startswith(("from ", "to "))),
        )

    def _call(self, *command: str) -> str:
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                capture_output=True,
                text=True,
                timeout=TOOL_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SpinError(
                f"{command[0]} was not ready after {TOOL_TIMEOUT:.0f} seconds"
            ) from None
        said = done.stdout + done.stderr
        if done.returncode or re.search(r"^spin: .*Error|^pan: error", said, re.M):
            raise SpinError(f"{' '.join(command)} failed:\n{_without_states(said)}")
        return said


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SpinError(f"{name} is missing, which checks the Promela model; {HELP[name]}")
    return found


def _number(pattern: str, said: str) -> int:
    found = re.search(pattern, said, re.M)
    if found is None:
        raise SpinError(f"pan's answer has no {pattern!r}:\n{_without_states(said)}")
    return int(found[1])


def _steps(lines: Iterable[str]) -> Iterator[str]:
    latest = ""
    for line in map(str.strip, lines):
        kind, _, said = line.partition(" ")
        if kind == "event":
            yield f"  {said}"
        elif kind in ("from", "to") and said != latest:
            latest = said
            yield said
        elif "START OF CYCLE" in line:
            yield "and from here on for ever:"
        elif broken := re.search(r"assertion violated (\w+)_rule", line):
            yield f"broken: {broken[1]}"


def _without_states(said: str) -> str:
    noise = ("from ", "event ", "to ", "ltl ")
    kept = [line for line in said.splitlines() if not line.startswith(noise)]
    return "\n".join(kept[:40])
