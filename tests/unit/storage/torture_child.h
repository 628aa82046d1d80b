/** The child of store_torture: runs until it is killed. */
#ifndef TORTURE_CHILD_H
#define TORTURE_CHILD_H

#include <stdint.h>

/** Writes submitted and not acknowledged. */
#define TORTURE_IN_FLIGHT 8u

/** What a write does to segments, as bits. */
enum torture_about { TORTURE_SEALS = 1, TORTURE_DROPS = 2, TORTURE_REPLACES = 4, TORTURE_INSTALLS = 8 };

enum torture_end {
    TORTURE_GO_ON,   /**< writes until it is killed */
    TORTURE_CLOSE,   /**< closes the store and ends */
    TORTURE_BE_IDLE, /**< writes no more, and waits to be killed */
};

/** Opens, compares, writes; after the step `until` it does what `end` says. */
int torture_child(const char *directory, uint64_t seed, uint64_t until, enum torture_end end);
/** Opens an existing store, compares, closes; says R with status and words when it is refused. */
int torture_check(const char *directory, uint64_t seed);

#endif
