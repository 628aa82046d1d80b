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
 *   S9  sealed segments touch, oldest first, and lie below the active part; what they hold is what was sealed, staged
 * or rewritten, by checksum, or LF_DAMAGED S10 an install, or a replacement of segments, is in one atomic write: before
 * it the old log, after it the new one
 *
 *  A group's log, oldest first:
 *
 *      (dropped)  | segment | segment | ... | segment |  active entries ...  |
 *                 first_index                          previous? .. last_index
 *
 *  Entries above `previous_index` are all there, one by one, in segments or active. At or below it only segments are
 *  left: those with every entry of their range, and rewritten ones, which lack some. Dropping takes whole segments from
 *  the front. How a store keeps segments is its own matter: sealing, dropping and replacing are decisions of the log
 *  that arrive in writes, and what they cost on the disk happens behind them, in its own time.
 *
 *  Parts of one write take effect in this order: hard state, truncation, entries, applied index and rows; seals;
 *  replacements; drop_before; unstage. A write that breaks a rule named here is LF_INVALID, and nothing of it is done
 *  (log_group.h judges).
 *
 *  An entry is one lf_buf: 64 bytes of header (protocol/lf_entry.h), then the payload.
 */
#ifndef LOG_STORE_H
#define LOG_STORE_H

#include "lf_buf.h"
#include "lf_histogram.h"
#include "lf_status.h"
#include "log_segment.h"

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
/** Staging bound: bytes of pieces handed over and not yet completed (stage_bytes_max); one larger piece goes alone. */
#define LOG_STORE_STAGE_BYTES_MAX_DEFAULT (8u * 1024 * 1024)
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
    /** Segments that end here, oldest first: the first begins after the last sealed entry (or previous_index), each
     *  where the one before ended, in offsets too; all applied (by this write at the latest) and whole. The store keeps
     *  the descriptors. */
    struct log_segment *seals;
    uint32_t seal_count;
    /** Segments whose last_index is below this go; 0: none. It is the first_index of a segment, or the index after the
     *  last one, as seals and replacements leave them; at or below the group's first index nothing happens. Raises the
     *  group's first_index, and previous_index if that is below. */
    uint64_t drop_before;
    /** These take the place of all segments from the first one's first_index to the last one's last_index, which are
     *  borders of segments now; the offsets at both ends, and the last term, stay. Each is staged, or held within that
     *  range, with an equal descriptor; where it is both, the staged copy is taken: so a damaged segment is repaired
     *  (S10). When a new one lacks entries, previous_index rises to its last_index. What else is staged within the
     * range goes. */
    struct log_segment *replacements;
    uint32_t replacement_count;
    /** The whole group becomes: `install_segments` (each staged, or held, with an equal descriptor; they end at
     *  install_index, in install_term; may be none), after install_index, which is previous_index from then on, the
     *  entries of this write, from install_index + 1 on (may be none), the rows of this write and no others, and
     *  applied_index, which is where it ends now. Hints of before go. Hard state as given; no truncation, seals, drop
     * or replacements beside it; `create` may be (S10). Only forward: it ends above applied_index; and never over
     * entries that follow its own last one, of the same term, since those may be acknowledged: such a log has no need
     * of it. */
    bool install;
    uint64_t install_index, install_term;
    struct log_segment *install_segments;
    uint32_t install_count;
    bool unstage; /**< what is staged for the group goes, also what was begun (an install does it too) */
    bool sync;    /**< false: may be lost by power loss until a later synced write (lazy applied state) */
    size_t bytes; /**< all of it; kept by the helpers below */
    /* internal to the stores: */
    struct log_store_write *next;
    struct log_store_completion *completion;
    bool stages; /**< of the store's own making: `entries` are what is in `replacements`, which become staged */
    uint32_t entry_capacity, row_capacity, hint_capacity, seal_capacity;
    uint64_t submitted_us;
};

