/** What the node wants from its store, handed over in order, each kind by itself; what the store has no room for waits.
 *
 *  Bounded by the node's own limits (uncommitted bytes, reads under way); the loop takes no client messages while
 *  more than STORE_QUEUE_WAITING_BYTES_MAX waits, or while the oldest write is older than STORE_QUEUE_LAG_MS_MAX: what
 *  waits at the disk is in everybody's way, votes too, and a leader whose disk lags by disk_stall_ms steps down.
 */
#ifndef STORE_QUEUE_H
#define STORE_QUEUE_H

#include "node.h"

#define STORE_QUEUE_WAITING_BYTES_MAX (64u * 1024 * 1024)
#define STORE_QUEUE_LAG_MS_MAX 250u

struct store_queue {
    struct log_store *store;                          /**< borrowed */
    struct log_store_write *first_write, *last_write; /**< linked by next */
    struct log_store_read *reads;
    size_t read_first, read_count, read_capacity;
    struct node_stage *stages;
    size_t stage_first, stage_count, stage_capacity;
    struct log_store_rewrite *rewrites;
    size_t rewrite_first, rewrite_count, rewrite_capacity;
    struct node_load *loads;
    size_t load_first, load_count, load_capacity;
    size_t waiting_bytes;
    bool held; /**< no write is handed over: the disk is full */
};

void store_queue_init(struct store_queue *queue, struct log_store *store);
/** Drops what waits. */
void store_queue_deinit(struct store_queue *queue);
/** Takes the writes, reads, pieces of segments, rewrites and loads of effects (writes set NULL) and hands over what the
 * store takes now. LF_OK; any other status of the store but LF_FULL, with words: it is finished. */
enum lf_status store_queue_add(struct store_queue *queue, struct node_effects *effects, struct lf_error *error);
/** Hand over more, after completions. */
enum lf_status store_queue_retry(struct store_queue *queue, struct lf_error *error);
bool store_queue_is_empty(const struct store_queue *queue);
/** Too much waits, here or in the store, or for too long. */
bool store_queue_lags(const struct store_queue *queue);

#endif
