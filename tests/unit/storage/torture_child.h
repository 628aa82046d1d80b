/** The child of store_torture: runs until it is killed. */
#ifndef TORTURE_CHILD_H
#define TORTURE_CHILD_H

#include <stdint.h>

/** Writes submitted and not acknowledged. */
#define TORTURE_IN_FLIGHT 8u

int torture_child(const char *directory, uint64_t seed);

#endif
