/** `logflumed store recover` on real stores: what it writes, what it leaves alone, and that it may be killed anywhere.
 */
#include "rocks_backend.h"

#include "entries.h"
#include "lf_crc32c.h"
#include "metadata.h"
#include "recover_group.h"
#include "rocks_store.h"
#include "scratch_directory.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NODE 1
#define SELF 11
#define TERM 7

static const struct log_store_identity identity = {.node_id = NODE, .store_uuid = {1}, .cluster_id = {2}};

struct fixture {
    char *directory;
    struct log_store *store;
    struct lf_error error;
};

/* ---- a store as a node leaves it --------------------------------------------------------------------------------- */

static void open_store(struct fixture *f) {
    struct rocks_store_options options = {.directory = f->directory, .create = true};
    if (rocks_store_open(&options, &identity, &f->store, &f->error) != LF_OK)
        fail_msg("%s", f->error.text);
}

static struct log_store_completion *done(struct fixture *f) {
    for (;;) {
        struct log_store_completion *completion = log_store_poll(f->store);
        struct pollfd item = {.fd = log_store_fd(f->store), .events = POLLIN};
        if (completion)
            return completion;
        poll(&item, 1, -1);
    }
}

static void submit(struct fixture *f, struct log_store_write *write) {
    assert_int_equal(log_store_submit(f->store, &write), LF_OK);
    struct log_store_completion *completion = done(f);
    if (completion->status != LF_OK)
        fail_msg("%s", completion->error.text);
    log_store_completion_destroy(&completion);
}

static struct lf_buf *entry_buf(struct entry *entry, uint64_t group) {
    struct lf_buf *buf = lf_buf_new(LF_ENTRY_HEADER_BYTES + (uint32_t)entry->payload_bytes);
    memcpy(buf->data + LF_ENTRY_HEADER_BYTES, entry->payload, entry->payload_bytes);
    lf_entry_encode(&entry->header, group, entry_payload(entry), buf->data);
    return buf;
}

static struct entry configuration(uint64_t *voters, size_t count, uint64_t *learners, size_t learner_count,
                                  uint64_t index, int64_t end_offset) {
    Lf__ConfigurationEntry message = LF__CONFIGURATION_ENTRY__INIT;
    struct entry entry = entry_plain(LF_ENTRY_CONFIGURATION, index, 100 + index, end_offset);
    message.epoch = 4;
    message.voters = voters;
    message.n_voters = count;
    message.learners = learners;
    message.n_learners = learner_count;
    entry_set_payload(&entry, lf__configuration_entry__pack(&message, entry.payload));
    entry.header.term = TERM;
    entry.header.flags = LF_ENTRY_MUST_UNDERSTAND;
    return entry;
}

/** The batch's CRC is true, so that its entry is whole. */
static struct entry batch(uint32_t records, uint64_t index, int64_t base_offset) {
    struct batch fields = {.producer = -1, .epoch = -1, .sequence = -1, .count = records, .timestamp = 50};
    struct entry entry = entry_batch(&fields, index, 100 + index, base_offset);
    entry.header.term = TERM;
    lf_put_be32(entry.payload + 12, TERM);
    lf_put_be32(entry.payload + 17, lf_crc32c(0, entry.payload + 21, entry.payload_bytes - 21));
    return entry;
}

/** Entry 1 the configuration, 2..5 batches of 10 records each; applied up to `applied`. */
static void make_partition(struct fixture *f, uint64_t group, struct entry members, uint64_t applied) {
    struct partition *partition = partition_new(NULL);
    struct log_store_write *write = log_store_write_new(group, 1);
    write->create = write->has_hard_state = write->sync = true;
    write->replica_id = SELF;
    write->term = TERM;
    write->vote = SELF;
    for (uint64_t index = 1; index <= 5; index++) {
        struct entry entry = index == 1 ? members : batch(10, index, (int64_t)(index - 2) * 10);
        struct lf_buf *buf = entry_buf(&entry, group);
        assert_int_equal(partition_append(partition, &entry.header, entry_payload(&entry), &f->error), LF_OK);
        if (index <= applied)
            assert_int_equal(partition_apply(partition, lf_buf_bytes(buf), write, NULL, &f->error), LF_OK);
        assert_int_equal(log_store_write_add_entry(write, index, buf), LF_OK);
    }
    write->applied_index = applied;
    submit(f, write);
    partition_destroy(&partition);
}

