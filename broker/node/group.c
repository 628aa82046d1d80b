/** The life of a group on this node: created or loaded, running, stopped, destroyed.
 *
 *  Loading: 1. the store's summary and rows; 2. the entries after the applied index, in bounded reads; 3. the state
 *  machine and the core start from them. Until then the group answers nobody. */
#include "images.h"

#include <stdlib.h>

#include "raft_configuration.h"
#include "raft_log.pb-c.h"

struct group *node_group(const struct node *node, uint64_t id) {
    return lf_map_get(&node->groups, NODE_MAP_KEY(id));
}

uint64_t group_leader_node(const struct node *node, const struct group *group) {
    uint64_t leader = group->raft ? raft_leader(group->raft) : 0;
    return leader ? group_member_node(node, group, leader) : 0;
}

bool group_leads(const struct group *group) {
    return group->state == GROUP_RUNNING && group->raft && raft_role(group->raft) == RAFT_LEADER;
}

uint64_t group_readable(const struct group *group) {
    uint64_t durable = raft_durable_index(group->raft);
    return durable < group->applied ? durable : group->applied;
}

bool group_image_is_written(const struct group *group) {
    return !group->image_unwritten || raft_durable_index(group->raft) >= raft_previous_index(group->raft);
}

enum lf_status group_configuration_decode(struct lf_bytes payload, struct raft_configuration *configuration) {
    Lf__ConfigurationEntry *entry = lf__configuration_entry__unpack(NULL, payload.size, payload.data);
    if (!entry)
        return LF_MALFORMED;
    bool fits = entry->n_voters <= RAFT_VOTERS_MAX && entry->n_outgoing <= RAFT_VOTERS_MAX &&
                entry->n_learners <= RAFT_LEARNERS_MAX;
    *configuration = (struct raft_configuration){.epoch = entry->epoch};
    if (fits) {
        configuration->voter_count = (uint32_t)entry->n_voters;
        configuration->outgoing_count = (uint32_t)entry->n_outgoing;
        configuration->learner_count = (uint32_t)entry->n_learners;
        memcpy(configuration->voters, entry->voters, entry->n_voters * sizeof(uint64_t));
        if (entry->n_outgoing > 0)
            memcpy(configuration->outgoing, entry->outgoing, entry->n_outgoing * sizeof(uint64_t));
        if (entry->n_learners > 0)
            memcpy(configuration->learners, entry->learners, entry->n_learners * sizeof(uint64_t));
    }
    lf__configuration_entry__free_unpacked(entry, NULL);
    return fits && raft_configuration_is_valid(configuration) ? LF_OK : LF_MALFORMED;
}

struct lf_bytes group_configuration_encode(const struct raft_configuration *configuration,
                                           uint8_t bytes[GROUP_CONFIGURATION_BYTES_MAX]) {
    struct raft_configuration copy = *configuration; /* protobuf-c wants what it could write to */
    Lf__ConfigurationEntry entry = LF__CONFIGURATION_ENTRY__INIT;
    entry.epoch = copy.epoch;
    entry.n_voters = copy.voter_count;
    entry.voters = copy.voters;
    entry.n_outgoing = copy.outgoing_count;
    entry.outgoing = copy.outgoing;
    entry.n_learners = copy.learner_count;
    entry.learners = copy.learners;
    lf_check(lf__configuration_entry__get_packed_size(&entry) <= GROUP_CONFIGURATION_BYTES_MAX);
    return lf_bytes(bytes, lf__configuration_entry__pack(&entry, bytes));
}

static struct group *group_new(struct node *node, uint64_t id, uint64_t self,
                               const struct raft_configuration *initial) {
    lf_check(!node_group(node, id));
    struct group *group = node_alloc(1, sizeof *group);
    group->id = id;
    group->self = self;
    group->state = GROUP_LOADING;
    group->initial = *initial;
    group->assigned = id != NODE_GROUP_METADATA ? metadata_partition_by_group(node->metadata, id) : NULL;
    group->deadline_ms = UINT64_MAX;
    tail_init(&group->tail, 1);
    if (id != NODE_GROUP_METADATA) {
        struct partition_limits limits = {.producers_max = node->limits.producers_per_partition_max,
                                          .producer_retention_ms = node->limits.producer_retention_ms};
        group->partition = partition_new(&limits);
        lf_check(group->partition != NULL);
    }
    lf_check(lf_map_put(&node->groups, NODE_MAP_KEY(id), group));
    lf_map_remove(&node->stored_groups, NODE_MAP_KEY(id));
    return group;
}

