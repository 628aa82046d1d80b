/** Appending, applying, rows, hints and loading, one fact each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "entries.h"
#include "row_image.h"

#define HOUR_MS 3600000

struct fixture {
    struct partition *partition;
    struct log_store_write *write;
    struct lf_error error;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    f->partition = partition_new(NULL);
    f->write = log_store_write_new(1, 1);
    *state = f;
    return f->partition && f->write ? 0 : -1;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    partition_destroy(&f->partition);
    log_store_write_destroy(&f->write);
    free(f);
    return 0;
}

static enum lf_status append(struct fixture *f, const struct entry *entry) {
    return partition_append(f->partition, &entry->header, entry_payload(entry), &f->error);
}

static enum lf_status apply(struct fixture *f, const struct entry *entry) {
    return partition_apply(f->partition, entry_bytes(entry), f->write, NULL, &f->error);
}

static void take(struct fixture *f, const struct entry *entry) {
    if (append(f, entry) != LF_OK || apply(f, entry) != LF_OK)
        fail_msg("%s", f->error.text);
}

static struct entry next_batch(const struct fixture *f, struct batch batch, uint64_t log_time_ms) {
    return entry_batch(&batch, partition_log_end_index(f->partition) + 1, log_time_ms,
                       partition_log_end_offset(f->partition));
}

static struct entry next_plain(const struct fixture *f, uint8_t type) {
    return entry_plain(type, partition_log_end_index(f->partition) + 1, 100, partition_log_end_offset(f->partition));
}

static const struct batch plain = {.producer = -1, .epoch = -1, .sequence = -1, .count = 10};

#define assert_refused(call, wanted)                                                                                   \
    do {                                                                                                               \
        uint32_t sum_ = partition_applied_checksum(f->partition);                                                      \
        uint64_t end_ = partition_log_end_index(f->partition);                                                         \
        size_t rows_ = f->write->row_count, bytes_ = f->write->bytes;                                                  \
        assert_string_equal(lf_status_name(call), lf_status_name(wanted));                                             \
        assert_true(f->error.text[0] != '\0');                                                                         \
        assert_int_equal(partition_applied_checksum(f->partition), sum_);                                              \
        assert_int_equal(partition_log_end_index(f->partition), end_);                                                 \
        assert_int_equal(f->write->row_count, rows_);                                                                  \
        assert_int_equal(f->write->bytes, bytes_);                                                                     \
    } while (0)

static void entry_out_of_order_is_refused(void **state) {
    struct fixture *f = *state;
    struct entry entry = entry_batch(&plain, 2, 100, 0);
    assert_refused(append(f, &entry), LF_INTERNAL);
    entry = entry_batch(&plain, 0, 100, 0);
    assert_refused(append(f, &entry), LF_INTERNAL);
}

static void batch_at_the_wrong_offset_is_refused(void **state) {
    struct fixture *f = *state;
    struct entry entry = entry_batch(&plain, 1, 100, 5);
    assert_refused(append(f, &entry), LF_INTERNAL);
    entry = entry_batch(&plain, 1, 100, 0);
    entry.header.end_offset++;
    assert_refused(append(f, &entry), LF_INTERNAL);
    entry.header.end_offset = UINT64_MAX;
    assert_refused(append(f, &entry), LF_INTERNAL);
}

static void command_that_moves_the_offset_is_refused(void **state) {
    struct fixture *f = *state;
    struct entry entry = entry_plain(LF_ENTRY_NOOP, 1, 100, 1);
    assert_refused(append(f, &entry), LF_INTERNAL);
}

static void log_time_never_goes_back(void **state) {
    struct fixture *f = *state;
    struct entry entry = next_batch(f, plain, 100);
    take(f, &entry);
    entry = next_batch(f, plain, 99);
    assert_refused(append(f, &entry), LF_INTERNAL);
    entry = next_batch(f, plain, 100);
    take(f, &entry);
    assert_int_equal(partition_log_time_ms(f->partition), 100);
}

static void batch_under_another_leader_epoch_is_refused(void **state) {
    struct fixture *f = *state;
    struct entry entry = next_batch(f, plain, 100);
    entry.header.term++;
    assert_refused(append(f, &entry), LF_INTERNAL);
}

static void batch_that_must_not_be_in_the_log_is_refused(void **state) {
    struct fixture *f = *state;
    struct entry entry = next_batch(f, (struct batch){.producer = 7, .sequence = 5, .count = 1}, 100);
    assert_refused(append(f, &entry), LF_INTERNAL);
}

static void broken_payloads_are_refused(void **state) {
    struct fixture *f = *state;
    struct entry entry = next_batch(f, plain, 100);
    entry.payload_bytes--;
    assert_refused(append(f, &entry), LF_INTERNAL);
    entry = entry_raise(7, 40000, 1, 100, 0);
    assert_refused(append(f, &entry), LF_INTERNAL);
    entry = entry_raise(-7, 1, 1, 100, 0);
    assert_refused(append(f, &entry), LF_INTERNAL);
    entry = entry_raise(7, 1, 1, 100, 0);
    entry.payload[0] = 0xff;
    assert_refused(append(f, &entry), LF_INTERNAL);
    entry = next_plain(f, LF_ENTRY_METADATA);
    assert_refused(append(f, &entry), LF_INTERNAL);
}

static void only_what_was_appended_is_applied(void **state) {
    struct fixture *f = *state;
    struct entry entry = next_batch(f, plain, 100);
    assert_refused(apply(f, &entry), LF_INTERNAL);
    assert_int_equal(append(f, &entry), LF_OK);
    struct entry other = entry;
    other.payload[20] ^= 1; /* the batch's own checksum */
    assert_refused(apply(f, &other), LF_INTERNAL);
    other = entry;
    other.header.log_time_ms++;
    assert_refused(apply(f, &other), LF_INTERNAL);
    assert_int_equal(apply(f, &entry), LF_OK);
    assert_refused(apply(f, &entry), LF_INTERNAL);
}

