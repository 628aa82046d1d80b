/** After every step: ES, LC, CI, CQ, MT, MC, SM; and DUR of what leaves. */
#include "check.h"

#include "ledger.h"
#include "lf_crc32c.h"
#include "partition.h"

typedef unsigned long long ull;

/** Steps between two looks at a node's own invariants. */
#define DEEP_EVERY 16
#define GROUPS_MAX 128
/** Newest entries of each group compared then. */
#define CACHED_LOOKED_AT 8

static void on_leader(struct sim_host *host, struct sim_group *group, struct sim_log *log) {
    struct sim_world *world = host->world;
    uint64_t term = log->term;
    group->leaders = sim_grown(group->leaders, &group->leader_capacity, term + 1, sizeof *group->leaders);
    if (group->leaders[term] != 0 && group->leaders[term] != log->replica && !group->condemned)
        sim_fail(world, "ES: group %llu term %llu is led by replica %llu and by replica %llu (node %u)", (ull)group->id,
                 (ull)term, (ull)group->leaders[term], (ull)log->replica, host->id);
    if (group->leaders[term] == 0) {
        world->totals.leaders++;
        world->totals.leader_changes += group->leader_terms > 0;
        group->leader_terms++;
    }
    group->leaders[term] = log->replica;
    log->led_term = term;
    for (uint64_t i = 1; i <= group->committed && !group->condemned; i++) {
        const struct sim_index *index = &group->indexes[i - 1];
        if (index->committed_in < term && (i > log->last || log->entries[i - 1].term != index->term))
            sim_fail(world, "LC: node %u leads group %llu in term %llu without %llu^%llu, committed in term %llu",
                     host->id, (ull)group->id, (ull)term, (ull)i, (ull)index->term, (ull)index->committed_in);
    }
}

/** CQ: on how many of these voters is the entry durable? */
static uint32_t durable_on(struct sim_world *world, uint64_t group, const uint64_t *voters, uint32_t voter_count,
                           uint64_t index, uint64_t term) {
    uint32_t count = 0;
    for (uint32_t n = 0; n < world->node_count; n++) {
        const struct sim_log *log = sim_log(&world->hosts[n], group, false);
        if (!log || log->durable < index || log->entries[index - 1].term != term)
            continue;
        for (uint32_t v = 0; v < voter_count; v++)
            count += voters[v] == log->replica;
    }
    return count;
}

static void check_durable(const struct sim_host *host, uint64_t group, const uint64_t *voters, uint32_t voter_count,
                          uint64_t index, uint64_t term) {
    uint32_t held = durable_on(host->world, group, voters, voter_count, index, term);
    if (held <= voter_count / 2)
        sim_fail(host->world, "CQ: node %u group %llu commits %llu^%llu, durable on %u of %u", host->id, (ull)group,
                 (ull)index, (ull)term, held, voter_count);
}

static void on_commit(struct sim_host *host, struct sim_group *group, const struct sim_log *log,
                      const struct raft *raft, uint64_t at) {
    struct sim_world *world = host->world;
    if (at > log->last)
        sim_fail(world, "node %u group %llu commits %llu beyond its log, %zu", host->id, (ull)group->id, (ull)at,
                 log->last);
    const struct sim_entry *entry = &log->entries[at - 1];
    struct sim_index *index = sim_group_index(group, at);
    if (group->condemned)
        return;
    if (index->committed) {
        if (index->term != entry->term || index->sum != entry->sum)
            sim_fail(world, "CI: node %u group %llu commits %llu^%llu, but %llu^%llu was committed", host->id,
                     (ull)group->id, (ull)at, (ull)entry->term, (ull)at, (ull)index->term);
        return;
    }
    const struct raft_configuration *members = raft_configuration(raft);
    if (world->wiped == 0) { /* else what was durable on a voter may be no more */
        check_durable(host, group->id, members->voters, members->voter_count, at, entry->term);
        if (members->outgoing_count > 0)
            check_durable(host, group->id, members->outgoing, members->outgoing_count, at, entry->term);
    }
    world->totals.joint_commits += members->outgoing_count > 0;
    index->committed = true;
    index->term = entry->term;
    index->sum = entry->sum;
    index->committed_in = raft_term(raft);
    group->committed = at;
    world->totals.entries++;
}

/** The log start only rises, and only where somebody asked for it. */
static void on_log_start(struct sim_host *host, struct sim_log *log, int64_t start) {
    struct sim_world *world = host->world;
    if (start < log->log_start)
        sim_fail(world, "node %u group %llu: its log start falls from %lld to %lld", host->id, (ull)log->group,
                 (long long)log->log_start, (long long)start);
    log->log_start = start;
    for (size_t i = 0; i < world->topic_count; i++)
        for (uint32_t k = 0; k < world->topics[i]->partition_count; k++) {
            struct sim_topic *topic = world->topics[i];
            if (node_find_group(host->node, topic->name, k) != log->group || !topic->main)
                continue;
            if (!topic->retains)
                sim_fail(world, "node %u drops what is before %s-%u offset %lld, and nobody asked for it", host->id,
                         topic->name, k, (long long)start);
            if (start > topic->partitions[k].log_start)
                topic->partitions[k].log_start = start;
        }
}

static void on_applied(struct sim_host *host, struct sim_group *group, struct sim_log *log, uint64_t applied) {
    if (applied > log->commit)
        sim_fail(host->world, "node %u group %llu applied %llu, committed %llu", host->id, (ull)group->id, (ull)applied,
                 (ull)log->commit);
    log->applied = applied;
    const struct partition *partition = node_group_partition(host->node, log->group);
    if (partition && partition_log_start_offset(partition) != log->log_start && !group->condemned)
        on_log_start(host, log, partition_log_start_offset(partition));
    uint32_t state = node_group_applied_checksum(host->node, group->id);
    struct sim_index *index = sim_group_index(group, applied);
    if (index->state_known && index->state != state && !group->condemned)
        sim_fail(host->world, "SM: node %u group %llu: its state after %llu differs from another replica's", host->id,
                 (ull)group->id, (ull)applied);
    index->state_known = true;
    index->state = state;
}

