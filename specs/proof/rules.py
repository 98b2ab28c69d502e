"""The rules, in logic: invariants of every moment, and conditions on every move.

The proof shows that `always` is inductive: it holds of the first moment, and each move keeps it,
where all rules are assumed before the move. It shows `at_moves` of each move alone.

The first rules are promises to users. `size` and `bookkeeping` make them inductive: a counter is
the size of a set, and the indexes agree with the states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from specs.proof.guards import sessions_allowed, start_revoked
from specs.proof.logic import INT, ISSUE, TICKET, Formula, every, is_in, z3
from specs.proof.moment import Moment, Setting
from specs.proof.moves import ENDS_SESSION, RECOVERY_FINDINGS, WHO, Move
from specs.proof.phrases import flies, is_active, is_at, is_first, merges, under_way
from wavelane_model.lifecycle import IN_FLIGHT, OPENS, State

TRUE: Final[Formula] = z3.BoolVal(True)


def nothing_always(setting: Setting, now: Moment) -> Formula:
    """The rule has no invariant."""
    return TRUE


def nothing_at_moves(setting: Setting, move: Move) -> Formula:
    """The rule has no condition on moves."""
    return TRUE


@dataclass(frozen=True)
class Rule:
    """One rule: its sentence, its invariant of moments, and its condition on moves."""

    sentence: str
    always: Callable[[Setting, Moment], Formula] = nothing_always
    at_moves: Callable[[Setting, Move], Formula] = nothing_at_moves


def one_lane(setting: Setting, now: Moment) -> Formula:
    def works(i: Formula) -> Formula:
        return z3.And(is_active(setting, now, i), z3.Not(now.waits(i)))

    alone = every(
        ISSUE,
        ISSUE,
        have=lambda i, j: z3.Implies(
            z3.And(works(i), works(j), setting.repo(i) == setting.repo(j)), i == j
        ),
    )
    if setting.lane_release == "review":
        return alone
    return z3.And(alone, every(ISSUE, have=lambda i: z3.Not(now.waits(i))))


def works_in_lane(setting: Setting, move: Move) -> Formula:
    begins = move.row is not None and move.row.trigger == "begin"
    return move.before.holds(WHO) if begins else TRUE


def starts_within_cap(setting: Setting, now: Moment) -> Formula:
    return z3.And(
        every(ISSUE, have=lambda i: z3.Implies(now.starting(i), now.in_flight <= now.level)),
        every(
            ISSUE,
            have=lambda i: z3.Implies(
                z3.And(now.untouched(i), z3.Not(now.open(i))), now.starting(i)
            ),
        ),
    )


def admits_below_cap(setting: Setting, move: Move) -> Formula:
    before, after = move.before, move.after
    grows = after.in_flight > before.in_flight
    below = z3.Implies(grows, before.in_flight < before.level)
    first_session = move.row is not None and _opens_session(move)
    within = z3.Implies(before.untouched(WHO), before.in_flight <= before.level)
    return z3.And(below, within) if first_session else below


def one_merge(setting: Setting, now: Moment) -> Formula:
    def issues_alone(i: Formula, j: Formula) -> Formula:
        both = z3.And(merges(now, i), merges(now, j), setting.repo(i) == setting.repo(j))
        return z3.Implies(both, i == j)

    def tickets_alone(t: Formula, u: Formula) -> Formula:
        same = setting.repo_of_ticket(t) == setting.repo_of_ticket(u)
        return z3.Implies(z3.And(now.granted(t), now.granted(u), same), t == u)

    def apart(i: Formula, t: Formula) -> Formula:
        same = setting.repo(i) == setting.repo_of_ticket(t)
        return z3.Not(z3.And(merges(now, i), now.granted(t), same))

    def issue_first(i: Formula) -> Formula:
        first = is_first(setting, now, setting.repo(i), now.joined(i))
        return z3.Implies(merges(now, i), first)

    def ticket_first(t: Formula) -> Formula:
        first = is_first(setting, now, setting.repo_of_ticket(t), now.asked(t))
        return z3.Implies(now.granted(t), first)

    return z3.And(
        every(ISSUE, ISSUE, have=issues_alone),
        every(TICKET, TICKET, have=tickets_alone),
        every(ISSUE, TICKET, have=apart),
        every(ISSUE, have=issue_first),
        every(TICKET, have=ticket_first),
    )


def keeps_places(setting: Setting, move: Move) -> Formula:
    """No place is lost by another's move, and what joins stands behind all others."""
    before, after = move.before, move.after

    def issue_behind(i: Formula, j: Formula) -> Formula:
        joins = z3.And(after.queued(i), z3.Not(before.queued(i)), before.queued(j))
        return z3.Implies(joins, after.joined(i) > before.joined(j))

    def issue_behind_ticket(i: Formula, t: Formula) -> Formula:
        joins = z3.And(after.queued(i), z3.Not(before.queued(i)), before.wants(t))
        return z3.Implies(joins, after.joined(i) > before.asked(t))

    def ticket_behind(t: Formula, u: Formula) -> Formula:
        joins = z3.And(after.wants(t), z3.Not(before.wants(t)), before.wants(u))
        return z3.Implies(joins, after.asked(t) > before.asked(u))

    def ticket_behind_issue(t: Formula, i: Formula) -> Formula:
        joins = z3.And(after.wants(t), z3.Not(before.wants(t)), before.queued(i))
        return z3.Implies(joins, after.asked(t) > before.joined(i))

    def stays(i: Formula) -> Formula:
        both = z3.And(before.queued(i), after.queued(i))
        return z3.Implies(both, after.joined(i) == before.joined(i))

    def ticket_stays(t: Formula) -> Formula:
        both = z3.And(before.wants(t), after.wants(t))
        return z3.Implies(both, after.asked(t) == before.asked(t))

    return z3.And(
        every(ISSUE, ISSUE, have=issue_behind),
        every(ISSUE, TICKET, have=issue_behind_ticket),
        every(TICKET, TICKET, have=ticket_behind),
        every(TICKET, ISSUE, have=ticket_behind_issue),
        every(ISSUE, have=stays),
        every(TICKET, have=ticket_stays),
    )


