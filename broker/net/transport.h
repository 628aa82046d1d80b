/** The broker's sockets: one ROUTER for clients, one ROUTER that only receives from peers, three DEALERs per peer.
 *
 *  Belongs to the loop's thread. Never blocks: what cannot go at once is dropped and counted (peers), or ends the
 *  session (clients, whose traffic is bounded by credit, so that their queues never fill while they keep to the rules).
 */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include "node.h"
#include "peer_codec.h"
#include "unreliable.h"

#include <zmq.h>

/** Frames of one client message, its header included; more is refused. */
#define TRANSPORT_CLIENT_FRAMES_MAX 64
/** ZeroMQ cuts the connection without a word above it, in bytes: the wall behind the limits that are refused in words.
 */
#define TRANSPORT_FRAME_BYTES_MAX (2u * 4 * 1024 * 1024)

struct transport_options {
    const char *bind; /**< numeric address or "*" */
    uint64_t node_id;
    const struct node_address *nodes; /**< all, this one included; copied */
    size_t node_count;
    uint32_t sessions_max; /**< the node's bound; twice as many connections are told apart */
    uint32_t session_timeout_ms;
    uint32_t queue_messages_max; /**< per peer and lane */
    struct unreliable_options unreliable;
};

struct transport_counts {
    uint64_t client_in, client_out, client_gone, client_refused;
    uint64_t peer_in, peer_out, peer_dropped, peer_refused;
};

/** One peer's lanes, each by its number less one. */
struct transport_lanes {
    uint64_t node_id;
    uint64_t sent[PEER_LANE_COUNT], dropped[PEER_LANE_COUNT];
    bool ready[PEER_LANE_COUNT]; /**< connected, and its queue has room */
};

struct transport;

/** Binds and connects. LF_OK with *transport (caller destroys); LF_IO (address in use, ...) in words, LF_NO_MEMORY. */
enum lf_status transport_new(const struct transport_options *options, struct transport **transport,
                             struct lf_error *error);
/** Client messages already queued get up to linger_ms to leave; the wait is at the end of the process, where CZMQ ends
 *  its context. NULL inside is fine; leaves NULL. */
void transport_destroy(struct transport **transport, int linger_ms);

/** A peer to be sent to from now on, or one that moved to another address. LF_IO, LF_NO_MEMORY, LF_FULL in words: then
 *  what is sent to it is dropped. */
enum lf_status transport_connect_peer(struct transport *transport, const struct node_address *address,
                                      struct lf_error *error);
/** Nothing more is sent to it. */
void transport_forget_peer(struct transport *transport, uint64_t node_id);

/** The client socket, then the peer socket, for zmq_poll. */
#define TRANSPORT_POLL_ITEMS 2
void transport_poll_items(struct transport *transport, zmq_pollitem_t items[TRANSPORT_POLL_ITEMS]);

struct transport_client_message {
    uint64_t session;
    struct node_frame frames[TRANSPORT_CLIENT_FRAMES_MAX];
    size_t count;
};
void transport_client_message_deinit(struct transport_client_message *message);

/** LF_OK with a message (caller deinits); LF_AGAIN: none now; LF_NOT_FOUND: one was refused, go on. A message of too
 * many frames comes as its header alone, so that the node refuses it in words. */
enum lf_status transport_receive_client(struct transport *transport, struct transport_client_message *message);
/** LF_OK, or LF_NOT_FOUND: the client is gone and its session forgotten. */
enum lf_status transport_send_client(struct transport *transport, const struct node_client_send *send);
void transport_close_session(struct transport *transport, uint64_t session);

/** What was sent and waits for clients to read it, in bytes of node_client_send_bytes. */
struct transport_unsent {
    uint64_t session_bytes, total_bytes;
};
/** False: no such session (any more). */
bool transport_unsent(const struct transport *transport, uint64_t session, struct transport_unsent *out);

/** LF_OK with frames (must be empty; caller deinits), LF_AGAIN: none now, LF_TOO_LARGE: one was refused, go on. */
enum lf_status transport_receive_peer(struct transport *transport, struct peer_frames *frames);
/** Takes the references in frames (left empty); drops them when they cannot go. */
void transport_send_peer(struct transport *transport, uint64_t node_id, enum peer_lane lane, struct peer_frames *frames,
                         uint64_t now_ms);
/** What the misbehaviour switch held back until now_ms goes. */
void transport_advance(struct transport *transport, uint64_t now_ms);
/** When transport_advance has something to do; UINT64_MAX: never. */
uint64_t transport_deadline(const struct transport *transport);

struct transport_counts transport_counts(const struct transport *transport);
/** Up to NODE_PEERS_MAX; returns how many. Asks each socket: not for hot paths. */
size_t transport_lanes(struct transport *transport, struct transport_lanes out[NODE_PEERS_MAX]);

#endif
