#include "wal_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct wal_judgement judge(struct lf_bytes bytes) {
    struct wal_stream stream = {0};
    return wal_scan(&stream, bytes);
}

static void an_empty_log_is_whole(void **state) {
    (void)state;
    struct wal_judgement judgement = judge(lf_bytes(NULL, 0));
    assert_int_equal(judgement.verdict, WAL_WHOLE);
}

static void batches_of_all_sizes_are_read(void **state) {
    (void)state;
    const size_t fillers[] = {0, 1, 32700, 32768, 100000, 5};
    struct wal_builder builder = {.sequence = 10};
    struct wal_stream stream = {0};
    for (size_t i = 0; i < 6; i++)
        wal_builder_batch(&builder, 3, fillers[i]);
    assert_int_equal(wal_scan(&stream, wal_builder_view(&builder)).verdict, WAL_WHOLE);
    assert_int_equal(stream.records, 6);
    assert_int_equal(stream.sequence_next, 10 + 18);
    wal_builder_deinit(&builder);
}

/* A first batch that leaves 0 to 60 bytes in its block: fragments of all short lengths, and filler, follow. */
static void batches_at_every_distance_from_a_blocks_end_are_read(void **state) {
    (void)state;
    for (size_t left = 0; left <= 60; left++) {
        struct wal_builder builder = {.sequence = 1};
        struct wal_stream stream = {0};
        wal_builder_batch(&builder, 1, WAL_BLOCK_BYTES - left - WAL_HEADER_BYTES - 12 - 2 - WAL_MARKER_BYTES);
        assert_int_equal(builder.size, WAL_BLOCK_BYTES - left);
        wal_builder_sync(&builder);
        wal_builder_batch(&builder, 1, 100);
        wal_builder_batch(&builder, 1, 100);
        assert_int_equal(wal_scan(&stream, wal_builder_view(&builder)).verdict, WAL_WHOLE);
        assert_int_equal(stream.records, 3);
        wal_builder_deinit(&builder);
    }
}

static void a_log_cut_anywhere_is_torn_at_its_last_whole_batch(void **state) {
    (void)state;
    struct wal_builder builder = {.sequence = 1};
    size_t starts[6];
    for (size_t i = 0; i < 6; i++) {
        starts[i] = wal_builder_batch(&builder, 2, i * 40);
        wal_builder_sync(&builder);
    }
    for (size_t size = 1; size <= builder.size; size++) {
        size_t whole = 0;
        for (size_t i = 1; i <= 6; i++) {
            size_t end = i < 6 ? starts[i] : builder.size;
            if (end <= size)
                whole = end;
        }
        struct wal_judgement judgement = judge(lf_bytes(builder.bytes, size));
        assert_int_equal(judgement.verdict, whole == size ? WAL_WHOLE : WAL_TORN);
        assert_int_equal(judgement.whole_bytes, whole);
    }
    wal_builder_deinit(&builder);
}

static void zeroes_behind_the_last_batch_are_torn(void **state) {
    (void)state;
    static const uint8_t zeroes[3 * WAL_BLOCK_BYTES];
    const size_t counts[] = {1, 6, 7, 512, 40000, sizeof zeroes};
    for (size_t i = 0; i < 6; i++) {
        struct wal_builder builder = {.sequence = 1};
        wal_builder_batch(&builder, 2, 100);
        wal_builder_sync(&builder);
        size_t whole = builder.size;
        uint8_t *bytes = calloc(1, whole + counts[i]);
        assert_non_null(bytes);
        memcpy(bytes, builder.bytes, whole);
        struct wal_judgement judgement = judge(lf_bytes(bytes, whole + counts[i]));
        assert_int_equal(judgement.verdict, WAL_TORN);
        assert_int_equal(judgement.whole_bytes, whole);
        free(bytes);
        wal_builder_deinit(&builder);
    }
}

static enum wal_verdict flip(struct wal_builder *builder, size_t at) {
    builder->bytes[at] ^= 0x10;
    struct wal_judgement judgement = judge(wal_builder_view(builder));
    builder->bytes[at] ^= 0x10;
    assert_true(judgement.verdict == WAL_WHOLE || judgement.whole_bytes <= at);
    return judgement.verdict;
}

static void a_changed_byte_before_a_later_synced_batch_is_damage(void **state) {
    (void)state;
    struct wal_builder builder = {.sequence = 100, .synced_sequence = 99};
    size_t last = 0;
    for (size_t i = 0; i < 5; i++) {
        last = wal_builder_batch(&builder, 2, 50 + i);
        wal_builder_sync(&builder);
    }
    for (size_t at = 0; at < builder.size; at++)
        assert_int_equal(flip(&builder, at), at < last ? WAL_DAMAGED : WAL_TORN);
    wal_builder_deinit(&builder);
}

static void a_changed_byte_among_unsynced_batches_is_torn(void **state) {
    (void)state;
    struct wal_builder builder = {.sequence = 100, .synced_sequence = 99};
    wal_builder_batch(&builder, 2, 50);
    wal_builder_sync(&builder);
    size_t unsynced = builder.size;
    for (size_t i = 0; i < 5; i++)
        wal_builder_batch(&builder, 2, 50 + i);
    for (size_t at = 0; at < builder.size; at++)
        assert_int_equal(flip(&builder, at), at < unsynced ? WAL_DAMAGED : WAL_TORN);
    wal_builder_deinit(&builder);
}

static void damage_is_seen_across_blocks(void **state) {
    (void)state;
    struct wal_builder builder = {.sequence = 1};
    for (size_t i = 0; i < 8; i++) {
        wal_builder_batch(&builder, 1, 20000);
        wal_builder_sync(&builder);
    }
    memset(builder.bytes + 50000, 0, 70000);
    struct wal_judgement judgement = judge(wal_builder_view(&builder));
    assert_int_equal(judgement.verdict, WAL_DAMAGED);
    assert_true(judgement.bad_offset <= 50000);
    assert_true(judgement.proof_offset >= 120000);
    wal_builder_deinit(&builder);
}

