/** An entry as it comes, and once more with its sizes and its checksum made right: then it is whole, unless it holds a
 *  batch that is not. */
#include <stdlib.h>

#include "lf_check.h"
#include "lf_entry.h"

#define GROUP 77

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum lf_status check(struct lf_bytes entry, struct lf_entry_header *header, struct lf_bytes *payload) {
    struct lf_error error;
    enum lf_status status = lf_entry_check(entry, GROUP, header, payload, &error);
    lf_check(status == LF_OK || error.code == status);
    lf_check(status == LF_OK || status == LF_MALFORMED || status == LF_CORRUPT || status == LF_UNSUPPORTED);
    return status;
}

static void mend_and_check(uint8_t *entry, size_t size) {
    struct lf_entry_header header, read;
    struct lf_bytes payload;
    lf_put_le32(entry + 8, (uint32_t)(size - LF_ENTRY_HEADER_BYTES));
    enum lf_status decoded = lf_entry_decode(lf_bytes(entry, size), &header, &payload);
    if (decoded != LF_OK)
        return;
    lf_check(payload.data == entry + LF_ENTRY_HEADER_BYTES && payload.size == size - LF_ENTRY_HEADER_BYTES);
    uint8_t again[LF_ENTRY_HEADER_BYTES];
    lf_entry_encode(&header, GROUP, payload, again);
    lf_check(memcmp(again + 4, entry + 4, sizeof again - 4) == 0); /* the header says nothing more */
    memcpy(entry, again, sizeof again);
    enum lf_status status = check(lf_bytes(entry, size), &read, &payload);
    lf_check(status == LF_OK || header.type == LF_ENTRY_BATCH);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct lf_entry_header header;
    struct lf_bytes payload;
    check(lf_bytes(data, size), &header, &payload);
    if (size < LF_ENTRY_HEADER_BYTES)
        return 0;
    uint8_t *entry = malloc(size);
    memcpy(entry, data, size);
    mend_and_check(entry, size);
    free(entry);
    return 0;
}
