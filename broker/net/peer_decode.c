/** Frames -> envelope. Nothing a peer says is believed: every count is held against what is there.
 *
 *  What protobuf-c may allocate while it unpacks a header is bounded too: a header of many empty messages would
 *  otherwise take some forty times its size. */
#include "peer_codec.h"

#include "lf_entry.h"
#include "peer_beats.h"
#include "peer_greetings.h"
#include "peer_images.h"

#include <stdlib.h>

_Static_assert(PEER_CODEC_ENTRY_BYTES_MAX == LF_ENTRY_HEADER_BYTES + LF_ENTRY_PAYLOAD_BYTES_HARD, "entry frame bound");

#define UNPACK_BYTES_MAX (16u * 1024 * 1024)

struct budget {
    size_t left;
};

static void *budget_alloc(void *context, size_t size) {
    struct budget *budget = context;
    if (size > budget->left)
        return NULL;
    budget->left -= size;
    return malloc(size);
}

static void budget_free(void *context, void *memory) {
    (void)context;
    free(memory);
}

/** What is being decoded: the frames that no message has named yet. */
struct cursor {
    struct lf_buf *const *entries;
    size_t left;
    struct lf_error *error;
};

static enum lf_status refuse(struct cursor *cursor, const char *what) {
    return lf_error_set(cursor->error, LF_MALFORMED, "peer message: %s", what);
}

