/** Envelopes between brokers to frames and back; and what a decoder must refuse. */
#include "peer_codec.h"

#include "lf_entry.h"
#include "peer.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct lf_buf *make_entry(uint64_t index, uint32_t payload_bytes) {
    struct lf_buf *entry = lf_buf_new(LF_ENTRY_HEADER_BYTES + payload_bytes);
    assert_non_null(entry);
    memset(entry->data, 0x5a, entry->size);
    struct lf_entry_header header = {
        .type = LF_ENTRY_METADATA, .payload_bytes = payload_bytes, .index = index, .term = 3, .replica_id = 1};
    lf_entry_encode(&header, 7, lf_bytes(entry->data + LF_ENTRY_HEADER_BYTES, payload_bytes), entry->data);
    return entry;
}

static struct peer_envelope *make_envelope(enum peer_lane lane) {
    struct peer_envelope *envelope = peer_envelope_new();
    assert_non_null(envelope);
    envelope->protocol_version = 1;
    for (uint8_t i = 0; i < LOG_STORE_ID_BYTES; i++) {
        envelope->cluster_id[i] = i;
        envelope->founding_hash[i] = (uint8_t)(100 + i);
        envelope->store_uuid[i] = (uint8_t)(200 + i);
    }
    envelope->from_node = 1;
    envelope->to_node = 2;
    envelope->from_incarnation = 1700000000001;
    envelope->to_incarnation = 1700000000002;
    envelope->wall_clock_ms = -5;
    envelope->space_level = 2;
    envelope->lane = lane;
    return envelope;
}

static void add(struct peer_envelope *envelope, uint64_t group, struct raft_message raft) {
    struct peer_message message = {.group = group, .raft = raft};
    if (raft.type == RAFT_APPEND_REQUEST && raft.append_request.count > 0) {
        message.entries = calloc(raft.append_request.count, sizeof(struct lf_buf *));
        for (uint32_t i = 0; i < raft.append_request.count; i++)
            message.entries[i] = make_entry(raft.append_request.prev_index + 1 + i, i * 1000);
    }
    assert_int_equal(peer_envelope_add(envelope, &message), LF_OK);
}

static void add_image(struct peer_envelope *envelope, struct image_message *image, uint32_t entries) {
    struct peer_message message = {.group = 7, .raft = {.from = 11, .to = 12, .term = 9}, .image = image};
    image->image = 500;
    image->session = 77;
    if (entries > 0)
        message.entries = calloc(entries, sizeof(struct lf_buf *));
    for (uint32_t i = 0; i < entries; i++)
        message.entries[i] = make_entry(300 + i, i * 100);
    assert_int_equal(peer_envelope_add(envelope, &message), LF_OK);
}

static void add_images(struct peer_envelope *envelope) {
    struct image_message *pull = peer_image_new(IMAGE_PULL), *page = peer_image_new(IMAGE_PAGE),
                         *piece = peer_image_new(IMAGE_PIECE), *gone = peer_image_new(IMAGE_PIECE);
    pull->pull.first_index = 300;
    pull->pull.last_index = 400;
    pull->pull.from_index = 310;
    pull->pull.credit_bytes = 1 << 20;
    add_image(envelope, pull, 0);
    struct log_segment segment = {.first_index = 300,
                                  .last_index = 400,
                                  .last_term = 8,
                                  .base_offset = 10,
                                  .end_offset = 90,
                                  .entry_count = 101,
                                  .bytes = 10000,
                                  .first_log_time_ms = 5,
                                  .last_log_time_ms = 6,
                                  .max_timestamp_ms = -1};
    struct log_store_row rows[] = {{lf_bytes("m", 1), lf_bytes("meta", 4)}, {lf_bytes("e", 1), lf_bytes("", 0)}};
    page->page.entry_term = 8;
    page->page.base_index = 400;
    page->page.base_term = 7;
    page->page.configuration_index = 12;
    page->page.configuration_bytes = 3;
    memcpy(page->page.configuration, "abc", 3);
    page->page.page = 1;
    page->page.page_count = 3;
    assert_int_equal(peer_image_fill_page(page, &segment, 1, rows, 2), LF_OK);
    add_image(envelope, page, 0);
    gone->piece.gone = true;
    add_image(envelope, gone, 0);
    piece->piece.sequence = 4;
    piece->piece.first_index = 300;
    piece->piece.last_index = 400;
    piece->piece.count = 3;
    piece->piece.last = true;
    add_image(envelope, piece, 3);
}

