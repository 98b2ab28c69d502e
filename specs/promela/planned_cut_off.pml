/* As planned.pml, where runs are cut off, and the cap does not move. */
#define CUTS
#define FIXED

#include "planned.pml"
