/** Greetings: how nodes that join, nodes that are behind and strangers are met.
 *
 *  Invariants:
 *   J1  a replica of group 0 is made by founding, or by the answer to a process that was started to join
 *   J2  that answer names the replica only once group 0 has pinned the very store that asks: one replica id never lives
 *       in two stores
 *   J3  what a greeting says of other nodes counts only while what is applied here is older; a node that replays group
 *       0's history would else take members with new stores for strangers
 *   J4  a node ends because of what others say only if the controller says it
 *   J5  a founder has a store from the beginning, and may have voted and acknowledged with it before group 0 pinned it:
 *       a process that joins under its name has lost that store, and comes as a replacement or not at all
 *
 *  Joining:
 *   1. the new process greets the nodes of its configuration
 *   2. whoever knows it from group 0 answers with the membership, so that it greets all nodes, also the controller
 *   3. the controller pins its store
 *   4. from then on answers carry its replica id; it makes its replica of group 0, a learner, which is filled
 *
 *  A node that lost its store comes back the same way with a new one, which the controller pins in place of the old
 *  (replacements.c) in step 3. */
#include "node_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "raft_configuration.h"

/** What a node that waits for something says how often. */
#define JOIN_WORDS_MS 10000
/** How long a removed node stays to let group 0 leave it, when it hears no leader. */
#define REMOVED_PATIENCE_MS 30000

static bool is_zero(const uint8_t id[LOG_STORE_ID_BYTES]) {
    static const uint8_t zero[LOG_STORE_ID_BYTES];
    return memcmp(id, zero, LOG_STORE_ID_BYTES) == 0;
}

static bool same_id(const uint8_t *a, const uint8_t *b) { return memcmp(a, b, LOG_STORE_ID_BYTES) == 0; }

bool join_in_group_zero(const struct node *node, uint64_t replica) {
    const struct group *group = node_group(node, NODE_GROUP_METADATA);
    if (!group || group->state != GROUP_RUNNING || replica == 0)
        return false;
    return raft_configuration_has(raft_configuration(group->raft), replica);
}

uint64_t group_member_node(const struct node *node, const struct group *group, uint64_t replica) {
    if (group->id != NODE_GROUP_METADATA)
        return group->assigned ? metadata_node_of_replica(group->assigned, replica) : 0;
    const struct metadata_node *nodes;
    size_t count = metadata_nodes(node->metadata, &nodes);
    for (size_t i = 0; i < count; i++)
        if (nodes[i].replica_id == replica)
            return nodes[i].node_id;
    if (node->founder && count == 0 && replica >= 1 && replica <= node->founding_count)
        return node->founding[replica - 1].node_id;
    for (uint32_t i = 0; node->welcome && i < node->welcome->member_count; i++)
        if (node->welcome->members[i].replica_id == replica)
            return node->welcome->members[i].node_id;
    return 0;
}

bool join_had_store(const struct metadata_node *known, const uint8_t *store_uuid) {
    for (size_t i = 0; i < known->old_store_count; i++)
        if (same_id(known->old_stores[i], store_uuid))
            return true;
    return false;
}

bool join_store_counts(const struct node *node, const struct peer_envelope *envelope) {
    const struct metadata_node *known = metadata_node(node->metadata, envelope->from_node);
    for (uint32_t i = 0; node->welcome && i < node->welcome->member_count; i++) { /* J3 */
        const struct peer_member *member = &node->welcome->members[i];
        if (member->node_id == envelope->from_node)
            return !member->pinned || same_id(member->store_uuid, envelope->store_uuid);
    }
    if (!known)
        return true;    /* it is a peer all the same: group 0 is not founded yet, or we are behind */
    if (known->removed) /* while group 0 still counts on it */
        return join_had_store(known, envelope->store_uuid) && join_in_group_zero(node, known->replica_id);
    if (known->pinned)
        return same_id(known->store_uuid, envelope->store_uuid);
    return !join_had_store(known, envelope->store_uuid);
}

