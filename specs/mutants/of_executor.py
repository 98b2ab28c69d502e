"""Mutants of the executor."""

from __future__ import annotations

from typing import Final

from specs.mutants.mutant import Mutant

_SCHEDULER: Final = "executor/wavelane/scheduler/scheduler.py"
_REPLAY: Final = "executor/wavelane/replay/replay.py"
_SESSIONS: Final = "executor/wavelane/scheduler/sessions.py"
_JOURNAL: Final = "executor/wavelane/journal/writer.py"
_CAP_CONTROL: Final = "executor/wavelane/scheduler/cap_control.py"
_ORDERS: Final = "executor/wavelane/scheduler/orders.py"
_SESSION_TASKS: Final = "executor/wavelane/scheduler/session_tasks.py"
_RUN_JOURNAL: Final = "executor/wavelane/scheduler/run_journal.py"
_CORE: Final = "executor/wavelane/scheduler/core.py"
_PLANNER: Final = "executor/wavelane/scheduler/background_planner.py"
_APPLY_END: Final = "        core.apply(SessionEnded(order.issue, order.session, outcome))\n"
_END_RESERVATION: Final = (
    "        self.timers.set(order.until, ReservationEnded(order.issue, order.until), order.issue)"
)
_ROWS: Final = (
    "return [RecordedEvent(result.at, result.event) for result in results], list(standings.items())"
)
_WRITE: Final = "        await self._journal.append(results, self._inbound.take_answers())\n"
_CARRY_OUT: Final = """        for result in results:
            self._orders.carry_out(result)
"""


def _in(file: str, name: str, old: str, new: str) -> Mutant:
    return Mutant(name, "executor", file, old, new)


