/** What a group's open segment is streamed from (segment_thread.h): its entries, kept in memory from when they are
 *  written until the segment thread takes them. Without it every step looks for them in every table of `active`, dead
 *  ones too, and the thread falls behind a log that grows at full speed.
 *
 *  It may lack anything: what is not kept is read from `active`. A feed is one stretch of indexes; over the bound,
 *  feeds are emptied. Of the writer thread; what a job borrowed counts until the job is destroyed, on any thread. */
#ifndef SEGMENT_FEED_H
#define SEGMENT_FEED_H

#include "segment_job.h"

#include <stdatomic.h>

/** Bytes of entries kept in all feeds of a store and in the jobs that took them. */
#define SEGMENT_FEED_BYTES_MAX (16u << 20)

struct segment_feed {
    struct lf_buf **entries; /**< owned references, of the indexes from first_index on */
    size_t count, capacity;
    uint64_t first_index;
    size_t bytes;
};

struct segment_feeds {
    size_t bytes;             /**< in all feeds */
    atomic_size_t lent_bytes; /**< in jobs */
};

void segment_feed_clear(struct segment_feeds *feeds, struct segment_feed *feed);
/** The write was carried out: its truncation and its entries. False: they are not kept, since that would be too much in
 *  all; more fit in when other feeds are emptied. */
bool segment_feed_write(struct segment_feeds *feeds, struct segment_feed *feed, const struct log_store_write *write);
/** The entries from `from` to `until` as far as they are there, into a job that has none; what is before goes. */
void segment_feed_take(struct segment_feeds *feeds, struct segment_feed *feed, uint64_t from, uint64_t until,
                       struct segment_job *job);

#endif
