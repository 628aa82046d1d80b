#include "raft_internal.h"

/** What a sender cannot mean: terms that fall, entries of a term above its own, no entries where it counts some. */
static bool well_formed(const struct raft_message *message) {
    uint64_t term = message->append_request.prev_term;
    uint32_t count = message->append_request.count;
    if (message->append_request.prev_index > UINT64_MAX - count - 1 ||
        (count > 0 && !message->append_request.entries) || message->append_request.sequence == 0)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct raft_entry *entry = &message->append_request.entries[i];
        if (entry->term < term || entry->term == 0 || entry->term > message->term)
            return false;
        if (entry->configuration && !raft_configuration_is_valid(entry->configuration))
            return false;
        term = entry->term;
    }
    return term <= message->term;
}

/** The first of what it names that is another entry than the one committed here; 0: none. */
static uint64_t contradicted(const struct raft *raft, const struct raft_message *message) {
    uint64_t index = message->append_request.prev_index;
    if (raft_contradicts(raft, index, message->append_request.prev_term))
        return index;
    for (uint32_t i = 0; i < message->append_request.count && ++index <= raft->commit; i++)
        if (raft_contradicts(raft, index, message->append_request.entries[i].term))
            return index;
    return 0;
}

static struct raft_message *reply_to(struct raft *raft, const struct raft_message *message) {
    struct raft_message *reply = raft_send(raft, RAFT_APPEND_REPLY, message->from);
    reply->append_reply.sequence = message->append_request.sequence;
    reply->append_reply.prev_index = message->append_request.prev_index;
    reply->append_reply.last_index = raft->log.last_index;
    return reply;
}

/** Says where the logs may still agree: no later than the last entry of a term not above the refused one, so that the
 *  leader steps over a whole term at a time (H8). */
static void refuse(struct raft *raft, const struct raft_message *message) {
    struct raft_message *reply = reply_to(raft, message);
    uint64_t hint =
        raft_log_not_above(&raft->log, message->append_request.prev_index, message->append_request.prev_term);
    reply->append_reply.hint_index = hint;
    reply->append_reply.hint_term = raft_log_term(&raft->log, hint);
    RAFT_TRACE(raft, "refuse append after %llu^%llu (hint %llu^%llu)", raft_u(message->append_request.prev_index),
               raft_u(message->append_request.prev_term), raft_u(hint), raft_u(reply->append_reply.hint_term));
}

/** Entries up to previous_index are committed: no question about them. */
static bool previous_matches(const struct raft *raft, const struct raft_message *message) {
    uint64_t prev = message->append_request.prev_index;
    if (prev < raft->log.previous_index)
        return true;
    return prev <= raft->log.last_index && raft_log_term(&raft->log, prev) == message->append_request.prev_term;
}

/** How many of the message's entries the log holds already. Equal terms are equal entries; the first that differs ends
 *  it. A message that merely ends before our log does changes nothing (B1). */
static uint32_t count_known(const struct raft *raft, const struct raft_message *message) {
    uint32_t known = 0;
    for (; known < message->append_request.count; known++) {
        uint64_t index = message->append_request.prev_index + 1 + known;
        if (index <= raft->log.previous_index)
            continue;
        if (index > raft->log.last_index ||
            raft_log_term(&raft->log, index) != message->append_request.entries[known].term)
            break;
    }
    return known;
}

static void truncate(struct raft *raft, uint64_t first) {
    lf_checkf(first > raft->commit, "index %llu, commit %llu", raft_u(first), raft_u(raft->commit));
    RAFT_TRACE(raft, "truncate from %llu^%llu (log end was %llu)", raft_u(first),
               raft_u(raft_log_term(&raft->log, first)), raft_u(raft->log.last_index));
    raft_log_truncate(&raft->log, first);
    raft_writes_truncated(raft, first);
    raft_persist(raft)->truncate = true;
    raft->effects->truncated_from = first;
}

/** Puts what is new of the message into the log. False when that is impossible. */
static bool store_entries(struct raft *raft, const struct raft_message *message) {
    uint32_t skip = count_known(raft, message), count = message->append_request.count - skip;
    uint64_t first = message->append_request.prev_index + 1 + skip;
    const struct raft_entry *entries = message->append_request.entries + skip;
    if (count == 0)
        return true;
    bool conflict = first <= raft->log.last_index;
    if (conflict && first <= raft->equal_index) {
        /* Said otherwise by the same leader before: one of us is damaged. Keep what we have. */
        RAFT_TRACE(raft, "drop append from=%llu: it would replace settled %llu", raft_u(message->from), raft_u(first));
        return false;
    }
    enum lf_status status = raft_log_reserve(&raft->log, entries, count, 0, raft->commit);
    if (status == LF_FULL)
        raft_fail(raft, "more term changes in the log than log_runs_max");
    if (status != LF_OK)
        return false; /* as if it had been lost on the way */
    if (conflict)
        truncate(raft, first);
    struct raft_persist *persist = raft_persist(raft);
    lf_check(first == raft->log.last_index + 1);
    persist->first_index = first;
    persist->count = count;
    persist->message_skip = skip;
    for (uint32_t i = 0; i < count; i++)
        raft_log_append(&raft->log, entries[i].term, entries[i].bytes, entries[i].configuration);
    return true;
}

void raft_on_append_request(struct raft *raft, const struct raft_message *message) {
    if (!well_formed(message)) {
        RAFT_TRACE(raft, "drop malformed append from=%llu", raft_u(message->from));
        return;
    }
    if (message->term < raft->term) {
        /* Our term ends a leadership that does not know it is over. The number stays 0: its sender may lead our term by
         * now, and would take it for an answer to an append of this term. */
        reply_to(raft, message)->append_reply.sequence = 0;
        return;
    }
    if (!raft_hear_leader(raft, message))
        return;
    uint64_t index = contradicted(raft, message);
    if (index != 0) {
        raft_contradicted(raft, message, index);
        return;
    }
    if (!previous_matches(raft, message)) {
        refuse(raft, message);
        return;
    }
    if (!store_entries(raft, message))
        return;
    /* Ours and the leader's logs are equal as far as this message reaches, not as far as our log does (B2, B3). */
    uint64_t equal = message->append_request.prev_index + message->append_request.count;
    if (equal > raft->equal_index)
        raft->equal_index = equal;
    uint64_t commit = message->append_request.commit;
    raft_follow_commit(raft, commit < equal ? commit : equal);
    struct raft_message *reply = reply_to(raft, message);
    reply->append_reply.accepted = true;
    reply->append_reply.durable = raft_acknowledgeable(raft);
    reply->append_reply.received = raft->equal_index;
    if (reply->append_reply.durable > raft->acked_durable)
        raft->acked_durable = reply->append_reply.durable;
}