static void newer_entry_is_stored_but_stops_applying(void **state) {
    struct fixture *f = *state;
    struct entry newer = next_plain(f, LF_ENTRY_TYPE_MAX_KNOWN + 1);
    newer.header.flags = LF_ENTRY_MUST_UNDERSTAND;
    newer.header.end_offset = 5; /* whatever it means */
    assert_int_equal(append(f, &newer), LF_OK);
    struct entry after = next_batch(f, plain, 100);
    assert_int_equal(append(f, &after), LF_OK);
    assert_int_equal(partition_log_end_offset(f->partition), 15);
    assert_refused(apply(f, &newer), LF_UNSUPPORTED);
    assert_refused(apply(f, &newer), LF_UNSUPPORTED);
    assert_int_equal(partition_applied_index(f->partition), 0);
}

static void newer_entry_that_may_be_ignored_is(void **state) {
    struct fixture *f = *state;
    struct entry newer = next_plain(f, 200);
    take(f, &newer);
    assert_int_equal(partition_applied_index(f->partition), 1);
    newer = next_plain(f, 200);
    newer.header.end_offset = 5;
    assert_refused(append(f, &newer), LF_INTERNAL);
}

static void noop_and_level_change_nothing_but_the_index(void **state) {
    struct fixture *f = *state;
    const uint8_t types[] = {LF_ENTRY_NOOP, LF_ENTRY_LEVEL};
    for (size_t i = 0; i < sizeof types; i++) {
        struct entry entry = next_plain(f, types[i]);
        take(f, &entry);
    }
    assert_int_equal(partition_applied_index(f->partition), 2);
    assert_int_equal(partition_high_watermark(f->partition), 0);
    assert_int_equal(partition_producer_count(f->partition), 0);
}

