"""Testing: virtual time, scripted sessions and strategies for an engine's tests.

    def test_the_wave_ends() -> None:
        report = run_virtual(Scheduler(wave, ScriptedPipeline(), clock=virtual_clock).run)

`wavelane.testing.strategies` has Hypothesis strategies for waves; it needs `wavelane[testing]`.
"""

from wavelane.testing.assertion import assert_keeps_the_rules
from wavelane.testing.scripted import Call, ScriptedPipeline
from wavelane.testing.virtual import Deadlock, VirtualLoop, run_virtual, virtual_clock

__all__ = [
    "Call",
    "Deadlock",
    "ScriptedPipeline",
    "VirtualLoop",
    "assert_keeps_the_rules",
    "run_virtual",
    "virtual_clock",
]
