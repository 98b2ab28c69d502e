"""The look of a Gantt picture: colours, in light and dark mode, signs, and their meanings.

Steps differ by colour, and their endings by sign or pattern, so that readers need not tell red from
green. A class stands for a meaning; only the style sheet knows colours.
"""

from __future__ import annotations

from typing import Final, Literal

from wavelane.gantt.svg import moved, rect
from wavelane.steps import Step

BarLook = Literal[
    "good", "rework", "failed", "postponed", "parked", "stopped", "cut off", "under way", "many"
]
"""The look of a bar for each ending of its session."""
WaitLook = Literal["dependencies", "cap", "lane", "turn", "paused", "postponed", "parked", "other"]
"""The look of a thin line for what was waited for."""

STYLE: Final = """
text {
  font: 11px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #334155;
}
.title { font-size: 17px; font-weight: 600; fill: #0f172a; }
.repo { font-size: 13px; font-weight: 600; fill: #0f172a; }
.quiet { fill: #64748b; }
.small { font-size: 10px; }
.apart { paint-order: stroke; stroke: #fff; stroke-width: 3px; stroke-linejoin: round; }
.label { fill: #fff; pointer-events: none; }
.paper { fill: #fff; }
.band { fill: #f1f5f9; }
.grid { stroke: #cbd5e1; }
.axis { stroke: #94a3b8; }
.implement { fill: #1f6fb5; }
.review { fill: #b8530c; }
.merge { fill: #0b7a5b; }
.many { fill: #5b7a99; }
.strong { stroke: #0f172a; stroke-width: 2; }
.stopped, .cutoff { fill-opacity: .5; }
.underway { fill-opacity: .6; stroke: #0f172a; stroke-width: 1.2; stroke-dasharray: 4 3; }
.hatch { stroke: #fff; stroke-width: 2.4; stroke-opacity: .55; }
.plan { fill: none; stroke: #64748b; stroke-width: 1.2; stroke-dasharray: 5 3; }
.over { fill: #000; fill-opacity: 0; }
.wait { stroke: #64748b; stroke-width: 2; }
.for-dependencies { stroke-dasharray: 1.5 3.5; }
.for-cap { stroke: #1f6fb5; stroke-dasharray: 8 3; }
.for-lane, .for-turn { stroke: #b8530c; stroke-dasharray: 5 3; }
.for-paused { stroke: #b7791f; stroke-dasharray: 6 4; }
.for-postponed { stroke: #b7791f; stroke-dasharray: 1.5 4; stroke-width: 3; }
.for-parked { stroke: #dc2626; stroke-dasharray: 2 2; }
.sign { stroke: #fff; stroke-width: 1.3; }
.red { fill: #dc2626; }
.yellow { fill: #eab308; }
.grey { fill: #64748b; }
.cross { stroke: #dc2626; stroke-width: 2.6; }
.halo { stroke: #fff; stroke-width: 5; }
.down { fill: url(#down); }
.downline { stroke: #94a3b8; stroke-width: 2; }
.pause { fill: #eab308; fill-opacity: .16; }
.flight { fill: #1f6fb5; fill-opacity: .28; }
.level { fill: none; stroke: #0f172a; stroke-width: 1.8; }
.planned { stroke: #64748b; stroke-width: 1.4; stroke-dasharray: 5 3; }
.real { stroke: #0f172a; stroke-width: 1.4; }
@media (prefers-color-scheme: dark) {
  text { fill: #cbd5e1; }
  .title, .repo { fill: #f1f5f9; }
  .quiet { fill: #94a3b8; }
  .apart { stroke: #0f172a; }
  .label { fill: #fff; }
  .paper { fill: #0f172a; }
  .band { fill: #172136; }
  .grid { stroke: #2c3a52; }
  .axis { stroke: #64748b; }
  .implement { fill: #2b7fc9; }
  .review { fill: #c4611a; }
  .merge { fill: #12906d; }
  .many { fill: #6d8db0; }
  .strong, .underway { stroke: #f8fafc; }
  .plan, .wait, .planned { stroke: #94a3b8; }
  .for-cap { stroke: #5aa9ee; }
  .for-lane, .for-turn { stroke: #e8853d; }
  .for-paused, .for-postponed { stroke: #eab308; }
  .for-parked, .cross { stroke: #f87171; }
  .sign, .halo { stroke: #0f172a; }
  .red { fill: #f87171; }
  .grey { fill: #94a3b8; }
  .downline { stroke: #475569; }
  .flight { fill: #5aa9ee; }
  .level, .real { stroke: #f1f5f9; }
}
""".strip()
DEFS: Final = (
    '<pattern id="down" width="8" height="8" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><line class="downline" x1="0" y1="0" x2="0" y2="8"/></pattern>'
    '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><line class="hatch" x1="0" y1="0" x2="0" y2="6"/></pattern>'
)

_CROSS: Final = "M-4 -4L4 4M-4 4L4 -4"
SIGNS: Final[dict[BarLook, str]] = {
    "rework": '<path class="sign yellow" d="M0 -6L6 0L0 6L-6 0Z"/>',
    "failed": f'<path class="halo" d="{_CROSS}"/><path class="cross" d="{_CROSS}"/>',
    "postponed": '<path class="sign yellow" d="M-5 -6H5L-5 6H5Z"/>',
    "parked": '<path class="sign red" d="M-5 -5H5V5H-5Z"/>',
    "stopped": '<circle class="sign grey" r="4.5"/>',
}
STEPS: Final[tuple[tuple[Step, str, str], ...]] = (
    ("implement", rect(0, -6, 22, 12, "implement", round_by=3), "implementing"),
    ("review", rect(0, -6, 22, 12, "review", round_by=3), "review"),
    ("merge", rect(0, -6, 22, 12, "merge", round_by=3), "merge"),
)
LOOKS: Final[tuple[tuple[BarLook, str], ...]] = (
    ("rework", "has to be worked on again"),
    ("failed", "failed"),
    ("postponed", "postponed"),
    ("parked", "parked"),
    ("stopped", "ended on request"),
    ("cut off", "cut off"),
    ("under way", "under way"),
    ("many", "several sessions"),
)
WAITS: Final[tuple[tuple[WaitLook, str], ...]] = (
    ("dependencies", "waits for dependencies"),
    ("cap", "waits for a slot"),
    ("lane", "waits for its lane"),
    ("turn", "waits for its merge turn"),
    ("paused", "waits: paused"),
    ("postponed", "until its time comes"),
    ("parked", "waits for a human"),
    ("other", "waits"),
)


def swatch(look: BarLook) -> str:
    """The sample of a look in the legend, around the point 0, 0."""
    if look in SIGNS:
        return moved(14.0, 0.0, SIGNS[look])
    kind = "many" if look == "many" else f"implement {look.replace(' ', '')}"
    bar = rect(0, -6, 22, 12, kind, round_by=3)
    return bar + (rect(0, -6, 22, 12, "", fill="url(#hatch)") if look == "cut off" else "")
