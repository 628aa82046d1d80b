/** Byte views, and little- and big-endian numbers read from and written to bytes of any alignment. */
#ifndef LF_BYTES_H
#define LF_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** A borrowed view of `size` bytes. data may be NULL only when size is 0 or where a header says NULL means null. */
struct lf_bytes {
    const uint8_t *data;
    size_t size;
};

static inline struct lf_bytes lf_bytes(const void *data, size_t size) {
    return (struct lf_bytes){.data = data, .size = size};
}

/** View of a C string without its NUL. */
static inline struct lf_bytes lf_bytes_text(const char *text) { return lf_bytes(text, strlen(text)); }

static inline bool lf_bytes_equal(struct lf_bytes a, struct lf_bytes b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Little-endian: the entry header and storage keys' values. */
static inline uint16_t lf_get_le16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static inline uint32_t lf_get_le32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t lf_get_le64(const uint8_t *p) {
    return (uint64_t)lf_get_le32(p) | (uint64_t)lf_get_le32(p + 4) << 32;
}
static inline void lf_put_le16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}
static inline void lf_put_le32(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}
static inline void lf_put_le64(uint8_t *p, uint64_t v) {
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

/* Big-endian: the Kafka batch, and keys that must sort. */
static inline uint16_t lf_get_be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline uint32_t lf_get_be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}
static inline uint64_t lf_get_be64(const uint8_t *p) {
    return (uint64_t)lf_get_be32(p) << 32 | (uint64_t)lf_get_be32(p + 4);
}
static inline void lf_put_be16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void lf_put_be32(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * (3 - i)));
}
static inline void lf_put_be64(uint8_t *p, uint64_t v) {
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * (7 - i)));
}

#endif