static void add_one_of_each(struct peer_envelope *envelope) {
    for (int pre = 0; pre < 2; pre++) {
        add(envelope, 0,
            (struct raft_message){.type = pre ? RAFT_PRE_VOTE_REQUEST : RAFT_VOTE_REQUEST,
                                  .from = 11,
                                  .to = 12,
                                  .term = 9,
                                  .vote_request = {41, 6, true}});
        add(envelope, 1,
            (struct raft_message){.type = pre ? RAFT_PRE_VOTE_REPLY : RAFT_VOTE_REPLY,
                                  .from = 11,
                                  .to = 12,
                                  .term = 9,
                                  .vote_reply = {pre == 0, 10}});
    }
    add(envelope, 7,
        (struct raft_message){
            .type = RAFT_APPEND_REQUEST, .from = 11, .to = 12, .term = 9, .append_request = {40, 8, 39, 17, 3, NULL}});
    add(envelope, 7,
        (struct raft_message){
            .type = RAFT_APPEND_REQUEST, .from = 13, .to = 14, .term = 2, .append_request = {0, 0, 0, 1, 0, NULL}});
    add(envelope, 8,
        (struct raft_message){
            .type = RAFT_APPEND_REPLY, .from = 11, .to = 12, .term = 9, .append_reply = {true, 1, 2, 3, 4, 5, 6, 7}});
    add(envelope, 8,
        (struct raft_message){.type = RAFT_TIMEOUT_NOW, .from = 11, .to = 12, .term = 9, .timeout_now = {31, 32}});
    add(envelope, 8,
        (struct raft_message){
            .type = RAFT_READ_REQUEST, .from = 11, .to = 12, .term = 9, .read = {UINT64_MAX, 0, LF_OK}});
    add(envelope, 8,
        (struct raft_message){
            .type = RAFT_READ_REPLY, .from = 11, .to = 12, .term = 9, .read = {52, 53, LF_NOT_LEADER}});
    add(envelope, 8,
        (struct raft_message){
            .type = RAFT_IMAGE_OFFER, .from = 11, .to = 12, .term = 9, .image_offer = {61, 62, 63, 64}});
    add(envelope, 9,
        (struct raft_message){
            .type = RAFT_APPEND_REQUEST, .from = 11, .to = 12, .term = 9, .append_request = {100, 8, 39, 18, 2, NULL}});
    add_images(envelope);
    /* Behind the others, as they come out. */
    add(envelope, 8,
        (struct raft_message){.type = RAFT_HEARTBEAT_REQUEST, .from = 11, .to = 12, .term = 9, .heartbeat = {21, 22}});
    add(envelope, 8,
        (struct raft_message){.type = RAFT_HEARTBEAT_REPLY, .from = 11, .to = 12, .term = 9, .heartbeat = {23, 24}});
}

#define SAME(field) assert_int_equal(a->field, b->field)

static void assert_same_raft(const struct raft_message *a, const struct raft_message *b) {
    SAME(type), SAME(from), SAME(to), SAME(term);
    if (a->type == RAFT_VOTE_REQUEST || a->type == RAFT_PRE_VOTE_REQUEST)
        SAME(vote_request.last_index), SAME(vote_request.last_term), SAME(vote_request.transfer);
    else if (a->type == RAFT_VOTE_REPLY || a->type == RAFT_PRE_VOTE_REPLY)
        SAME(vote_reply.granted), SAME(vote_reply.campaign_term);
    else if (a->type == RAFT_APPEND_REQUEST)
        SAME(append_request.prev_index), SAME(append_request.prev_term), SAME(append_request.commit),
            SAME(append_request.sequence), SAME(append_request.count), assert_null(b->append_request.entries);
    else if (a->type == RAFT_APPEND_REPLY)
        SAME(append_reply.accepted), SAME(append_reply.sequence), SAME(append_reply.durable),
            SAME(append_reply.received), SAME(append_reply.prev_index), SAME(append_reply.last_index),
            SAME(append_reply.hint_index), SAME(append_reply.hint_term);
    else if (a->type == RAFT_HEARTBEAT_REQUEST || a->type == RAFT_HEARTBEAT_REPLY)
        SAME(heartbeat.commit), SAME(heartbeat.sequence);
    else if (a->type == RAFT_TIMEOUT_NOW)
        SAME(timeout_now.index), SAME(timeout_now.entry_term);
    else if (a->type == RAFT_IMAGE_OFFER)
        SAME(image_offer.index), SAME(image_offer.entry_term), SAME(image_offer.commit), SAME(image_offer.sequence);
    else
        SAME(read.id), SAME(read.index), SAME(read.status);
}