def in_order(setting: Setting, now: Moment) -> Formula:
    def met(i: Formula, d: Formula) -> Formula:
        under_way = z3.Or(flies(now, i), is_at(now, i, "done"))
        return z3.Implies(z3.And(setting.needs(i, d), under_way), is_at(now, d, "done"))

    return every(ISSUE, ISSUE, have=met)


def done_for_good(setting: Setting, move: Move) -> Formula:
    return every(
        ISSUE,
        have=lambda i: z3.Implies(is_at(move.before, i, "done"), is_at(move.after, i, "done")),
    )


def starts_unpaused(setting: Setting, now: Moment) -> Formula:
    allowed = z3.And(now.level > 0, z3.Not(now.stopping))
    return every(ISSUE, have=lambda i: z3.Implies(now.starting(i), allowed))


def begins_unpaused(setting: Setting, move: Move) -> Formula:
    begins = move.row is not None and (
        move.row.trigger in ("admit", "begin", "begin_review") or _opens_session(move)
    )
    return sessions_allowed(setting, move.before, WHO) if begins else TRUE


def bounded(setting: Setting, now: Moment) -> Formula:
    return z3.And(
        z3.Implies(now.started, now.in_flight <= now.highest),
        z3.Implies(under_way(now), now.level <= now.highest),
    )


def highest_is_kept(setting: Setting, move: Move) -> Formula:
    before, after = move.before, move.after
    ran, runs = under_way(before), under_way(after)
    kept = z3.Or(after.highest == before.highest, after.highest == after.level)
    at_start = z3.Or(after.highest == after.level, after.highest == after.in_flight)
    return z3.And(
        z3.Implies(ran, z3.And(kept, after.highest >= before.highest)),
        z3.Implies(z3.And(z3.Not(ran), runs), at_start),
        z3.Implies(z3.Not(z3.Or(ran, runs)), after.highest == before.highest),
    )


