/** The contract of a log store: all groups of one broker, their entries, hard state and applied state, on one disk.
 *
 *  Asynchronous: submit / read / load hand work over and return at once; completions are polled. Two implementations,
 *  storage/rocks (real) and storage/mem_store (simulation, tests), pass the same suite in tests/unit/storage.
 *
 *  Promises, numbered as the tests name them:
 *   S1  one write is atomic: after a crash all of it is there or none
 *   S2  writes take effect in the order submitted, over all groups; completions of writes come in that order
 *   S3  a write with `sync` that completed with LF_OK survives power loss, and so does every write submitted before it
 *   S4  entries of a group are contiguous: a write that would leave a hole is refused (LF_INVALID), nothing written
 *   S5  applied state is in the same atomic write as its applied index; applied_index <= last index
 *   S6  after a failed write (anything but LF_INVALID) all later writes fail with the same status: never retry an fsync
 *   S7  what is read back is what was written, byte for byte, checked; damage is LF_DAMAGED, never wrong bytes
 *   S8  reads see every write that was completed before the read was handed over
 *
 *  An entry is one lf_buf: 64 bytes of header (protocol/lf_entry.h), then the payload.
 */
#ifndef LOG_STORE_H
#define LOG_STORE_H

#include "lf_buf.h"
#include "lf_histogram.h"
#include "lf_status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_STORE_ID_BYTES 16
/** Hard limits of one write. */
#define LOG_STORE_ROW_KEY_BYTES_MAX 64u
#define LOG_STORE_ROW_VALUE_BYTES_MAX (1024u * 1024)
/** Queue bound: bytes submitted and not yet completed (submit_bytes_max); one larger write goes alone. */
#define LOG_STORE_SUBMIT_BYTES_MAX_DEFAULT (64u * 1024 * 1024)
/** Merging bound: bytes of one synced commit (commit_bytes_max); a larger write goes alone. */
#define LOG_STORE_COMMIT_BYTES_MAX_DEFAULT (1024u * 1024)
/** The partition gives a hint about every so many entries or bytes, whichever comes first. */
#define LOG_STORE_HINT_ENTRIES 64
#define LOG_STORE_HINT_BYTES (1024u * 1024)
/** For time reads (and the hints given) a batch's largest timestamp counts as at most its entry's log time plus this.
 */
#define LOG_STORE_TIME_AHEAD_MS_MAX (3600u * 1000)

/** Who this store belongs to. Written once when created; opening under another node or cluster is LF_WRONG_STORE. */
struct log_store_identity {
    uint8_t store_uuid[LOG_STORE_ID_BYTES]; /**< made at creation */
    uint64_t node_id;
    uint8_t cluster_id[LOG_STORE_ID_BYTES];    /**< zeroes until group 0 gave it (log_store_write.cluster_id) */
    uint8_t founding_hash[LOG_STORE_ID_BYTES]; /**< of cluster.name and the founding list; zeroes when not a founder */
};

/** One row of applied state. value.data == NULL deletes. */
struct log_store_row {
    struct lf_bytes key;
    struct lf_bytes value;
};

/** "Entry `index` is the first with end_offset > offset; the largest batch timestamp before it is max_timestamp_ms." */
struct log_store_hint {
    uint64_t index;
    uint64_t offset;
    int64_t max_timestamp_ms;
};

/** One atomic write of one group. Build with log_store_write_new; everything in it is owned by it. */
struct log_store_write {
    uint64_t group;
    uint64_t token; /**< echoed in the completion */
    bool create;    /**< the group must not exist; carries replica_id */
    bool destroy;   /**< the group and all it holds go; nothing else may be in this write */
    uint64_t replica_id;
    bool has_hard_state;
    uint64_t term;
    uint64_t vote;
    uint64_t truncate_from;  /**< 0: none; else entries at or above go, before the new ones are put. Never <= applied */
    uint64_t first_index;    /**< of entries */
    struct lf_buf **entries; /**< entry_count references, given up by whoever built the write */
    uint32_t entry_count;
    uint64_t applied_index; /**< 0: unchanged */
    struct log_store_row *rows;
    uint32_t row_count;
    struct log_store_hint *hints;
    uint32_t hint_count;
    bool has_cluster_id; /**< pin the store's cluster id (group 0 only); LF_WRONG_STORE if another is pinned */
    uint8_t cluster_id[LOG_STORE_ID_BYTES];
    bool sync;    /**< false: may be lost by power loss until a later synced write (lazy applied state) */
    size_t bytes; /**< all of it; kept by the helpers below */
    /* internal to the stores: */
    struct log_store_write *next;
    struct log_store_completion *completion;
    uint32_t entry_capacity, row_capacity, hint_capacity;
    uint64_t submitted_us;
};

/** Returns (caller destroys, or submits) an empty write, or NULL without memory. */
struct log_store_write *log_store_write_new(uint64_t group, uint64_t token);
void log_store_write_destroy(struct log_store_write **write);
/** Takes one reference to entry. LF_NO_MEMORY (reference dropped). */
enum lf_status log_store_write_add_entry(struct log_store_write *write, uint64_t index, struct lf_buf *entry);
/** Copies key and value. LF_NO_MEMORY, LF_TOO_LARGE. */
enum lf_status log_store_write_add_row(struct log_store_write *write, struct lf_bytes key, struct lf_bytes value);
enum lf_status log_store_write_add_hint(struct log_store_write *write, struct log_store_hint hint);

enum log_store_read_from {
    LOG_STORE_READ_INDEX,  /**< from entry `value` */
    LOG_STORE_READ_OFFSET, /**< from the first entry with end_offset > value: the batch that holds that offset */
    LOG_STORE_READ_TIME,   /**< from the first batch whose max_timestamp_ms (capped as above) >= (int64_t)value */
};