static void configuration_is_that_of_the_applied_index(void **state) {
    struct fixture *f = *state;
    uint64_t index;
    struct lf_bytes payload;
    assert_false(partition_configuration(f->partition, &index, &payload));
    struct entry first = entry_configuration("one", 1, 100, 0), second = entry_configuration("second", 2, 100, 0);
    assert_int_equal(append(f, &first), LF_OK);
    assert_int_equal(append(f, &second), LF_OK);
    assert_false(partition_configuration(f->partition, &index, &payload));
    assert_int_equal(apply(f, &first), LF_OK);
    assert_true(partition_configuration(f->partition, &index, &payload));
    assert_int_equal(index, 1);
    assert_true(lf_bytes_equal(payload, lf_bytes_text("one")));
    assert_int_equal(apply(f, &second), LF_OK);
    assert_true(partition_configuration(f->partition, &index, &payload));
    assert_int_equal(index, 2);
    assert_true(lf_bytes_equal(payload, lf_bytes_text("second")));
}

static void max_timestamp_rises_and_is_capped_by_log_time(void **state) {
    struct fixture *f = *state;
    assert_int_equal(partition_max_timestamp_ms(f->partition), -1);
    const struct {
        int64_t timestamp;
        uint64_t log_time_ms;
        int64_t wanted;
    } steps[] = {{-1, 100, -1},
                 {0, 100, 0},
                 {50, 100, 50},
                 {20, 110, 50},
                 {110 + HOUR_MS, 110, 110 + HOUR_MS},
                 {111 + HOUR_MS, 110, 110 + HOUR_MS},
                 {INT64_MAX, 200, 200 + HOUR_MS},
                 {INT64_MIN, 200, 200 + HOUR_MS}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct batch batch = plain;
        batch.timestamp = steps[i].timestamp;
        struct entry entry = next_batch(f, batch, steps[i].log_time_ms);
        take(f, &entry);
        assert_int_equal(partition_max_timestamp_ms(f->partition), steps[i].wanted);
    }
}

static void hint_comes_after_64_entries_and_names_a_batch(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < LOG_STORE_HINT_ENTRIES; i++) {
        struct batch batch = plain;
        batch.timestamp = 1000 - i;
        struct entry entry = next_batch(f, batch, 100);
        take(f, &entry);
    }
    assert_int_equal(f->write->hint_count, 0);
    struct entry command = next_plain(f, LF_ENTRY_NOOP);
    take(f, &command);
    assert_int_equal(f->write->hint_count, 0); /* due, but this is no batch */
    struct entry entry = next_batch(f, plain, 100);
    take(f, &entry);
    assert_int_equal(f->write->hint_count, 1);
    assert_int_equal(f->write->hints[0].index, 66);
    assert_int_equal(f->write->hints[0].offset, 640);
    assert_int_equal(f->write->hints[0].max_timestamp_ms, 1000);
    entry = next_batch(f, plain, 100);
    take(f, &entry);
    assert_int_equal(f->write->hint_count, 1);
}

static void hint_comes_after_a_mebibyte(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        struct entry entry = next_batch(f, plain, 100);
        entry.header.payload_bytes = LOG_STORE_HINT_BYTES / 2;
        take(f, &entry);
    }
    assert_int_equal(f->write->hint_count, 2);
    assert_int_equal(f->write->hints[0].index, 3);
    assert_int_equal(f->write->hints[0].offset, 20);
    assert_int_equal(f->write->hints[1].index, 5);
}

static size_t count_rows(const struct log_store_write *write, char name, bool deleted) {
    size_t count = 0;
    for (uint32_t i = 0; i < write->row_count; i++)
        count += write->rows[i].key.data[0] == name && (write->rows[i].value.data == NULL) == deleted;
    return count;
}

static void producers_that_expire_leave_by_delete_rows(void **state) {
    struct fixture *f = *state;
    for (int id = 1; id <= 3; id++) {
        struct entry entry = next_batch(f, (struct batch){.producer = id, .count = 1}, 100);
        take(f, &entry);
    }
    assert_int_equal(count_rows(f->write, 'p', false), 3);
    assert_int_equal(count_rows(f->write, 'p', true), 0);
    struct entry entry = next_batch(f, plain, 101 + HOUR_MS);
    take(f, &entry);
    assert_int_equal(count_rows(f->write, 'p', true), 3);
    assert_int_equal(partition_producer_count(f->partition), 0);
}

