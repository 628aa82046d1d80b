/** Which records survive a rewrite, and that the result depends on the entries alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "key_map.h"
#include "lf_crc32c.h"
#include "lf_entry.h"
#include "rewrite_log.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t random_next(uint64_t *seed) { /* xorshift64 */
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/** "a=1 b= c" -> records with key a and value 1, key b and a null value, no key and value c. One batch. */
static void add_text(struct rewrite_log *log, enum lf_codec codec, const char *text) {
    struct lf_record records[16];
    int32_t count = 0;
    while (*text) {
        size_t size = strcspn(text, " "), key = strcspn(text, "= ");
        struct lf_record *record = &records[count++];
        *record = (struct lf_record){.timestamp_ms = 5};
        if (key < size) {
            record->key = lf_bytes(text, key);
            record->value = size > key + 1 ? lf_bytes(text + key + 1, size - key - 1) : lf_bytes(NULL, 0);
        } else {
            record->value = lf_bytes(text, size);
        }
        text += size + (text[size] == ' ');
    }
    rewrite_log_add_records(log, codec, records, count);
}

static void new_log(struct rewrite_log *log) { rewrite_log_init(log, 1, 0); }

static struct log_store_rewrite compacting(const struct rewrite_log *log) {
    struct log_store_rewrite request = rewrite_log_all(log);
    request.compact = true;
    return request;
}

/** Rewrites all; the result's records as text. Leaves *out to the caller. */
static const char *survivors(const struct rewrite_log *log, const struct log_store_rewrite *request,
                             struct rewrite_log *out) {
    struct lf_error error = {0};
    enum lf_status status = rewrite_log_run(log, request, 0, 1, out, NULL, &error);
    if (status != LF_OK)
        fail_msg("%s", error.text);
    return rewrite_log_text(out);
}

static void the_last_record_of_each_key_survives_at_its_own_offset(void **state) {
    (void)state;
    struct rewrite_log log, out;
    new_log(&log);
    add_text(&log, LF_CODEC_NONE, "a=1 b=1 c=1");
    add_text(&log, LF_CODEC_ZSTD, "b=2 a=2");
    rewrite_log_seal(&log);
    add_text(&log, LF_CODEC_LZ4, "b=3 d=1 b=4");
    rewrite_log_seal(&log);
    struct log_store_rewrite request = compacting(&log);
    assert_string_equal(survivors(&log, &request, &out), "2 4 6 7");
    rewrite_log_deinit(&out);
    rewrite_log_deinit(&log);
}

static void records_without_a_key_all_survive(void **state) {
    (void)state;
    struct rewrite_log log, out;
    new_log(&log);
    add_text(&log, LF_CODEC_NONE, "x a=1 x");
    add_text(&log, LF_CODEC_NONE, "x a=2 x");
    rewrite_log_seal(&log);
    struct log_store_rewrite request = compacting(&log);
    assert_string_equal(survivors(&log, &request, &out), "0 2 3 4 5");
    rewrite_log_deinit(&out);
    rewrite_log_deinit(&log);
}

static void an_empty_key_is_a_key(void **state) {
    (void)state;
    struct rewrite_log log, out;
    struct lf_record records[2] = {{.key = lf_bytes("", 0), .value = lf_bytes("1", 1)},
                                   {.key = lf_bytes("", 0), .value = lf_bytes("2", 1)}};
    new_log(&log);
    rewrite_log_add_records(&log, LF_CODEC_NONE, records, 2);
    rewrite_log_seal(&log);
    struct log_store_rewrite request = compacting(&log);
    assert_string_equal(survivors(&log, &request, &out), "1");
    rewrite_log_deinit(&out);
    rewrite_log_deinit(&log);
}

