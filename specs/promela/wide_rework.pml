/* As rework.pml, with cap 3: while rework waits for its lane, a new issue could be admitted. */
#define CEILING 3

#include "rework.pml"
