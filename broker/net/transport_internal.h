/** What the transport's files share. */
#ifndef TRANSPORT_INTERNAL_H
#define TRANSPORT_INTERNAL_H

#include "delay_queue.h"
#include "session_table.h"
#include "transport.h"

#include <czmq.h>

struct transport_peer {
    uint64_t node_id; /**< 0: the place is free */
    zsock_t *lanes[PEER_LANE_COUNT];
    uint64_t sent[PEER_LANE_COUNT], dropped[PEER_LANE_COUNT];
};

struct transport {
    zsock_t *clients;
    zsock_t *receiver;
    struct transport_peer peers[NODE_PEERS_MAX]; /**< a peer keeps its place: messages held back name it */
    uint32_t queue_messages_max;
    struct session_table sessions;
    struct unreliable unreliable;
    struct delay_queue *delayed; /**< NULL: the switch is off */
    struct lf_buf **scratch;     /**< PEER_CODEC_FRAMES_MAX of them, for a multipart while it is received */
    struct transport_counts counts;
};

/** Receives the frames of one multipart up to `max` references into `frames`; the rest is read and thrown away.
 *  Returns how many frames it had, 0 when there is none now (or no memory for it: *lost). */
size_t transport_receive_frames(zsock_t *socket, zmq_msg_t *first, struct lf_buf **frames, size_t max, bool *lost);

#endif
