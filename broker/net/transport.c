/** Making and unmaking the sockets. CZMQ makes and configures them (and will hold their certificates); the hot paths in
 *  the files beside this one use libzmq's messages. */
#include "transport_internal.h"

#include "lf_check.h"

#include <stdlib.h>

/** Queues, in messages. A session's traffic is bounded in bytes long before these. */
#define CLIENT_SEND_MESSAGES_MAX 65536
#define CLIENT_RECEIVE_MESSAGES_MAX 256
#define PEER_RECEIVE_MESSAGES_MAX 1024
/** Kernel buffers per lane, in bytes: what is queued there counts as under way, so they stay near the window. */
static const int lane_send_bytes[PEER_LANE_COUNT] = {256 * 1024, 1024 * 1024, 512 * 1024};
/** A peer that comes back is met again within this many ms. */
#define RECONNECT_MS_MIN 20
#define RECONNECT_MS_MAX 200
#define CONNECT_TIMEOUT_MS 1000
/** A peer connection that carries nothing this long is made anew. */
#define PEER_HEARTBEAT_MS 1000
#define PEER_HEARTBEAT_TIMEOUT_MS 5000

static bool is_ipv6(const char *host) { return strchr(host, ':') != NULL; }

static void endpoint(char *out, size_t size, const char *host, uint32_t port) {
    bool brackets = is_ipv6(host);
    snprintf(out, size, "tcp://%s%s%s:%u", brackets ? "[" : "", host, brackets ? "]" : "", port);
}

static enum lf_status bind_to(zsock_t *socket, const char *host, uint32_t port, struct lf_error *error) {
    char text[NODE_HOST_BYTES_MAX + 32];
    endpoint(text, sizeof text, host, port);
    zsock_set_ipv6(socket, is_ipv6(host));
    if (zsock_bind(socket, "%s", text) == (int)port)
        return LF_OK;
    return lf_error_set(error, LF_IO, "cannot listen on %s: %s", text, zmq_strerror(zmq_errno()));
}

static enum lf_status open_clients(struct transport *transport, const struct transport_options *options, uint32_t port,
                                   struct lf_error *error) {
    zsock_t *socket = transport->clients = zsock_new(ZMQ_ROUTER);
    if (!socket)
        return lf_error_set(error, LF_NO_MEMORY, "no socket for clients: %s", zmq_strerror(zmq_errno()));
    zsock_set_router_mandatory(socket, 1);
    zsock_set_maxmsgsize(socket, TRANSPORT_FRAME_BYTES_MAX);
    zsock_set_sndhwm(socket, CLIENT_SEND_MESSAGES_MAX);
    zsock_set_rcvhwm(socket, CLIENT_RECEIVE_MESSAGES_MAX);
    zsock_set_heartbeat_ivl(socket, (int)options->session_timeout_ms / 3);
    zsock_set_heartbeat_timeout(socket, (int)options->session_timeout_ms);
    zsock_set_tcp_maxrt(socket, (int)options->session_timeout_ms); /* reads nothing for so long: no connection */
    return bind_to(socket, options->bind, port, error);
}

static enum lf_status open_receiver(struct transport *transport, const struct transport_options *options, uint32_t port,
                                    struct lf_error *error) {
    zsock_t *socket = transport->receiver = zsock_new(ZMQ_ROUTER);
    if (!socket)
        return lf_error_set(error, LF_NO_MEMORY, "no socket for peers: %s", zmq_strerror(zmq_errno()));
    zsock_set_maxmsgsize(socket, TRANSPORT_FRAME_BYTES_MAX);
    zsock_set_rcvhwm(socket, PEER_RECEIVE_MESSAGES_MAX);
    zsock_set_linger(socket, 0);
    return bind_to(socket, options->bind, port, error);
}

static enum lf_status open_lane(struct transport_peer *peer, size_t lane, const struct node_address *address,
                                uint32_t queue_messages_max, struct lf_error *error) {
    char text[NODE_HOST_BYTES_MAX + 32];
    zsock_t *socket = peer->lanes[lane] = zsock_new(ZMQ_DEALER);
    if (!socket)
        return lf_error_set(error, LF_NO_MEMORY, "no socket for a peer: %s", zmq_strerror(zmq_errno()));
    zsock_set_immediate(socket, 1);
    zsock_set_linger(socket, 0);
    zsock_set_sndhwm(socket, (int)queue_messages_max);
    zsock_set_sndbuf(socket, lane_send_bytes[lane]);
    zsock_set_maxmsgsize(socket, 1024); /* nothing is expected back */
    zsock_set_reconnect_ivl(socket, RECONNECT_MS_MIN);
    zsock_set_reconnect_ivl_max(socket, RECONNECT_MS_MAX);
    zsock_set_connect_timeout(socket, CONNECT_TIMEOUT_MS);
    zsock_set_heartbeat_ivl(socket, PEER_HEARTBEAT_MS);
    zsock_set_heartbeat_timeout(socket, PEER_HEARTBEAT_TIMEOUT_MS);
    zsock_set_ipv6(socket, is_ipv6(address->host));
    endpoint(text, sizeof text, address->host, address->peer_port);
    if (zsock_connect(socket, "%s", text) == 0)
        return LF_OK;
    return lf_error_set(error, LF_IO, "cannot connect to %s: %s", text, zmq_strerror(zmq_errno()));
}

