/** The shape of a group's log: what is judged, what a write does to it, what counts as a contradiction. */
#include "contract.h"
#include "log_group.h"

#include "lf_entry.h"

#define GROUP 3u

struct shape {
    struct log_group group;
    bool created;
    struct log_group_change change;
};

static enum lf_status carry_out(struct shape *shape, struct log_store_write *write) {
    struct lf_error error = {0};
    enum lf_status status = log_group_judge(shape->created ? &shape->group : NULL, write, &error);
    log_group_change_deinit(&shape->change);
    if (status == LF_OK) {
        shape->created = true;
        assert_int_equal(log_group_apply(&shape->group, write, &shape->change), LF_OK);
        if (log_group_check(&shape->group, &error) != LF_OK)
            fail_msg("after a write: %s", error.text);
    } else {
        assert_true(error.text[0] != '\0');
    }
    log_store_write_destroy(&write);
    return status;
}

/* Entries 1..count of term 1, all applied. */
static void fill(struct shape *shape, uint32_t count) {
    *shape = (struct shape){.group = {.id = GROUP}};
    struct log_store_write *write = contract_create(GROUP, 1);
    contract_add(write, 1, count, 1);
    write->applied_index = count;
    assert_int_equal(carry_out(shape, write), LF_OK);
}

static void done(struct shape *shape) {
    log_group_change_deinit(&shape->change);
    log_group_deinit(&shape->group);
}

static struct log_segment lacking(struct log_segment segment, uint64_t rewrites) {
    segment.entry_count--;
    segment.bytes -= 164;
    segment.command_bytes -= 164;
    segment.rewrites = rewrites;
    return segment;
}

static struct log_store_write *sealing(uint64_t first_index, uint64_t last_index) {
    struct log_store_write *write = contract_write(GROUP, 2);
    struct log_segment segment = contract_segment(GROUP, first_index, last_index, 1);
    assert_int_equal(log_store_write_add_seal(write, &segment), LF_OK);
    return write;
}

/* Segments 1-10, 11-20, 21-30 of entries 1..35. */
static void fill_and_seal(struct shape *shape) {
    fill(shape, 35);
    for (uint64_t first = 1; first < 30; first += 10)
        assert_int_equal(carry_out(shape, sealing(first, first + 9)), LF_OK);
}

static void stage(struct shape *shape, struct log_segment segment, uint64_t id) {
    bool replaced;
    struct log_held gone;
    assert_int_equal(log_group_stage(&shape->group, &segment, id, &replaced, &gone), LF_OK);
    assert_false(replaced);
    assert_int_equal(log_group_check(&shape->group, NULL), LF_OK);
}

static void segments_are_sealed_one_behind_the_other(void **state) {
    (void)state;
    struct shape shape;
    fill_and_seal(&shape);
    assert_int_equal(shape.group.segment_count, 3);
    assert_int_equal(log_group_first_index(&shape.group), 1);
    assert_int_equal(log_group_active_index(&shape.group), 31);
    assert_int_equal(shape.group.previous_index, 0);
    assert_int_equal(log_group_segment_at(&shape.group, 10), 0);
    assert_int_equal(log_group_segment_at(&shape.group, 11), 1);
    assert_int_equal(log_group_segment_at(&shape.group, 31), 3);
    done(&shape);
}

static void a_seal_has_to_fit_the_log(void **state) {
    (void)state;
    struct shape shape;
    fill(&shape, 20);
    struct log_store_write *write = contract_write(GROUP, 2);
    contract_add(write, 21, 10, 1);
    assert_int_equal(carry_out(&shape, write), LF_OK); /* 21..30 are not applied */
    assert_int_equal(carry_out(&shape, sealing(2, 10)), LF_INVALID);
    assert_int_equal(carry_out(&shape, sealing(1, 21)), LF_INVALID);
    for (int field = 0; field < 5; field++) {
        write = sealing(1, 10);
        struct log_segment *seal = &write->seals[0];
        if (field == 0)
            *seal = lacking(*seal, 0);
        seal->rewrites = field == 1;
        seal->last_term += field == 2;
        seal->first_index += field == 3 ? 10 : 0;
        seal->base_offset += field == 4 ? 11 : 0;
        assert_int_equal(carry_out(&shape, write), LF_INVALID);
    }
    assert_int_equal(carry_out(&shape, sealing(1, 10)), LF_OK);
    write = sealing(11, 20);
    write->seals[0].base_offset--; /* not where 1-10 ends */
    assert_int_equal(carry_out(&shape, write), LF_INVALID);
    write = sealing(11, 25);
    write->applied_index = 25;
    assert_int_equal(carry_out(&shape, write), LF_OK);
    done(&shape);
}

