/** The scan over a source that lacks entries: where that is a hole, and where it is damage. */
#include "contract.h"
#include "log_scan.h"

#include <stdlib.h>

#define GROUP 3u
#define LAST 40u

/* Entries 1..40 as contract_add makes them, those in `there`; segments 1-10 (whole), 11-20 (rewritten), 21-30 (whole),
 * or none; the rest is active. */
struct source {
    struct lf_buf *entries[LAST + 1];
    struct log_held segments[3];
    size_t segment_count;
    uint64_t reads;
};

static void source_make(struct source *source, bool segments) {
    *source = (struct source){.segment_count = segments ? 3 : 0};
    for (uint64_t index = 1; index <= LAST; index++)
        source->entries[index] = contract_entry(GROUP, index, 1, index, 100);
    for (uint64_t i = 0; i < 3; i++)
        source->segments[i] =
            (struct log_held){.segment = contract_segment(GROUP, 10 * i + 1, 10 * i + 10, 1), .id = i + 1};
    if (segments)
        source->segments[1].segment.entry_count = 0; /* it may lack anything */
}

static void lose(struct source *source, uint64_t index) { lf_buf_unref(&source->entries[index]); }

static void source_free(struct source *source) {
    for (uint64_t index = 1; index <= LAST; index++)
        lf_buf_unref(&source->entries[index]);
}

static enum lf_status segment_at(void *context, uint64_t index, bool *found, struct log_held *segment,
                                 struct lf_error *error) {
    (void)error;
    const struct source *source = context;
    *found = false;
    for (size_t i = source->segment_count; i > 0; i--)
        if (source->segments[i - 1].segment.last_index >= index) {
            *segment = source->segments[i - 1];
            *found = true;
        }
    return LF_OK;
}

/* Never beyond the segment that was asked for. */
static enum lf_status next_of(void *context, const struct log_held *segment, uint64_t index, uint64_t *found,
                              struct lf_bytes *entry, struct lf_error *error) {
    struct source *source = context;
    (void)error;
    source->reads++;
    uint64_t last = segment ? segment->segment.last_index : LAST;
    if (segment)
        assert_true(index >= segment->segment.first_index && index <= last);
    for (*found = index; *found <= last; ++*found)
        if (source->entries[*found]) {
            *entry = lf_buf_bytes(source->entries[*found]);
            return LF_OK;
        }
    *found = 0;
    return LF_OK;
}

static bool no_hint(void *context, uint64_t index, struct log_store_hint *hint) {
    (void)context;
    (void)index;
    (void)hint;
    return false;
}

static struct log_store_completion scan(struct source *source, enum log_store_read_from from, uint64_t value,
                                        uint64_t last_index) {
    struct log_scan_source over = {.context = source,
                                   .group = GROUP,
                                   .first_index = 1,
                                   .last_index = LAST,
                                   .segment = segment_at,
                                   .next = next_of,
                                   .hint = no_hint};
    struct log_store_read read = {.group = GROUP,
                                  .from = from,
                                  .value = value,
                                  .last_index = last_index,
                                  .bytes_max = 1 << 20,
                                  .entries_max = 100};
    struct log_store_completion completion = {.kind = LOG_STORE_DONE_READ};
    source->reads = 0;
    log_scan_read(&over, &read, &completion);
    for (uint32_t i = 0; i < completion.entry_count; i++)
        lf_buf_unref(&completion.entries[i]);
    free(completion.entries);
    completion.entries = NULL;
    return completion;
}

static void a_hole_in_a_rewritten_segment_is_passed(void **state) {
    (void)state;
    struct source source;
    source_make(&source, true);
    lose(&source, 11);
    lose(&source, 15);
    lose(&source, 20);
    struct log_store_completion read = scan(&source, LOG_STORE_READ_INDEX, 1, UINT64_MAX);
    assert_int_equal(read.status, LF_OK);
    assert_int_equal(read.entry_count, 37);
    read = scan(&source, LOG_STORE_READ_INDEX, 11, UINT64_MAX);
    assert_int_equal(read.first_index, 12);
    for (uint64_t index = 12; index <= 20; index++)
        if (source.entries[index])
            lose(&source, index);
    read = scan(&source, LOG_STORE_READ_OFFSET, 12, UINT64_MAX);
    assert_int_equal(read.first_index, 21);
    read = scan(&source, LOG_STORE_READ_INDEX, 11, 20);
    assert_int_equal(read.status, LF_OK);
    assert_int_equal(read.entry_count, 0);
    source_free(&source);
}

