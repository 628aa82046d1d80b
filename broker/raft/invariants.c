#include "raft_internal.h"

static void check_log(const struct raft *raft) {
    const struct raft_log *log = &raft->log;
    uint64_t index = log->previous_index, term = log->previous_term;
    lf_check((log->run_count == 0) == (log->last_index == log->previous_index));
    for (size_t i = 0; i < log->run_count; i++) {
        lf_check(i > 0 ? log->runs[i].first_index > index : log->runs[i].first_index == index + 1);
        lf_check(i > 0 ? log->runs[i].term > term : log->runs[i].term >= term);
        index = log->runs[i].first_index;
        term = log->runs[i].term;
    }
    lf_check(index <= log->last_index);
    lf_check(term <= raft->term);
    lf_check(log->run_count <= log->run_max);
    lf_check(log->sized_from <= log->last_index + 1);
    lf_check(log->last_index + 1 - log->sized_from <= log->size_capacity);
    lf_check(log->size_capacity <= log->size_max);
}

static void check_configurations(const struct raft *raft) {
    const struct raft_log *log = &raft->log;
    lf_check(log->configuration_count >= 1);
    lf_check(log->configuration_count <= RAFT_CONFIGURATIONS_MAX);
    for (size_t i = 0; i < log->configuration_count; i++) {
        lf_check(raft_configuration_is_valid(&log->configurations[i].configuration));
        lf_check(log->configurations[i].index <= log->last_index);
        lf_check(i == 0 || log->configurations[i].index > log->configurations[i - 1].index);
    }
    lf_check(log->configurations[0].index <= raft->commit || log->configuration_count == 1); /* can roll back to it */
    lf_check(raft->peers_configuration == raft_log_configuration(log)->index);
}

static void check_positions(const struct raft *raft) {
    lf_check(raft->commit >= raft->log.previous_index); /* I2 */
    lf_check(raft->commit <= raft->log.last_index);
    lf_check(raft->writes.durable_index <= raft->log.last_index);
    lf_check(raft->writes.durable_term <= raft->term);
    lf_check(raft->equal_index <= raft->log.last_index);
    lf_check(raft->acked_durable <= raft->equal_index); /* I6 */
    lf_check(raft->acked_durable <= raft->writes.durable_index);
    lf_check(raft->owed_vote == 0 || raft->owed_vote == raft->vote);
}

static void check_writes(const struct raft *raft) {
    const struct raft_writes *writes = &raft->writes;
    uint64_t index = writes->durable_index, term = writes->durable_term, token = 0;
    lf_check(writes->count <= RAFT_WRITES_MAX);
    for (uint32_t i = 0; i < writes->count; i++) {
        const struct raft_write *write = &writes->ring[(writes->head + i) % RAFT_WRITES_MAX];
        lf_check(write->last_index >= index);
        lf_check(write->term >= term);
        lf_check(write->first_token > token);
        lf_check(write->last_token >= write->first_token);
        index = write->last_index;
        term = write->term;
        token = write->last_token;
    }
    lf_check(token < writes->next_token);
    if (raft->failed)
        return;
    /* With every write finished all of it is durable: nothing changes without a write. */
    uint64_t vote = writes->durable_vote;
    if (writes->count > 0)
        vote = writes->ring[(writes->head + writes->count - 1) % RAFT_WRITES_MAX].vote;
    lf_check(index == raft->log.last_index);
    lf_check(term == raft->term);
    lf_check(vote == raft->vote);
}

static void check_peers(const struct raft *raft) {
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        const struct raft_peer *peer = &raft->peers[i];
        lf_check(peer->match < peer->next); /* I4 */
        lf_check(peer->match <= peer->received);
        lf_check(peer->received < peer->next);
        lf_check(peer->next <= raft->log.last_index + 1);
        lf_check(peer->answered <= peer->sequence);
        lf_check(peer->session <= peer->sequence);
        lf_check(peer->match_sequence <= peer->sequence);
        lf_check(raft_peer_inflight(peer) <= raft->limits.inflight_messages_max); /* I9 */
        lf_check(peer->window >= 1);
        lf_check(peer->window <= raft->limits.inflight_messages_max);
        lf_check(peer->round_acked <= raft->round_sent);
        lf_check(raft_configuration_has(raft_configuration(raft), peer->replica));
        lf_check(peer->replica != raft->self);
        lf_check(!raft_peer_needs_image(raft, peer) || !peer->replicating); /* I10 */
        lf_check(!raft_peer_needs_image(raft, peer) || raft_peer_inflight(peer) == 0);
        lf_check(peer->image_index <= raft->commit);
    }
}

static void check_role(const struct raft *raft) {
    lf_check(raft->read_count <= raft->limits.reads_max); /* I9 */
    if (raft->role != RAFT_LEADER) {
        lf_check(raft->uncommitted_bytes == 0);
        lf_check(raft->transfer_to == 0);
        lf_check(raft->peer_count == 0);
        lf_check(raft->leader != raft->self);
        lf_check(raft->role == RAFT_FOLLOWER || raft->leader == 0);
        lf_check(raft->role != RAFT_CANDIDATE || raft->vote == raft->self);
        return;
    }
    lf_check(raft->leader == raft->self);
    lf_check(raft->vote == raft->self);
    lf_check(raft->writes.durable_term == raft->term); /* A2 */
    lf_check(raft->writes.durable_vote == raft->self);
    lf_check(raft->noop_index < raft->log.previous_index ||
             raft_log_term(&raft->log, raft->noop_index) == raft->term);
    lf_check(raft_log_last_term(&raft->log) == raft->term);
    lf_check(raft_log_configuration(&raft->log)->index > raft->commit ||
             raft_configuration_is_voter(raft_configuration(raft), raft->self) || !raft_committed_own_term(raft) ||
             raft_configuration(raft)->outgoing_count > 0 || raft->resigning || raft->transfer_to != 0); /* E7 */
    lf_check(raft->commit < raft->log.last_index || raft->uncommitted_bytes == 0);                       /* H7 */
}