static void a_segment_may_be_sealed_with_the_write_that_brings_its_entries(void **state) {
    (void)state;
    struct shape shape;
    fill(&shape, 5);
    struct log_store_write *write = sealing(1, 8);
    contract_add(write, 6, 5, 1);
    write->applied_index = 8;
    assert_int_equal(carry_out(&shape, write), LF_OK);
    assert_int_equal(shape.group.last_index, 10);
    assert_int_equal(log_group_active_index(&shape.group), 9);
    done(&shape);
}

static void a_drop_moves_where_the_log_begins(void **state) {
    (void)state;
    struct shape shape;
    fill_and_seal(&shape);
    struct log_store_write *write = contract_write(GROUP, 3);
    write->drop_before = 15;
    assert_int_equal(carry_out(&shape, write), LF_INVALID);
    write = contract_write(GROUP, 3);
    write->drop_before = 36;
    assert_int_equal(carry_out(&shape, write), LF_INVALID);
    write = contract_write(GROUP, 3);
    write->drop_before = 21;
    assert_int_equal(carry_out(&shape, write), LF_OK);
    assert_int_equal(shape.change.gone_count, 2);
    assert_true(shape.change.previous_moved);
    assert_int_equal(log_group_first_index(&shape.group), 21);
    assert_int_equal(shape.group.previous_index, 20);
    assert_int_equal(shape.group.previous_term, 1);
    assert_int_equal(shape.group.runs[0].first_index, 21);
    assert_int_equal(log_group_term_at(&shape.group, 20), 1);
    assert_int_equal(log_group_term_at(&shape.group, 19), 0);
    write = contract_write(GROUP, 3);
    write->drop_before = 11; /* dropped before */
    assert_int_equal(carry_out(&shape, write), LF_OK);
    assert_int_equal(shape.change.gone_count, 0);
    write = contract_write(GROUP, 3);
    write->drop_before = 31;
    assert_int_equal(carry_out(&shape, write), LF_OK);
    assert_int_equal(log_group_first_index(&shape.group), 31);
    assert_int_equal(shape.group.last_index, 35);
    done(&shape);
}

static void a_drop_of_all_leaves_an_empty_log_that_goes_on(void **state) {
    (void)state;
    struct shape shape;
    fill(&shape, 10);
    struct log_store_write *write = sealing(1, 10);
    write->drop_before = 11;
    assert_int_equal(carry_out(&shape, write), LF_OK);
    assert_int_equal(shape.group.run_count, 0);
    assert_int_equal(shape.group.last_index, 10);
    assert_int_equal(shape.group.previous_index, 10);
    write = contract_write(GROUP, 4);
    contract_add(write, 12, 1, 1);
    assert_int_equal(carry_out(&shape, write), LF_INVALID);
    write = contract_write(GROUP, 4);
    write->has_hard_state = true;
    write->term = 2;
    contract_add(write, 11, 2, 2);
    assert_int_equal(carry_out(&shape, write), LF_OK);
    assert_int_equal(shape.group.runs[0].first_index, 11);
    write = contract_write(GROUP, 4);
    write->truncate_from = 11;
    assert_int_equal(carry_out(&shape, write), LF_OK);
    assert_int_equal(log_group_term_at(&shape.group, 10), 1);
    write = contract_write(GROUP, 4);
    contract_add(write, 11, 1, 1); /* of the term before the log's beginning */
    assert_int_equal(carry_out(&shape, write), LF_OK);
    done(&shape);
}

