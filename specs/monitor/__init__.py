"""The rule monitor judges events and effects by the rules of the design, outside of the model.

`RuleMonitor` sees each event and the effects of its step, and nothing of the state behind them. It
shares no code with the step, and has a state of its own: where each issue is, which sessions are
open, which issues wait for a merge, and where the cap is.

- `legal` says which events must be taken, which must be refused, and which may be either;
- `take` applies one event and its effects, and returns what is broken: "property: what", a line
  each;
- `watch` does both, for an event that was taken.

The search asks `legal` what may happen next and passes every step to `take`
(specs/search/explore.py). Whole journals are passed to `watch`, with the effects that the step
computes for their events (specs/monitored.py).

- tables.py: what may follow what, written by hand
- state.py: what the monitor knows
- legality.py: which events are legal
- facts.py: what an event says, and which announcements have to follow from it
- orders.py: which effects keep the rules
- rule_monitor.py: `RuleMonitor`, which puts these together and judges how a run ends

The monitor judges these properties, at the moment of each order:

rejection    an event is taken only where it is legal
announced    each announced move starts where the issue is, and leads where it should
lane         an issue is admitted into a lane only when no other has it or waits to take it again;
             it begins only with its lane, and a session starts only where no other is at work
plan         an admitted issue comes first in the plan among all that could be admitted, and no lane
             is reserved for an issue before it
cap          an issue is admitted only while fewer than the level are in flight
order        an issue is admitted only when all that it depends on is done
pause        no issue is admitted and no session starts at level 0 or after a stop
merge        a turn is given only when the repo has none, and in the order of approval; tickets
             leave the queue when their run is cut off
once         an issue has one session at a time, numbered without a gap, and is done by one merge
bound        never more in flight than the highest level in force since the run began
glide        a session is ended on order only because its issue is parked or cancelled
outcome      the outcome of a session, or the recovery finding after a cut-off, decides where its
             issue goes; an implemented issue is reviewed
limits       a step is tried again as often as the limits allow, and then its issue is parked
cap control  the cap moves as its table says, and each new level is announced
wake         an issue is admitted only when its wait is over; the start of a run announces when each
             postponed issue wakes, and until when each reserved lane is reserved
end          the run ends exactly when it should, and with the right outcome; between runs nothing
             starts
"""

from specs.monitor.rule_monitor import RuleMonitor
from specs.monitor.tables import ALLOWED, FINDING_TRIGGERS, MEANT, WAYS_BACK, RecoveryFinding, Step

__all__ = [
    "ALLOWED",
    "FINDING_TRIGGERS",
    "MEANT",
    "WAYS_BACK",
    "RecoveryFinding",
    "RuleMonitor",
    "Step",
]