def one_session(setting: Setting, now: Moment) -> Formula:
    def has_session(i: Formula) -> Formula:
        open_states: tuple[State, ...] = ("running", "review", "merging")
        return z3.And(
            z3.Implies(is_at(now, i, "running"), now.open(i)),
            z3.Implies(now.open(i), is_in(now.state(i), open_states)),
        )

    return every(ISSUE, have=has_session)


def opens_and_ends_once(setting: Setting, move: Move) -> Formula:
    row = move.row
    if row is None:
        return every(ISSUE, have=lambda i: move.after.open(i) == move.before.open(i))
    opens = z3.Implies(move.after.open(WHO), z3.Not(move.before.open(WHO)))
    reports = row.trigger == "withhold" or (row.trigger in ENDS_SESSION and row.trigger != "block")
    return z3.And(opens, move.before.open(WHO)) if reports else opens


def implemented_first(setting: Setting, now: Moment) -> Formula:
    return every(
        ISSUE,
        have=lambda i: z3.Implies(is_in(now.state(i), ("review", "merging")), now.implemented(i)),
    )


def skips_no_stage(setting: Setting, move: Move) -> Formula:
    row = move.row
    if row is not None and row.trigger == "find_merged":
        return z3.BoolVal(row.target == "done" and row.source in IN_FLIGHT)
    if row is None or row.source == row.target:
        return TRUE
    ended = move.before.open(WHO)
    if row.trigger == "merged" and row.target != "done":
        return z3.BoolVal(False)
    if row.target == "done":
        return z3.And(z3.BoolVal((row.trigger, row.source) == ("merged", "merging")), ended)
    if row.target == "merging":
        return z3.And(z3.BoolVal((row.trigger, row.source) == ("approve", "review")), ended)
    if row.target == "review":
        implemented = z3.And(z3.BoolVal(row.trigger == "implemented"), ended)
        return z3.Or(implemented, move.before.implemented(WHO))
    return TRUE


def glides(setting: Setting, move: Move) -> Formula:
    if move.row is not None:
        withholds = move.row.trigger == "withhold"
        return start_revoked(setting, move.before, WHO) if withholds else TRUE
    return every(
        ISSUE,
        have=lambda i: z3.And(
            move.after.state(i) == move.before.state(i), move.after.open(i) == move.before.open(i)
        ),
    )


def within_limits(setting: Setting, now: Moment) -> Formula:
    not_parked: tuple[State, ...] = ("queued", *IN_FLIGHT)

    def counted(i: Formula) -> Formula:
        left = z3.And(
            now.checkpoints(i) < setting.checkpoint_limit,
            now.rounds(i) <= setting.round_limit,
            now.conflicts(i) <= setting.conflict_limit,
            now.failures(i) <= setting.failure_limit,
        )
        return z3.Implies(is_in(now.state(i), not_parked), left)

    return every(ISSUE, have=counted)


def waits_its_time(setting: Setting, now: Moment) -> Formula:
    return every(ISSUE, have=lambda i: z3.Implies(now.postponed(i), is_at(now, i, "queued")))


def keeps_the_cap_in_range(setting: Setting, now: Moment) -> Formula:
    return z3.And(
        now.level >= 0,
        now.level <= setting.ceiling,
        now.before_pause >= 1,
        now.before_pause <= setting.ceiling,
        z3.Implies(now.level > 0, now.before_pause == now.level),
    )


def moves_the_cap_by_its_table(setting: Setting, move: Move) -> Formula:
    old, new = move.before.level, move.after.level
    if move.cap_row is None:
        return new == old
    remembers = z3.Implies(z3.And(old > 0, new == 0), move.after.before_pause == old)
    says = {
        "step_down": new == old - 1,
        "step_up": new == old + 1,
        "set": new != old,
        "pause": new == 0,
        "resume": z3.And(old == 0, new == move.before.before_pause),
    }
    return z3.And(says[move.cap_row.move], new != old, remembers)


