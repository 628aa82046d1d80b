#include "producer_table.h"

#include "lf_check.h"

#include <stdlib.h>

#define ROWS_MIN 16u

void producer_table_init(struct producer_table *table) {
    *table = (struct producer_table){
        .free = PRODUCER_TABLE_NONE, .oldest = PRODUCER_TABLE_NONE, .newest = PRODUCER_TABLE_NONE};
}

void producer_table_deinit(struct producer_table *table) {
    free(table->rows);
    free(table->slots);
    producer_table_init(table);
}

void producer_table_clear(struct producer_table *table) {
    if (table->slots)
        memset(table->slots, 0, table->slot_capacity * sizeof *table->slots);
    table->row_used = table->count = 0;
    table->free = table->oldest = table->newest = PRODUCER_TABLE_NONE;
}

static uint32_t home(const struct producer_table *table, int64_t id) {
    return (uint32_t)(((uint64_t)id * 0x9E3779B97F4A7C15u) >> 32) & (table->slot_capacity - 1);
}

/** The slot that holds id, or the empty one where it would go. */
static uint32_t slot_of(const struct producer_table *table, int64_t id) {
    uint32_t at = home(table, id);
    while (table->slots[at] != 0 && table->rows[table->slots[at] - 1].id != id)
        at = (at + 1) & (table->slot_capacity - 1);
    return at;
}

struct producer *producer_table_find(const struct producer_table *table, int64_t id) {
    if (table->count == 0)
        return NULL;
    uint32_t row = table->slots[slot_of(table, id)];
    return row ? &table->rows[row - 1] : NULL;
}

/** Room for `capacity` rows, a power of two. */
static bool grow(struct producer_table *table, uint32_t capacity) {
    struct producer *rows = realloc(table->rows, capacity * sizeof *rows);
    if (!rows)
        return false;
    table->rows = rows;
    uint32_t *slots = calloc((size_t)capacity * 2, sizeof *slots);
    if (!slots)
        return false; /* the larger pool does no harm */
    free(table->slots);
    table->slots = slots;
    table->row_capacity = capacity;
    table->slot_capacity = capacity * 2;
    for (uint32_t row = table->oldest; row != PRODUCER_TABLE_NONE; row = rows[row].newer)
        slots[slot_of(table, rows[row].id)] = row + 1;
    return true;
}

bool producer_table_reserve(struct producer_table *table) {
    if (table->free != PRODUCER_TABLE_NONE || table->row_used < table->row_capacity)
        return true;
    if (table->row_capacity >= PRODUCER_TABLE_ROWS_HARD)
        return false;
    return grow(table, table->row_capacity ? table->row_capacity * 2 : ROWS_MIN);
}

static void link_newest(struct producer_table *table, uint32_t row) {
    table->rows[row].older = table->newest;
    table->rows[row].newer = PRODUCER_TABLE_NONE;
    if (table->newest != PRODUCER_TABLE_NONE)
        table->rows[table->newest].newer = row;
    else
        table->oldest = row;
    table->newest = row;
}

static void unlink_row(struct producer_table *table, uint32_t row) {
    uint32_t older = table->rows[row].older, newer = table->rows[row].newer;
    if (older != PRODUCER_TABLE_NONE)
        table->rows[older].newer = newer;
    else
        table->oldest = newer;
    if (newer != PRODUCER_TABLE_NONE)
        table->rows[newer].older = older;
    else
        table->newest = older;
}

struct producer *producer_table_insert(struct producer_table *table, int64_t id) {
    lf_check(table->free != PRODUCER_TABLE_NONE || table->row_used < table->row_capacity);
    uint32_t row = table->free;
    if (row != PRODUCER_TABLE_NONE)
        table->free = table->rows[row].newer;
    else
        row = table->row_used++;
    producer_init(&table->rows[row], id);
    uint32_t slot = home(table, id);
    while (table->slots[slot] != 0) {
        lf_check(table->rows[table->slots[slot] - 1].id != id);
        slot = (slot + 1) & (table->slot_capacity - 1);
    }
    table->slots[slot] = row + 1;
    table->count++;
    link_newest(table, row);
    return &table->rows[row];
}

void producer_table_touch(struct producer_table *table, struct producer *producer, uint64_t log_time_ms) {
    uint32_t row = (uint32_t)(producer - table->rows);
    producer->last_use_ms = log_time_ms;
    if (table->newest == row)
        return;
    unlink_row(table, row);
    link_newest(table, row);
}

const struct producer *producer_table_next(const struct producer_table *table, const struct producer *after) {
    uint32_t row = after ? after->newer : table->oldest;
    return row != PRODUCER_TABLE_NONE ? &table->rows[row] : NULL;
}

/** Empty the slot, and move back every later one of the run that may live there. */
static void close_gap(struct producer_table *table, uint32_t hole) {
    uint32_t mask = table->slot_capacity - 1;
    for (uint32_t at = (hole + 1) & mask; table->slots[at] != 0; at = (at + 1) & mask) {
        uint32_t want = home(table, table->rows[table->slots[at] - 1].id);
        if (((at - want) & mask) >= ((at - hole) & mask)) {
            table->slots[hole] = table->slots[at];
            hole = at;
        }
    }
    table->slots[hole] = 0;
}

void producer_table_remove_oldest(struct producer_table *table) {
    uint32_t row = table->oldest;
    lf_check(row != PRODUCER_TABLE_NONE);
    uint32_t slot = slot_of(table, table->rows[row].id);
    lf_check(table->slots[slot] == row + 1);
    unlink_row(table, row);
    close_gap(table, slot);
    table->rows[row].newer = table->free;
    table->free = row;
    table->count--;
}

bool producer_table_copy(struct producer_table *table, const struct producer_table *source) {
    if (source->row_capacity == 0) {
        producer_table_clear(table);
        return true;
    }
    if (table->row_capacity < source->row_capacity) {
        struct producer_table fresh;
        producer_table_init(&fresh);
        if (!grow(&fresh, source->row_capacity)) {
            producer_table_deinit(&fresh);
            return false;
        }
        producer_table_deinit(table);
        *table = fresh;
    }
    memcpy(table->rows, source->rows, source->row_used * sizeof *table->rows);
    table->row_used = source->row_used;
    table->free = source->free;
    table->count = source->count;
    table->oldest = source->oldest;
    table->newest = source->newest;
    memset(table->slots, 0, table->slot_capacity * sizeof *table->slots);
    for (uint32_t row = table->oldest; row != PRODUCER_TABLE_NONE; row = table->rows[row].newer)
        table->slots[slot_of(table, table->rows[row].id)] = row + 1;
    return true;
}
