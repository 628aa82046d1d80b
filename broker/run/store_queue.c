#include "store_queue.h"

#include "lf_check.h"

#include <stdlib.h>

void store_queue_init(struct store_queue *queue, struct log_store *store) {
    *queue = (struct store_queue){.store = store};
}

void store_queue_deinit(struct store_queue *queue) {
    while (queue->first_write) {
        struct log_store_write *write = queue->first_write;
        queue->first_write = write->next;
        write->next = NULL;
        log_store_write_destroy(&write);
    }
    for (size_t i = 0; i < queue->stage_count; i++)
        node_stage_deinit(&queue->stages[queue->stage_first + i]);
    free(queue->reads);
    free(queue->stages);
    free(queue->rewrites);
    free(queue->loads);
    store_queue_init(queue, NULL);
}

bool store_queue_is_empty(const struct store_queue *queue) {
    return !queue->first_write && queue->read_count == 0 && queue->stage_count == 0 && queue->rewrite_count == 0 &&
           queue->load_count == 0;
}

bool store_queue_lags(const struct store_queue *queue) {
    struct log_store_stats stats;
    log_store_stats(queue->store, &stats);
    return queue->waiting_bytes > STORE_QUEUE_WAITING_BYTES_MAX ||
           stats.oldest_write_us > 1000ull * STORE_QUEUE_LAG_MS_MAX;
}

/** Room for `more` at the end of first..first+count of a growing array, moved to its beginning. */
static void *make_room(void *items, size_t size, size_t *first, size_t count, size_t *capacity, size_t more) {
    if (*first > 0)
        memmove(items, (char *)items + *first * size, count * size);
    *first = 0;
    if (count + more <= *capacity)
        return items;
    *capacity = count + more + *capacity;
    items = realloc(items, *capacity * size);
    lf_checkf(items != NULL, "no memory for %zu waiting requests", *capacity);
    return items;
}

static void append_writes(struct store_queue *queue, struct node_effects *effects) {
    for (size_t i = 0; i < effects->write_count; i++) {
        struct log_store_write *write = effects->writes[i];
        effects->writes[i] = NULL;
        if (!write)
            continue;
        write->next = NULL;
        if (queue->last_write)
            queue->last_write->next = write;
        else
            queue->first_write = write;
        queue->last_write = write;
        queue->waiting_bytes += write->bytes;
    }
}

static enum lf_status hand_over_writes(struct store_queue *queue) {
    while (queue->first_write && !queue->held) {
        struct log_store_write *write = queue->first_write, *next = write->next;
        size_t bytes = write->bytes;
        write->next = NULL;
        enum lf_status status = log_store_submit(queue->store, &write);
        if (status != LF_OK) {
            lf_check(write == queue->first_write);
            write->next = next;
            return status;
        }
        queue->first_write = next;
        queue->waiting_bytes -= bytes;
    }
    if (queue->first_write)
        return LF_FULL;
    queue->last_write = NULL;
    lf_check(queue->waiting_bytes == 0);
    return LF_OK;
}

static enum lf_status hand_over_reads(struct store_queue *queue) {
    enum lf_status status = LF_OK;
    for (; status == LF_OK && queue->read_count > 0; queue->read_first++, queue->read_count--) {
        status = log_store_read(queue->store, &queue->reads[queue->read_first]);
        if (status != LF_OK)
            break;
    }
    return status;
}

/** Behind the writes that were given before: they may seal what is to be rewritten. */
static enum lf_status hand_over_rewrites(struct store_queue *queue) {
    enum lf_status status = LF_OK;
    for (; !queue->first_write && queue->rewrite_count > 0; queue->rewrite_first++, queue->rewrite_count--) {
        status = log_store_rewrite(queue->store, &queue->rewrites[queue->rewrite_first]);
        if (status != LF_OK)
            break;
    }
    return status;
}

static enum lf_status hand_over_stages(struct store_queue *queue) {
    for (; !queue->first_write && queue->stage_count > 0; queue->stage_first++, queue->stage_count--) {
        struct node_stage *stage = &queue->stages[queue->stage_first];
        stage->stage.segment = &stage->segment;
        stage->stage.entries = stage->entries;
        enum lf_status status = log_store_stage(queue->store, &stage->stage);
        if (status != LF_OK)
            return status;
        node_stage_deinit(stage);
    }
    return LF_OK;
}

static enum lf_status hand_over_loads(struct store_queue *queue) {
    enum lf_status status = LF_OK;
    for (; status == LF_OK && queue->load_count > 0; queue->load_first++, queue->load_count--) {
        const struct node_load *load = &queue->loads[queue->load_first];
        status = log_store_load(queue->store, load->group, load->request);
        if (status != LF_OK)
            break;
    }
    return status;
}

enum lf_status store_queue_retry(struct store_queue *queue, struct lf_error *error) {
    enum lf_status (*const kinds[])(struct store_queue * queue) = {hand_over_writes, hand_over_reads, hand_over_stages,
                                                                   hand_over_rewrites, hand_over_loads};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        enum lf_status status = kinds[i](queue);
        if (status != LF_OK && status != LF_FULL)
            return lf_error_set(error, status, "the store takes nothing more: %s", lf_status_text(status));
    }
    return LF_OK;
}

enum lf_status store_queue_add(struct store_queue *queue, struct node_effects *effects, struct lf_error *error) {
    append_writes(queue, effects);
    if (effects->read_count > 0) {
        queue->reads = make_room(queue->reads, sizeof *queue->reads, &queue->read_first, queue->read_count,
                                 &queue->read_capacity, effects->read_count);
        memcpy(queue->reads + queue->read_count, effects->reads, effects->read_count * sizeof *queue->reads);
        queue->read_count += effects->read_count;
    }
    if (effects->stage_count > 0) {
        queue->stages = make_room(queue->stages, sizeof *queue->stages, &queue->stage_first, queue->stage_count,
                                  &queue->stage_capacity, effects->stage_count);
        memcpy(queue->stages + queue->stage_count, effects->stages, effects->stage_count * sizeof *queue->stages);
        queue->stage_count += effects->stage_count;
        effects->stage_count = 0; /* taken */
    }
    if (effects->rewrite_count > 0) {
        queue->rewrites = make_room(queue->rewrites, sizeof *queue->rewrites, &queue->rewrite_first,
                                    queue->rewrite_count, &queue->rewrite_capacity, effects->rewrite_count);
        memcpy(queue->rewrites + queue->rewrite_count, effects->rewrites,
               effects->rewrite_count * sizeof *queue->rewrites);
        queue->rewrite_count += effects->rewrite_count;
    }
    if (effects->load_count > 0) {
        queue->loads = make_room(queue->loads, sizeof *queue->loads, &queue->load_first, queue->load_count,
                                 &queue->load_capacity, effects->load_count);
        memcpy(queue->loads + queue->load_count, effects->loads, effects->load_count * sizeof *queue->loads);
        queue->load_count += effects->load_count;
    }
    return store_queue_is_empty(queue) ? LF_OK : store_queue_retry(queue, error);
}
