/* One repo, three issues, pipelined, one change request each: api#1, api#2, api#3. Cap 2, unless said otherwise. */
#define ISSUES 3
#define REPOS 1
#ifndef CEILING
#define CEILING 2
#endif
#define PIPELINED true
#define ROUNDS 1
#define REPO(i) 0
#define NEEDS(i, other) false
#define COUNT(p) (p(0) + p(1) + p(2))

#include "wave.pml"
