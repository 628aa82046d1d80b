/** Members, by joint consensus.
 *
 *  1. A change is taken when nothing else is under way: the configuration in force is committed and not joint, and an
 *     entry of the own term is committed (E1: so no older leader's change can still be in the way).
 *  2. When the voters differ, the entry is the joint configuration, else already the one that was asked for. It is in
 *     force from the moment it is in the log, wherever it comes from, and truncation takes it back (E8).
 *  3. When the joint one is committed, by majorities of both halves, whoever leads then appends the one without the
 *     outgoing voters (E2, E4). That holds for a new leader just as well: the condition is looked at after every step.
 *  4. A leader that is no voter any more goes on until that is committed, tells the others so, and hands over (E7).
 */
#include "raft_internal.h"

bool raft_may_change(const struct raft *raft) {
    return raft_committed_own_term(raft) && raft->transfer_to == 0 &&
           raft_log_configuration(&raft->log)->index <= raft->commit && raft_configuration(raft)->outgoing_count == 0;
}

/** Members that were not there before hear at once, and then say what they lack. */
static void greet_new_peers(struct raft *raft) {
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (!raft->peers[i].replicating && raft_peer_inflight(&raft->peers[i]) == 0 &&
            !raft_replicate(raft, &raft->peers[i]))
            raft_replicate_empty(raft, &raft->peers[i]);
}

static bool append_configuration(struct raft *raft, const struct raft_configuration *configuration) {
    if (!raft_has_room(raft, 1) || !raft_append_own(raft, configuration))
        return false;
    raft->uncommitted_bytes += RAFT_CONFIGURATION_BYTES_MAX;
    raft_follow_configuration(raft);
    raft_replicate_all(raft);
    greet_new_peers(raft);
    return true;
}

enum lf_status raft_change(struct raft *raft, const struct raft_configuration *target) {
    if (raft->role != RAFT_LEADER || raft->transfer_to != 0)
        return LF_NOT_LEADER;
    if (!raft_configuration_is_valid(target) || target->outgoing_count > 0 ||
        target->epoch < raft_configuration(raft)->epoch)
        return LF_INVALID;
    if (!raft_may_change(raft))
        return LF_AGAIN;
    const struct raft_configuration next = raft_configuration_towards(raft_configuration(raft), target);
    return append_configuration(raft, &next) ? LF_OK : LF_FULL;
}

/** It is no voter any more, for good. */
static bool has_to_go(const struct raft *raft) {
    return raft_may_change(raft) && !raft_configuration_is_voter(raft_configuration(raft), raft->self);
}

static void resign(struct raft *raft) {
    if (!raft->resigning) {
        raft->resigning = true;
        raft_beat(raft); /* the commit reaches the others, whatever becomes of us */
        if (raft_transfer(raft, 0) == LF_OK)
            return;
    }
    RAFT_TRACE(raft, "step down: no voter any more");
    raft_become_follower(raft, raft->term, 0);
}

void raft_change_advance(struct raft *raft) {
    if (!raft_committed_own_term(raft) || raft->transfer_to != 0)
        return;
    const struct raft_configuration_at *in_force = raft_log_configuration(&raft->log);
    if (in_force->configuration.outgoing_count > 0 && in_force->index <= raft->commit) {
        const struct raft_configuration left = raft_configuration_left(&in_force->configuration);
        if (append_configuration(raft, &left))
            RAFT_TRACE(raft, "leave the joint configuration at %llu", raft_u(raft->log.last_index));
    } else if (has_to_go(raft)) {
        resign(raft);
    }
}

void raft_follow_configuration(struct raft *raft) {
    uint64_t index = raft_log_configuration(&raft->log)->index;
    if (index == raft->peers_configuration)
        return;
    raft->peers_configuration = index;
    raft->granted = 0; /* bits are positions among the old members */
    if (raft->role == RAFT_LEADER)
        raft_peers_follow_configuration(raft);
    const struct raft_configuration *configuration = raft_configuration(raft);
    RAFT_TRACE(raft, "configuration of %llu in force (epoch %llu, %u voters, %u outgoing, %u learners)", raft_u(index),
               raft_u(configuration->epoch), configuration->voter_count, configuration->outgoing_count,
               configuration->learner_count);
}
