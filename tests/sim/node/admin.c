/** The client that makes the topics, deletes some again, and asks leaders for ends: an end is never below what was
 *  acknowledged before the question. */
#include "actor.h"

#include "client.pb-c.h"

#include <stdio.h>

typedef unsigned long long ull;

#define SIDE_TOPICS_MAX 6
#define SIDE_CHANGE_PERMILLE 250
#define RETENTION_CHANGE_PERMILLE 150
#define TRIM_PERMILLE 50
#define COMPACTION_CHANGE_PERMILLE 150

struct sim_actor *sim_admin(struct sim_world *world) {
    return &world->actors[world->actor_count - 1];
}

bool sim_admin_idle(const struct sim_actor *actor) {
    for (size_t i = 0; i < SIM_CALLS_MAX; i++)
        if (actor->calls[i].id != 0)
            return false;
    return true;
}

/** What the type needs beside the topic is in `call`. */
static void ask(struct sim_actor *actor, struct sim_topic *topic, uint32_t partition, struct lf_core_call call) {
    struct sim_world *world = actor->world;
    enum lf_core_call_type type = call.type;
    bool of_partition = type == LF_CALL_PARTITION_END || type == LF_CALL_PARTITION_TRIM;
    struct sim_call *slot = NULL;
    for (size_t i = 0; i < SIM_CALLS_MAX && !slot; i++)
        if (actor->calls[i].id == 0)
            slot = &actor->calls[i];
    if (!slot)
        return;
    *slot = (struct sim_call){.id = ++actor->next_id,
                              .type = type,
                              .topic = topic,
                              .partition = partition,
                              .floor = topic->partitions[partition].acked_end};
    if (type == LF_CALL_TOPIC_CREATE)
        topic->state = SIM_TOPIC_CREATING;
    else if (type == LF_CALL_TOPIC_DELETE)
        topic->state = SIM_TOPIC_DELETING;
    sim_tracef(world, "client=%u asks call=%llu type=%d %s-%u", actor->number, (ull)slot->id, (int)type, topic->name,
               partition);
    call.id = slot->id;
    call.topic = topic->name;
    call.partitions = of_partition ? partition : topic->partition_count;
    call.replicas = topic->replicas;
    struct lf_core_event event = {.type = LF_CORE_CALL, .call = call};
    enum lf_status status = sim_actor_step(actor, &event);
    if (status != LF_OK)
        sim_fail(world, "client %u: a call is refused with %s", actor->number, lf_status_name(status));
}

static void call(struct sim_actor *actor, enum lf_core_call_type type, struct sim_topic *topic, uint32_t partition) {
    ask(actor, topic, partition, (struct lf_core_call){.type = type});
}

static void alter(struct sim_actor *actor, struct sim_topic *topic, const struct lf_setting *settings, size_t count) {
    ask(actor, topic, 0,
        (struct lf_core_call){.type = LF_CALL_TOPIC_ALTER, .settings = settings, .setting_count = count});
}

/** Somewhere in what was acknowledged. */
static void trim(struct sim_actor *actor) {
    struct sim_world *world = actor->world;
    struct sim_topic *topic = world->topics[sim_between(world, 0, world->topic_count - 1)];
    uint32_t partition = (uint32_t)sim_between(world, 0, topic->partition_count - 1);
    if (topic->state != SIM_TOPIC_LIVE)
        return;
    world->faults_met |= 1u << SIM_FAULT_retention;
    topic->retains = true;
    ask(actor, topic, partition,
        (struct lf_core_call){.type = LF_CALL_PARTITION_TRIM,
                              .offset =
                                  (int64_t)sim_between(world, 0, (uint64_t)topic->partitions[partition].acked_end)});
}

/** What some topic is to keep: more or less, or all again. */
static void change_retention(struct sim_actor *actor) {
    struct sim_world *world = actor->world;
    struct sim_topic *topic = world->topics[sim_between(world, 0, world->topic_count - 1)];
    if (topic->state != SIM_TOPIC_LIVE)
        return;
    world->faults_met |= 1u << SIM_FAULT_retention;
    char bytes[24], ms[24];
    struct lf_setting settings[] = {
        {"retention.bytes", NULL}, {"retention.ms", NULL}, {"segment.ms", "1s"}, {"segment.bytes", "64KiB"}};
    snprintf(bytes, sizeof bytes, "%llu", (ull)sim_between(world, 2000, 40000));
    snprintf(ms, sizeof ms, "%llu", (ull)sim_between(world, 1000, 8000));
    uint64_t kind = sim_between(world, 0, 3);
    if (kind < 2)
        settings[0].value = bytes;
    else if (kind == 2)
        settings[1].value = ms;
    topic->retains = true;
    alter(actor, topic, settings, sizeof settings / sizeof *settings);
}

