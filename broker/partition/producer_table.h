/** All producers of one state: found by id in constant time (open addressing), listed by last use.
 *
 *  Log time never goes back, so the list is ordered by it and what has expired is at its old end. Rows live in one pool
 *  and are named by number, so that a table is copied by copying three arrays.
 */
#ifndef PARTITION_PRODUCER_TABLE_H
#define PARTITION_PRODUCER_TABLE_H

#include "producer.h"

/** Bound whatever the configured one is, in rows. */
#define PRODUCER_TABLE_ROWS_HARD (1u << 20)
#define PRODUCER_TABLE_NONE UINT32_MAX

/** Start with producer_table_init. */
struct producer_table {
    struct producer *rows;
    uint32_t *slots; /**< row number + 1; 0: empty. Twice as many as rows */
    uint32_t row_capacity, slot_capacity;
    uint32_t row_used; /**< rows at and above were never used */
    uint32_t free;     /**< list of rows once used */
    uint32_t count;
    uint32_t oldest, newest;
};

void producer_table_init(struct producer_table *table);
void producer_table_deinit(struct producer_table *table);
/** Empty again; keeps its memory. */
void producer_table_clear(struct producer_table *table);
/** NULL: unknown. Borrowed until the next insert. */
struct producer *producer_table_find(const struct producer_table *table, int64_t id);
/** Makes sure that the next insert has room. False without memory, or at the hard bound. */
bool producer_table_reserve(struct producer_table *table);
/** Adds a producer without history as the newest; it must be unknown, and room reserved. */
struct producer *producer_table_insert(struct producer_table *table, int64_t id);
/** It was used at this log time: it becomes the newest. */
void producer_table_touch(struct producer_table *table, struct producer *producer, uint64_t log_time_ms);
/** By falling last use from the old end: start with `after` NULL; NULL at the end. */
const struct producer *producer_table_next(const struct producer_table *table, const struct producer *after);
void producer_table_remove_oldest(struct producer_table *table);
/** Make `table` equal to `source`. False without memory (table unchanged). */
bool producer_table_copy(struct producer_table *table, const struct producer_table *source);

#endif