static void make_metadata(struct fixture *f) {
    uint64_t voters[] = {1, 2, 3};
    struct entry members = configuration(voters, 3, NULL, 0, 1, 0);
    struct metadata *metadata = metadata_new(NULL);
    struct metadata_applied applied;
    struct log_store_write *write = log_store_write_new(0, 1);
    write->create = write->has_hard_state = write->sync = true;
    write->replica_id = 1;
    write->term = TERM;
    assert_int_equal(metadata_apply(metadata, &members.header, entry_payload(&members), write, &applied, &f->error),
                     LF_OK);
    assert_int_equal(log_store_write_add_entry(write, 1, entry_buf(&members, 0)), LF_OK);
    write->applied_index = 1;
    submit(f, write);
    metadata_destroy(&metadata);
}

static struct entry three_voters(void) {
    uint64_t voters[] = {SELF, 12, 13};
    return configuration(voters, 3, NULL, 0, 1, 0);
}

/** Group 0, and partitions 5 and 6. */
static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    f->directory = scratch_directory_new();
    open_store(f);
    make_metadata(f);
    make_partition(f, 5, three_voters(), 3);
    make_partition(f, 6, three_voters(), 5);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    log_store_close(&f->store);
    scratch_directory_remove(f->directory);
    free(f->directory);
    free(f);
    return 0;
}

/* ---- running it -------------------------------------------------------------------------------------------------- */

static int recover(struct fixture *f, const char *first, const char *second, const char *subject) {
    char *argv[] = {
        (char[]){"store"}, (char[]){"recover"}, f->directory, (char *)(uintptr_t) "-q", NULL, NULL, NULL, NULL};
    int argc = 4;
    log_store_close(&f->store);
    if (first)
        argv[argc++] = (char *)(uintptr_t)first;
    if (second)
        argv[argc++] = (char *)(uintptr_t)second;
    if (subject)
        argv[argc++] = (char *)(uintptr_t)subject;
    int code = store_command(argc, argv);
    fflush(stdout);
    return code;
}

static struct recover_group look(struct fixture *f, uint64_t group) {
    struct recover_group found;
    struct store_wish wish = {.directory = f->directory, .quiet = true};
    struct store_tool tool = {.wish = &wish};
    log_store_close(&f->store);
    assert_int_equal(store_tool_open(&tool), STORE_EXIT_OK);
    if (recover_group_look(&tool, group, &found, &f->error) != LF_OK)
        fail_msg("%s", f->error.text);
    store_tool_close(&tool);
    return found;
}

static void assert_untouched(struct fixture *f, uint64_t group) {
    struct recover_group found = look(f, group);
    assert_int_equal(found.last_index, 5);
    assert_int_equal(found.term, TERM);
    assert_int_equal(found.voter_count, 3);
}

static void assert_recovered(struct fixture *f, uint64_t group) {
    struct recover_group found = look(f, group);
    bool partition = group != 0;
    assert_true(found.alone);
    assert_int_equal(found.voter_count, 1);
    assert_int_equal(found.epoch, 4);
    assert_int_equal(found.last_index, partition ? 7 : 3);
    struct recover_group before = {.group = group, .replica_id = partition ? SELF : 1, .term = TERM};
    assert_int_equal(found.term, recover_group_term(&before));
    assert_true(found.term >= TERM + RECOVER_TERM_STEP);
    assert_int_equal(found.last_term, found.term);
    assert_int_equal(found.end_offset, partition ? 40 + LF_OFFSET_JUMP : 0);
}

/* ---- facts ------------------------------------------------------------------------------------------------------- */

static void a_look_tells_what_is_known_to_be_committed_and_what_is_kept(void **state) {
    struct fixture *f = *state;
    struct recover_group found = look(f, 5);
    assert_int_equal(found.replica_id, SELF);
    assert_int_equal(found.applied_index, 3);
    assert_int_equal(found.last_index, 5);
    assert_int_equal(found.last_term, TERM);
    assert_int_equal(found.committed_offset, 20);
    assert_int_equal(found.end_offset, 40);
    assert_int_equal(found.log_time_ms, 105);
    assert_true(found.votes && !found.alone && !found.learns);
    assert_int_equal(recover_group_next_offset(&found), 40 + LF_OFFSET_JUMP);
}

static void nothing_is_written_unless_it_is_told_to(void **state) {
    struct fixture *f = *state;
    assert_int_equal(recover(f, "--lost-majority", NULL, NULL), STORE_EXIT_OK);
    assert_untouched(f, 5);
    assert_untouched(f, 6);
    assert_int_equal(recover(f, "--execute", NULL, NULL), STORE_EXIT_USAGE); /* from what? */
    assert_untouched(f, 5);
}

