/** Subscribers during the run: from anywhere, consecutive, the same bytes as everybody else, and what was acknowledged
 *  before they began is before the end. */
#include "actor.h"

static void begin(struct sim_actor *actor) {
    struct sim_world *world = actor->world;
    struct sim_topic *topic =
        world->topic_count > 0 ? world->topics[sim_between(world, 0, 1) % world->topic_count] : NULL;
    if (!topic || !topic->main || topic->state != SIM_TOPIC_LIVE)
        return;
    struct sim_reading *reading = &actor->reading;
    *reading = (struct sim_reading){.id = ++actor->next_id, .topic = topic, .partition = -1};
    if (sim_chance(world, 400))
        reading->partition = (int32_t)sim_between(world, 0, topic->partition_count - 1);
    uint32_t one = reading->partition < 0 ? 0 : (uint32_t)reading->partition;
    uint64_t kind = sim_between(world, 0, 9);
    reading->start = kind < 5   ? LF_START_EARLIEST
                     : kind < 6 ? LF_START_LATEST
                     : kind < 8 ? LF_START_OFFSET
                                : LF_START_TAIL;
    if (kind == 9)
        reading->start = LF_START_TIMESTAMP;
    uint64_t end = (uint64_t)topic->partitions[one].acked_end, back = world->weather.read_back, first = 0;
    if (back > 0 && end > back && kind != 0) {
        reading->start = reading->start == LF_START_EARLIEST ? LF_START_OFFSET : reading->start;
        first = end - back;
    }
    if (reading->start == LF_START_OFFSET)
        reading->value = (int64_t)sim_between(world, first, end + 3);
    else if (reading->start == LF_START_TAIL)
        reading->value = (int64_t)sim_between(world, 0, 50);
    else if (reading->start == LF_START_TIMESTAMP)
        reading->value = SIM_WALL_START_MS + (int64_t)sim_between(world, 0, world->now / SIM_MS + 1000);
    reading->exit_at_end = sim_chance(world, 400);
    reading->reset = reading->id % 2 == 0; /* no draw: seeds keep their runs */
    for (uint32_t i = 0; i < SIM_PARTITIONS_MAX; i++) {
        reading->next[i] = reading->start == LF_START_EARLIEST ? (world->retains ? -1 : 0)
                           : reading->start == LF_START_OFFSET ? reading->value
                                                               : -1;
        reading->floor[i] = topic->partitions[i].acked_end;
    }
    reading->until = world->now + sim_between(world, 500, 5000) * SIM_MS;
    struct lf_subscribe_options options = {.size = sizeof options,
                                           .topic = topic->name,
                                           .partition = reading->partition,
                                           .start = reading->start,
                                           .value = reading->value,
                                           .reset_to_log_start = reading->reset,
                                           .exit_at_end = reading->exit_at_end};
    world->totals.subscriptions++;
    sim_tracef(world, "client=%u subscribes %s-%d start=%d value=%lld exit_at_end=%d", actor->number, topic->name,
               reading->partition, (int)reading->start, (long long)reading->value, reading->exit_at_end);
    struct lf_core_event event = {.type = LF_CORE_SUBSCRIBE, .subscribe = {.id = reading->id, .options = &options}};
    enum lf_status status = sim_actor_step(actor, &event);
    if (status != LF_OK)
        sim_fail(world, "client %u cannot subscribe: %s", actor->number, lf_status_name(status));
}

static void end(struct sim_actor *actor) {
    uint64_t id = actor->reading.id;
    actor->reading = (struct sim_reading){0};
    if (id)
        sim_actor_step(actor, &(struct lf_core_event){.type = LF_CORE_UNSUBSCRIBE, .unsubscribe = id});
}

void sim_subscriber_work(struct sim_actor *actor) {
    struct sim_world *world = actor->world;
    struct sim_reading *reading = &actor->reading;
    if (world->phase != SIM_STORM) {
        end(actor);
        return;
    }
    if (reading->id && reading->unconsumed > 0) {
        struct lf_core_event event = {.type = LF_CORE_CONSUMED,
                                      .consumed = {.subscription = reading->id, .bytes = reading->unconsumed}};
        reading->unconsumed = 0;
        sim_actor_step(actor, &event);
    }
    if (reading->id && world->now >= reading->until)
        end(actor);
    if (!reading->id)
        begin(actor);
    sim_actor_work_in(actor, sim_between(world, 5, 120));
}

static void check_record(struct sim_actor *actor, int32_t partition, const struct lf_record *record) {
    struct sim_world *world = actor->world;
    struct sim_reading *reading = &actor->reading;
    int64_t *next = &reading->next[partition];
    if (*next >= 0 && (reading->topic->compacts ? record->offset < *next : record->offset != *next))
        sim_fail(world, "client %u is delivered %s-%d offset %lld, expected %lld", actor->number, reading->topic->name,
                 partition, (long long)record->offset, (long long)*next);
    if (reading->start == LF_START_LATEST && *next < 0 && record->offset < reading->floor[partition])
        sim_fail(world, "client %u starts at the end of %s-%d, gets offset %lld; acknowledged up to %lld",
                 actor->number, reading->topic->name, partition, (long long)record->offset,
                 (long long)reading->floor[partition]);
    if (reading->start == LF_START_TAIL && *next < 0 && record->offset < reading->floor[partition] - reading->value)
        sim_fail(world, "client %u starts %lld before the end of %s-%d, gets offset %lld; acknowledged up to %lld",
                 actor->number, (long long)reading->value, reading->topic->name, partition, (long long)record->offset,
                 (long long)reading->floor[partition]);
    *next = record->offset + 1;
    world->totals.records_read++;
    char name[16] = {'c', 'l', 'i', 'e', 'n', 't', ' ', (char)('0' + actor->number)};
    sim_ledger_read(world, reading->topic, partition, record, name);
}

