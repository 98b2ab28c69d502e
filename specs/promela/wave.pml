/*
 * The scheduler of one wave, written by hand from the rules in words, for spin to check.
 *
 * A world (three_repos.pml, pipelined.pml, ...) says which issues there are and includes this file.
 * Each issue has a process, whose number is that of the issue. A world defines
 *
 *   ISSUES, REPOS       how many there are (8 issues at most); issues are numbered in their order
 *   REPO(i)             the repo of issue i
 *   NEEDS(i, other)     whether issue i depends on the issue `other`
 *   CEILING             the highest level of the cap; the run begins there
 *   PIPELINED           whether the lane is free again once the issue is implemented
 *   ROUNDS              change requests that go back to implementing; NONE: reviews ask for none
 *   COUNT(p)            for how many issues i p(i) holds
 *
 * and, where there is such a thing,
 *
 *   FIXED               the cap does not move
 *   CUTS                the run may be cut off, at any time and any number of times
 *   BLOCKS              a session or a merge may end with a question for a human
 *   TAKEN               the issue that people may park or cancel while no session of it is open
 *   URGENCY(i)          the highest priority of issue i and all that depends on it
 *   PLANS               how many plans there are (2 at most), each of which may come at any time and
 *                       any number of times; with
 *   PLACE(p, i)         the place of issue i in plan p, 0 for the first; NONE: the plan lacks it
 *   UNTIL(p, i)         until when plan p reserves its lane for issue i; 0: it does not
 *
 * Each action is one d_step: something happens, and then the scheduler settles, that is, it starts
 * all that may start. So a stored state is the wave between two events, and there are no others.
 *
 * The session of an issue is ended by the issue's process, and so is the reservation of a lane for
 * it when its time has come. Weak fairness (pan -f) says: a process that can go on goes on in the end. So
 * each session ends, each reservation ends, and after a run that was cut off comes another one.
 * The surroundings may also rest (the last choice of Surroundings): nothing makes the cap move, a
 * plan come, an issue be taken out, or the run be cut off.
 *
 * The rules are judged by the states of the issues and the plan alone, not by what the scheduler
 * keeps for itself (slots, lanes, queues, turns): KEEP at the moment of a start, `judge` in every state.
 */

#define NONE 255
#define NO_ISSUE 255

mtype = { queued, admitted, running, review, merging, done, parked, cancelled };
mtype = { under_way, complete, blocked, unfinished };

/* The issues: where each is, whether its session or merge is under way, its change requests. */
mtype is[ISSUES] = queued;
bool open[ISSUES];
byte rounds[ISSUES];

/* The plan: the place of each issue in it, and until when its lane is reserved for it. No issue is
   unparked here, so an issue that had a reservation gets no other one. */
byte place[ISSUES] = NONE;
byte reserved[ISSUES];
bool had_reservation[ISSUES];   /* its lane is or was reserved for it */

/* The state of the scheduler: slots in use; of each repo the holder of its lane, the rework that waits
   for the lane, the issue that has the merge turn, and those that wait for it. */
byte slots;
byte lane[REPOS] = NO_ISSUE;
chan rework[REPOS] = [ISSUES] of { byte };
byte turn[REPOS] = NO_ISSUE;
chan approved[REPOS] = [ISSUES] of { byte };

/* The cap and the run. */
byte level = CEILING;
byte before_pause = CEILING;
bool started;
mtype outcome = under_way;

/* The state of the judge: the highest level since the run began; and, for each approved issue, the issues
   of its repo that were approved before it and have not merged yet, one bit each. */
byte highest = CEILING;
byte earlier[ISSUES];

/* Scratch variables: no part of the state; each step writes them before it reads them. */
hidden byte i, j, k, n, r, who, asked, met, back, idle, stuck, needed, all_done, could_go;
hidden byte flight, at_work, merges, ran, runs;
hidden byte lane_rule, cap_rule, merge_rule, order_rule, pause_rule, bound_rule, glide_rule;
hidden byte reservation_rule, plan_rule;

