"""Mutants of the model."""

from __future__ import annotations

from typing import Final

from specs.mutants.mutant import Layer, Mutant

_LIFECYCLE: Final = "model/wavelane_model/lifecycle.py"
_GUARDS: Final = "model/wavelane_model/guards.py"
_STATE: Final = "model/wavelane_model/state.py"
_LANES: Final = "model/wavelane_model/lanes.py"
_RESERVATIONS: Final = "model/wavelane_model/reservations.py"
_READY_QUEUE: Final = "model/wavelane_model/ready_queue.py"
_STEP: Final = "model/wavelane_model/step.py"
_CAP: Final = "model/wavelane_model/cap.py"
_ORDER: Final = "model/wavelane_model/order.py"


def _row(name: str, old: str, new: str) -> Mutant:
    return Mutant(name, "row", _LIFECYCLE, old, new)


def _guard(
    name: str, old: str, new: str, *, unseen_by: tuple[Layer, ...] = (), because: str = ""
) -> Mutant:
    old, new = f"    return {old}\n", f"    return {new}\n"
    return Mutant(name, "row", _GUARDS, old, new, unseen_by=unseen_by, because=because)


def _cap(name: str, old: str, new: str) -> Mutant:
    return Mutant(name, "row", _CAP, old, new)


ROWS: Final = (
    _row(
        "implemented goes straight to merging",
        'Row("implemented", "running", "review", ("session_open",)),',
        'Row("implemented", "running", "merging", ("session_open",)),',
    ),
    _row(
        "an approved issue is reviewed again",
        'Row("approve", "review", "merging", ("session_open",)),',
        'Row("approve", "review", "review", ("session_open",)),',
    ),
    _row(
        "a merged issue goes back to work",
        'Row("merged", "merging", "done", ("session_open",)),',
        'Row("merged", "merging", "admitted", ("session_open",)),',
    ),
    _row(
        "a postponed issue keeps its slot",
        'Row("postpone", "running", "queued", ("session_open",)),',
        'Row("postpone", "running", "admitted", ("session_open",)),',
    ),
    _row(
        "a withheld start keeps its slot",
        'Row("withhold", "running", "queued", ("session_open", "start_revoked", "untouched")),',
        'Row("withhold", "running", "admitted", ("session_open", "start_revoked", "untouched")),',
    ),
    _row(
        "a blocked issue stays in flight",
        'Row("block", "running", "parked"),',
        'Row("block", "running", "review"),',
    ),
    _row(
        "an unparked issue is in flight at once",
        'Row("unpark", "parked", "queued"),',
        'Row("unpark", "parked", "admitted"),',
    ),
    _row(
        "a done issue can be reset",
        'Row("reset", "merging", "queued"),',
        'Row("reset", "merging", "queued"),\n    Row("reset", "done", "queued"),',
    ),
    _guard(
        "one more than the cap",
        "state.in_flight < state.cap.level",
        "state.in_flight <= state.cap.level",
    ),
    _guard(
        "one fewer than the cap",
        "state.in_flight < state.cap.level",
        "state.in_flight < state.cap.level - 1",
    ),
    _guard(
        "the ceiling is taken for the cap",
        "state.in_flight < state.cap.level",
        "state.in_flight < state.cap.ceiling",
    ),
    Mutant(
        "sessions start while paused",
        "row",
        _STATE,
        "        return self.cap.level > 0 and not self.stopping\n",
        "        return not self.stopping\n",
    ),
    Mutant(
        "sessions start after a stop",
        "row",
        _STATE,
        "        return self.cap.level > 0 and not self.stopping\n",
        "        return self.cap.level > 0\n",
    ),
    _guard(
        "lanes are free when they are held",
        "state.lanes[record.lane].holder is None",
        "state.lanes[record.lane].holder is not None",
    ),
    _guard(
        "the holder of a lane is not compared",
        "state.lanes[record.lane].holder == record.position",
        "state.lanes[record.lane].holder is not None",
    ),
    _guard("one dependency may be missing", "record.unmet == 0", "record.unmet <= 1"),
    _guard("a postponed issue is due", "not record.postponed", "True"),
    _guard("nothing is ever implemented", "record.implemented", "False"),
    _guard(
        "any issue of the lane has the turn",
        "lane.turn is None and lane.next_merge() == record.position",
        "lane.turn is None",
        unseen_by=("search",),
        because="the step offers a turn only to the first in the queue",
    ),
    _guard(
        "a turn that is taken is given again",
        "lane.turn is None and lane.next_merge() == record.position",
        "lane.next_merge() == record.position",
        unseen_by=("search",),
        because="the step offers a turn only where none is taken",
    ),
    _guard("a session is always open", "record.open", "True"),
    _guard(
        "a start is not revoked when the cap is full",
        """not sessions_allowed(state, record) or (
        record.untouched and state.in_flight > state.cap.level
    )""",
        "not sessions_allowed(state, record)",
    ),
    _guard(
        "a start is revoked when the cap is just reached",
        """not sessions_allowed(state, record) or (
        record.untouched and state.in_flight > state.cap.level
    )""",
        """not sessions_allowed(state, record) or (
        record.untouched and state.in_flight >= state.cap.level
    )""",
    ),
    _guard("nothing is ever untouched", "record.untouched", "False"),
    _guard(
        "one checkpoint too many",
        "record.checkpoints + 1 < state.limits.checkpoints",
        "record.checkpoints < state.limits.checkpoints",
    ),
    _guard(
        "one change request too many",
        "record.rounds < state.limits.review_rounds",
        "record.rounds <= state.limits.review_rounds",
    ),
    _guard(
        "one conflict too many",
        "record.conflicts < state.limits.conflicts",
        "record.conflicts <= state.limits.conflicts",
    ),
    _guard(
        "one failure too many",
        "record.failures < state.limits.failures",
        "record.failures <= state.limits.failures",
    ),
    _cap("the cap may be higher than its ceiling", "cap.level < cap.ceiling", "True"),
    _cap(
        "the cap steps up at its ceiling alone",
        "cap.level < cap.ceiling",
        "cap.level == cap.ceiling",
    ),
    _cap(
        "the ceiling cannot be asked for", "0 <= asked <= cap.ceiling", "0 <= asked < cap.ceiling"
    ),
    _cap(
        "no level within the ceiling can be asked for",
        "0 <= asked <= cap.ceiling",
        "not 0 <= asked <= cap.ceiling",
    ),
    _cap("only the level that holds can be asked for", "asked != cap.level", "asked == cap.level"),
)
STEPS: Final = (
    Mutant(
        "merges last in, first out",
        "step",
        _LANES,
        "return next(iter(self.merges), None)",
        "return next(reversed(self.merges), None)",
    ),
    Mutant(
        "a merge queue is not popped",
        "step",
        _LANES,
        "        del self[number].merges[who]\n        self.free_turn(number, who)",
        "        self.free_turn(number, who)",
    ),
    Mutant(
        "a slot is not given back",
        "step",
        _STATE,
        "            del self.flight[record.position]",
        "            pass",
    ),
    Mutant(
        "a lane is not given back",
        "step",
        _LANES,
        "        if lane.holder == record.position:\n            lane.holder = None",
        "        if lane.holder == record.position:\n            pass",
    ),
    Mutant(
        "an admission does not take the lane",
        "step",
        _STATE,
        "                self.lanes[record.lane].holder = record.position",
        "                pass",
    ),
    Mutant(
        "dependents are let go when an issue is parked",
        "step",
        _STATE,
        '        if target == "done":\n            self._settle_dependents(record)',
        '        if target in ("done", "parked"):\n            self._settle_dependents(record)',
    ),
    Mutant(
        "a counter of dependencies is not kept",
        "step",
        _STATE,
        "            dependent.unmet -= 1",
        "            dependent.unmet -= 2",
    ),
    Mutant(
        "a cap that falls ends sessions",
        "step",
        _STEP,
        "    effects.append(AnnounceCap(cap.level))",
        "    effects.append(AnnounceCap(cap.level))\n"
        "    for one in state.records:\n"
        "        if one.open:\n"
        "            effects.append(EndSession(state.issue_id(one), one.session))",
    ),
    Mutant(
        "a new admission goes before rework",
        "step",
        _READY_QUEUE,
        "        if lane.holder is not None or lane.rework:\n            return None\n",
        "        if lane.holder is not None:\n            return None\n",
        "rework takes a free lane earlier in the same step, so that no lane is free and has "
        "rework waiting when admissions are looked at",
    ),
    Mutant(
        "a park takes effect while the session runs",
        "step",
        _STEP,
        "    if not record.open:\n        was_postponed",
        "    if True:\n        was_postponed",
    ),
    Mutant(
        "a cancel beats a merge that is in",
        "step",
        _STEP,
        "if removal is not None and not isinstance(outcome, Merged):",
        "if removal is not None:",
    ),
    Mutant(
        "a session's number is not compared",
        "step",
        _STEP,
        "if not (record.open and record.session == session):",
        "if not record.open:",
    ),
    Mutant(
        "the wave ends while a session is open",
        "step",
        _STEP,
        "if state.lanes.tickets or state.open_sessions:",
        "if state.lanes.tickets:",
    ),
    Mutant(
        "the wave ends while a ticket waits for its merge turn",
        "step",
        _STEP,
        "if state.lanes.tickets or state.open_sessions:",
        "if state.open_sessions:",
    ),
    Mutant(
        "a postponed issue does not keep the wave open",
        "step",
        _STEP,
        "if state.in_flight == 0 and state.queue.count == 0 and state.postponed == 0:",
        "if state.in_flight == 0 and state.queue.count == 0:",
    ),
    Mutant(
        "a cancelled issue counts as complete",
        "step",
        _STEP,
        '    if state.done == len(state.records):\n        return "complete"',
        '    if state.in_flight == 0 and state.queue.count == 0:\n        return "complete"',
    ),
    Mutant(
        "a pause is forgotten",
        "step",
        _CAP,
        "before_pause=level or cap.level or cap.before_pause",
        "before_pause=level or cap.ceiling",
    ),
)
BETWEEN_RUNS: Final = (
    Mutant(
        "a recovery finding is taken while the run is under way",
        "step",
        _STEP,
        "    if kind in RECOVERY_FINDINGS:",
        "    if False:",
    ),
    Mutant(
        "a run starts before its recovery findings",
        "step",
        _STEP,
        "    if state.open_sessions:\n        raise",
        "    if False:\n        raise",
    ),
    Mutant(
        "a cancel is lost with the run that is cut off",
        "step",
        _STEP,
        'if record.pending_removal is not None and trigger != "find_merged":',
        "if False:",
    ),
    Mutant(
        "a cancel goes before a merge that is found",
        "step",
        _STEP,
        'if record.pending_removal is not None and trigger != "find_merged":',
        "if record.pending_removal is not None:",
    ),
    Mutant(
        "a cancel stays pending after the recovery finding",
        "step",
        _STEP,
        "    record.pending_removal = None\n"
        "    record.untouched = False\n"
        "    record.reason = reason",
        "    record.untouched = False\n    record.reason = reason",
    ),
    Mutant(
        "a recovery finding leaves an issue untouched",
        "step",
        _STEP,
        "    record.pending_removal = None\n"
        "    record.untouched = False\n"
        "    record.reason = reason",
        "    record.pending_removal = None\n    record.reason = reason",
    ),
    Mutant(
        "a discarded attempt counts as implemented",
        "step",
        _STEP,
        '    if record.state == "queued":\n        record.implemented = False',
        '    if record.state == "queued":\n        pass',
    ),
    Mutant(
        "a recovery finding needs no issue in flight",
        "step",
        _STEP,
        "    if record.state not in IN_FLIGHT:\n        raise",
        "    if False:\n        raise",
    ),
    Mutant(
        "tickets keep their place when the run is cut off",
        "step",
        _STEP,
        "    state.lanes.drop_tickets()\n",
        "",
    ),
    Mutant(
        "a turn stays taken when the run is cut off",
        "step",
        _LANES,
        "                self.leave_merges(number, who)\n        self.tickets = 0",
        "                del lane.merges[who]\n        self.tickets = 0",
    ),
    Mutant(
        "dropped tickets are still counted",
        "step",
        _LANES,
        "                self.leave_merges(number, who)\n        self.tickets = 0",
        "                self.leave_merges(number, who)",
    ),
    Mutant(
        "a stop outlives its run",
        "step",
        _STEP,
        "    state.stopping = False  # a stop",
        "    pass  # a stop",
    ),
    Mutant(
        "a stop that was asked for between runs is forgotten",
        "step",
        _STEP,
        "    state.started = True\n",
        "    state.started = True\n    state.stopping = False\n",
    ),
    Mutant(
        "no issue is woken in the next run",
        "step",
        _STEP,
        "    if state.postponed:\n        effects.extend(",
        "    if False:\n        effects.extend(",
    ),
    Mutant(
        "work starts between runs",
        "step",
        _STEP,
        "    if state.started and not state.ended:\n        dispatch",
        "    if state.started:\n        dispatch",
    ),
    Mutant(
        "the highest cap rises between runs",
        "step",
        _STEP,
        "    if state.started and not state.ended:\n        state.highest_cap",
        "    if state.started:\n        state.highest_cap",
    ),
    Mutant(
        "the highest cap is that of the run before",
        "step",
        _STEP,
        "    state.highest_cap = max(state.cap.level, state.in_flight)",
        "    state.highest_cap = max(state.highest_cap, state.cap.level, state.in_flight)",
    ),
    Mutant(
        "a run that has ended can be cut off",
        "step",
        _STEP,
        "        allowed = kind in _BETWEEN_RUNS",
        "        allowed = kind in (*_BETWEEN_RUNS, RunCutOff)",
    ),
    Mutant(
        "sessions report after their run was cut off",
        "step",
        _STEP,
        "        allowed = kind in _BETWEEN_RUNS",
        "        allowed = kind in (*_BETWEEN_RUNS, SessionEnded)",
    ),
    Mutant(
        "a run that is cut off has ended as stopped",
        "step",
        _STEP,
        '_end_run(state, "unfinished")',
        '_end_run(state, "stopped")',
    ),
    Mutant(
        "an issue that is found merged leaves its dependents waiting",
        "step",
        _STATE,
        '        if target == "done":\n            self._settle_dependents(record)',
        '        if target == "done" and row.trigger == "merged":\n'
        "            self._settle_dependents(record)",
    ),
)
PLANS: Final = (
    Mutant(
        "a plan is not followed",
        "step",
        _STATE,
        "        self.queue.rank_anew(admission_order(self.wave, self.plan))",
        "        self.queue.rank_anew(admission_order(self.wave))",
    ),
    Mutant(
        "a plan is followed from its end",
        "step",
        _ORDER,
        "        place[planned] = at",
        "        place[planned] = len(plan) - 1 - at",
    ),
    Mutant(
        "a reservation also stops earlier issues of the plan",
        "step",
        _RESERVATIONS,
        "if rank[one] < own and self._records[one].lane == record.lane]",
        "if rank[one] != own and self._records[one].lane == record.lane]",
    ),
    Mutant(
        "all lanes are reserved",
        "step",
        _RESERVATIONS,
        "if rank[one] < own and self._records[one].lane == record.lane]",
        "if rank[one] < own]",
    ),
    Mutant(
        "a reservation goes on when its issue has gone",
        "step",
        _STATE,
        "        if record.position in self.reservations:\n",
        "        if False:\n",
    ),
    Mutant(
        "a reservation goes on when what it waits for is parked",
        "step",
        _RESERVATIONS,
        "            needed.state in TAKEN_OUT for needed in self._still_needed(record)",
        '            needed.state == "cancelled" for needed in self._still_needed(record)',
    ),
    Mutant(
        "a reservation goes on when what it waits for indirectly is parked",
        "step",
        _RESERVATIONS,
        "                    ahead.append(needed)\n",
        "",
    ),
    Mutant(
        "a reservation goes on when a change makes it wait for a human",
        "step",
        _STATE,
        "            del self.reservations[position]",
        "            pass",
    ),
    Mutant(
        "a reservation is put off by the next plan",
        "step",
        _RESERVATIONS,
        "            position: min(until, self.get(position, until))",
        "            position: until",
    ),
    Mutant(
        "a lane is reserved twice for an issue",
        "step",
        _RESERVATIONS,
        "        return record.had_reservation and record.position not in self",
        "        return False",
    ),
    Mutant(
        "a reservation that was withdrawn is forgotten",
        "step",
        _STATE,
        "        self.plan = tuple(plan)\n",
        "        self.plan = tuple(plan)\n"
        "        for position in self.reservations:\n"
        "            self.records[position].had_reservation = False\n",
    ),
    Mutant(
        "an unparked issue never gets a reservation again",
        "step",
        _STEP,
        "    record.implemented = record.had_reservation = False",
        "    record.implemented = False",
    ),
    Mutant(
        "a lane is reserved for an issue that waits for a human",
        "step",
        _RESERVATIONS,
        "            if self.may_be_made_for(self._records[position])\n            and",
        "            if",
    ),
    Mutant(
        "a run does not say until when lanes are reserved",
        "step",
        _STEP,
        "    effects.extend(_ends_of_reservations(state))\n    if state.postponed",
        "    if state.postponed",
    ),
    Mutant(
        "a reservation outlives its run",
        "step",
        _STEP,
        "    state.end_reservations()\n",
        "",
    ),
    Mutant(
        "a reservation outlives the plan that asked for it",
        "step",
        _RESERVATIONS,
        "        self.clear()\n        self.update(kept)",
        "        self.update(kept)",
    ),
    Mutant(
        "a reservation goes on when its issue is changed",
        "step",
        _STATE,
        "            self.reservations.pop(position, None)\n",
        "",
    ),
    Mutant(
        "a plan is lost when issues are added",
        "step",
        _STATE,
        "        self.wave = self.reservations.wave = wave\n",
        "        self.wave = self.reservations.wave = wave\n        self.plan = ()\n",
    ),
    Mutant(
        "a reservation ends at the time of an earlier one",
        "step",
        _STEP,
        "    if state.reservations.get(record.position) != event.until:",
        "    if record.position not in state.reservations:",
    ),
    Mutant(
        "a plan does not say until when lanes are reserved",
        "step",
        _STEP,
        "    if state.started and not state.ended:\n"
        "        effects.extend(_ends_of_reservations(state))",
        "    if False:\n        effects.extend(_ends_of_reservations(state))",
    ),
    Mutant(
        "a lane that is reserved no longer is not proposed",
        "liveness",
        _STATE,
        "            self.queue.propose(lane)",
        "            pass",
    ),
)

