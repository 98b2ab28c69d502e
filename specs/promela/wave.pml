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
 *   CUTS                defined where the run may be cut off, at any time and any number of times
 *
 * Each action is one d_step: something happens, and then the scheduler settles, that is, it starts
 * all that may start. So a stored state is the wave between two events, and there are no others.
 *
 * The session of an issue is ended by the issue's process. Weak fairness (pan -f) says: a process
 * that can go on goes on in the end. So each session ends, and after a run that was cut off comes
 * another one. The lever of the cap may also rest (the last choice of Lever), and nothing makes it
 * move; nor does anything make the run be cut off, which is a choice of the same process.
 *
 * The rules are judged by the states of the issues alone, not by what the scheduler keeps for
 * itself (slots, lanes, queues, turns): KEEP at the moment of a start, `judge` in every state.
 */

#define NONE 255
#define NOBODY 255

mtype = { queued, admitted, running, review, merging, done, parked };
mtype = { under_way, complete, blocked, unfinished };

/* The issues: where each is, whether its session or merge is under way, its change requests. */
mtype is[ISSUES] = queued;
bool open[ISSUES];
byte rounds[ISSUES];

/* What the scheduler keeps: slots in use; of each repo who holds the lane, who waits for it to
   work once more, who merges, and who waits to merge. */
byte slots;
byte lane[REPOS] = NOBODY;
chan rework[REPOS] = [ISSUES] of { byte };
byte turn[REPOS] = NOBODY;
chan approved[REPOS] = [ISSUES] of { byte };

/* The cap and the run. */
byte level = CEILING;
byte before_pause = CEILING;
bool started;
mtype outcome = under_way;

/* What the judge keeps: the highest level since the run began; and, of each issue that is approved, the issues
   of its repo that were approved before it and are not in yet, one bit each. */
byte highest = CEILING;
byte earlier[ISSUES];

/* Scratch paper: no part of the state, written before it is read in each step. */
hidden byte i, j, k, r, who, met, all_done, could_go, flight, at_work, merges, ran, runs;
hidden byte lane_rule, cap_rule, merge_rule, order_rule, pause_rule, bound_rule, glide_rule;

#ifdef UNJUDGED     /* for the search of LTL properties, which is about nothing else */
#define KEEP(rule, holds)   skip
#else
#define KEEP(rule, holds)   rule = (holds); assert(rule)
#endif

#define IN_FLIGHT(n)    (is[n] == admitted || is[n] == running || is[n] == review || is[n] == merging)
#define WAITS_FOR_LANE(n)   (is[n] == admitted && lane[REPO(n)] != n)
#define ACTIVE(n)       ((!PIPELINED && IN_FLIGHT(n)) || \
                         is[n] == running || (is[n] == admitted && !WAITS_FOR_LANE(n)))

/* ---- The scheduler: all that may start starts ---------------------------------------------- */

/* A merge turn that is free goes to the first who was approved, paused or not. */
inline give_turns() {
    for (r : 0 .. REPOS - 1) {
        if
        :: turn[r] == NOBODY && len(approved[r]) > 0 ->
            approved[r]?who;
            KEEP(merge_rule, earlier[who] == 0);
            turn[r] = who;
            open[who] = true
        :: else
        fi
    }
}

/* A lane that is free goes to rework, before a new admission can have it. */
inline give_lanes() {
    for (r : 0 .. REPOS - 1) {
        if
        :: lane[r] == NOBODY && len(rework[r]) > 0 -> rework[r]?who; lane[r] = who
        :: else
        fi
    }
}

inline start_session(one, kind) {
    KEEP(pause_rule, level > 0);
    is[one] = kind;
    open[one] = true
}

/* A session that was held starts as soon as the cap is above 0. */
inline start_held() {
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

/* Issues are admitted in their order: all that they need is done, their lane is free, and fewer
   are in flight than the cap allows. Their first session starts at once. */
inline admit() {
    for (i : 0 .. ISSUES - 1) {
        look_at_needs(i);
        if
        :: is[i] == queued && met && lane[REPO(i)] == NOBODY && slots < level ->
            count_flight();
            KEEP(cap_rule, flight < level);
            slots++;
            lane[REPO(i)] = i;
            start_session(i, running)
        :: else
        fi
    }
}

/* The wave ends when all is done, or when nothing is in flight and nothing can be admitted. */
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
    give_turns();
    give_lanes();
    start_held();
    admit();
    end_when_over();
    printf("to");
    tell();
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
        for (j : 0 .. ISSUES - 1) {
            KEEP(order_rule, !NEEDS(k, j) || is[j] == done || !(IN_FLIGHT(k) || is[k] == done))
        }
    }
}

/* The state in one line, for whoever replays a trace, and to be compared with the real step:
   started, outcome, level, level before the pause, highest level; of each issue where it is, open, change
   requests; of each repo who has the lane and the turn (255: nobody), and who waits for them. */
