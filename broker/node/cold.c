/** Appends to a lagging peer whose entries are not in memory any more: read first, then sent, in the order the core
 * gave them. Bounded by the core's window per peer. Dropping one is always allowed: the core asks again. */
#include "node_internal.h"

#include <stdlib.h>

static void cold_free(struct cold_send *cold) {
    for (uint32_t i = 0; i < cold->count; i++)
        lf_buf_unref(&cold->entries[i]);
    free(cold->entries);
    free(cold);
}

bool cold_must_queue(const struct group *group, uint64_t to) {
    for (const struct cold_send *cold = group->cold; cold; cold = cold->next)
        if (cold->message.to == to)
            return true;
    return false;
}

void cold_send_start(struct node *node, struct group *group, const struct raft_message *message) {
    size_t bound = (size_t)node->limits.raft.inflight_messages_max * RAFT_VOTERS_MAX;
    if (group->cold_count >= bound || node->reads.count >= node->limits.reads_max) {
        node->metrics.cold_refused++;
        return; /* dropped */
    }
    struct cold_send *cold = node_alloc(1, sizeof *cold);
    cold->message = *message;
    cold->request = ++node->next_request;
    struct cold_send **last = &group->cold;
    while (*last)
        last = &(*last)->next;
    *last = cold;
    group->cold_count++;
    struct pending_read *pending = node_alloc(1, sizeof *pending);
    *pending = (struct pending_read){.kind = READ_COLD, .group = group->id};
    uint64_t first = message->append_request.prev_index + 1;
    struct log_store_read read = {.group = group->id,
                                  .request = cold->request,
                                  .from = LOG_STORE_READ_INDEX,
                                  .value = first,
                                  .last_index = first + message->append_request.count - 1,
                                  .bytes_max = NODE_COLD_READ_BYTES,
                                  .entries_max = message->append_request.count};
    lf_check(lf_map_put(&node->reads, cold->request, pending));
    node_add_read(node, &read);
}

/** Send what is ready, never one before an earlier one to the same peer. */
static void send_ready(struct node *node, struct group *group) {
    for (struct cold_send **at = &group->cold; *at;) {
        struct cold_send *cold = *at;
        bool behind = false;
        for (const struct cold_send *before = group->cold; before != cold; before = before->next)
            behind |= before->message.to == cold->message.to;
        if (!cold->ready || behind) {
            at = &cold->next;
            continue;
        }
        *at = cold->next;
        group->cold_count--;
        if (!cold->failed && group_leads(group) && raft_term(group->raft) == cold->message.term) {
            struct peer_message message = {.group = group->id, .raft = cold->message, .entries = cold->entries};
            message.raft.append_request.count = cold->count; /* a byte bound may have cut it short */
            cold->entries = NULL;
            cold->count = 0;
            peers_send(node, group, &message);
        }
        cold_free(cold);
    }
}

void cold_on_read(struct node *node, struct group *group, uint64_t request, struct log_store_completion *completion) {
    for (struct cold_send *cold = group->cold; cold; cold = cold->next) {
        if (cold->request != request)
            continue;
        cold->ready = true;
        cold->failed = completion->status != LF_OK || completion->entry_count == 0 ||
                       completion->first_index != cold->message.append_request.prev_index + 1 ||
                       completion->entry_count > cold->message.append_request.count;
        if (completion->status == LF_DAMAGED)
            node_fail(node, LF_DAMAGED, "group %llu: %.200s", (unsigned long long)group->id, completion->error.text);
        if (!cold->failed) {
            cold->entries = completion->entries;
            cold->count = completion->entry_count;
            completion->entries = NULL;
            completion->entry_count = 0;
        }
        break;
    }
    send_ready(node, group);
}

void cold_drop_all(struct node *node, struct group *group) {
    (void)node;
    while (group->cold) {
        struct cold_send *cold = group->cold;
        group->cold = cold->next;
        cold_free(cold);
    }
    group->cold_count = 0;
}
