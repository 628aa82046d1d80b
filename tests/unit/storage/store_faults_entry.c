#include "lf_entry.h"
#include "store_faults.h"

#include <stdlib.h>
#include <string.h>

struct lf_buf *store_faults_entry(uint64_t index) {
    uint8_t payload[3000];
    memset(payload, (int)(index % 251), sizeof payload);
    struct lf_buf *entry = lf_buf_new(LF_ENTRY_HEADER_BYTES + sizeof payload);
    struct lf_entry_header header = {.type = LF_ENTRY_METADATA,
                                     .payload_bytes = sizeof payload,
                                     .index = index,
                                     .term = 1,
                                     .end_offset = index,
                                     .replica_id = 1};
    if (!entry)
        abort();
    lf_entry_encode(&header, 1, lf_bytes(payload, sizeof payload), entry->data);
    memcpy(entry->data + LF_ENTRY_HEADER_BYTES, payload, sizeof payload);
    return entry;
}