static bool all_below_limit(const uint64_t *numbers, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (numbers[i] >= PEER_CODEC_NUMBER_LIMIT)
            return false;
    return true;
}
#define BOUNDED(...)                                                                                                   \
    all_below_limit((const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static bool take_vote_request(const Lf__VoteRequest *wire, struct raft_message *raft) {
    raft->vote_request.last_index = wire->last_index;
    raft->vote_request.last_term = wire->last_term;
    raft->vote_request.transfer = wire->transfer;
    return BOUNDED(wire->last_index, wire->last_term);
}

static bool take_vote_reply(const Lf__VoteReply *wire, struct raft_message *raft) {
    raft->vote_reply.granted = wire->granted;
    raft->vote_reply.campaign_term = wire->campaign_term;
    return BOUNDED(wire->campaign_term);
}

static bool take_append_request(const Lf__AppendRequest *wire, struct raft_message *raft) {
    raft->append_request.prev_index = wire->prev_index;
    raft->append_request.prev_term = wire->prev_term;
    raft->append_request.commit = wire->commit;
    raft->append_request.sequence = wire->sequence;
    raft->append_request.count = wire->count;
    return BOUNDED(wire->prev_index, wire->prev_term, wire->commit, wire->sequence);
}

static bool take_append_reply(const Lf__AppendReply *wire, struct raft_message *raft) {
    raft->append_reply.accepted = wire->accepted;
    raft->append_reply.sequence = wire->sequence;
    raft->append_reply.durable = wire->durable;
    raft->append_reply.received = wire->received;
    raft->append_reply.prev_index = wire->prev_index;
    raft->append_reply.last_index = wire->last_index;
    raft->append_reply.hint_index = wire->hint_index;
    raft->append_reply.hint_term = wire->hint_term;
    return BOUNDED(wire->sequence, wire->durable, wire->received, wire->prev_index, wire->last_index, wire->hint_index,
                   wire->hint_term);
}

static bool take_timeout_now(const Lf__TimeoutNow *wire, struct raft_message *raft) {
    raft->timeout_now.index = wire->index;
    raft->timeout_now.entry_term = wire->entry_term;
    return BOUNDED(wire->index, wire->entry_term);
}

static bool take_read(const Lf__ReadIndex *wire, struct raft_message *raft) {
    raft->read.id = wire->id; /* an echo: any number */
    raft->read.index = wire->index;
    raft->read.status = (enum lf_status)wire->status;
    return BOUNDED(wire->index);
}

static bool take_image_offer(const Lf__ImageOffer *wire, struct raft_message *raft) {
    raft->image_offer.index = wire->index;
    raft->image_offer.entry_term = wire->entry_term;
    raft->image_offer.commit = wire->commit;
    raft->image_offer.sequence = wire->sequence;
    return BOUNDED(wire->index, wire->entry_term, wire->commit, wire->sequence);
}

/** Type and body. False: a number is out of bounds. type stays 0 for a body this version does not know. */
static bool take_body(const Lf__PeerMessage *wire, struct raft_message *raft) {
    switch (wire->body_case) {
    case LF__PEER_MESSAGE__BODY_PRE_VOTE_REQUEST:
        raft->type = RAFT_PRE_VOTE_REQUEST;
        return take_vote_request(wire->pre_vote_request, raft);
    case LF__PEER_MESSAGE__BODY_PRE_VOTE_REPLY:
        raft->type = RAFT_PRE_VOTE_REPLY;
        return take_vote_reply(wire->pre_vote_reply, raft);
    case LF__PEER_MESSAGE__BODY_VOTE_REQUEST:
        raft->type = RAFT_VOTE_REQUEST;
        return take_vote_request(wire->vote_request, raft);
    case LF__PEER_MESSAGE__BODY_VOTE_REPLY:
        raft->type = RAFT_VOTE_REPLY;
        return take_vote_reply(wire->vote_reply, raft);
    case LF__PEER_MESSAGE__BODY_APPEND_REQUEST:
        raft->type = RAFT_APPEND_REQUEST;
        return take_append_request(wire->append_request, raft);
    case LF__PEER_MESSAGE__BODY_APPEND_REPLY:
        raft->type = RAFT_APPEND_REPLY;
        return take_append_reply(wire->append_reply, raft);
    case LF__PEER_MESSAGE__BODY_TIMEOUT_NOW:
        raft->type = RAFT_TIMEOUT_NOW;
        return take_timeout_now(wire->timeout_now, raft);
    case LF__PEER_MESSAGE__BODY_READ_REQUEST:
        raft->type = RAFT_READ_REQUEST;
        return take_read(wire->read_request, raft);
    case LF__PEER_MESSAGE__BODY_READ_REPLY:
        raft->type = RAFT_READ_REPLY;
        return take_read(wire->read_reply, raft);
    case LF__PEER_MESSAGE__BODY_IMAGE_OFFER:
        raft->type = RAFT_IMAGE_OFFER;
        return take_image_offer(wire->image_offer, raft);
    case LF__PEER_MESSAGE__BODY__NOT_SET:
    default:
        return true;
    }
}

static bool is_newer(const struct raft_message *raft) {
    if (raft->type == 0)
        return true;
    bool reads = raft->type == RAFT_READ_REQUEST || raft->type == RAFT_READ_REPLY;
    return reads && lf_status_name(raft->read.status)[0] == '?';
}

/** The next `count` frames become the message's entries. */
static enum lf_status take_entries(struct cursor *cursor, struct peer_message *message) {
    uint32_t count = peer_message_entries(message);
    if (count > cursor->left)
        return refuse(cursor, "more entries named than frames sent");
    if (count == 0)
        return LF_OK;
    message->entries = calloc(count, sizeof(struct lf_buf *));
    if (!message->entries)
        return lf_error_set(cursor->error, LF_NO_MEMORY, "peer message: no memory for %u entries", count);
    for (uint32_t i = 0; i < count; i++)
        message->entries[i] = lf_buf_ref(cursor->entries[i]);
    cursor->entries += count;
    cursor->left -= count;
    return LF_OK;
}

static enum lf_status decode_message(struct cursor *cursor, const Lf__PeerMessage *wire,
                                     struct peer_envelope *envelope) {
    struct peer_message message = {.group = wire->group};
    message.raft.from = wire->from_replica;
    message.raft.to = wire->to_replica;
    message.raft.term = wire->term;
    if (!take_body(wire, &message.raft) || !BOUNDED(wire->term))
        return refuse(cursor, "a number is out of bounds");
    enum lf_status status = peer_image_take(wire, &message.image, cursor->error);
    if (status != LF_OK)
        return status;
    if (!message.image && is_newer(&message.raft))
        return LF_OK;
    if (wire->from_replica == 0 || wire->to_replica == 0)
        status = refuse(cursor, "replica id 0");
    if (status == LF_OK)
        status = take_entries(cursor, &message);
    if (status != LF_OK) {
        peer_image_destroy(&message.image);
        return status;
    }
    status = peer_envelope_add(envelope, &message);
    if (status == LF_OK)
        return LF_OK;
    peer_message_deinit(&message);
    return lf_error_set(cursor->error, status == LF_FULL ? LF_TOO_LARGE : status, "peer message: %s",
                        status == LF_FULL ? "too many messages" : "no memory");
}

static bool take_id(uint8_t out[LOG_STORE_ID_BYTES], const ProtobufCBinaryData *wire) {
    if (wire->len != LOG_STORE_ID_BYTES)
        return false;
    memcpy(out, wire->data, LOG_STORE_ID_BYTES);
    return true;
}

static enum lf_status decode_head(struct cursor *cursor, const Lf__PeerEnvelope *wire, struct peer_envelope *envelope) {
    if (!take_id(envelope->cluster_id, &wire->cluster_id) || !take_id(envelope->founding_hash, &wire->founding_hash) ||
        !take_id(envelope->store_uuid, &wire->store_uuid))
        return refuse(cursor, "an id is not 16 bytes long");
    if (wire->protocol_version == 0 || wire->from_node == 0 || wire->to_node == 0 || wire->from_incarnation == 0)
        return refuse(cursor, "version, node or incarnation is 0");
    if (!BOUNDED(wire->from_incarnation, wire->to_incarnation) ||
        wire->wall_clock_ms <= -(int64_t)PEER_CODEC_NUMBER_LIMIT ||
        wire->wall_clock_ms >= (int64_t)PEER_CODEC_NUMBER_LIMIT)
        return refuse(cursor, "a number is out of bounds");
    if (wire->lane < PEER_LANE_CONTROL || wire->lane > PEER_LANE_BULK)
        return refuse(cursor, "unknown lane");
    bool messages = wire->n_messages > 0 || wire->heartbeat_requests || wire->heartbeat_replies;
    if (wire->to_incarnation == 0 && (messages || wire->n_reports > 0))
        return refuse(cursor, "more than a greeting to an unknown incarnation");
    if (wire->greeting && messages)
        return refuse(cursor, "a greeting beside messages");
    envelope->protocol_version = wire->protocol_version;
    envelope->from_node = wire->from_node;
    envelope->to_node = wire->to_node;
    envelope->from_incarnation = wire->from_incarnation;
    envelope->to_incarnation = wire->to_incarnation;
    envelope->wall_clock_ms = wire->wall_clock_ms;
    envelope->space_level = wire->space_level;
    envelope->lane = (enum peer_lane)wire->lane;
    return LF_OK;
}

/** Sizes of all frames, before anything is unpacked. */
static enum lf_status judge_frames(struct lf_buf *const *frames, size_t count, struct cursor *cursor) {
    if (count == 0)
        return refuse(cursor, "no frames");
    if (count > PEER_CODEC_FRAMES_MAX)
        return lf_error_set(cursor->error, LF_TOO_LARGE, "peer message: %zu frames, at most %u", count,
                            PEER_CODEC_FRAMES_MAX);
    if (frames[0]->size > PEER_CODEC_HEADER_BYTES_MAX)
        return lf_error_set(cursor->error, LF_TOO_LARGE, "peer message: header of %u bytes, at most %u",
                            frames[0]->size, PEER_CODEC_HEADER_BYTES_MAX);
    for (size_t i = 1; i < count; i++) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        if (lf_entry_decode(lf_buf_bytes(frames[i]), &header, &payload) != LF_OK)
            return lf_error_set(cursor->error, LF_MALFORMED, "peer message: frame %zu is no entry (%u bytes)", i,
                                frames[i]->size);
    }
    cursor->entries = frames + 1;
    cursor->left = count - 1;
    return LF_OK;
}

static enum lf_status decode_header(struct cursor *cursor, const Lf__PeerEnvelope *wire,
                                    struct peer_envelope *envelope) {
    enum lf_status status = decode_head(cursor, wire, envelope);
    for (size_t i = 0; status == LF_OK && i < wire->n_messages; i++)
        status = decode_message(cursor, wire->messages[i], envelope);
    if (status == LF_OK && wire->heartbeat_requests)
        status = peer_beats_take(wire->heartbeat_requests, RAFT_HEARTBEAT_REQUEST, envelope, cursor->error);
    if (status == LF_OK && wire->heartbeat_replies)
        status = peer_beats_take(wire->heartbeat_replies, RAFT_HEARTBEAT_REPLY, envelope, cursor->error);
    if (status == LF_OK && wire->greeting)
        status = peer_greeting_take(wire->greeting, envelope, cursor->error);
    if (status == LF_OK)
        status = peer_reports_take(wire, envelope, cursor->error);
    if (status == LF_OK && cursor->left > 0)
        return refuse(cursor, "frames that no message names");
    return status;
}

enum lf_status peer_codec_decode(struct lf_buf *const *frames, size_t count, struct peer_envelope **out,
                                 struct lf_error *error) {
    struct cursor cursor = {.error = error};
    *out = NULL;
    enum lf_status status = judge_frames(frames, count, &cursor);
    if (status != LF_OK)
        return status;
    struct budget budget = {.left = UNPACK_BYTES_MAX};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
    Lf__PeerEnvelope *wire = lf__peer_envelope__unpack(&allocator, frames[0]->size, frames[0]->data);
    if (!wire)
        return refuse(&cursor, "header is not a PeerEnvelope, or too large unpacked");
    struct peer_envelope *envelope = peer_envelope_new();
    status = envelope ? decode_header(&cursor, wire, envelope)
                      : lf_error_set(error, LF_NO_MEMORY, "peer message: no memory");
    lf__peer_envelope__free_unpacked(wire, &allocator);
    if (status != LF_OK)
        peer_envelope_destroy(&envelope);
    *out = envelope;
    return status;
}
