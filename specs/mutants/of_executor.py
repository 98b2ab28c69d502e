"""Mutants of the executor."""

from __future__ import annotations

from typing import Final

from specs.mutants.mutant import Mutant

_SCHEDULER: Final = "executor/wavelane/scheduler/scheduler.py"
_SESSIONS: Final = "executor/wavelane/scheduler/sessions.py"
_JOURNAL: Final = "executor/wavelane/journal/writer.py"
_LEVER: Final = "executor/wavelane/scheduler/cap_control.py"
_TELL_END: Final = "        self._tell(SessionEnded(order.issue, order.session, outcome))\n"
_END_HOLD: Final = (
    "        self._timers.set(order.until, ReservationEnded(order.issue, order.until), order.issue)"
)
_WRITE: Final = "                    await self._write(taken)\n"
_CARRY_OUT: Final = """                    for told in taken:
                        self._carry_out(told)
"""


def _scheduler(name: str, old: str, new: str) -> Mutant:
    return Mutant(name, "executor", _SCHEDULER, old, new)


EXECUTOR: Final = (
    _scheduler(
        "an await between the check and the start",
        "        session.started = True\n        outcome = await",
        "        await asyncio.sleep(0)\n        session.started = True\n        outcome = await",
    ),
    _scheduler(
        "the model is not asked before a start",
        "if instead := start_veto(self._state, order.issue, order.session):",
        "if instead := None:",
    ),
    _scheduler(
        "a cancellation is lost",
        "            if session.started:\n                session.task.cancel()",
        "            pass",
    ),
    _scheduler(
        "a session is cancelled before it has begun",
        "            if session.started:\n                session.task.cancel()",
        "            session.task.cancel()",
    ),
    _scheduler(
        "an effect before its journal write",
        _WRITE + _CARRY_OUT,
        _CARRY_OUT + _WRITE,
    ),
    _scheduler(
        "effects follow a write that failed",
        "            await asyncio.shield(writing)",
        "            with suppress(Exception):\n                await asyncio.shield(writing)",
    ),
    _scheduler(
        "the journal is not written",
        "        if self._journal is not None and self._loop is not None:\n            append",
        "        if self._journal is None and self._loop is not None:\n            append",
    ),
    _scheduler(
        "the end of the run leaves its last events unwritten",
        "                if taken or self._journal.has_failed:",
        "                if self._journal.has_failed:",
    ),
    _scheduler(
        "a write that was under way is cancelled with the run",
        "            await asyncio.shield(writing)",
        "            await writing",
    ),
    _scheduler(
        "a merge is made twice",
        "            outcome = await outcome_of(",
        "            if isinstance(order, StartMerging):\n"
        "                await outcome_of(KINDS[type(order)], call, issue, timeout)\n"
        "            outcome = await outcome_of(",
    ),
    _scheduler("a completion is told twice", _TELL_END, _TELL_END + _TELL_END),
    _scheduler(
        "a completion counts for the next session as well",
        _TELL_END,
        _TELL_END
        + "        with suppress(IllegalEvent):\n"
        + "            self._tell(SessionEnded(order.issue, order.session + 1, outcome))\n",
    ),
    _scheduler(
        "a completion is lost when the session was to be ended",
        "            if session.ending:\n                return Stopped()",
        "            if session.ending:\n                raise",
    ),
    _scheduler(
        "whoever cancels, the session counts as stopped",
        "            if self._is_abandoned():\n                raise\n",
        "            if self._is_abandoned():\n                return Stopped()\n",
    ),
    _scheduler(
        "a wake-up is lost",
        "        taken, self._outbox = self._outbox, []\n",
        "        taken, self._outbox = self._outbox[:1], self._outbox[1:]\n",
    ),
    _scheduler(
        "a wake-up from another thread is lost",
        "                self._loop.call_soon_threadsafe(self._awake.set)",
        "                pass",
    ),
    _scheduler(
        "orders are carried out in the wrong order",
        _CARRY_OUT,
        _CARRY_OUT.replace("taken", "reversed(taken)"),
    ),
    _scheduler(
        "events are written in the wrong order",
        "return [RecordedEvent(told.at, told.event) for told in taken], list(standings.items())",
        "return [RecordedEvent(told.at, told.event) for told in reversed(taken)], "
        "list(standings.items())",
    ),
    _scheduler(
        "where the issues stand is not written",
        "return [RecordedEvent(told.at, told.event) for told in taken], list(standings.items())",
        "return [RecordedEvent(told.at, told.event) for told in taken], []",
    ),
    _scheduler(
        "the report misses what happens",
        "            self._recorder.note(at, event, effects)\n",
        "",
    ),
    _scheduler(
        "a postponed issue is never woken",
        "        self._timers.set(until, PostponementEnded(order.issue), order.issue)",
        "        pass",
    ),
    Mutant(
        "a merge turn is not handed over",
        "executor",
        "executor/wavelane/scheduler/merge_turns.py",
        "            turn.set_result(None)",
        "            pass",
    ),
    _scheduler(
        "a merge turn is not waited for",
        "                await turn\n                yield",
        "                yield",
    ),
    _scheduler(
        "a merge turn is not given back",
        "                    self._tell(MergeTurnReturned(repo, ticket))",
        "                    pass",
    ),
    _scheduler(
        "a stop is not passed on",
        "            self._tell(StopRequested())",
        "            pass",
    ),
    _scheduler("a reservation is never ended in time", _END_HOLD, "        pass"),
    _scheduler(
        "a reservation is ended too late",
        _END_HOLD,
        _END_HOLD.replace("(order.until, ReservationEnded", "(order.until + 60, ReservationEnded"),
    ),
    _scheduler(
        "the end of one reservation is forgotten for that of another",
        _END_HOLD,
        _END_HOLD.replace(", order.issue)", ")"),
    ),
    _scheduler(
        "a plan is told after the end of the run",
        "                    if plan is not None and not self._has_ended:",
        "                    if plan is not None:",
    ),
    _scheduler(
        "what is planned is not told",
        "                        self._tell(plan)",
        "                        pass",
    ),
    _scheduler(
        "the run waits for its planner in the end",
        "                    self._planning.cancel()",
        "                    pass",
    ),
    _scheduler(
        "it is planned twice at once",
        "            and self._planning is None\n",
        "",
    ),
    _scheduler(
        "a planner that fails ends the run",
        "        except Exception as error:\n"
        '            log.warning("the order of admission cannot be planned", exc_info=error)',
        "        except ArithmeticError as error:\n"
        '            log.warning("the order of admission cannot be planned", exc_info=error)',
    ),
    Mutant(
        "an exception counts as success",
        "executor",
        _SESSIONS,
        "    except Exception as error:\n        return _raised(kind, issue, error)",
        "    except Exception:\n        return kind.default or Failed('')",
    ),
    Mutant(
        "a time-out ends nothing",
        "executor",
        _SESSIONS,
        "    limit = _NO_LIMIT if seconds is None else asyncio.timeout(seconds)",
        "    limit = asyncio.timeout(None)",
    ),
    Mutant(
        "a session is told as ended before it is gone",
        "executor",
        _SESSIONS,
        "            returned = await called",
        "            returned = await asyncio.shield(called)",
    ),
    Mutant(
        "a transaction is committed in two parts",
        "executor",
        _JOURNAL,
        "            self._digest = next_digest(self._digest, row)\n"
        '        self._db.execute("UPDATE',
        "            self._digest = next_digest(self._digest, row)\n"
        '        self._db.execute("COMMIT")\n'
        '        self._db.execute("BEGIN IMMEDIATE")\n'
        '        self._db.execute("UPDATE',
    ),
    Mutant(
        "a journal goes on behind a write that failed",
        "executor",
        _JOURNAL,
        "            raise self._failed\n",
        "            pass\n",
    ),
    Mutant(
        "the hash chain is not kept",
        "executor",
        _JOURNAL,
        "            self._digest = next_digest(self._digest, row)\n",
        "            pass\n",
    ),
    Mutant(
        "the lever pulls nothing",
        "executor",
        _LEVER,
        "            self._tell(CapMoved(move, level))",
        "            pass",
    ),
)
