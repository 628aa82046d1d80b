#include "recover_group.h"

#include "lf_check.h"
#include "lf_entry.h"
#include "raft_log.pb-c.h"

#include <inttypes.h>

/** Beyond this a term is no leader epoch. */
#define TERM_MAX ((uint64_t)INT32_MAX)
/** Odd, so that ids that differ modulo the step stay so; the golden section of the step, so that ids that are close
 * come to lie far apart. */
#define TERM_SPREAD 648055u

/* ---- members ---------------------------------------------------------------------------------------------------- */

static enum lf_status add_members(struct recover_group *out, const uint64_t *members, size_t count) {
    if (count > RECOVER_MEMBERS_MAX - out->member_count)
        return LF_INVALID;
    for (size_t i = 0; i < count; i++)
        out->members[out->member_count++] = members[i];
    return LF_OK;
}

static bool among(const uint64_t *members, size_t count, uint64_t replica) {
    bool found = false;
    for (size_t i = 0; i < count; i++)
        found |= members[i] == replica;
    return found;
}

static void judge_own_part(struct recover_group *out, bool joint) {
    out->votes = among(out->members, out->voter_count, out->replica_id);
    out->learns =
        !out->votes && among(out->members + out->voter_count, out->member_count - out->voter_count, out->replica_id);
    out->alone = out->votes && out->voter_count == 1 && !joint;
}

static enum lf_status take_configuration(struct recover_group *out, struct lf_bytes payload, struct lf_error *error) {
    Lf__ConfigurationEntry *entry = lf__configuration_entry__unpack(NULL, payload.size, payload.data);
    if (!entry)
        return lf_error_set(error, LF_DAMAGED, "a configuration of %zu bytes cannot be read", payload.size);
    out->member_count = 0;
    out->epoch = entry->epoch;
    enum lf_status status = add_members(out, entry->voters, entry->n_voters);
    if (status == LF_OK)
        status = add_members(out, entry->outgoing, entry->n_outgoing);
    out->voter_count = out->member_count;
    if (status == LF_OK)
        status = add_members(out, entry->learners, entry->n_learners);
    judge_own_part(out, entry->n_outgoing > 0);
    lf__configuration_entry__free_unpacked(entry, NULL);
    return status == LF_OK ? LF_OK : lf_error_set(error, LF_DAMAGED, "a configuration names too many members");
}

/** As a partition begins: its log has no configuration yet. What made it may not be applied here. */
static void take_assignment(const struct store_tool *tool, struct recover_group *out) {
    const struct metadata *metadata = tool->metadata_ahead ? tool->metadata_ahead : tool->metadata;
    const struct metadata_partition *partition = metadata_partition_by_group(metadata, out->group);
    if (!partition)
        return;
    out->epoch = partition->current.epoch;
    for (size_t i = 0; i < partition->current.replica_count; i++)
        out->members[out->member_count++] = partition->current.replicas[i].replica_id;
    out->voter_count = out->member_count;
    judge_own_part(out, false);
}

/* ---- the look --------------------------------------------------------------------------------------------------- */

static enum lf_status take_state(struct store_tool *tool, const struct log_store_loaded *loaded,
                                 struct recover_group *out, struct lf_error *error) {
    struct lf_bytes payload;
    uint64_t index;
    if (out->group == 0) {
        out->log_time_ms = metadata_log_time_ms(tool->metadata);
        return metadata_configuration(tool->metadata, &index, &payload) ? take_configuration(out, payload, error)
                                                                        : LF_OK;
    }
    struct partition *partition = partition_new(NULL);
    enum lf_status status = partition
                                ? partition_load(partition, loaded->applied_index, loaded->rows, loaded->row_count,
                                                 loaded->segments, loaded->segment_count, error)
                                : lf_error_set(error, LF_NO_MEMORY, "no memory for a partition");
    if (status == LF_OK) {
        out->log_time_ms = partition_log_time_ms(partition);
        out->log_start_offset = partition_log_start_offset(partition);
        out->committed_offset = out->end_offset = partition_high_watermark(partition);
        out->bytes = partition_bytes(partition).sealed + partition_bytes(partition).open;
        if (partition_configuration(partition, &index, &payload))
            status = take_configuration(out, payload, error);
        else
            take_assignment(tool, out);
    }
    partition_destroy(&partition);
    return status;
}

