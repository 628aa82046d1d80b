/** Envelopes between brokers <-> frames: maps broker/node/peer_message.h to protocol/peer.proto. Pure: no ZeroMQ.
 *
 *  A multipart is frame 1, one PeerEnvelope, then one frame per entry, in the order in which the messages name them.
 *  Heartbeats of all groups travel as columns of numbers and come out behind the other messages: of the order within an
 *  envelope nothing depends on them. Entries are never copied: frames and envelopes hold references of the same
 *  buffers.
 */
#ifndef PEER_CODEC_H
#define PEER_CODEC_H

#include "peer_message.h"

/** Most frames of one multipart. */
#define PEER_CODEC_FRAMES_MAX (1u + PEER_ENVELOPE_ENTRIES_MAX)
/** Largest header frame, in bytes: PEER_ENVELOPE_MESSAGES_MAX messages of the largest kind fit. */
#define PEER_CODEC_HEADER_BYTES_MAX (1024u * 1024)
/** Largest entry frame, in bytes. */
#define PEER_CODEC_ENTRY_BYTES_MAX (64u + 4u * 1024 * 1024)
/** Indexes, terms, sequences and incarnations at or above it are refused, so that sums of two cannot wrap. */
#define PEER_CODEC_NUMBER_LIMIT (1ull << 62)

/** The frames of one envelope; zero-initialised is empty. */
struct peer_frames {
    struct lf_buf **frames; /**< count references */
    size_t count;
    size_t bytes; /**< of all frames */
};

/** Drops the references and frees the array; leaves it empty. */
void peer_frames_deinit(struct peer_frames *frames);

/** Borrows the envelope; fills `frames` (must be empty; caller deinits). LF_NO_MEMORY. An envelope that
 * peer_envelope_add would not have made, or an unknown message type, is our mistake: a check. */
enum lf_status peer_codec_encode(const struct peer_envelope *envelope, struct peer_frames *frames);

/** Borrows frames; on LF_OK *envelope (caller destroys) holds references of the entry frames.
 *  Judges all that can be judged without checksums and without knowing the groups: counts against frames, sizes (each
 *  entry with lf_entry_decode), known lane, bounded numbers. A message with an unknown body or status is skipped (a
 *  newer peer); it then may not name entries. Errors, in words in `error` (may be NULL): LF_MALFORMED, LF_TOO_LARGE
 *  (more frames, messages or bytes than the bounds above), LF_NO_MEMORY. */
enum lf_status peer_codec_decode(struct lf_buf *const *frames, size_t count, struct peer_envelope **envelope,
                                 struct lf_error *error);

#endif
