/** Room on the disk: what this node takes while there is little, and what it knows of the others.
 *
 *  Enough, soft, hard: rising steps, each given up only when a quarter more than its limit is free, so that a node at a
 *  limit does not swing.
 *   soft  publishes are refused, and leadership goes to nodes with enough room
 *   hard  moreover no batches are taken as follower: what is written is small (terms, votes, members, commands)
 *
 *  Every envelope says its sender's step. So a leader does not send batches to a node that takes none, and refuses
 *  publishes that a majority could not take: they would hang in the log without ever being committed. */
#include "node_internal.h"

#include "lf_entry.h"

#include <stdio.h>

static const char *const names[] = {"enough", "soft", "hard"};

const char *node_space_name(enum node_space_level level) { return names[level]; }

static bool is_below(const struct node *node, enum node_space_level level, uint64_t limit) {
    uint64_t bytes = node->space_level >= level ? limit + limit / 4 : limit;
    return node->space.room_bytes < bytes;
}

static enum node_space_level judge(const struct node *node) {
    if (is_below(node, NODE_SPACE_HARD, node->space.hard_bytes))
        return NODE_SPACE_HARD;
    return is_below(node, NODE_SPACE_SOFT, node->space.soft_bytes) ? NODE_SPACE_SOFT : NODE_SPACE_ENOUGH;
}

static void say(struct node *node) {
    static const char *const words[] = {"service goes on", "publishes are refused, leadership moves away",
                                        "no batches are taken"};
    node_tracef(node, "disk room %s: %llu bytes (soft limit %llu, hard %llu): %s", names[node->space_level],
                (unsigned long long)node->space.room_bytes, (unsigned long long)node->space.soft_bytes,
                (unsigned long long)node->space.hard_bytes, words[node->space_level]);
}

void space_on_event(struct node *node, const struct node_space *space) {
    node->space = *space;
    enum node_space_level level = judge(node);
    if (level == node->space_level)
        return;
    node->space_level = level;
    say(node);
    reconcile_nodes(node); /* who is preferred as leader */
    node->lead_away_ms = node->now_ms;
    node_wake_by(node, node->now_ms);
}

void space_on_peer(struct node *node, struct peer *peer, uint32_t said) {
    enum node_space_level level = said > NODE_SPACE_HARD ? NODE_SPACE_HARD : (enum node_space_level)said;
    if (level == peer->space_level)
        return;
    peer->space_level = level;
    node_tracef(node, "peer=%llu disk room %s", (unsigned long long)peer->address.node_id, names[level]);
    reconcile_nodes(node);
}

enum node_space_level space_of(const struct node *node, uint64_t node_id) {
    if (node_id == node->id)
        return node->space_level;
    for (size_t i = 0; i < node->peer_count; i++)
        if (node->peers[i].address.node_id == node_id)
            return node->peers[i].space_level;
    return NODE_SPACE_ENOUGH;
}

static bool majority_takes(const struct node *node, const struct group *group, const uint64_t *voters, uint32_t count) {
    uint32_t take = 0;
    for (uint32_t i = 0; i < count; i++)
        take += space_of(node, group_member_node(node, group, voters[i])) != NODE_SPACE_HARD;
    return count == 0 || take > count / 2;
}

static bool anybody_is_full(const struct node *node) {
    bool full = node->space_level == NODE_SPACE_HARD;
    for (size_t i = 0; i < node->peer_count && !full; i++)
        full = node->peers[i].space_level == NODE_SPACE_HARD;
    return full;
}

bool space_words(const struct node *node, char words[LF_ERROR_TEXT_BYTES]) {
    if (node->space_level == NODE_SPACE_ENOUGH)
        return false;
    snprintf(words, LF_ERROR_TEXT_BYTES, "node %llu has %llu MiB left on its disk (soft limit %llu MiB, hard %llu): %s",
             (unsigned long long)node->id, (unsigned long long)node->space.room_bytes >> 20,
             (unsigned long long)node->space.soft_bytes >> 20, (unsigned long long)node->space.hard_bytes >> 20,
             node->space_level == NODE_SPACE_SOFT ? "it takes no publishes" : "it takes no batches, and falls behind");
    return true;
}

bool space_refuses(const struct node *node, const struct group *group, struct lf_error *error) {
    if (node->space_level != NODE_SPACE_ENOUGH) {
        lf_error_set(error, LF_NO_SPACE,
                     "node %llu has %llu MiB left on its disk and takes publishes again above %llu: free some, or "
                     "add disk; service resumes by itself",
                     (unsigned long long)node->id, (unsigned long long)node->space.room_bytes >> 20,
                     (unsigned long long)(node->space.soft_bytes + node->space.soft_bytes / 4) >> 20);
        return true;
    }
    const struct raft_configuration *now = raft_configuration(group->raft);
    if (!anybody_is_full(node) || (majority_takes(node, group, now->voters, now->voter_count) &&
                                   majority_takes(node, group, now->outgoing, now->outgoing_count)))
        return false;
    lf_error_set(error, LF_NO_SPACE,
                 "the disks of most replicas of this partition are full: see `logflume cluster check`");
    return true;
}

/** Small, and the way out of a full disk leads over them. */
static bool is_small(const struct lf_buf *entry) {
    uint8_t type = entry->data[5];
    return type != LF_ENTRY_BATCH && type != LF_ENTRY_PRODUCER;
}

bool space_holds_back(const struct node *node, const struct group *group, const struct raft_message *message) {
    if (space_of(node, group_member_node(node, group, message->to)) != NODE_SPACE_HARD)
        return false;
    const struct lf_buf *first = tail_get(&group->tail, message->append_request.prev_index + 1);
    return !first || !is_small(first);
}

bool space_takes(struct node *node, struct peer_message *message) {
    uint32_t *count = &message->raft.append_request.count, take = 0;
    if (node->space_level != NODE_SPACE_HARD || *count == 0)
        return true;
    while (take < *count && is_small(message->entries[take]))
        take++;
    for (uint32_t i = take; i < *count; i++)
        lf_buf_unref(&message->entries[i]);
    node->counts.peer_dropped_space += take < *count;
    *count = take; /* as if no more had been sent; an append of nothing would be answered, and sent again at once */
    return take > 0;
}
