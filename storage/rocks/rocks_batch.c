#include "rocks_batch.h"
#include "log_identity.h"

#include <inttypes.h>

/* Up to here single deletes; a longer truncation is one range delete, which costs every later read a little. */
#define SINGLE_DELETES_MAX 1024u

static void put(struct rocks_batch *batch, const struct rocks_key *key, const void *value, size_t bytes) {
    rocksdb_writebatch_put_cf(batch->batch, batch->db->meta, (const char *)key->bytes, key->size, value, bytes);
}

static void put_u64s(struct rocks_batch *batch, const struct rocks_key *key, uint64_t first, uint64_t second,
                     size_t count) {
    uint8_t value[16];
    lf_put_le64(value, first);
    lf_put_le64(value + 8, second);
    put(batch, key, value, count * 8);
}

static void delete_range(struct rocks_batch *batch, rocksdb_column_family_handle_t *family,
                         const struct rocks_key *from, const struct rocks_key *to) {
    rocksdb_writebatch_delete_range_cf(batch->batch, family, (const char *)from->bytes, from->size,
                                       (const char *)to->bytes, to->size);
}

static enum lf_status destroy_group(struct rocks_batch *batch, struct log_group *group) {
    uint64_t id = group->id, slot = group->slot;
    struct rocks_key from = rocks_key_group(id, (enum rocks_kind)0), to = rocks_key_group(id, ROCKS_KIND_END);
    delete_range(batch, batch->db->meta, &from, &to);
    from = rocks_key_entry(slot, 0);
    to = rocks_key_entry(slot + 1, 0);
    delete_range(batch, batch->db->active, &from, &to);
    enum lf_status status = rocks_segments_destroyed(batch->segments, rocks_group_of(group));
    rocks_groups_remove(batch->groups, id);
    return status;
}

static void put_descriptor(struct rocks_batch *batch, const struct log_group *group) {
    struct rocks_key key = rocks_key_next_slot();
    put_u64s(batch, &key, atomic_load(&batch->groups->slot_next), 0, 1);
    key = rocks_key_group(group->id, ROCKS_KIND_DESCRIPTOR);
    put_u64s(batch, &key, group->slot, group->replica_id, 2);
}

/* Keys that the write's own entries take again need no delete. */
static void delete_entries(struct rocks_batch *batch, const struct log_group *group, uint64_t to) {
    uint64_t from = group->last_index + 1;
    if (from > to)
        return;
    if (to - from >= SINGLE_DELETES_MAX) {
        struct rocks_key first = rocks_key_entry(group->slot, from), end = rocks_key_entry(group->slot, to + 1);
        delete_range(batch, batch->db->active, &first, &end);
        return;
    }
    for (uint64_t index = from; index <= to; index++) {
        struct rocks_key key = rocks_key_entry(group->slot, index);
        rocksdb_writebatch_delete_cf(batch->batch, batch->db->active, (const char *)key.bytes, key.size);
    }
}

static void truncate(struct rocks_batch *batch, const struct log_group *group, const struct log_group_change *change) {
    struct rocks_key from = rocks_key_at(group->id, ROCKS_KIND_RUN, change->truncate_from);
    struct rocks_key to = rocks_key_group(group->id, (enum rocks_kind)(ROCKS_KIND_RUN + 1));
    delete_range(batch, batch->db->meta, &from, &to);
    from = rocks_key_at(group->id, ROCKS_KIND_HINT, change->truncate_from);
    to = rocks_key_group(group->id, (enum rocks_kind)(ROCKS_KIND_HINT + 1));
    delete_range(batch, batch->db->meta, &from, &to);
    delete_entries(batch, group, change->truncate_to);
}