static void assert_same_page(const struct image_message *a, const struct image_message *b) {
    SAME(page.entry_term), SAME(page.base_index), SAME(page.base_term), SAME(page.configuration_index), SAME(page.page);
    SAME(page.page_count), SAME(page.configuration_bytes), SAME(page.segment_count), SAME(page.row_count);
    assert_memory_equal(a->page.configuration, b->page.configuration, a->page.configuration_bytes);
    for (size_t i = 0; i < a->page.segment_count; i++)
        assert_true(log_segment_equal(&a->page.segments[i], &b->page.segments[i]));
    for (size_t i = 0; i < a->page.row_count; i++) {
        assert_true(lf_bytes_equal(a->page.rows[i].key, b->page.rows[i].key));
        assert_true(lf_bytes_equal(a->page.rows[i].value, b->page.rows[i].value));
        assert_non_null(b->page.rows[i].value.data); /* empty is not absent */
    }
}

static void assert_same_image(const struct image_message *a, const struct image_message *b) {
    assert_int_equal(!a, !b);
    if (!a)
        return;
    SAME(kind), SAME(image), SAME(session);
    if (a->kind == IMAGE_PULL)
        SAME(pull.page), SAME(pull.first_index), SAME(pull.last_index), SAME(pull.from_index), SAME(pull.credit_bytes);
    else if (a->kind == IMAGE_PAGE)
        assert_same_page(a, b);
    else
        SAME(piece.sequence), SAME(piece.first_index), SAME(piece.last_index), SAME(piece.count), SAME(piece.last),
            SAME(piece.gone);
}

static void assert_same_message(const struct peer_message *a, const struct peer_message *b) {
    SAME(group);
    assert_same_image(a->image, b->image);
    if (a->image)
        SAME(raft.from), SAME(raft.to), SAME(raft.term);
    else
        assert_same_raft(&a->raft, &b->raft);
    uint32_t count = peer_message_entries(a);
    for (uint32_t i = 0; i < count; i++)
        assert_ptr_equal(a->entries[i], b->entries[i]);
}

static struct lf_buf *header_of(struct peer_envelope *envelope) {
    struct peer_frames frames = {0};
    assert_int_equal(peer_codec_encode(envelope, &frames), LF_OK);
    assert_int_equal(frames.count, 1);
    struct lf_buf *header = lf_buf_ref(frames.frames[0]);
    peer_frames_deinit(&frames);
    return header;
}

static void make_greeting(struct peer_envelope *envelope) {
    struct peer_greeting *greeting = envelope->greeting = calloc(1, sizeof *greeting);
    *greeting = (struct peer_greeting){.cluster_name = "flume",
                                       .replaces = true,
                                       .words = "t/0 has 1 of 3 replicas",
                                       .self = {.node_id = 1, .host = "one", .client_port = 0, .peer_port = 7701},
                                       .metadata_index = 77,
                                       .joining = true,
                                       .refusal = PEER_REFUSAL_OTHER_STORE,
                                       .from_controller = true,
                                       .replica_id = 9,
                                       .voters = {3, 1, 2},
                                       .voter_count = 3,
                                       .member_count = PEER_MEMBERS_MAX};
    for (uint32_t i = 0; i < PEER_MEMBERS_MAX; i++)
        greeting->members[i] = (struct peer_member){.node_id = i + 1,
                                                    .replica_id = i,
                                                    .host = "h",
                                                    .client_port = 1 + i,
                                                    .peer_port = 65535 - i,
                                                    .pinned = i % 2,
                                                    .store_uuid = {i % 2 ? (uint8_t)i : 0}};
}

static void greeting_comes_back_as_it_went(void **state) {
    (void)state;
    struct peer_envelope *envelope = make_envelope(PEER_LANE_CONTROL), *back = NULL;
    envelope->to_incarnation = 0;
    make_greeting(envelope);
    struct lf_buf *header = header_of(envelope);
    assert_int_equal(peer_codec_decode(&header, 1, &back, NULL), LF_OK);
    assert_memory_equal(back->greeting, envelope->greeting, sizeof *back->greeting);
    peer_envelope_destroy(&back);
    peer_envelope_destroy(&envelope);
    lf_buf_unref(&header);
}

