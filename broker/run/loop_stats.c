#include "loop_internal.h"

#include <inttypes.h>

void loop_log_stats(struct loop *loop) {
    if (loop->now_ms < loop->stats_due_ms)
        return;
    loop->stats_due_ms = loop->now_ms + loop->options.stats_interval_ms;
    struct node_counts node = node_counts(loop->options.node);
    struct transport_counts net = transport_counts(loop->options.transport);
    char store[256] = "";
    if (loop->options.describe_store)
        loop->options.describe_store(loop->options.store, store, sizeof store);
    log_line(loop->options.log, LOG_INFO,
             "stats pause_max_ms=%" PRIu64 " turns=%" PRIu64 " led=%" PRIu64 " groups=%" PRIu64
             " elections_won=%" PRIu64 " leader_losses=%" PRIu64 " sessions=%" PRIu64 " subscriptions=%" PRIu64
             " publishes=%" PRIu64 " duplicates=%" PRIu64 " refused=%" PRIu64 " client_in=%" PRIu64
             " client_out=%" PRIu64 " client_gone=%" PRIu64 " client_refused=%" PRIu64 " peer_in=%" PRIu64
             " peer_out=%" PRIu64 " peer_dropped=%" PRIu64 " peer_malformed=%" PRIu64 " store_waiting_bytes=%zu%s",
             pause_meter_take_longest(&loop->pauses), loop->turns, node.groups_led, node.groups_running,
             node.elections_won, node.leader_losses, node.sessions, node.subscriptions, node.publishes, node.duplicates,
             node.refused, net.client_in, net.client_out, net.client_gone, net.client_refused, net.peer_in,
             net.peer_out, net.peer_dropped, loop->malformed + net.peer_refused, loop->queue.waiting_bytes, store);
}
