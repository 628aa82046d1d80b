/** Feeding a group's core and carrying out what it says, in the order that keeps the caches right:
 *  1. entries that left the log leave the caches; 2. new entries enter them; 3. the write; 4. messages; 5. leadership;
 *  6. read answers; 7. apply. */
#include "images.h"

#include <stdlib.h>

uint64_t group_log_time(const struct node *node, const struct group *group) {
    uint64_t last;
    if (group->partition) {
        last = partition_log_time_ms(group->partition);
    } else {
        const struct lf_buf *entry = tail_get(&group->tail, group->tail.first_index + group->tail.count - 1);
        last = entry ? lf_get_le64(entry->data + 32) : metadata_log_time_ms(node->metadata);
    }
    int64_t median = peers_median_clock(node), now = node->wall_ms;
    if (now > median + NODE_CLOCK_SLACK_MS)
        now = median + NODE_CLOCK_SLACK_MS;
    if (now < median - NODE_CLOCK_SLACK_MS)
        now = median - NODE_CLOCK_SLACK_MS;
    return now > 0 && (uint64_t)now > last ? (uint64_t)now : last;
}

/** An entry joins log, machine and cache. False: the group stopped. Takes the reference. */
static bool push(struct node *node, struct group *group, struct lf_buf *entry) {
    struct lf_entry_header header;
    struct lf_bytes payload;
    struct lf_error error = {0};
    enum lf_status status = lf_entry_decode(lf_buf_bytes(entry), &header, &payload);
    lf_check(status == LF_OK);
    lf_check(header.index == group->tail.first_index + group->tail.count);
    if (group->partition)
        status = partition_append(group->partition, &header, payload, &error);
    if (status != LF_OK) {
        lf_buf_unref(&entry);
        group_stop(node, group, &error);
        return false;
    }
    group->appended_bytes += entry->size;
    node->metrics.bytes_appended += entry->size;
    node->metrics.entries_appended++;
    tail_cache_push(node, group, entry);
    return true;
}

/** The bytes of an entry this leader appends. */
static struct lf_buf *make_entry(struct node *node, struct group *group, uint8_t type, uint16_t flags,
                                 struct lf_bytes payload, uint32_t batch_records, uint64_t index, uint64_t term) {
    int64_t end = group->partition ? partition_log_end_offset(group->partition) : 0;
    struct lf_buf *entry = lf_buf_new(LF_ENTRY_HEADER_BYTES + payload.size);
    lf_check(entry != NULL);
    uint8_t *body = entry->data + LF_ENTRY_HEADER_BYTES;
    if (payload.size > 0)
        memcpy(body, payload.data, payload.size);
    if (type == LF_ENTRY_BATCH)
        lf_batch_stamp(body, end, (int32_t)term);
    struct lf_entry_header header = {.type = type,
                                     .flags = flags,
                                     .payload_bytes = (uint32_t)payload.size,
                                     .index = index,
                                     .term = term,
                                     .log_time_ms = group_log_time(node, group),
                                     .end_offset = (uint64_t)end + batch_records,
                                     .replica_id = group->self};
    lf_entry_encode(&header, group->id, lf_bytes(body, payload.size), entry->data);
    return entry;
}

static void write_persist(struct node *node, struct group *group, const struct raft_persist *persist) {
    if (persist->install) {
        image_install_carry_out(node, group, persist);
        return;
    }
    struct log_store_write *write = group->applied_write; /* applied rows ride along */
    group->applied_write = NULL;
    if (!write)
        write = node_new_write(node, group, 0);
    write->token = persist->token;
    write->has_hard_state = true;
    write->term = persist->term;
    write->vote = persist->vote;
    write->truncate_from = persist->truncate ? persist->first_index : 0;
    write->first_index = persist->first_index;
    write->sync = true;
    for (uint32_t i = 0; i < persist->count; i++) {
        struct lf_buf *entry = tail_get(&group->tail, persist->first_index + i);
        lf_check(entry != NULL);
        lf_check(log_store_write_add_entry(write, persist->first_index + i, lf_buf_ref(entry)) == LF_OK);
    }
    node_add_write(node, write);
}

