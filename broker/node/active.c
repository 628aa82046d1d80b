/** What is open on a node stays below active_bytes_max: when it exceeds that, leaders there end their largest segments.
 *
 *  The largest first: what fell silent with much in it goes before what has just begun, and with many partitions that
 * are written to alike, segments are of twice the mean. A leader looks after its share alone: what the others' nodes
 * keep open here is theirs to bound. */
#include "node_internal.h"

#include <stdlib.h>

/** What is open is brought down to this part of the bound when it exceeds it: not one roll per entry ... */
#define RELIEF_NUMERATOR 3
#define RELIEF_DENOMINATOR 4
/** ... and no sooner again than after this long. */
#define RELIEVE_MS 20
/** Smaller segments cost more syncs than the flushes they spare; and at most this part of the bound. */
#define ROLL_BYTES_MIN (1024u * 1024)
#define ROLL_DIVISOR 8

struct led {
    struct group **groups; /**< that could roll now */
    size_t count;
    size_t all;   /**< partitions led */
    uint64_t sum; /**< of what is open in them and not about to be sealed */
};

static int by_open_bytes(const void *left, const void *right) {
    const struct group *a = *(struct group *const *)left, *b = *(struct group *const *)right;
    if (a->open_bytes != b->open_bytes)
        return a->open_bytes > b->open_bytes ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static struct led collect(struct node *node) {
    struct led led = {.groups = node_alloc(node->groups.count + 1, sizeof(*led.groups))};
    uint64_t part = node->limits.active_bytes_max / ROLL_DIVISOR;
    struct group *group;
    size_t cursor = 0;
    while ((group = lf_map_next(&node->groups, &cursor))) {
        if (!group->partition || !group_leads(group))
            continue;
        led.all++;
        if (partition_structure_unapplied(group->partition) > 0)
            continue;
        led.sum += group->open_bytes;
        if (group->open_bytes >= (part < ROLL_BYTES_MIN ? part : ROLL_BYTES_MIN) && segments_may_decide(node, group))
            led.groups[led.count++] = group;
    }
    qsort(led.groups, led.count, sizeof(*led.groups), by_open_bytes);
    return led;
}

bool active_is_too_much(const struct node *node) {
    return node->open_bytes > node->limits.active_bytes_max && node->now_ms >= node->relieve_ms;
}

void active_relieve(struct node *node) {
    if (!active_is_too_much(node))
        return;
    node->relieve_ms = node->now_ms + RELIEVE_MS;
    struct led led = collect(node);
    uint64_t partitions = node->groups.count > 1 ? node->groups.count - 1 : 1;
    uint64_t share = node->limits.active_bytes_max / partitions * led.all;
    if (led.sum > share)
        for (size_t i = 0; i < led.count && led.sum > share / RELIEF_DENOMINATOR * RELIEF_NUMERATOR; i++) {
            uint64_t bytes = led.groups[i]->open_bytes;
            if (segments_roll(node, led.groups[i]))
                led.sum -= bytes;
        }
    free(led.groups);
}
