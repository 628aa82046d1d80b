/** A log in memory to rewrite: batches of keyed records and commands, cut into segments; and what became of it. */
#ifndef REWRITE_LOG_H
#define REWRITE_LOG_H

#include "log_rewrite.h"

#include "lf_record_batch.h"

#define REWRITE_LOG_GROUP 5

struct rewrite_log {
    struct lf_buf **entries; /**< entries[i] has index first_index + i; NULL: not there */
    size_t count, capacity;
    uint64_t first_index, next_offset, log_time_ms;
    struct log_segment *segments;
    size_t segment_count;
};

void rewrite_log_init(struct rewrite_log *log, uint64_t first_index, uint64_t first_offset);
void rewrite_log_deinit(struct rewrite_log *log);
/** The next entry, around these bytes; `records`: how many offsets it takes. */
void rewrite_log_add(struct rewrite_log *log, uint8_t type, struct lf_bytes payload, uint32_t records);
/** The next entry: a batch of these. Takes the batch, stamps it. */
void rewrite_log_add_batch(struct rewrite_log *log, struct lf_buf **batch);
void rewrite_log_add_records(struct rewrite_log *log, enum lf_codec codec, const struct lf_record *records,
                             int32_t count);
/** A segment ends with the last entry. */
void rewrite_log_seal(struct rewrite_log *log);

/** The request over all of it. */
struct log_store_rewrite rewrite_log_all(const struct rewrite_log *log);
/** Rewrites into an empty *out, in steps of step_bytes; figures may be NULL. On failure *out is empty. */
enum lf_status rewrite_log_run(const struct rewrite_log *log, const struct log_store_rewrite *request,
                               size_t memory_bytes, size_t step_bytes, struct rewrite_log *out,
                               struct log_rewrite_figures *figures, struct lf_error *error);
bool rewrite_log_equal(const struct rewrite_log *a, const struct rewrite_log *b);
/** Offsets of all records of sound batches, as "3 7 8"; "*" in front of one whose value is null. Static storage. */
const char *rewrite_log_text(const struct rewrite_log *log);

#endif
