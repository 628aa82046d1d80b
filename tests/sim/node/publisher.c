/** Publishers: records of their own, one by one or in bursts, to topics that live and sometimes to those that come and
 *  go. */
#include "actor.h"

#define BURST_PERMILLE 120
#define BURST_MAX 30
#define SIDE_PERMILLE 100
#define TRIES 4
#define TOMBSTONE_PERMILLE 200

struct sim_record *sim_publish(struct sim_actor *actor, struct sim_topic *topic, int32_t partition) {
    struct sim_world *world = actor->world;
    struct sim_record *record = sim_record_new(world, actor->number, actor->life);
    record->topic = topic;
    record->asked_partition = partition;
    record->keyed = sim_chance(world, 600);
    const struct sim_weather *weather = &world->weather;
    bool large = sim_chance(world, weather->large_permille);
    record->value_bytes = (uint32_t)sim_between(world, 8, large ? weather->value_bytes_max : 200);
    record->tombstone = world->compacts && record->keyed && sim_chance(world, TOMBSTONE_PERMILLE);
    world->totals.tombstones += record->tombstone;
    uint8_t value[SIM_VALUE_BYTES_MAX];
    char key[16];
    struct lf_header header = {.key = "record", .value = value, .value_size = 8};
    struct lf_message message = {.topic = topic->name,
                                 .partition = partition,
                                 .value = value,
                                 .value_size = sim_record_value(record, value),
                                 .key = record->keyed ? key : NULL,
                                 .key_size = record->keyed ? sim_record_key(record, key) : 0};
    if (record->tombstone) {
        message.value = NULL;
        message.value_size = 0;
        message.headers = &header;
        message.header_count = 1;
    }
    struct lf_core_event event = {.type = LF_CORE_PUBLISH,
                                  .publish = {.message = &message, .callback = sim_record_outcome, .context = record}};
    enum lf_status status = sim_actor_step(actor, &event);
    if (status == LF_OK) {
        world->totals.publishes++;
        return record;
    }
    if (status != LF_FULL)
        sim_fail(world, "client %u: record %llu is refused with %s", actor->number, (unsigned long long)record->id,
                 lf_status_name(status));
    if (record->outcome != SIM_PENDING)
        sim_fail(world, "record %llu was refused and has an outcome", (unsigned long long)record->id);
    record->outcome = SIM_NOT_DONE;
    record->status = status;
    return NULL;
}

static struct sim_topic *choose(struct sim_world *world) {
    struct sim_topic *topic = NULL;
    for (int i = 0; i < TRIES && world->topic_count > 0; i++) {
        struct sim_topic *some = world->topics[sim_between(world, 0, world->topic_count - 1)];
        bool wanted = some->main || sim_chance(world, SIDE_PERMILLE);
        if (wanted && (some->state == SIM_TOPIC_LIVE || some->state == SIM_TOPIC_DELETING))
            topic = some;
    }
    return topic;
}

void sim_publisher_work(struct sim_actor *actor) {
    struct sim_world *world = actor->world;
    if (world->phase != SIM_STORM)
        return;
    uint64_t count = sim_chance(world, BURST_PERMILLE) ? sim_between(world, 2, BURST_MAX) : 1;
    struct sim_topic *topic = choose(world);
    for (uint64_t i = 0; topic && i < count; i++) {
        int32_t partition = sim_chance(world, 300) ? (int32_t)sim_between(world, 0, topic->partition_count - 1) : -1;
        if (!sim_publish(actor, topic, partition))
            break;
    }
    if (sim_chance(world, 50))
        sim_actor_step(actor, &(struct lf_core_event){.type = LF_CORE_FLUSH});
    sim_actor_work_in(actor, sim_between(world, 1, 2ull * world->weather.publish_gap_ms));
}