static void a_drop_cuts_the_runs_where_the_log_begins(void **state) {
    (void)state;
    struct shape shape;
    fill(&shape, 10);
    struct log_store_write *write = contract_write(GROUP, 2);
    write->has_hard_state = true;
    write->term = 4;
    contract_add(write, 11, 5, 2);
    contract_add(write, 16, 5, 4);
    write->applied_index = 20;
    struct log_segment segment = contract_segment(GROUP, 1, 10, 1);
    log_store_write_add_seal(write, &segment);
    segment = contract_segment(GROUP, 11, 13, 2);
    log_store_write_add_seal(write, &segment);
    write->drop_before = 14;
    assert_int_equal(carry_out(&shape, write), LF_OK);
    assert_int_equal(shape.group.run_count, 2);
    assert_int_equal(shape.group.runs[0].first_index, 14);
    assert_int_equal(shape.group.runs[0].term, 2);
    assert_int_equal(shape.group.runs[1].first_index, 16);
    assert_int_equal(shape.group.previous_term, 2);
    assert_int_equal(shape.change.run_keep, 0);
    done(&shape);
}

static struct log_store_write *replacing(const struct log_segment *segments, uint32_t count) {
    struct log_store_write *write = contract_write(GROUP, 4);
    assert_int_equal(log_store_write_set_replacements(write, segments, count), LF_OK);
    return write;
}

static void a_replacement_has_to_be_staged_and_to_fit_the_borders(void **state) {
    (void)state;
    struct shape shape;
    fill_and_seal(&shape);
    struct log_segment merged = lacking(contract_segment(GROUP, 1, 20, 1), 1), other;
    assert_int_equal(carry_out(&shape, replacing(&merged, 1)), LF_INVALID);
    assert_int_equal(carry_out(&shape, replacing(&merged, 0)), LF_INVALID);
    stage(&shape, merged, 7);
    for (int field = 0; field < 5; field++) {
        other = merged;
        other.last_index -= field == 0;
        other.first_index += field == 1;
        other.base_offset += field == 2;
        other.end_offset += field == 3;
        other.last_term += field == 4;
        assert_int_equal(carry_out(&shape, replacing(&other, 1)), LF_INVALID);
    }
    assert_int_equal(carry_out(&shape, replacing(&merged, 1)), LF_OK);
    assert_int_equal(shape.group.segment_count, 2);
    assert_int_equal(shape.group.segments[0].id, 7);
    assert_int_equal(shape.group.staged_count, 0);
    assert_int_equal(shape.change.gone_count, 2);
    assert_int_equal(shape.group.previous_index, 20); /* it lacks an entry */
    assert_int_equal(shape.group.previous_term, 1);
    assert_int_equal(log_group_first_index(&shape.group), 1);
    assert_int_equal(shape.group.runs[0].first_index, 21);
    done(&shape);
}

static void a_whole_replacement_keeps_the_promise_of_every_entry(void **state) {
    (void)state;
    struct shape shape;
    fill_and_seal(&shape);
    struct log_segment merged = contract_segment(GROUP, 11, 30, 1);
    merged.rewrites = 1;
    stage(&shape, merged, 7);
    assert_int_equal(carry_out(&shape, replacing(&merged, 1)), LF_OK);
    assert_int_equal(shape.group.previous_index, 0);
    assert_int_equal(shape.group.segment_count, 2);
    done(&shape);
}