void group_stop(struct node *node, struct group *group, const struct lf_error *error) {
    if (group->state == GROUP_STOPPED)
        return;
    node_tracef(node, "group=%llu stopped: %s", (unsigned long long)group->id, error->text);
    group->state = GROUP_STOPPED;
    group->deadline_ms = UINT64_MAX;
    parked_fail(node, group, LF_INTERNAL);
    lookups_fail_group(node, group->id, LF_INTERNAL);
    subscriptions_end_group(node, group, LF_INTERNAL, error->text);
}

void group_contradicted(struct node *node, struct group *group, uint64_t index) {
    struct lf_error error;
    lf_error_set(
        &error, LF_DAMAGED,
        "entry %llu, committed here, is another one where the leader is: the cluster went on without what this "
        "replica has (operations.md, \"When a majority is lost for good\")",
        (unsigned long long)index);
    group_stop(node, group, &error);
}

static void trace_group(void *context, const char *line);

/** The core writes its lines through its group's node. */
struct trace_link {
    struct node *node;
    uint64_t group;
};

/** False: the entry holds no membership. */
static bool configuration_at(const struct group *group, uint64_t index, struct raft_configuration *configuration) {
    struct lf_entry_header header;
    struct lf_bytes bytes;
    return lf_entry_decode(lf_buf_bytes(tail_get(&group->tail, index)), &header, &bytes) == LF_OK &&
           header.type == LF_ENTRY_CONFIGURATION && group_configuration_decode(bytes, configuration) == LF_OK;
}

/** The membership it begins with, the one in force at the applied index and those of entries after it. Returns (caller
 *  frees) them with *count. */
static struct raft_configuration_at *collect_configurations(const struct group *group, const struct metadata *metadata,
                                                            size_t *count) {
    uint64_t index, first = group->tail.first_index;
    struct lf_bytes payload;
    struct raft_configuration scratch;
    size_t room = 2;
    for (uint64_t at = first; at < first + group->tail.count; at++)
        room += configuration_at(group, at, &scratch);
    struct raft_configuration_at *out = node_alloc(room, sizeof *out);
    out[0].configuration = group->initial;
    *count = 1;
    bool found = group->partition ? partition_configuration(group->partition, &index, &payload)
                                  : metadata_configuration(metadata, &index, &payload);
    if (found && group_configuration_decode(payload, &out[*count].configuration) == LF_OK)
        out[(*count)++].index = index;
    for (uint64_t at = first; at < first + group->tail.count; at++)
        if (configuration_at(group, at, &out[*count].configuration))
            out[(*count)++].index = at;
    return out;
}

/** 3. of loading: from here on the group takes part. */
static void start(struct node *node, struct group *group) {
    const struct log_store_loaded *loaded = group->loaded;
    struct raft_start start = {.self = group->self,
                               .seed = node->seed ^ (group->id * 0x9E3779B97F4A7C15u) ^ group->self,
                               .now_ms = node->now_ms};
    struct raft_configuration_at *configurations =
        collect_configurations(group, node->metadata, &start.configuration_count);
    start.configurations = configurations;
    struct raft_run *runs = NULL;
    if (loaded) {
        start.term = loaded->term;
        start.vote = loaded->vote;
        start.previous_index = group->compacted_index = loaded->previous_index;
        start.previous_term = loaded->previous_term;
        start.last_index = loaded->last_index;
        start.commit = group->applied;
        runs = node_alloc(loaded->run_count + 1, sizeof *runs);
        for (size_t i = 0; i < loaded->run_count; i++)
            runs[i] = (struct raft_run){loaded->runs[i].first_index, loaded->runs[i].term};
        start.runs = runs;
        start.run_count = loaded->run_count;
    }
    struct lf_error error = {0};
    enum lf_status status = raft_new(&start, &node->limits.raft, &group->raft, &error);
    free(runs);
    free(configurations);
    if (status != LF_OK) {
        group_stop(node, group, &error);
        return;
    }
    if (node->trace) {
        struct trace_link *link = node_alloc(1, sizeof *link);
        *link = (struct trace_link){.node = node, .group = group->id};
        group->trace_link = link;
        raft_set_trace(group->raft, trace_group, link);
    }
    group->state = GROUP_RUNNING;
    group_segments_count(node, group);
    /* Only now it is known who its members are: one that was removed may still be counted on, and has to be heard. */
    if (group->id == NODE_GROUP_METADATA)
        node->peers_stale = true;
    group->deadline_ms = node->now_ms;
    node_wake_by(node, node->now_ms);
    group->configuration_proposed = start.configuration_count > 1;
    node_tracef(node, "group=%llu replica=%llu runs: term=%llu last=%llu applied=%llu", (unsigned long long)group->id,
                (unsigned long long)group->self, (unsigned long long)start.term, (unsigned long long)start.last_index,
                (unsigned long long)group->applied);
}

