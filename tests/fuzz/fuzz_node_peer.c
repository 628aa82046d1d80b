/** What a peer may send to a node: one of three founding nodes gets envelopes, decoded from the input. The other two
 *  are gone after a topic was made. The input is a list of steps.
 *
 *  A step is one byte, of which the low two bits say what:
 *  - 0, 1: an envelope: frames (1 byte, modulo 8), then each as 16-bit size and bytes. Decoded as the transport would.
 *    Then bit 7 of the step fills in who speaks to whom (cluster, incarnations, store), bit 6 groups and replicas, bit
 *    5 terms and indexes near the group's own and the entries' checksums: so deep states are reached too.
 *  - 2: time passes: milliseconds (1 byte).
 *  - 3: the node was away: milliseconds (16 bits).
 *
 *  A peer within the protocol never contradicts what is committed, nor leads in a term that has another leader. Raft
 *  promises nothing to those that do (store pins and incarnations keep strangers out): such messages are left out here.
 *  Everything else must be taken or refused, and the node must stay well. */
#include "fuzz_input.h"
#include "lf_check.h"
#include "lf_entry.h"
#include "node_world.h"
#include "peer_codec.h"

#include <stdlib.h>

#define NODES 3
#define FRAMES_MAX 8
#define STEPS_MAX 48
#define NEAR_TERMS 3
#define NEAR_INDEXES 8

struct scene {
    struct world world;
    struct log_store_identity identities[NODES];
    uint64_t topic_group;
};

static void introduce(const struct scene *scene, struct peer_envelope *envelope, uint64_t from) {
    const struct log_store_identity *identity = &scene->identities[from - 1];
    envelope->protocol_version = NODE_PROTOCOL_VERSION_MAX;
    memcpy(envelope->cluster_id, scene->identities[0].cluster_id, LOG_STORE_ID_BYTES);
    memcpy(envelope->founding_hash, identity->founding_hash, LOG_STORE_ID_BYTES);
    memcpy(envelope->store_uuid, identity->store_uuid, LOG_STORE_ID_BYTES);
    envelope->from_node = from;
    envelope->to_node = 1;
    envelope->from_incarnation = from; /* world_init numbers them so */
    envelope->to_incarnation = 1;
}

/** Group and replicas that exist; returns the sending node. */
static uint64_t place(const struct scene *scene, struct peer_message *message) {
    message->group = message->group & 1 ? scene->topic_group : 0;
    const struct raft *raft = node_group_raft(scene->world.nodes[0], message->group);
    if (!raft)
        return 2;
    const struct raft_configuration *members = raft_configuration(raft);
    uint64_t others[RAFT_VOTERS_MAX] = {0}, which = message->raft.from & 1;
    for (uint32_t i = 0, count = 0; i < members->voter_count; i++)
        if (members->voters[i] != raft_self(raft))
            others[count++] = members->voters[i];
    message->raft.from = others[which];
    message->raft.to = raft_self(raft);
    return 2 + which;
}

static void renew_entry(struct lf_buf *entry, uint64_t group, uint64_t index, uint64_t term) {
    struct lf_entry_header header;
    struct lf_bytes payload;
    if (lf_entry_decode(lf_buf_bytes(entry), &header, &payload) != LF_OK)
        return;
    header.index = index;
    header.term = term;
    if (header.type == LF_ENTRY_BATCH)
        fuzz_repair_batch(entry->data + LF_ENTRY_HEADER_BYTES, payload.size);
    lf_entry_encode(&header, group, payload, entry->data);
}

/** Terms and indexes near the group's own. */
static void bring_near(const struct raft *raft, struct peer_message *message) {
    struct raft_message *said = &message->raft;
    uint64_t last = raft_last_index(raft), commit = raft_commit(raft);
    said->term = raft_term(raft) + said->term % NEAR_TERMS;
    if (said->type != RAFT_APPEND_REQUEST)
        return;
    uint64_t back = said->append_request.prev_index % NEAR_INDEXES;
    uint64_t prev = last - (back < last - commit ? back : last - commit);
    said->append_request.prev_index = prev;
    said->append_request.prev_term = raft_entry_term(raft, prev);
    said->append_request.sequence += said->append_request.sequence == 0;
    said->append_request.commit %= last + NEAR_INDEXES;
    for (uint32_t i = 0; i < said->append_request.count; i++)
        renew_entry(message->entries[i], message->group, prev + 1 + i, said->term);
}

