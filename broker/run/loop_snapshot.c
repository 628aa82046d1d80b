/** Figures for the admin thread: copied between two turns, and the copying is timed like any other work. */
#include "loop_internal.h"

#include "lf_check.h"

#include <string.h>

static void copy_loop(const struct loop *loop, struct admin_loop_figures *out) {
    *out = (struct admin_loop_figures){
        .turns = loop->turns,
        .pause_us = loop->pauses.pauses_us,
        .pause_longest_us = 1000 * loop->pauses.longest_ever_ms,
        .step_us = loop->step_us,
        .apply_us = loop->apply_us,
        .snapshot_us = loop->snapshot_us,
        .snapshot_longest_us = loop->snapshot_longest_us,
        .log_dropped = loop->options.log->dropped,
        .log_backlog = {"log_backlog", loop->options.log->backlog_bytes, LOG_BACKLOG_BYTES_MAX},
        .disk_free_bytes = loop->options.disk->free_bytes,
        .ballast_bytes = loop->options.disk->ballast_bytes,
        .writes_held = loop->queue.held,
        .store_spoiled = loop->spoiled,
        .store_waiting = {"store_waiting", loop->queue.waiting_bytes, STORE_QUEUE_WAITING_BYTES_MAX},
    };
}

static void copy_net(struct loop *loop, struct admin_net_figures *out) {
    struct transport_counts net = transport_counts(loop->options.transport);
    struct transport_lanes lanes[NODE_PEERS_MAX];
    *out = (struct admin_net_figures){.client_in = net.client_in,
                                      .client_out = net.client_out,
                                      .client_gone = net.client_gone,
                                      .client_refused = net.client_refused,
                                      .peer_in = net.peer_in,
                                      .peer_out = net.peer_out,
                                      .peer_dropped = net.peer_dropped,
                                      .peer_refused = net.peer_refused,
                                      .peer_malformed = loop->malformed,
                                      .lane_count = transport_lanes(loop->options.transport, lanes),
                                      .queue_messages_max = loop->options.queue_messages_max};
    for (size_t i = 0; i < out->lane_count; i++) {
        out->lanes[i].node = lanes[i].node_id;
        memcpy(out->lanes[i].sent, lanes[i].sent, sizeof lanes[i].sent);
        memcpy(out->lanes[i].dropped, lanes[i].dropped, sizeof lanes[i].dropped);
        memcpy(out->lanes[i].ready, lanes[i].ready, sizeof lanes[i].ready);
    }
}

void loop_answer_admin(struct loop *loop) {
    struct admin_link *admin = loop->options.admin;
    if (!admin)
        return;
    atomic_store_explicit(&admin->turned_ms, loop->now_ms, memory_order_relaxed);
    struct admin_snapshot *snapshot = lf_ring_pop(admin->questions);
    if (!snapshot)
        return;
    uint64_t began_us = clock_now_us();
    snapshot->now_ms = loop->now_ms;
    snapshot->status = node_view_fill(loop->options.node, &snapshot->node);
    log_store_stats(loop->options.store, &snapshot->store);
    copy_net(loop, &snapshot->net);
    copy_loop(loop, &snapshot->loop);
    loop->snapshot_us = clock_now_us() - began_us;
    if (loop->snapshot_us > loop->snapshot_longest_us)
        loop->snapshot_longest_us = loop->snapshot_us;
    bool pushed = lf_ring_push(admin->answers, snapshot);
    lf_check(pushed); /* one is under way at most */
}
