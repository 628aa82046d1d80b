/** Envelope -> frames. */
#include "peer_codec.h"

#include "lf_check.h"
#include "peer_beats.h"
#include "peer_greetings.h"
#include "peer_images.h"

#include <stdlib.h>

/** The wire form of one message: the bodies are where `wire` points to. */
struct message_form {
    Lf__PeerMessage wire;
    bool is_image;
    union {
        Lf__VoteRequest vote_request;
        Lf__VoteReply vote_reply;
        Lf__AppendRequest append_request;
        Lf__AppendReply append_reply;
        Lf__TimeoutNow timeout_now;
        Lf__ReadIndex read;
        Lf__ImageOffer image_offer;
        struct image_form image;
    };
};

void peer_frames_deinit(struct peer_frames *frames) {
    for (size_t i = 0; i < frames->count; i++)
        lf_buf_unref(&frames->frames[i]);
    free(frames->frames);
    *frames = (struct peer_frames){0};
}

static void form_vote_request(struct message_form *form, const struct raft_message *raft) {
    form->vote_request = (Lf__VoteRequest)LF__VOTE_REQUEST__INIT;
    form->vote_request.last_index = raft->vote_request.last_index;
    form->vote_request.last_term = raft->vote_request.last_term;
    form->vote_request.transfer = raft->vote_request.transfer;
    form->wire.vote_request = &form->vote_request; /* the same member of the union as pre_vote_request */
}

static void form_vote_reply(struct message_form *form, const struct raft_message *raft) {
    form->vote_reply = (Lf__VoteReply)LF__VOTE_REPLY__INIT;
    form->vote_reply.granted = raft->vote_reply.granted;
    form->vote_reply.campaign_term = raft->vote_reply.campaign_term;
    form->wire.vote_reply = &form->vote_reply;
}

static void form_append_request(struct message_form *form, const struct raft_message *raft) {
    form->append_request = (Lf__AppendRequest)LF__APPEND_REQUEST__INIT;
    form->append_request.prev_index = raft->append_request.prev_index;
    form->append_request.prev_term = raft->append_request.prev_term;
    form->append_request.commit = raft->append_request.commit;
    form->append_request.sequence = raft->append_request.sequence;
    form->append_request.count = raft->append_request.count;
    form->wire.append_request = &form->append_request;
}

static void form_append_reply(struct message_form *form, const struct raft_message *raft) {
    form->append_reply = (Lf__AppendReply)LF__APPEND_REPLY__INIT;
    form->append_reply.accepted = raft->append_reply.accepted;
    form->append_reply.sequence = raft->append_reply.sequence;
    form->append_reply.durable = raft->append_reply.durable;
    form->append_reply.received = raft->append_reply.received;
    form->append_reply.prev_index = raft->append_reply.prev_index;
    form->append_reply.last_index = raft->append_reply.last_index;
    form->append_reply.hint_index = raft->append_reply.hint_index;
    form->append_reply.hint_term = raft->append_reply.hint_term;
    form->wire.append_reply = &form->append_reply;
}

static void form_timeout_now(struct message_form *form, const struct raft_message *raft) {
    form->timeout_now = (Lf__TimeoutNow)LF__TIMEOUT_NOW__INIT;
    form->timeout_now.index = raft->timeout_now.index;
    form->timeout_now.entry_term = raft->timeout_now.entry_term;
    form->wire.timeout_now = &form->timeout_now;
}

static void form_read(struct message_form *form, const struct raft_message *raft) {
    form->read = (Lf__ReadIndex)LF__READ_INDEX__INIT;
    form->read.id = raft->read.id;
    form->read.index = raft->read.index;
    form->read.status = raft->read.status;
    form->wire.read_request = &form->read;
}

static void form_image_offer(struct message_form *form, const struct raft_message *raft) {
    form->image_offer = (Lf__ImageOffer)LF__IMAGE_OFFER__INIT;
    form->image_offer.index = raft->image_offer.index;
    form->image_offer.entry_term = raft->image_offer.entry_term;
    form->image_offer.commit = raft->image_offer.commit;
    form->image_offer.sequence = raft->image_offer.sequence;
    form->wire.image_offer = &form->image_offer;
}

