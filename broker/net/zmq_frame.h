/** zmq_msg_t <-> lf_buf without copying what is large. */
#ifndef ZMQ_FRAME_H
#define ZMQ_FRAME_H

#include "lf_buf.h"
#include "unsent.h"

#include <zmq.h>

/** Received frames below this size are copied: a small message pins the 8 KB block it was received in, in bytes. */
#define ZMQ_FRAME_COPY_RECEIVED_BYTES 8192
/** Sent frames below this size are copied: cheaper than an allocation and a callback, in bytes. */
#define ZMQ_FRAME_COPY_SENT_BYTES 512

/** Takes the message (closed, or owned by the buffer). Returns (caller unrefs) NULL without memory. */
struct lf_buf *zmq_frame_receive(zmq_msg_t *message);
/** Makes `message` of a part of buf, holding a reference of it when large. False without memory. */
bool zmq_frame_send(zmq_msg_t *message, struct lf_buf *buf, size_t offset, size_t size);
/** The same, never copied: `bytes` are added to `unsent` until ZeroMQ's thread has taken this frame, or thrown it away.
 */
bool zmq_frame_send_counted(zmq_msg_t *message, struct lf_buf *buf, size_t offset, size_t size, struct unsent *unsent,
                            size_t bytes);

#endif
