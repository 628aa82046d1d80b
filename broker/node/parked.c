/** Requests that wait: for their entry to be applied, for an entry their refusal rests on, or for a read round.
 *
 *  Every one is answered exactly once: when applied, when leadership or the group goes, or when its time is over. */
#include "node_internal.h"

#include <stdlib.h>

struct parked *parked_new(struct node *node, enum parked_kind kind, uint64_t group, uint64_t session,
                          uint64_t request_id) {
    if (node->parked_count >= node->limits.parked_answers_max)
        return NULL;
    struct parked *parked = node_alloc(1, sizeof *parked);
    parked->kind = kind;
    parked->group = group;
    parked->session = session;
    parked->request_id = request_id;
    parked->since_us = node->now_us;
    parked->deadline_ms = node->now_ms + node->limits.request_timeout_ms;
    node->parked_count++;
    return parked;
}

void parked_free(struct node *node, struct parked *parked) {
    if (parked->read_id)
        lf_map_remove(&node->raft_reads, parked->read_id);
    if (parked->request)
        lf__client_request__free_unpacked(parked->request, NULL);
    free(parked);
    node->parked_count--;
}

void parked_insert(struct parked_list *list, struct parked *parked) {
    struct parked *before = list->tail; /* nearly always the place: indexes come in rising order */
    while (before && before->index > parked->index)
        before = before->previous;
    parked->previous = before;
    parked->next = before ? before->next : list->head;
    *(parked->previous ? &parked->previous->next : &list->head) = parked;
    *(parked->next ? &parked->next->previous : &list->tail) = parked;
}

void parked_remove(struct parked_list *list, struct parked *parked) {
    *(parked->previous ? &parked->previous->next : &list->head) = parked->next;
    *(parked->next ? &parked->next->previous : &list->tail) = parked->previous;
    parked->next = parked->previous = NULL;
}

static void answer(struct node *node, struct parked *parked, const struct partition_applied *partition,
                   const struct metadata_applied *metadata, uint64_t term) {
    switch (parked->kind) {
    case PARKED_PUBLISH:
    case PARKED_EPOCH:
        lf_check(partition != NULL);
        publish_answer(node, parked, partition, (int32_t)term);
        return;
    case PARKED_REFUSAL:
        publish_refuse(node, parked->session, parked->request_id, parked->bytes, &parked->verdict);
        return;
    case PARKED_COMMAND:
        lf_check(metadata != NULL);
        commands_answer(node, parked, metadata);
        return;
    case PARKED_TRIM:
        segments_answer_trim(node, parked);
        return;
    case PARKED_LOOKUP:
        lookups_answer(node, parked);
        return;
    }
}

void parked_resolve(struct node *node, struct group *group, uint64_t index, const struct partition_applied *partition,
                    const struct metadata_applied *metadata, uint64_t term) {
    struct parked *parked;
    while ((parked = group->parked.head) && parked->index <= index) {
        parked_remove(&group->parked, parked);
        if (parked->kind == PARKED_PUBLISH || parked->kind == PARKED_EPOCH || parked->kind == PARKED_COMMAND)
            lf_histogram_observe(&node->metrics.commit_us, node->now_us - parked->since_us);
        answer(node, parked, partition, metadata, term);
        parked_free(node, parked);
    }
}

void parked_fail(struct node *node, struct group *group, enum lf_status status) {
    struct parked *next;
    for (struct parked *parked = group->parked.head; parked; parked = next) {
        next = parked->next;
        /* A lookup whose round is done only waits for apply, which any replica does. */
        if (parked->kind == PARKED_LOOKUP && status == LF_NOT_LEADER && group->state == GROUP_RUNNING)
            continue;
        parked_remove(&group->parked, parked);
        switch (parked->kind) {
        case PARKED_PUBLISH:
        case PARKED_EPOCH:
        case PARKED_TRIM:
        case PARKED_COMMAND: /* it is in our log: whether it commits is for others to decide */
            publish_fail(node, parked, LF_UNKNOWN_OUTCOME, group);
            break;
        case PARKED_REFUSAL: /* a repeat of what is in the log is as unknown as the first; a refusal is not done */
            publish_fail(node, parked, parked->verdict.status == LF_DUPLICATE ? LF_UNKNOWN_OUTCOME : status, group);
            break;
        case PARKED_LOOKUP:
            reply_error(node, parked->session, parked->request_id, status, "%s", lf_status_text(status));
            break;
        }
        parked_free(node, parked);
    }
}