static void a_tombstone_goes_when_its_log_time_is_below_the_limit(void **state) {
    (void)state;
    struct rewrite_log log, out;
    new_log(&log);
    add_text(&log, LF_CODEC_NONE, "a=1 b=1"); /* log time 1000 */
    add_text(&log, LF_CODEC_NONE, "a=");      /* 1001 */
    add_text(&log, LF_CODEC_NONE, "b= c=1");  /* 1002 */
    rewrite_log_seal(&log);
    struct log_store_rewrite request = compacting(&log);
    assert_string_equal(survivors(&log, &request, &out), "*2 *3 4");
    rewrite_log_deinit(&out);
    request.tombstones_before_ms = 1001;
    assert_string_equal(survivors(&log, &request, &out), "*2 *3 4");
    rewrite_log_deinit(&out);
    request.tombstones_before_ms = 1002;
    assert_string_equal(survivors(&log, &request, &out), "*3 4");
    rewrite_log_deinit(&out);
    request.tombstones_before_ms = 1003;
    assert_string_equal(survivors(&log, &request, &out), "4");
    rewrite_log_deinit(&out);
    rewrite_log_deinit(&log);
}

static void a_value_after_a_tombstone_survives_it(void **state) {
    (void)state;
    struct rewrite_log log, out;
    new_log(&log);
    add_text(&log, LF_CODEC_NONE, "a=1 a= a=2");
    rewrite_log_seal(&log);
    struct log_store_rewrite request = compacting(&log);
    request.tombstones_before_ms = UINT64_MAX;
    assert_string_equal(survivors(&log, &request, &out), "2");
    rewrite_log_deinit(&out);
    rewrite_log_deinit(&log);
}

static void a_batch_of_which_all_survive_is_not_touched(void **state) {
    (void)state;
    static const enum lf_codec codecs[] = {LF_CODEC_NONE, LF_CODEC_LZ4, LF_CODEC_ZSTD};
    for (size_t c = 0; c < 3; c++) {
        struct rewrite_log log, out;
        new_log(&log);
        add_text(&log, codecs[c], "a=1 b=1");
        add_text(&log, codecs[c], "a=2 c=1");
        add_text(&log, codecs[c], "a=3");
        rewrite_log_seal(&log);
        struct log_store_rewrite request = compacting(&log);
        assert_string_equal(survivors(&log, &request, &out), "1 3 4");
        assert_false(lf_bytes_equal(lf_buf_bytes(log.entries[0]), lf_buf_bytes(out.entries[0])));
        assert_true(lf_bytes_equal(lf_buf_bytes(log.entries[2]), lf_buf_bytes(out.entries[2])));
        struct lf_entry_header before, after;
        struct lf_bytes payload;
        assert_int_equal(lf_entry_decode(lf_buf_bytes(log.entries[0]), &before, &payload), LF_OK);
        assert_int_equal(lf_entry_check(lf_buf_bytes(out.entries[0]), REWRITE_LOG_GROUP, &after, &payload, NULL),
                         LF_OK);
        assert_int_equal(after.index, before.index);
        assert_int_equal(after.term, before.term);
        assert_int_equal(after.log_time_ms, before.log_time_ms);
        assert_int_equal(after.end_offset, before.end_offset);
        assert_int_equal(after.replica_id, before.replica_id);
        rewrite_log_deinit(&out);
        rewrite_log_deinit(&log);
    }
}

static void a_batch_of_which_none_survives_is_gone(void **state) {
    (void)state;
    struct rewrite_log log, out;
    new_log(&log);
    add_text(&log, LF_CODEC_NONE, "a=1 b=1");
    add_text(&log, LF_CODEC_NONE, "a=2 b=2");
    rewrite_log_seal(&log);
    struct log_store_rewrite request = compacting(&log);
    assert_string_equal(survivors(&log, &request, &out), "2 3");
    assert_null(out.entries[0]);
    assert_int_equal(out.segments[0].entry_count, 1);
    assert_int_equal(out.segments[0].first_index, 1);
    assert_int_equal(out.segments[0].last_index, 2);
    assert_int_equal(out.segments[0].rewrites, 1);
    assert_int_equal(out.segments[0].base_offset, 0);
    assert_int_equal(out.segments[0].end_offset, 4);
    rewrite_log_deinit(&out);
    rewrite_log_deinit(&log);
}

