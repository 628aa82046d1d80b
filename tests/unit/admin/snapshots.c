#include "snapshots.h"

#include "lf_check.h"

#include <stdlib.h>
#include <string.h>

static void add_replicas(struct node_view *view, struct node_group_view *group) {
    group->first_replica = view->replica_count;
    group->replica_count = 2;
    for (size_t i = 0; i < 2; i++)
        view->replicas[view->replica_count++] = (struct node_replica_view){.node = 1 + 2 * i,
                                                                           .replica = 10 * group->group + i,
                                                                           .match = 90,
                                                                           .next = 101 - 5 * i,
                                                                           .inflight = (uint32_t)i,
                                                                           .inflight_bytes = 500 * i,
                                                                           .voter = i == 0,
                                                                           .replicating = i == 0,
                                                                           .active = true};
}

static void set_group(struct node_view *view, size_t at) {
    struct node_group_view *group = &view->groups[at];
    bool leads = at % 2 == 0;
    *group = (struct node_group_view){.group = at,
                                      .state = NODE_GROUP_RUNNING,
                                      .partition = at > 0 ? (uint32_t)at - 1 : 0,
                                      .replica = 100 + at,
                                      .leader_node = leads ? 2 : 1,
                                      .role = leads ? RAFT_LEADER : RAFT_FOLLOWER,
                                      .term = 7 + at,
                                      .voters = 3,
                                      .learners = 1,
                                      .votes = true,
                                      .last_index = 100,
                                      .durable_index = 99,
                                      .commit = 98,
                                      .applied = 97,
                                      .high_watermark = at > 0 ? 50 : 0,
                                      .log_end = at > 0 ? 60 : 0,
                                      .segments = at > 0 ? 3 : 0,
                                      .bytes = at > 0 ? 4096 : 0,
                                      .tail_bytes = 10,
                                      .appended_bytes = 1000 * at};
    if (at > 0)
        strcpy(group->topic, "t");
    if (leads)
        add_replicas(view, group);
}

struct admin_snapshot *snapshot_of(size_t groups) {
    struct admin_snapshot *snapshot = admin_snapshot_new();
    lf_check(snapshot != NULL);
    struct node_view *view = &snapshot->node;
    snapshot->now_ms = 5000;
    view->node_id = 2;
    view->incarnation = 77;
    strcpy(view->cluster_name, "c");
    memset(view->cluster_id, 0xab, sizeof view->cluster_id);
    view->cluster_known = view->metadata_ready = true;
    view->groups = calloc(groups + 1, sizeof *view->groups);
    view->replicas = calloc(2 * groups + 2, sizeof *view->replicas);
    view->peers = calloc(2, sizeof *view->peers);
    lf_check(view->groups && view->replicas && view->peers);
    view->group_count = view->group_capacity = groups;
    for (size_t i = 0; i < groups; i++)
        set_group(view, i);
    view->peer_count = 2;
    for (size_t i = 0; i < 2; i++)
        view->peers[i] =
            (struct node_peer_view){.node = 1 + 2 * i, .incarnation = 5, .reachable = i == 0, .silent_ms = 40};
    view->items[view->item_count++] = (struct node_queue_view){"sessions", 3, 1000};
    view->bytes[view->byte_count++] = (struct node_queue_view){"uncommitted", 4096, 65536};
    snapshot->loop.log_backlog = (struct node_queue_view){"log_backlog", 0, 1};
    snapshot->loop.store_waiting = (struct node_queue_view){"store_waiting", 0, 1};
    snapshot->net.lane_count = 2;
    snapshot->net.lanes[0].node = 1;
    snapshot->net.lanes[1].node = 3;
    return snapshot;
}

const char *text_of(const struct text *text) {
    static char *copy;
    free(copy);
    copy = malloc(text->size + 1);
    lf_check(copy != NULL);
    if (text->size > 0)
        memcpy(copy, text->data, text->size);
    copy[text->size] = '\0';
    return copy;
}