static void greeting_that_cannot_be_is_malformed(void **state) {
    (void)state;
    for (int what = 0; what < 8; what++) {
        struct peer_envelope *envelope = make_envelope(PEER_LANE_CONTROL), *back = NULL;
        make_greeting(envelope);
        struct peer_greeting *greeting = envelope->greeting;
        struct peer_member *member = &greeting->members[5];
        if (what == 0)
            greeting->self.node_id = 2; /* in another's name */
        else if (what == 1)
            greeting->self.host[0] = '\0';
        else if (what == 2)
            member->node_id = 0;
        else if (what == 3)
            member->peer_port = 0;
        else if (what == 4)
            member->client_port = 65536;
        else if (what == 5)
            greeting->voters[2] = 3; /* twice */
        else if (what == 6)
            greeting->voters[0] = 0;
        else
            greeting->metadata_index = PEER_CODEC_NUMBER_LIMIT;
        struct lf_buf *header = header_of(envelope);
        struct lf_error error = {0};
        assert_int_equal(peer_codec_decode(&header, 1, &back, &error), LF_MALFORMED);
        assert_null(back);
        assert_true(error.text[0] != '\0');
        peer_envelope_destroy(&envelope);
        lf_buf_unref(&header);
    }
}

static void reports_come_back_as_they_went_and_are_bounded(void **state) {
    (void)state;
    struct peer_envelope *envelope = make_envelope(PEER_LANE_CONTROL), *back = NULL;
    for (uint64_t i = 0; i < PEER_REPORTS_MAX; i++) {
        struct peer_report report = {.group = i, .kind = (enum peer_report_kind)(i % 3), .value = 1000 + i};
        assert_int_equal(peer_envelope_add_report(envelope, &report), LF_OK);
    }
    assert_int_equal(peer_envelope_add_report(envelope, &envelope->reports[0]), LF_FULL);
    struct lf_buf *header = header_of(envelope);
    assert_int_equal(peer_codec_decode(&header, 1, &back, NULL), LF_OK);
    assert_int_equal(back->report_count, PEER_REPORTS_MAX);
    for (size_t i = 0; i < back->report_count; i++) {
        assert_int_equal(back->reports[i].group, i);
        assert_int_equal(back->reports[i].kind, i % 3);
        assert_int_equal(back->reports[i].value, 1000 + i);
    }
    peer_envelope_destroy(&back);
    lf_buf_unref(&header);
    envelope->to_incarnation = 0; /* nobody to whom anything but a greeting may be said */
    header = header_of(envelope);
    assert_int_equal(peer_codec_decode(&header, 1, &back, NULL), LF_MALFORMED);
    peer_envelope_destroy(&envelope);
    lf_buf_unref(&header);
}

static void every_message_type_comes_back_as_it_went(void **state) {
    (void)state;
    struct peer_envelope *envelope = make_envelope(PEER_LANE_DATA);
    add_one_of_each(envelope);
    struct peer_frames frames = {0};
    assert_int_equal(peer_codec_encode(envelope, &frames), LF_OK);
    assert_int_equal(frames.count, 1 + 3 + 2 + 3);
    struct peer_envelope *back = NULL;
    struct lf_error error = {0};
    assert_int_equal(peer_codec_decode(frames.frames, frames.count, &back, &error), LF_OK);
    assert_memory_equal(back->cluster_id, envelope->cluster_id, LOG_STORE_ID_BYTES);
    assert_memory_equal(back->founding_hash, envelope->founding_hash, LOG_STORE_ID_BYTES);
    assert_memory_equal(back->store_uuid, envelope->store_uuid, LOG_STORE_ID_BYTES);
    assert_int_equal(back->protocol_version, 1);
    assert_int_equal(back->from_node, 1);
    assert_int_equal(back->to_node, 2);
    assert_int_equal(back->from_incarnation, envelope->from_incarnation);
    assert_int_equal(back->to_incarnation, envelope->to_incarnation);
    assert_int_equal(back->wall_clock_ms, -5);
    assert_int_equal(back->space_level, 2);
    assert_int_equal(back->lane, PEER_LANE_DATA);
    assert_int_equal(back->message_count, envelope->message_count);
    for (size_t i = 0; i < back->message_count; i++)
        assert_same_message(&back->messages[i], &envelope->messages[i]);
    peer_frames_deinit(&frames);
    peer_envelope_destroy(&envelope);
    peer_envelope_destroy(&back); /* the last holder of the entries */
}

static void a_greeting_is_one_frame(void **state) {
    (void)state;
    struct peer_envelope *envelope = make_envelope(PEER_LANE_CONTROL);
    envelope->to_incarnation = 0;
    struct peer_frames frames = {0};
    assert_int_equal(peer_codec_encode(envelope, &frames), LF_OK);
    assert_int_equal(frames.count, 1);
    struct peer_envelope *back = NULL;
    assert_int_equal(peer_codec_decode(frames.frames, frames.count, &back, NULL), LF_OK);
    assert_int_equal(back->message_count, 0);
    peer_frames_deinit(&frames);
    peer_envelope_destroy(&envelope);
    peer_envelope_destroy(&back);
}

