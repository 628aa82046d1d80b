/** The checkers' own picture of every log: LM, MV, MT and DUR. */
#include "check.h"

#include "ledger.h"

#include "lf_crc32c.h"
#include "lf_entry.h"
#include "lf_record_batch.h"

#include <stdlib.h>

typedef unsigned long long ull;

struct sim_group *sim_group(struct sim_world *world, uint64_t id) {
    for (size_t i = 0; i < world->group_count; i++)
        if (world->groups[i]->id == id)
            return world->groups[i];
    struct sim_group *group = sim_alloc(1, sizeof *group);
    group->id = id;
    world->groups = sim_grown(world->groups, &world->group_capacity, world->group_count + 1, sizeof *world->groups);
    world->groups[world->group_count++] = group;
    return group;
}

struct sim_index *sim_group_index(struct sim_group *group, uint64_t index) {
    group->indexes = sim_grown(group->indexes, &group->index_capacity, index, sizeof *group->indexes);
    if (index > group->index_count)
        group->index_count = index;
    return &group->indexes[index - 1];
}

struct sim_log *sim_log(struct sim_host *host, uint64_t group, bool make) {
    for (size_t i = 0; i < host->log_count; i++)
        if (host->logs[i].group == group)
            return &host->logs[i];
    if (!make)
        return NULL;
    host->logs = sim_grown(host->logs, &host->log_capacity, host->log_count + 1, sizeof *host->logs);
    struct sim_log *log = &host->logs[host->log_count++];
    *log = (struct sim_log){.group = group, .of = sim_group(host->world, group)};
    return log;
}

const struct sim_known *sim_known_entry(const struct sim_index *index, uint64_t term) {
    const struct sim_known *known = index->known;
    while (known && known->term != term)
        known = known->next;
    return known;
}

/** -1: it is no batch. */
static int64_t max_timestamp(const struct lf_entry_header *header, struct lf_bytes payload) {
    struct lf_batch_header batch;
    if (header->type != LF_ENTRY_BATCH || lf_batch_header_decode(payload, &batch) != LF_OK)
        return -1;
    int64_t cap = (int64_t)header->log_time_ms + LOG_STORE_TIME_AHEAD_MS_MAX;
    return batch.max_timestamp_ms < cap ? batch.max_timestamp_ms : cap;
}

/** LM: whoever holds (index, term) holds the same bytes and, one step back, the same term before it. */
static void note_entry(struct sim_host *host, struct sim_log *log, uint64_t at, const struct sim_entry *entry,
                       const struct lf_buf *bytes, int64_t max_timestamp_ms) {
    struct sim_group *group = log->of;
    struct sim_index *index = sim_group_index(group, at);
    uint64_t before = at > 1 ? log->entries[at - 2].term : 0;
    const struct sim_known *known = sim_known_entry(index, entry->term);
    if (!known) {
        struct sim_known *more = sim_alloc(1, sizeof *more);
        *more = (struct sim_known){.term = entry->term,
                                   .term_before = before,
                                   .sum = entry->sum,
                                   .max_timestamp_ms = max_timestamp_ms,
                                   .next = index->known};
        memcpy(more->header, bytes->data, sizeof more->header);
        index->known = more;
    } else if (!group->condemned && (known->sum != entry->sum || known->term_before != before)) {
        sim_fail(host->world, "LM: node %u group %llu holds another entry at %llu^%llu (before it ^%llu, known ^%llu)",
                 host->id, (ull)log->group, (ull)at, (ull)entry->term, (ull)before, (ull)known->term_before);
    }
}

static void cut(struct sim_host *host, struct sim_log *log, uint64_t from) {
    if (from == 0 || from > log->last)
        return;
    const struct sim_group *group = log->of;
    if (from <= log->commit && !group->condemned)
        sim_fail(host->world, "CI: node %u group %llu truncates from %llu, committed up to %llu", host->id,
                 (ull)log->group, (ull)from, (ull)log->commit);
    host->world->totals.truncations++;
    log->last = from - 1;
    if (log->durable > log->last)
        log->durable = log->last;
}

static void put(struct sim_host *host, struct sim_log *log, uint64_t index, const struct lf_buf *bytes,
                uint64_t number) {
    struct lf_entry_header header;
    struct lf_bytes payload;
    struct lf_error error = {0};
    if (lf_entry_check(lf_buf_bytes(bytes), log->group, &header, &payload, &error) != LF_OK || header.index != index)
        sim_fail(host->world, "node %u group %llu writes a bad entry at %llu: %s", host->id, (ull)log->group,
                 (ull)index, error.text);
    if (index != log->last + 1)
        sim_fail(host->world, "LM: node %u group %llu writes entry %llu after %zu", host->id, (ull)log->group,
                 (ull)index, log->last);
    log->entries = sim_grown(log->entries, &log->capacity, log->last + 1, sizeof *log->entries);
    struct sim_entry *entry = &log->entries[log->last++];
    uint64_t since = index <= log->kept ? entry->write : number;
    *entry = (struct sim_entry){header.term, lf_crc32c(0, bytes->data, bytes->size), since};
    note_entry(host, log, index, entry, bytes, max_timestamp(&header, payload));
}