static void send_message(struct node *node, struct group *group, const struct raft_message *raft) {
    struct peer_message message = {.group = group->id, .raft = *raft};
    if (raft->type == RAFT_APPEND_REQUEST) {
        if (raft->append_request.count > 0 && space_holds_back(node, group, raft))
            return; /* lost, for the core, which asks again at its pace */
        if (raft->append_request.count > 0 && cold_must_queue(group, raft->to)) {
            cold_send_start(node, group, raft);
            return;
        }
        uint64_t first = raft->append_request.prev_index + 1;
        if (raft->append_request.count > 0) {
            if (!tail_get(&group->tail, first)) {
                cold_send_start(node, group, raft);
                return;
            }
            message.entries = node_alloc(raft->append_request.count, sizeof(*message.entries));
            for (uint32_t i = 0; i < raft->append_request.count; i++) {
                struct lf_buf *entry = tail_get(&group->tail, first + i);
                lf_check(entry != NULL);
                message.entries[i] = lf_buf_ref(entry);
            }
        }
    }
    peers_send(node, group, &message);
}

static void on_role_change(struct node *node, struct group *group) {
    metrics_on_role(node, group);
    bool leads = group_leads(group);
    if (group->was_leader && (!leads || raft_term(group->raft) != group->led_term)) {
        node->counts.leader_losses++;
        parked_fail(node, group, LF_NOT_LEADER);
        cold_drop_all(node, group);
    }
    if (leads && (!group->was_leader || raft_term(group->raft) != group->led_term))
        node->counts.elections_won++;
    if (leads)
        chores_on_lead(node, group);
    group->was_leader = leads;
    group->led_term = leads ? raft_term(group->raft) : 0;
    if (raft_term(group->raft) > INT32_MAX) {
        struct lf_error error;
        lf_error_set(&error, LF_INTERNAL, "term %llu is beyond what a leader epoch can hold",
                     (unsigned long long)raft_term(group->raft));
        group_stop(node, group, &error);
    }
}

/** What the leading core appended by itself: its no-op, or a configuration. */
static struct lf_buf *make_own_entry(struct node *node, struct group *group, const struct raft_effects *effects) {
    uint8_t bytes[GROUP_CONFIGURATION_BYTES_MAX];
    uint64_t term = raft_term(group->raft);
    if (!effects->own_configuration)
        return make_entry(node, group, LF_ENTRY_NOOP, 0, lf_bytes(NULL, 0), 0, effects->own_index, term);
    return make_entry(node, group, LF_ENTRY_CONFIGURATION, LF_ENTRY_MUST_UNDERSTAND,
                      group_configuration_encode(effects->own_configuration, bytes), 0, effects->own_index, term);
}

/** New entries of this step into the caches (2.). `message`: the append request of this step, or NULL. */
static bool take_entries(struct node *node, struct group *group, const struct raft_effects *effects,
                         struct peer_message *message) {
    if (effects->own_index != 0)
        return push(node, group, make_own_entry(node, group, effects));
    if (!message || !effects->has_persist || message->raft.type != RAFT_APPEND_REQUEST)
        return true;
    for (uint32_t i = 0; i < effects->persist.count; i++) {
        struct lf_buf *entry = message->entries[effects->persist.message_skip + i];
        if (!push(node, group, lf_buf_ref(entry)))
            return false;
    }
    return true;
}

