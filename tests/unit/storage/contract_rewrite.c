/** Rewrites: what a store makes of its segments is what the rules of log_rewrite.h say, staged, and takes their place.
 */
#include "contract.h"
#include "rewrite_log.h"

#include "lf_entry.h"

#include <stdio.h>

#define GROUP REWRITE_LOG_GROUP
#define TERM 3u
#define REQUEST 77u

/** Segments of two batches and a command each; keys come again and again, values differ. */
static void make_log(struct rewrite_log *log, int segments) {
    static const enum lf_codec codecs[] = {LF_CODEC_NONE, LF_CODEC_ZSTD, LF_CODEC_LZ4};
    rewrite_log_init(log, 1, 0);
    for (int s = 0; s < segments; s++) {
        for (int b = 0; b < 2; b++) {
            struct lf_record records[6];
            char keys[6][16], values[6][64];
            for (int i = 0; i < 6; i++) {
                int key = (s * 5 + b * 3 + i * (i + 1)) % 23;
                records[i] = (struct lf_record){.timestamp_ms = 100 + s};
                records[i].key = lf_bytes(keys[i], (size_t)snprintf(keys[i], sizeof keys[i], "key %d", key));
                if (key % 7 != 0)
                    records[i].value =
                        lf_bytes(values[i], (size_t)snprintf(values[i], sizeof values[i],
                                                             "a value a value a value %d %d %d", s, b, i));
            }
            rewrite_log_add_records(log, codecs[(s + b) % 3], records, 6);
        }
        rewrite_log_add(log, LF_ENTRY_SEGMENT_ROLL, lf_bytes(NULL, 0), 0);
        rewrite_log_seal(log);
    }
    rewrite_log_add(log, LF_ENTRY_NOOP, lf_bytes(NULL, 0), 0); /* above what is sealed */
}

static struct log_store_write *everything(const struct rewrite_log *log) {
    struct log_store_write *write = contract_create(GROUP, 1);
    write->term = TERM;
    for (size_t i = 0; i < log->count; i++)
        assert_int_equal(log_store_write_add_entry(write, i + 1, lf_buf_ref(log->entries[i])), LF_OK);
    for (size_t i = 0; i < log->segment_count; i++)
        assert_int_equal(log_store_write_add_seal(write, &log->segments[i]), LF_OK);
    write->applied_index = log->count;
    return write;
}

static struct log_store_rewrite compacting(const struct rewrite_log *log) {
    struct log_store_rewrite request = rewrite_log_all(log);
    request.request = REQUEST;
    request.compact = request.drop_commands = true;
    request.segment_bytes = log->segments[0].bytes;
    request.tombstones_before_ms = 1006;
    return request;
}

static void hand_over(struct contract *contract, const struct log_store_rewrite *request) {
    assert_int_equal(log_store_rewrite(contract->store, request), LF_OK);
}

static struct log_store_completion *wait_for_rewrite(struct contract *contract) {
    struct log_store_completion *completion = contract_wait(contract);
    assert_int_equal(completion->kind, LOG_STORE_DONE_REWRITE);
    assert_int_equal(completion->group, GROUP);
    assert_int_equal(completion->id, REQUEST);
    if (completion->status != LF_OK && completion->error.text[0] == '\0')
        fail_msg("status %s without words", lf_status_name(completion->status));
    return completion;
}

static enum lf_status do_rewrite(struct contract *contract, const struct log_store_rewrite *request) {
    hand_over(contract, request);
    struct log_store_completion *completion = wait_for_rewrite(contract);
    enum lf_status status = completion->status;
    log_store_completion_destroy(&completion);
    return status;
}

static void expect_made(const struct log_store_completion *completion, const struct rewrite_log *expected) {
    if (completion->status != LF_OK)
        fail_msg("%s", completion->error.text);
    assert_int_equal(completion->segment_count, expected->segment_count);
    for (size_t i = 0; i < expected->segment_count; i++)
        assert_true(log_segment_equal(&completion->segments[i], &expected->segments[i]));
}

