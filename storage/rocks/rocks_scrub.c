#include "rocks_scrub.h"

#include "rocks_error.h"
#include "rocks_reader.h"

#include "lf_check.h"
#include "lf_entry.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/** Read at a time. */
#define STEP_BYTES (256u * 1024)
#define STEP_ENTRIES 1024u
/** Before the first round over everything, and between two at least, in ms. */
#define PASS_PAUSE_MS 1000
/** Many small groups cost processor time, which the rate in bytes does not bound: a round is followed by a pause of so
 * many times what it took, but no longer than PASS_PAUSE_MS_MAX. */
#define PASS_PAUSE_TIMES 100
#define PASS_PAUSE_MS_MAX 60000

/* Sleeps. False: it is to end. */
static bool pause_for(struct rocks_scrub *scrub, int ms) {
    if (lf_ring_pop(scrub->wake))
        return false;
    return ms <= 0 || !rocks_ring_wait(scrub->wake, ms) || lf_ring_pop(scrub->wake) == NULL;
}

static bool pace(struct rocks_scrub *scrub, uint64_t bytes) {
    atomic_fetch_add_explicit(&scrub->bytes, bytes, memory_order_relaxed);
    uint64_t pause_ms = bytes * 1000 / scrub->bytes_per_s;
    return pause_for(scrub, pause_ms < INT_MAX ? (int)pause_ms : INT_MAX);
}

static bool known(struct rocks_scrub *scrub, uint64_t group, uint64_t first_index) {
    for (uint32_t i = 0; i < scrub->found_count; i++)
        if (scrub->found[i].group == group && scrub->found[i].first_index == first_index)
            return scrub->found[i].again = true;
    return false;
}

/* What this round did not meet was repaired, or is gone. */
static void forget_repaired(struct rocks_scrub *scrub) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < scrub->found_count; i++)
        if (scrub->found[i].again)
            scrub->found[kept++] = (struct rocks_scrubbed){scrub->found[i].group, scrub->found[i].first_index, false};
    scrub->found_count = kept;
}

/* Once each. segment: all zeroes when it is not in one. */
static void report(struct rocks_scrub *scrub, uint64_t group, const struct log_segment *segment,
                   const struct lf_error *error) {
    if (known(scrub, group, segment->first_index) || scrub->found_count == ROCKS_DAMAGES_MAX ||
        atomic_load_explicit(&scrub->waiting, memory_order_acquire) == ROCKS_DAMAGES_MAX)
        return;
    struct log_store_completion *completion = calloc(1, sizeof *completion);
    if (!completion)
        return; /* the next round finds it again */
    *completion = (struct log_store_completion){
        .kind = LOG_STORE_DONE_DAMAGE, .status = LF_DAMAGED, .error = *error, .group = group, .segment = *segment};
    scrub->found[scrub->found_count++] = (struct rocks_scrubbed){group, segment->first_index, true};
    scrub->lost |= segment->first_index == 0;
    atomic_fetch_add_explicit(&scrub->damages, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&scrub->waiting, 1, memory_order_relaxed);
    bool pushed = lf_ring_push(scrub->completed, completion);
    lf_check(pushed); /* there is room for ROCKS_DAMAGES_MAX */
}

/* One read of a group. *next: where to go on; 0: nothing more. */
static uint64_t read_step(struct rocks_scrub *scrub, uint64_t group, uint64_t *next) {
    uint64_t bytes = 0;
    struct log_store_completion completion = {.kind = LOG_STORE_DONE_READ, .group = group};
    struct log_store_read read = {.group = group,
                                  .from = LOG_STORE_READ_INDEX,
                                  .value = *next,
                                  .last_index = UINT64_MAX,
                                  .bytes_max = STEP_BYTES,
                                  .entries_max = STEP_ENTRIES};
    rocks_read(&scrub->db, &read, &completion);
    *next = 0;
    if (completion.status == LF_DAMAGED) {
        report(scrub, group, &completion.segment, &completion.error);
        *next = completion.segment.first_index != 0 ? completion.segment.last_index + 1 : 0;
    }
    for (uint32_t i = 0; i < completion.entry_count; i++) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        bytes += completion.entries[i]->size;
        if (completion.status == LF_OK &&
            lf_entry_decode(lf_buf_bytes(completion.entries[i]), &header, &payload) == LF_OK)
            *next = header.index + 1;
        lf_buf_unref(&completion.entries[i]);
    }
    free(completion.entries);
    return bytes;
}

/* The first group at or after this id. */
static bool find_group(rocksdb_iterator_t *rows, uint64_t *group) {
    struct rocks_key start = rocks_key_group(*group, (enum rocks_kind)0);
    size_t size = 0;
    uint8_t kind;
    struct lf_bytes rest;
    rocksdb_iter_seek(rows, (const char *)start.bytes, start.size);
    if (!rocksdb_iter_valid(rows))
        return false;
    const char *key = rocksdb_iter_key(rows, &size);
    return rocks_key_parse(lf_bytes(key, size), group, &kind, &rest);
}