/** One row per message type (heartbeats are columns: peer_beats.c): its case on the wire, and who writes its body. */
static const struct {
    Lf__PeerMessage__BodyCase body_case;
    void (*form)(struct message_form *form, const struct raft_message *raft);
} forms[] = {
    [RAFT_PRE_VOTE_REQUEST] = {LF__PEER_MESSAGE__BODY_PRE_VOTE_REQUEST, form_vote_request},
    [RAFT_PRE_VOTE_REPLY] = {LF__PEER_MESSAGE__BODY_PRE_VOTE_REPLY, form_vote_reply},
    [RAFT_VOTE_REQUEST] = {LF__PEER_MESSAGE__BODY_VOTE_REQUEST, form_vote_request},
    [RAFT_VOTE_REPLY] = {LF__PEER_MESSAGE__BODY_VOTE_REPLY, form_vote_reply},
    [RAFT_APPEND_REQUEST] = {LF__PEER_MESSAGE__BODY_APPEND_REQUEST, form_append_request},
    [RAFT_APPEND_REPLY] = {LF__PEER_MESSAGE__BODY_APPEND_REPLY, form_append_reply},
    [RAFT_TIMEOUT_NOW] = {LF__PEER_MESSAGE__BODY_TIMEOUT_NOW, form_timeout_now},
    [RAFT_READ_REQUEST] = {LF__PEER_MESSAGE__BODY_READ_REQUEST, form_read},
    [RAFT_READ_REPLY] = {LF__PEER_MESSAGE__BODY_READ_REPLY, form_read},
    [RAFT_IMAGE_OFFER] = {LF__PEER_MESSAGE__BODY_IMAGE_OFFER, form_image_offer},
};

/** False without memory. */
static bool form_message(struct message_form *form, const struct peer_message *message) {
    const struct raft_message *raft = &message->raft;
    if (message->image) {
        form->wire = (Lf__PeerMessage)LF__PEER_MESSAGE__INIT;
        form->wire.group = message->group;
        form->wire.from_replica = raft->from;
        form->wire.to_replica = raft->to;
        form->wire.term = raft->term;
        return image_form_form(&form->image, message->image, &form->wire);
    }
    lf_check(raft->type >= RAFT_PRE_VOTE_REQUEST);
    lf_check(raft->type <= RAFT_IMAGE_OFFER);
    lf_check(forms[raft->type].form != NULL);
    form->wire = (Lf__PeerMessage)LF__PEER_MESSAGE__INIT;
    form->wire.group = message->group;
    form->wire.from_replica = raft->from;
    form->wire.to_replica = raft->to;
    form->wire.term = raft->term;
    form->wire.body_case = forms[raft->type].body_case;
    forms[raft->type].form(form, raft);
    return true;
}

/** What a header is made of: messages one by one, heartbeats in columns. */
struct header_parts {
    struct message_form *forms;
    Lf__PeerMessage **messages;
    size_t message_count;
    struct beat_columns requests, replies;
    struct greeting_form greeting;
    struct report_forms reports;
};

static bool form_parts(struct header_parts *parts, const struct peer_envelope *envelope) {
    if (!beat_columns_form(&parts->requests, envelope, RAFT_HEARTBEAT_REQUEST) ||
        !beat_columns_form(&parts->replies, envelope, RAFT_HEARTBEAT_REPLY) ||
        !report_forms_form(&parts->reports, envelope))
        return false;
    if (envelope->greeting)
        greeting_form_form(&parts->greeting, envelope->greeting);
    size_t others = envelope->message_count - parts->requests.count - parts->replies.count;
    parts->forms = malloc((others + 1) * sizeof *parts->forms);
    parts->messages = malloc((others + 1) * sizeof(Lf__PeerMessage *));
    if (!parts->forms || !parts->messages)
        return false;
    for (size_t i = 0; i < envelope->message_count; i++) {
        if (peer_message_is_beat(&envelope->messages[i]))
            continue;
        struct message_form *form = &parts->forms[parts->message_count];
        *form = (struct message_form){.is_image = envelope->messages[i].image != NULL};
        parts->messages[parts->message_count] = &form->wire;
        parts->message_count++;
        if (!form_message(form, &envelope->messages[i]))
            return false;
    }
    return true;
}

