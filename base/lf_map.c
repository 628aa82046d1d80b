#include "lf_map.h"

#include <stdlib.h>

#define MAP_CAPACITY_MIN 16

static size_t home(const struct lf_map *map, uint64_t id) {
    return (size_t)((id * 0x9E3779B97F4A7C15u) >> 20) & (map->capacity - 1);
}

static size_t find(const struct lf_map *map, uint64_t id) {
    size_t at = home(map, id);
    while (map->slots[at].id != 0 && map->slots[at].id != id)
        at = (at + 1) & (map->capacity - 1);
    return at;
}

void lf_map_deinit(struct lf_map *map) {
    free(map->slots);
    *map = (struct lf_map){0};
}

void *lf_map_get(const struct lf_map *map, uint64_t id) {
    if (map->count == 0 || id == 0)
        return NULL;
    return map->slots[find(map, id)].value;
}

static bool grow(struct lf_map *map) {
    struct lf_map bigger = {.capacity = map->capacity ? map->capacity * 2 : MAP_CAPACITY_MIN, .count = map->count};
    bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].id != 0)
            bigger.slots[find(&bigger, map->slots[i].id)] = map->slots[i];
    free(map->slots);
    *map = bigger;
    return true;
}

bool lf_map_put(struct lf_map *map, uint64_t id, void *value) {
    if ((map->count + 1) * 4 > map->capacity * 3 && !grow(map))
        return false;
    struct lf_map_slot *slot = &map->slots[find(map, id)];
    map->count += slot->id == 0;
    *slot = (struct lf_map_slot){.id = id, .value = value};
    return true;
}

void *lf_map_remove(struct lf_map *map, uint64_t id) {
    if (map->count == 0 || id == 0)
        return NULL;
    size_t hole = find(map, id);
    void *value = map->slots[hole].value;
    if (map->slots[hole].id == 0)
        return NULL;
    map->count--;
    /* Close the gap: move back every later slot of the run that may live at the hole. */
    for (size_t at = (hole + 1) & (map->capacity - 1); map->slots[at].id != 0; at = (at + 1) & (map->capacity - 1)) {
        size_t want = home(map, map->slots[at].id);
        if (((at - want) & (map->capacity - 1)) >= ((at - hole) & (map->capacity - 1))) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole] = (struct lf_map_slot){0};
    return value;
}

void *lf_map_next(const struct lf_map *map, size_t *cursor) {
    while (*cursor < map->capacity) {
        const struct lf_map_slot *slot = &map->slots[(*cursor)++];
        if (slot->id != 0)
            return slot->value;
    }
    return NULL;
}
