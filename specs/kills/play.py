"""Playing a wave: its runs are disturbed, one after the other, until one ends by itself."""

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

from specs.kills.checker import Comparison, LoggedSession, sessions_of, violations
from specs.kills.disk import SmallDisk
from specs.kills.disturbances import Disturbance, DisturbedWave
from specs.kills.facts import Facts, collect_facts, log_lines
from specs.kills.kill_points import KillPoint
from specs.kills.processes import (
    INTERRUPTED,
    RUN_TIMEOUT,
    Ended,
    FaultInjector,
    Run,
    become_subreaper,
    kill_all,
    processes_of,
)
from specs.kills.project import Project, Setting

FULL_DISK: Final = "full disk"
STOPPED: Final = 3
BAD_INPUT: Final = 2


@dataclass(slots=True)
class PlayedWave:
    """A wave that was played, and its violations; its `folder` is kept if there are any."""

    wave: DisturbedWave
    seconds: float = 0.0
    runs: list[str] = field(default_factory=list)
    kills: int = 0
    merges: int = 0
    signals: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    folder: str = ""

    def report(self) -> str:
        """Describe the wave, its violations, and how to play it again."""
        setting = self.wave.setting
        return "\n".join(
            (
                f"seed {self.wave.seed}, wave {self.wave.number} (lanes until {setting.policy}, "
                f"cap {setting.ceiling}{', one parked' if setting.has_parked else ''}"
                f"{', planned' if setting.has_estimates else ''}); "
                f"folder {self.folder}",
                *(f"  run {number}: {run}" for number, run in enumerate(self.runs, 1)),
                *(f"  broken: {what}" for what in self.broken),
                f"  again: python -m specs.kills --seed {self.wave.seed} --wave {self.wave.number}",
            )
        )


