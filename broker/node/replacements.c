/** Nodes whose store was lost, and that come back with a new, empty one.
 *
 *  Its operator asks for it on the node (`--replace-store`), so its greetings say so; a store under an old name that
 * does not say so never counts. The controller has group 0 pin the new store in place of the old one and give the node
 * new replicas of everything it had; they are filled as learners, then take the old ones' places in the groups'
 * majorities.
 *
 *  Invariants:
 *   X1  a store replaces another only while it holds nothing: the greeting is that of a process that joins
 *   X2  a store that was replaced or removed is never pinned again
 *   X3  the controller asks for nothing while a group would be without a majority of replicas that run; it says which
 */
#include "node_internal.h"

/** A wish that was not repeated for so long is over; so long one judgement holds; so long until it is proposed again.
 */
#define ASKED_MS 2000
#define JUDGED_MS 250
#define PROPOSE_MS 1000

static bool is_store_of(const struct metadata_node *known, const uint8_t *store_uuid) {
    return known->pinned && memcmp(known->store_uuid, store_uuid, LOG_STORE_ID_BYTES) == 0;
}

bool replacements_asked(const struct node *node, const struct peer_envelope *envelope) {
    const struct metadata_node *known = metadata_node(node->metadata, envelope->from_node);
    return envelope->greeting->replaces && envelope->greeting->joining && known && metadata_node_has_store(known) &&
           !is_store_of(known, envelope->store_uuid) && !join_had_store(known, envelope->store_uuid);
}

static bool runs(const void *context, uint64_t node_id) {
    const struct node *node = context;
    const struct peer *peer = node_peer((struct node *)(uintptr_t)node, node_id);
    return node_id == node->id ||
           (peer && !peer->guest && peer->heard_ms != 0 && node->now_ms - peer->heard_ms <= NODE_PEER_ALIVE_MS);
}

/** X3. */
static void judge(struct node *node, struct peer *peer) {
    struct replacement *replacement = &peer->replacement;
    unsigned long long id = peer->address.node_id;
    if (replacement->judged_ms != 0 && node->now_ms - replacement->judged_ms < JUDGED_MS)
        return;
    enum lf_status before = replacement->verdict.code;
    bool first = replacement->judged_ms == 0;
    replacement->judged_ms = node->now_ms;
    replacement->verdict = (struct lf_error){0};
    metadata_judge_replacement(node->metadata, peer->address.node_id, runs, node, &replacement->verdict);
    if (!first && before == replacement->verdict.code)
        return;
    if (replacement->verdict.code == LF_OK)
        node_tracef(node, "peer=%llu lost its store and comes with a new one: it takes the old one's place", id);
    else
        node_tracef(node, "peer=%llu lost its store and comes with a new one: not taken yet: %s", id,
                    replacement->verdict.text);
}

void replacements_on_greeting(struct node *node, struct peer *peer, const struct peer_envelope *envelope) {
    struct replacement *replacement = &peer->replacement;
    if (memcmp(replacement->store_uuid, envelope->store_uuid, LOG_STORE_ID_BYTES) != 0)
        *replacement = (struct replacement){0};
    memcpy(replacement->store_uuid, envelope->store_uuid, LOG_STORE_ID_BYTES);
    replacement->asked_ms = node->now_ms;
    if (cluster_leads(node)) {
        judge(node, peer);
        node_wake_by(node, node->now_ms);
    }
    if (cluster_leads(node) && replacement->verdict.code != LF_OK) {
        join_answer_refusal(node, peer, envelope, PEER_REFUSAL_MAJORITY, replacement->verdict.text);
        return;
    }
    peer->refused = PEER_REFUSAL_NONE;
    join_answer_membership(node, peer, envelope); /* so that it meets the controller */
}

void replacements_tick(struct node *node) {
    if (!cluster_leads(node) || node->stopping)
        return;
    for (size_t i = 0; i < node->peer_count; i++) {
        struct peer *peer = &node->peers[i];
        struct replacement *replacement = &peer->replacement;
        const struct metadata_node *known = metadata_node(node->metadata, peer->address.node_id);
        if (replacement->asked_ms == 0 || node->now_ms - replacement->asked_ms > ASKED_MS || !known ||
            !metadata_node_has_store(known) || is_store_of(known, replacement->store_uuid) ||
            join_had_store(known, replacement->store_uuid) || node->now_ms < peer->pin_due_ms)
            continue;
        judge(node, peer);
        if (replacement->verdict.code != LF_OK)
            continue;
        peer->pin_due_ms = node->now_ms + PROPOSE_MS;
        cluster_propose(node, metadata_command_replace_store(peer->address.node_id, replacement->store_uuid));
        return; /* who are peers may be another list now */
    }
}