static void carry_out(struct node *node, struct group *group, struct peer_message *message) {
    struct raft_effects *effects = &node->raft_effects;
    if (effects->truncated_from != 0) {
        lf_check(effects->truncated_from > group->applied);
        tail_cache_truncate(node, group, effects->truncated_from);
        if (group->partition && partition_log_end_index(group->partition) >= effects->truncated_from)
            partition_truncate(group->partition, effects->truncated_from);
    }
    if (!take_entries(node, group, effects, message))
        return;
    if (effects->has_persist)
        write_persist(node, group, &effects->persist);
    for (size_t i = 0; i < effects->message_count; i++)
        send_message(node, group, &effects->messages[i]);
    if (effects->failed) {
        node_fail(node, LF_IO, "group %llu: a write failed; this node can keep no promise any more",
                  (unsigned long long)group->id);
        return;
    }
    if (effects->contradicted_index != 0) {
        group_contradicted(node, group, effects->contradicted_index);
        return;
    }
    if (effects->damaged_peer != 0)
        node_tracef(node, "group=%llu replica=%llu is damaged: its log ends below what it acknowledged",
                    (unsigned long long)group->id, (unsigned long long)effects->damaged_peer);
    group->deadline_ms = effects->deadline_ms;
    node_wake_by(node, group->deadline_ms);
    uint64_t bytes = raft_uncommitted_bytes(group->raft);
    node->uncommitted_bytes += bytes - group->uncommitted_bytes;
    group->uncommitted_bytes = bytes;
    if (effects->role_changed)
        on_role_change(node, group);
    uint64_t commit = effects->commit, offered_by = effects->offered_by, offered_index = effects->offered_index;
    for (size_t i = 0; i < effects->read_count; i++)
        lookups_on_answer(node, group, &effects->reads[i]);
    if (group->state == GROUP_RUNNING && commit > group->applied)
        group_apply(node, group, commit);
    if (group->image_unwritten && group_image_is_written(group))
        image_install_written(node, group, commit);
    if (offered_by != 0)
        image_fetch_offered(node, group, offered_by, offered_index);
}

/** The first leader of a fresh group logs the membership it was created with. */
static void log_membership(struct node *node, struct group *group) {
    if (group->configuration_proposed || !group_leads(group) || !raft_may_change(group->raft))
        return;
    struct raft_configuration members = *raft_configuration(group->raft);
    struct raft_event event = {.type = RAFT_EVENT_CHANGE, .now_ms = node->now_ms, .change = &members};
    group->configuration_proposed = true; /* first: the step comes here again */
    group->configuration_proposed = group_step(node, group, &event) == LF_OK;
}

static void after_step(struct node *node, struct group *group) {
    if (group->state == GROUP_RUNNING && group_leads(group))
        log_membership(node, group);
}

enum lf_status group_step(struct node *node, struct group *group, const struct raft_event *event) {
    if (group->state != GROUP_RUNNING || node->fatal != LF_OK)
        return LF_CLOSED;
    enum lf_status status = raft_step(group->raft, event, &node->raft_effects);
    carry_out(node, group, NULL);
    after_step(node, group);
    return status;
}

/** Room for so many configurations of one append; a log that is filled anew brings them close together. */
static bool scratch_room(struct node *node, uint32_t count) {
    if (count <= node->scratch_configuration_capacity)
        return true;
    uint32_t capacity = count * 2;
    struct raft_configuration *grown = realloc(node->scratch_configurations, capacity * sizeof *grown);
    if (!grown)
        return false;
    node->scratch_configurations = grown;
    node->scratch_configuration_capacity = capacity;
    return true;
}

