#include "raft_internal.h"

/** Messages to one peer in a step, besides a window full of appends: heartbeat, vote, reply, empty append, timeout, and
 *  an image offered at once and with the beat. */
#define MESSAGES_PER_PEER_BESIDES 8

size_t raft_messages_max(const struct raft_limits *limits) {
    return (size_t)RAFT_MEMBERS_MAX * (limits->inflight_messages_max + MESSAGES_PER_PEER_BESIDES) + limits->reads_max;
}

struct raft_message *raft_send(struct raft *raft, enum raft_message_type type, uint64_t to) {
    struct raft_effects *effects = raft->effects;
    lf_check(effects->message_count < effects->message_capacity);
    lf_check(to != raft->self);
    struct raft_message *message = &effects->messages[effects->message_count++];
    *message = (struct raft_message){.type = type, .from = raft->self, .to = to, .term = raft->term};
    return message;
}

void raft_answer_read(struct raft *raft, uint64_t id, uint64_t index, enum lf_status status) {
    struct raft_effects *effects = raft->effects;
    lf_check(effects->read_count < effects->read_capacity);
    effects->reads[effects->read_count++] = (struct raft_read_answer){.id = id, .index = index, .status = status};
}
