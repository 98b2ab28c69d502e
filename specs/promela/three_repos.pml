/* Three repos, four issues, cap moves: api#1, api#2, web#1 after api#1, docs#1. */
#define ISSUES 4
#define REPOS 3
#define CEILING 3
#define PIPELINED false
#define ROUNDS NONE
#define REPO(i) (((i) == 2) + 2 * ((i) == 3))
#define NEEDS(i, other) ((i) == 2 && (other) == 0)
#define COUNT(p) (p(0) + p(1) + p(2) + p(3))

#include "wave.pml"

active proctype api1() { sessions_of(0) }
active proctype api2() { sessions_of(1) }
active proctype web1() { sessions_of(2) }
active proctype docs1() { sessions_of(3) }
