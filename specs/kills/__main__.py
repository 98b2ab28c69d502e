"""`python -m specs.kills`: play waves until enough runs were killed. Exits 1 on a violation."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import count
from multiprocessing import get_context
from time import monotonic
from typing import Final

from rich.console import Console
from rich.table import Table

from specs.kills.disturbances import KINDS, SIGNALS, disturbed_wave
from specs.kills.play import FULL_DISK, PlayedWave, play
from wavelane_model.lifecycle import LaneRelease

OTHERS: Final = (*SIGNALS, FULL_DISK)
POLICIES: Final[dict[str, tuple[LaneRelease, ...]]] = {
    "done": ("done",),
    "review": ("review",),
    "both": ("done", "review"),
}
EVENTS: Final = {
    "resumed": "AttemptResumed",
    "discarded": "AttemptDiscarded",
    "merged": "MergeFound",
    "unclear": "AttemptUnclear",
    "plans": "OrderPlanned",
    "reservations": "Reservation",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    asked = _parser().parse_args(arguments)
    began = monotonic()
    policies = POLICIES[asked.policy]
    waves = [asked.wave] if asked.wave is not None else None
    played = []
    for one in play_waves(asked.seed, asked.kills, policies, jobs=asked.jobs, waves=waves):
        played.append(one)
        if one.broken:
            print(one.report(), flush=True)
    console = Console(width=200, soft_wrap=True)
    console.print(table(played, policies))
    console.print(f"\n{_moments(played)}\n{monotonic() - began:.0f} s, seed {asked.seed}")
    return 1 if any(one.broken for one in played) or not played else 0


def play_waves(
    seed: int,
    kills: int,
    policies: Sequence[LaneRelease],
    *,
    jobs: int,
    waves: Sequence[int] | None = None,
) -> Iterator[PlayedWave]:
    """Play waves in parallel: those of `waves`, or as many as it takes for so many kills."""
    numbers = iter(count() if waves is None else waves)
    done = 0
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        under_way: set[Future[PlayedWave]] = set()

        def submit_more() -> None:
            while len(under_way) < jobs and (waves is not None or done < kills):
                wave = next(numbers, None)
                if wave is None:
                    return
                under_way.add(pool.submit(play, disturbed_wave(seed, wave, policies)))

        submit_more()
        while under_way:
            ended, _ = wait(under_way, return_when=FIRST_COMPLETED)
            under_way.difference_update(ended)
            for one in ended:
                done += one.result().kills
                yield one.result()
            submit_more()


def table(played: Sequence[PlayedWave], policies: Sequence[LaneRelease]) -> Table:
    """A table with one row for each policy."""
    shown = Table(box=None, pad_edge=False, header_style="dim")
    shown.add_column("policy")
    for name in ("kills", "waves", "runs", "merges", *EVENTS, *OTHERS, "broken", "seconds"):
        shown.add_column(name, justify="right", no_wrap=True)
    for policy in policies:
        of_policy = [one for one in played if one.wave.setting.policy == policy]
        events = sum((one.events for one in of_policy), Counter[str]())
        signals = sum((one.signals for one in of_policy), Counter[str]())
        shown.add_row(
            policy,
            str(sum(one.kills for one in of_policy)),
            str(len(of_policy)),
            str(sum(len(one.runs) for one in of_policy)),
            str(sum(one.merges for one in of_policy)),
            *(str(events[event]) for event in EVENTS.values()),
            *(str(signals[name]) for name in OTHERS),
            str(sum(bool(one.broken) for one in of_policy)),
            f"{sum(one.seconds for one in of_policy):.0f}",
        )
    return shown


def _moments(played: Sequence[PlayedWave]) -> str:
    met = sum((one.met for one in played), Counter[str]())
    lines = [f"killed at {met['time']} random moments, and at:"]
    lines += [f"  {met[kind]:4} {kind}" for kind in sorted(KINDS)]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m specs.kills", description=__doc__)
    parser.add_argument(
        "--kills", type=int, default=150, metavar="N", help="how many runs to kill, at least"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the seed of all choices")
    parser.add_argument(
        "--policy", choices=POLICIES, default="both", help="when lanes are released"
    )
    parser.add_argument("--wave", type=int, metavar="N", help="play only this wave")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="waves in parallel")
    return parser


if __name__ == "__main__":
    sys.exit(main())
