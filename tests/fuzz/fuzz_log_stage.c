/** A segment from elsewhere: its descriptor as it comes, then made right, then pieces of it, each with its checksum
 * made right. Nothing that a peer sends ends the process; what is taken gives the descriptor it should.
 *
 *  Input: a descriptor (LOG_SEGMENT_BYTES), then entries, each a length (2 bytes) and so many bytes.
 */
#include <stdlib.h>

#include "lf_check.h"
#include "lf_crc32c.h"
#include "lf_entry.h"
#include "log_stage.h"

#define GROUP 77

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_decoded(const uint8_t bytes[LOG_SEGMENT_BYTES]) {
    struct log_segment segment;
    uint8_t again[LOG_SEGMENT_BYTES];
    struct lf_error error = {0};
    enum lf_status status = log_segment_decode(lf_bytes(bytes, LOG_SEGMENT_BYTES), &segment, &error);
    lf_check(status == LF_OK || (status == LF_DAMAGED && error.text[0] != '\0'));
    if (status != LF_OK)
        return;
    log_segment_encode(&segment, again);
    lf_check(memcmp(again, bytes, sizeof again) == 0);
    lf_check(log_segment_consistent(&segment));
}

/* Makes sizes and checksum right; false: it is no entry at all. */
static bool mend(uint8_t *entry, size_t size) {
    struct lf_entry_header header;
    struct lf_bytes payload;
    if (size < LF_ENTRY_HEADER_BYTES)
        return false;
    lf_put_le32(entry + 8, (uint32_t)(size - LF_ENTRY_HEADER_BYTES));
    if (lf_entry_decode(lf_bytes(entry, size), &header, &payload) != LF_OK)
        return false;
    if (header.type == LF_ENTRY_BATCH && payload.size >= 21) { /* the batch's own length and CRC-32C */
        lf_put_be32(entry + LF_ENTRY_HEADER_BYTES + 8, (uint32_t)payload.size - 12);
        lf_put_be32(entry + LF_ENTRY_HEADER_BYTES + 17, lf_crc32c(0, payload.data + 21, payload.size - 21));
    }
    lf_entry_encode(&header, GROUP, payload, entry);
    return true;
}

static void stage_entries(struct log_stage *stage, const uint8_t *at, const uint8_t *end) {
    struct lf_error error = {0};
    while (end - at >= 2) {
        size_t size = lf_get_le16(at);
        at += 2;
        size = size < (size_t)(end - at) ? size : (size_t)(end - at);
        uint8_t *entry = malloc(size + 1);
        lf_check(entry != NULL);
        memcpy(entry, at, size);
        at += size;
        mend(entry, size);
        uint64_t index = 0, before = stage->seen.last_index;
        enum lf_status status = log_stage_add(stage, lf_bytes(entry, size), &index, &error);
        lf_check(status == LF_OK || status == LF_DAMAGED);
        if (status == LF_OK)
            lf_check(index > before && index == stage->seen.last_index && index <= stage->wanted.last_index);
        free(entry);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t bytes[LOG_SEGMENT_BYTES];
    struct log_segment segment;
    struct log_stage stage;
    struct lf_error error = {0};
    if (size < sizeof bytes)
        return 0;
    memcpy(bytes, data, sizeof bytes);
    check_decoded(bytes);
    lf_put_le64(bytes + sizeof bytes - 8, lf_crc32c(0, bytes, sizeof bytes - 8));
    check_decoded(bytes);
    if (log_segment_decode(lf_bytes(bytes, sizeof bytes), &segment, &error) != LF_OK)
        return 0;
    lf_check(log_stage_begin(&stage, GROUP, &segment, &error) == LF_OK);
    stage_entries(&stage, data + sizeof bytes, data + size);
    enum lf_status status = log_stage_end(&stage, &error);
    lf_check(status == LF_OK || status == LF_DAMAGED);
    stage.wanted.checksum = stage.seen.checksum; /* what is whole and agrees but for the checksum is taken then */
    log_stage_end(&stage, &error);
    return 0;
}
