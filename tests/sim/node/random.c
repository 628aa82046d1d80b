/** Dice and memory of a world. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t sim_random(struct sim_world *world) { /* splitmix64 */
    uint64_t z = world->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t sim_between(struct sim_world *world, uint64_t low, uint64_t high) {
    return high <= low ? low : low + sim_random(world) % (high - low + 1);
}

bool sim_chance(struct sim_world *world, uint32_t permille) {
    return permille > 0 && sim_random(world) % 1000 < permille;
}

void *sim_alloc(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (!memory) {
        fprintf(stderr, "sim: out of memory\n");
        exit(2);
    }
    return memory;
}

void *sim_grown(void *items, size_t *capacity, size_t wanted, size_t item_bytes) {
    if (wanted <= *capacity)
        return items;
    size_t grown = *capacity ? *capacity * 2 : 16;
    while (grown < wanted)
        grown *= 2;
    void *memory = realloc(items, grown * item_bytes);
    if (!memory) {
        fprintf(stderr, "sim: out of memory\n");
        exit(2);
    }
    memset((char *)memory + *capacity * item_bytes, 0, (grown - *capacity) * item_bytes);
    *capacity = grown;
    return memory;
}
