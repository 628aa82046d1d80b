#include "lf_buf.h"

#include <stdlib.h>

struct lf_buf *lf_buf_new(size_t size) {
    if (size > UINT32_MAX)
        return NULL;
    struct lf_buf *buf = malloc(sizeof *buf + size);
    if (!buf)
        return NULL;
    atomic_init(&buf->refs, 1);
    buf->size = buf->capacity = (uint32_t)size;
    buf->data = (uint8_t *)(buf + 1);
    buf->release = NULL;
    buf->owner = NULL;
    return buf;
}

struct lf_buf *lf_buf_copy(struct lf_bytes bytes) {
    struct lf_buf *buf = lf_buf_new(bytes.size);
    if (buf && bytes.size > 0)
        memcpy(buf->data, bytes.data, bytes.size);
    return buf;
}

struct lf_buf *lf_buf_new_foreign(const void *data, size_t size, void (*release)(void *owner), void *owner) {
    struct lf_buf *buf = size > UINT32_MAX ? NULL : malloc(sizeof *buf);
    if (!buf)
        return NULL;
    atomic_init(&buf->refs, 1);
    buf->size = buf->capacity = (uint32_t)size;
    buf->data = (uint8_t *)(uintptr_t)data; /* written only by a sole owner that knows the memory is writable */
    buf->release = release;
    buf->owner = owner;
    return buf;
}

struct lf_buf *lf_buf_ref(struct lf_buf *buf) {
    atomic_fetch_add_explicit(&buf->refs, 1, memory_order_relaxed);
    return buf;
}

void lf_buf_unref(struct lf_buf **where) {
    struct lf_buf *buf = *where;
    *where = NULL;
    if (!buf || atomic_fetch_sub_explicit(&buf->refs, 1, memory_order_acq_rel) != 1)
        return; /* acquire and release in one: TSan does not see fences */
    if (buf->release)
        buf->release(buf->owner);
    free(buf);
}
