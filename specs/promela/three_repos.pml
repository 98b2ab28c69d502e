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
