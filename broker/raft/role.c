/** Term, role and leader change here and nowhere else. */
#include "raft_internal.h"

const char *raft_role_name(enum raft_role role) {
    switch (role) {
    case RAFT_FOLLOWER:
        return "follower";
    case RAFT_PRE_CANDIDATE:
        return "pre-candidate";
    case RAFT_CANDIDATE:
        return "candidate";
    case RAFT_LEADER:
        return "leader";
    }
    return "?";
}

/** A new term: nothing is known of its leader's log, and nothing is owed to anybody of the old one. */
static void enter_term(struct raft *raft, uint64_t term, uint64_t vote) {
    lf_checkf(term > raft->term, "term %llu after %llu", raft_u(term), raft_u(raft->term));
    raft->term = term;
    raft->vote = vote;
    raft->equal_index = 0;
    raft->acked_durable = 0;
    raft->owed_vote = 0;
    raft_persist(raft)->hard_state_changed = true;
}

/** What only a leader has ends with its leadership, whatever the role after it. */
static void leave_leadership(struct raft *raft) {
    if (raft->role != RAFT_LEADER)
        return;
    raft_reads_fail(raft, LF_NO_QUORUM);
    raft->uncommitted_bytes = 0;
    raft->transfer_to = 0;
    raft->resigning = false;
    raft->peer_count = 0;
}

static void set_leader(struct raft *raft, uint64_t leader) {
    if (leader != raft->leader)
        raft_reads_fail(raft, LF_NOT_LEADER); /* asked of somebody else */
    raft->leader = leader;
}

void raft_reset_election_timer(struct raft *raft) {
    raft->election_deadline_ms = raft->now_ms + raft_election_timeout(raft);
}

void raft_become_follower(struct raft *raft, uint64_t term, uint64_t leader) {
    lf_check(term >= raft->term);
    enum raft_role before = raft->role;
    bool new_term = term > raft->term;
    leave_leadership(raft);
    if (new_term)
        enter_term(raft, term, 0);
    raft->role = RAFT_FOLLOWER;
    set_leader(raft, leader);
    /* A higher term alone is no reason to wait longer for a leader (H5); only a role that had no such timer gets one.
     */
    if (before == RAFT_LEADER)
        raft_reset_election_timer(raft);
    if (before != RAFT_FOLLOWER || new_term)
        RAFT_TRACE(raft, "follow leader=%llu (was %s)", raft_u(leader), raft_role_name(before));
}

void raft_become_pre_candidate(struct raft *raft) {
    lf_check(raft->role != RAFT_LEADER);
    raft->role = RAFT_PRE_CANDIDATE; /* the vote of this term stays given (A8) */
    set_leader(raft, 0);             /* or its own stickiness would turn others' pre-votes away (H3) */
    raft->granted = 0;
    raft_reset_election_timer(raft);
    RAFT_TRACE(raft, "ask for pre-votes (log end %llu^%llu)", raft_u(raft->log.last_index),
               raft_u(raft_log_last_term(&raft->log)));
}

void raft_become_candidate(struct raft *raft, bool by_transfer) {
    lf_check(raft->role != RAFT_LEADER);
    enter_term(raft, raft->term + 1, raft->self);
    raft->role = RAFT_CANDIDATE;
    set_leader(raft, 0);
    raft->granted = 0;
    raft->vote_requested = false;
    raft->campaign_by_transfer = by_transfer;
    raft->campaign_ms = raft->now_ms;
    raft_reset_election_timer(raft);
    RAFT_TRACE(raft, "campaign%s (log end %llu^%llu)", by_transfer ? " as asked by the leader" : "",
               raft_u(raft->log.last_index), raft_u(raft_log_last_term(&raft->log)));
}

void raft_become_leader(struct raft *raft) {
    lf_check(raft->role == RAFT_CANDIDATE);
    lf_check(raft->vote == raft->self);
    lf_check(raft->writes.durable_term == raft->term);
    uint64_t inherited = raft->log.last_index;
    /* The no-op lets it commit what it inherited: an entry of its own term (C1). */
    if (!raft_append_own(raft, NULL))
        return; /* without memory: the election times out */
    raft->noop_index = inherited + 1;
    raft->role = RAFT_LEADER;
    set_leader(raft, raft->self);
    raft->uncommitted_bytes = 0; /* inherited entries are not its proposals: nothing to scan (H9) */
    raft->transfer_to = 0;
    raft->round_sent = 0;
    raft->next_beat_ms = (raft->now_ms / raft->limits.heartbeat_ms + 1) * raft->limits.heartbeat_ms;
    raft->preferred.ready_ms = UINT64_MAX;
    raft_peers_reset(raft, inherited + 1);
    RAFT_TRACE(raft, "lead from %llu^%llu (commit %llu)", raft_u(raft->noop_index), raft_u(raft->term),
               raft_u(raft->commit));
    raft_replicate_all(raft);
}

void raft_fail(struct raft *raft, const char *why) {
    if (raft->failed)
        return;
    RAFT_TRACE(raft, "stop: %s", why);
    leave_leadership(raft);
    raft->role = RAFT_FOLLOWER;
    set_leader(raft, 0);
    raft->owed_vote = 0;
    raft->failed = true;
}