def ends_idle(setting: Setting, now: Moment) -> Formula:
    by_itself = z3.And(now.ended, z3.Not(now.cut_off))
    return z3.And(
        z3.Implies(by_itself, every(ISSUE, have=lambda i: z3.Not(now.open(i)))),
        z3.Implies(now.ended, every(TICKET, have=lambda t: z3.Not(now.granted(t)))),
        z3.Implies(now.cut_off, now.ended),
        z3.Implies(now.ended, now.started),
    )


def ends_and_starts_in_order(setting: Setting, move: Move) -> Formula:
    """No session is open when a run starts, and none when it ends by itself; a stop is for one run.

    A session that is open when its run is cut off stays open until there is a recovery finding.
    """
    before, after = move.before, move.after
    ended, started = _comes(before.ended, after.ended), _comes(under_way(before), under_way(after))
    idle = z3.And(
        every(ISSUE, have=lambda i: z3.Not(before.open(i))),
        every(TICKET, have=lambda t: z3.Not(before.wants(t))),
    )
    no_session = every(ISSUE, have=lambda i: z3.Not(after.open(i)))
    gone = every(TICKET, have=lambda t: z3.Not(after.wants(t)))
    return z3.And(
        z3.Implies(ended, z3.And(z3.Not(after.stopping), gone, z3.Or(after.cut_off, idle))),
        z3.Implies(started, no_session),
    )


def _comes(before: Formula, after: Formula) -> Formula:
    return z3.And(z3.Not(before), after)


def rests_between_runs(setting: Setting, now: Moment) -> Formula:
    return z3.Implies(z3.Not(under_way(now)), every(ISSUE, have=lambda i: z3.Not(now.starting(i))))


def starts_nothing_between_runs(setting: Setting, move: Move) -> Formula:
    """Outside of a run nothing is admitted, no session starts and no turn is given."""
    before, after = move.before, move.after
    if move.row is not None and move.row.trigger in RECOVERY_FINDINGS:
        in_time = z3.And(before.started, before.ended, z3.Not(after.open(WHO)))
    else:
        in_time = TRUE
    rests = z3.And(
        after.in_flight <= before.in_flight,
        every(ISSUE, have=lambda i: z3.Implies(after.open(i), before.open(i))),
        every(ISSUE, have=lambda i: z3.Implies(after.turn(i), before.turn(i))),
        every(TICKET, have=lambda t: z3.Implies(after.granted(t), before.granted(t))),
    )
    return z3.And(in_time, z3.Implies(z3.Not(under_way(before)), rests))


def is_numbered(setting: Setting, now: Moment) -> Formula:
    def has_slot(i: Formula) -> Formula:
        own = z3.And(now.slot(i) >= 0, now.slot(i) < now.in_flight, now.at(now.slot(i)) == i)
        return z3.Implies(flies(now, i), own)

    def is_used(k: Formula) -> Formula:
        used = z3.And(flies(now, now.at(k)), now.slot(now.at(k)) == k)
        return z3.Implies(z3.And(k >= 0, k < now.in_flight), used)

    return z3.And(now.in_flight >= 0, every(ISSUE, have=has_slot), every(INT, have=is_used))