static void the_largest_envelope_fits_its_header(void **state) {
    (void)state;
    struct peer_envelope *envelope = make_envelope(PEER_LANE_CONTROL);
    const uint64_t big = PEER_CODEC_NUMBER_LIMIT - 1;
    struct raft_message raft = {.type = RAFT_APPEND_REPLY,
                                .from = UINT64_MAX,
                                .to = UINT64_MAX,
                                .term = big,
                                .append_reply = {true, big, big, big, big, big, big, big}};
    for (size_t i = 0; i < PEER_ENVELOPE_MESSAGES_MAX; i++)
        add(envelope, UINT64_MAX, raft);
    struct peer_message extra = {.group = 1, .raft = raft};
    assert_int_equal(peer_envelope_add(envelope, &extra), LF_FULL);
    struct peer_frames frames = {0};
    assert_int_equal(peer_codec_encode(envelope, &frames), LF_OK);
    assert_true(frames.bytes <= PEER_CODEC_HEADER_BYTES_MAX);
    struct peer_envelope *back = NULL;
    assert_int_equal(peer_codec_decode(frames.frames, frames.count, &back, NULL), LF_OK);
    assert_int_equal(back->message_count, PEER_ENVELOPE_MESSAGES_MAX);
    peer_frames_deinit(&frames);
    peer_envelope_destroy(&envelope);
    peer_envelope_destroy(&back);
}

/* Wire forms, for what our encoder never writes. */

static uint8_t id_bytes[LOG_STORE_ID_BYTES];

static Lf__PeerEnvelope wire_envelope(void) {
    Lf__PeerEnvelope wire = LF__PEER_ENVELOPE__INIT;
    wire.protocol_version = 1;
    wire.cluster_id = wire.founding_hash = wire.store_uuid = (ProtobufCBinaryData){LOG_STORE_ID_BYTES, id_bytes};
    wire.from_node = 1;
    wire.to_node = 2;
    wire.from_incarnation = 5;
    wire.to_incarnation = 6;
    wire.lane = PEER_LANE_CONTROL;
    return wire;
}

static enum lf_status decode_wire(const Lf__PeerEnvelope *wire, struct lf_buf **entries, size_t entry_count,
                                  struct peer_envelope **out) {
    struct lf_buf *frames[8] = {lf_buf_new(lf__peer_envelope__get_packed_size(wire))};
    lf__peer_envelope__pack(wire, frames[0]->data);
    for (size_t i = 0; i < entry_count; i++)
        frames[1 + i] = entries[i];
    struct lf_error error = {0};
    enum lf_status status = peer_codec_decode(frames, 1 + entry_count, out, &error);
    assert_true(status == LF_OK || (error.code == status && strstr(error.text, "peer message: ") == error.text));
    lf_buf_unref(&frames[0]);
    return status;
}

static void assert_refused(const Lf__PeerEnvelope *wire) {
    struct peer_envelope *out = (void *)1;
    assert_int_equal(decode_wire(wire, NULL, 0, &out), LF_MALFORMED);
    assert_null(out);
}

static void wrong_heads_are_refused(void **state) {
    (void)state;
    struct peer_envelope *out = NULL;
    Lf__PeerEnvelope wire = wire_envelope();
    assert_int_equal(decode_wire(&wire, NULL, 0, &out), LF_OK);
    peer_envelope_destroy(&out);
    wire.lane = 0, assert_refused(&wire);
    wire.lane = 4, assert_refused(&wire);
    wire = wire_envelope(), wire.cluster_id.len = 15, assert_refused(&wire);
    wire = wire_envelope(), wire.founding_hash.len = 0, assert_refused(&wire);
    wire = wire_envelope(), wire.store_uuid.len = 3, assert_refused(&wire);
    wire = wire_envelope(), wire.from_node = 0, assert_refused(&wire);
    wire = wire_envelope(), wire.to_node = 0, assert_refused(&wire);
    wire = wire_envelope(), wire.protocol_version = 0, assert_refused(&wire);
    wire = wire_envelope(), wire.from_incarnation = 0, assert_refused(&wire);
    wire = wire_envelope(), wire.from_incarnation = 1ull << 62, assert_refused(&wire);
    wire = wire_envelope(), wire.wall_clock_ms = INT64_MIN, assert_refused(&wire);
}