static void every_group_goes_on_alone(void **state) {
    struct fixture *f = *state;
    assert_int_equal(recover(f, "--lost-majority", "--execute", NULL), STORE_EXIT_OK);
    assert_recovered(f, 0);
    assert_recovered(f, 5);
    assert_recovered(f, 6);
}

static void the_log_it_leaves_is_one_that_a_start_takes(void **state) {
    struct fixture *f = *state;
    assert_int_equal(recover(f, "--lost-majority", "--execute", NULL), STORE_EXIT_OK);
    open_store(f);
    assert_int_equal(log_store_load(f->store, 5, 1), LF_OK);
    struct log_store_completion *loaded = done(f);
    assert_int_equal(loaded->loaded->vote, 0);
    assert_int_equal(loaded->loaded->applied_index, 3);
    struct partition *partition = partition_new(NULL);
    assert_int_equal(partition_load(partition, 3, loaded->loaded->rows, loaded->loaded->row_count,
                                    loaded->loaded->segments, loaded->loaded->segment_count, &f->error),
                     LF_OK);
    struct log_store_read read = {.group = 5,
                                  .request = 2,
                                  .from = LOG_STORE_READ_INDEX,
                                  .value = 4,
                                  .last_index = 7,
                                  .bytes_max = 1 << 20,
                                  .entries_max = 10};
    assert_int_equal(log_store_read(f->store, &read), LF_OK);
    struct log_store_completion *tail = done(f);
    assert_int_equal(tail->entry_count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        assert_int_equal(lf_entry_check(lf_buf_bytes(tail->entries[i]), 5, &header, &payload, &f->error), LF_OK);
        assert_int_equal(header.log_time_ms, i < 2 ? 104 + i : 105);
        if (partition_append(partition, &header, payload, &f->error) != LF_OK ||
            partition_apply(partition, lf_buf_bytes(tail->entries[i]), NULL, NULL, &f->error) != LF_OK)
            fail_msg("%s", f->error.text);
    }
    const struct partition_jumps *jumps = partition_jumps(partition);
    assert_int_equal(jumps->count, 1);
    assert_int_equal(jumps->items[0].from, 40);
    assert_int_equal(jumps->items[0].committed, 20);
    assert_int_equal(jumps->items[0].last_term, TERM);
    partition_destroy(&partition);
    log_store_completion_destroy(&tail);
    log_store_completion_destroy(&loaded);
}

static void a_second_run_does_what_is_left(void **state) {
    struct fixture *f = *state;
    assert_int_equal(recover(f, "--lost-majority", "--execute", "5"), STORE_EXIT_OK);
    assert_recovered(f, 5);
    assert_untouched(f, 6);
    assert_int_equal(recover(f, "--lost-majority", "--execute", NULL), STORE_EXIT_OK);
    assert_recovered(f, 0);
    assert_recovered(f, 5); /* not once more */
    assert_recovered(f, 6);
}

static void who_has_no_voice_is_left_alone(void **state) {
    struct fixture *f = *state;
    uint64_t voters[] = {12, 13}, learners[] = {SELF};
    make_partition(f, 7, configuration(voters, 2, learners, 1, 1, 0), 5);
    make_partition(f, 8, configuration(voters, 2, NULL, 0, 1, 0), 5);
    assert_int_equal(recover(f, "--lost-majority", "--execute", NULL), STORE_EXIT_OK);
    assert_recovered(f, 5);
    assert_int_equal(look(f, 7).last_index, 5);
    assert_int_equal(look(f, 8).last_index, 5);
    assert_int_equal(recover(f, "--lost-majority", "--execute", "7"), STORE_EXIT_FAILED);
    assert_int_equal(look(f, 7).last_index, 5);
    log_store_close(&f->store);
    char *argv[] = {(char[]){"store"},     (char[]){"recover"},    (char[]){"-q"}, (char[]){"--lost-majority"},
                    (char[]){"--execute"}, (char[]){"--learners"}, f->directory,   NULL};
    assert_int_equal(store_command(7, argv), STORE_EXIT_OK);
    assert_true(look(f, 7).alone); /* as it was told */
    assert_int_equal(look(f, 8).last_index, 5);
}

/** Group 5 hears of a term, without an entry of it. */
static void hear_of_term(struct fixture *f, uint64_t term) {
    log_store_close(&f->store);
    open_store(f);
    struct log_store_write *write = log_store_write_new(5, 1);
    write->has_hard_state = write->sync = true;
    write->term = term;
    submit(f, write);
}

