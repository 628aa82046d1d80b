/** The other nodes: who they are, whether an envelope may be believed, and what goes out to them.
 *
 *  Peers are the configured nodes until group 0 is known, then those that group 0 names; besides them nodes that a
 *  newer membership named (a node that was away finds its cluster by them), and strangers who are only told that they
 *  are such. An envelope counts only when it is from a peer of this cluster that is no stranger, from its pinned store,
 *  written by its present process to our present process. Processes learn each other's incarnation by greetings
 *  (envelopes without messages), so that nothing written before a restart is ever taken after it. */
#include "images.h"

#include <stdlib.h>

#define SUPERSEDED_MS 3000

struct peer *node_peer(struct node *node, uint64_t node_id) {
    for (size_t i = 0; i < node->peer_count; i++)
        if (node->peers[i].address.node_id == node_id)
            return &node->peers[i];
    return NULL;
}

static struct peer_envelope *new_envelope(struct node *node, const struct peer *peer, enum peer_lane lane) {
    struct peer_envelope *envelope = peer_envelope_new();
    lf_check(envelope != NULL);
    envelope->protocol_version = NODE_PROTOCOL_VERSION_MAX;
    memcpy(envelope->cluster_id, node->cluster_id, LOG_STORE_ID_BYTES);
    memcpy(envelope->founding_hash, node->identity.founding_hash, LOG_STORE_ID_BYTES);
    memcpy(envelope->store_uuid, node->identity.store_uuid, LOG_STORE_ID_BYTES);
    envelope->from_node = node->id;
    envelope->to_node = peer->address.node_id;
    envelope->from_incarnation = node->incarnation;
    envelope->to_incarnation = peer->incarnation;
    envelope->wall_clock_ms = node->wall_ms;
    envelope->space_level = (uint32_t)node->space_level;
    envelope->lane = lane;
    return envelope;
}

static void fill_greeting(const struct node *node, struct peer_greeting *greeting) {
    memcpy(greeting->cluster_name, node->cluster_name, strlen(node->cluster_name) + 1);
    for (size_t i = 0; i < node->founding_count; i++) {
        const struct node_address *address = &node->founding[i];
        if (address->node_id != node->id)
            continue;
        greeting->self.client_port = address->client_port;
        greeting->self.peer_port = address->peer_port;
        memcpy(greeting->self.host, address->host, sizeof greeting->self.host);
    }
    greeting->self.node_id = node->id;
    greeting->metadata_index = cluster_applied(node);
    greeting->joining = node->joining;
    greeting->replaces = node->joining && node->replaces;
}

void peers_send_greeting(struct node *node, struct peer *peer, struct peer_greeting *answer, uint64_t to_incarnation) {
    struct peer_envelope *envelope = new_envelope(node, peer, PEER_LANE_CONTROL);
    envelope->greeting = answer ? answer : node_alloc(1, sizeof *answer);
    if (answer)
        envelope->to_incarnation = to_incarnation;
    fill_greeting(node, envelope->greeting);
    node_add_envelope(node, envelope);
}

static void greet(struct node *node, struct peer *peer) {
    peer->greeted_ms = peer->sent_ms = node->now_ms;
    peers_send_greeting(node, peer, NULL, 0);
}

void peers_greet(struct node *node) {
    for (size_t i = 0; i < node->peer_count; i++) {
        struct peer *peer = &node->peers[i];
        if (peer->guest)
            continue;
        bool silent = node->now_ms - peer->heard_ms > NODE_PEER_ALIVE_MS;
        bool looked_for = peer->incarnation == 0 || silent || node->joining;
        bool quiet = node->now_ms - peer->sent_ms >= NODE_PEER_QUIET_MS; /* followers have nothing else to say */
        if ((looked_for || quiet) && node->now_ms - peer->greeted_ms >= NODE_GREETING_MS)
            greet(node, peer);
        if (looked_for)
            node_wake_by(node, peer->greeted_ms + NODE_GREETING_MS);
        node_wake_by(node, peer->sent_ms + NODE_PEER_QUIET_MS);
    }
}

static bool is_zero(const uint8_t id[LOG_STORE_ID_BYTES]) {
    static const uint8_t zero[LOG_STORE_ID_BYTES];
    return memcmp(id, zero, LOG_STORE_ID_BYTES) == 0;
}

