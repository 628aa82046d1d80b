/** The rows of segments that a write changes. */
#include "rocks_segments.h"

struct rows {
    rocksdb_writebatch_t *batch;
    const struct rocks_db *db;
    const struct log_group *group;
};

static void delete_row(const struct rows *rows, enum rocks_kind kind, uint64_t at) {
    struct rocks_key key = rocks_key_at(rows->group->id, kind, at);
    rocksdb_writebatch_delete_cf(rows->batch, rows->db->meta, (const char *)key.bytes, key.size);
}

static void delete_range(const struct rows *rows, rocksdb_column_family_handle_t *family, const struct rocks_key *from,
                         const struct rocks_key *end) {
    rocksdb_writebatch_delete_range_cf(rows->batch, family, (const char *)from->bytes, from->size,
                                       (const char *)end->bytes, end->size);
}

static void delete_kind(const struct rows *rows, enum rocks_kind kind, uint64_t below) {
    struct rocks_key from = rocks_key_at(rows->group->id, kind, 0), end = rocks_key_at(rows->group->id, kind, below);
    if (below == UINT64_MAX)
        end = rocks_key_group(rows->group->id, (enum rocks_kind)(kind + 1));
    delete_range(rows, rows->db->meta, &from, &end);
}

static bool is_held_at(const struct log_group *group, uint64_t first_index, size_t *at) {
    *at = log_group_segment_at(group, first_index);
    return *at < group->segment_count && group->segments[*at].segment.first_index == first_index;
}

/* One that is gone was held or staged; with id 0 its entries are in `active`. */
static void delete_gone(const struct rows *rows, const struct log_held *gone) {
    size_t at;
    if (!is_held_at(rows->group, gone->segment.first_index, &at))
        delete_row(rows, ROCKS_KIND_SEGMENT, gone->segment.first_index);
    if (gone->id != 0) {
        delete_row(rows, ROCKS_KIND_STAGED, gone->id);
        return;
    }
    struct rocks_key from = rocks_key_entry(rows->group->slot, gone->segment.first_index);
    struct rocks_key end = rocks_key_entry(rows->group->slot, gone->segment.last_index + 1);
    delete_range(rows, rows->db->active, &from, &end);
}

/* The rows of these segments as the group holds them now; they are staged no more. */
static void put_held(const struct rows *rows, const struct log_segment *segments, uint32_t count) {
    const struct log_group *group = rows->group;
    for (uint32_t i = 0; i < count; i++) {
        size_t at;
        if (!is_held_at(group, segments[i].first_index, &at))
            continue; /* dropped by the same write */
        uint8_t value[ROCKS_SEGMENT_ROW_BYTES];
        struct rocks_key key = rocks_key_at(group->id, ROCKS_KIND_SEGMENT, segments[i].first_index);
        rocks_segment_row_encode(&group->segments[at], value);
        rocksdb_writebatch_put_cf(rows->batch, rows->db->meta, (const char *)key.bytes, key.size, (const char *)value,
                                  sizeof value);
        if (group->segments[at].id != 0)
            delete_row(rows, ROCKS_KIND_STAGED, group->segments[at].id);
    }
}

static void put_previous(const struct rows *rows) {
    uint8_t value[16];
    struct rocks_key key = rocks_key_group(rows->group->id, ROCKS_KIND_PREVIOUS);
    lf_put_le64(value, rows->group->previous_index);
    lf_put_le64(value + 8, rows->group->previous_term);
    rocksdb_writebatch_put_cf(rows->batch, rows->db->meta, (const char *)key.bytes, key.size, (const char *)value,
                              sizeof value);
}

/* Nothing is left of the entries that were in no segment, of rows of applied state, and of hints. A segment that is
 * kept may have its entries in `active` still. */
static void clear_for_install(const struct rows *rows, const struct log_group_change *change) {
    struct rocks_key from = rocks_key_entry(rows->group->slot, change->truncate_from);
    struct rocks_key end = rocks_key_entry(rows->group->slot + 1, 0);
    if (change->truncate_from != 0)
        delete_range(rows, rows->db->active, &from, &end);
    from = rocks_key_group(rows->group->id, ROCKS_KIND_ROW);
    end = rocks_key_group(rows->group->id, (enum rocks_kind)(ROCKS_KIND_ROW + 1));
    delete_range(rows, rows->db->meta, &from, &end);
    delete_kind(rows, ROCKS_KIND_HINT, UINT64_MAX);
}

void rocks_segment_rows_put(rocksdb_writebatch_t *batch, const struct rocks_db *db, const struct log_group *group,
                            const struct log_store_write *write, const struct log_group_change *change) {
    struct rows rows = {.batch = batch, .db = db, .group = group};
    if (write->install)
        clear_for_install(&rows, change);
    else if (write->drop_before != 0)
        delete_kind(&rows, ROCKS_KIND_HINT, log_group_first_index(group));
    for (size_t i = 0; i < change->gone_count; i++)
        delete_gone(&rows, &change->gone[i]);
    put_held(&rows, write->seals, write->seal_count);
    put_held(&rows, write->replacements, write->replacement_count);
    put_held(&rows, write->install_segments, write->install_count);
    if (!change->previous_moved)
        return;
    delete_kind(&rows, ROCKS_KIND_RUN, UINT64_MAX);
    put_previous(&rows);
}