/** One of the entries after the applied one. */
static enum lf_status take_entry(struct recover_group *out, const struct lf_buf *entry, uint64_t index,
                                 struct lf_error *error) {
    struct lf_entry_header header;
    struct lf_bytes payload;
    enum lf_status status = lf_entry_check(lf_buf_bytes(entry), out->group, &header, &payload, error);
    if (status == LF_OK &&
        (header.index != index || header.log_time_ms < out->log_time_ms || header.term < out->last_term ||
         (out->group != 0 && header.end_offset < (uint64_t)out->end_offset) || header.end_offset > INT64_MAX))
        status = lf_error_set(error, LF_DAMAGED, "it does not follow the one before");
    if (status != LF_OK)
        return lf_error_context(error, "group %" PRIu64 ": entry %" PRIu64, out->group, index);
    out->log_time_ms = header.log_time_ms;
    out->last_term = header.term;
    if (out->group != 0) {
        out->end_offset = (int64_t)header.end_offset;
        out->bytes += lf_buf_bytes(entry).size;
    }
    return header.type == LF_ENTRY_CONFIGURATION ? take_configuration(out, payload, error) : LF_OK;
}

static enum lf_status take_tail(struct store_tool *tool, struct recover_group *out, struct lf_error *error) {
    enum lf_status status = LF_OK;
    for (uint64_t next = out->applied_index + 1; status == LF_OK && next <= out->last_index;) {
        struct log_store_completion *completion;
        status = store_tool_read(tool, out->group, next, out->last_index, STORE_READ_BYTES, &completion, error);
        if (status == LF_OK && (completion->entry_count == 0 || completion->first_index != next))
            status =
                lf_error_set(error, LF_DAMAGED, "group %" PRIu64 ": entry %" PRIu64 " is missing", out->group, next);
        for (uint32_t i = 0; status == LF_OK && i < completion->entry_count; i++)
            status = take_entry(out, completion->entries[i], next++, error);
        log_store_completion_destroy(&completion);
        store_progress(tool, "group %" PRIu64 ": entry %" PRIu64 " of %" PRIu64, out->group, next - 1, out->last_index);
    }
    return status;
}

enum lf_status recover_group_look(struct store_tool *tool, uint64_t group, struct recover_group *out,
                                  struct lf_error *error) {
    struct log_store_completion *completion = NULL;
    *out = (struct recover_group){.group = group};
    enum lf_status status = store_tool_load(tool, group, &completion, error);
    if (status == LF_OK && !completion->loaded->exists)
        status = lf_error_set(error, LF_NOT_FOUND, "group %" PRIu64 " is not in the store", group);
    if (status == LF_OK) {
        const struct log_store_loaded *loaded = completion->loaded;
        out->replica_id = loaded->replica_id;
        out->last_index = loaded->last_index;
        out->applied_index = loaded->applied_index;
        status = take_state(tool, loaded, out, error);
        if (status == LF_OK)
            status = take_tail(tool, out, error);
        out->last_term = loaded->run_count > 0 ? loaded->runs[loaded->run_count - 1].term : loaded->previous_term;
        out->term = loaded->term > out->last_term ? loaded->term : out->last_term;
    }
    log_store_completion_destroy(&completion);
    if (status == LF_OK && out->member_count == 0)
        status =
            lf_error_set(error, LF_INVALID, "group %" PRIu64 ": nothing in the store tells who its members are", group);
    return status;
}

bool recover_group_left_behind(const struct recover_group *group) {
    return group->term - group->last_term >= RECOVER_TERM_STEP;
}

/* ---- the write -------------------------------------------------------------------------------------------------- */

