#include "delay_queue.h"

#include "lf_check.h"

#include <stdlib.h>

struct delayed {
    uint64_t due_ms;
    uint64_t order; /**< among equal due times: as put */
    size_t lane;
    bool after_next;
    struct peer_frames frames;
};

struct delay_queue {
    struct delayed *items; /**< the next due last, so that taking is cheap */
    size_t count;
    uint64_t order;
    size_t lanes;
    uint64_t *lane_due_ms; /**< nothing of the lane that keeps order goes before it */
};

struct delay_queue *delay_queue_new(size_t lanes) {
    struct delay_queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return NULL;
    queue->lanes = lanes;
    queue->items = calloc(DELAY_QUEUE_MESSAGES_MAX, sizeof *queue->items);
    queue->lane_due_ms = calloc(lanes ? lanes : 1, sizeof *queue->lane_due_ms);
    if (!queue->items || !queue->lane_due_ms)
        delay_queue_destroy(&queue);
    return queue;
}

void delay_queue_destroy(struct delay_queue **where) {
    struct delay_queue *queue = *where;
    *where = NULL;
    if (!queue)
        return;
    for (size_t i = 0; i < queue->count; i++)
        peer_frames_deinit(&queue->items[i].frames);
    free(queue->items);
    free(queue->lane_due_ms);
    free(queue);
}

static bool goes_before(const struct delayed *a, const struct delayed *b) {
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void insert(struct delay_queue *queue, struct delayed item) {
    lf_check(queue->count < DELAY_QUEUE_MESSAGES_MAX);
    size_t at = queue->count++;
    for (; at > 0 && goes_before(&queue->items[at - 1], &item); at--)
        queue->items[at] = queue->items[at - 1];
    queue->items[at] = item;
}

/** The message that waits on this lane for a next one goes right behind that next one. */
static void release_waiting(struct delay_queue *queue, size_t lane, uint64_t due_ms) {
    for (size_t i = 0; i < queue->count; i++) {
        struct delayed item = queue->items[i];
        if (item.lane != lane || !item.after_next)
            continue;
        for (size_t j = i + 1; j < queue->count; j++)
            queue->items[j - 1] = queue->items[j];
        queue->count--;
        item.after_next = false;
        item.due_ms = due_ms;
        item.order = ++queue->order;
        insert(queue, item);
        return;
    }
}

bool delay_queue_put(struct delay_queue *queue, size_t lane, const struct unreliable_fate *fate,
                     struct peer_frames *frames, uint64_t now_ms) {
    lf_check(lane < queue->lanes);
    if (fate->drop || queue->count == DELAY_QUEUE_MESSAGES_MAX) {
        peer_frames_deinit(frames);
        return false;
    }
    bool alone = fate->delay_ms > 0 && !fate->in_order; /* held, or to be passed: others do not wait for it */
    uint64_t due_ms = now_ms + fate->delay_ms;
    if (!alone && due_ms < queue->lane_due_ms[lane])
        due_ms = queue->lane_due_ms[lane];
    if (!alone)
        queue->lane_due_ms[lane] = due_ms;
    insert(queue, (struct delayed){.due_ms = due_ms,
                                   .order = ++queue->order,
                                   .lane = lane,
                                   .after_next = fate->after_next,
                                   .frames = *frames});
    *frames = (struct peer_frames){0};
    if (!alone)
        release_waiting(queue, lane, due_ms);
    return true;
}

bool delay_queue_take(struct delay_queue *queue, uint64_t now_ms, size_t *lane, struct peer_frames *frames) {
    lf_check(frames->count == 0);
    if (queue->count == 0 || queue->items[queue->count - 1].due_ms > now_ms)
        return false;
    struct delayed *item = &queue->items[--queue->count];
    *lane = item->lane;
    *frames = item->frames;
    return true;
}

uint64_t delay_queue_deadline(const struct delay_queue *queue) {
    return queue->count == 0 ? UINT64_MAX : queue->items[queue->count - 1].due_ms;
}
