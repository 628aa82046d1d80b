/** Messages to peers that the misbehaviour switch holds back, by due time. Pure; only used when the switch is on. */
#ifndef DELAY_QUEUE_H
#define DELAY_QUEUE_H

#include "peer_codec.h"
#include "unreliable.h"

/** Messages held at a time; more are dropped. */
#define DELAY_QUEUE_MESSAGES_MAX 4096

struct delay_queue;

/** `lanes`: how many ordered streams there are. Returns (caller destroys) or NULL. */
struct delay_queue *delay_queue_new(size_t lanes);
void delay_queue_destroy(struct delay_queue **queue);
/** Takes the references in frames (left empty). False: dropped, by its fate or because the queue is full. */
bool delay_queue_put(struct delay_queue *queue, size_t lane, const struct unreliable_fate *fate,
                     struct peer_frames *frames, uint64_t now_ms);
/** The next message that is due; *frames must be empty, the caller deinits. False: none. */
bool delay_queue_take(struct delay_queue *queue, uint64_t now_ms, size_t *lane, struct peer_frames *frames);
/** When the next one is due; UINT64_MAX when empty. */
uint64_t delay_queue_deadline(const struct delay_queue *queue);

#endif