static void wrong_messages_are_refused(void **state) {
    (void)state;
    Lf__VoteReply reply = LF__VOTE_REPLY__INIT;
    Lf__PeerMessage message = LF__PEER_MESSAGE__INIT;
    Lf__PeerMessage *messages[] = {&message};
    Lf__PeerEnvelope wire = wire_envelope();
    wire.messages = messages;
    wire.n_messages = 1;
    message.body_case = LF__PEER_MESSAGE__BODY_VOTE_REPLY;
    message.vote_reply = &reply;
    message.from_replica = 1;
    assert_refused(&wire); /* to replica 0 */
    message.to_replica = 2;
    struct peer_envelope *out = NULL;
    assert_int_equal(decode_wire(&wire, NULL, 0, &out), LF_OK);
    peer_envelope_destroy(&out);
    message.term = UINT64_MAX;
    assert_refused(&wire);
    message.term = 1;
    reply.campaign_term = UINT64_MAX;
    assert_refused(&wire);
    reply.campaign_term = 0;
    wire.to_incarnation = 0;
    assert_refused(&wire); /* only a greeting may go to an unknown incarnation */
}

static void heartbeats_of_a_thousand_groups_take_few_bytes(void **state) {
    (void)state;
    struct peer_envelope *envelope = make_envelope(PEER_LANE_CONTROL);
    for (uint64_t i = 0; i < 1000; i++)
        add(envelope, 1 + 3 * i,
            (struct raft_message){.type = i % 2 ? RAFT_HEARTBEAT_REQUEST : RAFT_HEARTBEAT_REPLY,
                                  .from = 1 + 9 * i,
                                  .to = 2 + 9 * i,
                                  .term = 5 + i % 3,
                                  .heartbeat = {1000000 + i % 7, 70000 + i % 11}});
    struct peer_frames frames = {0};
    assert_int_equal(peer_codec_encode(envelope, &frames), LF_OK);
    assert_int_equal(frames.count, 1);
    assert_true(frames.bytes < 1000 * 6 + 200);
    struct peer_envelope *back = NULL;
    assert_int_equal(peer_codec_decode(frames.frames, frames.count, &back, NULL), LF_OK);
    assert_int_equal(back->message_count, 1000);
    for (size_t i = 0; i < 1000; i++) /* requests, then answers */
        assert_same_message(&envelope->messages[i < 500 ? 2 * i + 1 : 2 * (i - 500)], &back->messages[i]);
    peer_frames_deinit(&frames);
    peer_envelope_destroy(&envelope);
    peer_envelope_destroy(&back);
}

static void the_largest_numbers_survive_as_differences(void **state) {
    (void)state;
    struct peer_envelope *envelope = make_envelope(PEER_LANE_CONTROL);
    const uint64_t big = PEER_CODEC_NUMBER_LIMIT - 1;
    for (size_t i = 0; i < PEER_ENVELOPE_MESSAGES_MAX; i++)
        add(envelope, i % 2 ? 0 : UINT64_MAX,
            (struct raft_message){.type = RAFT_HEARTBEAT_REQUEST,
                                  .from = i % 2 ? 1 : UINT64_MAX,
                                  .to = i % 2 ? UINT64_MAX : 1,
                                  .term = i % 2 ? 0 : big,
                                  .heartbeat = {i % 2 ? big : 0, i % 2 ? 0 : big}});
    struct peer_frames frames = {0};
    assert_int_equal(peer_codec_encode(envelope, &frames), LF_OK);
    struct peer_envelope *back = NULL;
    assert_int_equal(peer_codec_decode(frames.frames, frames.count, &back, NULL), LF_OK);
    assert_int_equal(back->message_count, PEER_ENVELOPE_MESSAGES_MAX);
    for (size_t i = 0; i < PEER_ENVELOPE_MESSAGES_MAX; i++)
        assert_same_message(&envelope->messages[i], &back->messages[i]);
    peer_frames_deinit(&frames);
    peer_envelope_destroy(&envelope);
    peer_envelope_destroy(&back);
}

/** Two beats, both legal. */
struct wire_beats {
    int64_t group[2], from[2], to[2], term[2], commit[2], sequence[2];
    Lf__Beats wire;
};

static void init_wire_beats(struct wire_beats *beats) {
    *beats = (struct wire_beats){.from = {1, 1}, .to = {2, 1}, .wire = LF__BEATS__INIT};
    beats->wire.n_group = beats->wire.n_from_replica = beats->wire.n_to_replica = 2;
    beats->wire.n_term = beats->wire.n_commit = beats->wire.n_sequence = 2;
    beats->wire.group = beats->group;
    beats->wire.from_replica = beats->from;
    beats->wire.to_replica = beats->to;
    beats->wire.term = beats->term;
    beats->wire.commit = beats->commit;
    beats->wire.sequence = beats->sequence;
}

