#ifndef PARTITION_INTERNAL_H
#define PARTITION_INTERNAL_H

#include "partition_compaction.h"
#include "partition_jumps.h"
#include "partition_rows.h"
#include "partition_segments.h"
#include "partition_state.h"

#define PARTITION_PRODUCERS_MAX_DEFAULT 10000
#define PARTITION_PRODUCER_RETENTION_MS_DEFAULT 3600000
/** A batch's timestamp counts for time lookups up to this far beyond its log time. */
#define PARTITION_TIMESTAMP_AHEAD_MS_MAX 3600000

struct partition {
    struct partition_limits limits;
    struct partition_state applied;
    struct partition_state log_end;
    bool broken; /**< memory ran out in the middle of an apply */

    /* Applied state besides the producers, and what is in `applied`. */
    int64_t max_timestamp_ms;
    uint32_t hint_entries;
    uint64_t hint_bytes;
    uint64_t configuration_index; /**< 0: none */
    uint8_t *configuration;       /**< the row's value: its fixed part, then the payload */
    size_t configuration_bytes;   /**< of the payload */

    struct partition_segments segments;
    struct partition_compaction compaction;
    struct partition_jumps jumps;

    /* Entries applied.index + 1 ... log_end.index, in a circle. */
    struct partition_entry *kept;
    uint32_t kept_capacity; /**< 0 or a power of two */
    uint32_t kept_first;
    uint32_t kept_count;
    uint32_t kept_structure; /**< those among them that are about segments */
};

/** Room for one more kept entry. LF_OK, LF_FULL, LF_NO_MEMORY. */
enum lf_status partition_kept_reserve(struct partition *partition, struct lf_error *error);
static inline struct partition_entry *partition_kept_at(const struct partition *partition, uint32_t position) {
    return &partition->kept[(partition->kept_first + position) & (partition->kept_capacity - 1)];
}
static inline bool partition_is_structure(uint8_t type) {
    return type >= LF_ENTRY_SEGMENT_ROLL && type <= LF_ENTRY_REWRITTEN;
}
struct partition_meta partition_meta(const struct partition *partition);
/** Rows of the applied state at the head of a write: first room for them (LF_NO_MEMORY), then, last, their values. */
enum lf_status partition_reserve_head(struct log_store_write *write);
void partition_write_head(const struct partition *partition, struct log_store_write *write);
/** Row "k", if there is anything to remember. LF_NO_MEMORY. */
enum lf_status partition_add_compaction_row(const struct partition *partition, struct log_store_write *write);
/** Row "j", likewise. */
enum lf_status partition_add_jumps_row(const struct partition *partition, struct log_store_write *write);
/** Copies the payload as the configuration in force from index on. LF_OK, LF_NO_MEMORY. */
enum lf_status partition_set_configuration(struct partition *partition, uint64_t index, struct lf_bytes payload);

#endif
