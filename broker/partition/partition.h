/** The state machine of one partition: what its log means. Pure and total.
 *
 *  It holds the state twice: *applied* (what committed entries up to `applied_index` made), and *log end* (the same
 *  rules over every entry of the log). Publishes are judged against the log end by the leader; every replica judges
 *  again at apply, and a different verdict is LF_INTERNAL: the group stops there.
 *
 *  Invariants:
 *   P1  applied state is a function of the entries 1 ... applied_index
 *   P2  log-end state = applied state + the kept headers of the entries after it; truncation cuts it back exactly
 *   P3  a batch entry's base offset is the previous end_offset; log time never goes back
 *   P4  the last 5 batches of each producer are known; sequences wrap from 2^31-1 to 0
 *   P5  producers leave by log time only; when the table is full new ones are refused
 */
#ifndef PARTITION_H
#define PARTITION_H

#include "lf_buf.h"
#include "lf_entry.h"
#include "lf_record_batch.h"
#include "log_store.h"

#define PARTITION_PRODUCER_BATCHES 5
/** Entries in the log and not applied: bounded so that a group that cannot apply does not eat the memory. */
#define PARTITION_UNAPPLIED_MAX (1u << 20)

struct partition;

struct partition_limits {
    uint32_t producers_max;         /**< [10000] */
    uint64_t producer_retention_ms; /**< [3600000] of log time */
};

/** Returns (caller destroys) the machine at index 0, or NULL. Zeroes in limits: defaults. */
struct partition *partition_new(const struct partition_limits *limits);
void partition_destroy(struct partition **partition);
/** Rebuild applied state from the store's rows (those this module wrote), then log end = applied.
 *  LF_DAMAGED in words when rows make no sense. */
enum lf_status partition_load(struct partition *partition, uint64_t applied_index, const struct log_store_row *rows,
                              size_t row_count, struct lf_error *error);

/** The leader's verdict on a batch that wants to be appended now. */
struct partition_verdict {
    /** LF_OK: append at base_offset. LF_DUPLICATE with base_offset >= 0: a repeat, first answer in base_offset; or
     *  base_offset -1: accepted before, offset no longer known. LF_SEQUENCE_GAP, LF_PRODUCER_FENCED,
     *  LF_PRODUCER_FORGOTTEN, LF_OVERLOADED (table full), LF_MALFORMED (producer fields contradict). base_offset is -1
     *  whenever there is none to tell. */
    enum lf_status status;
    int64_t base_offset;
    int32_t leader_epoch;    /**< of a repeat: the epoch it was appended under */
    uint64_t rests_on_index; /**< the answer must wait until this index is applied; 0: none */
};
/** log_time_ms: the one the entry would get. Changes nothing. */
struct partition_verdict partition_judge(const struct partition *partition, const struct lf_batch_header *batch,
                                         uint64_t log_time_ms);
/** The verdict on raising a producer's epoch. LF_OK, LF_PRODUCER_FENCED; LF_MALFORMED for a negative id or epoch. An
 *  unknown producer is fine while the table has room, else LF_OVERLOADED. */
struct partition_verdict partition_judge_epoch(const struct partition *partition, int64_t producer_id,
                                               int16_t producer_epoch);

/** An entry joined the log (leader and followers): header plus, for a batch, its 61 bytes; other types: their payload.
 *  index must be log-end index + 1. LF_OK; LF_INTERNAL when P3 or the verdict contradicts (words in error); LF_FULL at
 *  PARTITION_UNAPPLIED_MAX; LF_NO_MEMORY. The machine is unchanged when not LF_OK. The table's limit is for
 *  partition_judge alone: what is in the log is taken, so that replicas with other limits agree. */
enum lf_status partition_append(struct partition *partition, const struct lf_entry_header *header,
                                struct lf_bytes payload, struct lf_error *error);
/** Entries at or above index left the log (index > applied). Beyond the log end: nothing happens. */
void partition_truncate(struct partition *partition, uint64_t index);

/** What applying did, for whoever waits for it. */
struct partition_applied {
    enum lf_status status; /**< LF_OK; for a PRODUCER entry LF_OK or LF_PRODUCER_FENCED */
    int64_t base_offset;   /**< batch: first offset, else -1 */
    int64_t end_offset;
    int32_t last_sequence; /**< PRODUCER entry: last accepted under a lower epoch, -1 none */
    int64_t last_offset;
    int32_t last_epoch;
};
/** Apply the entry after the applied one; it must be in the log end (appended before). Adds the changed rows, and a
 * hint when one is due, to `write` (borrowed; NULL: none wanted). LF_OK; LF_INTERNAL (stops the group); LF_NO_MEMORY
 * (the machine must be loaded again); LF_UNSUPPORTED: unknown type with "must be understood". When not LF_OK `write` is
 * as it was. */
enum lf_status partition_apply(struct partition *partition, const struct lf_entry_header *header,
                               struct lf_bytes payload, struct log_store_write *write,
                               struct partition_applied *applied, struct lf_error *error);

uint64_t partition_applied_index(const struct partition *partition);
uint64_t partition_log_end_index(const struct partition *partition);
int64_t partition_high_watermark(const struct partition *partition); /**< end offset of what is applied */
int64_t partition_log_end_offset(const struct partition *partition);
int64_t partition_log_start_offset(const struct partition *partition);
uint64_t partition_log_time_ms(const struct partition *partition);     /**< at the log end */
int64_t partition_max_timestamp_ms(const struct partition *partition); /**< running maximum, applied; -1: none */
/** The configuration entry in force as of what is applied. False: none yet. payload borrowed until the next apply. */
bool partition_configuration(const struct partition *partition, uint64_t *index, struct lf_bytes *payload);
size_t partition_producer_count(const struct partition *partition); /**< applied */
/** Applied state equal in every respect (for the simulator's comparison of replicas at the same index). */
bool partition_applied_equal(const struct partition *a, const struct partition *b);
/** A checksum of the applied state: equal on all replicas at equal index. */
uint32_t partition_applied_checksum(const struct partition *partition);

#endif
