/** A world with a topic "t" (one partition, three replicas) that is published to while things happen to its nodes. For
 *  tests that end by cmocka's checks. */
#ifndef NODE_STORY_H
#define NODE_STORY_H

#include "node_world.h"

#define assert_status(got, wanted) assert_string_equal(lf_status_name(got), lf_status_name(wanted))
/** Node ids, ended by 0. */
#define NODES(...) ((const uint64_t[]){__VA_ARGS__, 0})

/** A producer that repeats each batch until it is acknowledged, as the client library does. */
struct producer {
    int32_t sequence; /**< next to be acknowledged */
    uint64_t request; /**< under way; 0: none */
    uint64_t next_request, session, sent_ms, since_ms, gap_ms_max;
    size_t node;
    uint64_t starts; /**< of all nodes, when the session began */
    size_t session_node;
};

struct story {
    struct world world;
    uint64_t group;
    struct producer producer;
    uint32_t random;
};

/** Founders, nodes that joined, and the topic with its replicas on the first three. Teardown: story_end. */
struct story *story_begin(void **state, size_t founders, size_t joined);
int story_end(void **state);
uint32_t story_random(struct story *story);
/** Virtual time passes, and the producer produces. */
void story_run(struct story *story, uint64_t ms);
/** What a node says of the partition; NULL: it cannot say. */
const Lf__PartitionDescription *story_describe(struct story *story, size_t node);
/** Runs until this is the assignment, reached, and held by exactly its nodes among those that are up. */
void story_wait_moved(struct story *story, const uint64_t *nodes, uint64_t ms);
/** Everything acknowledged is there once, on every replica. */
void story_assert_nothing_lost(struct story *story);

#endif