/** Returns (caller destroys, or submits) an empty write, or NULL without memory. */
struct log_store_write *log_store_write_new(uint64_t group, uint64_t token);
void log_store_write_destroy(struct log_store_write **write);
/** Takes one reference to entry. LF_NO_MEMORY (reference dropped). */
enum lf_status log_store_write_add_entry(struct log_store_write *write, uint64_t index, struct lf_buf *entry);
/** The same without regard to indexes, for the contents of segments (`stages`). */
enum lf_status log_store_write_push_entry(struct log_store_write *write, struct lf_buf *entry);
/** Copies key and value. LF_NO_MEMORY, LF_TOO_LARGE. */
enum lf_status log_store_write_add_row(struct log_store_write *write, struct lf_bytes key, struct lf_bytes value);
enum lf_status log_store_write_add_hint(struct log_store_write *write, struct log_store_hint hint);
enum lf_status log_store_write_add_seal(struct log_store_write *write, const struct log_segment *segment);
/** Copy the segments; at most once each. LF_NO_MEMORY. */
enum lf_status log_store_write_set_replacements(struct log_store_write *write, const struct log_segment *segments,
                                                uint32_t count);
enum lf_status log_store_write_set_install(struct log_store_write *write, uint64_t index, uint64_t term,
                                           const struct log_segment *segments, uint32_t count);

enum log_store_read_from {
    LOG_STORE_READ_INDEX,  /**< from entry `value`, or the next one that is there */
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

/** A piece of a segment that comes from elsewhere. Pieces come in order, the first one begins the segment anew, in
 * place of one that was begun: a store holds one begun segment per group, and forgets it when it is closed. A later
 * piece of another segment than the one begun is LF_INVALID and changes nothing. Only with the last piece, once the
 * descriptor was found true, is the segment staged, durably; else, or when a piece does not belong in it, LF_DAMAGED:
 * what was begun is gone. True is: entries are whole, of this group, in order and in the range, and give what of the
 * descriptor follows from them: counts, bytes and checksum, and all of it when the segment is whole. Staged segments
 * are told apart by their whole descriptors, and may overlap; one staged again takes the place of its equal. They
 * survive restarts (log_store_loaded.staged) until a write takes or drops them. */
struct log_store_stage {
    uint64_t group; /**< exists, else LF_NOT_FOUND */
    uint64_t request;
    const struct log_segment *segment; /**< borrowed for the call */
    bool first, last;
    struct lf_buf **entries; /**< borrowed for the call; the store takes references of its own */
    uint32_t entry_count;
};

/** Make new segments from old ones, leaving out entries and records; staged like others when done. The work is done in
 * the background, in bounded memory, beside everything else; the same request over equal segments gives equal segments
 * (storage/log_rewrite.h has the rules).
 */
struct log_store_rewrite {
    uint64_t group, request;
    uint64_t first_index, last_index; /**< borders of segments */
    uint64_t segment_bytes;           /**< a new segment ends with the old segment in which it reaches this */
    bool drop_commands;               /**< entries that are no batches go */
    bool compact;                     /**< of each key only the last record in the range stays; keyless ones all stay */
    uint64_t tombstones_before_ms; /**< and null values go, if last of their key and their entry's log time is below */
};

enum log_store_done {
    LOG_STORE_DONE_WRITE = 1,
    LOG_STORE_DONE_READ,
    LOG_STORE_DONE_LOAD,
    LOG_STORE_DONE_STAGE,
    LOG_STORE_DONE_REWRITE,
    LOG_STORE_DONE_DAMAGE, /**< nobody asked: the store found `segment` of `group` damaged (once per segment, and again
                              when it was whole between) */
};

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
    uint64_t first_index;    /**< where the log begins: of the oldest segment, else previous_index + 1 */
    uint64_t previous_index; /**< every entry above it is there; 0: the log is whole */
    uint64_t previous_term;
    uint64_t last_index; /**< previous_index when nothing is above it */
    uint64_t applied_index;
    struct log_store_run *runs; /**< of what is above previous_index; the first begins right after it */
    size_t run_count;
    struct log_store_row *rows; /**< all applied state, ordered by key */
    size_t row_count;
    struct log_segment *segments; /**< oldest first */
    size_t segment_count;
    struct log_segment *staged; /**< ordered by first_index, then last_index */
    size_t staged_count;
};

