#include "status.h"

#include "ready.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

/* jansson's setters that take a reference also drop it on failure and take NULL for a failure, so a page without memory
 * comes out as NULL or with less in it; json_dump_callback then says so, or the caller sees the missing member. */

static json_t *number(uint64_t value) { return json_integer((json_int_t)value); }

static void put_hex(char *out, const uint8_t id[LOG_STORE_ID_BYTES]) {
    for (size_t i = 0; i < LOG_STORE_ID_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", id[i]);
}

static json_t *node_of(const struct node_view *view, const char *version) {
    struct text words = {0};
    bool ready = ready_judge(view, &words);
    text_deinit(&words);
    return json_pack("{s:o, s:o, s:s, s:b, s:b, s:o, s:o, s:o}", "id", number(view->node_id), "incarnation",
                     number(view->incarnation), "version", version, "ready", ready, "stopping", view->stopping,
                     "groups", number(view->counts.groups_running), "groups_led", number(view->counts.groups_led),
                     "sessions", number(view->counts.sessions));
}

static json_t *disk_of(const struct admin_snapshot *snapshot) {
    const struct node_view *view = &snapshot->node;
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:b}", "level", node_space_name(view->space_level), "room_bytes",
                     number(view->space.room_bytes), "soft_limit_bytes", number(view->space.soft_bytes),
                     "hard_limit_bytes", number(view->space.hard_bytes), "ballast_bytes",
                     number(snapshot->loop.ballast_bytes), "writes_held", snapshot->loop.writes_held, "store_read_only",
                     snapshot->loop.store_spoiled);
}

static json_t *cluster_of(const struct node_view *view) {
    char id[2 * LOG_STORE_ID_BYTES + 1];
    put_hex(id, view->cluster_id);
    return json_pack("{s:s, s:o}", "name", view->cluster_name, "id",
                     view->cluster_known ? json_string(id) : json_null());
}

static const char *replica_state(const struct node_replica_view *replica) {
    return replica->damaged       ? "damaged"
           : !replica->active     ? "silent"
           : replica->needs_image ? "filled by an image"
           : replica->replicating ? "replicating"
                                  : "probing";
}

static json_t *replicas_of(const struct node_view *view, const struct node_group_view *group) {
    json_t *list = json_array();
    for (size_t i = 0; i < group->replica_count; i++) {
        const struct node_replica_view *replica = &view->replicas[group->first_replica + i];
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:b, s:s, s:o, s:o, s:o, s:o}", "node", number(replica->node),
                                        "replica", number(replica->replica), "voter", replica->voter, "state",
                                        replica_state(replica), "match_index", number(replica->match), "next_index",
                                        number(replica->next), "inflight_messages", number(replica->inflight),
                                        "inflight_bytes", number(replica->inflight_bytes)));
    }
    return list;
}

static json_t *group_of(const struct node_view *view, const struct node_group_view *group) {
    json_t *out = json_pack(
        "{s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "group", number(group->group), "state",
        node_group_state_name(group->state), "role", raft_role_name(group->role), "term", number(group->term), "leader",
        group->leader_node ? number(group->leader_node) : json_null(), "replica", number(group->replica), "last_index",
        number(group->last_index), "durable_index", number(group->durable_index), "commit_index", number(group->commit),
        "applied_index", number(group->applied));
    const char *why = ready_why_not(group);
    if (why)
        json_object_set_new(out, "why_not_ready", json_string(why));
    if (group->group != 0) {
        json_object_set_new(out, "topic", group->topic[0] ? json_string(group->topic) : json_null());
        json_object_set_new(out, "partition", number(group->partition));
        json_object_set_new(out, "log_start_offset", json_integer(group->log_start));
        json_object_set_new(out, "high_watermark", json_integer(group->high_watermark));
        json_object_set_new(out, "log_end_offset", json_integer(group->log_end));
        json_object_set_new(out, "segments", number(group->segments));
        json_object_set_new(out, "bytes", number(group->bytes));
        json_object_set_new(out, "unsealed_bytes", number(group->unsealed_bytes));
    }
    json_object_set_new(out, "configuration",
                        json_pack("{s:o, s:o, s:o, s:b, s:b}", "epoch", number(group->epoch), "voters",
                                  number(group->voters), "learners", number(group->learners), "joint", group->joint,
                                  "votes", group->votes));
    if (group->replica_count > 0)
        json_object_set_new(out, "replicas", replicas_of(view, group));
    return out;
}

static json_t *groups_of(const struct node_view *view) {
    json_t *list = json_array();
    for (size_t i = 0; i < view->group_count; i++)
        json_array_append_new(list, group_of(view, &view->groups[i]));
    return list;
}

static json_t *peers_of(const struct node_view *view) {
    json_t *list = json_array();
    for (size_t i = 0; i < view->peer_count; i++) {
        const struct node_peer_view *peer = &view->peers[i];
        json_array_append_new(
            list,
            json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:s}", "node", number(peer->node), "reachable", peer->reachable,
                      "incarnation", peer->incarnation ? number(peer->incarnation) : json_null(), "silent_ms",
                      number(peer->silent_ms), "clock_offset_ms", json_integer(peer->clock_offset_ms), "appended_bytes",
                      number(peer->appended_bytes), "disk_level", node_space_name(peer->space_level)));
    }
    return list;
}

static void add_queues(json_t *list, const struct node_queue_view *queues, size_t count, const char *unit) {
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o}", "name", queues[i].name, "unit", unit, "used",
                                              number(queues[i].used), "limit", number(queues[i].bound)));
}

static json_t *queues_of(const struct admin_snapshot *snapshot) {
    struct node_queue_view queues[ADMIN_QUEUES_MAX];
    json_t *list = json_array();
    add_queues(list, queues, admin_snapshot_items(snapshot, queues), "items");
    add_queues(list, queues, admin_snapshot_bytes(snapshot, queues), "bytes");
    return list;
}

static int put(const char *buffer, size_t size, void *data) {
    struct text *text = data;
    text_add(text, buffer, size);
    return text->failed ? -1 : 0;
}

void status_write(struct text *text, const struct admin_snapshot *snapshot, const char *version) {
    const struct node_view *view = &snapshot->node;
    json_t *page = json_object();
    int failed = json_object_set_new(page, "node", node_of(view, version));
    failed |= json_object_set_new(page, "cluster", cluster_of(view));
    failed |= json_object_set_new(page, "disk", disk_of(snapshot));
    failed |= json_object_set_new(page, "peers", peers_of(view));
    failed |= json_object_set_new(page, "queues", queues_of(snapshot));
    failed |= json_object_set_new(page, "groups", groups_of(view));
    if (failed != 0 || json_dump_callback(page, put, text, JSON_INDENT(1)) != 0)
        text->failed = true;
    text_put(text, "\n");
    json_decref(page);
}