/** Same cluster: equal ids; or, while one side has not learned the id, equal founding hashes. */
static bool same_cluster(const struct node *node, const struct peer_envelope *envelope) {
    if (node->cluster_known && !is_zero(envelope->cluster_id))
        return memcmp(node->cluster_id, envelope->cluster_id, LOG_STORE_ID_BYTES) == 0;
    return !is_zero(envelope->founding_hash) &&
           memcmp(node->identity.founding_hash, envelope->founding_hash, LOG_STORE_ID_BYTES) == 0;
}

/** A machine that replaces another may have an older clock, and so lower incarnations. */
static void look_at_store(struct peer *peer, const struct peer_envelope *envelope) {
    if (memcmp(peer->incarnation_store, envelope->store_uuid, LOG_STORE_ID_BYTES) == 0)
        return;
    memcpy(peer->incarnation_store, envelope->store_uuid, LOG_STORE_ID_BYTES);
    peer->incarnation = 0;
}

/** A copy of the data directory runs too, and is the later one: this process is not heard any more. A single peer may
 * be thinking of a former store of this node, so it counts only when nobody speaks to this process for a while. */
static void on_superseded(struct node *node, uint64_t incarnation) {
    node->superseded_ms = node->superseded_ms ? node->superseded_ms : node->now_ms;
    if (node->now_ms - node->superseded_ms >= SUPERSEDED_MS && !node->joining)
        node_fail(
            node, LF_WRONG_STORE,
            "another process was started later on this node's store (incarnation %llu, this one is %llu): is it a "
            "copy of the data directory? Only one may run; stop the other, then start this one",
            (unsigned long long)incarnation, (unsigned long long)node->incarnation);
}

/** LF_OK: its messages count. Learns the sender's incarnation on the way. */
static bool believe(struct node *node, struct peer *peer, const struct peer_envelope *envelope) {
    if (envelope->protocol_version < NODE_PROTOCOL_VERSION_MIN ||
        envelope->protocol_version > NODE_PROTOCOL_VERSION_MAX || !same_cluster(node, envelope)) {
        node->counts.peer_dropped_cluster++;
        return false;
    }
    if (!join_store_counts(node, envelope)) { /* its greetings are answered in words */
        node->counts.peer_dropped_store++;
        return false;
    }
    look_at_store(peer, envelope);
    if (envelope->from_incarnation == 0 || envelope->from_incarnation < peer->incarnation) {
        node->counts.peer_dropped_incarnation++;
        return false;
    }
    if (envelope->from_incarnation > peer->incarnation) {
        node_tracef(node, "peer=%llu incarnation=%llu", (unsigned long long)peer->address.node_id,
                    (unsigned long long)envelope->from_incarnation);
        peer->incarnation = envelope->from_incarnation;
        greet(node, peer); /* so that it learns ours */
    }
    if (envelope->to_incarnation != node->incarnation) {
        if (envelope->to_incarnation > node->incarnation)
            on_superseded(node, envelope->to_incarnation);
        if (envelope->message_count > 0)
            node->counts.peer_dropped_incarnation++;
        if (node->now_ms - peer->greeted_ms >= NODE_GREETING_MS)
            greet(node, peer);
        /* A greeting to whom it does not know yet is a sign of life all the same. */
        return envelope->to_incarnation == 0 && envelope->message_count == 0 && envelope->report_count == 0;
    }
    if (!envelope->greeting || envelope->greeting->member_count == 0) /* such an answer anybody gets who greets */
        node->superseded_ms = 0;
    return true;
}

/** A stranger with our cluster's id may be a member that we have not heard of: peers may know more. */
static void on_stranger(struct node *node, const struct peer_envelope *envelope) {
    node->counts.peer_dropped_stranger++;
    if (!node->cluster_known || memcmp(node->cluster_id, envelope->cluster_id, LOG_STORE_ID_BYTES) != 0 ||
        node->now_ms - node->asked_members_ms < NODE_ASK_MEMBERS_MS)
        return;
    node->asked_members_ms = node->now_ms;
    for (size_t i = 0; i < node->peer_count; i++)
        if (!node->peers[i].guest)
            greet(node, &node->peers[i]);
}