static void put_log(struct rocks_batch *batch, const struct log_group *group, const struct log_store_write *write,
                    const struct log_group_change *change) {
    for (uint32_t i = 0; i < write->entry_count; i++) {
        struct rocks_key key = rocks_key_entry(group->slot, write->first_index + i);
        rocksdb_writebatch_put_cf(batch->batch, batch->db->active, (const char *)key.bytes, key.size,
                                  (const char *)write->entries[i]->data, write->entries[i]->size);
    }
    for (size_t i = change->run_keep; i < group->run_count; i++) {
        struct rocks_key key = rocks_key_at(group->id, ROCKS_KIND_RUN, group->runs[i].first_index);
        put_u64s(batch, &key, group->runs[i].term, 0, 1);
    }
    if (write->create || write->entry_count > 0 || change->truncate_from != 0 || write->install) {
        struct rocks_key key = rocks_key_group(group->id, ROCKS_KIND_LAST);
        put_u64s(batch, &key, group->last_index, 0, 1);
    }
}

static void put_state(struct rocks_batch *batch, const struct log_group *group, const struct log_store_write *write) {
    struct rocks_key key = rocks_key_group(group->id, ROCKS_KIND_HARD_STATE);
    if (write->create || write->has_hard_state)
        put_u64s(batch, &key, group->term, group->vote, 2);
    key = rocks_key_group(group->id, ROCKS_KIND_APPLIED);
    if (write->applied_index != 0 || write->install)
        put_u64s(batch, &key, group->applied_index, 0, 1);
    for (uint32_t i = 0; i < write->row_count; i++) {
        const struct log_store_row *row = &write->rows[i];
        key = rocks_key_row(group->id, row->key);
        if (row->value.data)
            put(batch, &key, row->value.data, row->value.size);
        else
            rocksdb_writebatch_delete_cf(batch->batch, batch->db->meta, (const char *)key.bytes, key.size);
    }
    for (uint32_t i = 0; i < write->hint_count; i++) {
        key = rocks_key_at(group->id, ROCKS_KIND_HINT, write->hints[i].index);
        put_u64s(batch, &key, write->hints[i].offset, (uint64_t)write->hints[i].max_timestamp_ms, 2);
    }
}

static enum lf_status pin_cluster(struct rocks_batch *batch, const struct log_store_write *write,
                                  struct lf_error *error) {
    enum lf_status status = log_identity_pin(batch->identity, write->cluster_id, error);
    if (status != LF_OK)
        return status;
    uint8_t value[LOG_IDENTITY_BYTES];
    struct rocks_key key = rocks_key_identity();
    log_identity_encode(batch->identity, value);
    put(batch, &key, value, sizeof value);
    return LF_OK;
}

static enum lf_status no_memory(enum lf_status status, struct lf_error *error) {
    return status == LF_OK ? status : lf_error_set(error, status, "no memory for a write");
}

enum lf_status rocks_batch_add(struct rocks_batch *batch, const struct log_store_write *write, struct lf_error *error) {
    struct log_group *group = rocks_groups_find(batch->groups, write->group);
    struct log_group_change change;
    enum lf_status status = log_group_judge(group, write, error);
    if (status == LF_OK && write->has_cluster_id)
        status = pin_cluster(batch, write, error);
    if (status != LF_OK)
        return status;
    if (write->destroy)
        return no_memory(destroy_group(batch, group), error);
    if (write->create) {
        group = rocks_groups_add(batch->groups, write->group);
        if (!group)
            return no_memory(LF_NO_MEMORY, error);
        group->slot = atomic_fetch_add(&batch->groups->slot_next, 1);
    }
    status = log_group_apply(group, write, &change);
    if (status != LF_OK)
        return no_memory(status, error);
    if (write->create)
        put_descriptor(batch, group);
    if (change.truncate_from != 0)
        truncate(batch, group, &change);
    rocks_segment_rows_put(batch->batch, batch->db, group, write, &change);
    put_log(batch, group, write, &change);
    put_state(batch, group, write);
    status = rocks_segments_changed(batch->segments, rocks_group_of(group), write, &change);
    log_group_change_deinit(&change);
    return no_memory(status, error);
}
