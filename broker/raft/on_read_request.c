#include "raft_internal.h"

void raft_on_read_request(struct raft *raft, const struct raft_message *message) {
    enum lf_status status = LF_NOT_LEADER;
    if (raft->role == RAFT_LEADER)
        status = raft_read_begin(raft, message->read.id, message->from);
    if (status == LF_OK)
        return;
    struct raft_message *reply = raft_send(raft, RAFT_READ_REPLY, message->from);
    reply->read.id = message->read.id;
    reply->read.status = status;
}