static void a_staged_copy_takes_the_place_of_an_equal_segment(void **state) {
    (void)state;
    struct shape shape;
    fill_and_seal(&shape);
    struct log_segment same = contract_segment(GROUP, 11, 20, 1);
    shape.group.segments[1].id = 5;
    assert_int_equal(carry_out(&shape, replacing(&same, 1)), LF_OK); /* by itself: nothing happens */
    assert_int_equal(shape.group.segments[1].id, 5);
    assert_int_equal(shape.change.gone_count, 0);
    stage(&shape, same, 9);
    assert_int_equal(carry_out(&shape, replacing(&same, 1)), LF_OK);
    assert_int_equal(shape.group.segments[1].id, 9);
    assert_int_equal(shape.change.gone_count, 1);
    assert_int_equal(shape.change.gone[0].id, 5);
    assert_int_equal(shape.group.staged_count, 0);
    done(&shape);
}

static void a_replacement_drops_what_else_is_staged_in_its_range(void **state) {
    (void)state;
    struct shape shape;
    fill_and_seal(&shape);
    struct log_segment segments[2] = {lacking(contract_segment(GROUP, 1, 10, 1), 1),
                                      contract_segment(GROUP, 11, 20, 1)};
    stage(&shape, segments[0], 7);
    stage(&shape, lacking(segments[1], 4), 8);
    stage(&shape, lacking(contract_segment(GROUP, 1, 30, 1), 4), 9);
    stage(&shape, lacking(contract_segment(GROUP, 21, 30, 1), 4), 10);
    shape.group.segments[1].id = 6;
    assert_int_equal(carry_out(&shape, replacing(segments, 2)), LF_OK);
    assert_int_equal(shape.group.segments[0].id, 7);
    assert_int_equal(shape.group.segments[1].id, 6);
    assert_int_equal(shape.group.previous_index, 10);
    assert_int_equal(shape.group.staged_count, 2);
    assert_int_equal(shape.group.staged[0].id, 9);
    assert_int_equal(shape.group.staged[1].id, 10);
    struct log_store_write *write = contract_write(GROUP, 5);
    write->unstage = true;
    assert_int_equal(carry_out(&shape, write), LF_OK);
    assert_int_equal(shape.group.staged_count, 0);
    assert_int_equal(shape.change.gone_count, 2);
    done(&shape);
}

static void seal_replacement_and_drop_follow_each_other_in_one_write(void **state) {
    (void)state;
    struct shape shape;
    fill_and_seal(&shape);
    struct log_segment merged = lacking(contract_segment(GROUP, 1, 20, 1), 1);
    stage(&shape, merged, 7);
    struct log_store_write *write = sealing(31, 35);
    log_store_write_set_replacements(write, &merged, 1);
    write->drop_before = 11; /* no border any more */
    assert_int_equal(carry_out(&shape, write), LF_INVALID);
    write = sealing(31, 35);
    log_store_write_set_replacements(write, &merged, 1);
    write->drop_before = 21;
    assert_int_equal(carry_out(&shape, write), LF_OK);
    assert_int_equal(shape.group.segment_count, 2);
    assert_int_equal(log_group_first_index(&shape.group), 21);
    assert_int_equal(shape.change.gone_count, 3);
    done(&shape);
}

static struct log_store_write *installing(uint64_t index, uint64_t term, const struct log_segment *segments,
                                          uint32_t count) {
    struct log_store_write *write = contract_write(GROUP, 6);
    assert_int_equal(log_store_write_set_install(write, index, term, segments, count), LF_OK);
    write->has_hard_state = true;
    write->term = 5;
    return write;
}

static void an_install_makes_the_whole_group_anew(void **state) {
    (void)state;
    struct shape shape;
    fill_and_seal(&shape);
    const struct log_segment segments[] = {contract_segment(GROUP, 11, 20, 1),
                                           lacking(contract_segment(GROUP, 21, 40, 2), 1)};
    stage(&shape, segments[1], 7);
    stage(&shape, contract_segment(GROUP, 41, 50, 2), 8);
    shape.group.segments[1].id = 6;
    assert_int_equal(carry_out(&shape, installing(40, 2, segments, 2)), LF_OK);
    assert_int_equal(log_group_first_index(&shape.group), 11);
    assert_int_equal(shape.group.previous_index, 40);
    assert_int_equal(shape.group.previous_term, 2);
    assert_int_equal(shape.group.last_index, 40);
    assert_int_equal(shape.group.applied_index, 40);
    assert_int_equal(shape.group.run_count, 0);
    assert_int_equal(shape.group.segments[0].id, 6);
    assert_int_equal(shape.group.segments[1].id, 7);
    assert_int_equal(shape.group.staged_count, 0);
    assert_int_equal(shape.change.gone_count, 3);
    assert_int_equal(shape.change.truncate_from, 31);
    assert_int_equal(shape.change.truncate_to, 35);
    struct log_store_write *write = contract_write(GROUP, 7);
    contract_add(write, 41, 3, 5);
    assert_int_equal(carry_out(&shape, write), LF_OK);
    done(&shape);
}