void sim_subscriber_batch(struct sim_actor *actor, const struct lf_core_effect *effect) {
    struct sim_world *world = actor->world;
    struct sim_reading *reading = &actor->reading;
    if (effect->subscription != reading->id || reading->id == 0)
        return; /* of one that was left in this very step */
    if (effect->partition < 0 || (uint32_t)effect->partition >= reading->topic->partition_count ||
        (reading->partition >= 0 && effect->partition != reading->partition))
        sim_fail(world, "client %u is delivered partition %d", actor->number, effect->partition);
    struct lf_bytes bytes = lf_bytes(effect->batch->data + effect->batch_offset, effect->batch_size);
    struct lf_batch_reader *reader = NULL;
    struct lf_error error = {0};
    if (lf_batch_reader_new(bytes, NULL, &reader, &error) != LF_OK)
        sim_fail(world, "client %u is delivered a bad batch: %s", actor->number, error.text);
    struct lf_record record;
    enum lf_status status;
    while ((status = lf_batch_reader_next(reader, &record)) == LF_OK)
        if (record.offset >= effect->skip_below)
            check_record(actor, effect->partition, &record);
    if (status != LF_END)
        sim_fail(world, "client %u is delivered a batch that ends with %s", actor->number, lf_status_name(status));
    lf_batch_reader_destroy(&reader);
    reading->unconsumed += effect->batch_size;
}

/** Told that the log start overtook it: only what it had not read yet, and only if it wants to go on there. */
void sim_subscriber_missed(struct sim_actor *actor, const struct lf_core_effect *effect) {
    struct sim_world *world = actor->world;
    struct sim_reading *reading = &actor->reading;
    if (effect->subscription != reading->id || reading->id == 0)
        return;
    if (!reading->reset || effect->partition < 0 || (uint32_t)effect->partition >= reading->topic->partition_count)
        sim_fail(world, "client %u is told that it missed something of partition %d", actor->number, effect->partition);
    int64_t *next = &reading->next[effect->partition];
    bool from_there = reading->topic->compacts ? effect->missed_from >= *next : effect->missed_from == *next;
    if ((*next >= 0 && !from_there) || effect->missed_to <= effect->missed_from)
        sim_fail(world, "client %u missed %lld to %lld of %s-%d, and was at %lld", actor->number,
                 (long long)effect->missed_from, (long long)effect->missed_to, reading->topic->name, effect->partition,
                 (long long)*next);
    sim_tracef(world, "client=%u missed %s-%d %lld to %lld", actor->number, reading->topic->name, effect->partition,
               (long long)effect->missed_from, (long long)effect->missed_to);
    *next = effect->missed_to;
}

/** LIN: everything acknowledged before the subscription began was delivered before its end. */
static void check_end(struct sim_actor *actor) {
    const struct sim_reading *reading = &actor->reading;
    if (reading->start == LF_START_LATEST || reading->start == LF_START_TAIL || reading->start == LF_START_TIMESTAMP)
        return; /* maybe nothing was delivered */
    for (uint32_t i = 0; i < reading->topic->partition_count; i++)
        if ((reading->partition < 0 || i == (uint32_t)reading->partition) && reading->next[i] < reading->floor[i] &&
            !(actor->world->retains && reading->next[i] < 0) && /* nothing was left to deliver */
            !reading->topic->compacts)
            sim_fail(actor->world, "client %u reached the end of %s-%u at offset %lld; acknowledged before: %lld",
                     actor->number, reading->topic->name, i, (long long)reading->next[i], (long long)reading->floor[i]);
}

void sim_subscriber_ended(struct sim_actor *actor, const struct lf_core_effect *effect) {
    struct sim_reading *reading = &actor->reading;
    if (effect->subscription != reading->id || reading->id == 0)
        return;
    sim_tracef(actor->world, "client=%u subscription ended: %s (%s)", actor->number, lf_status_name(effect->status),
               effect->text);
    if (effect->status == LF_END) {
        if (!reading->exit_at_end)
            sim_fail(actor->world, "client %u: a subscription without an end ended", actor->number);
        check_end(actor);
    } else if (effect->status == LF_OFFSET_BELOW_START && reading->topic->retains && !reading->reset) {
        actor->world->totals.readers_overtaken++;
    } else if (lf_status_action(effect->status) == LF_ACTION_GIVE_UP && effect->status != LF_CLOSED) {
        sim_fail(actor->world, "client %u: subscription of %s ended with %s (%s)", actor->number, reading->topic->name,
                 lf_status_name(effect->status), effect->text);
    }
    *reading = (struct sim_reading){0};
}
