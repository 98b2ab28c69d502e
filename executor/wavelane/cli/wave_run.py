"""The run of a wave file: the scheduler and the command pipeline that belong to it.

`prepare` checks everything and makes branches and worktrees; `run` runs the wave and tidies up.
Interrupts are the command line's: the first drains, the second cancels.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from wavelane.commands import CommandPipeline, IssueCommands, RepoSettings
from wavelane.journal import JournalError
from wavelane.replay.experience import experience_of
from wavelane.replay.report import Report
from wavelane.scheduler.scheduler import Scheduler
from wavelane.wavefile import WaveFile
from wavelane_model.wave import Finished, Wave

_TERMINATING = (signal.SIGTERM, signal.SIGHUP)


class WaveRun:
    """One run of a wave file.

    Args:
        file: The wave file.
        cap: How many issues may be in flight, in place of the file's cap.
        journal: The journal to make or to continue, in place of the one in the state directory.
        plan: Whether the order of admission is planned ahead; see `Scheduler`.
        learn: Journals of earlier waves to learn missing estimates from.

    Raises:
        ValueError: The cap is below 1.
        JournalError: Nothing can be learned from a journal.
    """

    def __init__(
        self,
        file: WaveFile,
        *,
        cap: int | None = None,
        journal: Path | None = None,
        plan: bool | None = None,
        learn: Collection[Path] = (),
    ) -> None:
        self.file = file
        self.went_on = False
        """Whether everything was prepared, and the wave went on."""
        self.journal = journal or file.state_dir / "journal.db"
        self.wave = file.to_wave(self._learned(learn))
        limits = file.to_limits()
        self.pipeline = pipeline_of(file, self.wave)
        self.scheduler = Scheduler(
            self.wave,
            self.pipeline,
            cap=file.cap if cap is None else cap,
            lane_release=file.lane_release,
            limits=limits,
            journal=self.journal,
            plan=plan,
            name=file.wave,
        )

    def _learned(self, learn: Collection[Path]) -> tuple[Finished, ...]:
        if any(path.resolve() == self.journal.resolve() for path in learn):
            raise JournalError(
                f"journal {self.journal} is this wave's own, from which it learns anyway; "
                "give journals of earlier waves"
            )
        return experience_of(*learn)

    async def run(self, interrupted: Callable[[str], None] = lambda text: None) -> Report:
        """Prepare, run to the end, tidy up, and report.

        SIGINT drains; a second one, SIGTERM, or SIGHUP ends the sessions now.

        Args:
            interrupted: Called at each signal, with a sentence on what happens next.

        Raises:
            PipelineError: The pipeline cannot work; nothing was changed.
            JournalError: The journal cannot be written, or is another wave's.
        """
        await self._prepare()
        self.went_on = True
        running = asyncio.ensure_future(self.scheduler.run())
        with self._signals(running, interrupted):
            recorded = False
            try:
                report = await running
                recorded = True
                return report
            except asyncio.CancelledError:
                if not running.cancelled():
                    running.cancel()
                    await asyncio.wait([running])
                    raise
                return self.scheduler.report()
            finally:
                await self.pipeline.close(recorded=recorded)

    async def _prepare(self) -> None:
        try:
            await self.pipeline.prepare(
                self.scheduler.open_journal, begins=lambda: not self.scheduler.continues
            )
        except BaseException:
            self.scheduler.discard_journal()
            raise

    @contextmanager
    def _signals(
        self, running: asyncio.Future[Report], interrupted: Callable[[str], None]
    ) -> Iterator[None]:
        draining = False

        def on_interrupt() -> None:
            nonlocal draining
            if running.done():
                interrupted("the run is over; tidying up")
                return
            if draining:
                on_terminate()
                return
            draining = True
            self.scheduler.stop()
            interrupted("stopping: running sessions finish their step; Ctrl-C again ends them now")

        def on_terminate() -> None:
            if running.done():
                return
            running.cancel()
            interrupted("ending all sessions now")

        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, on_interrupt)
        terminating = [one for one in _TERMINATING if signal.getsignal(one) is not signal.SIG_IGN]
        for one in terminating:  # signals that nohup ignores stay ignored
            loop.add_signal_handler(one, on_terminate)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            for one in terminating:
                loop.remove_signal_handler(one)


def pipeline_of(file: WaveFile, wave: Wave) -> CommandPipeline:
    """The command pipeline that a wave file describes."""
    return CommandPipeline(
        file.wave,
        {
            name: RepoSettings(Path(entry.path), entry.base, file.gates_for(name))
            for name, entry in file.repos.items()
        },
        {
            issue.id: IssueCommands(_required(file, issue.id), file.command_for(issue.id, "review"))
            for issue in wave.issues
        },
        state_dir=file.state_dir,
        wave_dir=file.directory,
        gate_attempts=file.to_limits().gate_attempts,
    )


def _required(file: WaveFile, issue_id: str) -> str | tuple[str, ...]:
    command = file.command_for(issue_id, "implement")
    assert command is not None, "the wave file is checked: every issue has an implement command"
    return command