static void an_install_may_create_the_group_and_bring_no_segments(void **state) {
    (void)state;
    struct shape shape = {.group = {.id = GROUP}};
    struct log_store_write *write = installing(40, 2, NULL, 0);
    write->create = true;
    write->replica_id = 9;
    assert_int_equal(carry_out(&shape, write), LF_OK);
    assert_int_equal(log_group_first_index(&shape.group), 41);
    assert_int_equal(shape.group.replica_id, 9);
    done(&shape);
}

static void an_install_goes_forward_only_and_takes_nothing_of_the_old_log(void **state) {
    (void)state;
    struct shape shape;
    fill_and_seal(&shape);
    struct log_segment segment = contract_segment(GROUP, 31, 40, 2);
    assert_int_equal(carry_out(&shape, installing(35, 2, NULL, 0)), LF_INVALID); /* applied */
    assert_int_equal(carry_out(&shape, installing(40, 6, NULL, 0)), LF_INVALID); /* above the term */
    assert_int_equal(carry_out(&shape, installing(40, 0, NULL, 0)), LF_INVALID);
    assert_int_equal(carry_out(&shape, installing(40, 2, &segment, 1)), LF_INVALID); /* not staged */
    stage(&shape, segment, 7);
    assert_int_equal(carry_out(&shape, installing(41, 2, &segment, 1)), LF_INVALID); /* it ends before */
    assert_int_equal(carry_out(&shape, installing(40, 3, &segment, 1)), LF_INVALID);
    struct log_store_write *write = installing(40, 2, &segment, 1);
    contract_add(write, 41, 1, 5);
    assert_int_equal(carry_out(&shape, write), LF_INVALID);
    write = installing(40, 2, &segment, 1);
    write->applied_index = 39;
    assert_int_equal(carry_out(&shape, write), LF_INVALID);
    write = installing(40, 2, &segment, 1);
    write->drop_before = 31;
    assert_int_equal(carry_out(&shape, write), LF_INVALID);
    write = contract_write(GROUP, 8);
    write->has_hard_state = true;
    write->term = 2;
    contract_add(write, 36, 6, 2); /* the image's entry 40, and one that follows */
    assert_int_equal(carry_out(&shape, write), LF_OK);
    assert_int_equal(carry_out(&shape, installing(40, 2, &segment, 1)), LF_INVALID);
    write = contract_write(GROUP, 8);
    write->truncate_from = 41;
    assert_int_equal(carry_out(&shape, write), LF_OK);
    assert_int_equal(carry_out(&shape, installing(40, 2, &segment, 1)), LF_OK);
    done(&shape);
}

static void a_write_that_destroys_carries_no_segments(void **state) {
    (void)state;
    struct shape shape;
    fill(&shape, 10);
    struct log_store_write *write = sealing(1, 10);
    write->destroy = true;
    assert_int_equal(carry_out(&shape, write), LF_INVALID);
    done(&shape);
}

static void a_staged_segment_is_told_apart_by_its_whole_descriptor(void **state) {
    (void)state;
    struct shape shape;
    fill(&shape, 10);
    struct log_segment segment = contract_segment(GROUP, 11, 20, 1);
    stage(&shape, segment, 1);
    stage(&shape, lacking(segment, 1), 2);
    bool replaced;
    struct log_held gone;
    assert_int_equal(log_group_stage(&shape.group, &segment, 3, &replaced, &gone), LF_OK);
    assert_true(replaced);
    assert_int_equal(gone.id, 1);
    assert_int_equal(shape.group.staged_count, 2);
    done(&shape);
}

