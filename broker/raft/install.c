/** The beginning of the log moves: by compaction, or because an image takes the place of all of it.
 *
 *  An image is of an entry that is committed, so every leader from its maker's term on holds that entry. In memory the
 *  log is replaced within the step. The disk follows with the step's write, which is atomic, and with it the one order
 *  of writes: what comes after (votes, entries) is durable only when the image is, and what was durable before and is
 *  equal in both stays so meanwhile. So there is no state "installing": a vote request waits as long as the log end is
 *  not on the disk, an acknowledgement says what is (D5, D7), and a crash finds the old log or the image (D2).
 */
#include "raft_internal.h"

enum lf_status raft_compacted(struct raft *raft, uint64_t index) {
    if (index > raft->commit)
        return LF_INVALID;
    if (index <= raft->log.previous_index)
        return LF_OK;
    raft_log_compact(&raft->log, index);
    RAFT_TRACE(raft, "log begins after %llu^%llu", raft_u(index), raft_u(raft->log.previous_term));
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft_peer_needs_image(raft, &raft->peers[i]))
            raft_peer_offer(raft, &raft->peers[i], raft->peers[i].next);
    return LF_OK;
}

static bool well_formed(const struct raft_event *event) {
    const struct raft_configuration_at *at = event->install.configuration;
    return event->install.index > 0 && event->install.term > 0 && event->install.term <= event->install.leader_term &&
           at && at->index <= event->install.index && raft_configuration_is_valid(&at->configuration);
}

/** The log has that entry: it is equal up to there, what comes after it stays (D4), and the entry is committed. */
static void learn_commit(struct raft *raft, uint64_t index) {
    if (index > raft->equal_index)
        raft->equal_index = index;
    raft_follow_commit(raft, index);
}

static void replace_log(struct raft *raft, const struct raft_event *event) {
    /* Up to here the old log and the image are the same: what was durable of it stays so, whatever is written when. */
    uint64_t same = raft->commit > raft->equal_index ? raft->commit : raft->equal_index;
    lf_check(same < event->install.index);
    raft_writes_truncated(raft, same + 1);
    if (raft->log.last_index > same)
        raft->effects->truncated_from = same + 1;
    raft_log_install(&raft->log, event->install.index, event->install.term, event->install.configuration);
    raft->commit = raft->equal_index = event->install.index;
    struct raft_persist *persist = raft_persist(raft);
    persist->install = true;
    persist->install_index = event->install.index;
    persist->install_term = event->install.term;
    persist->first_index = event->install.index + 1;
}

enum lf_status raft_install(struct raft *raft, const struct raft_event *event) {
    uint64_t index = event->install.index;
    if (!well_formed(event))
        return LF_INVALID;
    if (event->install.leader_term > raft->term)
        raft_become_follower(raft, event->install.leader_term, 0); /* terms only rise (A12) */
    if (raft->role == RAFT_LEADER || index <= raft->commit)
        return LF_EXISTS; /* never backwards (D6) */
    if (raft_log_term(&raft->log, index) == event->install.term) {
        learn_commit(raft, index);
        return LF_EXISTS;
    }
    if (raft->role != RAFT_FOLLOWER)
        raft_become_follower(raft, raft->term, 0); /* it asked for votes with a log that it gives up */
    RAFT_TRACE(raft, "install image %llu^%llu (log was %llu ... %llu, commit %llu)", raft_u(index),
               raft_u(event->install.term), raft_u(raft->log.previous_index + 1), raft_u(raft->log.last_index),
               raft_u(raft->commit));
    replace_log(raft, event);
    return LF_OK;
}
