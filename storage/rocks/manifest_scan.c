#include "manifest_scan.h"
#include "log_row.h"

#include <stdlib.h>

/* Edits are written and synced one group after another; a group is far smaller than this. A readable edit further
 * behind an unreadable one was begun after that one had been synced. */
#define TORN_GROUP_BYTES (16u * 1024)

enum tag {
    TAG_COMPARATOR = 1,
    TAG_LOG_NUMBER = 2,
    TAG_NEXT_FILE = 3,
    TAG_LAST_SEQUENCE = 4,
    TAG_COMPACT_CURSOR = 5,
    TAG_DELETED_FILE = 6,
    TAG_NEW_FILE = 7,
    TAG_PREVIOUS_LOG = 9,
    TAG_LOG_KEEP_MIN = 10,
    TAG_NEW_FILE_2 = 100,
    TAG_NEW_FILE_3 = 102,
    TAG_NEW_FILE_4 = 103,
    TAG_FAMILY = 200,
    TAG_FAMILY_ADD = 201,
    TAG_FAMILY_DROP = 202,
    TAG_FAMILY_MAX = 203,
    TAG_ATOMIC_GROUP = 300,
    TAG_MAY_IGNORE = 1 << 13, /* such fields carry their length */
};
#define NEW_FILE_4_END 1u

/* A cursor over one edit; ok turns false at the first thing that does not fit, and stays. */
struct cursor {
    const uint8_t *at, *end;
    bool ok;
};

static uint64_t get_varint(struct cursor *cursor) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && cursor->at < cursor->end; shift += 7) {
        uint8_t byte = *cursor->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    cursor->ok = false;
    return 0;
}

static void skip_bytes(struct cursor *cursor) {
    uint64_t length = get_varint(cursor);
    if (!cursor->ok || length > (uint64_t)(cursor->end - cursor->at)) {
        cursor->ok = false;
        return;
    }
    cursor->at += length;
}

static void skip_varints(struct cursor *cursor, int count) {
    while (cursor->ok && count-- > 0)
        get_varint(cursor);
}

/* All that is said of tables is kept until the end, since there may be very many of them. */
static bool note_table(struct manifest_scan *scan, uint64_t number, uint64_t bytes, bool deleted) {
    if (log_array_reserve(&scan->tables, &scan->table_capacity, scan->table_count, sizeof scan->tables[0]) != LF_OK) {
        scan->verdict = MANIFEST_NO_MEMORY;
        return false;
    }
    scan->tables[scan->table_count] = (struct manifest_table){
        .number = number, .bytes = bytes, .order = scan->table_count, .offset = scan->edit_offset, .deleted = deleted};
    scan->table_count++;
    return true;
}

static int compare_tables(const void *a, const void *b) {
    const struct manifest_table *left = a, *right = b;
    if (left->number != right->number)
        return left->number < right->number ? -1 : 1;
    return left->order < right->order ? -1 : left->order > right->order;
}

/* One that changes its level is deleted and added by the same edit, in this order. */
static void settle_tables(struct manifest_scan *scan) {
    size_t kept = 0;
    if (scan->table_count > 0)
        qsort(scan->tables, scan->table_count, sizeof scan->tables[0], compare_tables);
    for (size_t i = 0; i < scan->table_count; i++) {
        bool last = i + 1 == scan->table_count || scan->tables[i + 1].number != scan->tables[i].number;
        if (last && !scan->tables[i].deleted)
            scan->tables[kept++] = scan->tables[i];
    }
    scan->table_count = kept;
}

static bool take_new_file(struct manifest_scan *scan, struct cursor *cursor, uint64_t tag) {
    skip_varints(cursor, 1); /* level */
    uint64_t number = get_varint(cursor);
    skip_varints(cursor, tag == TAG_NEW_FILE_3 ? 1 : 0); /* path */
    uint64_t bytes = get_varint(cursor);
    skip_bytes(cursor); /* smallest key */
    skip_bytes(cursor); /* largest key */
    if (tag != TAG_NEW_FILE)
        skip_varints(cursor, 2); /* smallest and largest sequence */
    while (tag == TAG_NEW_FILE_4 && cursor->ok && get_varint(cursor) != NEW_FILE_4_END)
        skip_bytes(cursor);
    return cursor->ok && note_table(scan, number, bytes, false);
}

struct edit {
    uint32_t family;
    bool add, drop, has_log_number, has_log_keep_min;
    uint64_t log_number, log_keep_min, last_sequence, family_max;
};

