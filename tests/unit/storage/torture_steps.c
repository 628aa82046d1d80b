#include "torture_segments.h"

#include "lf_check.h"
#include "lf_entry.h"

#include <stdio.h>

#define PAYLOAD_BYTES_MAX 6000u
#define DESTROY_ONE_IN 150u

struct dice {
    uint64_t state;
};

static uint32_t roll(struct dice *dice, uint32_t sides) {
    uint64_t z = dice->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) % sides);
}

static struct dice dice_of(const struct torture *torture) {
    struct dice dice = {.state = torture->seed * 1000003 + (torture->step + 1) * 7919};
    roll(&dice, 2);
    return dice;
}

void torture_pile_clear(struct torture_pile *pile) {
    for (uint32_t i = 0; i < pile->count; i++)
        lf_buf_unref(&pile->entries[i]);
    pile->count = 0;
    pile->used = false;
}

struct lf_buf *torture_entry(uint64_t group, uint64_t index, uint64_t term, size_t bytes) {
    struct lf_buf *entry = lf_buf_new(LF_ENTRY_HEADER_BYTES + bytes);
    lf_check(entry != NULL);
    uint8_t *payload = entry->data + LF_ENTRY_HEADER_BYTES;
    for (size_t i = 0; i < bytes; i++)
        payload[i] = (uint8_t)((index * 31 + term * 17 + i * (group + 3)) >> 2);
    struct lf_entry_header header = {.type = LF_ENTRY_METADATA,
                                     .payload_bytes = (uint32_t)bytes,
                                     .index = index,
                                     .term = term,
                                     .end_offset = index,
                                     .replica_id = 1};
    lf_entry_encode(&header, group, lf_bytes(payload, bytes), entry->data);
    return entry;
}

static void add_entry(struct log_store_write *write, uint64_t index, uint64_t term, struct dice *dice) {
    struct lf_buf *entry = torture_entry(write->group, index, term, roll(dice, PAYLOAD_BYTES_MAX));
    lf_check(log_store_write_add_entry(write, index, entry) == LF_OK);
}

static void add_row(struct log_store_write *write, const char *key, uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    lf_check(log_store_write_add_row(write, lf_bytes_text(key), lf_bytes_text(text)) == LF_OK);
}

static uint32_t roll_any(void *dice, uint32_t sides) { return roll(dice, sides); }

static void fill(struct log_store_write *write, const struct log_group *log, struct dice *dice) {
    uint64_t term = log->term;
    if (write->create || roll(dice, 10) == 0) {
        write->has_hard_state = true;
        write->term = ++term;
        write->vote = roll(dice, 3);
    }
    uint64_t end = log->last_index;
    if (roll(dice, 12) == 0 && end > log->applied_index) {
        write->truncate_from = end - roll(dice, (uint32_t)(end - log->applied_index) % 20 + 1);
        write->truncate_from = write->truncate_from > log->applied_index ? write->truncate_from : end;
        end = write->truncate_from - 1;
    }
    for (uint32_t count = roll(dice, 4); count > 0; count--)
        add_entry(write, ++end, term, dice);
    if (roll(dice, 3) == 0 && end > log->applied_index)
        write->applied_index = log->applied_index + 1 + roll(dice, (uint32_t)(end - log->applied_index));
}

static void add_rows(struct log_store_write *write, struct dice *dice, uint64_t step) {
    char key[8];
    snprintf(key, sizeof key, "k%u", roll(dice, 30));
    add_row(write, key, step);
    add_row(write, TORTURE_STEP_ROW, step);
}

/* What the write is about: mostly entries and state; now and then segments take each other's place, or an image the
 * place of all. */
static void fill_any(struct torture *torture, struct log_store_write *write, const struct mem_group *group,
                     struct dice *dice, uint64_t step) {
    const struct log_group none = {0};
    uint32_t kind = roll(dice, 60);
    torture_pile_clear(&torture->pile);
    if (group && kind == 0) {
        torture_add_install(torture, write, group, roll_any, dice);
    } else if (!group || kind > 3 || !torture_add_replacement(torture, write, group, roll_any, dice)) {
        fill(write, group ? &group->log : &none, dice);
        if (group) {
            torture_add_seal(write, group, roll_any, dice);
            torture_add_drop(write, group, roll_any, dice);
        }
    }
    add_rows(write, dice, step);
}

struct log_store_write *torture_next(struct torture *torture) {
    struct dice dice = dice_of(torture);
    uint64_t step = torture->step + 1, id = roll(&dice, TORTURE_GROUPS);
    const struct mem_group *group = mem_image_find(&torture->model, id);
    struct log_store_write *write = log_store_write_new(id, step);
    lf_check(write != NULL);
    write->sync = roll(&dice, 10) < (step / 64 % 2 ? 7 : 1); /* stretches with many syncs and with few */
    write->create = !group;
    write->replica_id = step;
    if (group && roll(&dice, DESTROY_ONE_IN) == 0)
        write->destroy = true;
    else
        fill_any(torture, write, group, &dice, step);
    struct lf_error error = {0};
    enum lf_status status = mem_image_apply(&torture->model, write, &error);
    lf_checkf(status == LF_OK, "step %llu: %s", (unsigned long long)step, error.text);
    torture->step = step;
    return write;
}

uint64_t torture_destroying_step(const struct torture *torture, uint64_t *group) {
    struct torture at = {.seed = torture->seed, .step = torture->step};
    for (;; at.step++) {
        struct dice dice = dice_of(&at);
        uint64_t id = roll(&dice, TORTURE_GROUPS);
        if (at.step == torture->step)
            *group = id;
        if (id != *group || !mem_image_find(&torture->model, id))
            return 0;
        roll(&dice, 10);
        if (roll(&dice, DESTROY_ONE_IN) == 0)
            return at.step + 1;
    }
}

void torture_replay(struct torture *torture, uint64_t step) {
    while (torture->step < step) {
        struct log_store_write *write = torture_next(torture);
        log_store_write_destroy(&write);
    }
}
