#include "contract.h"

#include "lf_entry.h"
#include "lf_record_batch.h"

#include <stdio.h>

const struct log_store_identity contract_identity = {.store_uuid = {1, 2, 3, 4}, .node_id = 7};

void contract_open(struct contract *contract) {
    struct lf_error error = {0};
    enum lf_status status = contract->backend->open(contract->disk, &contract_identity, &contract->store, &error);
    if (status != LF_OK)
        fail_msg("open: %s: %s", lf_status_name(status), error.text);
}

void contract_reopen(struct contract *contract) {
    log_store_close(&contract->store);
    contract_open(contract);
}

void contract_kill_and_reopen(struct contract *contract) {
    contract->backend->kill(contract->disk, &contract->store);
    contract_open(contract);
}

static struct lf_buf *entry_of(const struct lf_entry_header *header, uint64_t group, struct lf_bytes payload) {
    struct lf_buf *entry = lf_buf_new(LF_ENTRY_HEADER_BYTES + payload.size);
    assert_non_null(entry);
    lf_entry_encode(header, group, payload, entry->data);
    if (payload.size > 0)
        memcpy(entry->data + LF_ENTRY_HEADER_BYTES, payload.data, payload.size);
    return entry;
}

struct lf_buf *contract_entry(uint64_t group, uint64_t index, uint64_t term, uint64_t end_offset,
                              size_t payload_bytes) {
    uint8_t *payload = test_malloc(payload_bytes + 1);
    uint64_t random = group * 1000003 + index * 7919 + term * 104729;
    for (size_t i = 0; i < payload_bytes; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        payload[i] = (uint8_t)(random >> 56);
    }
    struct lf_entry_header header = {.type = LF_ENTRY_METADATA,
                                     .payload_bytes = (uint32_t)payload_bytes,
                                     .index = index,
                                     .term = term,
                                     .log_time_ms = index,
                                     .end_offset = end_offset,
                                     .replica_id = 1};
    struct lf_buf *entry = entry_of(&header, group, lf_bytes(payload, payload_bytes));
    test_free(payload);
    return entry;
}

struct lf_buf *contract_batch_entry(uint64_t group, uint64_t index, uint64_t offset, int64_t timestamp_ms,
                                    uint64_t log_time_ms) {
    struct lf_batch_builder *builder = lf_batch_builder_new(LF_CODEC_NONE, NULL);
    struct lf_record record = {.timestamp_ms = timestamp_ms, .value = lf_bytes_text("a record")};
    struct lf_buf *batch = NULL;
    assert_non_null(builder);
    assert_int_equal(lf_batch_builder_add(builder, &record), LF_OK);
    assert_int_equal(lf_batch_builder_finish(builder, &batch), LF_OK);
    lf_batch_builder_destroy(&builder);
    lf_batch_stamp(batch->data, (int64_t)offset, 1);
    struct lf_entry_header header = {.type = LF_ENTRY_BATCH,
                                     .payload_bytes = batch->size,
                                     .index = index,
                                     .term = 1,
                                     .log_time_ms = log_time_ms,
                                     .end_offset = offset + 1,
                                     .replica_id = 1};
    struct lf_buf *entry = entry_of(&header, group, lf_buf_bytes(batch));
    lf_buf_unref(&batch);
    return entry;
}

struct log_store_write *contract_write(uint64_t group, uint64_t token) {
    struct log_store_write *write = log_store_write_new(group, token);
    assert_non_null(write);
    write->sync = true;
    return write;
}

struct log_store_write *contract_create(uint64_t group, uint64_t token) {
    struct log_store_write *write = contract_write(group, token);
    write->create = true;
    write->replica_id = group + 100;
    write->has_hard_state = true;
    write->term = 1;
    return write;
}

