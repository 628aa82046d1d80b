#include "loop_internal.h"

#include "lf_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { ITEM_CLIENTS, ITEM_PEERS, ITEM_STORE, ITEM_SIGNALS, ITEM_ADMIN, ITEM_BACKUPS, ITEM_COUNT };

enum lf_status loop_new(const struct loop_options *options, struct loop **out) {
    struct loop *loop = calloc(1, sizeof *loop);
    *out = loop;
    if (!loop)
        return LF_NO_MEMORY;
    loop->options = *options;
    loop->now_ms = clock_now_ms();
    loop->store_waits = true; /* the store says it sleeps only once it was asked in vain */
    loop->stats_due_ms = options->stats_interval_ms ? loop->now_ms + options->stats_interval_ms : UINT64_MAX;
    store_queue_init(&loop->queue, options->store);
    return LF_OK;
}

void loop_destroy(struct loop **where) {
    struct loop *loop = *where;
    *where = NULL;
    if (!loop)
        return;
    store_queue_deinit(&loop->queue);
    node_effects_deinit(&loop->effects);
    free(loop->watches);
    free(loop);
}

void loop_fail(struct loop *loop, enum lf_status status, const char *text) {
    if (loop->failed == LF_OK)
        loop->failed = lf_error_set(&loop->error, status, "%s", text);
}

/** The node's clock never goes back, and is looked at for every event. */
void loop_feed(struct loop *loop, struct node_event *event) {
    uint64_t applied = node_metrics(loop->options.node)->entries_applied;
    event->now_us = clock_now_us();
    loop->now_ms = event->now_ms = event->now_us / 1000;
    event->wall_ms = clock_wall_ms();
    node_step(loop->options.node, event, &loop->effects);
    loop_carry_out(loop);
    uint64_t took_us = clock_now_us() - event->now_us;
    lf_histogram_observe(&loop->step_us, took_us);
    if (node_metrics(loop->options.node)->entries_applied != applied)
        lf_histogram_observe(&loop->apply_us, took_us);
    while (loop->gone_count > 0 && loop->failed == LF_OK) {
        struct node_event gone = {.type = NODE_EVENT_CLIENT_GONE,
                                  .now_ms = event->now_ms,
                                  .wall_ms = event->wall_ms,
                                  .session = loop->gone[--loop->gone_count]};
        node_step(loop->options.node, &gone, &loop->effects);
        loop_carry_out(loop);
    }
}

static void tick(struct loop *loop, uint64_t absent_ms) {
    struct node_event event = {.type = NODE_EVENT_TICK, .absent_ms = absent_ms};
    loop_feed(loop, &event);
}

static void take_signals(struct loop *loop) {
    struct signalfd_siginfo signal;
    while (read(loop->options.signal_fd, &signal, sizeof signal) == (ssize_t)sizeof signal)
        loop->stop_signals++;
    if (loop->stop_signals == 0 || loop->stopping)
        return;
    loop->stopping = true;
    log_line(loop->options.log, LOG_INFO, "stopping: handing leadership over");
    struct node_event event = {.type = NODE_EVENT_STOP};
    loop_feed(loop, &event);
}

/** How long to sleep, in ms. */
static uint64_t timeout_ms(const struct loop *loop, bool more) {
    uint64_t due_ms = loop->deadline_ms;
    if (transport_deadline(loop->options.transport) < due_ms)
        due_ms = transport_deadline(loop->options.transport);
    if (loop->stats_due_ms < due_ms)
        due_ms = loop->stats_due_ms;
    if (disk_guard_deadline(loop->options.disk) < due_ms)
        due_ms = disk_guard_deadline(loop->options.disk);
    if (more || due_ms <= loop->now_ms)
        return 0;
    uint64_t sleep_ms_max = loop->watch_count > 0 ? LOOP_WATCH_MS : LOOP_SLEEP_MS_MAX;
    return due_ms - loop->now_ms < sleep_ms_max ? due_ms - loop->now_ms : sleep_ms_max;
}

