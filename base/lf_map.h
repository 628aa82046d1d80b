/** A map from non-zero 64-bit ids to pointers: open addressing, grows as needed; whoever adds keeps the bound. */
#ifndef LF_MAP_H
#define LF_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lf_map_slot {
    uint64_t id; /**< 0: empty */
    void *value;
};

/** Zero-initialised is an empty map. */
struct lf_map {
    struct lf_map_slot *slots;
    size_t capacity; /**< 0 or a power of two */
    size_t count;
};

/** Frees the table, not the values. */
void lf_map_deinit(struct lf_map *map);
/** NULL: not there. */
void *lf_map_get(const struct lf_map *map, uint64_t id);
/** Adds or replaces; id and value are not 0 / NULL. False without memory (map unchanged). */
bool lf_map_put(struct lf_map *map, uint64_t id, void *value);
/** Returns what was there, or NULL. */
void *lf_map_remove(struct lf_map *map, uint64_t id);
/** Walk: start with *cursor 0; NULL at the end. No adding or removing while walking. Order is by slot, deterministic
 * for an equal history. */
void *lf_map_next(const struct lf_map *map, size_t *cursor);

#endif
