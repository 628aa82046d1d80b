/** The entry header: its byte table, and no damage that goes unseen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "batches.h"
#include "lf_crc32c.h"
#include "lf_entry.h"

#define GROUP 0x1122334455667788u

static const struct lf_entry_header numbers = {.type = LF_ENTRY_METADATA,
                                               .flags = LF_ENTRY_MUST_UNDERSTAND,
                                               .payload_bytes = 7,
                                               .index = 0x0102030405060708u,
                                               .term = 0x1112131415161718u,
                                               .log_time_ms = 0x2122232425262728u,
                                               .end_offset = 0x3132333435363738u,
                                               .replica_id = 0x4142434445464748u};

/* An entry of this type around this payload (caller unrefs). */
static struct lf_buf *entry_of(uint8_t type, struct lf_bytes payload) {
    struct lf_buf *entry = lf_buf_new(LF_ENTRY_HEADER_BYTES + payload.size);
    struct lf_entry_header header = numbers;
    header.type = type;
    header.payload_bytes = (uint32_t)payload.size;
    if (payload.size > 0)
        memcpy(entry->data + LF_ENTRY_HEADER_BYTES, payload.data, payload.size);
    lf_entry_encode(&header, GROUP, payload, entry->data);
    return entry;
}

static enum lf_status check(struct lf_bytes entry) {
    struct lf_entry_header header;
    struct lf_bytes payload;
    return lf_entry_check(entry, GROUP, &header, &payload, NULL);
}

static void the_header_is_what_the_byte_table_says(void **state) {
    (void)state;
    struct lf_buf *entry = entry_of(LF_ENTRY_METADATA, lf_bytes("payload", 7));
    static const uint8_t expected[] = {1,    4,    1,    0,    7,    0,    0,    0,    0, 0, 0, 0, /* 4 */
                                       0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,             /* 16 index */
                                       0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,             /* 24 term */
                                       0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21,             /* 32 log time */
                                       0x38, 0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31,             /* 40 end offset */
                                       0x48, 0x47, 0x46, 0x45, 0x44, 0x43, 0x42, 0x41, 0, 0, 0, 0,
                                       0,    0,    0,    0, /* 48 replica */
                                       'p',  'a',  'y',  'l',  'o',  'a',  'd'};
    assert_int_equal(entry->size, 4 + sizeof expected);
    assert_memory_equal(entry->data + 4, expected, sizeof expected);
    uint8_t covered[8 + 60 + 7] = {0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11};
    memcpy(covered + 8, expected, sizeof expected);
    assert_int_equal(lf_get_le32(entry->data), lf_crc32c(0, covered, sizeof covered));
    lf_buf_unref(&entry);
}

static void assert_same_header(const struct lf_entry_header *a, const struct lf_entry_header *b) {
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->payload_bytes, b->payload_bytes);
    assert_int_equal(a->index, b->index);
    assert_int_equal(a->term, b->term);
    assert_int_equal(a->log_time_ms, b->log_time_ms);
    assert_int_equal(a->end_offset, b->end_offset);
    assert_int_equal(a->replica_id, b->replica_id);
}

static void what_was_encoded_is_read(void **state) {
    (void)state;
    struct lf_buf *entry = entry_of(LF_ENTRY_METADATA, lf_bytes("payload", 7));
    struct lf_entry_header header = {0};
    struct lf_bytes payload = {0};
    assert_int_equal(lf_entry_check(lf_buf_bytes(entry), GROUP, &header, &payload, NULL), LF_OK);
    assert_same_header(&header, &numbers);
    assert_ptr_equal(payload.data, entry->data + LF_ENTRY_HEADER_BYTES);
    assert_int_equal(payload.size, 7);
    assert_int_equal(lf_entry_decode(lf_buf_bytes(entry), &header, &payload), LF_OK);
    assert_same_header(&header, &numbers);
    lf_buf_unref(&entry);
}

static void an_empty_payload_is_an_entry(void **state) {
    (void)state;
    struct lf_buf *entry = entry_of(LF_ENTRY_NOOP, lf_bytes(NULL, 0));
    assert_int_equal(check(lf_buf_bytes(entry)), LF_OK);
    lf_buf_unref(&entry);
}

static void an_entry_of_another_group_is_corrupt(void **state) {
    (void)state;
    struct lf_buf *entry = entry_of(LF_ENTRY_NOOP, lf_bytes(NULL, 0));
    struct lf_entry_header header;
    struct lf_bytes payload;
    struct lf_error error;
    assert_int_equal(lf_entry_check(lf_buf_bytes(entry), GROUP + 1, &header, &payload, &error), LF_CORRUPT);
    assert_int_equal(error.code, LF_CORRUPT);
    lf_buf_unref(&entry);
}

