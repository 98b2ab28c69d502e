/* Two repos, five issues, pipelined, cap 3, change requests:
   api#1, web#1 after api#1, api#2, web#2, api#3 after web#1. */
#define ISSUES 5
#define REPOS 2
#define CEILING 3
#define PIPELINED true
#define ROUNDS 1
#define REPO(i) ((i) % 2)
#define NEEDS(i, other) (((i) == 1 && (other) == 0) || ((i) == 4 && (other) == 1))
#define COUNT(p) (p(0) + p(1) + p(2) + p(3) + p(4))

#include "wave.pml"