#ifdef UNJUDGED     /* for the search of LTL properties, which is about nothing else */
#define KEEP(rule, kept)   skip
#else
#define KEEP(rule, kept)   rule = (kept); assert(rule)
#endif

#ifndef URGENCY
#define URGENCY(i)      0
#endif

/* The order of admission: priority, then the plan, then the usual order. */
#define BEFORE(a, b)    (URGENCY(a) > URGENCY(b) || (URGENCY(a) == URGENCY(b) && \
                         (place[a] < place[b] || (place[a] == place[b] && a < b))))

#define RUNS            (outcome == under_way)
#define CUT_OFF         (outcome == unfinished)
#define OVER            (outcome == complete || outcome == blocked)
#define TAKEN_OUT(n)    (is[n] == parked || is[n] == cancelled)
#define IN_FLIGHT(n)    (is[n] == admitted || is[n] == running || is[n] == review || is[n] == merging)
#define IS_RESERVED(n)      (reserved[n] > 0)
#define WAITS_FOR_LANE(n)   (is[n] == admitted && lane[REPO(n)] != n)
#define ACTIVE(n)       ((!PIPELINED && IN_FLIGHT(n)) || \
                         is[n] == running || (is[n] == admitted && !WAITS_FOR_LANE(n)))

/* ---- The scheduler: all that may start starts ---------------------------------------------- */

/* A free merge turn goes to the issue that was approved first, paused or not. */
inline give_turns() {
    for (r : 0 .. REPOS - 1) {
        if
        :: turn[r] == NO_ISSUE && len(approved[r]) > 0 ->
            approved[r]?who;
            KEEP(merge_rule, earlier[who] == 0);
            turn[r] = who;
            open[who] = true
        :: else
        fi
    }
}

/* A free lane goes to rework, before a new admission can take it. */
inline give_lanes() {
    for (r : 0 .. REPOS - 1) {
        if
        :: lane[r] == NO_ISSUE && len(rework[r]) > 0 -> rework[r]?who; lane[r] = who
        :: else
        fi
    }
}

inline start_session(one, kind) {
    KEEP(pause_rule, level > 0);
    is[one] = kind;
    open[one] = true
}

/* A session that may start does so as soon as the cap is above 0. */
inline start_startable() {
    for (i : 0 .. ISSUES - 1) {
        if
        :: level > 0 && is[i] == admitted && lane[REPO(i)] == i -> start_session(i, running)
        :: level > 0 && is[i] == review && !open[i] -> start_session(i, review)
        :: else
        fi
    }
}

inline look_at_needs(one) {
    met = true;
    for (j : 0 .. ISSUES - 1) {
        if :: NEEDS(one, j) && is[j] != done -> met = false :: else fi
    }
}

/* The issues that wait for a human: those taken out, and those that need such a one, directly or not. */
inline look_at_stuck() {
    for (n : 1 .. ISSUES) {
        for (i : 0 .. ISSUES - 1) {
            if :: TAKEN_OUT(i) -> stuck = stuck | (1 << i) :: else fi;
            for (j : 0 .. ISSUES - 1) {
                if :: NEEDS(i, j) && (stuck & (1 << j)) -> stuck = stuck | (1 << i) :: else fi
            }
        }
    }
}

/* A reservation ends when its issue leaves the queue, and when an issue that it needs waits for a human. */
inline end_reservations() {
    stuck = 0;
    if :: COUNT(IS_RESERVED) > 0 -> look_at_stuck() :: else fi;
    for (i : 0 .. ISSUES - 1) {
        if :: is[i] != queued -> reserved[i] = 0 :: else fi;
        for (j : 0 .. ISSUES - 1) {
            if :: NEEDS(i, j) && (stuck & (1 << j)) -> reserved[i] = 0 :: else fi
        }
    }
}

/* No reservation outlives a run that is cut off. */
inline end_all_reservations() {
    for (i : 0 .. ISSUES - 1) { reserved[i] = 0 }
}