static void trace_group(void *context, const char *line) {
    const struct trace_link *link = context;
    node_tracef(link->node, "group=%llu %s", (unsigned long long)link->group, line);
}

struct group *group_create(struct node *node, uint64_t id, uint64_t self, const struct raft_configuration *initial) {
    struct group *group = group_new(node, id, self, initial);
    struct log_store_write *write = node_new_write(node, group, 0);
    write->create = true;
    write->replica_id = self;
    write->has_hard_state = true;
    write->sync = true;
    node_add_write(node, write);
    start(node, group);
    return group;
}

void group_load(struct node *node, uint64_t id, uint64_t self, const struct raft_configuration *initial) {
    struct group *group = group_new(node, id, self, initial);
    group->load_request = ++node->next_request;
    node_add_load(node, id, group->load_request);
}

static void finish_loading(struct node *node, struct group *group) {
    if (group->awaits_members)
        return;
    start(node, group);
    log_store_loaded_destroy(&group->loaded);
    if (group->id == NODE_GROUP_METADATA) {
        node->metadata_ready = true;
        cluster_reconcile(node);
    }
}

void group_start_loaded(struct node *node, struct group *group) {
    lf_check(group->awaits_members && group->state == GROUP_LOADING);
    group->awaits_members = false;
    if (group->tail.first_index + group->tail.count > group->loaded->last_index)
        finish_loading(node, group); /* else it is still being read */
}

/** 2. of loading. */
static void read_on(struct node *node, struct group *group) {
    uint64_t next = group->tail.first_index + group->tail.count;
    if (next > group->loaded->last_index) {
        finish_loading(node, group);
        return;
    }
    struct pending_read *pending = node_alloc(1, sizeof *pending);
    *pending = (struct pending_read){.kind = READ_LOAD, .group = group->id};
    struct log_store_read read = {.group = group->id,
                                  .request = ++node->next_request,
                                  .from = LOG_STORE_READ_INDEX,
                                  .value = next,
                                  .last_index = group->loaded->last_index,
                                  .bytes_max = NODE_LOAD_READ_BYTES,
                                  .entries_max = PEER_ENVELOPE_ENTRIES_MAX};
    lf_check(lf_map_put(&node->reads, read.request, pending));
    node_add_read(node, &read);
}

void group_on_load_read(struct node *node, struct group *group, struct log_store_completion *completion) {
    uint64_t next = group->tail.first_index + group->tail.count;
    if (completion->status != LF_OK || completion->entry_count == 0 || completion->first_index != next) {
        node_fail(node, LF_DAMAGED, "group %llu: entry %llu cannot be read back: %.160s", (unsigned long long)group->id,
                  (unsigned long long)next,
                  completion->status != LF_OK ? completion->error.text : "the store gave something else");
        return;
    }
    for (uint32_t i = 0; i < completion->entry_count; i++) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        struct lf_error error = {0};
        enum lf_status status =
            lf_entry_check(lf_buf_bytes(completion->entries[i]), group->id, &header, &payload, &error);
        if (status == LF_OK && group->partition)
            status = partition_append(group->partition, &header, payload, &error);
        if (status != LF_OK) {
            node_fail(node, LF_DAMAGED, "group %llu: entry %llu: %.180s", (unsigned long long)group->id,
                      (unsigned long long)(next + i), error.text);
            return;
        }
        struct lf_buf *entry = completion->entries[i];
        completion->entries[i] = NULL;
        tail_cache_push(node, group, entry);
    }
    read_on(node, group);
}

