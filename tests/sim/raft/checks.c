#include "raft_configuration.h"
#include "sim.h"

#include <stdlib.h>
#include <string.h>

/** From the end of the faults to the first commit, and from one to the next until a proposal made after the faults is
 *  acknowledged: what piled up before it goes first, and may take its time through a small window, but never stands. */
#define RECOVERY_US_MAX 2000000u

static unsigned long long u(uint64_t value) { return value; }

static struct sim_index *at_index(struct sim_world *world, uint64_t index) {
    world->indexes = sim_grown(world->indexes, &world->index_capacity, index + 1, sizeof *world->indexes);
    return &world->indexes[index];
}

/** Log matching by induction: equal (index, term) means an equal entry and an equal term before it. */
void sim_check_entry(struct sim_host *host, uint64_t index) {
    struct sim_world *world = host->world;
    const struct sim_entry *entry = &host->log.entries[index - 1];
    uint64_t term_before = index > 1 ? host->log.entries[index - 2].term : 0;
    struct sim_index *at = at_index(world, index);
    for (uint32_t i = 0; i < at->count; i++) {
        if (at->known[i].term != entry->term)
            continue;
        if (at->known[i].value != entry->value || at->known[i].term_before != term_before)
            sim_fail(world,
                     "log matching: node %llu holds %llu^%llu with value %llu after term %llu; known: %llu, %llu",
                     u(host->id), u(index), u(entry->term), u(entry->value), u(term_before), u(at->known[i].value),
                     u(at->known[i].term_before));
        return;
    }
    at->known = realloc(at->known, (at->count + 1) * sizeof *at->known);
    if (!at->known)
        sim_fail(world, "no memory");
    at->known[at->count++] = (struct sim_known){.term = entry->term, .value = entry->value, .term_before = term_before};
}

static bool same_entry(const struct sim_log *log, uint64_t index, const struct sim_entry *entry) {
    return log->count >= index && log->entries[index - 1].term == entry->term &&
           log->entries[index - 1].value == entry->value;
}

static void check_durable_on(struct sim_host *host, uint64_t index, const struct sim_entry *entry,
                             const uint64_t *voters, uint32_t count) {
    struct sim_world *world = host->world;
    uint32_t holders = 0;
    for (uint32_t i = 0; i < count; i++)
        holders += same_entry(&sim_host(world, voters[i])->disk.log, index, entry);
    if (holders <= count / 2)
        sim_fail(world, "node %llu commits %llu^%llu, which is on the disks of %u of %u voters", u(host->id), u(index),
                 u(entry->term), holders, count);
}

/** A step that commits may append the next configuration after that; its voters are those of the incoming half. */
static void check_durable_on_majority(struct sim_host *host, uint64_t index, const struct sim_entry *entry) {
    const struct raft_configuration *configuration = raft_configuration(host->raft);
    check_durable_on(host, index, entry, configuration->voters, configuration->voter_count);
    if (configuration->outgoing_count > 0)
        check_durable_on(host, index, entry, configuration->outgoing, configuration->outgoing_count);
    host->world->totals.led_by_leaving += !raft_configuration_is_voter(configuration, host->id);
}

static uint64_t last_word(const struct sim_world *world) {
    return world->last_commit_after_faults ? world->last_commit_after_faults : world->faults_end;
}

void sim_check_gap(const struct sim_world *world, const char *to) {
    uint64_t from = last_word(world);
    if (world->now - from > RECOVERY_US_MAX)
        sim_fail(world, "%.3f ms from %s to %s", (double)(world->now - from) / 1000.0,
                 world->last_commit_after_faults ? "a commit" : "the end of the faults", to);
}

static void committed_more(struct sim_world *world) {
    if (!world->recovering)
        return;
    uint64_t gap = world->now - last_word(world);
    if (world->last_commit_after_faults == 0 || world->first_ack_after_faults == 0) {
        sim_check_gap(world, "the next commit");
        world->longest_gap_us = gap > world->longest_gap_us ? gap : world->longest_gap_us;
    }
    world->last_commit_after_faults = world->now;
}