static void put_in_place(struct contract *contract, const struct rewrite_log *made) {
    struct log_store_write *write = contract_write(GROUP, 5);
    assert_int_equal(log_store_write_set_replacements(write, made->segments, (uint32_t)made->segment_count), LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
}

/** All that can be read is what `made` holds, then the entries of `log` above it. */
static void expect_log(struct contract *contract, const struct rewrite_log *made, const struct rewrite_log *log) {
    uint64_t border = made->segments[made->segment_count - 1].last_index, next = 1;
    for (uint64_t index = 1; index <= log->count; index++) {
        const struct lf_buf *entry = index <= border ? made->entries[index - 1] : log->entries[index - 1];
        if (!entry)
            continue;
        struct log_store_read read = {.group = GROUP,
                                      .request = 4,
                                      .from = LOG_STORE_READ_INDEX,
                                      .value = next,
                                      .last_index = UINT64_MAX,
                                      .bytes_max = 1,
                                      .entries_max = 1};
        struct log_store_completion *completion = contract_read(contract, read);
        if (completion->status != LF_OK)
            fail_msg("read: %s", completion->error.text);
        assert_int_equal(completion->entry_count, 1);
        assert_int_equal(completion->first_index, index);
        assert_true(lf_bytes_equal(lf_buf_bytes(completion->entries[0]), lf_buf_bytes(entry)));
        log_store_completion_destroy(&completion);
        next = index + 1;
    }
    assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_INDEX, next, UINT64_MAX), 0);
}

static size_t staged_count(struct contract *contract) {
    struct log_store_completion *completion = contract_load(contract, GROUP);
    size_t count = completion->loaded->staged_count;
    log_store_completion_destroy(&completion);
    return count;
}

static void what_survives_takes_the_place_of_the_old_segments(void **state) {
    struct contract *contract = *state;
    struct rewrite_log log, made;
    make_log(&log, 8);
    struct log_store_rewrite request = compacting(&log);
    assert_int_equal(contract_do(contract, everything(&log)), LF_OK);
    assert_int_equal(rewrite_log_run(&log, &request, 0, SIZE_MAX / 2, &made, NULL, NULL), LF_OK);
    assert_true(made.segment_count > 1 && made.segment_count < log.segment_count);
    hand_over(contract, &request);
    struct log_store_completion *completion = wait_for_rewrite(contract);
    expect_made(completion, &made);
    log_store_completion_destroy(&completion);
    assert_int_equal(staged_count(contract), made.segment_count);
    contract_kill_and_reopen(contract);
    assert_int_equal(staged_count(contract), made.segment_count); /* and the old ones are there as before */
    assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_INDEX, 1, UINT64_MAX), 1);
    put_in_place(contract, &made);
    expect_log(contract, &made, &log);
    contract_kill_and_reopen(contract);
    expect_log(contract, &made, &log);
    completion = contract_load(contract, GROUP);
    assert_int_equal(completion->loaded->segment_count, made.segment_count);
    assert_int_equal(completion->loaded->staged_count, 0);
    assert_int_equal(completion->loaded->previous_index, made.segments[made.segment_count - 1].last_index);
    log_store_completion_destroy(&completion);
    rewrite_log_deinit(&made);
    rewrite_log_deinit(&log);
}

static void rewritten_segments_can_be_rewritten_again(void **state) {
    struct contract *contract = *state;
    struct rewrite_log log, made, again;
    make_log(&log, 4);
    struct log_store_rewrite request = compacting(&log);
    request.tombstones_before_ms = 0;
    assert_int_equal(contract_do(contract, everything(&log)), LF_OK);
    assert_int_equal(rewrite_log_run(&log, &request, 0, SIZE_MAX / 2, &made, NULL, NULL), LF_OK);
    assert_int_equal(do_rewrite(contract, &request), LF_OK);
    put_in_place(contract, &made);
    request.tombstones_before_ms = UINT64_MAX;
    request.segment_bytes = UINT64_MAX;
    assert_int_equal(rewrite_log_run(&made, &request, 0, SIZE_MAX / 2, &again, NULL, NULL), LF_OK);
    assert_int_equal(again.segment_count, 1);
    assert_int_equal(again.segments[0].rewrites, 2);
    assert_int_equal(do_rewrite(contract, &request), LF_OK);
    put_in_place(contract, &again);
    expect_log(contract, &again, &log);
    rewrite_log_deinit(&again);
    rewrite_log_deinit(&made);
    rewrite_log_deinit(&log);
}