static void parts_deinit(struct header_parts *parts) {
    beat_columns_deinit(&parts->requests);
    beat_columns_deinit(&parts->replies);
    report_forms_deinit(&parts->reports);
    for (size_t i = 0; i < parts->message_count; i++)
        if (parts->forms[i].is_image)
            image_form_deinit(&parts->forms[i].image);
    free(parts->messages);
    free(parts->forms);
}

static struct lf_buf *pack_header(const struct peer_envelope *envelope, struct header_parts *parts) {
    Lf__PeerEnvelope wire = LF__PEER_ENVELOPE__INIT;
    wire.protocol_version = envelope->protocol_version;
    wire.cluster_id = (ProtobufCBinaryData){LOG_STORE_ID_BYTES, (uint8_t *)(uintptr_t)envelope->cluster_id};
    wire.founding_hash = (ProtobufCBinaryData){LOG_STORE_ID_BYTES, (uint8_t *)(uintptr_t)envelope->founding_hash};
    wire.store_uuid = (ProtobufCBinaryData){LOG_STORE_ID_BYTES, (uint8_t *)(uintptr_t)envelope->store_uuid};
    wire.from_node = envelope->from_node;
    wire.to_node = envelope->to_node;
    wire.from_incarnation = envelope->from_incarnation;
    wire.to_incarnation = envelope->to_incarnation;
    wire.wall_clock_ms = envelope->wall_clock_ms;
    wire.space_level = envelope->space_level;
    wire.lane = envelope->lane;
    wire.messages = parts->messages;
    wire.n_messages = parts->message_count;
    wire.heartbeat_requests = parts->requests.count > 0 ? &parts->requests.wire : NULL;
    wire.heartbeat_replies = parts->replies.count > 0 ? &parts->replies.wire : NULL;
    wire.greeting = envelope->greeting ? &parts->greeting.wire : NULL;
    wire.reports = parts->reports.pointers;
    wire.n_reports = parts->reports.count;
    size_t size = lf__peer_envelope__get_packed_size(&wire);
    lf_check(size <= PEER_CODEC_HEADER_BYTES_MAX);
    struct lf_buf *header = lf_buf_new(size);
    if (header)
        lf_check(lf__peer_envelope__pack(&wire, header->data) == size);
    return header;
}

static struct lf_buf *encode_header(const struct peer_envelope *envelope) {
    struct header_parts parts = {0};
    struct lf_buf *header = form_parts(&parts, envelope) ? pack_header(envelope, &parts) : NULL;
    parts_deinit(&parts);
    return header;
}

static void add_frame(struct peer_frames *frames, struct lf_buf *frame) {
    frames->frames[frames->count++] = frame;
    frames->bytes += frame->size;
}

enum lf_status peer_codec_encode(const struct peer_envelope *envelope, struct peer_frames *frames) {
    lf_check(frames->count == 0);
    lf_check(envelope->message_count <= PEER_ENVELOPE_MESSAGES_MAX);
    lf_check(envelope->entry_count <= PEER_ENVELOPE_ENTRIES_MAX);
    lf_check(!envelope->greeting || envelope->message_count == 0);
    frames->frames = malloc((1 + envelope->entry_count) * sizeof(struct lf_buf *));
    struct lf_buf *header = frames->frames ? encode_header(envelope) : NULL;
    if (!header) {
        peer_frames_deinit(frames);
        return LF_NO_MEMORY;
    }
    add_frame(frames, header);
    for (size_t i = 0; i < envelope->message_count; i++) {
        const struct peer_message *message = &envelope->messages[i];
        uint32_t entries = peer_message_entries(message);
        lf_check(frames->count + entries <= 1 + envelope->entry_count);
        for (uint32_t j = 0; j < entries; j++)
            add_frame(frames, lf_buf_ref(message->entries[j]));
    }
    lf_check(frames->count == 1 + envelope->entry_count);
    return LF_OK;
}