void contract_add(struct log_store_write *write, uint64_t first_index, uint32_t count, uint64_t term) {
    for (uint32_t i = 0; i < count; i++) {
        uint64_t index = first_index + i;
        struct lf_buf *entry = contract_entry(write->group, index, term, index, 100);
        assert_int_equal(log_store_write_add_entry(write, index, entry), LF_OK);
    }
}

struct log_segment contract_segment(uint64_t group, uint64_t first_index, uint64_t last_index, uint64_t term) {
    struct log_segment segment;
    log_segment_begin(&segment, first_index, first_index - 1, first_index);
    for (uint64_t index = first_index; index <= last_index; index++) {
        struct lf_buf *entry = contract_entry(group, index, term, index, 100);
        log_segment_add(&segment, lf_buf_bytes(entry));
        lf_buf_unref(&entry);
    }
    return segment;
}

void contract_pile_make(struct contract_pile *pile, uint64_t group, uint64_t first_index, uint64_t last_index,
                        uint64_t term, uint64_t keep_each) {
    struct log_segment all = contract_segment(group, first_index, last_index, term), *segment = &pile->segment;
    pile->count = 0;
    log_segment_begin(segment, first_index, all.base_offset, all.first_log_time_ms);
    for (uint64_t index = first_index; index <= last_index; index++) {
        if (index % keep_each != 0)
            continue;
        assert_true(pile->count < CONTRACT_PILE_MAX);
        struct lf_buf *entry = contract_entry(group, index, term, index, 100);
        log_segment_add(segment, lf_buf_bytes(entry));
        pile->entries[pile->count++] = entry;
    }
    segment->last_index = last_index;
    segment->last_term = all.last_term;
    segment->end_offset = all.end_offset;
    segment->first_log_time_ms = all.first_log_time_ms;
    segment->last_log_time_ms = all.last_log_time_ms;
    segment->rewrites = keep_each > 1;
}

void contract_pile_free(struct contract_pile *pile) {
    for (uint32_t i = 0; i < pile->count; i++)
        lf_buf_unref(&pile->entries[i]);
    pile->count = 0;
}

enum lf_status contract_stage(struct contract *contract, uint64_t group, const struct contract_pile *pile,
                              uint32_t piece) {
    enum lf_status result = LF_OK;
    uint32_t at = 0;
    do {
        struct log_store_stage stage = {.group = group, .request = 70 + at, .segment = &pile->segment};
        stage.first = at == 0;
        stage.entries = (struct lf_buf **)(uintptr_t)&pile->entries[at];
        stage.entry_count = pile->count - at < piece ? pile->count - at : piece;
        at += stage.entry_count;
        stage.last = at == pile->count;
        assert_int_equal(log_store_stage(contract->store, &stage), LF_OK);
        struct log_store_completion *completion = contract_wait(contract);
        assert_int_equal(completion->kind, LOG_STORE_DONE_STAGE);
        assert_int_equal(completion->group, group);
        assert_int_equal(completion->id, stage.request);
        if (completion->status != LF_OK && completion->error.text[0] == '\0')
            fail_msg("status %s without words", lf_status_name(completion->status));
        result = result == LF_OK ? completion->status : result;
        log_store_completion_destroy(&completion);
    } while (at < pile->count && result == LF_OK);
    return result;
}

void contract_row(struct log_store_write *write, const char *key, const char *value) {
    struct lf_bytes bytes = value ? lf_bytes_text(value) : lf_bytes(NULL, 0);
    assert_int_equal(log_store_write_add_row(write, lf_bytes_text(key), bytes), LF_OK);
}

void contract_submit(struct contract *contract, struct log_store_write *write) {
    assert_int_equal(log_store_submit(contract->store, &write), LF_OK);
    assert_null(write);
}

struct log_store_completion *contract_wait(struct contract *contract) {
    struct log_store_completion *completion = contract->backend->wait(contract->store);
    if (!completion)
        fail_msg("no completion came");
    return completion;
}