/** 1. of loading. */
void group_on_load(struct node *node, struct log_store_completion *completion) {
    struct group *group = node_group(node, completion->group);
    if (!group || group->load_request != completion->id || group->state != GROUP_LOADING)
        return;
    struct lf_error error = completion->error;
    if (completion->status == LF_OK && (!completion->loaded || !completion->loaded->exists))
        completion->status = lf_error_set(&error, LF_DAMAGED, "the store does not hold it");
    if (completion->status == LF_OK && group->assigned &&
        !reconcile_loaded(node, group, completion->loaded->replica_id))
        return;
    if (completion->status == LF_OK && group->self == 0)
        group->self = completion->loaded->replica_id;
    if (completion->status == LF_OK && completion->loaded->replica_id != group->self)
        completion->status =
            lf_error_set(&error, LF_DAMAGED, "the store holds replica %llu, the cluster's metadata says %llu",
                         (unsigned long long)completion->loaded->replica_id, (unsigned long long)group->self);
    if (completion->status == LF_OK) {
        group->loaded = completion->loaded;
        completion->loaded = NULL;
        group->applied = group->loaded->applied_index;
        completion->status =
            group->partition
                ? partition_load(group->partition, group->applied, group->loaded->rows, group->loaded->row_count,
                                 group->loaded->segments, group->loaded->segment_count, &error)
                : metadata_load(node->metadata, group->applied, group->loaded->rows, group->loaded->row_count, &error);
    }
    if (completion->status == LF_OK && group->partition &&
        partition_first_index(group->partition) != group->loaded->first_index)
        completion->status = lf_error_set(&error, LF_DAMAGED, "the log begins with entry %llu, its segments with %llu",
                                          (unsigned long long)group->loaded->first_index,
                                          (unsigned long long)partition_first_index(group->partition));
    if (completion->status != LF_OK) {
        node_fail(node, completion->status, "group %llu cannot be loaded: %.180s", (unsigned long long)group->id,
                  error.text);
        return;
    }
    if (group->id == NODE_GROUP_METADATA)
        cluster_on_metadata_loaded(node, group);
    tail_init(&group->tail, group->applied + 1);
    for (size_t i = 0; i < group->loaded->staged_count; i++)
        image_staged_add(node, group, &group->loaded->staged[i]);
    read_on(node, group);
}

void group_free(struct node *node, struct group *group) {
    lf_map_remove(&node->groups, NODE_MAP_KEY(group->id));
    while (group->parked.head) {
        struct parked *parked = group->parked.head;
        parked_remove(&group->parked, parked);
        parked_free(node, parked);
    }
    cold_drop_all(node, group);
    node->uncommitted_bytes -= group->uncommitted_bytes;
    log_store_write_destroy(&group->applied_write);
    log_store_loaded_destroy(&group->loaded);
    image_source_drop(node, group);
    image_fetch_drop(node, group);
    repairs_drop(group);
    image_staged_forget(group);
    raft_destroy(&group->raft);
    partition_destroy(&group->partition);
    tail_cache_drop(node, group);
    group_segments_forget(node, group);
    free(group->trace_link);
    free(group);
}

/** The record that says so goes first, and writes take effect in order: else a restart would find the topic alive in an
 * older state of group 0 and its replica gone, and make the replica anew, empty, under the same id. */
void group_destroy_stored(struct node *node, uint64_t id) {
    struct group *metadata = node_group(node, NODE_GROUP_METADATA);
    if (metadata)
        group_flush_applied(node, metadata);
    struct group gone = {.id = id};
    struct log_store_write *write = node_new_write(node, &gone, NODE_DESTROY_TOKEN);
    lf_check(lf_map_put(&node->destroying, NODE_MAP_KEY(id), node));
    write->destroy = true;
    write->sync = true;
    node_add_write(node, write);
}

void group_destroy(struct node *node, struct group *group, enum lf_status why) {
    group->state = GROUP_STOPPED;
    parked_fail(node, group, why);
    lookups_fail_group(node, group->id, why);
    subscriptions_end_group(node, group, why, lf_status_text(why));
    log_store_write_destroy(&group->applied_write);
    group_destroy_stored(node, group->id);
    node_tracef(node, "group=%llu replica=%llu destroyed: %s", (unsigned long long)group->id,
                (unsigned long long)group->self,
                why == LF_TOPIC_DELETED ? "its topic was deleted" : "the partition moved away");
    group_free(node, group);
}