/* While a lane is reserved for an issue, the issues after it in the order wait. */
inline look_at_reservations(one) {
    back = false;
    for (j : 0 .. ISSUES - 1) {
        if :: reserved[j] && REPO(j) == REPO(one) && BEFORE(j, one) -> back = true :: else fi
    }
}

/* The first in the order among the issues that were not looked at yet. */
inline next_in_order() {
    i = NO_ISSUE;
    for (j : 0 .. ISSUES - 1) {
        if :: !(asked & (1 << j)) && (i == NO_ISSUE || BEFORE(j, i)) -> i = j :: else fi
    }
    asked = asked | (1 << i)
}

/* Issues are admitted in their order: every issue that they need is done, their lane is free and not reserved
   for another, and fewer are in flight than the cap allows. Their first session starts at once. */
inline admit() {
    asked = 0;
    for (n : 1 .. ISSUES) {
        next_in_order();
        look_at_needs(i);
        look_at_reservations(i);
        if
        :: is[i] == queued && met && !back && lane[REPO(i)] == NO_ISSUE && slots < level ->
            judge_admission(i);
            slots++;
            lane[REPO(i)] = i;
            start_session(i, running);
            reserved[i] = 0
        :: else
        fi
    }
}

/* The wave ends when all is done, or when nothing is in flight and nothing can be admitted. Then all
   remaining issues wait for a human, and no lane is reserved. */
inline end_when_over() {
    all_done = true;
    could_go = false;
    for (i : 0 .. ISSUES - 1) {
        look_at_needs(i);
        if :: is[i] != done -> all_done = false :: else fi;
        if :: IN_FLIGHT(i) || (is[i] == queued && met) -> could_go = true :: else fi
    }
    if
    :: all_done -> outcome = complete
    :: !all_done && !could_go -> outcome = blocked
    :: else
    fi
}

inline settle() {
    end_reservations();
    give_turns();
    give_lanes();
    start_startable();
    admit();
    end_when_over();
    printf("to");
    print_state();
    judge();
    skip    /* a d_step must not end in a loop */
}

/* ---- The judge ----------------------------------------------------------------------------- */

inline count_flight() {
    flight = 0;
    for (k : 0 .. ISSUES - 1) {
        if :: IN_FLIGHT(k) -> flight++ :: else fi
    }
}

/* An admitted issue waits for no reservation, and is the first in the order of all that could be admitted. */
inline judge_admission(one) {
    count_flight();
    KEEP(cap_rule, flight < level);
    look_at_reservations(one);
    KEEP(reservation_rule, !back);
    for (k : 0 .. ISSUES - 1) {
        look_at_needs(k);
        look_at_reservations(k);
        idle = true;
        for (j : 0 .. ISSUES - 1) {
            if :: REPO(j) == REPO(k) && ACTIVE(j) -> idle = false :: else fi
        }
        KEEP(plan_rule, !(is[k] == queued && met && !back && idle && BEFORE(k, one)))
    }
}

/* All that an issue needs, directly or not, one bit each; and itself. */
inline look_at_all_needs(one) {
    needed = 1 << one;
    for (n : 1 .. ISSUES) {
        for (i : 0 .. ISSUES - 1) {
            for (j : 0 .. ISSUES - 1) {
                if :: NEEDS(i, j) && (needed & (1 << i)) -> needed = needed | (1 << j) :: else fi
            }
        }
    }
}

inline judge() {
    count_flight();
    KEEP(bound_rule, flight <= highest);
    for (r : 0 .. REPOS - 1) {
        at_work = 0;
        merges = 0;
        for (k : 0 .. ISSUES - 1) {
            if :: REPO(k) == r && ACTIVE(k) -> at_work++ :: else fi;
            if :: REPO(k) == r && is[k] == merging && open[k] -> merges++ :: else fi
        }
        KEEP(lane_rule, at_work <= 1);
        KEEP(merge_rule, merges <= 1)
    }
    for (k : 0 .. ISSUES - 1) {
        KEEP(reservation_rule, !reserved[k] || (is[k] == queued && had_reservation[k] && !OVER));
        needed = 0;
        if :: IS_RESERVED(k) -> look_at_all_needs(k) :: else fi;
        for (j : 0 .. ISSUES - 1) {
            KEEP(reservation_rule, !(needed & (1 << j)) || !TAKEN_OUT(j));
            KEEP(order_rule, !NEEDS(k, j) || is[j] == done || !(IN_FLIGHT(k) || is[k] == done))
        }
    }
}

