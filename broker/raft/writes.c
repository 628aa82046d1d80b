/** Which part of the state is durable.
 *
 *  Each step has at most one write; tokens rise by one and complete in order, a completion out of order waits for those
 *  before it (B17). A write makes durable: the term and vote of its step, and the log up to its end of that step. When
 *  a later step truncates, every write under way loses what lies at or above the cut: its completion speaks of entries
 *  that were replaced (B14, B15), even where a later leader brings back the same term at the same index.
 */
#include "raft_internal.h"

static struct raft_write *write_at(struct raft_writes *writes, uint32_t position) {
    return &writes->ring[(writes->head + position) % RAFT_WRITES_MAX];
}

struct raft_persist *raft_persist(struct raft *raft) {
    struct raft_effects *effects = raft->effects;
    if (!effects->has_persist) {
        effects->has_persist = true;
        effects->persist =
            (struct raft_persist){.token = raft->writes.next_token, .first_index = raft->log.last_index + 1};
        raft->writes.next_token++;
    }
    return &effects->persist;
}

void raft_writes_truncated(struct raft *raft, uint64_t first) {
    struct raft_writes *writes = &raft->writes;
    if (writes->durable_index >= first)
        writes->durable_index = first - 1;
    for (uint32_t i = 0; i < writes->count; i++) {
        struct raft_write *write = write_at(writes, i);
        if (write->last_index >= first)
            write->last_index = first - 1;
    }
}

void raft_writes_seal(struct raft *raft) {
    if (!raft->effects->has_persist)
        return;
    struct raft_persist *persist = &raft->effects->persist;
    persist->term = raft->term;
    persist->vote = raft->vote;
    struct raft_writes *writes = &raft->writes;
    if (writes->count == RAFT_WRITES_MAX) {
        struct raft_write *newest = write_at(writes, writes->count - 1);
        newest->last_token = persist->token;
        newest->last_index = raft->log.last_index;
        newest->term = raft->term;
        newest->vote = raft->vote;
        return;
    }
    writes->count++;
    *write_at(writes, writes->count - 1) = (struct raft_write){.first_token = persist->token,
                                                               .last_token = persist->token,
                                                               .last_index = raft->log.last_index,
                                                               .term = raft->term,
                                                               .vote = raft->vote,
                                                               .issued_ms = raft->now_ms};
}

/** The oldest writes that are finished become the durable state. */
static void take_finished(struct raft_writes *writes) {
    while (writes->count > 0) {
        struct raft_write *oldest = write_at(writes, 0);
        if (oldest->finished < oldest->last_token - oldest->first_token + 1)
            return;
        lf_check(oldest->last_index >= writes->durable_index);
        lf_check(oldest->term >= writes->durable_term);
        writes->durable_index = oldest->last_index;
        writes->durable_term = oldest->term;
        writes->durable_vote = oldest->vote;
        writes->head = (writes->head + 1) % RAFT_WRITES_MAX;
        writes->count--;
    }
}

void raft_on_wrote(struct raft *raft, uint64_t token, enum lf_status status) {
    struct raft_writes *writes = &raft->writes;
    lf_checkf(token < writes->next_token, "token %llu was never given out", raft_u(token));
    if (status != LF_OK) {
        raft_fail(raft, "a write failed");
        return;
    }
    for (uint32_t i = 0; i < writes->count; i++) {
        struct raft_write *write = write_at(writes, i);
        if (token < write->first_token || token > write->last_token)
            continue;
        if (write->finished < write->last_token - write->first_token + 1)
            write->finished++;
        break;
    }
    take_finished(writes);
}

uint64_t raft_writes_oldest_ms(const struct raft *raft) {
    return raft->writes.count > 0 ? raft->writes.ring[raft->writes.head].issued_ms : UINT64_MAX;
}

uint64_t raft_acknowledgeable(const struct raft *raft) {
    if (raft->writes.durable_term != raft->term || raft->vote_disabled)
        return 0;
    return raft->equal_index < raft->writes.durable_index ? raft->equal_index : raft->writes.durable_index;
}
