/** The sockets: one DEALER per connection of the core, and its monitor, which says when the line is cut.
 *
 *  ZeroMQ does not reconnect for us: a connection is one session; the core decides when to try again.
 */
#include "edge.h"

#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#define HANDSHAKE_MS 3000
#define CONNECT_MS 3000
#define FRAMES_MAX 1024 /* in one multipart: a delivery's batches and its header */

static struct lf_connection *find(struct lf_client *client, uint64_t id) {
    for (size_t i = 0; i < client->connection_count; i++)
        if (client->connections[i].id == id)
            return &client->connections[i];
    return NULL;
}

static void set(void *socket, int option, int value) { zmq_setsockopt(socket, option, &value, sizeof value); }

static void *dealer_new(struct lf_client *client) {
    void *socket = zmq_socket(client->context, ZMQ_DEALER);
    if (!socket)
        return NULL;
    set(socket, ZMQ_LINGER, 0);
    set(socket, ZMQ_RECONNECT_IVL, -1);
    set(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
    set(socket, ZMQ_CONNECT_TIMEOUT, CONNECT_MS);
    set(socket, ZMQ_SNDHWM, 0); /* credit bounds what is queued, in both directions */
    set(socket, ZMQ_RCVHWM, 0);
    set(socket, ZMQ_IPV6, 1);
    int64_t frame_bytes_max = LF_EDGE_FRAME_BYTES_MAX;
    zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_bytes_max, sizeof frame_bytes_max);
    return socket;
}

static void *monitor_new(struct lf_client *client, void *socket) {
    char address[64];
    snprintf(address, sizeof address, "inproc://monitor-%llu", (unsigned long long)++client->monitors);
    int events = ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    if (zmq_socket_monitor(socket, address, events) != 0)
        return NULL;
    void *monitor = zmq_socket(client->context, ZMQ_PAIR);
    if (!monitor)
        return NULL;
    set(monitor, ZMQ_LINGER, 0);
    if (zmq_connect(monitor, address) != 0) {
        zmq_close(monitor);
        return NULL;
    }
    return monitor;
}

void lf_connection_open(struct lf_client *client, uint64_t id, const char *host, uint32_t port) {
    if (client->connection_count == LF_EDGE_CONNECTIONS_MAX)
        return; /* the core hears no hello and tries again later */
    char address[320];
    snprintf(address, sizeof address, "tcp://%s:%u", host, port);
    struct lf_connection *connection = &client->connections[client->connection_count];
    *connection = (struct lf_connection){.id = id, .socket = dealer_new(client)};
    if (connection->socket)
        connection->monitor = monitor_new(client, connection->socket);
    if (connection->monitor && zmq_connect(connection->socket, address) == 0) {
        client->connection_count++;
        return;
    }
    if (connection->monitor)
        zmq_close(connection->monitor);
    if (connection->socket)
        zmq_close(connection->socket);
}

void lf_connection_close(struct lf_client *client, uint64_t id, bool farewell) {
    struct lf_connection *connection = find(client, id);
    if (!connection)
        return;
    zmq_socket_monitor(connection->socket, NULL, 0);
    if (farewell)
        set(connection->socket, ZMQ_LINGER, LF_EDGE_FAREWELL_MS);
    zmq_close(connection->socket);
    zmq_close(connection->monitor);
    *connection = client->connections[--client->connection_count];
}

void lf_connections_close(struct lf_client *client) {
    while (client->connection_count > 0)
        lf_connection_close(client, client->connections[0].id, false);
}

/* ---- out --------------------------------------------------------------------------------------------------------- */

static void frame_sent(void *data, void *hint) {
    (void)data;
    struct lf_buf *buf = hint;
    lf_buf_unref(&buf);
}

static bool frame_send(void *socket, struct lf_frame *frame, int flags) {
    zmq_msg_t message;
    uint8_t *data = frame->buf->data + frame->offset;
    if (frame->size < LF_EDGE_COPY_BELOW) {
        if (zmq_msg_init_size(&message, frame->size) != 0)
            return false;
        memcpy(zmq_msg_data(&message), data, frame->size);
    } else {
        if (zmq_msg_init_data(&message, data, frame->size, frame_sent, frame->buf) != 0)
            return false;
        frame->buf = NULL; /* ZeroMQ's reference now */
    }
    if (zmq_msg_send(&message, socket, flags | ZMQ_DONTWAIT) >= 0)
        return true;
    zmq_msg_close(&message);
    return false;
}

