#include "torture_segments.h"

#include "lf_check.h"

static const struct lf_buf *entry_of(const struct log_store_write *write, const struct mem_group *group,
                                     uint64_t index) {
    uint64_t found;
    if (write->entry_count > 0 && index >= write->first_index)
        return write->entries[index - write->first_index];
    struct lf_buf **entry = mem_group_next(group, index, &found);
    return entry && found == index ? *entry : NULL;
}

void torture_add_seal(struct log_store_write *write, const struct mem_group *group, torture_roll roll, void *dice) {
    uint64_t first = log_group_active_index(&group->log);
    uint64_t applied = write->applied_index != 0 ? write->applied_index : group->log.applied_index;
    struct log_segment segment;
    if (roll(dice, write->group % 2 ? 150 : 12) != 0 || applied < first)
        return;
    uint64_t last = roll(dice, 4) == 0 ? first + roll(dice, (uint32_t)(applied - first + 1)) : applied;
    log_segment_begin(&segment, first, first - 1, 0);
    for (uint64_t index = first; index <= last; index++)
        log_segment_add(&segment, lf_buf_bytes(entry_of(write, group, index)));
    lf_check(log_store_write_add_seal(write, &segment) == LF_OK);
}

void torture_add_drop(struct log_store_write *write, const struct mem_group *group, torture_roll roll, void *dice) {
    size_t count = group->log.segment_count;
    if (count < 3 || roll(dice, 20) != 0)
        return;
    write->drop_before = group->log.segments[1 + roll(dice, (uint32_t)count - 1)].segment.first_index;
}

static void put(struct torture_pile *pile, const struct lf_buf *entry) {
    lf_check(pile->count < TORTURE_PILE_ENTRIES_MAX);
    log_segment_add(&pile->segment, lf_buf_bytes(entry));
    pile->entries[pile->count++] = lf_buf_ref((struct lf_buf *)(uintptr_t)entry);
}

static void stage_in_model(struct torture *torture, uint64_t group, const struct torture_pile *pile) {
    struct log_store_write *write = log_store_write_new(group, 0);
    struct lf_error error = {0};
    lf_check(write != NULL);
    write->stages = true;
    lf_check(log_store_write_set_replacements(write, &pile->segment, 1) == LF_OK);
    for (uint32_t i = 0; i < pile->count; i++)
        lf_check(log_store_write_push_entry(write, lf_buf_ref(pile->entries[i])) == LF_OK);
    enum lf_status status = mem_image_apply(&torture->model, write, &error);
    lf_checkf(status == LF_OK, "stage: %s", error.text);
    log_store_write_destroy(&write);
}

static struct torture_pile *new_pile(struct torture *torture, uint64_t first, uint64_t rewrites) {
    struct torture_pile *pile = &torture->pile;
    torture_pile_clear(pile);
    pile->used = true;
    log_segment_begin(&pile->segment, first, first - 1, 0);
    pile->segment.rewrites = rewrites;
    return pile;
}

/* What the range is, whatever is left of it. */
static void end_pile(struct torture_pile *pile, uint64_t last, uint64_t term) {
    pile->segment.last_index = pile->segment.end_offset = last;
    pile->segment.last_term = term;
}

bool torture_add_replacement(struct torture *torture, struct log_store_write *write, const struct mem_group *group,
                             torture_roll roll, void *dice) {
    const struct log_group *log = &group->log;
    if (log->segment_count == 0)
        return false;
    uint32_t from = roll(dice, (uint32_t)log->segment_count), to = from;
    uint64_t found, rewrites = 0, count = 0;
    for (uint32_t more = roll(dice, 3); to + 1 < log->segment_count && more > 0; more--)
        to++;
    for (uint32_t i = from; i <= to; i++) {
        const struct log_segment *old = &log->segments[i].segment;
        rewrites = old->rewrites > rewrites ? old->rewrites : rewrites;
        count += old->entry_count;
    }
    if (count > TORTURE_PILE_ENTRIES_MAX)
        return false;
    const struct log_segment *last = &log->segments[to].segment;
    struct torture_pile *pile = new_pile(torture, log->segments[from].segment.first_index, rewrites + 1);
    uint32_t kept_of_4 = roll(dice, 5);
    for (uint64_t index = pile->segment.first_index; index <= last->last_index; index = found + 1) {
        struct lf_buf **entry = mem_group_next(group, index, &found);
        if (!entry || found > last->last_index)
            break;
        if (roll(dice, 4) < kept_of_4)
            put(pile, *entry);
    }
    end_pile(pile, last->last_index, last->last_term);
    stage_in_model(torture, write->group, pile);
    lf_check(log_store_write_set_replacements(write, &pile->segment, 1) == LF_OK);
    return true;
}

void torture_add_install(struct torture *torture, struct log_store_write *write, const struct mem_group *group,
                         torture_roll roll, void *dice) {
    const struct log_group *log = &group->log;
    struct log_segment segments[4];
    uint32_t count = 0, keep = roll(dice, 3);
    uint64_t index = log->last_index + 1 + roll(dice, 20), first = log_group_active_index(log);
    if (roll(dice, 4) != 0 && index - first < TORTURE_PILE_ENTRIES_MAX) {
        struct torture_pile *pile = new_pile(torture, first, 1);
        for (uint64_t at = first; at <= index; at++) {
            struct lf_buf *entry = roll(dice, 3) != 0 ? torture_entry(write->group, at, log->term, 200) : NULL;
            if (entry)
                put(pile, entry);
            lf_buf_unref(&entry);
        }
        end_pile(pile, index, log->term);
        stage_in_model(torture, write->group, pile);
        for (size_t i = log->segment_count < keep ? 0 : log->segment_count - keep; i < log->segment_count; i++)
            segments[count++] = log->segments[i].segment;
        segments[count++] = pile->segment;
    }
    lf_check(log_store_write_set_install(write, index, log->term, segments, count) == LF_OK);
}