/* Each invariant, broken in turn. */
static void contradictions_are_found(void **state) {
    (void)state;
    for (int broken = 0; broken < 16; broken++) {
        struct shape shape;
        fill_and_seal(&shape);
        struct log_store_write *write = contract_write(GROUP, 3);
        write->drop_before = 11;
        assert_int_equal(carry_out(&shape, write), LF_OK);
        stage(&shape, contract_segment(GROUP, 21, 30, 1), 1);
        stage(&shape, contract_segment(GROUP, 31, 40, 1), 2);
        struct log_group *group = &shape.group;
        struct log_segment *segment = &group->segments[1].segment;
        group->runs[0].first_index -= broken == 0;
        group->run_count -= broken == 1;
        if (broken == 2)
            group->last_index = 5;
        group->applied_index = broken == 3 ? 36 : broken == 4 ? 29 : group->applied_index;
        group->previous_term += broken == 5;
        group->previous_index = broken == 6 ? 9 : broken == 7 ? 33 : group->previous_index;
        group->term -= broken == 8;
        segment->first_index += broken == 9;
        segment->base_offset -= broken == 10;
        segment->entry_count -= broken == 11;
        segment->last_term += broken == 12;
        segment->first_log_time_ms -= broken == 13 ? 2 : 0;
        if (broken == 14)
            group->staged[1] = group->staged[0];
        group->staged[0].segment.last_index = broken == 15 ? 3 : group->staged[0].segment.last_index;
        struct lf_error error = {0};
        if (log_group_check(group, &error) != LF_DAMAGED || error.text[0] == '\0')
            fail_msg("contradiction %d was not found", broken);
        done(&shape);
    }
}

static void a_copy_is_equal_and_its_own(void **state) {
    (void)state;
    struct shape shape;
    struct log_group copy;
    fill_and_seal(&shape);
    stage(&shape, contract_segment(GROUP, 31, 40, 1), 2);
    assert_int_equal(log_group_copy(&shape.group, &copy), LF_OK);
    assert_ptr_not_equal(copy.segments, shape.group.segments);
    assert_int_equal(copy.segment_count, 3);
    assert_int_equal(copy.staged_count, 1);
    done(&shape);
    assert_int_equal(log_group_check(&copy, NULL), LF_OK);
    log_group_deinit(&copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_are_sealed_one_behind_the_other),
        cmocka_unit_test(a_seal_has_to_fit_the_log),
        cmocka_unit_test(a_segment_may_be_sealed_with_the_write_that_brings_its_entries),
        cmocka_unit_test(a_drop_moves_where_the_log_begins),
        cmocka_unit_test(a_drop_of_all_leaves_an_empty_log_that_goes_on),
        cmocka_unit_test(a_drop_cuts_the_runs_where_the_log_begins),
        cmocka_unit_test(a_replacement_has_to_be_staged_and_to_fit_the_borders),
        cmocka_unit_test(a_whole_replacement_keeps_the_promise_of_every_entry),
        cmocka_unit_test(a_staged_copy_takes_the_place_of_an_equal_segment),
        cmocka_unit_test(a_replacement_drops_what_else_is_staged_in_its_range),
        cmocka_unit_test(seal_replacement_and_drop_follow_each_other_in_one_write),
        cmocka_unit_test(an_install_makes_the_whole_group_anew),
        cmocka_unit_test(an_install_may_create_the_group_and_bring_no_segments),
        cmocka_unit_test(an_install_goes_forward_only_and_takes_nothing_of_the_old_log),
        cmocka_unit_test(a_write_that_destroys_carries_no_segments),
        cmocka_unit_test(a_staged_segment_is_told_apart_by_its_whole_descriptor),
        cmocka_unit_test(contradictions_are_found),
        cmocka_unit_test(a_copy_is_equal_and_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
