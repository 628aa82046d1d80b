/** Multiparts out. */
#include "transport_internal.h"

#include "lf_check.h"
#include "zmq_frame.h"

static bool send_frame(void *handle, zmq_msg_t *message, bool more) {
    if (zmq_msg_send(message, handle, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) >= 0)
        return true;
    zmq_msg_close(message);
    return false;
}

/** ZeroMQ judges at the first frame; the frames after it follow it whatever happens. */
static bool send_routing_id(void *handle, const uint8_t routing_id[SESSION_ROUTING_ID_BYTES]) {
    zmq_msg_t message;
    if (zmq_msg_init_size(&message, SESSION_ROUTING_ID_BYTES) != 0)
        return false;
    memcpy(zmq_msg_data(&message), routing_id, SESSION_ROUTING_ID_BYTES);
    return send_frame(handle, &message, true);
}

/** The last frame carries the bytes of all: when it is taken, the others were. */
static bool send_frames(void *handle, const struct node_client_send *send, struct unsent *unsent) {
    for (size_t i = 0; i < send->count; i++) {
        const struct node_frame *frame = &send->frames[i];
        bool last = i + 1 == send->count;
        zmq_msg_t message;
        bool made = last ? zmq_frame_send_counted(&message, frame->buf, frame->offset, frame->size, unsent,
                                                  node_client_send_bytes(send))
                         : zmq_frame_send(&message, frame->buf, frame->offset, frame->size);
        lf_checkf(made, "no memory for a frame of %u bytes", frame->size);
        if (!send_frame(handle, &message, !last))
            return false;
    }
    return true;
}

enum lf_status transport_send_client(struct transport *transport, const struct node_client_send *send) {
    uint8_t routing_id[SESSION_ROUTING_ID_BYTES];
    if (!session_table_find(&transport->sessions, send->session, routing_id))
        return LF_NOT_FOUND;
    lf_check(send->count > 0);
    void *handle = zsock_resolve(transport->clients);
    struct unsent *unsent = session_table_unsent(&transport->sessions, send->session);
    if (send_routing_id(handle, routing_id) && send_frames(handle, send, unsent)) {
        transport->counts.client_out++;
        return LF_OK;
    }
    session_table_close(&transport->sessions, send->session);
    transport->counts.client_gone++;
    return LF_NOT_FOUND;
}

bool transport_unsent(const struct transport *transport, uint64_t session, struct transport_unsent *out) {
    const struct unsent *unsent = session_table_unsent(&transport->sessions, session);
    *out = (struct transport_unsent){.session_bytes = unsent ? unsent_bytes(unsent) : 0,
                                     .total_bytes = unsent_bytes(transport->sessions.sum)};
    return unsent != NULL;
}

void transport_close_session(struct transport *transport, uint64_t session) {
    session_table_close(&transport->sessions, session);
}

/** A connection that ends in the middle refuses one frame and swallows those after it, so all are handed over. */
static void send_now(struct transport *transport, size_t lane, struct peer_frames *frames) {
    zsock_t *socket = transport->peers[lane / PEER_LANE_COUNT].lanes[lane % PEER_LANE_COUNT];
    if (!socket) { /* held back until its peer was forgotten */
        transport->counts.peer_dropped++;
        peer_frames_deinit(frames);
        return;
    }
    void *handle = zsock_resolve(socket);
    bool sent = true;
    for (size_t i = 0; i < frames->count; i++) {
        zmq_msg_t message;
        bool made = zmq_frame_send(&message, frames->frames[i], 0, frames->frames[i]->size);
        lf_checkf(made, "no memory for a frame of %u bytes", frames->frames[i]->size);
        sent &= send_frame(handle, &message, i + 1 < frames->count);
        if (!sent && i == 0)
            break; /* refused as a whole: no connection, or its queue is full */
    }
    struct transport_peer *peer = &transport->peers[lane / PEER_LANE_COUNT];
    if (sent) {
        transport->counts.peer_out++;
        peer->sent[lane % PEER_LANE_COUNT]++;
    } else {
        transport->counts.peer_dropped++;
        peer->dropped[lane % PEER_LANE_COUNT]++;
    }
    peer_frames_deinit(frames);
}

static void copy_frames(const struct peer_frames *from, struct peer_frames *to) {
    *to = (struct peer_frames){.bytes = from->bytes};
    to->frames = malloc(from->count * sizeof(struct lf_buf *));
    for (; to->frames && to->count < from->count; to->count++)
        to->frames[to->count] = lf_buf_ref(from->frames[to->count]);
}

static void misbehave(struct transport *transport, size_t lane, struct peer_frames *frames, uint64_t now_ms) {
    struct unreliable_fate fates[2];
    struct peer_frames copy = {0};
    int copies = unreliable_decide(&transport->unreliable, fates);
    if (copies == 2)
        copy_frames(frames, &copy);
    transport->counts.peer_dropped += !delay_queue_put(transport->delayed, lane, &fates[0], frames, now_ms);
    if (copy.count > 0)
        transport->counts.peer_dropped += !delay_queue_put(transport->delayed, lane, &fates[1], &copy, now_ms);
    transport_advance(transport, now_ms);
}

void transport_send_peer(struct transport *transport, uint64_t node_id, enum peer_lane lane, struct peer_frames *frames,
                         uint64_t now_ms) {
    lf_check(frames->count > 0);
    for (size_t i = 0; i < NODE_PEERS_MAX; i++) {
        if (transport->peers[i].node_id != node_id)
            continue;
        size_t at = i * PEER_LANE_COUNT + (size_t)lane - PEER_LANE_CONTROL;
        if (transport->delayed)
            misbehave(transport, at, frames, now_ms);
        else
            send_now(transport, at, frames);
        return;
    }
    transport->counts.peer_dropped++;
    peer_frames_deinit(frames);
}

void transport_advance(struct transport *transport, uint64_t now_ms) {
    struct peer_frames frames = {0};
    size_t lane;
    while (transport->delayed && delay_queue_take(transport->delayed, now_ms, &lane, &frames))
        send_now(transport, lane, &frames);
}

uint64_t transport_deadline(const struct transport *transport) {
    return transport->delayed ? delay_queue_deadline(transport->delayed) : UINT64_MAX;
}
