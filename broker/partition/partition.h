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
 *   P6  every applied entry belongs to one sealed segment, or to the open one; segments end at SEGMENT_ROLL entries and
 *       nowhere else, until a REWRITE takes borders away; what a segment is like follows from its entries
 *   P7  the log start only rises, and never beyond the end; whole segments below it go by LOG_START entries alone, and
 *       only those sealed before that entry; nothing from the log start on is missing
 *   P8  what entries decide about segments is carried out in their order: a drop waits behind a rewrite that is under
 *       way, unless nothing would be left of what that is about. The log start itself moves at once
 *   P9  a rewrite comes out equal everywhere: if it is not what its REWRITTEN says, the group stops
 *   P10 end offsets rise by the records of batches, and by 2^32 at OFFSET_JUMP entries, which it remembers
 */
#ifndef PARTITION_H
#define PARTITION_H

#include "lf_buf.h"
#include "lf_entry.h"
#include "lf_record_batch.h"
#include "log_store.h"
#include "partition_compaction.h"
#include "partition_jumps.h"

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
/** Rebuild applied state from the store's rows (those this module wrote) and its segments, then log end = applied.
 *  LF_DAMAGED in words when they make no sense. */
enum lf_status partition_load(struct partition *partition, uint64_t applied_index, const struct log_store_row *rows,
                              size_t row_count, const struct log_segment *segments, size_t segment_count,
                              struct lf_error *error);
/** Add all rows of the applied state to `write`: what partition_load takes. LF_NO_MEMORY (what was added stays). */
enum lf_status partition_save(const struct partition *partition, struct log_store_write *write);

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

/** The verdict on a LOG_START entry with this offset. LF_OK: append; LF_DUPLICATE: the log starts there or later
 * already, at base_offset; LF_INVALID: below 0, or beyond what is committed. */
struct partition_verdict partition_judge_log_start(const struct partition *partition, int64_t offset);

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
/** Apply the entry (header and payload, whole) after the applied one; it must be in the log end (appended before). Adds
 * the changed rows, a hint when one is due, seals and drops to `write` (borrowed; NULL: none wanted), which begins
 * empty and takes several entries. LF_OK; LF_INTERNAL (stops the group); LF_NO_MEMORY (the machine must be loaded
 * again); LF_UNSUPPORTED: unknown type with "must be understood"; LF_FULL: too many decisions about segments wait,
 * apply it when some are carried out. When not LF_OK `write` is as it was. */
enum lf_status partition_apply(struct partition *partition, struct lf_bytes entry, struct log_store_write *write,
                               struct partition_applied *applied, struct lf_error *error);

/* Segments. A LOG_START or REWRITE entry is applied at once, and its effect on the store's segments is in the same
 * write, unless it has to wait (P8): then it is a row until it is carried out by the two calls below. */

/** What the store is to do now, group and request left 0; *index names the REWRITE. False: nothing. */
bool partition_rewrite_due(const struct partition *partition, uint64_t *index, struct log_store_rewrite *rewrite);
/** Which of another replica's segments (oldest first) are what the rewrite that is due comes out as: they stand for its
 *  range, and have the checksum that its REWRITTEN says. Their number, from `*at` on; 0: they are not among them, or
 *  no REWRITTEN is applied yet. */
size_t partition_rewrite_result(const struct partition *partition, const struct log_segment *segments, size_t count,
                                size_t *at);
/** The store made these segments for the rewrite that is due, `index`. Adds the replacement and rows to `write`, which
 *  holds nothing else and comes after all that was applied. LF_OK; LF_CANCELLED: `index` is not due any more, write
 *  `unstage`; LF_INTERNAL in words (stops the group); LF_NO_MEMORY (the machine must be loaded again). */
enum lf_status partition_rewritten(struct partition *partition, uint64_t index, const struct log_segment *segments,
                                   size_t count, struct log_store_write *write, struct lf_error *error);
/** Carry out the drop that waits first, into a `write` of its own. LF_OK; LF_AGAIN: none does; LF_NO_MEMORY (the
 * machine must be loaded again). */
enum lf_status partition_carry_out(struct partition *partition, struct log_store_write *write);

/** A replica that can take no entries since its disk is full never comes to the one that moves the log start. It may
 * hear of a committed log start from others, and drop whole segments below it ahead of that: into a `write` of its own
 * that comes after all that was applied. LF_OK: the log starts there now, for readers here; LF_AGAIN: nothing can go;
 *  LF_NO_MEMORY (the machine must be loaded again). */
enum lf_status partition_drop_ahead(struct partition *partition, int64_t offset, struct log_store_write *write);

/** What is sealed, as the store has it once all writes are done; oldest first. Borrowed until the next apply. */
const struct log_segment *partition_segments(const struct partition *partition, size_t *count);
/** Is this segment one of them, in every respect? */
bool partition_holds(const struct partition *partition, const struct log_segment *segment);
/** What is applied and not sealed; entry_count 0: nothing. */
const struct log_segment *partition_open_segment(const struct partition *partition);
struct partition_bytes {
    uint64_t sealed, sealed_commands; /**< of sealed segments: all, and what is no batch */
    uint64_t open, open_commands;
};
struct partition_bytes partition_bytes(const struct partition *partition);
/** What it remembers of compactions. Borrowed. */
const struct partition_compaction *partition_compaction(const struct partition *partition);
/** Where its offsets jump, as of what is applied. Borrowed. */
const struct partition_jumps *partition_jumps(const struct partition *partition);
/** Of the oldest segment, or of the open one. */
uint64_t partition_first_index(const struct partition *partition);
/** As far as the segments tell: all entries above it are there one by one (log_store.h). It never falls. */
uint64_t partition_previous_index(const struct partition *partition);
/** Entries about segments that are in the log and not applied. A leader proposes the next one when there is none. */
uint32_t partition_structure_unapplied(const struct partition *partition);
/** Decisions that are applied and not carried out here. */
size_t partition_decisions_waiting(const struct partition *partition);
/** Is the REWRITTEN of the last REWRITE, *index, still to come? *checksum: as it came out here; 0: not known. */
bool partition_rewrite_open(const struct partition *partition, uint64_t *index, uint32_t *checksum);

uint64_t partition_applied_index(const struct partition *partition);
uint64_t partition_log_end_index(const struct partition *partition);
int64_t partition_high_watermark(const struct partition *partition); /**< end offset of what is applied */
int64_t partition_log_end_offset(const struct partition *partition);
int64_t partition_log_start_offset(const struct partition *partition); /**< applied, or heard of and dropped by */
uint64_t partition_log_time_ms(const struct partition *partition);     /**< at the log end */
int64_t partition_max_timestamp_ms(const struct partition *partition); /**< running maximum, applied; -1: none */
/** The configuration entry in force as of what is applied. False: none yet. payload borrowed until the next apply. */
bool partition_configuration(const struct partition *partition, uint64_t *index, struct lf_bytes *payload);
size_t partition_producer_count(const struct partition *partition); /**< applied */
/** Applied state equal in every respect (for the simulator's comparison of replicas at the same index). */
bool partition_applied_equal(const struct partition *a, const struct partition *b);
/** A checksum of the applied state: equal on all replicas at equal index. Of segments it covers the open one and all
 * that were ever sealed, not which of them are still here. */
uint32_t partition_applied_checksum(const struct partition *partition);
/** Checks P6 to P8 where they can be told at rest. For simulation. */
void partition_check_invariants(const struct partition *partition);

#endif
