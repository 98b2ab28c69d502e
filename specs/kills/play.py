"""Playing a wave: runs that are disturbed, one after the other, until one ends by itself."""

from __future__ import annotations

import re
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from shutil import rmtree
from typing import Final, NamedTuple

from specs.kills.disk import SmallDisk
from specs.kills.facts import Facts, facts_of, lines_of
from specs.kills.judge import Case, Session, judged, sessions_of
from specs.kills.moments import Moment
from specs.kills.plan import Disturbance, Plan
from specs.kills.processes import (
    INTERRUPTED,
    PATIENCE,
    Ended,
    Run,
    Trap,
    alive,
    end_all,
    take_orphans,
)
from specs.kills.project import Project, Setting

FULL_DISK: Final = "full disk"
STOPPED: Final = 3
BAD_INPUT: Final = 2


@dataclass(slots=True)
class Played:
    """A wave that was played, and what is `broken`. `folder` is kept where something is."""

    plan: Plan
    seconds: float = 0.0
    runs: list[str] = field(default_factory=list)
    kills: int = 0
    merges: int = 0
    signals: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    folder: str = ""

    def account(self) -> str:
        """What a person needs to look into it."""
        setting = self.plan.setting
        return "\n".join(
            (
                f"seed {self.plan.seed}, wave {self.plan.wave} (lanes until {setting.policy}, cap "
                f"{setting.ceiling}{', one parked' if setting.has_parked else ''}"
                f"{', planned' if setting.has_estimates else ''}); "
                f"folder {self.folder}",
                *(f"  run {number}: {run}" for number, run in enumerate(self.runs, 1)),
                *(f"  broken: {what}" for what in self.broken),
                f"  again: python -m specs.kills --seed {self.plan.seed} --wave {self.plan.wave}",
            )
        )


