#include "reply_arena.h"

#include "node_internal.h"

#include <stdlib.h>

struct reply_arena_block {
    struct reply_arena_block *next;
};

void *reply_arena_take(struct reply_arena *arena, size_t count, size_t size) {
    struct reply_arena_block *block = node_alloc(1, sizeof *block + count * size);
    block->next = arena->blocks;
    arena->blocks = block;
    return block + 1;
}

void reply_arena_free(struct reply_arena *arena) {
    while (arena->blocks) {
        struct reply_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
}

Lf__TopicRef *reply_arena_topic(struct reply_arena *arena, const struct metadata_topic *topic) {
    Lf__TopicRef *ref = reply_arena_take(arena, 1, sizeof *ref);
    lf__topic_ref__init(ref);
    ref->id = topic->topic_id;
    ref->name = (char *)(uintptr_t)topic->name; /* packed, never written */
    return ref;
}