/** Whether a sender within the protocol could say this to the group (see above). */
static bool possible(const struct raft *raft, const struct peer_message *message) {
    const struct raft_message *said = &message->raft;
    bool leads = said->type == RAFT_APPEND_REQUEST || said->type == RAFT_HEARTBEAT_REQUEST ||
                 said->type == RAFT_IMAGE_OFFER;
    if (leads && said->term == raft_term(raft) && raft_leader(raft) != 0 && raft_leader(raft) != said->from)
        return false;
    for (uint32_t i = 0; said->type == RAFT_APPEND_REQUEST && i < said->append_request.count; i++) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        uint64_t index = said->append_request.prev_index + 1 + i;
        lf_check(lf_entry_decode(lf_buf_bytes(message->entries[i]), &header, &payload) == LF_OK);
        if (index <= raft_commit(raft) && header.term != raft_entry_term(raft, index))
            return false;
    }
    return true;
}

/** One message at a time, since each changes what the next may be. */
static void say(struct scene *scene, const struct peer_envelope *decoded, size_t at, uint8_t how) {
    struct peer_envelope *envelope = peer_envelope_new();
    struct peer_message *message = &decoded->messages[at];
    uint64_t from = 2;
    lf_check(envelope != NULL);
    *envelope = *decoded;
    envelope->messages = NULL;
    envelope->greeting = NULL; /* never beside messages */
    envelope->reports = NULL;
    envelope->report_count = 0;
    envelope->message_count = envelope->message_capacity = envelope->entry_count = 0;
    if (how & 0x40)
        from = place(scene, message);
    if (how & 0x80)
        introduce(scene, envelope, from);
    const struct raft *raft = node_group_raft(scene->world.nodes[0], message->group);
    if (raft && (how & 0x20))
        bring_near(raft, message);
    if (!raft || possible(raft, message)) {
        lf_check(peer_envelope_add(envelope, message) == LF_OK);
        message->entries = NULL; /* taken */
        message->image = NULL;
        struct node_event event = {.type = NODE_EVENT_PEER, .envelope = envelope};
        world_event(&scene->world, 0, &event);
    }
    peer_envelope_destroy(&envelope);
}

static void envelope_step(struct scene *scene, struct fuzz_input *input, uint8_t how) {
    struct lf_buf *frames[FRAMES_MAX];
    struct peer_envelope *decoded = NULL;
    size_t count = fuzz_u8(input) % FRAMES_MAX;
    for (size_t i = 0; i < count; i++) {
        frames[i] = lf_buf_copy(fuzz_sized(input));
        lf_check(frames[i] != NULL);
    }
    if (peer_codec_decode(frames, count, &decoded, NULL) == LF_OK) {
        if (how & 0x80)
            introduce(scene, decoded, 2);
        for (size_t i = 0; i < decoded->message_count && scene->world.fatal[0] == LF_OK; i++)
            say(scene, decoded, i, how);
        if (decoded->message_count == 0) {
            struct node_event event = {.type = NODE_EVENT_PEER, .envelope = decoded};
            world_event(&scene->world, 0, &event);
        }
    }
    peer_envelope_destroy(&decoded);
    for (size_t i = 0; i < count; i++)
        lf_buf_unref(&frames[i]);
}

static void step(struct scene *scene, struct fuzz_input *input) {
    uint8_t what = fuzz_u8(input);
    if ((what & 3) < 2) {
        envelope_step(scene, input, what);
    } else if ((what & 3) == 2) {
        world_run(&scene->world, fuzz_u8(input));
    } else {
        struct node_event event = {.type = NODE_EVENT_TICK, .absent_ms = fuzz_le16(input)};
        world_event(&scene->world, 0, &event);
    }
}

static bool all_hold_topic(struct world *world, void *context) {
    const uint64_t *group = context;
    for (size_t i = 0; i < NODES; i++)
        if (!node_group_raft(world->nodes[i], *group) || node_group_applied(world->nodes[i], *group) == 0)
            return false;
    return true;
}

static void set_scene(struct scene *scene) {
    world_init(&scene->world, NODES);
    scene->topic_group = world_topic(&scene->world, "t", 1, NODES);
    lf_check(world_until(&scene->world, all_hold_topic, &scene->topic_group, 2000));
    for (size_t i = 0; i < NODES; i++)
        scene->identities[i] = scene->world.stores[i]->identity;
    for (size_t i = 1; i < NODES; i++)
        world_crash(&scene->world, i, MEM_DISK_KILL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    struct scene scene = {0};
    set_scene(&scene);
    for (int steps = 0; input.left > 0 && steps < STEPS_MAX && scene.world.fatal[0] == LF_OK; steps++)
        step(&scene, &input);
    if (scene.world.fatal[0] == LF_OK)
        world_run(&scene.world, 20);
    world_deinit(&scene.world);
    return 0;
}
