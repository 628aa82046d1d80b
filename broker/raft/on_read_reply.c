#include "raft_internal.h"

#include <string.h>

/** Our question's number is unique over restarts, so an answer to it is an answer to it, whatever the term is by now:
 * at some moment after we asked, a leader had this commit index. Our own commit does not move: what we hold at that
 * index may be an old leader's (F8). */
void raft_on_read_reply(struct raft *raft, const struct raft_message *message) {
    if (raft->role == RAFT_LEADER)
        return;
    for (size_t i = 0; i < raft->read_count; i++) {
        struct raft_read read = raft->reads[i];
        if (read.question != message->read.id)
            continue;
        raft->read_count--;
        memmove(raft->reads + i, raft->reads + i + 1, (raft->read_count - i) * sizeof *raft->reads);
        enum lf_status status = message->read.status == LF_OK ? LF_OK : LF_NOT_LEADER;
        raft_answer_read(raft, read.id, status == LF_OK ? message->read.index : 0, status);
        return;
    }
}
