/** The other nodes: whether they are heard, what goes to them, and the lanes it goes by. */
#include "metrics.h"
#include "metrics_text.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const lane_names[PEER_LANE_COUNT] = {"control", "data", "bulk"};
_Static_assert(PEER_LANE_CONTROL == 1 && PEER_LANE_COUNT == 3, "lanes are named in their order");

/** Over all groups this node leads. */
struct totals {
    uint64_t inflight, inflight_bytes, unacknowledged;
};

static struct totals totals_of(const struct node_view *view, uint64_t node) {
    struct totals totals = {0};
    for (size_t i = 0; i < view->replica_count; i++) {
        const struct node_replica_view *replica = &view->replicas[i];
        if (replica->node != node)
            continue;
        totals.inflight += replica->inflight;
        totals.inflight_bytes += replica->inflight_bytes;
        totals.unacknowledged += replica->next > replica->match + 1 ? replica->next - 1 - replica->match : 0;
    }
    return totals;
}

enum what { UP, SILENCE, CLOCK, ENTRIES, BYTES, RATE, INFLIGHT, INFLIGHT_BYTES, UNACKNOWLEDGED };

static void write_value(struct text *text, const char *name, const struct metrics_page *page,
                        const struct node_peer_view *peer, enum what what) {
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, peer->node);
    const struct metrics_label *labels = METRICS_LABELS(METRICS_LABEL("peer", number));
    switch (what) {
    case UP:
        metrics_number(text, name, labels, peer->reachable);
        return;
    case SILENCE:
        metrics_seconds(text, name, labels, 1000 * peer->silent_ms);
        return;
    case CLOCK:
        metrics_signed(text, name, labels, peer->clock_offset_ms);
        return;
    case ENTRIES:
        metrics_number(text, name, labels, peer->appended_entries);
        return;
    case BYTES:
        metrics_number(text, name, labels, peer->appended_bytes);
        return;
    case RATE:
        metrics_number(text, name, labels, append_rate_of(page->rate, peer->node));
        return;
    case INFLIGHT:
        metrics_number(text, name, labels, totals_of(&page->snapshot->node, peer->node).inflight);
        return;
    case INFLIGHT_BYTES:
        metrics_number(text, name, labels, totals_of(&page->snapshot->node, peer->node).inflight_bytes);
        return;
    case UNACKNOWLEDGED:
        metrics_number(text, name, labels, totals_of(&page->snapshot->node, peer->node).unacknowledged);
        return;
    }
}

static const struct {
    const char *name, *type, *help;
    enum what what;
} columns[] = {
    {"peer_up", "gauge", "1: heard within the last second.", UP},
    {"peer_silence_seconds", "gauge", "Since it was last heard; since the start if never.", SILENCE},
    {"peer_clock_offset_milliseconds", "gauge", "Its wall clock minus ours when last heard.", CLOCK},
    {"peer_append_entries_total", "counter", "Entries sent to it, repeats included.", ENTRIES},
    {"peer_append_bytes_total", "counter", "Bytes of these: replication.", BYTES},
    {"peer_append_bytes_per_second", "gauge", "Replication rate between this page and the one before.", RATE},
    {"peer_inflight_messages", "gauge", "Appends it did not answer yet, over all groups led here.", INFLIGHT},
    {"peer_inflight_bytes", "gauge", "Bytes of these: what the lane for data holds, here, there and between.",
     INFLIGHT_BYTES},
    {"peer_unacknowledged_entries", "gauge", "Entries sent and not acknowledged, over all groups led here.",
     UNACKNOWLEDGED},
};

static void write_lane(struct text *text, const char *name, const struct admin_lanes *lanes, size_t lane,
                       uint64_t value) {
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, lanes->node);
    metrics_number(text, name, METRICS_LABELS(METRICS_LABEL("peer", number), METRICS_LABEL("lane", lane_names[lane])),
                   value);
}

static void write_lanes(struct text *text, const struct admin_net_figures *net) {
    metrics_head(text, "lane_messages_total", "counter", "Messages handed to a peer's connection.");
    for (size_t i = 0; i < net->lane_count; i++)
        for (size_t lane = 0; lane < PEER_LANE_COUNT; lane++)
            write_lane(text, "lane_messages_total", &net->lanes[i], lane, net->lanes[i].sent[lane]);
    metrics_head(text, "lane_dropped_total", "counter", "Messages dropped: not connected, or its queue was full.");
    for (size_t i = 0; i < net->lane_count; i++)
        for (size_t lane = 0; lane < PEER_LANE_COUNT; lane++)
            write_lane(text, "lane_dropped_total", &net->lanes[i], lane, net->lanes[i].dropped[lane]);
    metrics_head(text, "lane_ready", "gauge", "1: connected, and its queue has room.");
    for (size_t i = 0; i < net->lane_count; i++)
        for (size_t lane = 0; lane < PEER_LANE_COUNT; lane++)
            write_lane(text, "lane_ready", &net->lanes[i], lane, net->lanes[i].ready[lane]);
    metrics_gauge(text, "lane_queue_messages_limit", "Bound of each lane's queue.", net->queue_messages_max);
}

void metrics_write_peers(struct text *text, const struct metrics_page *page) {
    const struct admin_snapshot *snapshot = page->snapshot;
    metrics_counter(text, "peer_messages_received_total", "Messages from other nodes.", snapshot->net.peer_in);
    metrics_counter(text, "peer_messages_sent_total", "Messages to other nodes.", snapshot->net.peer_out);
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
        metrics_head(text, columns[c].name, columns[c].type, columns[c].help);
        for (size_t i = 0; i < snapshot->node.peer_count; i++)
            write_value(text, columns[c].name, page, &snapshot->node.peers[i], columns[c].what);
    }
    write_lanes(text, &snapshot->net);
}
