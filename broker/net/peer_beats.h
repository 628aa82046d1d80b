/** Heartbeats and their answers in an envelope: columns of differences, one per field (protocol/peer.proto, Beats).
 *
 *  A node with a thousand groups sends and takes tens of thousands of them per second; as messages of their own each
 *  would cost several allocations on either side. Used by peer_encode.c and peer_decode.c only. */
#ifndef PEER_BEATS_H
#define PEER_BEATS_H

#include "peer.pb-c.h"
#include "peer_codec.h"

static inline bool peer_message_is_beat(const struct peer_message *message) {
    return message->raft.type == RAFT_HEARTBEAT_REQUEST || message->raft.type == RAFT_HEARTBEAT_REPLY;
}

/** The wire form of an envelope's beats of one type; zero-initialised is empty. */
struct beat_columns {
    Lf__Beats wire;
    int64_t *numbers; /**< all columns */
    size_t count;     /**< of beats */
};

/** Borrows the envelope. False without memory (columns may be deinited all the same). */
bool beat_columns_form(struct beat_columns *columns, const struct peer_envelope *envelope, enum raft_message_type type);
void beat_columns_deinit(struct beat_columns *columns);

/** Adds what the columns say to the envelope. LF_MALFORMED (columns of unequal length, a number out of bounds),
 *  LF_TOO_LARGE, LF_NO_MEMORY, in words in `error` (may be NULL). */
enum lf_status peer_beats_take(const Lf__Beats *wire, enum raft_message_type type, struct peer_envelope *envelope,
                               struct lf_error *error);

#endif