static void wrong_heartbeats_are_refused(void **state) {
    (void)state;
    for (int answers = 0; answers < 2; answers++) {
        struct wire_beats beats;
        struct peer_envelope *out = NULL;
        Lf__PeerEnvelope wire = wire_envelope();
        init_wire_beats(&beats);
        *(answers ? &wire.heartbeat_replies : &wire.heartbeat_requests) = &beats.wire;
        assert_int_equal(decode_wire(&wire, NULL, 0, &out), LF_OK);
        assert_int_equal(out->message_count, 2);
        assert_int_equal(out->messages[1].raft.from, 2);
        peer_envelope_destroy(&out);

        size_t *counts[] = {&beats.wire.n_group, &beats.wire.n_from_replica, &beats.wire.n_to_replica,
                            &beats.wire.n_term,  &beats.wire.n_commit,       &beats.wire.n_sequence};
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            *counts[i] = i % 2;
            assert_refused(&wire); /* a column shorter than the others */
            *counts[i] = 2;
        }
        beats.from[1] = -1, assert_refused(&wire), init_wire_beats(&beats); /* replica 0 */
        beats.to[0] = 0, assert_refused(&wire), init_wire_beats(&beats);
        beats.term[1] = -1, assert_refused(&wire), init_wire_beats(&beats); /* below 0 is beyond the bound */
        beats.commit[0] = INT64_MAX, assert_refused(&wire), init_wire_beats(&beats);
        beats.sequence[0] = 1ll << 61, beats.sequence[1] = 1ll << 61, assert_refused(&wire), init_wire_beats(&beats);
        wire.to_incarnation = 0, assert_refused(&wire);
    }
}

static void more_heartbeats_than_an_envelope_holds_are_refused(void **state) {
    (void)state;
    enum { MANY = PEER_ENVELOPE_MESSAGES_MAX + 1 };
    struct wire_beats beats;
    init_wire_beats(&beats);
    int64_t *zeroes = calloc(MANY, sizeof *zeroes), *ones = calloc(MANY, sizeof *ones);
    ones[0] = 1;
    beats.wire.n_group = beats.wire.n_from_replica = beats.wire.n_to_replica = MANY;
    beats.wire.n_term = beats.wire.n_commit = beats.wire.n_sequence = MANY;
    beats.wire.group = beats.wire.term = beats.wire.commit = beats.wire.sequence = zeroes;
    beats.wire.from_replica = beats.wire.to_replica = ones;
    Lf__PeerEnvelope wire = wire_envelope();
    wire.heartbeat_requests = &beats.wire;
    struct peer_envelope *out = NULL;
    assert_int_equal(decode_wire(&wire, NULL, 0, &out), LF_TOO_LARGE);
    assert_null(out);
    free(zeroes);
    free(ones);
}

static void messages_of_a_newer_peer_are_skipped(void **state) {
    (void)state;
    Lf__PeerMessage unknown = LF__PEER_MESSAGE__INIT;
    Lf__PeerMessage status = LF__PEER_MESSAGE__INIT;
    Lf__PeerMessage known = LF__PEER_MESSAGE__INIT;
    Lf__ReadIndex strange = LF__READ_INDEX__INIT;
    Lf__ReadIndex plain = LF__READ_INDEX__INIT;
    Lf__PeerMessage *messages[] = {&unknown, &status, &known};
    Lf__PeerEnvelope wire = wire_envelope();
    wire.messages = messages;
    wire.n_messages = 3;
    for (int i = 0; i < 3; i++)
        messages[i]->from_replica = messages[i]->to_replica = 1;
    strange.status = 9999;
    status.body_case = known.body_case = LF__PEER_MESSAGE__BODY_READ_REPLY;
    status.read_reply = &strange;
    known.read_reply = &plain;
    struct peer_envelope *out = NULL;
    assert_int_equal(decode_wire(&wire, NULL, 0, &out), LF_OK);
    assert_int_equal(out->message_count, 1);
    assert_int_equal(out->messages[0].raft.read.status, LF_OK);
    peer_envelope_destroy(&out);
}