uint64_t recover_group_term(const struct recover_group *group) {
    return group->term + RECOVER_TERM_STEP + group->replica_id * TERM_SPREAD % RECOVER_TERM_STEP;
}

int64_t recover_group_next_offset(const struct recover_group *group) { return group->end_offset + LF_OFFSET_JUMP; }

static enum lf_status add_entry(const struct recover_group *group, struct log_store_write *write, uint8_t type,
                                int64_t end_offset, struct lf_bytes payload) {
    struct lf_buf *entry = lf_buf_new(LF_ENTRY_HEADER_BYTES + payload.size);
    if (!entry)
        return LF_NO_MEMORY;
    memcpy(entry->data + LF_ENTRY_HEADER_BYTES, payload.data, payload.size);
    struct lf_entry_header header = {.type = type,
                                     .flags = LF_ENTRY_MUST_UNDERSTAND,
                                     .payload_bytes = (uint32_t)payload.size,
                                     .index = group->last_index + 1 + write->entry_count,
                                     .term = recover_group_term(group),
                                     .log_time_ms = group->log_time_ms,
                                     .end_offset = (uint64_t)end_offset,
                                     .replica_id = group->replica_id};
    lf_entry_encode(&header, group->group, payload, entry->data);
    return log_store_write_add_entry(write, header.index, entry);
}

static enum lf_status add_configuration(const struct recover_group *group, struct log_store_write *write) {
    uint8_t bytes[64];
    uint64_t self = group->replica_id;
    Lf__ConfigurationEntry entry = LF__CONFIGURATION_ENTRY__INIT;
    entry.epoch = group->epoch;
    entry.n_voters = 1;
    entry.voters = &self;
    lf_check(lf__configuration_entry__get_packed_size(&entry) <= sizeof bytes);
    return add_entry(group, write, LF_ENTRY_CONFIGURATION, group->end_offset,
                     lf_bytes(bytes, lf__configuration_entry__pack(&entry, bytes)));
}

static enum lf_status add_jump(const struct recover_group *group, struct log_store_write *write) {
    uint8_t bytes[64];
    Lf__OffsetJumpEntry entry = LF__OFFSET_JUMP_ENTRY__INIT;
    entry.from_offset = group->end_offset;
    entry.committed_offset = group->committed_offset;
    entry.last_term = group->last_term;
    lf_check(lf__offset_jump_entry__get_packed_size(&entry) <= sizeof bytes);
    return add_entry(group, write, LF_ENTRY_OFFSET_JUMP, group->group != 0 ? recover_group_next_offset(group) : 0,
                     lf_bytes(bytes, lf__offset_jump_entry__pack(&entry, bytes)));
}

enum lf_status recover_group_write(const struct recover_group *group, bool jump, uint64_t token,
                                   struct log_store_write **where, struct lf_error *error) {
    *where = NULL;
    if (group->term > TERM_MAX - 3 * (uint64_t)RECOVER_TERM_STEP)
        return lf_error_set(error, LF_INVALID, "group %" PRIu64 ": after term %" PRIu64 " there is no room for another",
                            group->group, group->term);
    if (jump && group->end_offset > INT64_MAX - 2 * LF_OFFSET_JUMP)
        return lf_error_set(error, LF_INVALID, "group %" PRIu64 ": offsets cannot jump beyond %" PRId64, group->group,
                            group->end_offset);
    struct log_store_write *write = log_store_write_new(group->group, token);
    enum lf_status status = write ? add_configuration(group, write) : LF_NO_MEMORY;
    if (status == LF_OK && jump)
        status = add_jump(group, write);
    if (status != LF_OK) {
        log_store_write_destroy(&write);
        return lf_error_set(error, status, "no memory for the entries of group %" PRIu64, group->group);
    }
    write->has_hard_state = true;
    write->term = recover_group_term(group);
    write->sync = true;
    *where = write;
    return LF_OK;
}

enum lf_status recover_group_add_command(const struct recover_group *group, struct log_store_write *write,
                                         struct lf_bytes command) {
    return add_entry(group, write, LF_ENTRY_METADATA, 0, command);
}