static void row_of_a_producer_that_returns_at_its_expiry_is_kept(void **state) {
    struct fixture *f = *state;
    struct entry entry = next_batch(f, (struct batch){.producer = 1, .count = 1}, 100);
    take(f, &entry);
    entry = next_batch(f, (struct batch){.producer = 1, .count = 1}, 101 + HOUR_MS);
    take(f, &entry);
    struct row_image image = {0};
    row_image_write(&image, f->write, 2);
    assert_int_equal(image.count, 3);
    struct partition *again = partition_new(NULL);
    assert_int_equal(partition_load(again, 2, image.rows, image.count, image.segments, image.segment_count, NULL),
                     LF_OK);
    assert_true(partition_applied_equal(f->partition, again));
    assert_int_equal(partition_producer_count(again), 1);
    partition_destroy(&again);
    row_image_deinit(&image);
}

/** A machine with some of everything, and its rows. */
static void fill(struct fixture *f, struct row_image *image) {
    for (int i = 0; i < 9; i++) {
        struct entry entry = next_batch(
            f, (struct batch){.producer = i % 3, .sequence = i / 3 * 4, .count = 4, .timestamp = i}, 100 + (uint64_t)i);
        take(f, &entry);
    }
    struct entry entry = entry_raise(1, 6, 10, 200, 36);
    take(f, &entry);
    entry = entry_configuration("voters", 11, 200, 36);
    take(f, &entry);
    row_image_write(image, f->write, 11);
}

static void loaded_machine_equals_the_one_that_wrote(void **state) {
    struct fixture *f = *state;
    struct row_image image = {0};
    fill(f, &image);
    struct partition *again = partition_new(NULL);
    assert_int_equal(partition_load(again, 11, image.rows, image.count, image.segments, image.segment_count, &f->error),
                     LF_OK);
    assert_true(partition_applied_equal(f->partition, again));
    assert_int_equal(partition_applied_checksum(f->partition), partition_applied_checksum(again));
    assert_int_equal(partition_log_end_index(again), 11);
    assert_int_equal(partition_log_end_offset(again), 36);
    struct entry entry = next_batch(f, (struct batch){.producer = 2, .sequence = 12, .count = 1}, 300);
    take(f, &entry);
    assert_false(partition_applied_equal(f->partition, again));
    assert_int_not_equal(partition_applied_checksum(f->partition), partition_applied_checksum(again));
    partition_destroy(&again);
    row_image_deinit(&image);
}

static void rows_without_application_are_damage(void **state) {
    struct fixture *f = *state;
    struct row_image image = {0};
    fill(f, &image);
    struct partition *again = partition_new(NULL);
    assert_int_equal(partition_load(again, 0, image.rows, image.count, image.segments, image.segment_count, &f->error),
                     LF_DAMAGED);
    assert_int_equal(partition_load(again, 11, NULL, 0, NULL, 0, &f->error), LF_DAMAGED);
    assert_int_equal(partition_load(again, 10, image.rows, image.count, image.segments, image.segment_count, &f->error),
                     LF_DAMAGED); /* the configuration */
    assert_int_equal(partition_load(again, 0, NULL, 0, NULL, 0, &f->error), LF_OK);
    assert_int_equal(partition_log_end_index(again), 0);
    partition_destroy(&again);
    row_image_deinit(&image);
}

static uint32_t next_random(uint32_t *random) {
    *random ^= *random << 13;
    *random ^= *random >> 17;
    return *random ^= *random << 5;
}