/** Not while the store is far behind: clients then wait in their connections. */
static bool takes_clients(const struct loop *loop) { return !store_queue_lags(&loop->queue); }

/** Sleeps until something is there. Returns how long the loop was absent. */
static uint64_t wait_for_work(struct loop *loop, zmq_pollitem_t items[ITEM_COUNT], bool more) {
    loop->now_ms = clock_now_ms();
    uint64_t sleep_ms = timeout_ms(loop, more);
    pause_meter_sleep(&loop->pauses, loop->now_ms, sleep_ms);
    items[ITEM_CLIENTS].events = takes_clients(loop) ? ZMQ_POLLIN : 0;
    bool asleep = loop->options.admin && lf_ring_sleep(loop->options.admin->questions);
    bool done_asleep = backup_thread_sleep(loop->options.backups);
    if ((loop->options.admin && !asleep) || !done_asleep)
        sleep_ms = 0;
    int ready = zmq_poll(items, ITEM_COUNT, (long)sleep_ms);
    if (ready < 0 && zmq_errno() != EINTR)
        loop_fail(loop, LF_IO, zmq_strerror(zmq_errno()));
    if (asleep)
        lf_ring_wake(loop->options.admin->questions);
    if (done_asleep)
        backup_thread_wake(loop->options.backups);
    loop->now_ms = clock_now_ms();
    return pause_meter_wake(&loop->pauses, loop->now_ms);
}

/** One turn; true when a source was left with something in it. */
static bool take_turn(struct loop *loop, const zmq_pollitem_t items[ITEM_COUNT], uint64_t absent_ms) {
    bool away = absent_ms > 0, more = false;
    if (items[ITEM_PEERS].revents)
        more |= loop_take_peers(loop, away);
    if (items[ITEM_STORE].revents || loop->store_waits)
        more |= loop_take_store(loop, away);
    if (items[ITEM_CLIENTS].revents)
        more |= loop_take_clients(loop);
    loop_tell_room(loop);
    if (items[ITEM_SIGNALS].revents)
        take_signals(loop);
    if (loop->failed == LF_OK && (away || loop->now_ms >= loop->deadline_ms))
        tick(loop, absent_ms);
    transport_advance(loop->options.transport, loop->now_ms);
    loop_take_backups(loop);
    loop_look_at_disk(loop);
    loop_end_replacement(loop);
    loop_log_stats(loop);
    loop->turns++;
    loop_answer_admin(loop);
    log_flush(loop->options.log);
    return more;
}

enum lf_status loop_run(struct loop *loop, struct lf_error *error) {
    zmq_pollitem_t items[ITEM_COUNT];
    transport_poll_items(loop->options.transport, items);
    items[ITEM_STORE] = (zmq_pollitem_t){.fd = log_store_fd(loop->options.store), .events = ZMQ_POLLIN};
    items[ITEM_SIGNALS] = (zmq_pollitem_t){.fd = loop->options.signal_fd, .events = ZMQ_POLLIN};
    int admin_fd = loop->options.admin ? lf_ring_fd(loop->options.admin->questions) : loop->options.signal_fd;
    items[ITEM_ADMIN] = (zmq_pollitem_t){.fd = admin_fd, .events = loop->options.admin ? ZMQ_POLLIN : 0};
    items[ITEM_BACKUPS] = (zmq_pollitem_t){.fd = backup_thread_fd(loop->options.backups), .events = ZMQ_POLLIN};
    pause_meter_init(&loop->pauses, clock_now_ms());
    tick(loop, 0);
    loop_follow_disk(loop); /* the start has looked: before anybody asks for anything */
    bool more = true;       /* ask the store once, so that it wakes us from then on */
    while (loop->failed == LF_OK && !loop->stopped && loop->stop_signals < 2) {
        uint64_t absent_ms = wait_for_work(loop, items, more);
        if (absent_ms > 0)
            log_line(loop->options.log, LOG_WARN, "the loop did not run for %llu ms", (unsigned long long)absent_ms);
        more = take_turn(loop, items, absent_ms);
    }
    if (loop->failed != LF_OK && error)
        *error = loop->error;
    return loop->failed;
}