/** A store made to found the cluster once more: it must not be taken for that of a node which was added to join, whose
 *  replica it does not have. */
static bool founds_anew(const struct node *node, const struct peer_envelope *envelope) {
    const struct metadata_node *known = metadata_node(node->metadata, envelope->from_node);
    bool joins = envelope->greeting && envelope->greeting->joining;
    return known && known->joining && !joins && is_zero(envelope->cluster_id);
}

/* ---- answering ---- */

static struct peer_greeting *new_answer(struct node *node) {
    struct peer_greeting *answer = node_alloc(1, sizeof *answer);
    answer->from_controller = cluster_leads(node);
    return answer;
}

static void add_member(struct peer_greeting *answer, const struct metadata_node *known) {
    if (known->removed || answer->member_count == PEER_MEMBERS_MAX)
        return;
    struct peer_member *member = &answer->members[answer->member_count++];
    *member = (struct peer_member){.node_id = known->node_id,
                                   .replica_id = known->replica_id,
                                   .client_port = known->client_port,
                                   .peer_port = known->peer_port};
    memcpy(member->host, known->host, sizeof member->host);
    member->pinned = known->pinned;
    memcpy(member->store_uuid, known->store_uuid, LOG_STORE_ID_BYTES);
}

/** Who is who. */
static void add_membership(const struct node *node, const struct group *group, struct peer_greeting *answer) {
    const struct metadata_node *nodes;
    size_t count = metadata_nodes(node->metadata, &nodes);
    for (size_t i = 0; i < count; i++)
        add_member(answer, &nodes[i]);
    const struct raft_configuration *now = raft_configuration(group->raft);
    answer->voter_count = now->voter_count;
    memcpy(answer->voters, now->voters, sizeof answer->voters);
}

/** 2. and 4.: who is who, and who you are. */
void join_answer_membership(struct node *node, struct peer *peer, const struct peer_envelope *envelope) {
    const struct metadata_node *known = metadata_node(node->metadata, envelope->from_node);
    const struct group *group = node_group(node, NODE_GROUP_METADATA);
    if (!group || group->state != GROUP_RUNNING || node->now_ms - peer->answered_ms < NODE_GREETING_MS)
        return;
    peer->answered_ms = node->now_ms;
    struct peer_greeting *answer = new_answer(node);
    add_membership(node, group, answer);
    if (known->pinned && same_id(known->store_uuid, envelope->store_uuid)) /* J2 */
        answer->replica_id = known->replica_id;
    peers_send_greeting(node, peer, answer, envelope->from_incarnation);
}

static void say_refusal(struct node *node, const struct peer_envelope *envelope, enum peer_refusal why) {
    unsigned long long id = envelope->from_node;
    const struct peer_member *self = &envelope->greeting->self;
    if (why == PEER_REFUSAL_NOT_ADDED)
        node_tracef(node, "peer=%llu at %s:%u is not in the cluster: `logflume cluster add %llu` takes it in", id,
                    self->host, self->peer_port, id);
    else if (why == PEER_REFUSAL_REMOVED)
        node_tracef(node, "peer=%llu was removed from the cluster: nothing it says counts", id);
    else if (why == PEER_REFUSAL_OTHER_STORE)
        node_tracef(node,
                    "peer=%llu speaks from another store than the pinned one: nothing it says counts. If its disk was "
                    "lost: start it with --replace-store on an empty directory; else give it its old data directory "
                    "back",
                    id);
    else
        node_tracef(node, "peer=%llu has cluster.name %.64s, not ours", id, envelope->greeting->cluster_name);
}

