/** The metadata of a restored cluster: its own id, the same history.
 *
 *  Nodes that join replay group 0 from its first entry on, which founded the cluster and says its id. So the id is
 *  changed there, and in the row of the applied state. Group 0 has no segments; it is read whole, destroyed and made
 *  again with the changed entry. That no other replica has this entry is as it should be: none will ever meet it. */
#include "backup_tool.h"

#include "lf_entry.h"
#include "metadata.pb-c.h"

#include <inttypes.h>
#include <string.h>

static struct lf_buf *encode(struct lf_entry_header *header, Lf__MetadataCommand *command) {
    size_t size = lf__metadata_command__get_packed_size(command);
    struct lf_buf *entry = lf_buf_new(LF_ENTRY_HEADER_BYTES + size);
    if (!entry)
        return NULL;
    lf__metadata_command__pack(command, entry->data + LF_ENTRY_HEADER_BYTES);
    header->payload_bytes = (uint32_t)size;
    lf_entry_encode(header, 0, lf_bytes(entry->data + LF_ENTRY_HEADER_BYTES, size), entry->data);
    return entry;
}

struct lf_buf *restore_metadata_entry(const struct lf_buf *entry, const uint8_t cluster_id[LOG_STORE_ID_BYTES]) {
    struct lf_entry_header header;
    struct lf_bytes payload;
    struct lf_buf *made = NULL;
    if (lf_entry_check(lf_buf_bytes(entry), 0, &header, &payload, NULL) != LF_OK)
        return NULL;
    if (header.type != LF_ENTRY_METADATA)
        return lf_buf_ref((struct lf_buf *)(uintptr_t)entry);
    Lf__MetadataCommand *command = lf__metadata_command__unpack(NULL, payload.size, payload.data);
    if (!command)
        return NULL;
    if (command->body_case != LF__METADATA_COMMAND__BODY_FOUND_CLUSTER) {
        made = lf_buf_ref((struct lf_buf *)(uintptr_t)entry);
    } else if (command->found_cluster->cluster_id.len == LOG_STORE_ID_BYTES) {
        memcpy(command->found_cluster->cluster_id.data, cluster_id, LOG_STORE_ID_BYTES);
        made = encode(&header, command);
    }
    lf__metadata_command__free_unpacked(command, NULL);
    return made;
}

/* ---- the applied state ------------------------------------------------------------------------------------------ */

/* Key "m" (broker/metadata/metadata_rows.h). */
static bool holds_id(const struct log_store_row *row) { return row->key.size == 1 && row->key.data[0] == 'm'; }

static enum lf_status add_counters(struct log_store_write *write, const struct log_store_row *row,
                                   const uint8_t cluster_id[LOG_STORE_ID_BYTES]) {
    uint8_t bytes[512];
    Lf__MetadataCounters *counters = lf__metadata_counters__unpack(NULL, row->value.size, row->value.data);
    enum lf_status status = LF_DAMAGED;
    if (counters && (counters->cluster_id.len == 0 || counters->cluster_id.len == LOG_STORE_ID_BYTES) &&
        lf__metadata_counters__get_packed_size(counters) <= sizeof bytes) {
        if (counters->cluster_id.len > 0)
            memcpy(counters->cluster_id.data, cluster_id, LOG_STORE_ID_BYTES);
        size_t size = lf__metadata_counters__pack(counters, bytes);
        status = log_store_write_add_row(write, row->key, lf_bytes(bytes, size));
    }
    if (counters)
        lf__metadata_counters__free_unpacked(counters, NULL);
    return status;
}

static enum lf_status add_rows(struct log_store_write *write, const struct log_store_loaded *loaded,
                               const uint8_t cluster_id[LOG_STORE_ID_BYTES]) {
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < loaded->row_count; i++) {
        const struct log_store_row *row = &loaded->rows[i];
        status =
            holds_id(row) ? add_counters(write, row, cluster_id) : log_store_write_add_row(write, row->key, row->value);
    }
    return status;
}

/* ---- the log ---------------------------------------------------------------------------------------------------- */

static enum lf_status add_entries(struct store_tool *tool, struct log_store_write *write, uint64_t last,
                                  const uint8_t cluster_id[LOG_STORE_ID_BYTES], struct lf_error *error) {
    enum lf_status status = LF_OK;
    for (uint64_t next = 1; status == LF_OK && next <= last;) {
        struct log_store_completion *completion;
        status = store_tool_read(tool, 0, next, last, STORE_READ_BYTES, &completion, error);
        if (status == LF_OK && (completion->entry_count == 0 || completion->first_index != next))
            status = lf_error_set(error, LF_DAMAGED, "metadata: entry %" PRIu64 " is missing", next);
        for (uint32_t i = 0; status == LF_OK && i < completion->entry_count; i++, next++) {
            struct lf_buf *entry = restore_metadata_entry(completion->entries[i], cluster_id);
            status = entry ? log_store_write_add_entry(write, next, entry)
                           : lf_error_set(error, LF_DAMAGED, "metadata: entry %" PRIu64 " cannot be read", next);
        }
        log_store_completion_destroy(&completion);
    }
    return status;
}

static enum lf_status fill(struct store_tool *tool, struct log_store_write *write,
                           const struct log_store_loaded *loaded, const uint8_t cluster_id[LOG_STORE_ID_BYTES],
                           struct lf_error *error) {
    if (!loaded->exists || loaded->previous_index != 0 || loaded->segment_count != 0)
        return lf_error_set(error, LF_INVALID, "the log of the metadata does not begin with its first entry");
    write->create = true;
    write->replica_id = loaded->replica_id;
    write->has_hard_state = true;
    write->term = loaded->term;
    write->vote = loaded->vote;
    write->applied_index = loaded->applied_index;
    write->sync = true;
    enum lf_status status = add_rows(write, loaded, cluster_id);
    if (status != LF_OK)
        return lf_error_set(error, status, "the rows of the metadata: %s", lf_status_text(status));
    return add_entries(tool, write, loaded->last_index, cluster_id, error);
}

enum lf_status restore_metadata(struct store_tool *tool, const uint8_t cluster_id[LOG_STORE_ID_BYTES],
                                struct lf_error *error) {
    struct log_store_completion *completion = NULL;
    struct log_store_write *anew = log_store_write_new(0, ++tool->next_request);
    struct log_store_write *gone = log_store_write_new(0, ++tool->next_request);
    enum lf_status status = anew && gone ? store_tool_load(tool, 0, &completion, error)
                                         : lf_error_set(error, LF_NO_MEMORY, "no memory for the metadata");
    if (status == LF_OK)
        status = fill(tool, anew, completion->loaded, cluster_id, error);
    if (status == LF_OK) {
        gone->destroy = true;
        status = store_tool_write(tool, &gone, error);
    }
    if (status == LF_OK)
        status = store_tool_write(tool, &anew, error);
    log_store_completion_destroy(&completion);
    log_store_write_destroy(&anew);
    log_store_write_destroy(&gone);
    return status;
}
