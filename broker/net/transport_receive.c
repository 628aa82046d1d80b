/** Multiparts in. */
#include "transport_internal.h"

#include "zmq_frame.h"

#include <stdlib.h>

size_t transport_receive_frames(zsock_t *socket, zmq_msg_t *first, struct lf_buf **frames, size_t max, bool *lost) {
    void *handle = zsock_resolve(socket);
    size_t count = 0;
    *lost = false;
    zmq_msg_init(first);
    if (zmq_msg_recv(first, handle, ZMQ_DONTWAIT) < 0)
        return 0;
    for (bool more = zmq_msg_more(first); more; count++) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        if (zmq_msg_recv(&message, handle, ZMQ_DONTWAIT) < 0)
            break; /* cannot be: ZeroMQ delivers whole multiparts */
        more = zmq_msg_more(&message);
        if (count < max) {
            frames[count] = zmq_frame_receive(&message);
            *lost |= frames[count] == NULL;
        } else {
            zmq_msg_close(&message);
        }
    }
    return count + 1;
}

static void drop_frames(struct lf_buf **frames, size_t count) {
    for (size_t i = 0; i < count; i++)
        lf_buf_unref(&frames[i]);
}

void transport_client_message_deinit(struct transport_client_message *message) {
    for (size_t i = 0; i < message->count; i++)
        lf_buf_unref(&message->frames[i].buf);
    message->count = 0;
}

enum lf_status transport_receive_client(struct transport *transport, struct transport_client_message *message) {
    struct lf_buf *frames[TRANSPORT_CLIENT_FRAMES_MAX] = {NULL};
    zmq_msg_t routing_id;
    bool lost;
    message->count = 0;
    size_t parts =
        transport_receive_frames(transport->clients, &routing_id, frames, TRANSPORT_CLIENT_FRAMES_MAX, &lost);
    if (parts == 0) {
        zmq_msg_close(&routing_id);
        return LF_AGAIN;
    }
    size_t count = parts - 1 < TRANSPORT_CLIENT_FRAMES_MAX ? parts - 1 : TRANSPORT_CLIENT_FRAMES_MAX;
    message->session =
        session_table_open(&transport->sessions, lf_bytes(zmq_msg_data(&routing_id), zmq_msg_size(&routing_id)));
    zmq_msg_close(&routing_id);
    if (message->session == 0 || lost || count == 0) {
        drop_frames(frames, count);
        transport->counts.client_refused++;
        return LF_NOT_FOUND;
    }
    if (parts - 1 > TRANSPORT_CLIENT_FRAMES_MAX) { /* the header alone: the node refuses it in words */
        drop_frames(frames + 1, count - 1);
        count = 1;
        transport->counts.client_refused++;
    }
    for (size_t i = 0; i < count; i++)
        message->frames[i] = (struct node_frame){.buf = frames[i], .size = frames[i]->size};
    message->count = count;
    transport->counts.client_in++;
    return LF_OK;
}

enum lf_status transport_receive_peer(struct transport *transport, struct peer_frames *frames) {
    zmq_msg_t routing_id;
    bool lost;
    size_t parts =
        transport_receive_frames(transport->receiver, &routing_id, transport->scratch, PEER_CODEC_FRAMES_MAX, &lost);
    zmq_msg_close(&routing_id);
    if (parts == 0)
        return LF_AGAIN;
    size_t count = parts - 1 < PEER_CODEC_FRAMES_MAX ? parts - 1 : PEER_CODEC_FRAMES_MAX;
    frames->frames = lost || parts - 1 > count || count == 0 ? NULL : malloc(count * sizeof(struct lf_buf *));
    if (!frames->frames) {
        drop_frames(transport->scratch, count);
        transport->counts.peer_refused++;
        return LF_TOO_LARGE;
    }
    for (size_t i = 0; i < count; i++) {
        frames->frames[i] = transport->scratch[i];
        frames->bytes += transport->scratch[i]->size;
    }
    frames->count = count;
    transport->counts.peer_in++;
    return LF_OK;
}