inline tell() {
    printf(" %d ", started);
    printm(outcome);
    printf(" cap %d %d %d", level, before_pause, highest);
    for (k : 0 .. ISSUES - 1) {
        printf(" issue ");
        printm(is[k]);
        printf(" %d %d", open[k], rounds[k])
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
    if :: lane[REPO(me)] == me -> lane[REPO(me)] = NOBODY :: else fi
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

inline merged(me) {
    printf("event issue %d is merged\n", me);
    for (j : 0 .. ISSUES - 1) { earlier[j] = earlier[j] & ~(1 << me) }
    is[me] = done;
    turn[REPO(me)] = NOBODY;
    leave_flight(me)
}

/* Between runs: where an issue is found, its session is no more. Its turn is free again. */
inline found(me) {
    open[me] = false;
    if :: turn[REPO(me)] == me -> turn[REPO(me)] = NOBODY; approved[REPO(me)]!me; to_front(me) :: else fi
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

inline rest() {
    printf("to");
    tell();
    judge();
    skip    /* a d_step must not end in a loop */
}

#define OPEN(n)     open[n]
#define RUNS        (outcome == under_way)
#define CUT_OFF     (outcome == unfinished)

/* The life of an issue: its sessions end, one after the other. Once the run was cut off, it is told
   what is left of the issue. These processes come first: theirs are the numbers from 0 on. */
active [ISSUES] proctype Issue() {
end:
    do
    :: d_step {
        RUNS && open[_pid] ->
        printf("from"); tell();
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
        printf("from"); tell();
        open[_pid] = false;
        request_changes(_pid);
        settle()
    }
#ifdef CUTS
    :: d_step { CUT_OFF && IN_FLIGHT(_pid) -> printf("from"); tell(); discard(_pid); rest() }
    :: d_step { CUT_OFF && IN_FLIGHT(_pid) -> printf("from"); tell(); resume(_pid); rest() }
    :: d_step { CUT_OFF && IN_FLIGHT(_pid) -> printf("from"); tell(); find_merged(_pid); rest() }
#endif
    od
}

/* ---- What happens to the cap, and the start of the run ------------------------------------- */

inline count_sessions(total) {
    total = 0;
    for (k : 0 .. ISSUES - 1) {
        if :: open[k] -> total++ :: else fi
    }
}

/* No move of the cap ends a session: as many run after it as before, or more. */
inline move_to(new_level) {
    printf("from"); tell();
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

active proctype Lever() {
end:
    do
    :: d_step { MOVABLE && level > 0 -> move_to(level - 1) }
    :: d_step { MOVABLE && level < CEILING -> move_to(level + 1) }
    :: d_step { MOVABLE && level > 0 -> move_to(0) }
    :: d_step { MOVABLE && level == 0 -> move_to(before_pause) }
#ifdef CUTS
    :: d_step {
        MOVABLE ->
        printf("from"); tell();
        printf("event the run is cut off\n");
        outcome = unfinished;
        rest()
    }
#endif
    :: started
    od
}

active proctype Start() {
    d_step { printf("from"); tell(); printf("event the wave starts\n"); started = true; settle() }
end:
    false
}

/* ---- The next run, once it is told of each session that was open what is left of it ---------- */

#ifdef CUTS
active proctype Runs() {
end:
    do
    :: d_step {
        CUT_OFF && COUNT(OPEN) == 0 ->
        printf("from"); tell();
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
#define HELD(n)             (is[n] == review && !open[n])
#define WAITS_FOR_TURN(n)   (is[n] == merging && !open[n])

#define OVER                (outcome == complete || outcome == blocked)
#define FEW_CUTS            (<> [] !CUT_OFF)

/* If sessions end, the cap is above 0 again and again, and the run is not cut off again and again,
   the wave ends. */
ltl progress { (([] <> (level > 0)) && FEW_CUTS) -> <> OVER }

/* Paused or not, sessions that run finish their step, and merges that were ready go through. */
ltl drain { FEW_CUTS -> <> [] (COUNT(OPEN) + COUNT(MERGING) == 0) }

/* After a run that was cut off comes another one. */
ltl continuation { [] (CUT_OFF -> <> !CUT_OFF) }

/* To be refuted: the counterexample is the example that has to exist. */
ltl no_pause_for_ever { FEW_CUTS -> <> OVER }
ltl no_full_cap { [] (COUNT(IN_FLIGHT) < CEILING) }
ltl no_lowered_cap { [] (level == 0 || COUNT(IN_FLIGHT) <= level) }
ltl no_held_review { [] (COUNT(HELD) == 0) }
ltl no_merge_queue { [] (COUNT(WAITS_FOR_TURN) == 0) }
ltl no_rework_queue { [] (COUNT(WAITS_FOR_LANE) == 0) }
ltl no_blocked_end { [] (outcome != blocked) }
ltl no_complete_end { [] (outcome != complete) }
ltl no_cut_off_merge { [] (!CUT_OFF || COUNT(MERGES) == 0) }
ltl no_second_cut_off { [] (CUT_OFF -> [] (RUNS -> [] !CUT_OFF)) }