/* An unsynced batch of several blocks: any of its blocks may be missing, and others of it be there. */
static void missing_blocks_of_a_torn_batch_are_torn(void **state) {
    (void)state;
    for (size_t block = 0; block < 10; block++) {
        struct wal_builder builder = {.sequence = 1};
        wal_builder_batch(&builder, 1, 100);
        wal_builder_sync(&builder);
        size_t whole = builder.size;
        wal_builder_batch(&builder, 1, 300000);
        size_t from = block * WAL_BLOCK_BYTES < whole ? whole : block * WAL_BLOCK_BYTES;
        memset(builder.bytes + from, 0, 512);
        struct wal_judgement judgement = judge(wal_builder_view(&builder));
        assert_int_equal(judgement.verdict, WAL_TORN);
        assert_int_equal(judgement.whole_bytes, whole);
        wal_builder_deinit(&builder);
    }
}

static void the_first_batch_of_all_may_be_the_torn_one(void **state) {
    (void)state;
    struct wal_builder builder = {.sequence = 50, .synced_sequence = 49};
    wal_builder_batch(&builder, 1, 60000);
    builder.bytes[40000] ^= 1; /* behind its first fragment, which tells the sequence */
    assert_int_equal(judge(wal_builder_view(&builder)).verdict, WAL_TORN);
    builder.bytes[100] ^= 1;
    assert_int_equal(judge(wal_builder_view(&builder)).verdict, WAL_TORN);
    wal_builder_batch(&builder, 1, 100);
    assert_int_equal(judge(wal_builder_view(&builder)).verdict, WAL_TORN);
    wal_builder_sync(&builder);
    wal_builder_batch(&builder, 1, 100);
    assert_int_equal(judge(wal_builder_view(&builder)).verdict, WAL_DAMAGED);
    wal_builder_deinit(&builder);
}

static void another_stores_marker_proves_nothing(void **state) {
    (void)state;
    struct wal_builder builder = {.sequence = 50, .synced_sequence = 49};
    wal_builder_batch(&builder, 1, 100);
    size_t bad = wal_builder_batch(&builder, 1, 100);
    struct wal_builder forged = {.sequence = 60, .synced_sequence = 59};
    wal_builder_batch(&forged, 1, 100);
    uint8_t payload[500];
    memcpy(payload, forged.bytes + WAL_HEADER_BYTES, forged.size - WAL_HEADER_BYTES);
    payload[14 + 4] ^= 0xff; /* the uuid */
    wal_builder_record(&builder, payload, forged.size - WAL_HEADER_BYTES);
    builder.bytes[bad + 20] ^= 1;
    assert_int_equal(judge(wal_builder_view(&builder)).verdict, WAL_TORN);
    wal_builder_deinit(&builder);
    wal_builder_deinit(&forged);
}

static void later_logs_follow_or_prove_or_fall(void **state) {
    (void)state;
    for (int synced = 0; synced < 2; synced++) {
        struct wal_builder first = {.sequence = 1}, second = {0};
        size_t last = 0;
        for (int i = 0; i < 4; i++)
            last = wal_builder_batch(&first, 2, 100);
        if (synced)
            wal_builder_sync(&first);
        second.sequence = first.sequence;
        second.synced_sequence = first.synced_sequence;
        wal_builder_batch(&second, 1, 100);
        struct wal_stream stream = {0};
        assert_int_equal(wal_scan(&stream, wal_builder_view(&first)).verdict, WAL_WHOLE);
        assert_int_equal(wal_scan(&stream, wal_builder_view(&second)).verdict, WAL_WHOLE);
        /* the first log lost its last batch, cleanly: seen at the gap */
        stream = (struct wal_stream){0};
        assert_int_equal(wal_scan(&stream, lf_bytes(first.bytes, last)).verdict, WAL_WHOLE);
        struct wal_judgement judgement = wal_scan(&stream, wal_builder_view(&second));
        assert_int_equal(judgement.verdict, synced ? WAL_DAMAGED : WAL_TORN);
        assert_int_equal(judgement.whole_bytes, 0);
        /* and in its middle */
        stream = (struct wal_stream){0};
        assert_int_equal(wal_scan(&stream, lf_bytes(first.bytes, last + 9)).verdict, WAL_TORN);
        judgement = wal_scan(&stream, wal_builder_view(&second));
        assert_int_equal(judgement.verdict, synced ? WAL_DAMAGED : WAL_TORN);
        assert_int_equal(judgement.whole_bytes, 0);
        wal_builder_deinit(&first);
        wal_builder_deinit(&second);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_log_is_whole),
        cmocka_unit_test(batches_of_all_sizes_are_read),
        cmocka_unit_test(batches_at_every_distance_from_a_blocks_end_are_read),
        cmocka_unit_test(a_log_cut_anywhere_is_torn_at_its_last_whole_batch),
        cmocka_unit_test(zeroes_behind_the_last_batch_are_torn),
        cmocka_unit_test(a_changed_byte_before_a_later_synced_batch_is_damage),
        cmocka_unit_test(a_changed_byte_among_unsynced_batches_is_torn),
        cmocka_unit_test(damage_is_seen_across_blocks),
        cmocka_unit_test(missing_blocks_of_a_torn_batch_are_torn),
        cmocka_unit_test(the_first_batch_of_all_may_be_the_torn_one),
        cmocka_unit_test(another_stores_marker_proves_nothing),
        cmocka_unit_test(later_logs_follow_or_prove_or_fall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