/** Some topic is compacted from now on, with or without a delay. */
static void change_compaction(struct sim_actor *actor) {
    struct sim_world *world = actor->world;
    struct sim_topic *topic = world->topics[sim_between(world, 0, 1)];
    if (topic->state != SIM_TOPIC_LIVE)
        return;
    world->faults_met |= 1u << SIM_FAULT_compaction;
    char lag[24], retention[24];
    struct lf_setting settings[] = {{"cleanup.policy", topic->retains ? "compact,delete" : "compact"},
                                    {"min.compaction.lag.ms", lag},
                                    {"delete.retention.ms", retention},
                                    {"segment.ms", "1s"},
                                    {"segment.bytes", "64KiB"}};
    snprintf(lag, sizeof lag, "%llu", (ull)(sim_chance(world, 500) ? 0 : sim_between(world, 1, 3000)));
    snprintf(retention, sizeof retention, "%llu", (ull)(sim_chance(world, 500) ? 0 : sim_between(world, 1, 3000)));
    topic->compacts = true;
    alter(actor, topic, settings, sizeof settings / sizeof *settings);
}

static void make_main_topics(struct sim_actor *actor) {
    struct sim_world *world = actor->world;
    uint32_t nodes = world->options.nodes;
    if (world->topic_count == 0) {
        uint32_t partitions = world->options.profile == SIM_PROFILE_RATE ? 6 : 3;
        sim_topic_add(world, "log", partitions, nodes < 3 ? nodes : 3, true)->state = SIM_TOPIC_GONE;
        sim_topic_add(world, "audit", 1, nodes, true)->state = SIM_TOPIC_GONE;
    }
    for (size_t i = 0; i < 2; i++) /* until it is there */
        if (world->topics[i]->state == SIM_TOPIC_GONE || world->topics[i]->state == SIM_TOPIC_UNSURE)
            call(actor, LF_CALL_TOPIC_CREATE, world->topics[i], 0);
}

static void change_side_topics(struct sim_actor *actor) {
    struct sim_world *world = actor->world;
    uint32_t nodes = world->options.nodes;
    if (world->topic_count < 2 + SIDE_TOPICS_MAX && sim_chance(world, 500)) {
        char name[24];
        snprintf(name, sizeof name, "side-%zu", world->topic_count);
        struct sim_topic *topic = sim_topic_add(world, name, (uint32_t)sim_between(world, 1, 2),
                                                (uint32_t)sim_between(world, 1, nodes < 3 ? nodes : 3), false);
        call(actor, LF_CALL_TOPIC_CREATE, topic, 0);
        return;
    }
    struct sim_topic *topic = world->topics[sim_between(world, 0, world->topic_count - 1)];
    if (topic->main)
        return;
    if (topic->state == SIM_TOPIC_LIVE) {
        topic->delete_asked = true;
        call(actor, LF_CALL_TOPIC_DELETE, topic, 0);
    } else if (topic->state == SIM_TOPIC_GONE && topic->delete_asked) {
        /* At once: a repetition of the deletion that is still on its way is not for the topic that comes. */
        call(actor, LF_CALL_TOPIC_CREATE, topic, 0);
    }
}