static void check_commit(struct sim_host *host) {
    struct sim_world *world = host->world;
    uint64_t commit = raft_commit(host->raft);
    for (uint64_t index = host->commit_seen + 1; index <= commit; index++) {
        const struct sim_entry *entry = &host->log.entries[index - 1];
        struct sim_index *at = at_index(world, index);
        if (!at->committed) {
            if (!world->options.outcomes_only)
                check_durable_on_majority(host, index, entry);
            at->committed = true;
            at->entry = *entry;
            at->committed_in = raft_term(host->raft);
        }
        if (at->entry.term != entry->term || at->entry.value != entry->value)
            sim_fail(world,
                     "state machine safety: node %llu commits %llu^%llu value %llu, committed was %llu^%llu value %llu",
                     u(host->id), u(index), u(entry->term), u(entry->value), u(index), u(at->entry.term),
                     u(at->entry.value));
    }
    host->commit_seen = commit;
    if (commit > world->committed) {
        world->committed = commit;
        committed_more(world);
    }
}

static void check_new_leader(struct sim_host *host) {
    struct sim_world *world = host->world;
    uint64_t term = raft_term(host->raft);
    if (world->leaders[term] == host->id)
        return;
    if (world->leaders[term] != 0)
        sim_fail(world, "two leaders in term %llu: %llu and %llu", u(term), u(world->leaders[term]), u(host->id));
    world->leaders[term] = host->id;
    world->totals.elections++;
    world->totals.transferred += term > 0 && world->handed_to[term - 1] == host->id;
    for (uint64_t index = 1; index <= world->committed; index++)
        if (world->indexes[index].committed_in < term && !same_entry(&host->log, index, &world->indexes[index].entry))
            sim_fail(world, "leader completeness: node %llu leads term %llu without committed %llu^%llu", u(host->id),
                     u(term), u(index), u(world->indexes[index].entry.term));
}

static void check_configuration(struct sim_host *host) {
    uint32_t number = 1;
    for (size_t i = host->log.count; i > 0 && number == 1; i--)
        if (host->log.entries[i - 1].configuration != 0)
            number = host->log.entries[i - 1].configuration;
    const struct raft_configuration *last = sim_configuration(host->world, number);
    if (memcmp(raft_configuration(host->raft), last, sizeof *last) != 0)
        sim_fail(host->world, "node %llu has a configuration of epoch %llu in force, its log's last is of %llu",
                 u(host->id), u(raft_configuration(host->raft)->epoch), u(last->epoch));
}

void sim_check_step(struct sim_host *host) {
    struct sim_world *world = host->world;
    uint64_t term = raft_term(host->raft);
    if (term >= SIM_TERMS_MAX)
        sim_fail(world, "term %llu: terms run away", u(term));
    if (raft_last_index(host->raft) != host->log.count)
        sim_fail(world, "node %llu: log end %llu, its owner holds %zu", u(host->id), u(raft_last_index(host->raft)),
                 host->log.count);
    if (world->effects.commit != raft_commit(host->raft))
        sim_fail(world, "node %llu: effects say commit %llu", u(host->id), u(world->effects.commit));
    check_commit(host);
    if (raft_role(host->raft) == RAFT_LEADER)
        check_new_leader(host);
    if (raft_previous_index(host->raft) != host->log.previous ||
        (host->log.previous > 0 &&
         raft_entry_term(host->raft, host->log.previous) != host->log.entries[host->log.previous - 1].term))
        sim_fail(world, "node %llu: log begins after %llu^%llu, its owner's after %llu", u(host->id),
                 u(raft_previous_index(host->raft)), u(raft_entry_term(host->raft, raft_previous_index(host->raft))),
                 u(host->log.previous));
    if (world->effects.truncated_from != 0 || world->effects.persist.count > 0 || world->effects.persist.install)
        check_configuration(host);
    if (world->effects.contradicted_index != 0)
        sim_fail(world, "node %llu has committed another entry %llu than its leader has", u(host->id),
                 u(world->effects.contradicted_index));
    uint64_t damaged = world->effects.damaged_peer;
    if (damaged != 0 && !sim_host(world, damaged)->lossy)
        sim_fail(world, "node %llu takes %llu for damaged; its disk lost nothing that it synced", u(host->id),
                 u(damaged));
}

/** Of a committed entry, the very one, and forwards. */
void sim_check_install(struct sim_host *host, const struct raft_persist *persist) {
    struct sim_world *world = host->world;
    uint64_t index = persist->install_index;
    const struct sim_index *at = at_index(world, index);
    if (!at->committed || at->entry.term != persist->install_term)
        sim_fail(world, "node %llu installs an image of %llu^%llu, which is not committed", u(host->id), u(index),
                 u(persist->install_term));
    if (index <= host->commit_seen || index <= host->log.previous)
        sim_fail(world, "node %llu installs an image of %llu over commit %llu", u(host->id), u(index),
                 u(host->commit_seen));
    if (persist->count > 0 || persist->truncate)
        sim_fail(world, "node %llu writes more of a log beside an image", u(host->id));
}

