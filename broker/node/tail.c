/** The newest entries of one group, in a ring. Bytes are counted whole, since each entry is a buffer of its own. */
#include "node_internal.h"

#include <stdlib.h>

#define TAIL_CAPACITY_MIN 64

void tail_init(struct tail *tail, uint64_t next_index) { *tail = (struct tail){.first_index = next_index}; }

static struct lf_buf **slot(const struct tail *tail, uint64_t index) {
    return &tail->slots[index & (tail->capacity - 1)];
}

void tail_deinit(struct tail *tail) {
    tail_truncate(tail, tail->first_index);
    free(tail->slots);
    *tail = (struct tail){0};
}

static bool grow(struct tail *tail) {
    size_t capacity = tail->capacity ? tail->capacity * 2 : TAIL_CAPACITY_MIN;
    struct lf_buf **slots = calloc(capacity, sizeof(*slots));
    if (!slots)
        return false;
    for (size_t i = 0; i < tail->count; i++)
        slots[(tail->first_index + i) & (capacity - 1)] = *slot(tail, tail->first_index + i);
    free(tail->slots);
    tail->slots = slots;
    tail->capacity = capacity;
    return true;
}

bool tail_push(struct tail *tail, struct lf_buf *entry) {
    if (tail->count == tail->capacity && !grow(tail)) {
        lf_buf_unref(&entry);
        return false;
    }
    *slot(tail, tail->first_index + tail->count) = entry;
    tail->count++;
    tail->bytes += entry->size;
    return true;
}

struct lf_buf *tail_get(const struct tail *tail, uint64_t index) {
    if (index < tail->first_index || index - tail->first_index >= tail->count)
        return NULL;
    return *slot(tail, index);
}

void tail_truncate(struct tail *tail, uint64_t index) {
    while (tail->count > 0 && tail->first_index + tail->count > index) {
        struct lf_buf **last = slot(tail, tail->first_index + tail->count - 1);
        tail->bytes -= (*last)->size;
        lf_buf_unref(last);
        tail->count--;
    }
    if (tail->first_index > index) /* only when empty */
        tail->first_index = index;
}

void tail_evict(struct tail *tail, uint64_t keep_from, uint64_t bytes_max) {
    while (tail->count > 0 && tail->bytes > bytes_max && tail->first_index < keep_from) {
        struct lf_buf **first = slot(tail, tail->first_index);
        tail->bytes -= (*first)->size;
        lf_buf_unref(first);
        tail->first_index++;
        tail->count--;
    }
}

static int64_t end_offset(const struct tail *tail, uint64_t index) {
    return (int64_t)lf_get_le64((*slot(tail, index))->data + 40);
}

uint64_t tail_find_offset(const struct tail *tail, uint64_t last_index, int64_t offset) {
    if (tail->count == 0 || last_index < tail->first_index)
        return 0;
    uint64_t low = tail->first_index, high = tail->first_index + tail->count; /* first with end_offset > offset */
    if (high > last_index + 1)
        high = last_index + 1;
    uint64_t end = high;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (end_offset(tail, middle) > offset)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == end)
        return 0;
    /* The oldest kept entry may not be the first with that end offset, nor the one that holds the offset. */
    const struct lf_buf *entry = *slot(tail, low);
    if (low == tail->first_index &&
        (entry->data[5] != LF_ENTRY_BATCH || (int64_t)lf_get_be64(entry->data + LF_ENTRY_HEADER_BYTES) > offset))
        return 0;
    return low;
}

struct lf_buf *tail_find_time(const struct tail *tail, uint64_t from, uint64_t last_index, int64_t timestamp_ms) {
    for (uint64_t index = from > tail->first_index ? from : tail->first_index; index <= last_index; index++) {
        struct lf_buf *entry = tail_get(tail, index);
        if (!entry || entry->data[5] != LF_ENTRY_BATCH)
            continue;
        int64_t reached = (int64_t)lf_get_be64(entry->data + LF_ENTRY_HEADER_BYTES + 35);
        int64_t cap = (int64_t)(lf_get_le64(entry->data + 32) + LOG_STORE_TIME_AHEAD_MS_MAX);
        if ((reached < cap ? reached : cap) >= timestamp_ms)
            return entry;
    }
    return NULL;
}
