"""`python -m specs.kills`: kill runs until it is enough. Status 1 where something is broken."""

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

from specs.kills.plan import KINDS, SIGNALS, plan_of
from specs.kills.play import FULL_DISK, Played, play
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
    """Do what the command line asks for."""
    asked = _parser().parse_args(arguments)
    began = monotonic()
    policies = POLICIES[asked.policy]
    waves = [asked.wave] if asked.wave is not None else None
    played = []
    for one in storm(asked.seed, asked.kills, policies, jobs=asked.jobs, waves=waves):
        played.append(one)
        if one.broken:
            print(one.account(), flush=True)
    console = Console(width=200, soft_wrap=True)
    console.print(table(played, policies))
    console.print(f"\n{_moments(played)}\n{monotonic() - began:.0f} s, seed {asked.seed}")
    return 1 if any(one.broken for one in played) or not played else 0


def storm(
    seed: int,
    kills: int,
    policies: Sequence[LaneRelease],
    *,
    jobs: int,
    waves: Sequence[int] | None = None,
) -> Iterator[Played]:
    """Play waves side by side until there were so many kills, or these waves."""
    numbers = iter(count() if waves is None else waves)
    done = 0
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        under_way: set[Future[Played]] = set()

        def go_on() -> None:
            while len(under_way) < jobs and (waves is not None or done < kills):
                wave = next(numbers, None)
                if wave is None:
                    return
                under_way.add(pool.submit(play, plan_of(seed, wave, policies)))

        go_on()
        while under_way:
            ended, _ = wait(under_way, return_when=FIRST_COMPLETED)
            under_way.difference_update(ended)
            for one in ended:
                done += one.result().kills
                yield one.result()
            go_on()


def table(played: Sequence[Played], policies: Sequence[LaneRelease]) -> Table:
    """One row a policy."""
    shown = Table(box=None, pad_edge=False, header_style="dim")
    shown.add_column("policy")
    for name in ("kills", "waves", "runs", "merges", *EVENTS, *OTHERS, "broken", "seconds"):
        shown.add_column(name, justify="right", no_wrap=True)
    for policy in policies:
        of_policy = [one for one in played if one.plan.setting.policy == policy]
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


def _moments(played: Sequence[Played]) -> str:
    met = sum((one.met for one in played), Counter[str]())
    lines = [f"killed at {met['time']} random moments, and:"]
    lines += [f"  {met[kind]:4} {kind}" for kind in sorted(KINDS)]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m specs.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=150, metavar="N", help="how many, at least")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="another choice")
    parser.add_argument("--policy", choices=POLICIES, default="both", help="when lanes are free")
    parser.add_argument("--wave", type=int, metavar="N", help="play this one alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="side by side")
    return parser


if __name__ == "__main__":
    sys.exit(main())
