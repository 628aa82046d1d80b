#include "admin_snapshot.h"

#include <stdlib.h>

struct admin_snapshot *admin_snapshot_new(void) {
    return calloc(1, sizeof(struct admin_snapshot));
}

void admin_snapshot_destroy(struct admin_snapshot **where) {
    struct admin_snapshot *snapshot = *where;
    *where = NULL;
    if (!snapshot)
        return;
    node_view_deinit(&snapshot->node);
    free(snapshot);
}

size_t admin_snapshot_items(const struct admin_snapshot *snapshot, struct node_queue_view out[ADMIN_QUEUES_MAX]) {
    const struct log_store_stats *store = &snapshot->store;
    size_t count = 0;
    for (; count < snapshot->node.item_count; count++)
        out[count] = snapshot->node.items[count];
    if (store->writes_waiting_max > 0) /* the simulated store has no such bound */
        out[count++] = (struct node_queue_view){"store_writes", store->writes_waiting, store->writes_waiting_max};
    out[count++] = (struct node_queue_view){"store_reads", store->reads_waiting, store->reads_waiting_max};
    return count;
}

size_t admin_snapshot_bytes(const struct admin_snapshot *snapshot, struct node_queue_view out[ADMIN_QUEUES_MAX]) {
    const struct log_store_stats *store = &snapshot->store;
    size_t count = 0;
    for (; count < snapshot->node.byte_count; count++)
        out[count] = snapshot->node.bytes[count];
    out[count++] = (struct node_queue_view){"store_writes", store->bytes_waiting, store->bytes_waiting_max};
    out[count++] = snapshot->loop.store_waiting;
    out[count++] = snapshot->loop.log_backlog;
    return count;
}
