#include "session_table.h"

#include <stdlib.h>

struct entry {
    uint64_t key;
    uint64_t number;
};

void session_table_init(struct session_table *table, size_t sessions_max) {
    *table = (struct session_table){.next_number = 1, .sessions_max = sessions_max};
}

void session_table_deinit(struct session_table *table) {
    size_t cursor = 0;
    void *entry;
    while ((entry = lf_map_next(&table->by_number, &cursor)) != NULL)
        free(entry);
    lf_map_deinit(&table->by_routing);
    lf_map_deinit(&table->by_number);
}

static struct entry *add(struct session_table *table, uint64_t key) {
    struct entry *entry = table->by_number.count < table->sessions_max ? malloc(sizeof *entry) : NULL;
    if (!entry)
        return NULL;
    *entry = (struct entry){.key = key, .number = table->next_number};
    if (lf_map_put(&table->by_routing, key, entry)) {
        if (lf_map_put(&table->by_number, entry->number, entry)) {
            table->next_number++;
            return entry;
        }
        lf_map_remove(&table->by_routing, key);
    }
    free(entry);
    return NULL;
}

uint64_t session_table_open(struct session_table *table, struct lf_bytes routing_id) {
    if (routing_id.size != SESSION_ROUTING_ID_BYTES || routing_id.data[0] != 0)
        return 0;
    uint64_t key = 1ull + lf_get_be32(routing_id.data + 1);
    struct entry *entry = lf_map_get(&table->by_routing, key);
    if (!entry)
        entry = add(table, key);
    return entry ? entry->number : 0;
}

bool session_table_find(const struct session_table *table, uint64_t session,
                        uint8_t routing_id[SESSION_ROUTING_ID_BYTES]) {
    const struct entry *entry = session ? lf_map_get(&table->by_number, session) : NULL;
    if (!entry)
        return false;
    routing_id[0] = 0;
    lf_put_be32(routing_id + 1, (uint32_t)(entry->key - 1));
    return true;
}

void session_table_close(struct session_table *table, uint64_t session) {
    struct entry *entry = session ? lf_map_remove(&table->by_number, session) : NULL;
    if (!entry)
        return;
    lf_map_remove(&table->by_routing, entry->key);
    free(entry);
}