static void check_group(struct sim_host *host, struct sim_log *log, const struct raft *raft) {
    struct sim_world *world = host->world;
    struct sim_group *group = log->of;
    uint64_t term = raft_term(raft), commit = raft_commit(raft);
    uint64_t applied = node_group_applied(host->node, log->group);
    if (raft_last_index(raft) != log->last)
        sim_fail(world, "node %u group %llu: its log ends at %llu, what it wrote at %zu", host->id, (ull)log->group,
                 (ull)raft_last_index(raft), log->last);
    if (term < log->term || commit < log->commit || applied < log->applied)
        sim_fail(world,
                 "MT/MC: node %u group %llu goes back: term %llu to %llu, commit %llu to %llu, applied %llu to %llu",
                 host->id, (ull)log->group, (ull)log->term, (ull)term, (ull)log->commit, (ull)commit, (ull)log->applied,
                 (ull)applied);
    log->term = term;
    if (raft_role(raft) == RAFT_LEADER && log->led_term != term)
        on_leader(host, group, log);
    if (log->led_term == term && raft_role(raft) == RAFT_LEADER && commit > log->commit && commit <= log->last &&
        log->entries[commit - 1].term != term)
        sim_fail(world, "CQ: node %u leads group %llu in term %llu and counts votes for %llu^%llu, an older term's",
                 host->id, (ull)log->group, (ull)term, (ull)commit, (ull)log->entries[commit - 1].term);
    for (; log->commit < commit; log->commit++)
        on_commit(host, group, log, raft, log->commit + 1);
    if (applied != log->applied)
        on_applied(host, group, log, applied);
}

/** What a node keeps in memory is what it wrote. */
static void check_cached(struct sim_host *host, const struct sim_log *log) {
    for (uint64_t index = log->last; index > 0 && index + CACHED_LOOKED_AT > log->last; index--) {
        const struct lf_buf *bytes = node_group_entry(host->node, log->group, index);
        if (bytes && lf_crc32c(0, bytes->data, bytes->size) != log->entries[index - 1].sum)
            sim_fail(host->world, "node %u group %llu keeps another entry at %llu than it wrote", host->id,
                     (ull)log->group, (ull)index);
    }
}

static void deep_check(struct sim_host *host) {
    host->world->totals.deep_checks++;
    node_check_invariants(host->node);
    for (size_t i = 0; i < host->log_count; i++)
        if (host->logs[i].running && !host->logs[i].of->condemned)
            check_cached(host, &host->logs[i]);
}

void sim_check_step(struct sim_host *host) {
    uint64_t ids[GROUPS_MAX];
    const struct raft *rafts[GROUPS_MAX];
    size_t at[GROUPS_MAX]; /* in `logs`, which may move as it grows */
    size_t count = node_groups(host->node, ids, GROUPS_MAX);
    host->fresh &= count == 0;
    if (count > GROUPS_MAX)
        sim_fail(host->world, "node %u runs %zu groups", host->id, count);
    for (size_t i = 0; i < count; i++) {
        struct sim_log *log = sim_log(host, ids[i], true);
        rafts[i] = node_group_raft(host->node, ids[i]);
        at[i] = (size_t)(log - host->logs);
        if (!log->running)
            sim_check_restarted(host, log, rafts[i]);
        log->running = true;
    }
    for (size_t i = 0; i < host->effects.write_count; i++)
        sim_check_write(host, host->effects.writes[i], host->next_write + 1 + i);
    for (size_t i = 0; i < count; i++)
        check_group(host, &host->logs[at[i]], rafts[i]);
    if (host->world->totals.steps % DEEP_EVERY == 0)
        deep_check(host);
}

static void check_message(struct sim_host *host, const struct raft_message *message, const struct sim_log *log) {
    struct sim_world *world = host->world;
    uint64_t promised = 0, term = message->term, vote = 0;
    switch (message->type) {
    case RAFT_VOTE_REQUEST:
        promised = message->vote_request.last_index;
        vote = log->replica;
        break;
    case RAFT_VOTE_REPLY:
        if (message->vote_reply.granted)
            vote = message->to;
        break;
    case RAFT_APPEND_REPLY:
        if (message->append_reply.accepted)
            promised = message->append_reply.durable;
        break;
    case RAFT_HEARTBEAT_REPLY:
        promised = message->heartbeat.commit;
        break;
    default:
        return;
    }
    if (promised > log->durable)
        sim_fail(world, "DUR: node %u group %llu promises %llu in message %d; durable: %llu", host->id, (ull)log->group,
                 (ull)promised, (int)message->type, (ull)log->durable);
    if (vote != 0 && (log->durable_term < term || (log->durable_term == term && log->durable_vote != vote)))
        sim_fail(world, "DUR: node %u group %llu sends its vote for %llu in term %llu; durable: term %llu vote %llu",
                 host->id, (ull)log->group, (ull)vote, (ull)term, (ull)log->durable_term, (ull)log->durable_vote);
}

void sim_check_envelope(struct sim_host *host, const struct peer_envelope *envelope) {
    for (size_t i = 0; i < envelope->message_count; i++) {
        const struct peer_message *message = &envelope->messages[i];
        const struct sim_log *log = sim_log(host, message->group, false);
        if (log && !log->of->condemned)
            check_message(host, &message->raft, log);
    }
}