static void who_heard_of_another_that_went_on_alone_is_refused(void **state) {
    struct fixture *f = *state;
    hear_of_term(f, TERM + RECOVER_TERM_STEP);
    assert_int_equal(recover(f, "--lost-majority", "--execute", NULL), STORE_EXIT_OK);
    assert_int_equal(look(f, 5).last_index, 5);
    assert_int_equal(look(f, 5).voter_count, 3);
    assert_recovered(f, 6);
    assert_int_equal(recover(f, "--lost-majority", "--execute", "5"), STORE_EXIT_FAILED);
    assert_int_equal(look(f, 5).last_index, 5);
}

static void elections_that_nobody_won_do_not_count_as_another(void **state) {
    struct fixture *f = *state;
    hear_of_term(f, TERM + 1000);
    assert_int_equal(recover(f, "--lost-majority", "--execute", "5"), STORE_EXIT_OK);
    assert_true(look(f, 5).alone);
}

static void a_store_in_use_is_refused(void **state) {
    struct fixture *f = *state;
    char *argv[] = {(char[]){"store"},
                    (char[]){"recover"},
                    (char[]){"-q"},
                    (char[]){"--lost-majority"},
                    (char[]){"--execute"},
                    f->directory,
                    NULL};
    assert_int_equal(store_command(6, argv), STORE_EXIT_IN_USE);
}

static void a_damaged_store_is_refused(void **state) {
    struct fixture *f = *state;
    log_store_close(&f->store);
    assert_int_equal(rocks_store_condemn(f->directory, "a block cannot be read", &f->error), LF_OK);
    assert_int_equal(recover(f, "--lost-majority", "--execute", NULL), STORE_EXIT_DAMAGED);
}

static void terms_that_are_used_up_are_refused(void **state) {
    (void)state;
    struct recover_group group = {.group = 5, .replica_id = UINT64_MAX, .term = INT32_MAX - 10, .end_offset = 5};
    struct log_store_write *write;
    struct lf_error error;
    assert_int_equal(recover_group_write(&group, true, 1, &write, &error), LF_INVALID);
    group.term = INT32_MAX - 3 * (uint64_t)RECOVER_TERM_STEP;
    assert_int_equal(recover_group_write(&group, true, 1, &write, &error), LF_OK);
    assert_true(write->term <= INT32_MAX);
    log_store_write_destroy(&write);
    group.end_offset = INT64_MAX - LF_OFFSET_JUMP;
    assert_int_equal(recover_group_write(&group, true, 1, &write, &error), LF_INVALID);
}

/** Every start of a lone node raises its term by one: it takes as many to come from one to the other. */
static void two_replicas_go_on_in_terms_far_apart(void **state) {
    (void)state;
    struct recover_group one = {.group = 5, .term = TERM}, other = one;
    for (one.replica_id = SELF; one.replica_id < 200; one.replica_id++)
        for (uint64_t apart = 1; apart <= 100; apart++) {
            other.replica_id = one.replica_id + apart;
            int64_t terms = (int64_t)(recover_group_term(&one) - recover_group_term(&other));
            assert_true(llabs(terms) >= 5000);
        }
}

static void ids_that_differ_give_terms_that_differ(void **state) {
    (void)state;
    uint8_t *seen = calloc(RECOVER_TERM_STEP, 1);
    struct recover_group group = {.group = 5, .term = TERM, .replica_id = ((uint64_t)1 << 32) + 3};
    for (uint32_t i = 0; i < RECOVER_TERM_STEP; i++, group.replica_id++) {
        uint64_t beyond = recover_group_term(&group) - TERM - RECOVER_TERM_STEP;
        assert_true(beyond < RECOVER_TERM_STEP && seen[beyond]++ == 0);
    }
    free(seen);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_look_tells_what_is_known_to_be_committed_and_what_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_written_unless_it_is_told_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_group_goes_on_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_log_it_leaves_is_one_that_a_start_takes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_run_does_what_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_has_no_voice_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_heard_of_another_that_went_on_alone_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(elections_that_nobody_won_do_not_count_as_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_store_in_use_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_store_is_refused, set_up, tear_down),
        cmocka_unit_test(terms_that_are_used_up_are_refused),
        cmocka_unit_test(two_replicas_go_on_in_terms_far_apart),
        cmocka_unit_test(ids_that_differ_give_terms_that_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
