#include "metadata_internal.h"

#include "lf_check.h"

#include <stdlib.h>

#define NAMES_CAPACITY_MIN 16

/** FNV-1a, 64 bits: names are chosen by users, and the load factor is at most 3/4. */
static uint64_t hash(struct lf_bytes name) {
    uint64_t value = 0xcbf29ce484222325u;
    for (size_t i = 0; i < name.size; i++)
        value = (value ^ name.data[i]) * 0x100000001b3u;
    return value ^ value >> 32;
}

static struct lf_bytes name_of(const struct metadata_topic *topic) { return lf_bytes_text(topic->name); }

static size_t find(const struct metadata_names *names, struct lf_bytes name) {
    size_t at = hash(name) & (names->capacity - 1);
    while (names->slots[at] && !lf_bytes_equal(name_of(names->slots[at]), name))
        at = (at + 1) & (names->capacity - 1);
    return at;
}

struct metadata_topic *metadata_names_get(const struct metadata_names *names, struct lf_bytes name) {
    return names->count > 0 ? names->slots[find(names, name)] : NULL;
}

static bool grow(struct metadata_names *names) {
    struct metadata_names bigger = {.capacity = names->capacity ? names->capacity * 2 : NAMES_CAPACITY_MIN,
                                    .count = names->count};
    bigger.slots = calloc(bigger.capacity, sizeof(struct metadata_topic *));
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < names->capacity; i++)
        if (names->slots[i])
            bigger.slots[find(&bigger, name_of(names->slots[i]))] = names->slots[i];
    free(names->slots);
    *names = bigger;
    return true;
}

bool metadata_names_put(struct metadata_names *names, struct metadata_topic *topic) {
    if ((names->count + 1) * 4 > names->capacity * 3 && !grow(names))
        return false;
    size_t at = find(names, name_of(topic));
    lf_check(names->slots[at] == NULL);
    names->slots[at] = topic;
    names->count++;
    return true;
}

void metadata_names_remove(struct metadata_names *names, const struct metadata_topic *topic) {
    lf_check(names->count > 0);
    size_t mask = names->capacity - 1, hole = find(names, name_of(topic));
    lf_check(names->slots[hole] == topic);
    names->count--;
    /* Close the gap: move back every later slot of the run that may live at the hole. */
    for (size_t at = (hole + 1) & mask; names->slots[at]; at = (at + 1) & mask) {
        size_t want = hash(name_of(names->slots[at])) & mask;
        if (((at - want) & mask) >= ((at - hole) & mask)) {
            names->slots[hole] = names->slots[at];
            hole = at;
        }
    }
    names->slots[hole] = NULL;
}

void metadata_names_deinit(struct metadata_names *names) {
    free(names->slots);
    *names = (struct metadata_names){0};
}