static void commands_go_when_asked_for(void **state) {
    (void)state;
    struct rewrite_log log, out;
    new_log(&log);
    rewrite_log_add(&log, LF_ENTRY_NOOP, lf_bytes(NULL, 0), 0);
    add_text(&log, LF_CODEC_NONE, "a=1");
    rewrite_log_add(&log, LF_ENTRY_CONFIGURATION, lf_bytes_text("members"), 0);
    add_text(&log, LF_CODEC_NONE, "a=2");
    rewrite_log_seal(&log);
    struct log_store_rewrite request = rewrite_log_all(&log);
    assert_string_equal(survivors(&log, &request, &out), "0 1");
    assert_int_equal(out.segments[0].entry_count, 4);
    assert_int_equal(out.segments[0].checksum, log.segments[0].checksum);
    rewrite_log_deinit(&out);
    request.drop_commands = true;
    assert_string_equal(survivors(&log, &request, &out), "0 1");
    assert_int_equal(out.segments[0].entry_count, 2);
    assert_int_equal(out.segments[0].command_bytes, 0);
    assert_int_equal(out.segments[0].last_term, 3);
    rewrite_log_deinit(&out);
    rewrite_log_deinit(&log);
}

static void neighbours_are_merged_up_to_the_wanted_size(void **state) {
    (void)state;
    struct rewrite_log log, out;
    new_log(&log);
    for (int i = 0; i < 5; i++) {
        add_text(&log, LF_CODEC_NONE, "a=1 b=1");
        rewrite_log_seal(&log);
    }
    struct log_store_rewrite request = rewrite_log_all(&log);
    request.segment_bytes = log.segments[0].bytes + 1;
    survivors(&log, &request, &out);
    assert_int_equal(out.segment_count, 3);
    assert_int_equal(out.segments[0].last_index, 2);
    assert_int_equal(out.segments[1].last_index, 4);
    assert_int_equal(out.segments[2].last_index, 5);
    assert_int_equal(out.segments[1].base_offset, 4);
    assert_int_equal(out.segments[1].first_log_time_ms, 1002);
    assert_int_equal(out.segments[1].last_log_time_ms, 1003);
    assert_int_equal(out.segments[1].max_timestamp_ms, 5);
    rewrite_log_deinit(&out);
    rewrite_log_deinit(&log);
}

static void a_segment_of_which_nothing_survives_is_empty_and_joins_its_neighbour_next_time(void **state) {
    (void)state;
    struct rewrite_log log, out, again;
    new_log(&log);
    add_text(&log, LF_CODEC_NONE, "a=1");
    rewrite_log_seal(&log);
    add_text(&log, LF_CODEC_NONE, "a=2");
    rewrite_log_seal(&log);
    struct log_store_rewrite request = compacting(&log);
    request.segment_bytes = 0;
    assert_string_equal(survivors(&log, &request, &out), "1");
    assert_int_equal(out.segment_count, 2);
    assert_int_equal(out.segments[0].entry_count, 0);
    assert_int_equal(out.segments[0].bytes, 0);
    request.segment_bytes = 1;
    assert_string_equal(survivors(&out, &request, &again), "1");
    assert_int_equal(again.segment_count, 1);
    assert_int_equal(again.segments[0].rewrites, 2);
    rewrite_log_deinit(&again);
    rewrite_log_deinit(&out);
    rewrite_log_deinit(&log);
}

static void rewriting_again_finds_nothing_more_to_take(void **state) {
    (void)state;
    struct rewrite_log log, out, again;
    new_log(&log);
    add_text(&log, LF_CODEC_ZSTD, "a=1 b=1 c=1");
    add_text(&log, LF_CODEC_ZSTD, "a=2 d=1 e=1");
    rewrite_log_seal(&log);
    struct log_store_rewrite request = compacting(&log);
    survivors(&log, &request, &out);
    assert_string_equal(survivors(&out, &request, &again), "1 2 3 4 5");
    assert_int_equal(again.segments[0].checksum, out.segments[0].checksum);
    rewrite_log_deinit(&again);
    rewrite_log_deinit(&out);
    rewrite_log_deinit(&log);
}