def keeps_books(setting: Setting, now: Moment) -> Formula:
    def lane(i: Formula) -> Formula:
        return is_active(setting, now, i) == z3.Xor(now.waits(i), now.holds(i))

    def not_both(i: Formula) -> Formula:
        return z3.Not(z3.And(now.waits(i), now.holds(i)))

    def one_holder(i: Formula, j: Formula) -> Formula:
        both = z3.And(now.holds(i), now.holds(j), setting.repo(i) == setting.repo(j))
        return z3.Implies(both, i == j)

    def queue(i: Formula) -> Formula:
        return z3.And(
            now.queued(i) == is_at(now, i, "merging"),
            now.turn(i) == merges(now, i),
            z3.Implies(now.queued(i), now.joined(i) < now.next_place),
        )

    def places(i: Formula, j: Formula) -> Formula:
        both = z3.And(now.queued(i), now.queued(j), now.joined(i) == now.joined(j))
        return z3.Implies(both, i == j)

    def ticket(t: Formula) -> Formula:
        return z3.And(
            z3.Implies(now.granted(t), now.wants(t)),
            z3.Implies(now.wants(t), now.asked(t) < now.next_place),
        )

    def ticket_places(t: Formula, u: Formula) -> Formula:
        both = z3.And(now.wants(t), now.wants(u), now.asked(t) == now.asked(u))
        return z3.Implies(both, t == u)

    def mixed_places(i: Formula, t: Formula) -> Formula:
        return z3.Implies(z3.And(now.queued(i), now.wants(t)), now.joined(i) != now.asked(t))

    def starting(i: Formula) -> Formula:
        ready = z3.Or(z3.And(is_at(now, i, "admitted"), now.holds(i)), is_at(now, i, "review"))
        return z3.Implies(now.starting(i), z3.And(now.untouched(i), z3.Not(now.open(i)), ready))

    def starts_alone(i: Formula, j: Formula) -> Formula:
        return z3.Implies(z3.And(now.starting(i), now.starting(j)), i == j)

    return z3.And(
        *(every(ISSUE, have=one) for one in (lane, not_both, queue, starting)),
        *(every(ISSUE, ISSUE, have=one) for one in (one_holder, places, starts_alone)),
        every(TICKET, have=ticket),
        every(TICKET, TICKET, have=ticket_places),
        every(ISSUE, TICKET, have=mixed_places),
    )


def admits_nothing_against_a_reservation(setting: Setting, move: Move) -> Formula:
    """This holds for any plan."""
    admits = move.row is not None and move.row.source == "queued" and move.row.target in IN_FLIGHT
    return z3.Not(move.before.reserved(WHO)) if admits else TRUE


RULES: Final[Mapping[str, Rule]] = {
    "lane": Rule("a repo has at most one active issue", one_lane, works_in_lane),
    "cap": Rule(
        "an issue is admitted, and its first session starts, only within the level",
        starts_within_cap,
        admits_below_cap,
    ),
    "merge": Rule("a repo has one merge under way at most, in turn", one_merge, keeps_places),
    "order": Rule(
        "an issue is admitted only when all it depends on is done, for good",
        in_order,
        done_for_good,
    ),
    "pause": Rule(
        "no issue is admitted and no session starts at level 0 or after a stop",
        starts_unpaused,
        begins_unpaused,
    ),
    "bound": Rule(
        "never more in flight than the highest level in force since the run began",
        bounded,
        highest_is_kept,
    ),
    "once": Rule("an issue has one session at a time", one_session, opens_and_ends_once),
    "stages": Rule(
        "what is merged is done, and what is done was merged, or found merged; what merges was "
        "approved; what is reviewed was implemented",
        implemented_first,
        skips_no_stage,
    ),
    "glide": Rule(
        "the cap and a stop end no session; a start is withheld only when it is revoked",
        at_moves=glides,
    ),
    "limits": Rule("what is not parked is within its limits", within_limits),
    "due": Rule("what is postponed waits in the queue until its time comes", waits_its_time),
    "reservation": Rule(
        "nothing is admitted into a lane that is reserved for another issue",
        at_moves=admits_nothing_against_a_reservation,
    ),
    "cap control": Rule(
        "the cap moves as its table says", keeps_the_cap_in_range, moves_the_cap_by_its_table
    ),
    "end": Rule(
        "a run that has ended by itself has no session and no turn open, and none starts with one",
        ends_idle,
        ends_and_starts_in_order,
    ),
    "between": Rule(
        "between runs nothing starts, and only then is a recovery finding recorded",
        rests_between_runs,
        starts_nothing_between_runs,
    ),
    "size": Rule("the counter of issues in flight is their number", is_numbered),
    "bookkeeping": Rule("holders, queues and turns agree with the states", keeps_books),
}


def all_rules(setting: Setting, now: Moment) -> Formula:
    """What may be assumed of a moment: the facts of the wave, and every rule."""
    return z3.And(setting.facts(), *(rule.always(setting, now) for rule in RULES.values()))


def _opens_session(move: Move) -> bool:
    """Whether the row starts an implementing or a reviewing session, not a merge."""
    row = move.row
    return row is not None and (row.trigger, row.target) in OPENS and row.target != "merging"
