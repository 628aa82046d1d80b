#include "ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lf_core.h"

typedef unsigned long long ull;

struct sim_topic *sim_topic_add(struct sim_world *world, const char *name, uint32_t partitions, uint32_t replicas,
                                bool main) {
    struct sim_topic *topic = sim_alloc(1, sizeof *topic);
    world->topics = sim_grown(world->topics, &world->topic_capacity, world->topic_count + 1, sizeof *world->topics);
    world->topics[world->topic_count++] = topic;
    snprintf(topic->name, sizeof topic->name, "%s", name);
    topic->partition_count = partitions;
    topic->replicas = replicas;
    topic->main = main;
    return topic;
}

struct sim_topic *sim_topic_find(struct sim_world *world, const char *name) {
    for (size_t i = 0; i < world->topic_count; i++)
        if (strcmp(world->topics[i]->name, name) == 0)
            return world->topics[i];
    return NULL;
}

struct sim_record *sim_record_new(struct sim_world *world, uint32_t publisher, uint64_t life) {
    struct sim_record *record = sim_alloc(1, sizeof *record);
    world->records =
        sim_grown(world->records, &world->record_capacity, world->record_count + 1, sizeof *world->records);
    world->records[world->record_count++] = record;
    record->world = world;
    record->id = world->record_count;
    record->publisher = publisher;
    record->life = life;
    record->partition = -1;
    record->offset = -1;
    record->published_at = world->now;
    return record;
}

#define VALUE_STEP 6364136223846793005u

/** A word of a value: each by itself, so that the compiler can make several at once. */
static uint64_t word_of(uint64_t noise) { return noise ^ noise >> 29; }

size_t sim_record_value(const struct sim_record *record, uint8_t bytes[SIM_VALUE_BYTES_MAX]) {
    uint64_t noise = record->id * 0x9e3779b97f4a7c15u;
    lf_put_le64(bytes, record->id);
    uint64_t words = (record->value_bytes - 8) / 8;
    for (uint64_t i = 0; i < words; i++, noise += VALUE_STEP) {
        uint64_t word = word_of(noise);
        memcpy(bytes + 8 + i * 8, &word, 8);
    }
    uint64_t last = word_of(noise);
    memcpy(bytes + 8 + words * 8, &last, (record->value_bytes - 8) % 8);
    return record->value_bytes;
}

size_t sim_record_key(const struct sim_record *record, char key[16]) {
    uint64_t number = record->id * 7919 % SIM_KEYS;
    memcpy(key, "key-", 4);
    size_t size = 4;
    if (number >= 10)
        key[size++] = (char)('0' + number / 10);
    key[size++] = (char)('0' + number % 10);
    key[size] = '\0';
    return size;
}

int sim_record_key_number(const struct sim_record *record) {
    return record->keyed ? (int)(record->id * 7919 % SIM_KEYS) : -1;
}

uint64_t sim_record_id(const struct lf_record *read) {
    struct lf_bytes id = read->value;
    if (!id.data && read->header_count == 1)
        id = read->headers[0].value;
    return id.size >= 8 ? lf_get_le64(id.data) : 0;
}

void sim_ledger_keys(const struct sim_world *world, const struct sim_topic *topic, uint32_t partition,
                     struct sim_key keys[SIM_KEYS]) {
    const struct sim_partition *log = &topic->partitions[partition];
    for (int i = 0; i < SIM_KEYS; i++)
        keys[i] = (struct sim_key){.seen = -1, .acked = -1};
    for (size_t offset = 0; offset < log->count; offset++) {
        const struct sim_record *record = log->ids[offset] != 0 ? world->records[log->ids[offset] - 1] : NULL;
        if (record && record->keyed) {
            keys[sim_record_key_number(record)].seen = (int64_t)offset;
            keys[sim_record_key_number(record)].seen_tombstone = record->tombstone;
        }
    }
    for (size_t i = 0; i < world->record_count; i++) {
        const struct sim_record *record = world->records[i];
        struct sim_key *key = &keys[record->keyed ? sim_record_key_number(record) : 0];
        if (!record->keyed || record->topic != topic)
            continue;
        if (record->outcome == SIM_ACKED && record->partition == (int32_t)partition && record->offset > key->acked)
            key->acked = record->offset;
        key->unknown_tombstone |= record->tombstone && (record->outcome == SIM_UNKNOWN || record->offset < 0);
    }
}

/* ---- outcomes ---------------------------------------------------------------------------------------------------- */

static void check_partition(const struct sim_record *record, int32_t partition) {
    struct sim_world *world = record->world;
    uint32_t count = record->topic->partition_count;
    if (partition < 0 || (uint32_t)partition >= count ||
        (record->asked_partition >= 0 && partition != record->asked_partition))
        sim_fail(world, "record %llu went to partition %d of %u", (ull)record->id, partition, count);
    char key[16];
    size_t size = sim_record_key(record, key);
    if (record->keyed && record->asked_partition < 0 &&
        (uint32_t)partition != (lf_murmur2(key, size) & 0x7fffffff) % count)
        sim_fail(world, "record %llu with key %s went to partition %d", (ull)record->id, key, partition);
}