struct log_store_read {
    uint64_t group;
    uint64_t request; /**< echoed */
    enum log_store_read_from from;
    uint64_t value;
    uint64_t last_index; /**< do not go beyond (what is applied, or the log end), inclusive */
    uint32_t bytes_max;  /**< stop before exceeding it, yet give at least one entry */
    uint32_t entries_max;
};

enum log_store_done { LOG_STORE_DONE_WRITE = 1, LOG_STORE_DONE_READ, LOG_STORE_DONE_LOAD };

/** A run of consecutive entries of one term, from first_index on. */
struct log_store_run {
    uint64_t first_index;
    uint64_t term;
};

/** All a group needs to start again. Owned by the completion. */
struct log_store_loaded {
    bool exists;
    uint64_t replica_id;
    uint64_t term;
    uint64_t vote;
    uint64_t first_index; /**< 1; the log is whole (trimming comes with segments) */
    uint64_t last_index;  /**< 0: empty */
    uint64_t applied_index;
    struct log_store_run *runs;
    size_t run_count;
    struct log_store_row *rows; /**< all applied state, ordered by key */
    size_t row_count;
};

struct log_store_completion {
    enum log_store_done kind;
    enum lf_status status;
    struct lf_error error; /**< words when status is not LF_OK */
    uint64_t group;
    uint64_t id;             /**< token or request */
    struct lf_buf **entries; /**< READ: consecutive entries, first_index on; entry_count 0 when none matches */
    uint32_t entry_count;
    uint64_t first_index;
    struct log_store_loaded *loaded;   /**< LOAD */
    struct log_store_completion *next; /* internal */
};
/** Frees rows (a key and its value are one allocation), runs and itself; leaves NULL; NULL inside is fine. */
void log_store_loaded_destroy(struct log_store_loaded **loaded);
void log_store_completion_destroy(struct log_store_completion **completion);

/** Figures since the store was opened. */
struct log_store_stats {
    uint64_t writes, commits, syncs, bytes_written, reads;
    struct lf_histogram sync_us;  /**< synced commits, as the writer measures them: log append and fdatasync */
    struct lf_histogram write_us; /**< writes from submit to their polled completion */
    uint64_t oldest_write_us;     /**< age of the oldest write without a polled completion; 0: none waits */
    uint64_t writes_waiting, writes_waiting_max; /**< submitted, completion not polled. A bound of 0: none */
    uint64_t bytes_waiting, bytes_waiting_max;
    uint64_t reads_waiting, reads_waiting_max;
};

/** What the engine below says of itself. Zeroes where it has no such thing. */
struct log_store_engine_stats {
    uint64_t stall_us; /**< writes held back by the engine, in sum */
    uint64_t background_errors;
    uint64_t delayed_write_bytes_per_s; /**< 0: not delayed */
    bool writes_stopped;
    uint64_t flushes_running, compactions_running;
    uint64_t memtable_bytes, table_bytes, pending_compaction_bytes;
    uint64_t log_syncs, log_sync_us; /**< fdatasync calls of the write-ahead log and their time in sum */
};

struct log_store;

struct log_store_ops {
    enum lf_status (*submit)(struct log_store *store, struct log_store_write **write);
    enum lf_status (*read)(struct log_store *store, const struct log_store_read *read);
    enum lf_status (*load)(struct log_store *store, uint64_t group, uint64_t request);
    struct log_store_completion *(*poll)(struct log_store *store);
    int (*fd)(const struct log_store *store);
    void (*stats)(const struct log_store *store, struct log_store_stats *out);
    void (*engine_stats)(const struct log_store *store, struct log_store_engine_stats *out);
    void (*close)(struct log_store *store);
};

/** Implementations embed this first. */
struct log_store {
    const struct log_store_ops *ops;
    struct log_store_identity identity;
    uint64_t *groups; /**< ids of the groups present at opening, ordered; owned by the store */
    size_t group_count;
};

/** Hand over a write; takes *write (NULL afterwards) on LF_OK. LF_FULL: over submit_bytes_max, keep it and retry after
 * a completion. The one completion has kind WRITE and the token. Loop thread only, like all below. */
static inline enum lf_status log_store_submit(struct log_store *store, struct log_store_write **write) {
    return store->ops->submit(store, write);
}
/** Start a read. Completion READ. LF_FULL when too many are under way (reads_max). */
static inline enum lf_status log_store_read(struct log_store *store, const struct log_store_read *read) {
    return store->ops->read(store, read);
}
/** Read a group's state. Completion LOAD. */
static inline enum lf_status log_store_load(struct log_store *store, uint64_t group, uint64_t request) {
    return store->ops->load(store, group, request);
}
/** Returns (caller destroys) the next completion, or NULL. */
static inline struct log_store_completion *log_store_poll(struct log_store *store) { return store->ops->poll(store); }
/** Readable when completions wait (an eventfd); -1 where time is virtual. */
static inline int log_store_fd(const struct log_store *store) { return store->ops->fd(store); }
/** Cheap: takes no lock and asks no disk. */
static inline void log_store_stats(const struct log_store *store, struct log_store_stats *out) {
    *out = (struct log_store_stats){0};
    store->ops->stats(store, out);
}
/** Any thread, until the store is closed; may wait for the engine's own locks. */
static inline void log_store_engine_stats(const struct log_store *store, struct log_store_engine_stats *out) {
    *out = (struct log_store_engine_stats){0};
    store->ops->engine_stats(store, out);
}
/** Finishes what was submitted, then frees; leaves NULL; NULL inside is fine. */
static inline void log_store_close(struct log_store **store) {
    if (*store)
        (*store)->ops->close(*store);
    *store = NULL;
}

#endif