/** A batch with a right CRC that says two records and holds one: `a=1` and garbage. */
static struct lf_buf *lying_batch(uint16_t attributes) {
    struct lf_record records[2] = {{.key = lf_bytes_text("a"), .value = lf_bytes_text("lie")},
                                   {.key = lf_bytes_text("b"), .value = lf_bytes_text("lie")}};
    struct lf_batch_builder *builder = lf_batch_builder_new(LF_CODEC_NONE, NULL);
    struct lf_buf *batch = NULL;
    assert_int_equal(lf_batch_builder_add(builder, &records[0]), LF_OK);
    assert_int_equal(lf_batch_builder_add(builder, &records[1]), LF_OK);
    assert_int_equal(lf_batch_builder_finish(builder, &batch), LF_OK);
    lf_batch_builder_destroy(&builder);
    batch->data[batch->size - 1] ^= 0x55; /* headers that are not there */
    lf_put_be16(batch->data + 21, attributes);
    lf_put_be32(batch->data + 17, lf_crc32c(0, batch->data + 21, batch->size - 21));
    return batch;
}

static void a_batch_that_lies_survives_untouched_and_supersedes_nothing(void **state) {
    (void)state;
    static const uint16_t attributes[] = {LF_CODEC_NONE, LF_CODEC_LZ4, LF_CODEC_ZSTD};
    for (size_t c = 0; c < 3; c++) {
        struct rewrite_log log, out;
        struct log_rewrite_figures figures;
        struct lf_buf *lying = lying_batch(attributes[c]);
        new_log(&log);
        add_text(&log, LF_CODEC_NONE, "a=1 b=1");
        rewrite_log_add_batch(&log, &lying);
        add_text(&log, LF_CODEC_NONE, "b=2");
        rewrite_log_seal(&log);
        struct log_store_rewrite request = compacting(&log);
        assert_int_equal(rewrite_log_run(&log, &request, 0, 1, &out, &figures, NULL), LF_OK);
        assert_int_equal(figures.batches_whole, 1);
        assert_int_equal(out.segments[0].entry_count, 3);
        assert_true(lf_bytes_equal(lf_buf_bytes(log.entries[1]), lf_buf_bytes(out.entries[1])));
        assert_int_equal(lf_get_be32(out.entries[0]->data + LF_ENTRY_HEADER_BYTES + 57), 1); /* b=1 went */
        rewrite_log_deinit(&out);
        rewrite_log_deinit(&log);
    }
}

static void tombstones_stay_behind_a_batch_that_stayed_whole(void **state) {
    (void)state;
    struct rewrite_log log, out;
    struct lf_buf *lying = lying_batch(LF_CODEC_NONE);
    new_log(&log);
    add_text(&log, LF_CODEC_NONE, "a= b=1");
    rewrite_log_add_batch(&log, &lying);
    add_text(&log, LF_CODEC_NONE, "b=");
    rewrite_log_seal(&log);
    struct log_store_rewrite request = compacting(&log);
    request.tombstones_before_ms = UINT64_MAX;
    assert_int_equal(rewrite_log_run(&log, &request, 0, 1, &out, NULL, NULL), LF_OK);
    assert_null(out.entries[0]); /* the tombstone before it went, and b=1 */
    assert_non_null(out.entries[1]);
    assert_non_null(out.entries[2]);
    rewrite_log_deinit(&out);
    rewrite_log_deinit(&log);
}

/* Zeroes pack a thousandfold: whatever it says, it is not unpacked beyond the bound. */
static void a_bomb_survives_untouched(void **state) {
    (void)state;
    size_t size = LOG_REWRITE_UNCOMPRESSED_BYTES_MAX + 100;
    uint8_t *zeroes = calloc(size, 1);
    struct lf_batch_limits limits = {.batch_bytes_max = 2 * size, .value_bytes_max = 2 * size};
    struct lf_batch_builder *builder = lf_batch_builder_new(LF_CODEC_ZSTD, &limits);
    struct lf_record record = {.key = lf_bytes_text("a"), .value = lf_bytes(zeroes, size)};
    struct lf_buf *bomb = NULL;
    assert_int_equal(lf_batch_builder_add(builder, &record), LF_OK);
    assert_int_equal(lf_batch_builder_finish(builder, &bomb), LF_OK);
    lf_batch_builder_destroy(&builder);
    assert_true(bomb->size < LF_ENTRY_PAYLOAD_BYTES_HARD);
    struct rewrite_log log, out;
    new_log(&log);
    rewrite_log_add_batch(&log, &bomb);
    add_text(&log, LF_CODEC_NONE, "a=2");
    rewrite_log_seal(&log);
    struct log_store_rewrite request = compacting(&log);
    assert_int_equal(rewrite_log_run(&log, &request, 0, 1, &out, NULL, NULL), LF_OK);
    assert_int_equal(out.segments[0].entry_count, 2);
    assert_int_equal(out.segments[0].checksum, log.segments[0].checksum);
    rewrite_log_deinit(&out);
    rewrite_log_deinit(&log);
    free(zeroes);
}