void join_answer_refusal(struct node *node, struct peer *peer, const struct peer_envelope *envelope,
                         enum peer_refusal why, const char *words) {
    if (why == PEER_REFUSAL_OTHER_STORE || why == PEER_REFUSAL_MAJORITY)
        node->counts.peer_dropped_store++;
    else
        node->counts.peer_dropped_stranger++;
    if (!peer && why != PEER_REFUSAL_OTHER_NAME)
        peer = peers_add_guest(node, &envelope->greeting->self);
    if (!peer)
        return;
    if (peer->refused != why && why != PEER_REFUSAL_MAJORITY)
        say_refusal(node, envelope, why);
    peer->refused = why;
    if (peer->guest)
        peer->heard_ms = node->now_ms;
    if (node->now_ms - peer->answered_ms < NODE_GREETING_MS)
        return;
    peer->answered_ms = node->now_ms;
    struct peer_greeting *answer = new_answer(node);
    answer->refusal = why;
    snprintf(answer->words, sizeof answer->words, "%s", words ? words : "");
    const struct group *group = node_group(node, NODE_GROUP_METADATA);
    if (why == PEER_REFUSAL_OTHER_STORE && group && group->state == GROUP_RUNNING)
        add_membership(node, group, answer); /* it may know everybody but the controller, whose word ends it */
    peers_send_greeting(node, peer, answer, envelope->from_incarnation);
}

/** By what is applied here; the sender may know more than we do, and then we say nothing. */
static enum peer_refusal judge(const struct node *node, const struct peer_envelope *envelope) {
    const struct peer_greeting *greeting = envelope->greeting;
    const struct metadata_node *known = metadata_node(node->metadata, envelope->from_node);
    if (strcmp(greeting->cluster_name, node->cluster_name) != 0)
        return PEER_REFUSAL_OTHER_NAME;
    if (greeting->metadata_index > cluster_applied(node))
        return PEER_REFUSAL_NONE;
    if (!known)
        return PEER_REFUSAL_NOT_ADDED;
    if (founds_anew(node, envelope))
        return PEER_REFUSAL_OTHER_STORE;
    if (replacements_asked(node, envelope))
        return PEER_REFUSAL_NONE;
    if (greeting->joining && !known->pinned && metadata_node_has_store(known)) /* J5 */
        return PEER_REFUSAL_OTHER_STORE;
    if (join_store_counts(node, envelope))
        return PEER_REFUSAL_NONE;
    return known->removed && (greeting->joining || join_had_store(known, envelope->store_uuid))
               ? PEER_REFUSAL_REMOVED
               : PEER_REFUSAL_OTHER_STORE;
}

/* ---- being answered ---- */

static void on_refusal(struct node *node, const struct peer_envelope *envelope) {
    const struct peer_greeting *greeting = envelope->greeting;
    unsigned long long id = node->id;
    bool founds = node->founder && !node->cluster_known;
    if (greeting->refusal == PEER_REFUSAL_OTHER_STORE && greeting->from_controller && founds)
        node_fail(
            node, LF_WRONG_STORE,
            "the cluster exists already, and this new store of node %llu is not of it. On an empty directory start it "
            "with --join if it was added, with --replace-store if its disk was lost",
            id);
    else if (greeting->refusal == PEER_REFUSAL_OTHER_STORE && greeting->from_controller)
        node_fail(
            node, LF_WRONG_STORE,
            "the cluster knows node %llu by another store, or as a founder, which has one. If its disk was lost: start "
            "it with --replace-store on an empty directory; if it never ran: with --bootstrap; else on its old "
            "directory",
            id);
    else if (greeting->refusal == PEER_REFUSAL_REMOVED && greeting->from_controller && !node->joining)
        node_fail(
            node, LF_WRONG_STORE,
            "node %llu was removed from the cluster. To take it in again: `logflume cluster add %llu`, then start "
            "it with --join on an empty directory",
            id, id);
    else if (greeting->refusal == PEER_REFUSAL_OTHER_NAME && node->joining)
        node_fail(node, LF_WRONG_CLUSTER, "node %llu belongs to a cluster with another name than cluster.name: %.64s",
                  (unsigned long long)envelope->from_node, node->cluster_name);
    else if (node->now_ms >= node->join_words_ms) {
        node->join_words_ms = node->now_ms + JOIN_WORDS_MS;
        if (greeting->refusal == PEER_REFUSAL_MAJORITY)
            node_tracef(node, "the cluster does not take this new store in place of the lost one yet: %s",
                        greeting->words);
        else if (greeting->refusal == PEER_REFUSAL_OTHER_STORE)
            node_tracef(node,
                        "node %llu knows node %llu as one that has a store, and this is not it. If its disk was "
                        "lost: start it with --replace-store on an empty directory",
                        (unsigned long long)envelope->from_node, id);
        else
            node_tracef(node, "node %llu does not count this one in: `logflume cluster add %llu` takes it in",
                        (unsigned long long)envelope->from_node, id);
    }
}

