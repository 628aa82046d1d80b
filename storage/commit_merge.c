#include "commit_merge.h"

void commit_queue_push(struct commit_queue *queue, struct log_store_write **write) {
    struct log_store_write *last = *write;
    *write = NULL;
    last->next = NULL;
    if (queue->tail)
        queue->tail->next = last;
    else
        queue->head = last;
    queue->tail = last;
    queue->bytes += last->bytes;
    queue->count++;
}

static struct log_store_write *pop(struct commit_queue *queue) {
    struct log_store_write *write = queue->head;
    queue->head = write->next;
    if (!queue->head)
        queue->tail = NULL;
    queue->bytes -= write->bytes;
    queue->count--;
    write->next = NULL;
    return write;
}

bool commit_queue_take(struct commit_queue *queue, size_t commit_bytes_max, struct commit *commit) {
    *commit = (struct commit){0};
    struct log_store_write **end = &commit->writes;
    while (queue->head) {
        size_t bytes = queue->head->bytes;
        bool fits = commit->bytes <= commit_bytes_max && bytes <= commit_bytes_max - commit->bytes;
        if (commit->count > 0 && !fits)
            break;
        struct log_store_write *write = pop(queue);
        commit->bytes += bytes;
        commit->count++;
        commit->sync = commit->sync || write->sync;
        *end = write;
        end = &write->next;
    }
    return commit->count > 0;
}

static void destroy_list(struct log_store_write *write) {
    while (write) {
        struct log_store_write *next = write->next;
        log_store_write_destroy(&write);
        write = next;
    }
}

void commit_queue_deinit(struct commit_queue *queue) {
    destroy_list(queue->head);
    *queue = (struct commit_queue){0};
}

void commit_deinit(struct commit *commit) {
    destroy_list(commit->writes);
    *commit = (struct commit){0};
}
