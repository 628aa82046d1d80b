#include "segments_support.h"

#include "lf_entry.h"

#include <stdlib.h>

#define PIECE_ENTRIES 30u

static struct lf_buf *entry_at(uint64_t group, uint64_t index, size_t payload_bytes) {
    return contract_entry(group, index, 1, index, payload_bytes);
}

struct log_segment segments_describe(uint64_t group, uint64_t first_index, uint64_t last_index, size_t payload_bytes) {
    struct log_segment segment;
    log_segment_begin(&segment, first_index, first_index - 1, first_index - 1);
    for (uint64_t index = first_index; index <= last_index; index++) {
        struct lf_buf *entry = entry_at(group, index, payload_bytes);
        log_segment_add(&segment, lf_buf_bytes(entry));
        lf_buf_unref(&entry);
    }
    return segment;
}

static void add_entries(struct log_store_write *write, uint64_t first_index, uint32_t count, size_t payload_bytes) {
    for (uint64_t index = first_index; index < first_index + count; index++)
        assert_int_equal(log_store_write_add_entry(write, index, entry_at(write->group, index, payload_bytes)), LF_OK);
    write->applied_index = first_index + count - 1;
}

static void add_sealed(struct contract *contract, struct log_store_write *write, uint64_t first_index, uint32_t count,
                       size_t payload_bytes) {
    struct log_segment segment = segments_describe(write->group, first_index, first_index + count - 1, payload_bytes);
    add_entries(write, first_index, count, payload_bytes);
    assert_int_equal(log_store_write_add_seal(write, &segment), LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
}

static uint64_t last_index_of(struct contract *contract, uint64_t group, uint64_t *sealed_index) {
    struct log_store_completion *completion = contract_load(contract, group);
    const struct log_store_loaded *loaded = completion->loaded;
    uint64_t last_index = loaded->last_index;
    *sealed_index =
        loaded->segment_count > 0 ? loaded->segments[loaded->segment_count - 1].last_index : loaded->previous_index;
    log_store_completion_destroy(&completion);
    return last_index;
}

void segments_make(struct contract *contract, uint64_t group, uint32_t count, uint32_t entries, size_t payload_bytes) {
    assert_int_equal(contract_do(contract, contract_create(group, 1)), LF_OK);
    segments_make_more(contract, group, count, entries, payload_bytes);
}

void segments_make_more(struct contract *contract, uint64_t group, uint32_t count, uint32_t entries,
                        size_t payload_bytes) {
    uint64_t sealed, last_index = last_index_of(contract, group, &sealed);
    for (uint32_t i = 0; i < count; i++)
        add_sealed(contract, contract_write(group, 2 + i), last_index + 1 + (uint64_t)i * entries, entries,
                   payload_bytes);
}

void segments_append(struct contract *contract, uint64_t group, uint32_t entries, size_t payload_bytes) {
    uint64_t sealed, last_index = last_index_of(contract, group, &sealed);
    struct log_store_write *write = contract_write(group, 3);
    add_entries(write, last_index + 1, entries, payload_bytes);
    assert_int_equal(contract_do(contract, write), LF_OK);
}

static struct log_store_completion *read_all(struct contract *contract, uint64_t group, uint64_t first_index) {
    struct log_store_read read = {.group = group,
                                  .from = LOG_STORE_READ_INDEX,
                                  .value = first_index,
                                  .last_index = UINT64_MAX,
                                  .bytes_max = UINT32_MAX,
                                  .entries_max = UINT32_MAX};
    struct log_store_completion *completion = contract_read(contract, read);
    if (completion->status != LF_OK)
        fail_msg("read: %s", completion->error.text);
    return completion;
}

void segments_seal(struct contract *contract, uint64_t group) {
    struct log_segment segment;
    uint64_t sealed;
    last_index_of(contract, group, &sealed);
    struct log_store_completion *completion = read_all(contract, group, sealed + 1);
    log_segment_begin(&segment, sealed + 1, sealed, sealed);
    for (uint32_t i = 0; i < completion->entry_count; i++)
        log_segment_add(&segment, lf_buf_bytes(completion->entries[i]));
    log_store_completion_destroy(&completion);
    struct log_store_write *write = contract_write(group, 4);
    assert_int_equal(log_store_write_add_seal(write, &segment), LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
}

void segments_drop(struct contract *contract, uint64_t group, uint64_t before) {
    struct log_store_write *write = contract_write(group, 5);
    write->drop_before = before;
    assert_int_equal(contract_do(contract, write), LF_OK);
}

static void stage_piece(struct contract *contract, struct log_store_stage *stage, uint64_t first_index,
                        size_t payload_bytes) {
    struct lf_buf *entries[PIECE_ENTRIES];
    for (uint32_t i = 0; i < stage->entry_count; i++)
        entries[i] = entry_at(stage->group, first_index + i, payload_bytes);
    stage->entries = entries;
    assert_int_equal(log_store_stage(contract->store, stage), LF_OK);
    for (uint32_t i = 0; i < stage->entry_count; i++)
        lf_buf_unref(&entries[i]);
    struct log_store_completion *completion = contract_wait(contract);
    assert_int_equal(completion->kind, LOG_STORE_DONE_STAGE);
    if (completion->status != LF_OK)
        fail_msg("stage: %s", completion->error.text);
    log_store_completion_destroy(&completion);
}

void segments_stage(struct contract *contract, uint64_t group, uint64_t first_index, uint64_t last_index,
                    size_t payload_bytes) {
    struct log_segment segment = segments_describe(group, first_index, last_index, payload_bytes);
    for (uint64_t at = first_index; at <= last_index; at += PIECE_ENTRIES) {
        uint64_t left = last_index - at + 1;
        struct log_store_stage stage = {.group = group,
                                        .request = at,
                                        .segment = &segment,
                                        .first = at == first_index,
                                        .last = left <= PIECE_ENTRIES,
                                        .entry_count = left < PIECE_ENTRIES ? (uint32_t)left : PIECE_ENTRIES};
        stage_piece(contract, &stage, at, payload_bytes);
    }
}

void segments_replace(struct contract *contract, uint64_t group, uint64_t first_index, uint64_t last_index,
                      size_t payload_bytes) {
    struct log_segment segment = segments_describe(group, first_index, last_index, payload_bytes);
    struct log_store_write *write = contract_write(group, 6);
    assert_int_equal(log_store_write_set_replacements(write, &segment, 1), LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
}

void segments_expect(struct contract *contract, uint64_t group, uint64_t first_index, uint32_t count,
                     size_t payload_bytes) {
    struct log_store_completion *completion = read_all(contract, group, first_index);
    assert_int_equal(completion->first_index, first_index);
    assert_int_equal(completion->entry_count, count);
    for (uint32_t i = 0; i < count; i++) {
        struct lf_buf *wanted = entry_at(group, first_index + i, payload_bytes);
        assert_true(lf_bytes_equal(lf_buf_bytes(completion->entries[i]), lf_buf_bytes(wanted)));
        lf_buf_unref(&wanted);
    }
    log_store_completion_destroy(&completion);
}