static rocksdb_iterator_t *rows_of(struct rocks_scrub *scrub, rocksdb_readoptions_t **options) {
    *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_fill_cache(*options, 0);
    return rocksdb_create_iterator_cf(scrub->db.db, *options, scrub->db.meta);
}

static bool next_group(struct rocks_scrub *scrub, uint64_t *group) {
    rocksdb_readoptions_t *options;
    rocksdb_iterator_t *rows = rows_of(scrub, &options);
    bool found = find_group(rows, group);
    rocksdb_iter_destroy(rows);
    rocksdb_readoptions_destroy(options);
    return found;
}

static bool scrub_groups(struct rocks_scrub *scrub) {
    bool goes_on = true;
    for (uint64_t group = 0; goes_on && !scrub->lost && next_group(scrub, &group); group++)
        for (uint64_t next = 1; goes_on && next != 0 && !scrub->lost;)
            goes_on = pace(scrub, read_step(scrub, group, &next));
    return goes_on;
}

/* All rows, a few at a time, so that no iterator holds on to old files for long. */
static bool scrub_rows(struct rocks_scrub *scrub) {
    uint8_t from[ROCKS_KEY_BYTES_MAX + 1] = {0};
    size_t from_size = 1;
    bool more = true, goes_on = true;
    while (more && goes_on && !scrub->lost) {
        rocksdb_readoptions_t *options;
        rocksdb_iterator_t *rows = rows_of(scrub, &options);
        uint64_t bytes = 0;
        size_t key_size = 0, value_size = 0;
        for (rocksdb_iter_seek(rows, (const char *)from, from_size); rocksdb_iter_valid(rows) && bytes < STEP_BYTES;
             rocksdb_iter_next(rows)) {
            const char *key = rocksdb_iter_key(rows, &key_size);
            rocksdb_iter_value(rows, &value_size);
            bytes += key_size + value_size;
            from_size = key_size < sizeof from - 1 ? key_size : sizeof from - 1;
            memcpy(from, key, from_size);
            from[from_size++] = 0; /* right after it */
        }
        more = rocksdb_iter_valid(rows);
        char *failure = NULL;
        struct lf_error error = {0};
        rocksdb_iter_get_error(rows, &failure);
        if (rocks_error(&failure, &error, "read rows") == LF_DAMAGED)
            report(scrub, 0, &(struct log_segment){0}, &error);
        rocksdb_iter_destroy(rows);
        rocksdb_readoptions_destroy(options);
        goes_on = pace(scrub, bytes);
    }
    return goes_on;
}

static int pause_after(uint64_t round_us) {
    uint64_t pause_ms = round_us * PASS_PAUSE_TIMES / 1000;
    return pause_ms < PASS_PAUSE_MS ? PASS_PAUSE_MS : pause_ms > PASS_PAUSE_MS_MAX ? PASS_PAUSE_MS_MAX : (int)pause_ms;
}

static void *scrub_main(void *argument) {
    struct rocks_scrub *scrub = argument;
    int pause_ms = PASS_PAUSE_MS;
    while (pause_for(scrub, pause_ms)) {
        if (scrub->lost)
            continue; /* nothing of it counts any more */
        uint64_t began_us = rocks_clock_us();
        if (!scrub_groups(scrub) || !scrub_rows(scrub))
            break;
        forget_repaired(scrub);
        pause_ms = pause_after(rocks_clock_us() - began_us);
        atomic_fetch_add_explicit(&scrub->passes, 1, memory_order_relaxed);
    }
    return NULL;
}

enum lf_status rocks_scrub_start(struct rocks_scrub *scrub, const struct rocks_db *db, struct lf_ring *completed,
                                 uint64_t bytes_per_s, struct lf_error *error) {
    scrub->db = *db;
    scrub->db.cold = true;
    scrub->completed = completed;
    scrub->bytes_per_s = bytes_per_s;
    if (bytes_per_s == 0)
        return LF_OK;
    scrub->wake = lf_ring_new(2);
    if (!scrub->wake)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for the scrub");
    int failed = rocks_thread_start(&scrub->thread, scrub_main, scrub);
    if (failed)
        return lf_error_set(error, LF_IO, "start the scrub's thread: %s", strerror(failed));
    scrub->running = true;
    return LF_OK;
}

void rocks_scrub_stop(struct rocks_scrub *scrub) {
    if (scrub->running) {
        bool pushed = lf_ring_push(scrub->wake, scrub);
        lf_check(pushed);
        pthread_join(scrub->thread, NULL);
        scrub->running = false;
    }
    if (scrub->wake)
        while (lf_ring_pop(scrub->wake))
            ;
    lf_ring_destroy(&scrub->wake);
}
