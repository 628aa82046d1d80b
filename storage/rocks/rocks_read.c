/** A read: its group as it is at this moment, scanned. */
#include "rocks_groups.h"
#include "rocks_reader.h"
#include "rocks_view.h"

/* Each try more means that segments were dropped or replaced under the one before. */
#define TRIES_MAX 16

static enum lf_status read_once(const struct rocks_db *db, const struct log_store_read *read, struct log_held *damaged,
                                struct log_store_completion *completion) {
    struct rocks_view view;
    bool found;
    struct lf_error error = {0};
    completion->status = rocks_view_open(&view, db, read->group, &completion->error);
    if (completion->status == LF_OK) {
        struct log_scan_source source = {.context = &view,
                                         .group = read->group,
                                         .first_index = view.first_index,
                                         .last_index = view.last_index,
                                         .segment = rocks_view_segment,
                                         .next = rocks_view_next,
                                         .hint = rocks_view_hint};
        log_scan_read(&source, read, completion);
    }
    *damaged = (struct log_held){0};
    if (completion->status == LF_DAMAGED && completion->segment.first_index != 0)
        rocks_view_segment(&view, completion->segment.first_index, &found, damaged, &error);
    rocks_view_close(&view);
    return completion->status;
}

/* Is that segment still read from there? */
static bool is_current(const struct rocks_db *db, uint64_t group, const struct log_held *damaged) {
    uint8_t row[ROCKS_SEGMENT_ROW_BYTES];
    bool found;
    struct lf_error error = {0};
    struct rocks_key key = rocks_key_at(group, ROCKS_KIND_SEGMENT, damaged->segment.first_index);
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    enum lf_status status = rocks_db_get(db, options, &key, row, sizeof row, &found, &error);
    rocksdb_readoptions_destroy(options);
    return status != LF_OK || (found && lf_get_le64(row) == damaged->id);
}

/* Files of dropped segments are deleted without regard to snapshots (segment_thread.h): what is not found in a segment
 * that is no more is looked for again, as things stand now. Entries of a sealed segment without a table are in
 * `active`: when they are damaged it is not that segment alone. */
void rocks_read(const struct rocks_db *db, const struct log_store_read *read, struct log_store_completion *completion) {
    struct log_held damaged;
    for (int i = 0; i < TRIES_MAX && read_once(db, read, &damaged, completion) == LF_DAMAGED; i++) {
        if (damaged.id == 0 || is_current(db, read->group, &damaged))
            break;
        completion->segment = (struct log_segment){0};
    }
    if (completion->status == LF_DAMAGED && damaged.id == 0)
        completion->segment = (struct log_segment){0};
}
