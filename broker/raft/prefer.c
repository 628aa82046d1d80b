/** Who should lead, if it can.
 *
 *  Leadership is only ever handed *to* the preferred replica, by whoever leads without being it, and only after that
 *  replica was a caught-up voter for a while. It never hands on by preference itself, so there is no ping-pong between
 *  two that can lead. One that cannot keep it (its disk stalls, its process dies again) is waited for longer each time:
 *  the wait doubles, up to PREFER_DOUBLINGS times, until it kept leadership for PREFER_CALM waits.
 */
#include "raft_internal.h"

#define PREFER_DOUBLINGS 6
#define PREFER_CALM 4

void raft_prefer(struct raft *raft, uint64_t replica) {
    if (raft->preferred.replica == replica)
        return;
    raft->preferred = (struct raft_preference){.replica = replica, .ready_ms = UINT64_MAX, .tried_ms = UINT64_MAX};
}

static bool could_take_over(const struct raft *raft) {
    uint64_t replica = raft->preferred.replica;
    const struct raft_peer *peer = raft_known_peer(raft, replica);
    return peer && raft_configuration_is_voter(raft_configuration(raft), replica) && !peer->damaged &&
           peer->replicating && peer->match >= raft->commit &&
           raft->now_ms - peer->heard_ms < raft->limits.election_timeout_ms_min;
}

static uint64_t wait_ms(const struct raft *raft) {
    return raft->preferred.wait_ms != 0 ? raft->preferred.wait_ms : raft->limits.prefer_after_ms;
}

/** It had leadership and we have it again: how long it kept it decides how long it is waited for. */
static void judge_last_try(struct raft *raft) {
    struct raft_preference *preferred = &raft->preferred;
    if (preferred->tried_ms == UINT64_MAX)
        return;
    uint64_t wait = wait_ms(raft), most = (uint64_t)raft->limits.prefer_after_ms << PREFER_DOUBLINGS;
    if (raft->now_ms - preferred->tried_ms > PREFER_CALM * wait)
        preferred->wait_ms = 0;
    else
        preferred->wait_ms = wait * 2 < most ? wait * 2 : most;
    preferred->tried_ms = UINT64_MAX;
}

void raft_prefer_advance(struct raft *raft) {
    struct raft_preference *preferred = &raft->preferred;
    if (preferred->replica == 0 || preferred->replica == raft->self || !raft_may_change(raft) ||
        !could_take_over(raft)) {
        preferred->ready_ms = UINT64_MAX;
        return;
    }
    if (preferred->ready_ms == UINT64_MAX) {
        preferred->ready_ms = raft->now_ms;
        judge_last_try(raft);
    }
    if (raft->now_ms - preferred->ready_ms < wait_ms(raft) || raft_transfer(raft, preferred->replica) != LF_OK)
        return;
    preferred->tried_ms = raft->now_ms;
    preferred->ready_ms = UINT64_MAX;
}