/* The state in one line, for replays of traces and for the comparison with the real step:
   started, outcome, level, level before the pause, highest level; of each issue where it is, open,
   change requests, its place in the plan (255: none), until when its lane is reserved for it (0: it is
   not), and whether it is or was; of each repo which issues have the lane and the turn (255: no issue), and
   which wait for them. */
inline print_state() {
    printf(" %d ", started);
    printm(outcome);
    printf(" cap %d %d %d", level, before_pause, highest);
    for (k : 0 .. ISSUES - 1) {
        printf(" issue ");
        printm(is[k]);
        printf(" %d %d %d %d %d", open[k], rounds[k], place[k], reserved[k], had_reservation[k])
    }
    for (r : 0 .. REPOS - 1) {
        printf(" repo %d %d rework", lane[r], turn[r]);
        for (k : 1 .. len(rework[r])) { rework[r]?who; rework[r]!who; printf(" %d", who) }
        printf(" approved");
        for (k : 1 .. len(approved[r])) { approved[r]?who; approved[r]!who; printf(" %d", who) }
    }
    printf("\n")
}

/* ---- What happens to an issue -------------------------------------------------------------- */

inline leave_lane(me) {
    if :: lane[REPO(me)] == me -> lane[REPO(me)] = NO_ISSUE :: else fi
}

inline leave_flight(me) {
    slots--;
    leave_lane(me)
}

inline implemented(me) {
    printf("event issue %d is implemented\n", me);
    is[me] = review;
    if :: PIPELINED -> leave_lane(me) :: else fi
}

inline approve(me) {
    printf("event issue %d is approved\n", me);
    for (j : 0 .. ISSUES - 1) {
        if :: is[j] == merging && REPO(j) == REPO(me) -> earlier[me] = earlier[me] | (1 << j) :: else fi
    }
    is[me] = merging;
    approved[REPO(me)]!me
}

inline request_changes(me) {
    printf("event issue %d is to be changed\n", me);
    rounds[me]++;
    if
    :: rounds[me] > ROUNDS -> is[me] = parked; leave_flight(me)
    :: else ->
        is[me] = admitted;
        if :: PIPELINED -> rework[REPO(me)]!me :: else fi
    fi
}

inline block(me) {
    printf("event issue %d has a question\n", me);
    open[me] = false;
    if :: turn[REPO(me)] == me -> turn[REPO(me)] = NO_ISSUE :: else fi;
    leave(me, parked)
}

inline merged(me) {
    printf("event issue %d is merged\n", me);
    for (j : 0 .. ISSUES - 1) { earlier[j] = earlier[j] & ~(1 << me) }
    is[me] = done;
    turn[REPO(me)] = NO_ISSUE;
    leave_flight(me)
}

/* Between runs: where an issue is found, its session is no more. Its turn is free again. */
inline found(me) {
    open[me] = false;
    if :: turn[REPO(me)] == me -> turn[REPO(me)] = NO_ISSUE; approved[REPO(me)]!me; to_front(me) :: else fi
}

inline to_front(me) {
    for (k : 2 .. len(approved[REPO(me)])) { approved[REPO(me)]?who; approved[REPO(me)]!who }
}

inline leave_queues(me) {
    if :: approved[REPO(me)]??[eval(me)] -> approved[REPO(me)]??eval(me) :: else fi;
    if :: rework[REPO(me)]??[eval(me)] -> rework[REPO(me)]??eval(me) :: else fi;
    for (j : 0 .. ISSUES - 1) { earlier[j] = earlier[j] & ~(1 << me) }
    earlier[me] = 0
}

inline discard(me) {
    printf("event the attempt at issue %d is discarded\n", me);
    found(me);
    leave_queues(me);
    rounds[me] = 0;
    is[me] = queued;
    leave_flight(me)
}

