#include "raft_internal.h"

/** By the configuration in force, or by one that may come back into force. A leader that appended its own removal and
 *  fell may be the only one whose log the old voters can elect: nobody else holds that much, and they need its vote. So
 *  it has to run, too, until the removal is committed (dissertation, section 4.2.2). */
static bool may_be_voter(const struct raft *raft) {
    for (size_t i = 0; i < raft->log.configuration_count; i++)
        if (raft_configuration_votes(&raft->log.configurations[i].configuration, raft->self))
            return true;
    return false;
}

bool raft_may_campaign(const struct raft *raft) {
    return !raft->vote_disabled && !raft->failed && raft->role != RAFT_LEADER && raft->term < UINT64_MAX &&
           may_be_voter(raft); /* E6 */
}

bool raft_sticks_to_leader(const struct raft *raft) {
    if (raft->role == RAFT_LEADER)
        return true; /* check-quorum would have ended a leadership without a majority */
    return raft->role == RAFT_FOLLOWER && raft->leader != 0 &&
           raft->now_ms - raft->leader_heard_ms < raft->limits.election_timeout_ms_min;
}

void raft_send_vote_requests(struct raft *raft, enum raft_message_type type) {
    uint64_t members[RAFT_MEMBERS_MAX];
    uint32_t count = raft_configuration_members(raft_configuration(raft), members);
    for (uint32_t i = 0; i < count; i++) {
        if (members[i] == raft->self || !raft_configuration_votes(raft_configuration(raft), members[i]))
            continue;
        struct raft_message *request = raft_send(raft, type, members[i]);
        if (type == RAFT_PRE_VOTE_REQUEST)
            request->term = raft->term + 1;
        request->vote_request.last_index = raft->log.last_index;
        request->vote_request.last_term = raft_log_last_term(&raft->log);
        request->vote_request.transfer = type == RAFT_VOTE_REQUEST && raft->campaign_by_transfer;
    }
}

_Static_assert(RAFT_MEMBERS_MAX <= 32, "granted has a bit per member");

static uint32_t bit_of(const struct raft *raft, uint64_t replica) {
    uint64_t members[RAFT_MEMBERS_MAX];
    uint32_t count = raft_configuration_members(raft_configuration(raft), members);
    for (uint32_t i = 0; i < count; i++)
        if (members[i] == replica)
            return 1u << i;
    return 0;
}

static uint64_t has_granted(const void *context, uint64_t voter) {
    const struct raft *raft = context;
    return (raft->granted & bit_of(raft, voter)) != 0;
}

bool raft_count_vote(struct raft *raft, uint64_t voter) {
    raft->granted |= bit_of(raft, voter); /* a repeated answer counts once */
    return raft_quorum(raft_configuration(raft), has_granted, raft) > 0;
}

void raft_start_campaign(struct raft *raft) {
    raft_become_pre_candidate(raft);
    if (raft_count_vote(raft, raft->self))
        raft_become_candidate(raft, false); /* the only voter */
    else
        raft_send_vote_requests(raft, RAFT_PRE_VOTE_REQUEST);
}