/* Every bit of header and payload; of a batch too, whose inside only its own CRC covers. */
static void no_flipped_bit_goes_unseen(void **state) {
    (void)state;
    struct lf_buf *batch = batch_of(LF_CODEC_NONE, sample_records(), SAMPLE_RECORDS);
    struct lf_buf *entries[] = {entry_of(LF_ENTRY_METADATA, lf_bytes("payload", 7)),
                                entry_of(LF_ENTRY_NOOP, lf_bytes(NULL, 0)),
                                entry_of(LF_ENTRY_BATCH, lf_buf_bytes(batch))};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(check(lf_buf_bytes(entries[i])), LF_OK);
        for (size_t bit = 0; bit < entries[i]->size * 8; bit++) {
            entries[i]->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_not_equal(check(lf_buf_bytes(entries[i])), LF_OK);
            entries[i]->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        lf_buf_unref(&entries[i]);
    }
    lf_buf_unref(&batch);
}

static void an_entry_cut_anywhere_or_followed_by_a_byte_is_malformed(void **state) {
    (void)state;
    struct lf_buf *batch = batch_of(LF_CODEC_NONE, sample_records(), SAMPLE_RECORDS);
    struct lf_buf *entry = entry_of(LF_ENTRY_BATCH, lf_buf_bytes(batch));
    for (size_t size = 0; size < entry->size; size++) {
        uint8_t *cut = exact_copy(lf_bytes(entry->data, size));
        assert_int_equal(check(lf_bytes(cut, size)), LF_MALFORMED);
        free(cut);
    }
    uint8_t *more = malloc(entry->size + 1u);
    memcpy(more, entry->data, entry->size);
    more[entry->size] = 0;
    assert_int_equal(check(lf_bytes(more, entry->size + 1u)), LF_MALFORMED);
    free(more);
    lf_buf_unref(&entry);
    lf_buf_unref(&batch);
}

/* A batch entry whose payload is shorter than a batch: the checksum may hold, the batch is none. */
static void a_batch_entry_without_a_whole_batch_is_malformed(void **state) {
    (void)state;
    struct lf_buf *batch = batch_of(LF_CODEC_NONE, sample_records(), SAMPLE_RECORDS);
    for (uint32_t size = 0; size < batch->size; size++) {
        struct lf_buf *entry = entry_of(LF_ENTRY_BATCH, lf_bytes(batch->data, size));
        assert_int_equal(check(lf_buf_bytes(entry)), LF_MALFORMED);
        lf_buf_unref(&entry);
    }
    lf_buf_unref(&batch);
}

static void another_format_is_unsupported(void **state) {
    (void)state;
    struct lf_buf *entry = entry_of(LF_ENTRY_NOOP, lf_bytes(NULL, 0));
    entry->data[4] = LF_ENTRY_FORMAT + 1;
    assert_int_equal(check(lf_buf_bytes(entry)), LF_UNSUPPORTED);
    lf_buf_unref(&entry);
}

static void a_payload_above_the_hard_limit_is_malformed(void **state) {
    (void)state;
    static uint8_t entry[LF_ENTRY_HEADER_BYTES + LF_ENTRY_PAYLOAD_BYTES_HARD + 1];
    for (size_t extra = 0; extra < 2; extra++) {
        struct lf_entry_header header = {.type = LF_ENTRY_METADATA, .payload_bytes = LF_ENTRY_PAYLOAD_BYTES_HARD};
        header.payload_bytes += (uint32_t)extra;
        struct lf_bytes payload = lf_bytes(entry + LF_ENTRY_HEADER_BYTES, header.payload_bytes);
        lf_entry_encode(&header, GROUP, payload, entry);
        assert_int_equal(check(lf_bytes(entry, LF_ENTRY_HEADER_BYTES + payload.size)), extra ? LF_MALFORMED : LF_OK);
    }
}

/* A newer broker's entry is stored and passed on; what it means is the applying side's question. */
static void an_unknown_type_is_whole_when_its_checksum_holds(void **state) {
    (void)state;
    struct lf_buf *entry = entry_of(200, lf_bytes("future", 6));
    assert_int_equal(check(lf_buf_bytes(entry)), LF_OK);
    lf_buf_unref(&entry);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_is_what_the_byte_table_says),
        cmocka_unit_test(what_was_encoded_is_read),
        cmocka_unit_test(an_empty_payload_is_an_entry),
        cmocka_unit_test(an_entry_of_another_group_is_corrupt),
        cmocka_unit_test(no_flipped_bit_goes_unseen),
        cmocka_unit_test(an_entry_cut_anywhere_or_followed_by_a_byte_is_malformed),
        cmocka_unit_test(a_batch_entry_without_a_whole_batch_is_malformed),
        cmocka_unit_test(another_format_is_unsupported),
        cmocka_unit_test(a_payload_above_the_hard_limit_is_malformed),
        cmocka_unit_test(an_unknown_type_is_whole_when_its_checksum_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