static void segments_of_which_nothing_survives_are_empty(void **state) {
    struct contract *contract = *state;
    struct rewrite_log log, made;
    struct lf_record record = {.key = lf_bytes_text("the only key"), .value = lf_bytes_text("value")};
    rewrite_log_init(&log, 1, 0);
    for (int i = 0; i < 4; i++) {
        rewrite_log_add_records(&log, LF_CODEC_NONE, &record, 1);
        rewrite_log_seal(&log);
    }
    rewrite_log_add(&log, LF_ENTRY_NOOP, lf_bytes(NULL, 0), 0);
    struct log_store_rewrite request = compacting(&log);
    request.segment_bytes = 0;
    assert_int_equal(contract_do(contract, everything(&log)), LF_OK);
    assert_int_equal(rewrite_log_run(&log, &request, 0, SIZE_MAX / 2, &made, NULL, NULL), LF_OK);
    assert_int_equal(made.segments[0].entry_count, 0);
    assert_int_equal(do_rewrite(contract, &request), LF_OK);
    put_in_place(contract, &made);
    expect_log(contract, &made, &log);
    contract_kill_and_reopen(contract);
    expect_log(contract, &made, &log);
    assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_OFFSET, 0, UINT64_MAX), 4);
    rewrite_log_deinit(&made);
    rewrite_log_deinit(&log);
}

/** Entries 1..4, batches of one record and a jump as the third; a segment; batch 5 and a command above. */
static void make_jump(struct rewrite_log *log) {
    struct lf_record record = {.key = lf_bytes_text("key"), .value = lf_bytes_text("value")};
    rewrite_log_init(log, 1, 0);
    rewrite_log_add_records(log, LF_CODEC_NONE, &record, 1);
    rewrite_log_add_records(log, LF_CODEC_NONE, &record, 1);
    log->next_offset += (uint64_t)LF_OFFSET_JUMP;
    rewrite_log_add(log, LF_ENTRY_OFFSET_JUMP, lf_bytes_text("whatever"), 0);
    rewrite_log_add_records(log, LF_CODEC_NONE, &record, 1);
    rewrite_log_seal(log);
    rewrite_log_add_records(log, LF_CODEC_NONE, &record, 1);
    rewrite_log_add(log, LF_ENTRY_NOOP, lf_bytes(NULL, 0), 0);
}

static void expect_around_the_jump(struct contract *contract, uint64_t across) {
    const struct {
        uint64_t offset, index;
    } cases[] = {{0, 1},
                 {1, 2},
                 {2, across},
                 {3, across},
                 {1 + (uint64_t)LF_OFFSET_JUMP, across},
                 {2 + (uint64_t)LF_OFFSET_JUMP, 4},
                 {3 + (uint64_t)LF_OFFSET_JUMP, 5},
                 {4 + (uint64_t)LF_OFFSET_JUMP, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_OFFSET, cases[i].offset, UINT64_MAX),
                         cases[i].index);
}