/* zstd finds repeats of 1.5 MiB, blocks of 64 KiB do not. */
static void a_batch_that_would_outgrow_an_entry_stays_whole(void **state) {
    (void)state;
    size_t size = 3u << 19;
    uint8_t *noise = malloc(size);
    uint64_t seed = 99;
    for (size_t i = 0; i < size; i++)
        noise[i] = (uint8_t)random_next(&seed);
    struct lf_batch_limits limits = {.batch_bytes_max = 16u << 20, .value_bytes_max = 4u << 20};
    struct lf_batch_builder *builder = lf_batch_builder_new(LF_CODEC_ZSTD, &limits);
    struct lf_buf *batch = NULL;
    static const char *const keys[] = {"a", "b", "d", "c"};
    for (int i = 0; i < 4; i++) {
        struct lf_record record = {.key = lf_bytes_text(keys[i]), .value = lf_bytes(noise, i == 3 ? 10 : size)};
        assert_int_equal(lf_batch_builder_add(builder, &record), LF_OK);
    }
    assert_int_equal(lf_batch_builder_finish(builder, &batch), LF_OK);
    lf_batch_builder_destroy(&builder);
    assert_true(batch->size < LF_ENTRY_PAYLOAD_BYTES_HARD);
    struct rewrite_log log, out;
    struct log_rewrite_figures figures;
    new_log(&log);
    add_text(&log, LF_CODEC_NONE, "a=0");
    rewrite_log_add_batch(&log, &batch);
    add_text(&log, LF_CODEC_NONE, "c= z=1");
    rewrite_log_seal(&log);
    struct log_store_rewrite request = compacting(&log);
    request.tombstones_before_ms = UINT64_MAX;
    assert_int_equal(rewrite_log_run(&log, &request, 0, 1, &out, &figures, NULL), LF_OK);
    assert_int_equal(figures.batches_whole, 1);
    assert_string_equal(rewrite_log_text(&out), "1 2 3 4 *5 6"); /* it superseded a=0; c's tombstone has to stay */
    rewrite_log_deinit(&out);
    rewrite_log_deinit(&log);
    free(noise);
}

static void a_segment_that_lacks_an_entry_is_damaged(void **state) {
    (void)state;
    for (int lacks = 0; lacks < 3; lacks++) {
        struct rewrite_log log, out;
        struct lf_error error = {0};
        new_log(&log);
        for (int i = 0; i < 3; i++)
            add_text(&log, LF_CODEC_NONE, "a=1");
        rewrite_log_seal(&log);
        add_text(&log, LF_CODEC_NONE, "a=1");
        rewrite_log_seal(&log);
        lf_buf_unref(&log.entries[lacks]);
        struct log_store_rewrite request = rewrite_log_all(&log);
        for (int compact = 0; compact < 2; compact++) {
            request.compact = compact;
            assert_int_equal(rewrite_log_run(&log, &request, 0, 1, &out, NULL, &error), LF_DAMAGED);
            assert_non_null(strstr(error.text, "segment 1-3 holds 2 entries"));
        }
        rewrite_log_deinit(&log);
    }
}

static void an_entry_with_a_flipped_bit_is_damaged(void **state) {
    (void)state;
    struct rewrite_log log, out;
    struct lf_error error = {0};
    new_log(&log);
    add_text(&log, LF_CODEC_NONE, "a=1");
    add_text(&log, LF_CODEC_NONE, "a=1");
    rewrite_log_seal(&log);
    log.entries[1]->data[log.entries[1]->size - 2] ^= 4;
    struct log_store_rewrite request = rewrite_log_all(&log);
    assert_int_equal(rewrite_log_run(&log, &request, 0, 1, &out, NULL, &error), LF_DAMAGED);
    assert_int_equal(error.code, LF_DAMAGED);
    rewrite_log_deinit(&log);
}