def play(wave: DisturbedWave) -> PlayedWave:
    """Play a wave to its end in a new folder, and check it."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=f"wavelane-kills-{wave.seed}-{wave.number}-")).resolve()
    become_subreaper()
    project = Project.make(folder, wave.setting)
    disk = SmallDisk(folder / "disk", wave.disk) if wave.disk else None
    player = _Player(wave, replace(project, disk=disk.folder if disk else None))
    played = player.played
    try:
        if disk is not None:
            player.play_on(disk)
        if not played.broken:
            player.play()
        if not played.broken:
            player.check()
    finally:
        kill_all(folder)
        if disk is not None:
            disk.close(keep=bool(played.broken))
    if played.broken:
        played.folder = str(folder)
    else:
        rmtree(folder)
    played.seconds = time.monotonic() - began
    return played


class ReferenceRun(NamedTuple):
    """An undisturbed wave, and how many seconds its run took."""

    facts: Facts
    seconds: float


@cache
def reference_run(setting: Setting) -> ReferenceRun:
    """Play the wave of a setting undisturbed, once in a process."""
    folder = Path(tempfile.mkdtemp(prefix="wavelane-kills-undisturbed-")).resolve()
    become_subreaper()
    project = Project.make(folder, setting)
    began = time.monotonic()
    ended = Run("1", project.command, folder, None).wait()
    seconds = time.monotonic() - began
    facts = collect_facts(project, ended.code if ended else None)
    broken = violations(Comparison(setting, facts, facts))
    if broken:
        kill_all(folder)
        raise AssertionError("\n".join((f"an undisturbed wave has violations: {folder}", *broken)))
    rmtree(folder)
    return ReferenceRun(facts, seconds)


class _Player:
    def __init__(self, wave: DisturbedWave, project: Project) -> None:
        self.played = PlayedWave(wave)
        self._project = project
        self._setting = wave.setting
        self._reference = reference_run(replace(wave.setting, ceiling=3, has_estimates=False))
        self._cut: set[str] = set()
        self._run: Run | None = None

    def play_on(self, disk: SmallDisk) -> None:
        """Run the wave twice with too little room for the journal, then make room."""
        for _ in range(2):
            run = self._start(disk)
            ended = run.wait()
            self.played.runs.append(f"on a disk of {disk.size} bytes → {ended}")
            self._cut.add(run.number)
            errors = run.errors.read_text()
            if ended != Ended(BAD_INPUT, None) or not _NO_ROOM.fullmatch(errors):
                self.played.broken.append(f"run {run.number} on a full disk: {ended}: {errors}")
            for process in processes_of(self._project.folder).values():
                self.played.broken.append(f"a process is left after a full disk: {process}")
        self.played.signals[FULL_DISK] += 1
        disk.make_room()

    def play(self) -> None:
        """Disturb run after run, until one ends the wave; the last run is left alone."""
        for disturbance in (*self.played.wave.disturbances, None):
            run = self._start(disturbance.kill_point if disturbance else None)
            ended = self._disturbed(run, disturbance) if disturbance else run.wait()
            if ended is None:
                self.played.broken.append(f"run {run.number} did not end in {RUN_TIMEOUT:.0f} s")
                return
            self.played.runs.append(f"{disturbance or 'left alone'} → {ended}")
            self._count(run, ended, disturbance)
            if self.played.broken or ended.code in (0, 1):
                return

    def check(self) -> None:
        """Compare the wave with an undisturbed one."""
        assert self._run is not None
        assert self._run.ended is not None
        facts = collect_facts(self._project, self._run.ended.code)
        case = Comparison(self._setting, self._reference.facts, facts, frozenset(self._cut))
        self.played.broken += violations(case)
        self.played.merges = facts.merges
        self.played.events = facts.events

    def _start(self, injector: FaultInjector | None) -> Run:
        number = str(len(self.played.runs) + 1)
        self._run = Run(number, self._project.command, self._project.folder, injector)
        return self._run

    def _disturbed(self, run: Run, disturbance: Disturbance) -> Ended | None:
        """Disturb a run, and wait for its end."""
        if disturbance.kill_point is not None:
            return self._killed(run, disturbance.kill_point, disturbance.otherwise)
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
        """Wait until the signal is due; False if the run has ended by then."""
        log, begin = self._project.log, f" begin {run.number} "
        while not disturbance.early and not (log.exists() and begin in log.read_text()):
            if run.wait(0.01) is not None:
                return False
        return run.wait(disturbance.seconds) is None

    def _killed(self, run: Run, point: KillPoint, otherwise: float) -> Ended | None:
        share = point.delay if point.target == "time" else otherwise
        if run.wait(share * self._reference.seconds) is None:
            run.send(signal.SIGKILL)
            self.played.met["time"] += 1
        elif run.ended is not None and run.ended.was_killed:
            self.played.met[point.name] += 1
        return run.wait()

    def _stopped(self, run: Run) -> None:
        """Suspend a run for a while. Another run that is started meanwhile is refused.

        A run with an open session has its journal; if there is none, it is suspended again later.
        """
        while run.send(signal.SIGSTOP):
            has_journal = any(session.ended is None for session in self._sessions_of(run))
            if has_journal:
                self.played.signals["SIGSTOP"] += 1
                self._start_beside(run)
                run.wait(0.1)
            run.send(signal.SIGCONT)
            if has_journal:
                return
            run.wait(0.01)

    def _start_beside(self, run: Run) -> None:
        second = Run(f"{run.number}b", self._project.command, self._project.folder, None)
        ended = second.wait()
        errors = second.errors.read_text()
        if ended is None or ended.code != BAD_INPUT or f"process {run.pid} " not in errors:
            self.played.broken.append(
                f"run {second.number} was started beside run {run.number} (process {run.pid}, "
                f"stopped): {ended}: {errors.strip()}"
            )
            second.send(signal.SIGKILL)

    def _sessions_of(self, run: Run) -> list[LoggedSession]:
        every = sessions_of(log_lines(self._project.log))
        return [session for session in every if session.begun.run == run.number]

    def _count(self, run: Run, ended: Ended, disturbance: Disturbance | None) -> None:
        """Count what happened, and check what must hold at the end of each run."""
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
            yield f"it ended with {ended} after sessions had begun"
        if not before_the_run and ended.code not in (0, 1, STOPPED):
            yield f"it ended with {ended}: {run.errors.read_text().strip()[-2000:]}"
        if not before_the_run:
            for process in processes_of(self._project.folder).values():
                yield f"it ended with {ended}, and a process is left: {process}"


_NO_ROOM: Final = re.compile(r"error: journal \S+ cannot be (made|written|read): .*has room\n")
_CUTTING: Final = ("SIGTERM", "SIGINT twice")