static bool take_field(struct manifest_scan *scan, struct cursor *cursor, uint64_t tag, struct edit *edit) {
    switch (tag) {
    case TAG_LOG_NUMBER:
        edit->log_number = get_varint(cursor);
        edit->has_log_number = true;
        return true;
    case TAG_LOG_KEEP_MIN:
        edit->log_keep_min = get_varint(cursor);
        edit->has_log_keep_min = true;
        return true;
    case TAG_FAMILY:
        edit->family = (uint32_t)get_varint(cursor);
        return true;
    case TAG_FAMILY_ADD:
        edit->add = true;
        skip_bytes(cursor);
        return true;
    case TAG_FAMILY_DROP:
        edit->drop = true;
        return true;
    case TAG_LAST_SEQUENCE:
        edit->last_sequence = get_varint(cursor);
        return true;
    case TAG_FAMILY_MAX:
        edit->family_max = get_varint(cursor);
        return true;
    case TAG_NEXT_FILE:
    case TAG_PREVIOUS_LOG:
    case TAG_ATOMIC_GROUP:
        skip_varints(cursor, 1);
        return true;
    case TAG_DELETED_FILE:
        skip_varints(cursor, 1); /* level */
        return note_table(scan, get_varint(cursor), 0, true);
    case TAG_COMPARATOR:
        skip_bytes(cursor);
        return true;
    case TAG_COMPACT_CURSOR:
        skip_varints(cursor, 1);
        skip_bytes(cursor);
        return true;
    case TAG_NEW_FILE:
    case TAG_NEW_FILE_2:
    case TAG_NEW_FILE_3:
    case TAG_NEW_FILE_4:
        return take_new_file(scan, cursor, tag);
    default:
        if (tag & TAG_MAY_IGNORE)
            skip_bytes(cursor);
        return (tag & TAG_MAY_IGNORE) != 0;
    }
}

static size_t find_family(const struct manifest_scan *scan, uint32_t id) {
    size_t at = 0;
    while (at < scan->family_count && scan->families[at].id != id)
        at++;
    return at;
}

static bool apply(struct manifest_scan *scan, const struct edit *edit) {
    size_t at = find_family(scan, edit->family);
    bool known = at < scan->family_count;
    if (!known && (edit->add || edit->family == 0)) { /* the default family is never added */
        if (scan->family_count == MANIFEST_FAMILIES_MAX)
            return false;
        scan->families[scan->family_count++] = (struct manifest_family){.id = edit->family};
        known = true;
    }
    if (edit->has_log_keep_min && edit->log_keep_min > scan->log_keep_min)
        scan->log_keep_min = edit->log_keep_min;
    if (edit->family_max > scan->family_max)
        scan->family_max = edit->family_max;
    if (edit->last_sequence > scan->last_sequence)
        scan->last_sequence = edit->last_sequence;
    if (!known)
        return false;
    if (edit->drop)
        scan->families[at] = scan->families[--scan->family_count];
    else if (edit->has_log_number) {
        struct manifest_family *family = &scan->families[at];
        family->log_number = edit->log_number > family->log_number ? edit->log_number : family->log_number;
        family->told = true;
    }
    return true;
}

static bool take_edit(struct manifest_scan *scan, struct lf_bytes payload) {
    struct cursor cursor = {.at = payload.data, .end = payload.data + payload.size, .ok = true};
    struct edit edit = {0};
    while (cursor.ok && cursor.at < cursor.end)
        if (!take_field(scan, &cursor, get_varint(&cursor), &edit))
            return false;
    return cursor.ok && apply(scan, &edit);
}

static bool readable_edit_behind(struct lf_bytes bytes, size_t from) {
    for (size_t at = from; at < bytes.size; at++) {
        enum wal_fragment_type type;
        struct lf_bytes payload;
        if (wal_fragment_at(bytes, at, &type, &payload) && payload.size > 0)
            return true;
    }
    return false;
}

struct manifest_scan manifest_scan(struct lf_bytes bytes) {
    struct manifest_scan scan = {.verdict = MANIFEST_WHOLE, .whole_bytes = bytes.size};
    struct wal_log log = {.bytes = bytes};
    struct wal_record record;
    enum wal_next next;
    while ((next = wal_log_next(&log, &record)) == WAL_NEXT_RECORD) {
        scan.edit_offset = record.offset;
        if (!take_edit(&scan, record.payload)) {
            scan.verdict = scan.verdict == MANIFEST_NO_MEMORY ? MANIFEST_NO_MEMORY : MANIFEST_UNKNOWN;
            scan.bad_offset = record.offset;
            break;
        }
    }
    if (next == WAL_NEXT_NO_MEMORY)
        scan.verdict = MANIFEST_NO_MEMORY;
    if (next == WAL_NEXT_BAD) {
        scan.whole_bytes = record.offset;
        scan.bad_offset = record.end;
        scan.verdict = readable_edit_behind(bytes, record.end + TORN_GROUP_BYTES) ? MANIFEST_DAMAGED : MANIFEST_TORN;
    }
    wal_log_deinit(&log);
    settle_tables(&scan);
    return scan;
}

void manifest_scan_deinit(struct manifest_scan *scan) {
    free(scan->tables);
    *scan = (struct manifest_scan){0};
}

/* The highest number of a family is said right behind the families themselves; none is ever dropped. */
bool manifest_is_begun(const struct manifest_scan *scan) {
    bool begun = scan->family_max > 0 && scan->family_count > scan->family_max;
    for (size_t i = 0; i < scan->family_count; i++)
        begun = begun && scan->families[i].told;
    return begun;
}

uint64_t manifest_log_min(const struct manifest_scan *scan) {
    uint64_t lowest = UINT64_MAX;
    for (size_t i = 0; i < scan->family_count; i++)
        if (scan->families[i].log_number < lowest)
            lowest = scan->families[i].log_number;
    if (scan->family_count == 0)
        lowest = 0;
    return scan->log_keep_min > lowest ? scan->log_keep_min : lowest;
}

uint64_t manifest_log_max(const struct manifest_scan *scan) {
    uint64_t highest = 0;
    for (size_t i = 0; i < scan->family_count; i++)
        if (scan->families[i].log_number > highest)
            highest = scan->families[i].log_number;
    return highest;
}