enum lf_status contract_do(struct contract *contract, struct log_store_write *write) {
    uint64_t token = write->token;
    contract_submit(contract, write);
    struct log_store_completion *completion = contract_wait(contract);
    enum lf_status status = completion->status;
    if (status != LF_OK && completion->error.text[0] == '\0')
        fail_msg("status %s without words", lf_status_name(status));
    assert_int_equal(completion->kind, LOG_STORE_DONE_WRITE);
    assert_int_equal(completion->id, token);
    log_store_completion_destroy(&completion);
    return status;
}

struct log_store_completion *contract_read(struct contract *contract, struct log_store_read read) {
    assert_int_equal(log_store_read(contract->store, &read), LF_OK);
    struct log_store_completion *completion = contract_wait(contract);
    assert_int_equal(completion->kind, LOG_STORE_DONE_READ);
    assert_int_equal(completion->id, read.request);
    assert_int_equal(completion->group, read.group);
    return completion;
}

struct log_store_completion *contract_load(struct contract *contract, uint64_t group) {
    assert_int_equal(log_store_load(contract->store, group, 42), LF_OK);
    struct log_store_completion *completion = contract_wait(contract);
    assert_int_equal(completion->kind, LOG_STORE_DONE_LOAD);
    assert_int_equal(completion->id, 42);
    assert_int_equal(completion->status, LF_OK);
    assert_non_null(completion->loaded);
    return completion;
}

uint64_t contract_find(struct contract *contract, uint64_t group, enum log_store_read_from from, uint64_t value,
                       uint64_t last_index) {
    struct log_store_read read = {.group = group,
                                  .request = 5,
                                  .from = from,
                                  .value = value,
                                  .last_index = last_index,
                                  .bytes_max = 1000,
                                  .entries_max = 3};
    struct log_store_completion *completion = contract_read(contract, read);
    if (completion->status != LF_OK)
        fail_msg("read: %s", completion->error.text);
    uint64_t first = completion->entry_count > 0 ? completion->first_index : 0, before = 0;
    for (uint32_t i = 0; i < completion->entry_count; i++) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        assert_int_equal(lf_entry_check(lf_buf_bytes(completion->entries[i]), group, &header, &payload, NULL), LF_OK);
        assert_true(i == 0 ? header.index == first : header.index > before);
        before = header.index;
    }
    log_store_completion_destroy(&completion);
    return first;
}

void contract_expect_entries(struct contract *contract, uint64_t group, uint64_t first_index, uint32_t count,
                             uint64_t term) {
    struct log_store_read read = {.group = group,
                                  .request = 6,
                                  .from = LOG_STORE_READ_INDEX,
                                  .value = first_index,
                                  .last_index = UINT64_MAX,
                                  .bytes_max = UINT32_MAX,
                                  .entries_max = UINT32_MAX};
    struct log_store_completion *completion = contract_read(contract, read);
    if (completion->status != LF_OK)
        fail_msg("read: %s", completion->error.text);
    assert_int_equal(completion->entry_count, count);
    for (uint32_t i = 0; i < count; i++) {
        struct lf_buf *wanted = contract_entry(group, first_index + i, term, first_index + i, 100);
        assert_int_equal(completion->entries[i]->size, wanted->size);
        assert_memory_equal(completion->entries[i]->data, wanted->data, wanted->size);
        lf_buf_unref(&wanted);
    }
    log_store_completion_destroy(&completion);
}

const char *contract_row_of(struct contract *contract, uint64_t group, const char *key) {
    static char text[256];
    struct log_store_completion *completion = contract_load(contract, group);
    snprintf(text, sizeof text, "-");
    for (size_t i = 0; i < completion->loaded->row_count; i++) {
        const struct log_store_row *row = &completion->loaded->rows[i];
        if (lf_bytes_equal(row->key, lf_bytes_text(key)))
            snprintf(text, sizeof text, "%.*s", (int)row->value.size, (const char *)row->value.data);
    }
    log_store_completion_destroy(&completion);
    return text;
}