void lf_connection_send(struct lf_client *client, uint64_t id, struct lf_frame *frames, size_t count) {
    struct lf_connection *connection = find(client, id);
    for (size_t i = 0; connection && i < count; i++)
        if (!frame_send(connection->socket, &frames[i], i + 1 < count ? ZMQ_SNDMORE : 0))
            return; /* the line is cut: the monitor says so, or no answer comes */
}

/* ---- in ---------------------------------------------------------------------------------------------------------- */

static void message_release(void *owner) {
    zmq_msg_close(owner);
    free(owner);
}

/* NULL: no memory; the message is closed in any case. Large frames stay where ZeroMQ received them. */
static struct lf_buf *buf_of(zmq_msg_t *message) {
    size_t size = zmq_msg_size(message);
    struct lf_buf *buf = NULL;
    if (size < LF_EDGE_COPY_BELOW) {
        buf = lf_buf_copy(lf_bytes(zmq_msg_data(message), size));
        zmq_msg_close(message);
        return buf;
    }
    zmq_msg_t *kept = malloc(sizeof *kept);
    if (kept) {
        zmq_msg_init(kept);
        zmq_msg_move(kept, message);
        buf = lf_buf_new_foreign(zmq_msg_data(kept), size, message_release, kept);
        if (!buf)
            message_release(kept);
    }
    zmq_msg_close(message);
    return buf;
}

/* One multipart to the core. False: there is none. */
static bool receive_one(struct lf_client *client, uint64_t id, void *socket) {
    struct lf_frame frames[FRAMES_MAX];
    size_t count = 0;
    bool whole = true;
    for (int more = 1; more;) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        if (zmq_msg_recv(&message, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&message);
            if (count == 0)
                return false;
            whole = false;
            break;
        }
        more = zmq_msg_more(&message);
        struct lf_buf *buf = count < FRAMES_MAX ? buf_of(&message) : (zmq_msg_close(&message), NULL);
        if (buf)
            frames[count++] = (struct lf_frame){.buf = buf, .size = buf->size};
        else
            whole = false;
    }
    if (whole) {
        struct lf_core_event event = {.type = LF_CORE_FRAMES};
        event.frames.connection = id;
        event.frames.frames = frames;
        event.frames.count = count;
        lf_io_step(client, &event, NULL);
    }
    for (size_t i = 0; i < count; i++)
        lf_buf_unref(&frames[i].buf);
    if (!whole) { /* a hole in what it said: start anew */
        lf_connection_close(client, id, false);
        struct lf_core_event event = {.type = LF_CORE_GONE};
        event.gone = id;
        lf_io_step(client, &event, NULL);
    }
    return true;
}

static bool monitor_says_gone(void *monitor) {
    bool gone = false;
    for (;;) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        int size = zmq_msg_recv(&message, monitor, ZMQ_DONTWAIT);
        bool event = size >= 6 && zmq_msg_more(&message); /* its second frame is the address */
        gone = gone || event;
        zmq_msg_close(&message);
        if (size < 0)
            return gone;
    }
}

bool lf_connections_receive(struct lf_client *client) {
    uint64_t ids[LF_EDGE_CONNECTIONS_MAX];
    size_t count = client->connection_count;
    bool more = false;
    for (size_t i = 0; i < count; i++)
        ids[i] = client->connections[i].id;
    for (size_t i = 0; i < count; i++) { /* steps open and close connections: each is looked up anew */
        struct lf_connection *connection = find(client, ids[i]);
        bool gone = connection && monitor_says_gone(connection->monitor);
        int turn = 0; /* what came before the line was cut is heard first, all of it */
        while ((gone || turn < LF_EDGE_MESSAGES_PER_TURN) && (connection = find(client, ids[i])) &&
               receive_one(client, ids[i], connection->socket))
            turn++;
        more = more || turn == LF_EDGE_MESSAGES_PER_TURN;
        if (gone && find(client, ids[i])) {
            lf_connection_close(client, ids[i], false);
            struct lf_core_event event = {.type = LF_CORE_GONE};
            event.gone = ids[i];
            lf_io_step(client, &event, NULL);
        }
    }
    return more;
}