static void ranges_that_do_not_fit_the_segments_are_refused(void **state) {
    (void)state;
    struct rewrite_log log, out;
    new_log(&log);
    add_text(&log, LF_CODEC_NONE, "a=1");
    add_text(&log, LF_CODEC_NONE, "a=1");
    rewrite_log_seal(&log);
    struct log_store_rewrite request = rewrite_log_all(&log);
    request.last_index--;
    assert_int_equal(rewrite_log_run(&log, &request, 0, 1, &out, NULL, NULL), LF_INVALID);
    request.last_index++;
    request.first_index++;
    assert_int_equal(rewrite_log_run(&log, &request, 0, 1, &out, NULL, NULL), LF_INVALID);
    rewrite_log_deinit(&log);
}

/* ---- against a model, and against itself ---- */

#define KEYS_MAX 400

/** What the model knows of a record. */
struct known {
    int key; /* -1: none */
    bool tombstone, sound;
    uint64_t log_time_ms;
};
struct model {
    struct known *records;
    size_t count;
};

static void random_batch(struct rewrite_log *log, struct model *model, uint64_t *seed, int keys) {
    static const enum lf_codec codecs[] = {LF_CODEC_NONE, LF_CODEC_LZ4, LF_CODEC_ZSTD};
    struct lf_record records[30];
    char key_text[30][32], value[200];
    int32_t count = 1 + (int32_t)(random_next(seed) % 30);
    memset(value, 'v', sizeof value);
    model->records = realloc(model->records, (model->count + 30) * sizeof model->records[0]);
    for (int32_t i = 0; i < count; i++) {
        struct known *known = &model->records[model->count++];
        *known = (struct known){.key = random_next(seed) % 8 == 0 ? -1 : (int)(random_next(seed) % (uint64_t)keys),
                                .tombstone = random_next(seed) % 5 == 0,
                                .sound = true,
                                .log_time_ms = log->log_time_ms};
        records[i] = (struct lf_record){.timestamp_ms = (int64_t)(random_next(seed) % 100000)};
        if (known->key >= 0)
            records[i].key = lf_bytes(
                key_text[i], (size_t)snprintf(key_text[i], sizeof key_text[i], "the key number %d", known->key));
        if (!known->tombstone)
            records[i].value = lf_bytes(value, random_next(seed) % sizeof value);
    }
    rewrite_log_add_records(log, codecs[random_next(seed) % 3], records, count);
    if (random_next(seed) % 40 == 0) { /* make a liar of it: one byte of its records, and the sums right again */
        struct lf_buf *entry = log->entries[log->count - 1];
        struct lf_bytes batch = lf_bytes(entry->data + LF_ENTRY_HEADER_BYTES, entry->size - LF_ENTRY_HEADER_BYTES);
        uint8_t *bytes = entry->data + LF_ENTRY_HEADER_BYTES;
        bytes[batch.size - 1] ^= 0x81;
        lf_put_be32(bytes + 17, lf_crc32c(0, bytes + 21, batch.size - 21));
        struct lf_entry_header header;
        struct lf_bytes payload;
        assert_int_equal(lf_entry_decode(lf_buf_bytes(entry), &header, &payload), LF_OK);
        lf_entry_encode(&header, REWRITE_LOG_GROUP, payload, entry->data);
        for (int32_t i = 0; i < count; i++)
            model->records[model->count - 1 - (size_t)i].sound = false;
    }
}

static void random_log(struct rewrite_log *log, struct model *model, uint64_t *seed) {
    new_log(log);
    *model = (struct model){0};
    int keys = 1 + (int)(random_next(seed) % KEYS_MAX);
    uint64_t segments = 1 + random_next(seed) % 6;
    for (uint64_t s = 0; s < segments; s++) {
        for (uint64_t entries = 1 + random_next(seed) % 25; entries > 0; entries--)
            if (random_next(seed) % 7 == 0)
                rewrite_log_add(log, LF_ENTRY_NOOP, lf_bytes(NULL, 0), 0);
            else
                random_batch(log, model, seed, keys);
        rewrite_log_seal(log);
    }
}

