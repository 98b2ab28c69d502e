/* Two repos, four issues, plans and reservations, questions: api#1, web#1 after api#1, api#2 after
   web#1, web#2. People may take out web#1. The first plan is a good one; by the second, lane api is
   reserved for an issue that waits for what has to wait for it. Cap 2 moves, and no run is cut off,
   unless said otherwise.

   plan 0: api#1, web#1, api#2; lanes reserved for web#1 until 10 and for api#2 until 11
   plan 1: web#2, api#2, api#1, web#1; lane reserved for api#2 until 20 */
#define ISSUES 4
#define REPOS 2
#define CEILING 2
#define PIPELINED false
#define ROUNDS NONE
#define BLOCKS
#define TAKEN 1
#define PLANS 2
#define REPO(i) ((i) % 2)
#define NEEDS(i, other) (((i) == 1 && (other) == 0) || ((i) == 2 && (other) == 1))
#define PLACE_0(i) ((i) == 3 -> NONE : (i))
#define PLACE_1(i) ((i) < 2 -> (i) + 2 : 3 - (i))
#define PLACE(p, i) ((p) == 0 -> PLACE_0(i) : PLACE_1(i))
#define UNTIL_0(i) (10 * ((i) == 1) + 11 * ((i) == 2))
#define UNTIL_1(i) (20 * ((i) == 2))
#define UNTIL(p, i) ((p) == 0 -> UNTIL_0(i) : UNTIL_1(i))
#define COUNT(p) (p(0) + p(1) + p(2) + p(3))

#include "wave.pml"
