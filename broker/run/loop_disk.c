/** Room on the disk, as far as the loop is concerned. */
#include "loop_internal.h"

static void hold_writes(struct loop *loop, bool hold) {
    struct lf_error error = {0};
    loop->queue.held = hold;
    if (!hold && !store_queue_is_empty(&loop->queue) && store_queue_retry(&loop->queue, &error) != LF_OK)
        loop_fail(loop, error.code, error.text);
}

void loop_spoil(struct loop *loop, const char *why) {
    if (!loop->spoiled)
        log_line(loop->options.log, LOG_ERROR,
                 "the disk is full: the store is only read until there is room, then opened anew: %s", why);
    loop->spoiled = true;
    loop->queue.held = true;
}

/* As long as the node refuses: also where a little is missing to what it takes to begin again. */
static void tidy(struct loop *loop) {
    if (node_space_level(loop->options.node) == NODE_SPACE_ENOUGH || loop->queue.held || loop->now_ms < loop->tidy_ms)
        return;
    loop->tidy_ms = loop->now_ms + LOOP_TIDY_MS;
    log_store_tidy(loop->options.store);
}

void loop_follow_disk(struct loop *loop) {
    struct disk_guard *disk = loop->options.disk;
    if (!disk->looked || loop->failed != LF_OK)
        return;
    struct node_event event = {.type = NODE_EVENT_SPACE, .space = disk->orders.space};
    loop_feed(loop, &event);
    if (loop->spoiled) {
        if (!disk->orders.hold && event.space.room_bytes >= event.space.hard_bytes)
            loop_fail(loop, LF_NO_SPACE, "there is room on the disk again: the store is opened anew");
    } else if (disk->orders.hold != loop->queue.held) {
        hold_writes(loop, disk->orders.hold);
    }
    tidy(loop);
}

void loop_look_at_disk(struct loop *loop) {
    struct log_store_stats stats;
    log_store_stats(loop->options.store, &stats);
    if (disk_guard_look(loop->options.disk, loop->now_ms, stats.bytes_written))
        loop_follow_disk(loop);
}