def play(plan: Plan) -> Played:
    """Play a wave to its end in a new folder, and judge it."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=f"wavelane-kills-{plan.seed}-{plan.wave}-")).resolve()
    take_orphans()
    project = Project.make(folder, plan.setting)
    disk = SmallDisk(folder / "disk", plan.disk) if plan.disk else None
    player = _Player(plan, replace(project, disk=disk.folder if disk else None))
    played = player.played
    try:
        if disk is not None:
            player.play_on(disk)
        if not played.broken:
            player.play()
        if not played.broken:
            player.judge()
    finally:
        end_all(folder)
        if disk is not None:
            disk.close(keep=bool(played.broken))
    if played.broken:
        played.folder = str(folder)
    else:
        rmtree(folder)
    played.seconds = time.monotonic() - began
    return played


class Undisturbed(NamedTuple):
    """A wave that nobody disturbed, and how many seconds its run took."""

    facts: Facts
    seconds: float


@cache
def undisturbed(setting: Setting) -> Undisturbed:
    """How the wave of a setting goes when nobody disturbs it."""
    folder = Path(tempfile.mkdtemp(prefix="wavelane-kills-undisturbed-")).resolve()
    take_orphans()
    project = Project.make(folder, setting)
    began = time.monotonic()
    ended = Run("1", project.command, folder, None).wait()
    seconds = time.monotonic() - began
    facts = facts_of(project, ended.code if ended else None)
    broken = judged(Case(setting, facts, facts))
    if broken:
        end_all(folder)
        raise AssertionError("\n".join((f"nobody disturbed it: {folder}", *broken)))
    rmtree(folder)
    return Undisturbed(facts, seconds)


class _Player:
    def __init__(self, plan: Plan, project: Project) -> None:
        self.played = Played(plan)
        self._project = project
        self._setting = plan.setting
        self._reference = undisturbed(replace(plan.setting, ceiling=3, has_estimates=False))
        self._cut: set[str] = set()
        self._run: Run | None = None

    def play_on(self, disk: SmallDisk) -> None:
        """Run the wave where the journal has too little room; again; and make room."""
        for _ in range(2):
            run = self._start(disk)
            ended = run.wait()
            self.played.runs.append(f"on a disk of {disk.size} bytes → {ended}")
            self._cut.add(run.number)
            said = run.errors.read_text()
            if ended != Ended(BAD_INPUT, None) or not _NO_ROOM.fullmatch(said):
                self.played.broken.append(f"run {run.number} on a full disk: {ended}: {said}")
            for process in alive(self._project.folder).values():
                self.played.broken.append(f"a full disk ended it, and a process is left: {process}")
        self.played.signals[FULL_DISK] += 1
        disk.make_room()

    def play(self) -> None:
        """Disturb run after run, as planned, until one ends the wave; the last is left alone."""
        for disturbance in (*self.played.plan.disturbances, None):
            run = self._start(disturbance.moment if disturbance else None)
            ended = self._disturbed(run, disturbance) if disturbance else run.wait()
            if ended is None:
                self.played.broken.append(f"run {run.number} did not end in {PATIENCE:.0f} s")
                return
            self.played.runs.append(f"{disturbance or 'left alone'} → {ended}")
            self._note(run, ended, disturbance)
            if self.played.broken or ended.code in (0, 1):
                return

    def judge(self) -> None:
        """Compare the wave with one that nobody disturbed."""
        assert self._run is not None
        assert self._run.ended is not None
        facts = facts_of(self._project, self._run.ended.code)
        case = Case(self._setting, self._reference.facts, facts, frozenset(self._cut))
        self.played.broken += judged(case)
        self.played.merges = facts.merges
        self.played.events = facts.events

    def _start(self, trap: Trap | None) -> Run:
        number = str(len(self.played.runs) + 1)
        self._run = Run(number, self._project.command, self._project.folder, trap)
        return self._run

    def _disturbed(self, run: Run, disturbance: Disturbance) -> Ended | None:
        """Do to a run what is planned, and wait for its end."""
        if disturbance.moment is not None:
            return self._killed(run, disturbance.moment, disturbance.otherwise)
        if not self._comes_to(run, disturbance):
            return run.ended
        match disturbance.signal:
            case "SIGTERM":
                run.send(signal.SIGTERM)
            case "SIGINT":
                run.send(signal.SIGINT)
            case "SIGINT twice":
                run.send(signal.SIGINT)
                run.wait(0.05)
                run.send(signal.SIGINT)
            case "SIGSTOP":
                self._stopped(run)
        return run.wait()

    def _comes_to(self, run: Run, disturbance: Disturbance) -> bool:
        """Wait until a run is to be sent its signal; False when it has ended by then."""
        log, begin = self._project.log, f" begin {run.number} "
        while not disturbance.early and not (log.exists() and begin in log.read_text()):
            if run.wait(0.01) is not None:
                return False
        return run.wait(disturbance.seconds) is None

    def _killed(self, run: Run, moment: Moment, otherwise: float) -> Ended | None:
        share = moment.delay if moment.place == "time" else otherwise
        if run.wait(share * self._reference.seconds) is None:
            run.send(signal.SIGKILL)
            self.played.met["time"] += 1
        elif run.ended is not None and run.ended.was_killed:
            self.played.met[moment.name] += 1
        return run.wait()

    def _stopped(self, run: Run) -> None:
        """Hold a run for a while. Another one that is started meanwhile is refused.

        A run one of whose sessions is not over has its journal; if none is, it is held again.
        """
        while run.send(signal.SIGSTOP):
            is_held = any(session.ended is None for session in self._sessions_of(run))
            if is_held:
                self.played.signals["SIGSTOP"] += 1
                self._start_beside(run)
                run.wait(0.1)
            run.send(signal.SIGCONT)
            if is_held:
                return
            run.wait(0.01)

    def _start_beside(self, run: Run) -> None:
        second = Run(f"{run.number}b", self._project.command, self._project.folder, None)
        ended = second.wait()
        said = second.errors.read_text()
        if ended is None or ended.code != BAD_INPUT or f"process {run.pid} " not in said:
            self.played.broken.append(
                f"run {second.number} was started beside run {run.number} (process {run.pid}, "
                f"stopped): {ended}: {said.strip()}"
            )
            second.send(signal.SIGKILL)

    def _sessions_of(self, run: Run) -> list[Session]:
        every = sessions_of(lines_of(self._project.log))
        return [session for session in every if session.begun.run == run.number]

    def _note(self, run: Run, ended: Ended, disturbance: Disturbance | None) -> None:
        """Count, and look at what must hold at the end of each run."""
        name = disturbance.signal if disturbance else ""
        if name not in ("", "SIGSTOP") and ended.code not in (0, 1):
            self.played.signals[name] += 1
        if ended.was_killed:
            self.played.kills += 1
            self._cut.add(run.number)
            return
        if ended.code == STOPPED and name in _CUTTING:
            self._cut.add(run.number)
        self.played.broken += [f"run {run.number}: {what}" for what in self._wrong(run, ended)]

    def _wrong(self, run: Run, ended: Ended) -> Iterator[str]:
        begun = self._sessions_of(run)
        before_the_run = ended.signal is not None or ended.code == INTERRUPTED
        if before_the_run and begun:
            yield f"it ended with {ended}, with sessions begun"
        if not before_the_run and ended.code not in (0, 1, STOPPED):
            yield f"it ended with {ended}: {run.errors.read_text().strip()[-2000:]}"
        if not before_the_run:
            for process in alive(self._project.folder).values():
                yield f"it ended with {ended}, and a process is left: {process}"


_NO_ROOM: Final = re.compile(r"error: journal \S+ cannot be (made|written|read): .*has room\n")
_CUTTING: Final = ("SIGTERM", "SIGINT twice")
