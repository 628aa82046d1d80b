#include "raft_internal.h"

bool raft_has_room(const struct raft *raft, uint32_t count) {
    /* Every own entry's bytes stay remembered until it commits: the quota gives back what it took (H7). */
    uint64_t from = raft->commit < raft->noop_index ? raft->noop_index : raft->commit;
    return raft->log.last_index - from + count <= raft->limits.sized_entries_max;
}

static enum lf_status judge(const struct raft *raft, const struct raft_entry *entries, uint32_t count,
                            uint64_t *bytes) {
    *bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        *bytes += entries[i].bytes;
        if (entries[i].configuration)
            return LF_INVALID; /* the way from one to the next is the core's: change.c */
    }
    if (raft->uncommitted_bytes > 0 && raft->uncommitted_bytes + *bytes > raft->limits.uncommitted_bytes_max)
        return LF_FULL;
    return raft_has_room(raft, count) ? LF_OK : LF_FULL;
}

enum lf_status raft_propose(struct raft *raft, const struct raft_entry *entries, uint32_t count) {
    uint64_t bytes;
    if (raft->role != RAFT_LEADER || raft->transfer_to != 0)
        return LF_NOT_LEADER;
    if (count == 0)
        return LF_INVALID;
    enum lf_status status = judge(raft, entries, count, &bytes);
    if (status != LF_OK)
        return status;
    uint64_t wanted = raft_peers_lowest_match(raft);
    if (raft_log_reserve(&raft->log, entries, count, raft->term, wanted < raft->commit ? wanted : raft->commit) !=
        LF_OK)
        return LF_FULL;

    raft->effects->proposed_index = raft->log.last_index + 1;
    raft->effects->proposed_term = raft->term;
    struct raft_persist *persist = raft_persist(raft);
    persist->first_index = raft->log.last_index + 1;
    persist->count = count;
    for (uint32_t i = 0; i < count; i++)
        raft_log_append(&raft->log, raft->term, entries[i].bytes, entries[i].configuration);
    raft->uncommitted_bytes += bytes;
    raft_replicate_all(raft); /* at once, beside the own write */
    return LF_OK;
}