static void offsets_that_jump_are_found_with_the_jump_and_without_it(void **state) {
    struct contract *contract = *state;
    struct rewrite_log log, made;
    make_jump(&log);
    struct log_store_rewrite request = rewrite_log_all(&log);
    request.request = REQUEST;
    request.drop_commands = true;
    struct log_store_write *write = everything(&log);
    assert_int_equal(log_store_write_add_hint(write, (struct log_store_hint){.index = 2, .offset = 1}), LF_OK);
    assert_int_equal(
        log_store_write_add_hint(write, (struct log_store_hint){.index = 4, .offset = 2 + (uint64_t)LF_OFFSET_JUMP}),
        LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
    expect_around_the_jump(contract, 3);
    contract_kill_and_reopen(contract);
    expect_around_the_jump(contract, 3);
    assert_int_equal(rewrite_log_run(&log, &request, 0, SIZE_MAX / 2, &made, NULL, NULL), LF_OK);
    assert_int_equal(made.segments[0].entry_count, 3);
    assert_int_equal(made.segments[0].base_offset, 0);
    assert_int_equal(made.segments[0].end_offset, 3 + (uint64_t)LF_OFFSET_JUMP);
    assert_int_equal(do_rewrite(contract, &request), LF_OK);
    put_in_place(contract, &made);
    expect_log(contract, &made, &log);
    expect_around_the_jump(contract, 4);
    contract_kill_and_reopen(contract);
    expect_around_the_jump(contract, 4);
    rewrite_log_deinit(&made);
    rewrite_log_deinit(&log);
}

static void neighbours_are_merged(void **state) {
    struct contract *contract = *state;
    struct rewrite_log log, made;
    make_log(&log, 6);
    struct log_store_rewrite request = rewrite_log_all(&log);
    request.request = REQUEST;
    request.first_index = log.segments[1].first_index;
    request.last_index = log.segments[4].last_index;
    request.segment_bytes = UINT64_MAX;
    assert_int_equal(contract_do(contract, everything(&log)), LF_OK);
    hand_over(contract, &request);
    struct log_store_completion *completion = wait_for_rewrite(contract);
    assert_int_equal(completion->status, LF_OK);
    assert_int_equal(completion->segment_count, 1);
    assert_true(log_segment_whole(&completion->segments[0]));
    struct log_store_write *write = contract_write(GROUP, 5);
    assert_int_equal(log_store_write_set_replacements(write, completion->segments, 1), LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
    log_store_completion_destroy(&completion);
    contract_kill_and_reopen(contract);
    completion = contract_load(contract, GROUP);
    assert_int_equal(completion->loaded->segment_count, 3);
    assert_int_equal(completion->loaded->previous_index, 0);
    log_store_completion_destroy(&completion);
    rewrite_log_init(&made, 1, 0);
    made.segments = log.segments;
    made.segment_count = log.segment_count;
    made.entries = log.entries;
    expect_log(contract, &made, &log);
    rewrite_log_deinit(&log);
}

static void a_rewrite_sees_the_writes_submitted_before_it(void **state) {
    struct contract *contract = *state;
    struct rewrite_log log;
    make_log(&log, 3);
    struct log_store_rewrite request = compacting(&log);
    contract_submit(contract, everything(&log));
    hand_over(contract, &request);
    bool written = false, rewritten = false;
    while (!written || !rewritten) {
        struct log_store_completion *completion = contract_wait(contract);
        assert_int_equal(completion->status, LF_OK);
        written |= completion->kind == LOG_STORE_DONE_WRITE;
        rewritten |= completion->kind == LOG_STORE_DONE_REWRITE;
        log_store_completion_destroy(&completion);
    }
    rewrite_log_deinit(&log);
}

static void a_range_that_is_not_from_border_to_border_is_refused(void **state) {
    struct contract *contract = *state;
    struct rewrite_log log;
    make_log(&log, 3);
    assert_int_equal(contract_do(contract, everything(&log)), LF_OK);
    struct log_store_rewrite request = compacting(&log);
    request.first_index = 2;
    assert_int_equal(do_rewrite(contract, &request), LF_INVALID);
    request = compacting(&log);
    request.last_index--;
    assert_int_equal(do_rewrite(contract, &request), LF_INVALID);
    request.last_index += 2; /* into what is not sealed */
    assert_int_equal(do_rewrite(contract, &request), LF_INVALID);
    request = compacting(&log);
    assert_int_equal(do_rewrite(contract, &request), LF_OK);
    rewrite_log_deinit(&log);
}

static void one_rewrite_per_group_at_a_time(void **state) {
    struct contract *contract = *state;
    struct rewrite_log log;
    make_log(&log, 3);
    assert_int_equal(contract_do(contract, everything(&log)), LF_OK);
    struct log_store_rewrite request = compacting(&log);
    hand_over(contract, &request);
    hand_over(contract, &request);
    struct log_store_completion *first = wait_for_rewrite(contract), *second = wait_for_rewrite(contract);
    assert_true(first->status == LF_OK || second->status == LF_OK);
    assert_true(first->status == LF_INVALID || second->status == LF_INVALID);
    log_store_completion_destroy(&first);
    log_store_completion_destroy(&second);
    assert_int_equal(do_rewrite(contract, &request), LF_OK);
    rewrite_log_deinit(&log);
}

/** Submits the write while the rewrite is under way; the rewrite's status. */
static enum lf_status rewrite_beside(struct contract *contract, const struct log_store_rewrite *request,
                                     struct log_store_write *write) {
    hand_over(contract, request);
    contract_submit(contract, write);
    enum lf_status rewritten = LF_INTERNAL;
    for (int i = 0; i < 2; i++) {
        struct log_store_completion *completion = contract_wait(contract);
        if (completion->kind == LOG_STORE_DONE_REWRITE)
            rewritten = completion->status;
        else
            assert_int_equal(completion->status, LF_OK);
        log_store_completion_destroy(&completion);
    }
    return rewritten;
}

static void segments_dropped_under_it_cancel_it(void **state) {
    struct contract *contract = *state;
    struct rewrite_log log;
    make_log(&log, 6);
    for (int round = 0; round < 8; round++) { /* the rewrite may be faster */
        assert_int_equal(contract_do(contract, everything(&log)), LF_OK);
        struct log_store_rewrite request = compacting(&log);
        struct log_store_write *write = contract_write(GROUP, 2);
        write->drop_before = log.segments[3].first_index;
        enum lf_status status = rewrite_beside(contract, &request, write);
        if (status != LF_CANCELLED && status != LF_OK)
            fail_msg("round %d: %s", round, lf_status_name(status));
        write = contract_write(GROUP, 3);
        write->unstage = true;
        assert_int_equal(contract_do(contract, write), LF_OK);
        assert_int_equal(staged_count(contract), 0);
        request.first_index = log.segments[3].first_index;
        assert_int_equal(do_rewrite(contract, &request), LF_OK);
        write = contract_write(GROUP, 4);
        write->destroy = true;
        assert_int_equal(contract_do(contract, write), LF_OK);
    }
    rewrite_log_deinit(&log);
}

static void a_group_destroyed_under_it_cancels_it(void **state) {
    struct contract *contract = *state;
    struct rewrite_log log;
    make_log(&log, 6);
    assert_int_equal(contract_do(contract, everything(&log)), LF_OK);
    struct log_store_rewrite request = compacting(&log);
    struct log_store_write *write = contract_write(GROUP, 2);
    write->destroy = true;
    enum lf_status status = rewrite_beside(contract, &request, write);
    assert_true(status == LF_CANCELLED || status == LF_OK);
    assert_int_equal(do_rewrite(contract, &request), LF_CANCELLED);
    assert_int_equal(contract_do(contract, everything(&log)), LF_OK); /* made anew, it has nothing of before */
    assert_int_equal(staged_count(contract), 0);
    rewrite_log_deinit(&log);
}

static void after_a_restart_it_is_done_again_with_the_same_result(void **state) {
    struct contract *contract = *state;
    struct rewrite_log log, made;
    make_log(&log, 6);
    assert_int_equal(contract_do(contract, everything(&log)), LF_OK);
    struct log_store_rewrite request = compacting(&log);
    assert_int_equal(rewrite_log_run(&log, &request, 0, SIZE_MAX / 2, &made, NULL, NULL), LF_OK);
    hand_over(contract, &request);
    contract_kill_and_reopen(contract); /* in the middle of it */
    for (int i = 0; i < 2; i++) {       /* the second time all of it is staged already */
        hand_over(contract, &request);
        struct log_store_completion *completion = wait_for_rewrite(contract);
        expect_made(completion, &made);
        log_store_completion_destroy(&completion);
        assert_int_equal(staged_count(contract), made.segment_count);
    }
    put_in_place(contract, &made);
    expect_log(contract, &made, &log);
    rewrite_log_deinit(&made);
    rewrite_log_deinit(&log);
}

const struct CMUnitTest contract_rewrite_tests[] = {
    CONTRACT_TEST(what_survives_takes_the_place_of_the_old_segments),
    CONTRACT_TEST(rewritten_segments_can_be_rewritten_again),
    CONTRACT_TEST(segments_of_which_nothing_survives_are_empty),
    CONTRACT_TEST(offsets_that_jump_are_found_with_the_jump_and_without_it),
    CONTRACT_TEST(neighbours_are_merged),
    CONTRACT_TEST(a_rewrite_sees_the_writes_submitted_before_it),
    CONTRACT_TEST(a_range_that_is_not_from_border_to_border_is_refused),
    CONTRACT_TEST(one_rewrite_per_group_at_a_time),
    CONTRACT_TEST(segments_dropped_under_it_cancel_it),
    CONTRACT_TEST(a_group_destroyed_under_it_cancels_it),
    CONTRACT_TEST(after_a_restart_it_is_done_again_with_the_same_result),
};
const size_t contract_rewrite_test_count = sizeof contract_rewrite_tests / sizeof contract_rewrite_tests[0];