static void close_lanes(struct transport_peer *peer) {
    for (size_t lane = 0; lane < PEER_LANE_COUNT; lane++)
        zsock_destroy(&peer->lanes[lane]);
    peer->node_id = 0;
}

static struct transport_peer *find_peer(struct transport *transport, uint64_t node_id) {
    for (size_t i = 0; i < NODE_PEERS_MAX; i++)
        if (transport->peers[i].node_id == node_id)
            return &transport->peers[i];
    return NULL;
}

enum lf_status transport_connect_peer(struct transport *transport, const struct node_address *address,
                                      struct lf_error *error) {
    transport_forget_peer(transport, address->node_id);
    struct transport_peer *peer = find_peer(transport, 0);
    if (!peer)
        return lf_error_set(error, LF_FULL, "no place for peer %llu: there are %d",
                            (unsigned long long)address->node_id, NODE_PEERS_MAX);
    *peer = (struct transport_peer){.node_id = address->node_id};
    enum lf_status status = LF_OK;
    for (size_t lane = 0; status == LF_OK && lane < PEER_LANE_COUNT; lane++)
        status = open_lane(peer, lane, address, transport->queue_messages_max, error);
    if (status != LF_OK)
        close_lanes(peer);
    return status;
}

void transport_forget_peer(struct transport *transport, uint64_t node_id) {
    struct transport_peer *peer = node_id ? find_peer(transport, node_id) : NULL;
    if (peer)
        close_lanes(peer);
}

static enum lf_status open_all(struct transport *transport, const struct transport_options *options,
                               struct lf_error *error) {
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < options->node_count; i++) {
        const struct node_address *address = &options->nodes[i];
        if (address->node_id == options->node_id) {
            status = open_clients(transport, options, address->client_port, error);
            if (status == LF_OK)
                status = open_receiver(transport, options, address->peer_port, error);
            continue;
        }
        status = transport_connect_peer(transport, address, error);
    }
    return status;
}

enum lf_status transport_new(const struct transport_options *options, struct transport **out, struct lf_error *error) {
    lf_check(options->node_count <= NODE_NODES_MAX);
    zsys_handler_set(NULL); /* signals are the loop's */
    struct transport *transport = calloc(1, sizeof *transport);
    if (!transport)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for the transport");
    bool counted = session_table_init(&transport->sessions, 2 * (size_t)options->sessions_max);
    transport->queue_messages_max = options->queue_messages_max;
    unreliable_init(&transport->unreliable, &options->unreliable);
    transport->scratch = calloc(PEER_CODEC_FRAMES_MAX, sizeof(struct lf_buf *));
    transport->delayed = options->unreliable.on ? delay_queue_new(NODE_PEERS_MAX * PEER_LANE_COUNT) : NULL;
    enum lf_status status = counted && transport->scratch && (transport->delayed || !options->unreliable.on)
                                ? open_all(transport, options, error)
                                : lf_error_set(error, LF_NO_MEMORY, "no memory for the transport");
    lf_check(status != LF_OK || transport->clients != NULL);
    if (status != LF_OK)
        transport_destroy(&transport, 0);
    *out = transport;
    return status;
}

void transport_destroy(struct transport **where, int linger_ms) {
    struct transport *transport = *where;
    *where = NULL;
    if (!transport)
        return;
    for (size_t i = 0; i < NODE_PEERS_MAX; i++)
        close_lanes(&transport->peers[i]);
    zsock_destroy(&transport->receiver);
    if (transport->clients)
        zsock_set_linger(transport->clients, linger_ms);
    zsock_destroy(&transport->clients);
    delay_queue_destroy(&transport->delayed);
    session_table_deinit(&transport->sessions);
    free(transport->scratch);
    free(transport);
}

void transport_poll_items(struct transport *transport, zmq_pollitem_t items[TRANSPORT_POLL_ITEMS]) {
    items[0] = (zmq_pollitem_t){.socket = zsock_resolve(transport->clients), .events = ZMQ_POLLIN};
    items[1] = (zmq_pollitem_t){.socket = zsock_resolve(transport->receiver), .events = ZMQ_POLLIN};
}

struct transport_counts transport_counts(const struct transport *transport) {
    return transport->counts;
}

size_t transport_lanes(struct transport *transport, struct transport_lanes out[NODE_PEERS_MAX]) {
    size_t count = 0;
    for (size_t i = 0; i < NODE_PEERS_MAX; i++) {
        const struct transport_peer *peer = &transport->peers[i];
        if (peer->node_id == 0)
            continue;
        struct transport_lanes *lanes = &out[count++];
        lanes->node_id = peer->node_id;
        memcpy(lanes->sent, peer->sent, sizeof lanes->sent);
        memcpy(lanes->dropped, peer->dropped, sizeof lanes->dropped);
        for (size_t lane = 0; lane < PEER_LANE_COUNT; lane++)
            lanes->ready[lane] = (zsock_events(peer->lanes[lane]) & ZMQ_POLLOUT) != 0;
    }
    return count;
}