/** The offsets that should be in sound batches afterwards, as rewrite_log_text would say them. */
static void expected_survivors(const struct model *model, uint64_t tombstones_before_ms, bool *expected) {
    bool whole_before = false;
    for (size_t i = 0; i < model->count; i++) {
        const struct known *known = &model->records[i];
        expected[i] = true;
        whole_before = whole_before || !known->sound;
        if (!known->sound || known->key < 0)
            continue;
        for (size_t later = i + 1; later < model->count && expected[i]; later++)
            if (model->records[later].sound && model->records[later].key == known->key)
                expected[i] = false;
        if (known->tombstone && known->log_time_ms < tombstones_before_ms && !whole_before)
            expected[i] = false;
    }
}

static void mark_found(const struct rewrite_log *log, bool *found, size_t count) {
    for (size_t i = 0; i < log->count; i++) {
        if (!log->entries[i] || log->entries[i]->data[5] != LF_ENTRY_BATCH)
            continue;
        struct lf_bytes batch =
            lf_bytes(log->entries[i]->data + LF_ENTRY_HEADER_BYTES, log->entries[i]->size - LF_ENTRY_HEADER_BYTES);
        struct lf_batch_reader *reader = NULL;
        struct lf_record record;
        enum lf_status status = lf_batch_reader_new(batch, NULL, &reader, NULL);
        bool in_batch[4096] = {false};
        uint64_t base = lf_get_be64(batch.data), last = base + lf_get_be32(batch.data + 23);
        while (status == LF_OK && (status = lf_batch_reader_next(reader, &record)) == LF_OK)
            in_batch[(uint64_t)record.offset - base] = true;
        for (uint64_t offset = base; offset <= last && offset < count; offset++) /* a liar has all it says */
            found[offset] = status != LF_END || in_batch[offset - base];
        lf_batch_reader_destroy(&reader);
    }
}

static void survivors_are_those_of_the_model_whatever_the_memory_and_the_steps(void **state) {
    (void)state;
    uint32_t windows_max = 0;
    for (uint64_t round = 1; round <= 60; round++) {
        uint64_t seed = round * 0x9E3779B97F4A7C15u;
        struct rewrite_log log, reference, out;
        struct model model;
        random_log(&log, &model, &seed);
        struct log_store_rewrite request = compacting(&log);
        request.drop_commands = random_next(&seed) % 2;
        request.segment_bytes = random_next(&seed) % 20000;
        request.tombstones_before_ms = random_next(&seed) % 2 ? 1000 + random_next(&seed) % 150 : 0;
        assert_int_equal(rewrite_log_run(&log, &request, 0, SIZE_MAX / 2, &reference, NULL, NULL), LF_OK);
        bool *expected = calloc(model.count, 1), *found = calloc(model.count, 1);
        expected_survivors(&model, request.tombstones_before_ms, expected);
        mark_found(&reference, found, model.count);
        for (size_t i = 0; i < model.count; i++)
            if (expected[i] != found[i])
                fail_msg("round %d: offset %zu is %s", (int)round, i, found[i] ? "there" : "gone");
        const size_t memories[] = {1, 4000, 9000, 40000};
        for (size_t m = 0; m < 4; m++) {
            struct log_rewrite_figures figures;
            assert_int_equal(
                rewrite_log_run(&log, &request, memories[m], 1 + random_next(&seed) % 5000, &out, &figures, NULL),
                LF_OK);
            assert_true(rewrite_log_equal(&out, &reference));
            if (figures.windows > windows_max)
                windows_max = figures.windows;
            rewrite_log_deinit(&out);
        }
        free(expected);
        free(found);
        free(model.records);
        rewrite_log_deinit(&reference);
        rewrite_log_deinit(&log);
    }
    assert_true(windows_max >= 5);
}