/** How many of the voters hold the commit index durably. Those that left in this step are taken at their word. */
static uint32_t holders_of(const struct raft *raft, const uint64_t *voters, uint32_t count) {
    uint32_t holders = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct raft_peer *peer = raft_known_peer(raft, voters[i]);
        if (voters[i] == raft->self)
            holders += raft->writes.durable_index >= raft->commit;
        else
            holders += !peer || (!peer->damaged && peer->match >= raft->commit);
    }
    return holders;
}

/** I5 once more, counted another way. A step that commits may append the next configuration after that. */
static void check_commit_quorum(const struct raft *raft, const struct raft *before) {
    if (raft->role != RAFT_LEADER || raft->commit == before->commit)
        return;
    bool appended = raft_log_configuration(&raft->log)->index > before->log.last_index;
    const struct raft_configuration *counted = raft_configuration(appended ? before : raft);
    if (appended && before->role != RAFT_LEADER)
        return; /* elected and committing in one step: the only voter */
    uint32_t holders = holders_of(raft, counted->voters, counted->voter_count);
    lf_checkf(holders > counted->voter_count / 2, "commit %llu held by %u", raft_u(raft->commit), holders);
    holders = holders_of(raft, counted->outgoing, counted->outgoing_count);
    lf_checkf(counted->outgoing_count == 0 || holders > counted->outgoing_count / 2,
              "commit %llu held by %u of the outgoing voters", raft_u(raft->commit), holders);
    lf_check(raft_log_term(&raft->log, raft->commit) == raft->term);
}

/** I8: what a leader appended in this step follows what is committed. */
static void check_change(const struct raft *raft, const struct raft *before) {
    const struct raft_configuration_at *now = raft_log_configuration(&raft->log);
    const struct raft_configuration_at *then = raft_log_configuration(&before->log);
    if (raft->role != RAFT_LEADER || before->role != RAFT_LEADER || raft->term != before->term ||
        now->index == then->index)
        return;
    lf_check(now->index > before->log.last_index);
    lf_check(then->index <= raft->commit);
    lf_check(then->configuration.outgoing_count == 0 || now->configuration.outgoing_count == 0);
    lf_check(now->configuration.epoch >= then->configuration.epoch);
}

/** The first change of term in `a`, after `begin` and up to `end`, where the logs differ; UINT64_MAX: none. */
static uint64_t first_differing_run(const struct raft_log *a, const struct raft_log *b, uint64_t begin, uint64_t end) {
    for (size_t i = 0; i < a->run_count && a->runs[i].first_index <= end; i++)
        if (a->runs[i].first_index > begin && raft_log_term(b, a->runs[i].first_index) != a->runs[i].term)
            return a->runs[i].first_index;
    return UINT64_MAX;
}

/** First index at which the logs differ as far as both reach; last common index + 1 when they do not. What an image
 *  stands for differs from nothing. */
static uint64_t first_difference(const struct raft_log *a, const struct raft_log *b) {
    uint64_t end = a->last_index < b->last_index ? a->last_index : b->last_index;
    uint64_t begin = a->previous_index > b->previous_index ? a->previous_index : b->previous_index;
    if (begin > end)
        return begin + 1;
    if (raft_log_term(a, begin) != raft_log_term(b, begin))
        return begin;
    uint64_t in_a = first_differing_run(a, b, begin, end), in_b = first_differing_run(b, a, begin, end);
    uint64_t next = in_a < in_b ? in_a : in_b;
    return next <= end ? next : end + 1;
}

static void check_against(const struct raft *raft, const struct raft *before) {
    lf_check(raft->self == before->self);
    lf_check(raft->term >= before->term); /* I1 */
    lf_check(raft->commit >= before->commit);
    lf_check(raft->term > before->term || before->vote == 0 || raft->vote == before->vote);
    lf_check(raft->now_ms >= before->now_ms);
    lf_check(!before->failed || raft->failed);
    lf_check(raft->log.previous_index >= before->log.previous_index); /* I2 */
    uint64_t difference = first_difference(&raft->log, &before->log);
    bool shorter = raft->log.last_index < before->log.last_index;
    lf_check(difference > before->commit); /* I3 */
    lf_check(raft->log.last_index >= before->commit);
    bool still_leads = raft->role == RAFT_LEADER && before->role == RAFT_LEADER && raft->term == before->term;
    lf_check(!still_leads || (!shorter && difference > before->log.last_index));
    if (raft->term == before->term) {
        lf_check(raft->equal_index >= before->equal_index);
        lf_check(difference > before->equal_index);
    }
    for (uint32_t i = 0; still_leads && i < raft->peer_count; i++)
        for (uint32_t k = 0; k < before->peer_count; k++)
            if (raft->peers[i].replica == before->peers[k].replica)
                lf_check(raft->peers[i].match >= before->peers[k].match); /* I4 */
    check_commit_quorum(raft, before);
    check_change(raft, before);
}

void raft_check_invariants(const struct raft *raft, const struct raft *before) {
    check_log(raft);
    check_configurations(raft);
    check_positions(raft);
    check_writes(raft);
    check_peers(raft);
    check_role(raft);
    if (before)
        check_against(raft, before);
}
