#include "raft_internal.h"

bool raft_may_campaign(const struct raft *raft) {
    return !raft->vote_disabled && !raft->failed && raft->role != RAFT_LEADER && raft->term < UINT64_MAX &&
           raft_configuration_has(raft_configuration(raft), raft->self);
}

bool raft_sticks_to_leader(const struct raft *raft) {
    if (raft->role == RAFT_LEADER)
        return true; /* check-quorum would have ended a leadership without a majority */
    return raft->role == RAFT_FOLLOWER && raft->leader != 0 &&
           raft->now_ms - raft->leader_heard_ms < raft->limits.election_timeout_ms_min;
}

void raft_send_vote_requests(struct raft *raft, enum raft_message_type type) {
    const struct raft_configuration *configuration = raft_configuration(raft);
    for (uint32_t i = 0; i < configuration->voter_count; i++) {
        if (configuration->voters[i] == raft->self)
            continue;
        struct raft_message *request = raft_send(raft, type, configuration->voters[i]);
        if (type == RAFT_PRE_VOTE_REQUEST)
            request->term = raft->term + 1;
        request->vote_request.last_index = raft->log.last_index;
        request->vote_request.last_term = raft_log_last_term(&raft->log);
        request->vote_request.transfer = type == RAFT_VOTE_REQUEST && raft->campaign_by_transfer;
    }
}

bool raft_count_vote(struct raft *raft, uint64_t voter) {
    const struct raft_configuration *configuration = raft_configuration(raft);
    for (uint32_t i = 0; i < configuration->voter_count; i++)
        if (configuration->voters[i] == voter)
            raft->granted |= 1u << i; /* a repeated answer counts once */
    return raft_quorum_granted(raft->granted, configuration->voter_count);
}

void raft_start_campaign(struct raft *raft) {
    raft_become_pre_candidate(raft);
    if (raft_count_vote(raft, raft->self))
        raft_become_candidate(raft, false); /* the only voter */
    else
        raft_send_vote_requests(raft, RAFT_PRE_VOTE_REQUEST);
}