/** Is it the group of a topic that lives, as this node knows? Then only this replica goes. */
static bool moved_away(const struct sim_host *host, uint64_t group) {
    const struct sim_world *world = host->world;
    for (size_t i = 0; i < world->topic_count; i++)
        for (uint32_t k = 0; k < world->topics[i]->partition_count; k++)
            if (node_find_group(host->node, world->topics[i]->name, k) == group) {
                host->world->totals.replicas_moved_away++;
                return true;
            }
    return false;
}

/** Another replica of a group that this store held before, and destroyed: a log of its own. */
static void begin_anew(struct sim_log *log, uint64_t replica) {
    struct sim_log fresh = {
        .group = log->group, .of = log->of, .replica = replica, .entries = log->entries, .capacity = log->capacity};
    free(log->staged);
    *log = fresh;
}

void sim_check_write(struct sim_host *host, const struct log_store_write *write, uint64_t number) {
    struct sim_log *log = sim_log(host, write->group, true);
    if (write->destroy) {
        sim_check_segments(host, log, write);
        sim_group(host->world, write->group)->condemned |= !moved_away(host, write->group);
        log->destroying = true;
        log->running = false;
        log->term = log->commit = log->applied = log->led_term = 0;
        log->last = log->durable = 0;
        log->durable_term = log->durable_vote = 0;
        return;
    }
    if (write->create && log->replica != write->replica_id)
        log->replica = write->replica_id;
    cut(host, log, write->truncate_from);
    uint64_t durable = write->install ? sim_check_install(host, log, write, number) : log->durable;
    host->world->totals.seals += write->seal_count;
    host->world->totals.drops += write->drop_before != 0;
    host->world->totals.rewrites += write->replacement_count > 0;
    for (uint32_t i = 0; i < write->entry_count; i++)
        put(host, log, write->first_index + i, write->entries[i], number);
    log->durable = durable;
    log->kept = 0;
    sim_check_segments(host, log, write);
    if (write->applied_index > log->last)
        sim_fail(host->world, "node %u group %llu writes applied state of %llu ahead of its log, %zu", host->id,
                 (ull)write->group, (ull)write->applied_index, log->last);
}

void sim_check_wrote(struct sim_host *host, const struct sim_pending_write *write) {
    struct sim_log *log = sim_log(host, write->group, true);
    log->destroyed |= write->destroy && !log->running; /* else it is another replica already */
    if (write->drop_before > log->first_durable)
        log->first_durable = write->drop_before;
    while (log->durable < log->last && log->entries[log->durable].write <= write->number)
        log->durable++;
    if (!write->hard_state || write->create || sim_group(host->world, write->group)->condemned)
        return;
    if (write->term < log->durable_term)
        sim_fail(host->world, "MT: node %u group %llu: its durable term falls from %llu to %llu", host->id,
                 (ull)write->group, (ull)log->durable_term, (ull)write->term);
    if (write->term == log->durable_term && log->durable_vote != 0 && write->vote != log->durable_vote)
        sim_fail(host->world, "MV: node %u group %llu votes for %llu and for %llu in term %llu", host->id,
                 (ull)write->group, (ull)log->durable_vote, (ull)write->vote, (ull)write->term);
    log->durable_term = write->term;
    log->durable_vote = write->vote;
}

void sim_check_ask(struct sim_host *host, const struct log_store_read *read) {
    const struct sim_log *log = sim_log(host, read->group, false);
    if (read->from != LOG_STORE_READ_INDEX && log && log->running && read->last_index > log->durable)
        sim_fail(host->world, "RD: node %u group %llu reads entries up to %llu, on its disk are %llu", host->id,
                 (ull)read->group, (ull)read->last_index, (ull)log->durable);
}

/** Byte for byte; where key compaction was, a batch may lack records: then all that its header says beside its size. */
static bool is_what_was_written(const struct sim_log *log, uint64_t index, const struct lf_buf *bytes) {
    const struct sim_entry *entry = &log->entries[index - 1];
    if (entry->sum == lf_crc32c(0, bytes->data, bytes->size))
        return true;
    const struct sim_known *known = sim_known_entry(sim_group_index(log->of, index), entry->term);
    const size_t kept = 16; /* of the header: from the index on */
    return index <= log->rewritten && known && known->header[5] == LF_ENTRY_BATCH && bytes->data[5] == LF_ENTRY_BATCH &&
           memcmp(known->header + kept, bytes->data + kept, LF_ENTRY_HEADER_BYTES - kept) == 0;
}

