#include "session_table.h"

#include <stdlib.h>

struct entry {
    uint64_t key;
    uint64_t number; /**< 0: its session was closed */
    struct unsent *unsent;
};

bool session_table_init(struct session_table *table, size_t sessions_max) {
    *table = (struct session_table){.next_number = 1, .sessions_max = sessions_max, .sum = unsent_new(NULL)};
    return table->sum != NULL;
}

static void free_entry(struct entry *entry) {
    unsent_drop(&entry->unsent);
    free(entry);
}

void session_table_deinit(struct session_table *table) {
    size_t cursor = 0;
    void *entry;
    while ((entry = lf_map_next(&table->by_routing, &cursor)) != NULL)
        free_entry(entry);
    lf_map_deinit(&table->by_routing);
    lf_map_deinit(&table->by_number);
    unsent_drop(&table->sum);
}

/** Connections without a session for which nothing waits are forgotten: they are gone, or as good as new. */
static void sweep(struct session_table *table) {
    const struct entry *read[64]; /* the map must not change under the walk */
    size_t count;
    do {
        size_t cursor = 0;
        const struct entry *entry;
        count = 0;
        while (count < 64 && (entry = lf_map_next(&table->by_routing, &cursor)) != NULL)
            if (entry->number == 0 && unsent_bytes(entry->unsent) == 0)
                read[count++] = entry;
        for (size_t i = 0; i < count; i++)
            free_entry(lf_map_remove(&table->by_routing, read[i]->key));
    } while (count == 64);
}

static struct entry *add(struct session_table *table, uint64_t key) {
    if (table->by_routing.count >= table->sessions_max)
        sweep(table);
    struct entry *entry = table->by_routing.count < table->sessions_max ? malloc(sizeof *entry) : NULL;
    if (!entry)
        return NULL;
    *entry = (struct entry){.key = key, .unsent = unsent_new(table->sum)};
    if (entry->unsent && lf_map_put(&table->by_routing, key, entry))
        return entry;
    if (entry->unsent)
        unsent_drop(&entry->unsent);
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
    if (!entry || entry->number != 0)
        return entry ? entry->number : 0;
    if (unsent_bytes(entry->unsent) <= SESSION_REOPEN_BYTES && lf_map_put(&table->by_number, table->next_number, entry))
        entry->number = table->next_number++;
    return entry->number;
}

static const struct entry *find(const struct session_table *table, uint64_t session) {
    return session ? lf_map_get(&table->by_number, session) : NULL;
}

bool session_table_find(const struct session_table *table, uint64_t session,
                        uint8_t routing_id[SESSION_ROUTING_ID_BYTES]) {
    const struct entry *entry = find(table, session);
    if (!entry)
        return false;
    routing_id[0] = 0;
    lf_put_be32(routing_id + 1, (uint32_t)(entry->key - 1));
    return true;
}

struct unsent *session_table_unsent(const struct session_table *table, uint64_t session) {
    const struct entry *entry = find(table, session);
    return entry ? entry->unsent : NULL;
}

void session_table_close(struct session_table *table, uint64_t session) {
    struct entry *entry = session ? lf_map_remove(&table->by_number, session) : NULL;
    if (!entry)
        return;
    entry->number = 0;
    if (unsent_bytes(entry->unsent) == 0)
        free_entry(lf_map_remove(&table->by_routing, entry->key));
}
