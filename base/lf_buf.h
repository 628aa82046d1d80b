/** Reference-counted, immutable-once-shared byte buffers: what replication, storage, caches and delivery hold together.
 *
 *  The count is atomic, since threads share buffers. The bytes may be written only while the count is 1.
 */
#ifndef LF_BUF_H
#define LF_BUF_H

#include "lf_bytes.h"

#include <stdatomic.h>

struct lf_buf {
    atomic_uint refs;
    uint32_t size; /**< bytes in use, <= capacity */
    uint32_t capacity;
    uint8_t *data;                /**< inside this allocation, or foreign memory given to lf_buf_new_foreign */
    void (*release)(void *owner); /**< NULL when data is inside this allocation */
    void *owner;
};

/** Returns (caller unrefs) a buffer of `size` uninitialised bytes with one reference, or NULL without memory. */
struct lf_buf *lf_buf_new(size_t size);
/** Returns (caller unrefs) a copy of the bytes, or NULL without memory. */
struct lf_buf *lf_buf_copy(struct lf_bytes bytes);
/** Wrap memory that is not ours; release(owner) is called once, by whichever thread drops the last reference.
 *  Returns NULL without memory, and then release was not called. */
struct lf_buf *lf_buf_new_foreign(const void *data, size_t size, void (*release)(void *owner), void *owner);
/** One more reference; returns buf. */
struct lf_buf *lf_buf_ref(struct lf_buf *buf);
/** Drops one reference and sets *buf to NULL; NULL inside is fine. Takes. */
void lf_buf_unref(struct lf_buf **buf);

static inline struct lf_bytes lf_buf_bytes(const struct lf_buf *buf) { return lf_bytes(buf->data, buf->size); }

#endif