static void a_missing_entry_anywhere_else_is_damage(void **state) {
    (void)state;
    const struct {
        uint64_t index;
        uint64_t segment; /* first index of the one that is named; 0: none */
    } cases[] = {{1, 1}, {5, 1}, {10, 1}, {21, 21}, {30, 21}, {31, 0}, {40, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct source source;
        source_make(&source, true);
        lose(&source, cases[i].index);
        struct log_store_completion read = scan(&source, LOG_STORE_READ_INDEX, 1, UINT64_MAX);
        assert_int_equal(read.status, LF_DAMAGED);
        assert_int_equal(read.entry_count, 0);
        assert_int_equal(read.segment.first_index, cases[i].segment);
        read = scan(&source, LOG_STORE_READ_INDEX, cases[i].index, UINT64_MAX);
        assert_int_equal(read.status, LF_DAMAGED);
        if (cases[i].index > 1) { /* what is before it is still served */
            read = scan(&source, LOG_STORE_READ_INDEX, 1, cases[i].index - 1);
            assert_int_equal(read.status, LF_OK);
        }
        source_free(&source);
    }
}

static void a_flipped_bit_names_its_segment(void **state) {
    (void)state;
    const uint64_t indexes[] = {3, 14, 29, 33}, segments[] = {1, 11, 21, 0};
    for (int i = 0; i < 4; i++) {
        struct source source;
        source_make(&source, true);
        source.entries[indexes[i]]->data[70] ^= 8;
        struct log_store_completion read = scan(&source, LOG_STORE_READ_INDEX, 1, UINT64_MAX);
        assert_int_equal(read.status, LF_DAMAGED);
        assert_true(read.error.text[0] != '\0');
        assert_int_equal(read.segment.first_index, segments[i]);
        source_free(&source);
    }
}

static void an_entry_in_anothers_place_is_damage(void **state) {
    (void)state;
    struct source source;
    source_make(&source, false);
    struct lf_buf *kept = source.entries[7];
    source.entries[7] = source.entries[8];
    source.entries[8] = kept;
    struct log_store_completion read = scan(&source, LOG_STORE_READ_INDEX, 1, UINT64_MAX);
    assert_int_equal(read.status, LF_DAMAGED);
    source_free(&source);
}

static void an_index_between_segments_is_damage(void **state) {
    (void)state;
    struct source source;
    source_make(&source, true);
    source.segments[1].segment.first_index = 13;
    struct log_store_completion read = scan(&source, LOG_STORE_READ_INDEX, 1, UINT64_MAX);
    assert_int_equal(read.status, LF_DAMAGED);
    source_free(&source);
}

static void descriptors_spare_a_search_the_segments_before(void **state) {
    (void)state;
    struct source source;
    source_make(&source, true);
    for (uint64_t index = 1; index <= 20; index++) /* not looked at */
        source.entries[index]->data[70] ^= 8;
    struct log_store_completion read = scan(&source, LOG_STORE_READ_OFFSET, 25, UINT64_MAX);
    assert_int_equal(read.status, LF_OK);
    assert_int_equal(read.first_index, 26);
    read = scan(&source, LOG_STORE_READ_OFFSET, 35, UINT64_MAX);
    assert_int_equal(read.first_index, 36);
    read = scan(&source, LOG_STORE_READ_TIME, 1, UINT64_MAX); /* no batch is in any segment */
    assert_int_equal(read.status, LF_OK);
    assert_int_equal(read.entry_count, 0);
    assert_int_equal(source.reads, LAST - 30);
    source_free(&source);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hole_in_a_rewritten_segment_is_passed),
        cmocka_unit_test(a_missing_entry_anywhere_else_is_damage),
        cmocka_unit_test(a_flipped_bit_names_its_segment),
        cmocka_unit_test(an_entry_in_anothers_place_is_damage),
        cmocka_unit_test(an_index_between_segments_is_damage),
        cmocka_unit_test(descriptors_spare_a_search_the_segments_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