inline resume(me) {
    printf("event the attempt at issue %d is resumed\n", me);
    found(me);
    if :: is[me] == running -> is[me] = admitted :: else fi
}

inline find_merged(me) {
    printf("event issue %d is found merged\n", me);
    found(me);
    leave_queues(me);
    is[me] = done;
    leave_flight(me)
}

/* The time has come until which its lane was to be reserved for an issue. */
inline end_reservation(me) {
    printf("event the lane of issue %d is reserved for it no longer\n", me);
    reserved[me] = 0
}

inline leave(me, kind) {
    leave_queues(me);
    if :: IN_FLIGHT(me) -> leave_flight(me) :: else fi;
    is[me] = kind
}

/* By people: an issue is parked or cancelled. */
inline take_out(me, kind) {
    printf("from"); print_state();
    printf("event issue %d is taken out\n", me);
    leave(me, kind);
    settle_or_rest()
}

inline rest() {
    end_reservations();
    printf("to");
    print_state();
    judge();
    skip    /* a d_step must not end in a loop */
}

inline settle_or_rest() {
    if :: started && RUNS -> settle() :: else -> rest() fi
}

#define OPEN(n)     open[n]

/* The life of an issue: its sessions end, one after the other. Once the run was cut off, recovery
   finds what is left of the issue. These processes come first: theirs are the numbers from 0 on. */
active [ISSUES] proctype Issue() {
end:
    do
    :: d_step {
        RUNS && open[_pid] ->
        printf("from"); print_state();
        open[_pid] = false;
        if
        :: is[_pid] == running -> implemented(_pid)
        :: is[_pid] == review -> approve(_pid)
        :: is[_pid] == merging -> merged(_pid)
        fi;
        settle()
    }
    :: d_step {
        RUNS && ROUNDS != NONE && open[_pid] && is[_pid] == review ->
        printf("from"); print_state();
        open[_pid] = false;
        request_changes(_pid);
        settle()
    }
#ifdef BLOCKS
    :: d_step { RUNS && open[_pid] -> printf("from"); print_state(); block(_pid); settle() }
#endif
#ifdef PLANS
    :: d_step {
        RUNS && started && reserved[_pid] -> printf("from"); print_state(); end_reservation(_pid); settle()
    }
#endif
#ifdef CUTS
    :: d_step { CUT_OFF && IN_FLIGHT(_pid) -> printf("from"); print_state(); discard(_pid); rest() }
    :: d_step { CUT_OFF && IN_FLIGHT(_pid) -> printf("from"); print_state(); resume(_pid); rest() }
    :: d_step { CUT_OFF && IN_FLIGHT(_pid) -> printf("from"); print_state(); find_merged(_pid); rest() }
#endif
    od
}

/* ---- What the surroundings do, and the start of the run -------------------------------------- */

inline count_sessions(total) {
    total = 0;
    for (k : 0 .. ISSUES - 1) {
        if :: open[k] -> total++ :: else fi
    }
}

/* No move of the cap ends a session: as many run after it as before, or more. */
inline move_to(new_level) {
    printf("from"); print_state();
    printf("event the cap goes from %d to %d\n", level, new_level);
    count_sessions(ran);
    before_pause = (new_level > 0 -> new_level : level);
    level = new_level;
    highest = (level > highest -> level : highest);
    settle();
    count_sessions(runs);
    KEEP(glide_rule, runs >= ran)
}

#define MOVABLE     (started && outcome == under_way)
#define MAY_TAKE(n) (!OVER && !open[n] && is[n] != done && is[n] != cancelled)

/* Another plan replaces the one before, with its reservations. A lane is reserved for an issue once:
   what had its reservation gets no other, and a reservation is not put off. */
inline plan(p) {
    printf("from"); print_state();
    printf("event plan %d comes\n", p);
    for (k : 0 .. ISSUES - 1) {
        place[k] = PLACE(p, k);
        if
        :: had_reservation[k] && UNTIL(p, k) > reserved[k] -> skip
        :: else -> reserved[k] = UNTIL(p, k)
        fi
    }
    end_reservations();
    for (k : 0 .. ISSUES - 1) {
        if :: IS_RESERVED(k) -> had_reservation[k] = true :: else fi
    }
    settle_or_rest()
}

