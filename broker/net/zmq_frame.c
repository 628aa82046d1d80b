#include "zmq_frame.h"

#include "lf_check.h"

#include <stdlib.h>

static void release_message(void *owner) {
    zmq_msg_t *message = owner;
    zmq_msg_close(message);
    free(message);
}

/** The buffer owns the message from now on. */
static struct lf_buf *keep(zmq_msg_t *message) {
    zmq_msg_t *owner = malloc(sizeof *owner);
    if (!owner)
        return NULL;
    zmq_msg_init(owner);
    zmq_msg_move(owner, message);
    struct lf_buf *buf = lf_buf_new_foreign(zmq_msg_data(owner), zmq_msg_size(owner), release_message, owner);
    if (!buf)
        release_message(owner);
    return buf;
}

struct lf_buf *zmq_frame_receive(zmq_msg_t *message) {
    struct lf_buf *buf = zmq_msg_size(message) < ZMQ_FRAME_COPY_RECEIVED_BYTES
                             ? lf_buf_copy(lf_bytes(zmq_msg_data(message), zmq_msg_size(message)))
                             : keep(message);
    zmq_msg_close(message);
    return buf;
}

/** Called by ZeroMQ's thread when the frame is written out. */
static void release_buf(void *data, void *hint) {
    (void)data;
    struct lf_buf *buf = hint;
    lf_buf_unref(&buf);
}

bool zmq_frame_send(zmq_msg_t *message, struct lf_buf *buf, size_t offset, size_t size) {
    lf_check(offset <= buf->size);
    lf_check(size <= buf->size - offset);
    if (size < ZMQ_FRAME_COPY_SENT_BYTES) {
        if (zmq_msg_init_size(message, size) != 0)
            return false;
        if (size > 0)
            memcpy(zmq_msg_data(message), buf->data + offset, size);
        return true;
    }
    struct lf_buf *kept = lf_buf_ref(buf);
    if (zmq_msg_init_data(message, kept->data + offset, size, release_buf, kept) == 0)
        return true;
    lf_buf_unref(&kept);
    return false;
}

struct counted {
    struct lf_buf *buf;
    struct unsent *unsent;
    size_t bytes;
};

static void release_counted(void *data, void *hint) {
    (void)data;
    struct counted *counted = hint;
    lf_buf_unref(&counted->buf);
    unsent_release(counted->unsent, counted->bytes);
    free(counted);
}

bool zmq_frame_send_counted(zmq_msg_t *message, struct lf_buf *buf, size_t offset, size_t size, struct unsent *unsent,
                            size_t bytes) {
    lf_check(offset <= buf->size);
    lf_check(size <= buf->size - offset);
    struct counted *counted = malloc(sizeof *counted);
    if (!counted)
        return false;
    *counted = (struct counted){.buf = lf_buf_ref(buf), .unsent = unsent, .bytes = bytes};
    unsent_add(unsent, bytes);
    if (zmq_msg_init_data(message, buf->data + offset, size, release_counted, counted) == 0)
        return true;
    release_counted(NULL, counted);
    return false;
}
