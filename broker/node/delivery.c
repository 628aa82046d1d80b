#include "delivery.h"

#include "lf_entry.h"

void delivery_init(struct delivery *delivery, int64_t next_offset) {
    delivery->count = 0;
    delivery->bytes = 0;
    delivery->gone_below[0] = 0;
    delivery->has_gone = false;
    delivery->next_offset = next_offset;
}

/** The entry before which all offsets below `offset` end: those that no batch brought are gone. */
static void skip_to(struct delivery *delivery, int64_t offset) {
    if (offset <= delivery->next_offset)
        return;
    delivery->gone_below[delivery->count] = delivery->next_offset = offset;
    delivery->has_gone = true;
}

bool delivery_add(struct delivery *delivery, uint64_t bytes_max, struct lf_buf *entry) {
    int64_t end_offset = (int64_t)lf_get_le64(entry->data + 40);
    if (entry->data[5] != LF_ENTRY_BATCH) {
        skip_to(delivery, end_offset); /* it takes no offsets: those before it */
        return true;
    }
    uint32_t size = entry->size - LF_ENTRY_HEADER_BYTES;
    if (delivery->count == DELIVERY_BATCHES_MAX || (delivery->count > 0 && delivery->bytes + size > bytes_max))
        return false;
    skip_to(delivery, (int64_t)lf_get_be64(entry->data + LF_ENTRY_HEADER_BYTES));
    delivery->frames[delivery->count++] =
        (struct node_frame){.buf = entry, .offset = LF_ENTRY_HEADER_BYTES, .size = size};
    delivery->gone_below[delivery->count] = 0;
    delivery->bytes += size;
    delivery->next_offset = end_offset;
    return true;
}
