/** Memory for an answer's many small messages, freed at once. Zero-initialised is empty. */
#ifndef REPLY_ARENA_H
#define REPLY_ARENA_H

#include "client.pb-c.h"
#include "metadata.h"

struct reply_arena {
    struct reply_arena_block *blocks;
};

/** Zeroed; stops without memory. */
void *reply_arena_take(struct reply_arena *arena, size_t count, size_t size);
void reply_arena_free(struct reply_arena *arena);
Lf__TopicRef *reply_arena_topic(struct reply_arena *arena, const struct metadata_topic *topic);

#endif