static void entries_must_be_exactly_what_messages_name(void **state) {
    (void)state;
    Lf__AppendRequest append = LF__APPEND_REQUEST__INIT;
    Lf__PeerMessage message = LF__PEER_MESSAGE__INIT;
    Lf__PeerMessage *messages[] = {&message};
    Lf__PeerEnvelope wire = wire_envelope();
    wire.messages = messages;
    wire.n_messages = 1;
    message.body_case = LF__PEER_MESSAGE__BODY_APPEND_REQUEST;
    message.append_request = &append;
    message.from_replica = message.to_replica = 1;
    struct lf_buf *entries[] = {make_entry(1, 10), make_entry(2, 0), lf_buf_new(LF_ENTRY_HEADER_BYTES - 1)};
    memset(entries[2]->data, 0, entries[2]->size);
    struct peer_envelope *out = NULL;
    append.count = 3;
    assert_int_equal(decode_wire(&wire, entries, 2, &out), LF_MALFORMED);
    append.count = UINT32_MAX;
    assert_int_equal(decode_wire(&wire, entries, 2, &out), LF_MALFORMED);
    append.count = 1;
    assert_int_equal(decode_wire(&wire, entries, 2, &out), LF_MALFORMED);
    append.count = 3;
    assert_int_equal(decode_wire(&wire, entries, 3, &out), LF_MALFORMED); /* the third is no entry */
    append.count = 2;
    assert_int_equal(decode_wire(&wire, entries, 2, &out), LF_OK);
    assert_int_equal(out->entry_count, 2);
    peer_envelope_destroy(&out);
    for (size_t i = 0; i < 3; i++)
        lf_buf_unref(&entries[i]);
}

static void counts_beyond_the_bounds_are_refused(void **state) {
    (void)state;
    struct peer_envelope *out = NULL;
    assert_int_equal(peer_codec_decode(NULL, 0, &out, NULL), LF_MALFORMED);
    struct lf_buf *one = lf_buf_new(PEER_CODEC_HEADER_BYTES_MAX + 1);
    memset(one->data, 0, one->size);
    assert_int_equal(peer_codec_decode(&one, 1, &out, NULL), LF_TOO_LARGE);
    assert_int_equal(peer_codec_decode(&one, PEER_CODEC_FRAMES_MAX + 1, &out, NULL), LF_TOO_LARGE);
    /* Half a million empty messages: 2 bytes each on the wire, 80 and more unpacked. */
    one->size = PEER_CODEC_HEADER_BYTES_MAX;
    for (uint32_t i = 0; i < one->size; i += 2)
        one->data[i] = 11 << 3 | 2, one->data[i + 1] = 0;
    assert_int_equal(peer_codec_decode(&one, 1, &out, NULL), LF_MALFORMED);
    lf_buf_unref(&one);
}

static void cut_headers_are_refused_or_decoded_never_worse(void **state) {
    (void)state;
    struct peer_envelope *envelope = make_envelope(PEER_LANE_DATA);
    add_one_of_each(envelope);
    struct peer_frames frames = {0};
    assert_int_equal(peer_codec_encode(envelope, &frames), LF_OK);
    uint32_t size = frames.frames[0]->size;
    size_t refused = 0;
    for (uint32_t cut = 0; cut < size; cut++) {
        frames.frames[0]->size = cut;
        struct peer_envelope *out = NULL;
        refused += peer_codec_decode(frames.frames, frames.count, &out, NULL) != LF_OK;
        peer_envelope_destroy(&out);
    }
    assert_int_equal(refused, size - 3); /* a header may end before the heartbeats, between both kinds, after them */
    frames.frames[0]->size = size;
    peer_frames_deinit(&frames);
    peer_envelope_destroy(&envelope);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_type_comes_back_as_it_went),
        cmocka_unit_test(greeting_comes_back_as_it_went),
        cmocka_unit_test(greeting_that_cannot_be_is_malformed),
        cmocka_unit_test(reports_come_back_as_they_went_and_are_bounded),
        cmocka_unit_test(a_greeting_is_one_frame),
        cmocka_unit_test(the_largest_envelope_fits_its_header),
        cmocka_unit_test(wrong_heads_are_refused),
        cmocka_unit_test(wrong_messages_are_refused),
        cmocka_unit_test(heartbeats_of_a_thousand_groups_take_few_bytes),
        cmocka_unit_test(the_largest_numbers_survive_as_differences),
        cmocka_unit_test(wrong_heartbeats_are_refused),
        cmocka_unit_test(more_heartbeats_than_an_envelope_holds_are_refused),
        cmocka_unit_test(messages_of_a_newer_peer_are_skipped),
        cmocka_unit_test(entries_must_be_exactly_what_messages_name),
        cmocka_unit_test(counts_beyond_the_bounds_are_refused),
        cmocka_unit_test(cut_headers_are_refused_or_decoded_never_worse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
