/* Two repos, four issues, pipelined, one change request each, cap 2 that does not move; two are more
   urgent: web#1, which api#1 needs, and api#1. Then api#2, and api#3 after api#2.

   plan 0: api#2, api#3, api#1, web#1; lane reserved for api#3 until 10 */
#define ISSUES 4
#define REPOS 2
#define CEILING 2
#define PIPELINED true
#define ROUNDS 1
#define FIXED
#define PLANS 1
#define URGENCY(i) ((i) < 2)
#define REPO(i) ((i) > 0)
#define NEEDS(i, other) (((i) == 1 && (other) == 0) || ((i) == 3 && (other) == 2))
#define PLACE(p, i) ((i) < 2 -> 3 - (i) : (i) - 2)
#define UNTIL(p, i) (10 * ((i) == 3))
#define COUNT(p) (p(0) + p(1) + p(2) + p(3))

#include "wave.pml"