static void a_batch_with_more_keys_than_the_memory_holds_is_still_compacted(void **state) {
    (void)state;
    struct rewrite_log log, out, reference;
    struct lf_record records[1000];
    char keys[1000][16];
    for (int i = 0; i < 1000; i++)
        records[i] = (struct lf_record){.key = lf_bytes(keys[i], (size_t)snprintf(keys[i], 16, "k%d", i)),
                                        .value = lf_bytes_text("value")};
    new_log(&log);
    for (int i = 0; i < 3; i++) {
        rewrite_log_add(&log, LF_ENTRY_NOOP, lf_bytes(NULL, 0), 0);
        rewrite_log_add_records(&log, LF_CODEC_NONE, records + 100 * i, 500);
    }
    rewrite_log_seal(&log);
    struct log_store_rewrite request = compacting(&log);
    struct log_rewrite_figures figures;
    assert_int_equal(rewrite_log_run(&log, &request, 1, 1, &out, &figures, NULL), LF_OK);
    assert_int_equal(rewrite_log_run(&log, &request, 0, 1, &reference, NULL, NULL), LF_OK);
    assert_true(figures.windows >= 2);
    assert_int_equal(figures.records_kept, 700);
    assert_true(rewrite_log_equal(&out, &reference));
    rewrite_log_deinit(&out);
    rewrite_log_deinit(&reference);
    rewrite_log_deinit(&log);
}

/* ---- the map ---- */

static void the_map_of_keys_stays_within_its_bytes(void **state) {
    (void)state;
    struct key_map map;
    key_map_init(&map, 600000);
    uint64_t count = 0;
    for (;; count++) {
        struct key_hash hash = key_hash_of(lf_bytes(&count, sizeof count));
        enum lf_status status = key_map_put(&map, hash, count, false);
        if (status == LF_FULL)
            break;
        assert_int_equal(status, LF_OK);
        assert_true(map.slot_count * sizeof map.slots[0] * 3 / 2 <= 600000);
    }
    assert_true(count > 600000 / 24 * 2 / 3 * 3 / 4);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t offset = 0;
        assert_true(key_map_get(&map, key_hash_of(lf_bytes(&i, sizeof i)), &offset));
        assert_int_equal(offset, i);
    }
    key_map_deinit(&map);
}

/* Computed by another implementation, which gives the published vector for the published key. */
static void the_hash_of_a_key_is_fixed_for_ever(void **state) {
    (void)state;
    struct key_hash hash = key_hash_of(lf_bytes_text("a key of some length"));
    assert_int_equal(hash.low, 0x964a34b80b63a3d0);
    assert_int_equal(hash.high, 0xd96394801d1ca7ad);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_record_of_each_key_survives_at_its_own_offset),
        cmocka_unit_test(records_without_a_key_all_survive),
        cmocka_unit_test(an_empty_key_is_a_key),
        cmocka_unit_test(a_tombstone_goes_when_its_log_time_is_below_the_limit),
        cmocka_unit_test(a_value_after_a_tombstone_survives_it),
        cmocka_unit_test(a_batch_of_which_all_survive_is_not_touched),
        cmocka_unit_test(a_batch_of_which_none_survives_is_gone),
        cmocka_unit_test(commands_go_when_asked_for),
        cmocka_unit_test(neighbours_are_merged_up_to_the_wanted_size),
        cmocka_unit_test(a_segment_of_which_nothing_survives_is_empty_and_joins_its_neighbour_next_time),
        cmocka_unit_test(rewriting_again_finds_nothing_more_to_take),
        cmocka_unit_test(a_batch_that_lies_survives_untouched_and_supersedes_nothing),
        cmocka_unit_test(tombstones_stay_behind_a_batch_that_stayed_whole),
        cmocka_unit_test(a_bomb_survives_untouched),
        cmocka_unit_test(a_batch_that_would_outgrow_an_entry_stays_whole),
        cmocka_unit_test(a_segment_that_lacks_an_entry_is_damaged),
        cmocka_unit_test(an_entry_with_a_flipped_bit_is_damaged),
        cmocka_unit_test(ranges_that_do_not_fit_the_segments_are_refused),
        cmocka_unit_test(survivors_are_those_of_the_model_whatever_the_memory_and_the_steps),
        cmocka_unit_test(a_batch_with_more_keys_than_the_memory_holds_is_still_compacted),
        cmocka_unit_test(the_map_of_keys_stays_within_its_bytes),
        cmocka_unit_test(the_hash_of_a_key_is_fixed_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