active proctype Surroundings() {
end:
    do
#ifndef FIXED
    :: d_step { MOVABLE && level > 0 -> move_to(level - 1) }
    :: d_step { MOVABLE && level < CEILING -> move_to(level + 1) }
    :: d_step { MOVABLE && level > 0 -> move_to(0) }
    :: d_step { MOVABLE && level == 0 -> move_to(before_pause) }
#endif
#ifdef CUTS
    :: d_step {
        MOVABLE ->
        printf("from"); print_state();
        printf("event the run is cut off\n");
        outcome = unfinished;
        end_all_reservations();
        rest()
    }
#endif
#ifdef PLANS
    :: d_step { !OVER -> plan(0) }
    :: d_step { !OVER && PLANS > 1 -> plan(1) }
#endif
#ifdef TAKEN
    :: d_step { MAY_TAKE(TAKEN) && is[TAKEN] != parked -> take_out(TAKEN, parked) }
    :: d_step { MAY_TAKE(TAKEN) -> take_out(TAKEN, cancelled) }
#endif
    :: started
    od
}

active proctype Start() {
    d_step { printf("from"); print_state(); printf("event the wave starts\n"); started = true; settle() }
end:
    false
}

/* ---- The next run, once there is a recovery finding for each session that was open --------- */

#ifdef CUTS
active proctype Runs() {
end:
    do
    :: d_step {
        CUT_OFF && COUNT(OPEN) == 0 ->
        printf("from"); print_state();
        printf("event the next run starts\n");
        outcome = under_way;
        count_flight();
        highest = (level > flight -> level : flight);
        settle()
    }
    od
}
#endif

/* ---- What must happen in the end (pan -a -f) ----------------------------------------------- */

#define MERGING(n)          (is[n] == merging)
#define PARKED(n)           (is[n] == parked)
#define MERGES(n)           (is[n] == merging && open[n])
#define TO_REVIEW(n)             (is[n] == review && !open[n])
#define WAITS_FOR_TURN(n)   (is[n] == merging && !open[n])

#define FEW_CUTS            (<> [] !CUT_OFF)

/* If sessions end, reservations end at their time, the cap is above 0 again and again, and the run
   is cut off only so often, the wave ends, however often a new plan comes. */
ltl progress { (([] <> (level > 0)) && FEW_CUTS) -> <> OVER }

/* Paused or not, sessions that run finish their step, and merges that were ready go through. */
ltl drain { FEW_CUTS -> <> [] (COUNT(OPEN) + COUNT(MERGING) == 0) }

/* After a run that was cut off comes another one. */
ltl continuation { [] (CUT_OFF -> <> !CUT_OFF) }

/* To be refuted: the counterexample is the example that has to exist. */
ltl no_pause_for_ever { FEW_CUTS -> <> OVER }
ltl no_full_cap { [] (COUNT(IN_FLIGHT) < CEILING) }
ltl no_lowered_cap { [] (level == 0 || COUNT(IN_FLIGHT) <= level) }
ltl no_waiting_review { [] (COUNT(TO_REVIEW) == 0) }
ltl no_merge_queue { [] (COUNT(WAITS_FOR_TURN) == 0) }
ltl no_rework_queue { [] (COUNT(WAITS_FOR_LANE) == 0) }
ltl no_blocked_end { [] (outcome != blocked) }
ltl no_complete_end { [] (outcome != complete) }
ltl no_cut_off_merge { [] (!CUT_OFF || COUNT(MERGES) == 0) }
ltl no_wait_for_time { [] (!MOVABLE || level == 0 || COUNT(OPEN) > 0) }
ltl no_reservation_between_runs { [] (!CUT_OFF || COUNT(IS_RESERVED) == 0) }
ltl no_second_cut_off { [] (CUT_OFF -> [] (RUNS -> [] !CUT_OFF)) }