static void promise(struct sim_host *host, uint64_t term, uint64_t index) {
    if (term > host->promised_term) {
        host->promised_term = term;
        host->promised_index = 0;
    }
    if (index > host->promised_index)
        host->promised_index = index;
}

static void check_vote(struct sim_host *host, uint64_t term, uint64_t to, const char *what) {
    if (host->disk.term != term || host->disk.vote != to)
        sim_fail(host->world, "node %llu sends %s in term %llu; its disk says term %llu, vote %llu", u(host->id), what,
                 u(term), u(host->disk.term), u(host->disk.vote));
    if (host->votes[term] != 0 && host->votes[term] != to)
        sim_fail(host->world, "node %llu votes for %llu and %llu in term %llu", u(host->id), u(host->votes[term]),
                 u(to), u(term));
    host->votes[term] = to;
    promise(host, term, 0);
}

static void check_log_end(struct sim_host *host, const struct raft_message *message) {
    const struct sim_log *log = &host->disk.log;
    uint64_t last_term = log->count > 0 ? log->entries[log->count - 1].term : 0;
    if (message->vote_request.last_index != log->count || message->vote_request.last_term != last_term)
        sim_fail(host->world, "node %llu asks for votes with log end %llu^%llu; on its disk is %zu^%llu", u(host->id),
                 u(message->vote_request.last_index), u(message->vote_request.last_term), log->count, u(last_term));
}

static void check_acknowledgement(struct sim_host *host, uint64_t term, uint64_t durable) {
    if (durable == 0)
        return;
    if (host->disk.term != term)
        sim_fail(host->world, "node %llu acknowledges in term %llu; its disk says %llu", u(host->id), u(term),
                 u(host->disk.term));
    if (durable > host->log.count || !same_entry(&host->disk.log, durable, &host->log.entries[durable - 1]))
        sim_fail(host->world, "node %llu acknowledges %llu; its disk does not hold it", u(host->id), u(durable));
    promise(host, term, durable);
}

/** A message is a promise: is what it rests on durable when it leaves? */
void sim_check_message(struct sim_host *host, const struct raft_message *message) {
    if (message->from != host->id || message->to == host->id || message->to == 0)
        sim_fail(host->world, "node %llu sends from %llu to %llu", u(host->id), u(message->from), u(message->to));
    if (message->type == RAFT_TIMEOUT_NOW)
        host->world->handed_to[message->term] = message->to;
    if (host->world->options.outcomes_only)
        return;
    switch (message->type) {
    case RAFT_VOTE_REQUEST:
        check_vote(host, message->term, host->id, "a vote request");
        check_log_end(host, message);
        break;
    case RAFT_VOTE_REPLY:
        if (message->vote_reply.granted)
            check_vote(host, message->term, message->to, "a vote");
        break;
    case RAFT_APPEND_REPLY:
        if (message->append_reply.accepted)
            check_acknowledgement(host, message->term, message->append_reply.durable);
        break;
    case RAFT_HEARTBEAT_REPLY:
        check_acknowledgement(host, message->term, message->heartbeat.commit);
        break;
    default:
        break;
    }
}

void sim_check_start(struct sim_host *host) {
    if (raft_term(host->raft) < host->promised_term)
        sim_fail(host->world, "node %llu starts in term %llu, it made a promise in %llu", u(host->id),
                 u(raft_term(host->raft)), u(host->promised_term));
    if (raft_term(host->raft) == host->promised_term && host->log.count < host->promised_index)
        sim_fail(host->world, "node %llu starts with log end %zu, it acknowledged %llu", u(host->id), host->log.count,
                 u(host->promised_index));
    if (raft_commit(host->raft) < host->disk.commit) /* B13 */
        sim_fail(host->world, "node %llu starts with commit %llu, it had applied %llu", u(host->id),
                 u(raft_commit(host->raft)), u(host->disk.commit));
    if (raft_commit(host->raft) > host->log.count)
        sim_fail(host->world, "node %llu starts with commit beyond its log", u(host->id));
}
