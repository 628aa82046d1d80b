/** The newest offset of each key, in a bounded number of bytes: 24 per slot, at most four slots in five used.
 *
 *  It grows by doubling, and while it grows both tables exist: together they stay within the bound.
 */
#ifndef KEY_MAP_H
#define KEY_MAP_H

#include "key_hash.h"
#include "lf_status.h"

struct key_slot {
    struct key_hash hash;
    uint64_t offset_plus_1; /**< 0: empty */
};

struct key_map {
    struct key_slot *slots;
    size_t slot_count, used;
    size_t first_count, slots_max;
};

/** bytes_max: of all its memory; at least a few slots are there however small it is. */
void key_map_init(struct key_map *map, size_t bytes_max);
void key_map_deinit(struct key_map *map);
/** Forgets all keys. */
void key_map_clear(struct key_map *map);
/** The key is at `offset`, above all offsets that were given for it before. LF_FULL: it is new, there is no room, and
 *  not `force` (which goes beyond the bound). LF_NO_MEMORY. */
enum lf_status key_map_put(struct key_map *map, struct key_hash hash, uint64_t offset, bool force);
/** The same for a key that is in the map; others are passed over. */
void key_map_raise(struct key_map *map, struct key_hash hash, uint64_t offset);
/** False: not in the map. */
bool key_map_get(const struct key_map *map, struct key_hash hash, uint64_t *offset);

#endif
