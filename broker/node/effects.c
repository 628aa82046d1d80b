/** Noting down what the owner has to do. */
#include "images.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void *node_alloc(size_t count, size_t size) {
    void *memory = calloc(count, size);
    lf_checkf(memory != NULL, "out of memory (%zu bytes): a broker that cannot note what it must do cannot go on",
              count * size);
    return memory;
}

/** Room for one more item in a growing array. */
static void *grow(void *items, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity)
        return items;
    size_t wanted = *capacity ? *capacity * 2 : 16;
    void *grown = realloc(items, wanted * size);
    lf_checkf(grown != NULL, "out of memory (%zu bytes)", wanted * size);
    *capacity = wanted;
    return grown;
}
#define GROW(list, count, capacity) ((list) = grow((list), (count), &(capacity), sizeof *(list)))

struct log_store_write *node_new_write(struct node *node, const struct group *group, uint64_t token) {
    (void)node;
    struct log_store_write *write = log_store_write_new(group->id, token);
    lf_checkf(write != NULL, "out of memory for a write of group %llu", (unsigned long long)group->id);
    return write;
}

void node_add_write(struct node *node, struct log_store_write *write) {
    struct node_effects *effects = node->effects;
    struct group *group = node_group(node, write->group);
    if (group)
        image_staged_written(node, group, write);
    GROW(effects->writes, effects->write_count, effects->write_capacity);
    effects->writes[effects->write_count++] = write;
}

void node_add_read(struct node *node, const struct log_store_read *read) {
    struct node_effects *effects = node->effects;
    GROW(effects->reads, effects->read_count, effects->read_capacity);
    effects->reads[effects->read_count++] = *read;
}

void node_add_rewrite(struct node *node, const struct log_store_rewrite *rewrite) {
    struct node_effects *effects = node->effects;
    GROW(effects->rewrites, effects->rewrite_count, effects->rewrite_capacity);
    effects->rewrites[effects->rewrite_count++] = *rewrite;
}

void node_add_stage(struct node *node, const struct log_store_stage *stage) {
    struct node_effects *effects = node->effects;
    GROW(effects->stages, effects->stage_count, effects->stage_capacity);
    struct node_stage *added = &effects->stages[effects->stage_count++];
    *added = (struct node_stage){.stage = *stage, .segment = *stage->segment};
    added->entries = node_alloc(stage->entry_count + 1, sizeof(struct lf_buf *));
    for (uint32_t i = 0; i < stage->entry_count; i++)
        added->entries[i] = lf_buf_ref(stage->entries[i]);
}

void node_add_load(struct node *node, uint64_t group, uint64_t request) {
    struct node_effects *effects = node->effects;
    GROW(effects->loads, effects->load_count, effects->load_capacity);
    effects->loads[effects->load_count++] = (struct node_load){.group = group, .request = request};
}

void node_add_envelope(struct node *node, struct peer_envelope *envelope) {
    struct node_effects *effects = node->effects;
    GROW(effects->envelopes, effects->envelope_count, effects->envelope_capacity);
    effects->envelopes[effects->envelope_count++] = envelope;
}

void node_add_connect(struct node *node, const struct node_address *address) {
    struct node_effects *effects = node->effects;
    GROW(effects->connects, effects->connect_count, effects->connect_capacity);
    effects->connects[effects->connect_count++] = *address;
}

void node_add_forgotten(struct node *node, uint64_t node_id) {
    struct node_effects *effects = node->effects;
    GROW(effects->forgotten, effects->forgotten_count, effects->forgotten_capacity);
    effects->forgotten[effects->forgotten_count++] = node_id;
}

void node_add_send(struct node *node, uint64_t session, const struct node_frame *frames, size_t count) {
    struct node_effects *effects = node->effects;
    GROW(effects->sends, effects->send_count, effects->send_capacity);
    struct node_frame *copy = node_alloc(count, sizeof *copy);
    memcpy(copy, frames, count * sizeof *copy);
    effects->sends[effects->send_count++] =
        (struct node_client_send){.session = session, .frames = copy, .count = count};
}

void node_add_closed(struct node *node, uint64_t session) {
    struct node_effects *effects = node->effects;
    GROW(effects->closed_sessions, effects->closed_count, effects->closed_capacity);
    effects->closed_sessions[effects->closed_count++] = session;
}

void node_add_watch(struct node *node, uint64_t session, uint64_t bytes) {
    struct node_effects *effects = node->effects;
    GROW(effects->watches, effects->watch_count, effects->watch_capacity);
    effects->watches[effects->watch_count++] = (struct node_watch){.session = session, .bytes = bytes};
}

void node_add_backup(struct node *node, const struct node_backup_wish *wish) {
    struct node_effects *effects = node->effects;
    GROW(effects->backups, effects->backup_count, effects->backup_capacity);
    effects->backups[effects->backup_count++] = *wish;
}

void node_fail(struct node *node, enum lf_status status, const char *format, ...) {
    if (node->fatal != LF_OK)
        return; /* the first cause is the one to tell */
    node->fatal = status;
    va_list args;
    va_start(args, format);
    vsnprintf(node->effects->fatal_text, sizeof node->effects->fatal_text, format, args);
    va_end(args);
    node->effects->fatal = status;
}

void node_tracef(struct node *node, const char *format, ...) {
    if (!node->trace)
        return;
    char line[512];
    int used = snprintf(line, sizeof line, "node=%llu ", (unsigned long long)node->id);
    va_list args;
    va_start(args, format);
    vsnprintf(line + used, sizeof line - (size_t)used, format, args);
    va_end(args);
    node->trace(node->trace_context, line);
}

void node_wake_by(struct node *node, uint64_t deadline_ms) {
    if (deadline_ms < node->deadline_ms)
        node->deadline_ms = deadline_ms;
}

void node_effects_clear(struct node_effects *effects) {
    for (size_t i = 0; i < effects->write_count; i++)
        log_store_write_destroy(&effects->writes[i]);
    for (size_t i = 0; i < effects->envelope_count; i++)
        peer_envelope_destroy(&effects->envelopes[i]);
    for (size_t i = 0; i < effects->send_count; i++) {
        for (size_t k = 0; k < effects->sends[i].count; k++)
            lf_buf_unref(&effects->sends[i].frames[k].buf);
        free(effects->sends[i].frames);
    }
    for (size_t i = 0; i < effects->stage_count; i++)
        node_stage_deinit(&effects->stages[i]);
    effects->stage_count = 0;
    effects->write_count = effects->read_count = effects->rewrite_count = effects->load_count = 0;
    effects->connect_count = effects->forgotten_count = 0;
    effects->envelope_count = effects->send_count = effects->closed_count = effects->watch_count = 0;
    effects->backup_count = 0;
    effects->stopped = false;
    effects->fatal = LF_OK;
    effects->fatal_text[0] = '\0';
}

void node_effects_deinit(struct node_effects *effects) {
    node_effects_clear(effects);
    free(effects->writes);
    free(effects->reads);
    free(effects->stages);
    free(effects->rewrites);
    free(effects->loads);
    free(effects->connects);
    free(effects->forgotten);
    free(effects->envelopes);
    free(effects->sends);
    free(effects->closed_sessions);
    free(effects->watches);
    free(effects->backups);
    *effects = (struct node_effects){0};
}