struct log_store_completion {
    enum log_store_done kind;
    enum lf_status status;
    struct lf_error error; /**< words when status is not LF_OK */
    uint64_t group;
    uint64_t id; /**< token or request */
    /** READ: entries with rising indexes, consecutive above previous_index and in whole segments; entry_count 0 when
     * none matches. A read that begins below the log's first_index begins there. */
    struct lf_buf **entries;
    uint32_t entry_count;
    uint64_t first_index;            /**< READ: of entries[0] */
    struct log_store_loaded *loaded; /**< LOAD */
    struct log_segment *segments;    /**< REWRITE: what was staged, oldest first */
    uint32_t segment_count;
    uint64_t records, records_kept; /**< REWRITE, LF_OK: of the batches that were looked into */
    /** READ, LF_DAMAGED; DAMAGE: the segment that is damaged, if it is one: the rest of the store is sound, and a
     *  replacement repairs it. first_index 0: not in a segment; the store is lost as a whole. */
    struct log_segment segment;
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
    uint64_t log_syncs, log_sync_us;              /**< fdatasync calls of the write-ahead log and their time in sum */
    uint64_t segment_tables, segment_bytes;       /**< sealed segments that have their table, and staged ones */
    uint64_t segments_waiting, segments_building; /**< sealed and without a table; of these, being made */
    uint64_t segments_streamed;                   /**< open segments that are written beside the log */
    uint64_t segments_made;                       /**< since the store was opened */
    uint64_t segment_entries_fed, segment_entries_read;   /**< into their tables: from memory, out of other tables */
    uint64_t segment_drops_waiting;                       /**< tables that no log needs any more, not deleted yet */
    uint64_t scrubbed_bytes, scrub_passes, scrub_damages; /**< read to find damage; times all was read; found */
};

struct log_store;

struct log_store_ops {
    enum lf_status (*submit)(struct log_store *store, struct log_store_write **write);
    enum lf_status (*read)(struct log_store *store, const struct log_store_read *read);
    enum lf_status (*load)(struct log_store *store, uint64_t group, uint64_t request);
    enum lf_status (*stage)(struct log_store *store, const struct log_store_stage *stage);
    enum lf_status (*rewrite)(struct log_store *store, const struct log_store_rewrite *rewrite);
    void (*tidy)(struct log_store *store); /**< NULL: nothing to do */
    /** NULL: it cannot. */
    enum lf_status (*checkpoint)(struct log_store *store, const char *directory, struct lf_error *error);
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
/** Hand over a piece of a segment. Completion STAGE, in the order handed over. LF_FULL: too much is under way
 * (stage_bytes_max); LF_NO_MEMORY. */
static inline enum lf_status log_store_stage(struct log_store *store, const struct log_store_stage *stage) {
    return store->ops->stage(store, stage);
}
/** Begin a rewrite, one per group at a time, of what the writes submitted before it leave. Completion REWRITE: LF_OK;
 * LF_INVALID (borders, one is under way); LF_DAMAGED; LF_NO_SPACE; LF_CANCELLED (the group changed under it, or was
 * destroyed). LF_FULL: rewrites_max wait. */
static inline enum lf_status log_store_rewrite(struct log_store *store, const struct log_store_rewrite *rewrite) {
    return store->ops->rewrite(store, rewrite);
}
/** Room is short: what is held only for speed is given back, in the background, as far as it can be. */
static inline void log_store_tidy(struct log_store *store) {
    if (store->ops->tidy)
        store->ops->tidy(store);
}
/** Makes `directory` (it is not there; its parent is, on the store's filesystem) a whole store: this one as it is at
 * some moment after the call, with every write that was completed before it, durably. Nothing of it changes later:
 * tables are shared by hard links, which keep the room of what the store drops. Waits; not the loop's thread, until the
 * store is closed. Writes and reads go on. LF_UNSUPPORTED; LF_FULL: one is being made; LF_NO_SPACE, LF_IO, in words;
 * what was begun of the directory is then left for the caller to remove. */
static inline enum lf_status log_store_checkpoint(struct log_store *store, const char *directory,
                                                  struct lf_error *error) {
    if (!store->ops->checkpoint)
        return lf_error_set(error, LF_UNSUPPORTED, "this store cannot be copied");
    return store->ops->checkpoint(store, directory, error);
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