/** Only what is durable is compared: of the rest the store may still hold what was there before a truncation. */
void sim_check_read(struct sim_host *host, const struct log_store_completion *completion) {
    const struct sim_log *log = sim_log(host, completion->group, false);
    if (!log || !log->running || log->of->condemned)
        return;
    uint64_t expected = completion->first_index;
    for (uint32_t i = 0; i < completion->entry_count; i++, expected++) {
        const struct lf_buf *bytes = completion->entries[i];
        uint64_t index = lf_get_le64(bytes->data + 16);
        if (index < expected || (index > expected && index - 1 > log->rewritten))
            sim_fail(host->world, "RD: node %u group %llu reads back entry %llu where it should have %llu", host->id,
                     (ull)completion->group, (ull)index, (ull)expected);
        if (index <= log->durable && !is_what_was_written(log, index, bytes))
            sim_fail(host->world, "RD: node %u group %llu reads back another entry at %llu than it wrote", host->id,
                     (ull)completion->group, (ull)index);
        expected = index;
    }
}

void sim_check_process_ended(struct sim_host *host) {
    for (size_t i = 0; i < host->log_count; i++) {
        struct sim_log *log = &host->logs[i];
        log->running = false;
        log->term = log->commit = log->applied = log->led_term = 0;
        log->log_start = 0;
    }
}

/** The log and hard state with which the process began: before the writes of this step. */
static uint64_t began_with(const struct sim_host *host, uint64_t group, uint64_t last, bool *hard_state) {
    *hard_state = false;
    for (size_t i = 0; i < host->effects.write_count; i++) {
        const struct log_store_write *write = host->effects.writes[i];
        if (write->group != group)
            continue;
        *hard_state |= write->has_hard_state;
        if (write->entry_count > 0 && write->first_index <= last)
            last = write->first_index - 1;
    }
    return last;
}

/** Of what is before the log, it is what was committed. */
static uint64_t term_held(const struct raft *raft, struct sim_group *group, uint64_t index) {
    return index < raft_previous_index(raft) ? sim_group_index(group, index)->term : raft_entry_term(raft, index);
}

void sim_check_restarted(struct sim_host *host, struct sim_log *log, const struct raft *raft) {
    struct sim_group *group = log->of;
    bool written;
    uint64_t last = began_with(host, log->group, raft_last_index(raft), &written), term = raft_term(raft);
    if (log->replica != 0 && log->replica != raft_self(raft)) {
        if (raft_self(raft) < log->replica || !(log->destroyed || log->destroying))
            sim_fail(host->world, "node %u group %llu runs replica %llu, its store holds replica %llu", host->id,
                     (ull)log->group, (ull)raft_self(raft), (ull)log->replica);
        begin_anew(log, raft_self(raft));
    }
    if (log->destroyed)
        sim_fail(host->world, "node %u group %llu was destroyed and runs again", host->id, (ull)log->group);
    log->replica = raft_self(raft);
    if (group->condemned) {
        log->last = log->durable = 0;
        log->durable_term = log->durable_vote = 0;
    }
    if (term < log->durable_term ||
        (term == log->durable_term && log->durable_vote && raft_vote(raft) != log->durable_vote))
        sim_fail(host->world, "DUR: node %u group %llu starts in term %llu with vote %llu; durable: %llu, %llu",
                 host->id, (ull)log->group, (ull)term, (ull)raft_vote(raft), (ull)log->durable_term,
                 (ull)log->durable_vote);
    if (last < log->durable)
        sim_fail(host->world, "DUR: node %u group %llu starts with log end %llu; durable: %llu", host->id,
                 (ull)log->group, (ull)last, (ull)log->durable);
    for (uint64_t i = 1; i <= log->durable; i++)
        if (term_held(raft, group, i) != log->entries[i - 1].term && !group->condemned)
            sim_fail(host->world, "DUR: node %u group %llu starts with another entry at %llu", host->id,
                     (ull)log->group, (ull)i);
    log->entries = sim_grown(log->entries, &log->capacity, last, sizeof *log->entries);
    for (uint64_t i = log->durable + 1; i <= last; i++) { /* of what was under way, something reached the disk */
        uint64_t of = term_held(raft, group, i);
        const struct sim_known *known = sim_known_entry(sim_group_index(group, i), of);
        if (!known && !group->condemned)
            sim_fail(host->world, "node %u group %llu starts with an entry %llu^%llu that nobody wrote", host->id,
                     (ull)log->group, (ull)i, (ull)of);
        log->entries[i - 1] = (struct sim_entry){of, known ? known->sum : 0, 0};
    }
    log->last = log->durable = last;
    if (!written) {
        log->durable_term = term;
        log->durable_vote = raft_vote(raft);
    }
}

void sim_check_forget(struct sim_host *host) {
    for (size_t i = 0; i < host->log_count; i++) {
        free(host->logs[i].entries);
        free(host->logs[i].staged);
    }
    free(host->logs);
    host->logs = NULL;
    host->log_count = host->log_capacity = 0;
}

void sim_check_deinit(struct sim_world *world) {
    for (size_t i = 0; i < world->group_count; i++) {
        struct sim_group *group = world->groups[i];
        for (size_t k = 0; k < group->index_count; k++)
            while (group->indexes[k].known) {
                struct sim_known *next = group->indexes[k].known->next;
                free(group->indexes[k].known);
                group->indexes[k].known = next;
            }
        free(group->indexes);
        free(group->segments);
        free(group->leaders);
        free(group);
    }
    free(world->groups);
}
