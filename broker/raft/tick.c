#include "raft_internal.h"

static uint64_t later(uint64_t time_ms, uint64_t by_ms) {
    return time_ms > UINT64_MAX - by_ms ? UINT64_MAX : time_ms + by_ms;
}

/** We were away, not the others: what counts their silence starts that much later, but no later than now: it may have
 *  been set when we were back. */
static void forgive_absence(struct raft *raft, uint64_t absent_ms) {
    uint64_t deadline_max = raft->now_ms + raft->limits.election_timeout_ms_max;
    raft->election_deadline_ms = later(raft->election_deadline_ms, absent_ms);
    if (raft->election_deadline_ms > deadline_max)
        raft->election_deadline_ms = deadline_max;
    uint64_t *heard[RAFT_MEMBERS_MAX + 1];
    uint32_t count = 0;
    heard[count++] = &raft->leader_heard_ms;
    for (uint32_t i = 0; i < raft->peer_count; i++)
        heard[count++] = &raft->peers[i].heard_ms;
    for (uint32_t i = 0; i < count; i++) {
        *heard[i] = later(*heard[i], absent_ms);
        if (*heard[i] > raft->now_ms)
            *heard[i] = raft->now_ms;
    }
}

static uint64_t heard_ms(const void *context, uint64_t voter) {
    const struct raft *raft = context;
    if (voter == raft->self)
        return raft->now_ms;
    const struct raft_peer *peer = raft_known_peer(raft, voter);
    return peer && !peer->damaged ? peer->heard_ms : 0;
}

/** The last moment at which a majority, with itself, was heard of. */
static uint64_t quorum_heard_ms(const struct raft *raft) {
    return raft_quorum(raft_configuration(raft), heard_ms, raft);
}

static uint64_t is_ahead(const void *context, uint64_t voter) {
    const struct raft *raft = context;
    const struct raft_peer *peer = raft_known_peer(raft, voter);
    return peer && !peer->damaged && peer->match > raft->writes.durable_index;
}

/** Do the others, a majority without us, hold durably what our own disk does not get done? */
static bool others_outrun_own_disk(const struct raft *raft) {
    return raft_quorum(raft_configuration(raft), is_ahead, raft) > 0;
}

static uint64_t stall_deadline_ms(const struct raft *raft) {
    return later(raft_writes_oldest_ms(raft), raft->limits.disk_stall_ms);
}

static void tick_leader(struct raft *raft) {
    if (raft->now_ms >= later(quorum_heard_ms(raft), raft->limits.election_timeout_ms_max)) {
        RAFT_TRACE(raft, "step down: no majority heard of since %llu", raft_u(quorum_heard_ms(raft)));
        raft_become_follower(raft, raft->term, 0);
        return;
    }
    if (raft->now_ms >= stall_deadline_ms(raft) && others_outrun_own_disk(raft)) {
        RAFT_TRACE(raft, "step down: own disk stalls at %llu", raft_u(raft->writes.durable_index));
        raft_become_follower(raft, raft->term, 0);
        return;
    }
    if (raft->transfer_to != 0 && raft->now_ms >= raft->transfer_deadline_ms)
        raft_transfer_stop(raft, "took too long"); /* E14 */
    if (raft->now_ms >= raft->next_beat_ms) {
        raft->next_beat_ms = (raft->now_ms / raft->limits.heartbeat_ms + 1) * raft->limits.heartbeat_ms;
        raft->transfer_said = false; /* once more, in case it got lost */
        raft_beat(raft);
        raft_offers_repeat(raft);
        raft_prefer_advance(raft);
    }
}

/** The disk still owes what an election under way waits for, the own vote or the one for another candidate: a campaign
 *  would bring nothing forward, and cost what was written so far. */
static bool campaign_waits_for_disk(const struct raft *raft) {
    return raft->owed_vote != 0 || (raft->role == RAFT_CANDIDATE && !raft->vote_requested);
}

static void tick_other(struct raft *raft) {
    raft_reads_expire(raft);
    if (raft->now_ms < raft->election_deadline_ms || !raft_may_campaign(raft))
        return;
    if (campaign_waits_for_disk(raft)) {
        raft_reset_election_timer(raft);
        return;
    }
    raft_start_campaign(raft);
}

void raft_tick(struct raft *raft, uint64_t absent_ms) {
    if (absent_ms > 0)
        forgive_absence(raft, absent_ms);
    if (raft->role == RAFT_LEADER)
        tick_leader(raft);
    else
        tick_other(raft);
}

static uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint64_t raft_deadline(const struct raft *raft) {
    if (raft->failed)
        return UINT64_MAX;
    uint64_t deadline = raft_reads_deadline(raft);
    if (raft->role != RAFT_LEADER)
        return raft_may_campaign(raft) ? smaller(deadline, raft->election_deadline_ms) : deadline;
    deadline = smaller(deadline, raft->next_beat_ms);
    deadline = smaller(deadline, later(quorum_heard_ms(raft), raft->limits.election_timeout_ms_max));
    if (raft->transfer_to != 0)
        deadline = smaller(deadline, raft->transfer_deadline_ms);
    return deadline; /* a stalled disk is looked at with every beat */
}