static void acknowledged(struct sim_record *record) {
    struct sim_world *world = record->world;
    struct sim_partition *partition = &record->topic->partitions[record->partition];
    world->totals.acked++;
    world->totals.acked_without_offset += record->status != LF_OK;
    if ((record->status == LF_OK) != (record->offset >= 0))
        sim_fail(world, "record %llu: %s with offset %lld", (ull)record->id, lf_status_name(record->status),
                 (long long)record->offset);
    if (record->offset + 1 > partition->acked_end)
        partition->acked_end = record->offset + 1;
}

static enum sim_outcome outcome_of(enum lf_status status) {
    switch (lf_status_action(status)) {
    case LF_ACTION_NONE:
        return SIM_ACKED;
    case LF_ACTION_UNKNOWN:
        return SIM_UNKNOWN;
    default:
        return SIM_NOT_DONE;
    }
}

void sim_record_outcome(const struct lf_delivery *delivery) {
    struct sim_record *record = delivery->context;
    struct sim_world *world = record->world;
    if (record->outcome != SIM_PENDING)
        sim_fail(world, "record %llu has two outcomes, the second %s", (ull)record->id,
                 lf_status_name(delivery->status));
    record->status = delivery->status;
    record->partition = delivery->partition;
    record->offset = delivery->offset;
    record->outcome = outcome_of(delivery->status);
    sim_tracef(world, "client=%u record=%llu %s partition=%d offset=%lld %s (%s)", record->publisher, (ull)record->id,
               record->topic->name, record->partition, (long long)record->offset, lf_status_name(record->status),
               delivery->error_text);
    if (record->partition >= 0) {
        check_partition(record, record->partition);
        uint64_t *last = &record->topic->partitions[record->partition].last_outcome[record->publisher];
        if (record->id <= *last)
            sim_fail(world, "record %llu has its outcome after record %llu, published later", (ull)record->id,
                     (ull)*last);
        *last = record->id;
    }
    world->totals.not_done += record->outcome == SIM_NOT_DONE;
    world->totals.unknown += record->outcome == SIM_UNKNOWN;
    if (record->outcome == SIM_ACKED) {
        if (record->partition < 0)
            sim_fail(world, "record %llu is acknowledged without a partition", (ull)record->id);
        acknowledged(record);
    }
}

void sim_record_abandon(struct sim_record *record) {
    if (record->outcome != SIM_PENDING)
        return;
    record->outcome = SIM_UNKNOWN;
    record->status = LF_UNKNOWN_OUTCOME;
    record->world->totals.unknown++;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static void check_bytes(const struct sim_record *record, const struct lf_record *read, const char *reader) {
    uint8_t bytes[SIM_VALUE_BYTES_MAX];
    size_t size = sim_record_value(record, bytes);
    char key[16];
    struct lf_bytes wanted_key = record->keyed ? lf_bytes(key, sim_record_key(record, key)) : lf_bytes(NULL, 0);
    bool same_value = record->tombstone ? read->value.data == NULL : lf_bytes_equal(read->value, lf_bytes(bytes, size));
    if (!same_value || !lf_bytes_equal(read->key, wanted_key) || (read->key.data == NULL) != !record->keyed)
        sim_fail(record->world, "%s reads record %llu with other bytes than were published", reader, (ull)record->id);
}

struct sim_record *sim_ledger_read(struct sim_world *world, struct sim_topic *topic, int32_t partition,
                                   const struct lf_record *read, const char *reader) {
    uint64_t id = sim_record_id(read);
    if (id == 0 || id > world->record_count)
        sim_fail(world, "%s reads at %s-%d offset %lld what nobody published", reader, topic->name, partition,
                 (long long)read->offset);
    struct sim_record *record = world->records[id - 1];
    check_bytes(record, read, reader);
    if (record->topic != topic)
        sim_fail(world, "%s reads in %s record %llu, published to %s", reader, topic->name, (ull)id,
                 record->topic->name);
    check_partition(record, partition);
    if (!topic->main && world->phase != SIM_READ_BACK)
        return record; /* the name may stand for another topic by now: the end checks those that stayed */
    struct sim_partition *log = &topic->partitions[partition];
    size_t at = (size_t)read->offset;
    log->ids = sim_grown(log->ids, &log->capacity, at + 1, sizeof *log->ids);
    if (at + 1 > log->count)
        log->count = at + 1;
    if (log->ids[at] != 0 && log->ids[at] != id)
        sim_fail(world, "%s reads record %llu at %s-%d offset %lld, another reader read %llu there", reader, (ull)id,
                 topic->name, partition, (long long)read->offset, (ull)log->ids[at]);
    log->ids[at] = id;
    return record;
}

void sim_ledger_deinit(struct sim_world *world) {
    for (size_t i = 0; i < world->topic_count; i++) {
        for (uint32_t k = 0; k < SIM_PARTITIONS_MAX; k++)
            free(world->topics[i]->partitions[k].ids);
        free(world->topics[i]);
    }
    free(world->topics);
    for (size_t i = 0; i < world->record_count; i++)
        free(world->records[i]);
    free(world->records);
}