/** Copies a row as it is and spoils the copy: bits, length. */
static struct log_store_row spoil(const struct log_store_row *row, uint8_t copy[512], uint32_t *random) {
    struct log_store_row spoilt = {.key = lf_bytes(copy, row->key.size),
                                   .value = lf_bytes(copy + row->key.size, row->value.size)};
    memcpy(copy, row->key.data, row->key.size);
    memcpy(copy + row->key.size, row->value.data, row->value.size);
    uint32_t how = next_random(random) % 8;
    if (how == 0)
        spoilt.key.size = next_random(random) % (row->key.size + 1);
    else if (how == 1)
        spoilt.value.size = next_random(random) % (row->value.size + 1);
    else
        copy[next_random(random) % (row->key.size + row->value.size)] ^= (uint8_t)(1u << next_random(random) % 8);
    return spoilt;
}

static void spoilt_rows_are_damage_or_a_sound_state(void **state) {
    struct fixture *f = *state;
    struct row_image image = {0};
    fill(f, &image);
    uint32_t random = 7, refused = 0;
    for (int round = 0; round < 20000; round++) {
        uint8_t copy[512];
        struct log_store_row rows[16];
        assert_true(image.count <= 16);
        memcpy(rows, image.rows, image.count * sizeof *rows);
        size_t at = next_random(&random) % image.count;
        rows[at] = spoil(&rows[at], copy, &random);
        struct partition *again = partition_new(NULL);
        enum lf_status status =
            partition_load(again, 11, rows, image.count, image.segments, image.segment_count, &f->error);
        refused += status == LF_DAMAGED;
        assert_true(status == LF_OK || status == LF_DAMAGED);
        for (int i = 0; i < 4 && status == LF_OK; i++) { /* what was let in does not break the machine */
            struct entry entry = entry_batch(&(struct batch){.producer = 9, .sequence = i, .count = 1},
                                             12 + (uint64_t)i, UINT64_MAX, partition_log_end_offset(again));
            if (partition_append(again, &entry.header, entry_payload(&entry), &f->error) == LF_OK)
                assert_int_equal(partition_apply(again, entry_bytes(&entry), NULL, NULL, &f->error), LF_OK);
        }
        partition_destroy(&again);
    }
    assert_in_range(refused, 5000, 19999);
    row_image_deinit(&image);
}

static void every_load_begins_afresh(void **state) {
    struct fixture *f = *state;
    struct row_image image = {0};
    fill(f, &image);
    struct entry entry = next_batch(f, plain, 300);
    assert_int_equal(append(f, &entry), LF_OK);
    uint32_t sum = partition_applied_checksum(f->partition);
    assert_int_equal(
        partition_load(f->partition, 11, image.rows, image.count, image.segments, image.segment_count, &f->error),
        LF_OK);
    assert_int_equal(partition_applied_checksum(f->partition), sum);
    assert_int_equal(partition_log_end_index(f->partition), 11);
    row_image_deinit(&image);
}

int main(void) {
#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FACT(entry_out_of_order_is_refused),
        FACT(batch_at_the_wrong_offset_is_refused),
        FACT(command_that_moves_the_offset_is_refused),
        FACT(log_time_never_goes_back),
        FACT(batch_under_another_leader_epoch_is_refused),
        FACT(batch_that_must_not_be_in_the_log_is_refused),
        FACT(broken_payloads_are_refused),
        FACT(only_what_was_appended_is_applied),
        FACT(newer_entry_is_stored_but_stops_applying),
        FACT(newer_entry_that_may_be_ignored_is),
        FACT(noop_and_level_change_nothing_but_the_index),
        FACT(configuration_is_that_of_the_applied_index),
        FACT(max_timestamp_rises_and_is_capped_by_log_time),
        FACT(hint_comes_after_64_entries_and_names_a_batch),
        FACT(hint_comes_after_a_mebibyte),
        FACT(producers_that_expire_leave_by_delete_rows),
        FACT(row_of_a_producer_that_returns_at_its_expiry_is_kept),
        FACT(loaded_machine_equals_the_one_that_wrote),
        FACT(rows_without_application_are_damage),
        FACT(spoilt_rows_are_damage_or_a_sound_state),
        FACT(every_load_begins_afresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
