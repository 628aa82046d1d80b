#include "segment_feed.h"
#include "log_row.h"

#include <stdlib.h>
#include <string.h>

/* Those of `count` entries from `at` on; their references are the caller's to deal with, before. */
static size_t bytes_of(const struct segment_feed *feed, size_t at, size_t count) {
    size_t bytes = 0;
    for (size_t i = at; i < at + count; i++)
        bytes += feed->entries[i]->size;
    return bytes;
}

static void close_gap(struct segment_feeds *feeds, struct segment_feed *feed, size_t at, size_t count, size_t bytes) {
    memmove(feed->entries + at, feed->entries + at + count, (feed->count - at - count) * sizeof feed->entries[0]);
    feed->count -= count;
    feed->bytes -= bytes;
    feeds->bytes -= bytes;
}

static void drop(struct segment_feeds *feeds, struct segment_feed *feed, size_t at, size_t count) {
    if (count == 0)
        return;
    size_t bytes = bytes_of(feed, at, count);
    for (size_t i = at; i < at + count; i++)
        lf_buf_unref(&feed->entries[i]);
    close_gap(feeds, feed, at, count, bytes);
}

void segment_feed_clear(struct segment_feeds *feeds, struct segment_feed *feed) {
    drop(feeds, feed, 0, feed->count);
    free(feed->entries);
    *feed = (struct segment_feed){0};
}

/* How many of the entries are before this index. */
static size_t before(const struct segment_feed *feed, uint64_t index) {
    if (index <= feed->first_index)
        return 0;
    return index - feed->first_index < feed->count ? (size_t)(index - feed->first_index) : feed->count;
}

static bool push(struct segment_feeds *feeds, struct segment_feed *feed, struct lf_buf *entry) {
    if (log_array_reserve(&feed->entries, &feed->capacity, feed->count, sizeof feed->entries[0]) != LF_OK)
        return false;
    feed->entries[feed->count++] = lf_buf_ref(entry);
    feed->bytes += entry->size;
    feeds->bytes += entry->size;
    return true;
}

bool segment_feed_write(struct segment_feeds *feeds, struct segment_feed *feed, const struct log_store_write *write) {
    size_t bytes = 0;
    if (write->truncate_from != 0) {
        size_t kept = before(feed, write->truncate_from);
        drop(feeds, feed, kept, feed->count - kept);
    }
    if (write->entry_count == 0)
        return true;
    for (uint32_t i = 0; i < write->entry_count; i++)
        bytes += write->entries[i]->size;
    bool fits =
        feeds->bytes + atomic_load_explicit(&feeds->lent_bytes, memory_order_relaxed) + bytes <= SEGMENT_FEED_BYTES_MAX;
    if (!fits || write->first_index != feed->first_index + feed->count)
        drop(feeds, feed, 0, feed->count);
    if (!fits)
        return false;
    if (feed->count == 0)
        feed->first_index = write->first_index;
    for (uint32_t i = 0; i < write->entry_count; i++)
        if (!push(feeds, feed, write->entries[i])) {
            segment_feed_clear(feeds, feed);
            return false;
        }
    return true;
}

void segment_feed_take(struct segment_feeds *feeds, struct segment_feed *feed, uint64_t from, uint64_t until,
                       struct segment_job *job) {
    size_t old = before(feed, from);
    drop(feeds, feed, 0, old);
    feed->first_index += old;
    size_t count = before(feed, until + 1);
    job->entries = count > 0 ? calloc(count, sizeof job->entries[0]) : NULL;
    if (!job->entries)
        return;
    size_t bytes = bytes_of(feed, 0, count);
    memcpy(job->entries, feed->entries, count * sizeof feed->entries[0]);
    job->entry_count = (uint32_t)count;
    job->entries_from = feed->first_index;
    job->lent_bytes = bytes;
    job->lent = &feeds->lent_bytes;
    atomic_fetch_add_explicit(&feeds->lent_bytes, bytes, memory_order_relaxed);
    close_gap(feeds, feed, 0, count, bytes);
    feed->first_index += count;
}
