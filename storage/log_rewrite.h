/** Making new segments from old ones (log_store_rewrite): which entries and records survive, and the bytes they become.
 *
 *  A function of the old segments' entries and of the request alone: equal on all replicas, byte for byte, whatever
 *  memory was given and however it was cut into steps. Shared by the stores; pure but for the functions it reads and
 *  writes with.
 *
 *  Rules:
 *   W1  the last record of each key in the range stays, at its own offset, in its own batch; records without a key stay
 *   W2  a batch of which all records stay is not touched; of which none stays is gone; else lf_batch_thin makes it anew
 *   W3  a null value that is last of its key goes when its entry's log time is below tombstones_before_ms, unless a
 *       batch before it in the range stayed whole by W4: that one may hold an older value of the key
 *   W4  a batch that cannot be read to its end within LOG_REWRITE_*_MAX stays whole, and nothing is superseded by it;
 *       so does one that would become larger than an entry may be
 *   W5  entries that are no batches go when drop_commands says so
 *   W6  a new segment ends with the old segment in which it reaches segment_bytes, or with the range; it may be empty
 *   W7  an old segment that does not hold what its descriptor says is LF_DAMAGED, before a new one made of it is given
 *       out
 *
 *  How, in memory that does not grow with the number of keys:
 *   1  from where the last window ended, note the newest offset of each key, until the map is full: a window
 *   2  read what comes after the window, and raise the offsets of the window's keys
 *   3  write the window: a record whose offset is its key's newest stays. Then the next window
 *  When all keys of the range fit, it is one window, and step 2 has nothing to read.
 */
#ifndef LOG_REWRITE_H
#define LOG_REWRITE_H

#include "log_store.h"

/** What of a batch is read, at most. Part of the rules: the same on every replica, configured nowhere. */
#define LOG_REWRITE_RECORDS_MAX 1000000
#define LOG_REWRITE_HEADERS_MAX 100000
#define LOG_REWRITE_UNCOMPRESSED_BYTES_MAX (64u * 1024 * 1024)
/** compaction_memory_bytes: of the map of keys. Beside it there are one batch, its decompressed records and their
 *  survivors; a single batch whose keys do not fit makes the map larger for that time. */
#define LOG_REWRITE_MEMORY_BYTES_DEFAULT (64u * 1024 * 1024)

/** Where entries come from and go to: the edge to memory or a disk. */
struct log_rewrite_io {
    void *context;
    /** The first entry at or above index; the view is valid until the next call. LF_END: none up to last_index. Mostly
     *  asked for one after the other. */
    enum lf_status (*read)(void *context, uint64_t index, uint64_t last_index, struct lf_bytes *entry,
                           struct lf_error *error);
    /** The next entry of the new segment. Borrowed for the call. */
    enum lf_status (*put)(void *context, uint64_t index, struct lf_bytes entry, struct lf_error *error);
    /** The new segment is whole: `segment` describes what was put since the one before. Borrowed for the call. */
    enum lf_status (*segment)(void *context, const struct log_segment *segment, struct lf_error *error);
};

/** What was done so far. */
struct log_rewrite_figures {
    uint64_t entries_read, bytes_read; /**< over all passes */
    uint64_t records, records_kept;    /**< of batches that were read to their end, in the pass that writes */
    uint64_t batches_whole;            /**< stayed by W4 */
    uint32_t windows;
    size_t memory_bytes_max; /**< of the map */
};

struct log_rewrite;

/** Returns (caller destroys) in *rewrite. segments: the old ones, touching, from request->first_index to
 *  request->last_index; copied. memory_bytes 0: the default. LF_INVALID: they are not that; LF_NO_MEMORY. */
enum lf_status log_rewrite_new(const struct log_store_rewrite *request, const struct log_segment *segments,
                               size_t segment_count, size_t memory_bytes, const struct log_rewrite_io *io,
                               struct log_rewrite **rewrite, struct lf_error *error);
void log_rewrite_destroy(struct log_rewrite **rewrite);
/** Go on until `bytes` more were read, one entry at least. LF_AGAIN: there is more to do; LF_OK: all is done; else it
 *  failed for good (LF_DAMAGED, LF_NO_MEMORY, what io said), in words. */
enum lf_status log_rewrite_step(struct log_rewrite *rewrite, size_t bytes, struct lf_error *error);
/** After LF_DAMAGED: the old segment that is. Borrowed. */
const struct log_segment *log_rewrite_damaged(const struct log_rewrite *rewrite);
void log_rewrite_figures(const struct log_rewrite *rewrite, struct log_rewrite_figures *out);

#endif