EXECUTOR: Final = (
    _in(
        _SESSION_TASKS,
        "an await between the check and the start",
        "        session.started = True\n        outcome = await",
        "        await asyncio.sleep(0)\n        session.started = True\n        outcome = await",
    ),
    _in(
        _SESSION_TASKS,
        "the model is not asked before a start",
        "if instead := start_veto(core.state, order.issue, order.session):",
        "if instead := None:",
    ),
    _in(
        _SESSION_TASKS,
        "a cancellation is lost",
        "            if session.started:\n                session.task.cancel()",
        "            pass",
    ),
    _in(
        _SESSION_TASKS,
        "a session is cancelled before it has begun",
        "            if session.started:\n                session.task.cancel()",
        "            session.task.cancel()",
    ),
    _in(
        _SCHEDULER,
        "an effect before its journal write",
        _WRITE + _CARRY_OUT,
        _CARRY_OUT + _WRITE,
    ),
    _in(
        _RUN_JOURNAL,
        "effects follow a write that failed",
        "        await asyncio.shield(writing)",
        "        try:\n            await asyncio.shield(writing)\n"
        "        except Exception:\n            pass",
    ),
    _in(
        _RUN_JOURNAL,
        "the journal is not written",
        "        if self.file is None:\n            return\n",
        "        if self.file is not None:\n            return\n",
    ),
    _in(
        _RUN_JOURNAL,
        "the end of the run leaves its last events unwritten",
        "                if results or self.file.has_failed:",
        "                if self.file.has_failed:",
    ),
    _in(
        _RUN_JOURNAL,
        "a write that was under way is cancelled with the run",
        "        await asyncio.shield(writing)",
        "        await writing",
    ),
    _in(
        _SESSION_TASKS,
        "a merge is made twice",
        "            outcome = await outcome_of(",
        "            if isinstance(order, StartMerging):\n"
        "                await outcome_of(KINDS[type(order)], call, issue, timeout)\n"
        "            outcome = await outcome_of(",
    ),
    _in(_SESSION_TASKS, "a completion is reported twice", _APPLY_END, _APPLY_END + _APPLY_END),
    _in(
        _SESSION_TASKS,
        "a completion counts for the next session as well",
        _APPLY_END,
        _APPLY_END
        + "        try:\n"
        + "            core.apply(SessionEnded(order.issue, order.session + 1, outcome))\n"
        + "        except ValueError:\n"
        + "            pass\n",
    ),
    _in(
        _SESSION_TASKS,
        "a completion is lost when the session was to be ended",
        "            if session.ending:\n                return Stopped()",
        "            if session.ending:\n                raise",
    ),
    _in(
        _SESSION_TASKS,
        "any cancellation counts as a stopped session",
        "            if self._is_abandoned():\n                raise\n",
        "            if self._is_abandoned():\n                return Stopped()\n",
    ),
    _in(
        _CORE,
        "a wake-up is lost",
        "            results, self._results = self._results, []\n",
        "            results, self._results = self._results[:1], self._results[1:]\n",
    ),
    _in(
        _CORE,
        "a wake-up from another thread is lost",
        "                self._home.call_soon_threadsafe(super().set)",
        "                pass",
    ),
    _in(
        _SCHEDULER,
        "orders are carried out in the wrong order",
        _CARRY_OUT,
        _CARRY_OUT.replace("results", "reversed(results)"),
    ),
    _in(
        _RUN_JOURNAL,
        "events are written in the wrong order",
        _ROWS,
        _ROWS.replace("in results", "in reversed(results)"),
    ),
    _in(
        _RUN_JOURNAL,
        "standings are not written",
        _ROWS,
        _ROWS.replace("list(standings.items())", "[]"),
    ),
    _in(
        _REPLAY,
        "the report misses events",
        "        self.recorder.note(at, event, effects)\n",
        "",
    ),
    _in(
        _ORDERS,
        "a postponed issue is never woken",
        "        self.timers.set(until, PostponementEnded(order.issue), order.issue)",
        "        pass",
    ),
    _in(
        "executor/wavelane/scheduler/merge_turns.py",
        "a merge turn is not handed over",
        "            turn.set_result(None)",
        "            pass",
    ),
    _in(
        _SCHEDULER,
        "a merge turn is not waited for",
        "                await turn\n                yield",
        "                yield",
    ),
    _in(
        _SCHEDULER,
        "a merge turn is not given back",
        "                    self._core.apply(MergeTurnReturned(repo, ticket))",
        "                    pass",
    ),
    _in(
        _SCHEDULER,
        "a stop is not passed on",
        "            self._core.apply(StopRequested())",
        "            pass",
    ),
    _in(_ORDERS, "a reservation is never ended in time", _END_RESERVATION, "        pass"),
    _in(
        _ORDERS,
        "a reservation is ended too late",
        _END_RESERVATION,
        _END_RESERVATION.replace(
            "(order.until, ReservationEnded", "(order.until + 60, ReservationEnded"
        ),
    ),
    _in(
        _ORDERS,
        "the end of one reservation is forgotten for that of another",
        _END_RESERVATION,
        _END_RESERVATION.replace(", order.issue)", ")"),
    ),
    _in(
        _PLANNER,
        "a plan is applied after the end of the run",
        "                    if plan is not None and not core.has_ended:",
        "                    if plan is not None:",
    ),
    _in(
        _PLANNER,
        "a new plan is not applied",
        "                        core.apply(plan)",
        "                        pass",
    ),
    _in(
        _PLANNER,
        "the run waits for its planner in the end",
        "            self._planning.cancel()",
        "            pass",
    ),
    _in(
        _PLANNER,
        "two plans are computed at once",
        "            and self._planning is None\n",
        "",
    ),
    _in(
        _PLANNER,
        "a planner that fails ends the run",
        "        except Exception as error:\n"
        '            log.warning("the order of admission cannot be planned", exc_info=error)',
        "        except ArithmeticError as error:\n"
        '            log.warning("the order of admission cannot be planned", exc_info=error)',
    ),
    _in(
        _SESSIONS,
        "an exception counts as success",
        "    except Exception as error:\n        return _raised(kind, issue, error)",
        "    except Exception:\n        return kind.default or Failed('')",
    ),
    _in(
        _SESSIONS,
        "a time-out ends nothing",
        "    limit = _NO_LIMIT if seconds is None else asyncio.timeout(seconds)",
        "    limit = asyncio.timeout(None)",
    ),
    _in(
        _SESSIONS,
        "a session is reported as ended before it is gone",
        "            returned = await called",
        "            returned = await asyncio.shield(called)",
    ),
    _in(
        _JOURNAL,
        "a transaction is committed in two parts",
        "            self._digest = next_digest(self._digest, row)\n"
        '        self._db.execute("UPDATE',
        "            self._digest = next_digest(self._digest, row)\n"
        '        self._db.execute("COMMIT")\n'
        '        self._db.execute("BEGIN IMMEDIATE")\n'
        '        self._db.execute("UPDATE',
    ),
    _in(
        _JOURNAL,
        "a journal goes on behind a write that failed",
        "            raise self._failed\n",
        "            pass\n",
    ),
    _in(
        _JOURNAL,
        "the hash chain is not kept",
        "            self._digest = next_digest(self._digest, row)\n",
        "            pass\n",
    ),
    _in(
        _CAP_CONTROL,
        "the cap control moves nothing",
        "            self._apply(CapMoved(move, level))",
        "            pass",
    ),
)