/** 4.: J1, J2. */
static void join_with(struct node *node, const struct peer_envelope *envelope) {
    const struct peer_greeting *greeting = envelope->greeting;
    struct raft_configuration initial = {.voter_count = greeting->voter_count};
    memcpy(initial.voters, greeting->voters, sizeof initial.voters);
    if (!raft_configuration_has(&initial, greeting->replica_id))
        initial.learners[initial.learner_count++] = greeting->replica_id;
    struct group *group = node_group(node, NODE_GROUP_METADATA);
    if (group && !group->awaits_members)
        return; /* still being loaded: the next answer will do */
    if (group && group->self != greeting->replica_id) {
        node_fail(node, LF_WRONG_STORE, "the store holds replica %llu of the metadata, the cluster gave this node %llu",
                  (unsigned long long)group->self, (unsigned long long)greeting->replica_id);
        return;
    }
    memcpy(node->cluster_id, envelope->cluster_id, LOG_STORE_ID_BYTES);
    node->cluster_known = true;
    node->joining = false;
    node_tracef(node, "joins the cluster as replica=%llu of its metadata", (unsigned long long)greeting->replica_id);
    if (group) {
        group->initial = initial;
        group_start_loaded(node, group);
        return;
    }
    group = group_create(node, NODE_GROUP_METADATA, greeting->replica_id, &initial);
    cluster_write_id(node, group);
    node->metadata_ready = true;
}

/** J3: where others are. */
static void on_membership(struct node *node, const struct peer_envelope *envelope) {
    const struct peer_greeting *greeting = envelope->greeting;
    if (strcmp(greeting->cluster_name, node->cluster_name) != 0 || is_zero(envelope->cluster_id) ||
        (node->cluster_known && !same_id(node->cluster_id, envelope->cluster_id)) ||
        (!node->cluster_known && !node->joining) || greeting->voter_count == 0)
        return;
    bool newer = greeting->metadata_index > (node->welcome ? node->welcome->metadata_index : cluster_applied(node));
    if (newer) {
        if (!node->welcome)
            node->welcome = node_alloc(1, sizeof *node->welcome);
        *node->welcome = *greeting;
        node->peers_stale = true;
    }
    if (node->joining && greeting->replica_id != 0)
        join_with(node, envelope);
}

/** We know that the cluster took us in, by more of its metadata than the sender had: a controller that was paused, and
 *  leads no more, still answers the greetings from before that. */
static bool is_old_news(const struct node *node, const struct peer_greeting *greeting) {
    if (node->joining || !node->cluster_known)
        return false;
    uint64_t known = cluster_applied(node);
    if (node->welcome && node->welcome->metadata_index > known)
        known = node->welcome->metadata_index;
    return greeting->metadata_index < known;
}

/** Where it says it is, nobody will look for it: its store is not pinned, so that it can be added again. Host names may
 *  differ and mean the same; ports do not. */
static bool elsewhere(struct node *node, struct peer *peer, const struct metadata_node *known,
                      const struct peer_member *self) {
    if (known->peer_port == self->peer_port && known->client_port == self->client_port)
        return false;
    if (!peer->address_said)
        node_tracef(node,
                    "peer=%llu wants to join from %s (client port %u, peer port %u), but was added at %s (%u, %u): "
                    "`logflume cluster remove %llu`, then add it as it is",
                    (unsigned long long)known->node_id, self->host, self->client_port, self->peer_port, known->host,
                    known->client_port, known->peer_port, (unsigned long long)known->node_id);
    peer->address_said = true;
    return true;
}

