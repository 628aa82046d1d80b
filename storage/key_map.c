/** Open addressing, linear probing. */
#include "key_map.h"

#include <stdlib.h>

#define SLOTS_MIN 64u
#define SLOTS_FIRST 4096u

void key_map_init(struct key_map *map, size_t bytes_max) {
    size_t slots_max = bytes_max / 3 * 2 / sizeof(struct key_slot); /* the table before it takes half as much */
    *map = (struct key_map){.slots_max = slots_max > SLOTS_MIN ? slots_max : SLOTS_MIN};
    map->first_count = map->slots_max;
    while (map->first_count > SLOTS_FIRST)
        map->first_count /= 2;
}

void key_map_deinit(struct key_map *map) {
    free(map->slots);
    *map = (struct key_map){0};
}

void key_map_clear(struct key_map *map) {
    if (map->slot_count > map->slots_max) { /* it was forced */
        free(map->slots);
        map->slots = NULL;
        map->slot_count = 0;
    }
    if (map->slots)
        memset(map->slots, 0, map->slot_count * sizeof map->slots[0]);
    map->used = 0;
}

/** The key's slot, or the empty one where it would be. */
static struct key_slot *slot_of(const struct key_map *map, struct key_hash hash) {
    size_t at = (size_t)(((__uint128_t)hash.low * map->slot_count) >> 64);
    for (;; at = at + 1 < map->slot_count ? at + 1 : 0) {
        struct key_slot *slot = &map->slots[at];
        if (slot->offset_plus_1 == 0 || (slot->hash.low == hash.low && slot->hash.high == hash.high))
            return slot;
    }
}

static enum lf_status grow(struct key_map *map, bool force) {
    size_t wanted = map->slot_count > 0 ? map->slot_count * 2 : map->first_count;
    if (wanted > map->slots_max && !force)
        return LF_FULL;
    struct key_map bigger = *map;
    bigger.slots = calloc(wanted, sizeof bigger.slots[0]);
    bigger.slot_count = wanted;
    if (!bigger.slots)
        return LF_NO_MEMORY;
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->slots[i].offset_plus_1 != 0)
            *slot_of(&bigger, map->slots[i].hash) = map->slots[i];
    free(map->slots);
    *map = bigger;
    return LF_OK;
}

enum lf_status key_map_put(struct key_map *map, struct key_hash hash, uint64_t offset, bool force) {
    struct key_slot *slot = map->slot_count > 0 ? slot_of(map, hash) : NULL;
    if (slot && slot->offset_plus_1 != 0) {
        slot->offset_plus_1 = offset + 1;
        return LF_OK;
    }
    if ((map->used + 1) * 5 > map->slot_count * 4) {
        enum lf_status status = grow(map, force);
        if (status != LF_OK)
            return status;
        slot = slot_of(map, hash);
    }
    *slot = (struct key_slot){.hash = hash, .offset_plus_1 = offset + 1};
    map->used++;
    return LF_OK;
}

void key_map_raise(struct key_map *map, struct key_hash hash, uint64_t offset) {
    struct key_slot *slot = map->slot_count > 0 ? slot_of(map, hash) : NULL;
    if (slot && slot->offset_plus_1 != 0)
        slot->offset_plus_1 = offset + 1;
}

bool key_map_get(const struct key_map *map, struct key_hash hash, uint64_t *offset) {
    const struct key_slot *slot = map->slot_count > 0 ? slot_of(map, hash) : NULL;
    if (!slot || slot->offset_plus_1 == 0)
        return false;
    *offset = slot->offset_plus_1 - 1;
    return true;
}
