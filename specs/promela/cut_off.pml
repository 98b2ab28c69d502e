/* One repo, two issues, pipelined, cap 2, one change request each, runs are cut off: api#1, api#2. */
#define ISSUES 2
#define REPOS 1
#define CEILING 2
#define PIPELINED true
#define ROUNDS 1
#define CUTS
#define REPO(i) 0
#define NEEDS(i, other) false
#define COUNT(p) (p(0) + p(1))

#include "wave.pml"