void sim_admin_work(struct sim_actor *actor) {
    struct sim_world *world = actor->world;
    if (world->phase != SIM_STORM)
        return;
    make_main_topics(actor);
    bool side = (world->options.profile == SIM_PROFILE_STORM || world->options.profile == SIM_PROFILE_POINTS) &&
                world->topics[0]->state == SIM_TOPIC_LIVE;
    if (side && sim_chance(world, SIDE_CHANGE_PERMILLE))
        change_side_topics(actor);
    if (world->retains && world->topics[0]->state == SIM_TOPIC_LIVE && sim_chance(world, RETENTION_CHANGE_PERMILLE))
        change_retention(actor);
    if (world->retains && world->topics[0]->state == SIM_TOPIC_LIVE && sim_chance(world, TRIM_PERMILLE))
        trim(actor);
    if (world->compacts && world->topics[0]->state == SIM_TOPIC_LIVE && sim_chance(world, COMPACTION_CHANGE_PERMILLE))
        change_compaction(actor);
    struct sim_topic *topic = world->topics[sim_between(world, 0, 1)];
    if (topic->state == SIM_TOPIC_LIVE)
        call(actor, LF_CALL_PARTITION_END, topic, (uint32_t)sim_between(world, 0, topic->partition_count - 1));
    sim_actor_work_in(actor, sim_between(world, 50, 500));
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

/* What was unsure once may still happen later: from then on nothing is known of that name. */
static void on_created(struct sim_actor *actor, struct sim_topic *topic, enum lf_status status) {
    struct sim_world *world = actor->world;
    world->totals.topics_created += status == LF_OK;
    if (status == LF_OK || (topic->main && status == LF_TOPIC_EXISTS))
        topic->state = SIM_TOPIC_LIVE;
    else if (status == LF_TOPIC_EXISTS)
        sim_fail(world, "topic %s is made and exists already", topic->name);
    else
        topic->state = lf_status_action(status) == LF_ACTION_UNKNOWN ? SIM_TOPIC_UNSURE : SIM_TOPIC_GONE;
}

static void on_deleted(struct sim_actor *actor, struct sim_topic *topic, enum lf_status status) {
    struct sim_world *world = actor->world;
    world->totals.topics_deleted += status == LF_OK;
    if (status == LF_OK)
        topic->state = SIM_TOPIC_GONE;
    else if (status == LF_TOPIC_UNKNOWN || status == LF_TOPIC_DELETED)
        sim_fail(world, "topic %s was made, and is not there to be deleted", topic->name);
    else
        topic->state = lf_status_action(status) == LF_ACTION_UNKNOWN ? SIM_TOPIC_UNSURE : SIM_TOPIC_LIVE;
}

/** A name of a topic that was deleted may stand for one with less in it. */
static void on_trimmed(struct sim_actor *actor, const struct sim_call *asked, const struct lf_core_effect *effect) {
    struct sim_world *world = actor->world;
    world->totals.trims += effect->status == LF_OK;
    if (lf_status_action(effect->status) == LF_ACTION_GIVE_UP && asked->topic->main)
        sim_fail(world, "%s-%u cannot be trimmed: %s (%s)", asked->topic->name, asked->partition,
                 lf_status_name(effect->status), effect->text);
}

static void on_end(struct sim_actor *actor, const struct sim_call *asked, const struct lf_core_effect *effect) {
    struct sim_world *world = actor->world;
    if (effect->status != LF_OK) {
        if (lf_status_action(effect->status) == LF_ACTION_GIVE_UP)
            sim_fail(world, "the end of %s-%u: %s (%s)", asked->topic->name, asked->partition,
                     lf_status_name(effect->status), effect->text);
        return;
    }
    const Lf__ClientReply *reply = effect->reply;
    int64_t end = reply->offsets_lookup->position->offset;
    if (end < asked->floor)
        sim_fail(world, "LIN: the leader says %s-%u ends at %lld; acknowledged before the question: %lld",
                 asked->topic->name, asked->partition, (long long)end, (long long)asked->floor);
    world->totals.ends_checked++;
}

void sim_admin_answer(struct sim_actor *actor, const struct lf_core_effect *effect) {
    struct sim_world *world = actor->world;
    struct sim_call asked = {0};
    for (size_t i = 0; i < SIM_CALLS_MAX; i++)
        if (actor->calls[i].id == effect->call) {
            asked = actor->calls[i];
            actor->calls[i].id = 0;
        }
    if (asked.id == 0)
        sim_fail(world, "call %llu has two answers", (ull)effect->call);
    sim_tracef(world, "client=%u call=%llu type=%d %s: %s (%s)", actor->number, (ull)asked.id, (int)asked.type,
               asked.topic->name, lf_status_name(effect->status), effect->text);
    if (asked.type == LF_CALL_TOPIC_CREATE)
        on_created(actor, asked.topic, effect->status);
    else if (asked.type == LF_CALL_TOPIC_DELETE)
        on_deleted(actor, asked.topic, effect->status);
    else if (asked.type == LF_CALL_TOPIC_ALTER)
        world->totals.settings_changed += effect->status == LF_OK;
    else if (asked.type == LF_CALL_PARTITION_TRIM)
        on_trimmed(actor, &asked, effect);
    else
        on_end(actor, &asked, effect);
}
