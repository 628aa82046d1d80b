/** The promise, record by record: acknowledged exactly once, in order, at its offset; unknown at most once; not done
 *  never. Checked on what the readers at the end found. */
#include "host.h"
#include "ledger.h"
#include "partition.h"

typedef unsigned long long ull;

#define LIVES_MAX 256

static const char *const outcomes[] = {"pending", "acknowledged", "not done", "unknown"};

/** Of a name that stood for several topics only the last one's counts, as the replicas have it now. */
static void note_log_start(const struct sim_world *world, struct sim_topic *topic, uint32_t partition) {
    for (uint32_t i = 0; i < world->node_count && !topic->main; i++) {
        const struct node *node = world->hosts[i].node;
        const struct partition *replica =
            node ? node_group_partition(node, node_find_group(node, topic->name, partition)) : NULL;
        int64_t start = replica ? partition_log_start_offset(replica) : 0;
        if (start > topic->partitions[partition].log_start)
            topic->partitions[partition].log_start = start;
    }
}

/** Was it below the log start, or may it have been? */
static bool was_dropped(const struct sim_record *record) {
    return record->offset < record->topic->partitions[record->partition].log_start;
}

/** Gone by the topic's rules: a later record of its key is there, or it was a tombstone. */
static bool was_superseded(const struct sim_record *record) {
    const struct sim_topic *topic = record->topic;
    struct sim_key keys[SIM_KEYS];
    if (!topic->compacts || !record->keyed)
        return false;
    if (record->tombstone || record->offset < 0)
        return true;
    sim_ledger_keys(record->world, topic, (uint32_t)record->partition, keys);
    const struct sim_key *key = &keys[sim_record_key_number(record)];
    return key->seen > record->offset || key->acked > record->offset || key->unknown_tombstone;
}

static void verify_record(const struct sim_record *record) {
    struct sim_world *world = record->world;
    ull id = record->id;
    const char *name = record->topic->name;
    /* Gone with its topic, or with a majority of so few replicas, may be what was acknowledged. */
    bool kept = !record->topic->delete_asked && !(sim_lossy(world) && record->topic->replicas < 3);
    if (record->outcome == SIM_PENDING)
        sim_fail(world, "record %llu of client %u to %s never had an outcome", id, record->publisher, name);
    if (record->outcome == SIM_NOT_DONE && record->found > 0)
        sim_fail(world, "record %llu was not done (%s), but stands in %s-%d at offset %lld", id,
                 lf_status_name(record->status), name, record->found_partition, (long long)record->found_offset);
    if (record->found > 1)
        sim_fail(world, "record %llu (%s, %s) stands in %s twice, the second time in partition %d at offset %lld", id,
                 outcomes[record->outcome], lf_status_name(record->status), name, record->found_partition,
                 (long long)record->found_offset);
    if (record->outcome == SIM_UNKNOWN && kept) {
        world->totals.unknown_found += record->found > 0;
        world->totals.unknown_absent += record->found == 0;
    }
    if (record->outcome != SIM_ACKED || !kept)
        return;
    if (record->found == 0 && was_dropped(record)) {
        world->totals.records_dropped++;
        return;
    }
    if (record->found == 0 && was_superseded(record)) {
        world->totals.superseded++;
        return;
    }
    if (record->found == 0)
        sim_fail(world, "record %llu was acknowledged in %s-%d at offset %lld, and is not there", id, name,
                 record->partition, (long long)record->offset);
    if (record->found_partition != record->partition || (record->offset >= 0 && record->found_offset != record->offset))
        sim_fail(world, "record %llu was acknowledged in %s-%d at offset %lld, and stands in %d at %lld", id, name,
                 record->partition, (long long)record->offset, record->found_partition,
                 (long long)record->found_offset);
}

/** One producer's records stand in the order in which it published them. */
static void verify_order(struct sim_world *world, const struct sim_topic *topic, uint32_t partition) {
    const struct sim_partition *log = &topic->partitions[partition];
    uint64_t last[SIM_ACTORS_MAX][LIVES_MAX] = {{0}};
    for (size_t offset = (size_t)log->log_start; offset < log->count; offset++) {
        if (log->ids[offset] == 0 && topic->compacts)
            continue;
        if (log->ids[offset] == 0)
            sim_fail(world, "nobody read %s-%u offset %zu", topic->name, partition, offset);
        const struct sim_record *record = world->records[log->ids[offset] - 1];
        uint64_t *before = &last[record->publisher][record->life % LIVES_MAX];
        if (record->id <= *before)
            sim_fail(world, "%s-%u: record %llu of client %u stands at offset %zu, after record %llu", topic->name,
                     partition, (ull)record->id, record->publisher, offset, (ull)*before);
        *before = record->id;
    }
}

static void note_found(struct sim_world *world, const struct sim_topic *topic, uint32_t partition) {
    const struct sim_partition *log = &topic->partitions[partition];
    for (size_t offset = 0; offset < log->count; offset++) {
        if (log->ids[offset] == 0)
            continue; /* below the log start: dropped before anybody read it */
        struct sim_record *record = world->records[log->ids[offset] - 1];
        record->found++;
        record->found_partition = (int32_t)partition;
        record->found_offset = (int64_t)offset;
    }
}

void sim_ledger_verify(struct sim_world *world) {
    for (size_t i = 0; i < world->topic_count; i++)
        for (uint32_t k = 0; k < world->topics[i]->partition_count; k++) {
            note_log_start(world, world->topics[i], k);
            verify_order(world, world->topics[i], k);
            note_found(world, world->topics[i], k);
        }
    for (size_t i = 0; i < world->record_count; i++)
        verify_record(world->records[i]);
}
