#include "raft_internal.h"

static struct raft_peer *most_caught_up(struct raft *raft) {
    struct raft_peer *best = NULL;
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        struct raft_peer *peer = &raft->peers[i];
        bool active = raft->now_ms - peer->heard_ms < raft->limits.election_timeout_ms_max;
        if (active && raft_configuration_is_voter(raft_configuration(raft), peer->replica) && !peer->damaged &&
            (!best || peer->match > best->match))
            best = peer;
    }
    return best;
}

enum lf_status raft_transfer(struct raft *raft, uint64_t to) {
    if (raft->role != RAFT_LEADER)
        return LF_NOT_LEADER;
    if (raft->transfer_to != 0)
        return LF_AGAIN;
    struct raft_peer *target = to != 0 ? raft_peer(raft, to) : most_caught_up(raft);
    if (!target || target->damaged || !raft_configuration_is_voter(raft_configuration(raft), target->replica))
        return LF_NOT_FOUND;
    raft->transfer_to = target->replica; /* from here on no proposals: the target has to catch up once (E13) */
    raft->transfer_deadline_ms = raft->now_ms + raft->limits.election_timeout_ms_max;
    raft->transfer_said = false;
    RAFT_TRACE(raft, "hand over to=%llu (match %llu, log end %llu)", raft_u(target->replica), raft_u(target->match),
               raft_u(raft->log.last_index));
    return LF_OK;
}

void raft_transfer_advance(struct raft *raft) {
    if (raft->role != RAFT_LEADER || raft->transfer_to == 0 || raft->transfer_said)
        return;
    const struct raft_peer *target = raft_peer(raft, raft->transfer_to);
    if (!target || !raft_configuration_is_voter(raft_configuration(raft), target->replica)) {
        raft_transfer_stop(raft, "target is no voter any more");
        return;
    }
    if (target->match < raft->log.last_index)
        return; /* what was sent is not what it holds (E12) */
    raft->transfer_said = true;
    struct raft_message *message = raft_send(raft, RAFT_TIMEOUT_NOW, target->replica);
    message->timeout_now.index = raft->log.last_index;
    message->timeout_now.entry_term = raft_log_last_term(&raft->log);
}

void raft_transfer_stop(struct raft *raft, const char *why) {
    RAFT_TRACE(raft, "stop handing over to=%llu (%s)", raft_u(raft->transfer_to), why);
    raft->transfer_to = 0;
}