void peers_on_envelope(struct node *node, struct peer_envelope *envelope) {
    if (envelope->to_node != node->id) {
        node->counts.peer_dropped_cluster++;
        return;
    }
    if (envelope->greeting && join_on_greeting(node, envelope))
        return;
    struct peer *peer = node_peer(node, envelope->from_node);
    if (!peer || peer->guest) {
        on_stranger(node, envelope);
        return;
    }
    if (!believe(node, peer, envelope))
        return;
    peer->heard_ms = node->now_ms;
    peer->clock_offset_ms = envelope->wall_clock_ms - node->wall_ms;
    space_on_peer(node, peer, envelope->space_level);
    memcpy(peer->store_uuid, envelope->store_uuid, LOG_STORE_ID_BYTES);
    const struct metadata_node *known = metadata_node(node->metadata, envelope->from_node);
    peer->store_seen |= !known || !known->joining; /* that of one which joins is seen in join.c only */
    reports_on_envelope(node, envelope);
    for (size_t i = 0; i < envelope->message_count; i++) {
        struct peer_message *message = &envelope->messages[i];
        struct group *group = node_group(node, message->group);
        if (!group || message->raft.to != group->self ||
            group_member_node(node, group, message->raft.from) != envelope->from_node) {
            node->counts.peer_dropped_group++;
            continue;
        }
        if (message->image)
            images_on_message(node, group, message);
        else
            group_on_message(node, group, message);
    }
}

/** Large ones travel alone. */
static void send_image(struct node *node, struct peer *peer, struct peer_message *message) {
    struct peer_envelope *envelope = new_envelope(node, peer, PEER_LANE_BULK);
    lf_check(peer_envelope_add(envelope, message) == LF_OK);
    peer->envelopes[PEER_LANE_BULK - 1]++;
    peer->sent_ms = node->now_ms;
    node_add_envelope(node, envelope);
}

void peers_send(struct node *node, const struct group *group, struct peer_message *message) {
    struct peer *peer = node_peer(node, group_member_node(node, group, message->raft.to));
    if (message->image) {
        if (peer && peer->incarnation != 0)
            send_image(node, peer, message);
        else
            peer_message_deinit(message);
        return;
    }
    enum peer_lane lane = message->raft.type == RAFT_APPEND_REQUEST && message->raft.append_request.count > 0
                              ? PEER_LANE_DATA
                              : PEER_LANE_CONTROL;
    /* One lane per group for everything the log is made of, so that a probe does not overtake entries. */
    if (message->raft.type == RAFT_APPEND_REQUEST)
        lane = PEER_LANE_DATA;
    if (peer && peer->incarnation != 0) {
        for (uint32_t i = 0; message->entries && i < message->raft.append_request.count; i++)
            peer->appended_bytes += message->entries[i]->size;
        peer->appended_entries += message->entries ? message->raft.append_request.count : 0;
        struct peer_envelope **out = &peer->out[lane - 1];
        if (!*out)
            *out = new_envelope(node, peer, lane);
        if (peer_envelope_add(*out, message) == LF_OK)
            return;
        node_add_envelope(node, *out); /* full: go on in another */
        *out = new_envelope(node, peer, lane);
        if (peer_envelope_add(*out, message) == LF_OK)
            return;
    }
    peer_message_deinit(message);
}

void peers_send_report(struct node *node, uint64_t to_node, const struct peer_report *report) {
    struct peer *peer = to_node ? node_peer(node, to_node) : NULL;
    if (!peer || peer->guest || peer->incarnation == 0)
        return;
    struct peer_envelope **out = &peer->out[PEER_LANE_CONTROL - 1];
    if (!*out)
        *out = new_envelope(node, peer, PEER_LANE_CONTROL);
    (void)peer_envelope_add_report(*out, report); /* full: it is said again */
}

void peers_flush(struct node *node) {
    for (size_t i = 0; i < node->peer_count; i++)
        for (int lane = 0; lane < PEER_LANE_COUNT; lane++) {
            struct peer_envelope *envelope = node->peers[i].out[lane];
            node->peers[i].out[lane] = NULL;
            if (!envelope)
                continue;
            node->peers[i].envelopes[lane]++;
            node->peers[i].sent_ms = node->now_ms;
            node_add_envelope(node, envelope);
        }
}

int64_t peers_median_clock(const struct node *node) {
    int64_t offsets[NODE_PEERS_MAX + 1] = {0};
    size_t count = 1; /* our own: 0 */
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct peer *peer = &node->peers[i];
        if (peer->guest || peer->heard_ms == 0 || node->now_ms - peer->heard_ms > NODE_PEER_ALIVE_MS)
            continue;
        size_t at = count++;
        for (; at > 0 && offsets[at - 1] > peer->clock_offset_ms; at--)
            offsets[at] = offsets[at - 1];
        offsets[at] = peer->clock_offset_ms;
    }
    return node->wall_ms + offsets[(count - 1) / 2];
}
