/* One repo, three issues, pipelined: api#1, api#2, api#3. */
#define ISSUES 3
#define REPOS 1
#define CEILING 3
#define PIPELINED true
#define ROUNDS NONE
#define REPO(i) 0
#define NEEDS(i, other) false
#define COUNT(p) (p(0) + p(1) + p(2))

#include "wave.pml"