bool join_on_greeting(struct node *node, const struct peer_envelope *envelope) {
    const struct peer_greeting *greeting = envelope->greeting;
    struct peer *peer = node_peer(node, envelope->from_node);
    bool to_us = peer && !peer->guest && envelope->to_incarnation == node->incarnation;
    if (greeting->refusal != PEER_REFUSAL_NONE) {
        if (to_us && node->joining && greeting->member_count > 0)
            on_membership(node, envelope);
        if (to_us && !is_old_news(node, greeting))
            on_refusal(node, envelope);
        return true;
    }
    if (greeting->member_count > 0 && to_us)
        on_membership(node, envelope);
    if (!metadata_founded(node->metadata) || node->welcome)
        return false; /* nothing to say to others, or we know that we are behind ourselves */
    if (!is_zero(envelope->cluster_id) && !same_id(node->cluster_id, envelope->cluster_id))
        return false; /* not believed for that */
    enum peer_refusal refusal = judge(node, envelope);
    if (refusal != PEER_REFUSAL_NONE) {
        join_answer_refusal(node, peer, envelope, refusal, NULL);
        return true;
    }
    const struct metadata_node *known = metadata_node(node->metadata, envelope->from_node);
    if (!peer || peer->guest || !known || known->removed)
        return false;
    if (replacements_asked(node, envelope)) {
        replacements_on_greeting(node, peer, envelope);
        return true;
    }
    peer->refused = PEER_REFUSAL_NONE;
    if (greeting->joining && !known->pinned && elsewhere(node, peer, known, &greeting->self))
        return true;
    if (greeting->joining && known->joining) { /* 3.: to be pinned if this is the controller; J5 */
        memcpy(peer->store_uuid, envelope->store_uuid, LOG_STORE_ID_BYTES);
        peer->store_seen = true;
    }
    if (greeting->joining || greeting->metadata_index < cluster_applied(node))
        join_answer_membership(node, peer, envelope);
    return greeting->joining;
}

void join_drop_welcome(struct node *node) {
    if (!node->welcome || !metadata_founded(node->metadata) || node->welcome->metadata_index > cluster_applied(node))
        return;
    free(node->welcome);
    node->welcome = NULL;
    node->peers_stale = true;
}

/** A removed node helps until group 0 does without it, or nobody answers it any more; then it ends in words. */
static void leave_when_let(struct node *node) {
    const struct group *group = node_group(node, NODE_GROUP_METADATA);
    bool counted = group && group->state == GROUP_RUNNING && join_in_group_zero(node, group->self);
    bool led = group && group->state == GROUP_RUNNING && raft_leader(group->raft) != 0;
    if (counted && (led || node->now_ms - node->removed_ms < REMOVED_PATIENCE_MS)) {
        if (led)
            node->removed_ms = node->now_ms;
        return;
    }
    node_fail(
        node, LF_WRONG_STORE,
        "node %llu was removed from the cluster and is not needed any more. To take it in again: `logflume cluster "
        "add %llu`, then start it with --join on an empty directory",
        (unsigned long long)node->id, (unsigned long long)node->id);
}

void join_tick(struct node *node) {
    for (size_t i = 0; i < node->peer_count; i++)
        node->peers_stale |= node->peers[i].guest; /* some may have been silent for long enough */
    if (node->removed_ms != 0)
        leave_when_let(node);
    if (node->joining && node->now_ms >= node->join_words_ms) {
        if (node->join_words_ms != 0 && node->replaces)
            node_tracef(node,
                        "waits to be taken with a new store in place of the lost one: no controller answers. Do the "
                        "other nodes run, and is this one at the address of its configuration?");
        else if (node->join_words_ms != 0)
            node_tracef(
                node,
                "waits to join: no configured node that runs knows node %llu, at the address of its configuration: "
                "`logflume cluster add %llu`, or `logflume cluster status`",
                (unsigned long long)node->id, (unsigned long long)node->id);
        node->join_words_ms = node->now_ms + JOIN_WORDS_MS;
    }
}
