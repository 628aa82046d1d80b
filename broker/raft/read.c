/** ReadIndex: which index answers a read that begins now?
 *
 *  1. The leader has committed an entry of its own term: only then does its commit index cover all that any leader ever
 *     answered (F1).
 *  2. The read takes that commit index.
 *  3. A majority answers a round of heartbeats that left after the read began: so no newer leader existed when it
 *     began. Rounds carry the leader's own numbers, counted within its term; nothing an asker says takes part (F2).
 *  4. Whoever asked serves once it has applied that index.
 */
#include "raft_internal.h"

#include <stdlib.h>
#include <string.h>

static bool reserve(struct raft *raft) {
    if (raft->read_count >= raft->limits.reads_max)
        return false;
    if (raft->read_count < raft->read_capacity)
        return true;
    size_t capacity = raft->read_capacity > 0 ? raft->read_capacity * 2 : 8;
    struct raft_read *reads = realloc(raft->reads, capacity * sizeof *reads);
    if (!reads)
        return false;
    raft->reads = reads;
    raft->read_capacity = capacity;
    return true;
}

enum lf_status raft_read_begin(struct raft *raft, uint64_t id, uint64_t asker) {
    lf_check(raft->role == RAFT_LEADER);
    if (!reserve(raft))
        return LF_FULL;
    struct raft_read *read = &raft->reads[raft->read_count++];
    *read = (struct raft_read){.id = id, .asker = asker, .asked_ms = raft->now_ms};
    if (raft_committed_own_term(raft)) {
        read->index = raft->commit;
        read->round = raft->round_sent + 1;
    }
    return LF_OK;
}

static enum lf_status ask_leader(struct raft *raft, uint64_t id) {
    if (!reserve(raft))
        return LF_FULL;
    uint64_t question = raft->next_question++;
    raft->reads[raft->read_count++] =
        (struct raft_read){.id = id, .asker = raft->self, .question = question, .asked_ms = raft->now_ms};
    raft_send(raft, RAFT_READ_REQUEST, raft->leader)->read.id = question;
    return LF_OK;
}

enum lf_status raft_read(struct raft *raft, uint64_t id) {
    if (raft->role == RAFT_LEADER)
        return raft_read_begin(raft, id, raft->self);
    if (raft->leader == 0)
        return LF_NOT_LEADER;
    return ask_leader(raft, id);
}

static void answer(struct raft *raft, const struct raft_read *read, enum lf_status status) {
    uint64_t index = status == LF_OK ? read->index : 0;
    if (read->asker == raft->self) {
        raft_answer_read(raft, read->id, index, status);
        return;
    }
    struct raft_message *reply = raft_send(raft, RAFT_READ_REPLY, read->asker);
    reply->read.id = read->id;
    reply->read.index = index;
    reply->read.status = status == LF_OK ? LF_OK : LF_NOT_LEADER;
}

void raft_reads_fail(struct raft *raft, enum lf_status status) {
    for (size_t i = 0; i < raft->read_count; i++)
        answer(raft, &raft->reads[i], status);
    raft->read_count = 0;
}

/** The newest round that a majority of voters answered; a leader needs no answer of its own. */
static uint64_t round_of(const void *context, uint64_t voter) {
    const struct raft *raft = context;
    if (voter == raft->self)
        return UINT64_MAX;
    const struct raft_peer *peer = raft_known_peer(raft, voter);
    return peer && !peer->damaged ? peer->round_acked : 0;
}

void raft_reads_advance(struct raft *raft) {
    if (raft->role != RAFT_LEADER || raft->read_count == 0 || !raft_committed_own_term(raft))
        return;
    uint64_t confirmed = raft_quorum(raft_configuration(raft), round_of, raft);
    size_t answered = 0;
    for (size_t i = 0; i < raft->read_count; i++) {
        struct raft_read *read = &raft->reads[i];
        if (read->round == 0) { /* waited for the own term's first commit: it begins now */
            read->index = raft->commit;
            read->round = raft->round_sent + 1;
        }
        if (read->round > confirmed)
            continue;
        lf_check(answered == i); /* rounds never fall along the queue */
        answer(raft, read, LF_OK);
        answered++;
    }
    raft->read_count -= answered;
    memmove(raft->reads, raft->reads + answered, raft->read_count * sizeof *raft->reads);
    if (raft->read_count > 0 && raft->reads[raft->read_count - 1].round > raft->round_sent &&
        raft->round_sent - confirmed < RAFT_READ_ROUNDS_MAX)
        raft_beat(raft);
}

void raft_reads_expire(struct raft *raft) {
    if (raft->role == RAFT_LEADER)
        return; /* a leader answers its reads or loses its leadership */
    size_t kept = 0;
    for (size_t i = 0; i < raft->read_count; i++) {
        struct raft_read read = raft->reads[i];
        if (raft->now_ms - read.asked_ms >= raft->limits.election_timeout_ms_max)
            raft_answer_read(raft, read.id, 0, LF_NOT_LEADER);
        else
            raft->reads[kept++] = read;
    }
    raft->read_count = kept;
}

uint64_t raft_reads_deadline(const struct raft *raft) {
    if (raft->role == RAFT_LEADER || raft->read_count == 0)
        return UINT64_MAX;
    return raft->reads[0].asked_ms + raft->limits.election_timeout_ms_max; /* in order of asking */
}