LIVENESS: Final = (
    Mutant(
        "admission waits for the end of a session",
        "liveness",
        _STEP,
        "    while (record := state.queue.candidate()) is not None:",
        "    while len(effects) > 1 and (record := state.queue.candidate()) is not None:",
    ),
    Mutant(
        "a wake-up is lost on resume",
        "liveness",
        _STEP,
        "    _start_startable(state, effects)\n    while",
        "    if effects and not isinstance(effects[0], AnnounceCap):\n"
        "        _start_startable(state, effects)\n"
        "    while",
    ),
    Mutant(
        "a free lane is not proposed",
        "liveness",
        _STATE,
        "            self.queue.propose(record.lane)",
        "            pass",
    ),
    Mutant(
        "an issue whose time has come is not listed",
        "liveness",
        _STATE,
        "        self.postponed -= 1\n        if record.ready:",
        "        self.postponed -= 1\n        if False:",
    ),
    Mutant(
        "a resumed issue does not start in the next run",
        "liveness",
        _STATE,
        "        self._update_startable_index(record)\n        if target",
        '        if row.trigger != "resume":\n'
        "            self._update_startable_index(record)\n"
        "        if target",
    ),
    Mutant(
        "a returned turn is not given to the next",
        "liveness",
        _LANES,
        "        if lane.turn is None and lane.merges:\n",
        "        if lane.turn is None and not lane.merges:\n",
    ),
)