/** Judges received entries before the core hears of them. */
static enum lf_status check_entries(struct node *node, const struct group *group, const struct peer_message *message,
                                    struct lf_error *error) {
    const struct raft_message *raft = &message->raft;
    uint32_t configurations = 0;
    uint64_t last_term = raft->append_request.prev_term;
    for (uint32_t i = 0; i < raft->append_request.count; i++) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        enum lf_status status = lf_entry_check(lf_buf_bytes(message->entries[i]), group->id, &header, &payload, error);
        if (status != LF_OK)
            return status;
        if (header.index != raft->append_request.prev_index + 1 + i || header.term > raft->term ||
            header.term < last_term)
            return lf_error_set(error, LF_MALFORMED, "entry %llu^%llu stands at index %llu",
                                (unsigned long long)header.index, (unsigned long long)header.term,
                                (unsigned long long)(raft->append_request.prev_index + 1 + i));
        last_term = header.term;
        node->scratch_entries[i] = (struct raft_entry){.term = header.term, .bytes = message->entries[i]->size};
        if (header.type == LF_ENTRY_CONFIGURATION) {
            if (!scratch_room(node, configurations + 1))
                return lf_error_set(error, LF_NO_MEMORY, "no memory for %u configurations", configurations + 1);
            if (group_configuration_decode(payload, &node->scratch_configurations[configurations++]) != LF_OK)
                return lf_error_set(error, LF_MALFORMED, "configuration at %llu", (unsigned long long)header.index);
            node->scratch_entries[i].configuration = node->scratch_configurations; /* which one: below */
        }
    }
    for (uint32_t i = raft->append_request.count; i-- > 0;) /* they may have moved while there came more */
        if (node->scratch_entries[i].configuration)
            node->scratch_entries[i].configuration = &node->scratch_configurations[--configurations];
    return LF_OK;
}

void group_on_message(struct node *node, struct group *group, struct peer_message *message) {
    if (group->state != GROUP_RUNNING || node->fatal != LF_OK ||
        (message->raft.type == RAFT_APPEND_REQUEST && !space_takes(node, message)))
        return;
    struct raft_message raft = message->raft;
    if (raft.type == RAFT_APPEND_REQUEST) {
        struct lf_error error = {0};
        if (raft.append_request.count > PEER_ENVELOPE_ENTRIES_MAX ||
            check_entries(node, group, message, &error) != LF_OK) {
            node->counts.peer_dropped_malformed++;
            node_tracef(node, "group=%llu append from=%llu dropped: %s", (unsigned long long)group->id,
                        (unsigned long long)raft.from, error.text);
            return;
        }
        raft.append_request.entries = node->scratch_entries;
    }
    struct raft_event event = {.type = RAFT_EVENT_MESSAGE, .now_ms = node->now_ms, .message = &raft};
    raft_step(group->raft, &event, &node->raft_effects);
    carry_out(node, group, message);
    after_step(node, group);
    if (raft.type == RAFT_APPEND_REPLY && !raft.append_reply.accepted)
        image_source_look(node, group);
}

enum lf_status group_propose(struct node *node, struct group *group, uint8_t type, uint16_t flags,
                             struct lf_bytes payload, uint32_t batch_records, uint64_t *index) {
    if (!group_leads(group))
        return LF_NOT_LEADER;
    if (node->uncommitted_bytes > node->limits.uncommitted_bytes_max)
        return LF_OVERLOADED;
    struct raft_entry entry = {.bytes = (uint32_t)(LF_ENTRY_HEADER_BYTES + payload.size)};
    struct raft_event event = {
        .type = RAFT_EVENT_PROPOSE, .now_ms = node->now_ms, .propose = {.entries = &entry, .count = 1}};
    enum lf_status status = raft_step(group->raft, &event, &node->raft_effects);
    if (status == LF_OK) {
        *index = node->raft_effects.proposed_index;
        if (!push(
                node, group,
                make_entry(node, group, type, flags, payload, batch_records, *index, node->raft_effects.proposed_term)))
            return LF_INTERNAL;
    }
    carry_out(node, group, NULL);
    return status;
}

void group_tick(struct node *node, struct group *group, uint64_t absent_ms) {
    struct raft_event event = {.type = RAFT_EVENT_TICK, .now_ms = node->now_ms, .tick = {.absent_ms = absent_ms}};
    group_step(node, group, &event);
}

void group_flush_applied(struct node *node, struct group *group) {
    struct log_store_write *write = group->applied_write;
    group->applied_write = NULL;
    if (write)
        node_add_write(node, write); /* unsynced: lost at worst, and then applied again */
}
