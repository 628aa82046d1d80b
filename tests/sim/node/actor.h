/** Clients: applications around a shipped client core. Three kinds: publishers, subscribers, and one that makes topics
 *  and asks questions. */
#ifndef SIM_ACTOR_H
#define SIM_ACTOR_H

#include "connection.h"
#include "ledger.h"
#include "lf_core.h"

#define SIM_CALLS_MAX 16

enum sim_actor_kind { SIM_PUBLISHER, SIM_SUBSCRIBER, SIM_OPERATOR, SIM_ADMIN };

/** A subscription under way. */
struct sim_reading {
    uint64_t id; /**< of the subscription; 0: none */
    struct sim_topic *topic;
    int32_t partition; /**< -1: all */
    enum lf_start start;
    int64_t value;
    bool exit_at_end;
    bool reset;                        /* goes on at the log start when that overtakes it */
    bool ended;                        /**< by the core, in the step under way */
    int64_t next[SIM_PARTITIONS_MAX];  /**< -1: not known yet */
    int64_t floor[SIM_PARTITIONS_MAX]; /**< acknowledged when it began: the end is not below */
    uint64_t unconsumed;               /**< bytes taken, credit not given back yet */
    uint64_t until;                    /**< then another one begins */
};

struct sim_call {
    uint64_t id; /**< 0: free */
    enum lf_core_call_type type;
    struct sim_topic *topic;
    uint32_t partition;
    int64_t floor; /**< acknowledged when it was asked */
};

/** What an operator is about. */
enum sim_plan_kind { SIM_PLAN_NONE, SIM_PLAN_TRANSFER, SIM_PLAN_MOVE, SIM_PLAN_ADD, SIM_PLAN_REMOVE, SIM_PLAN_WIPE };
enum sim_plan_step { SIM_STEP_BEGIN, SIM_STEP_DRAIN, SIM_STEP_EMPTY, SIM_STEP_REMOVE, SIM_STEP_GONE, SIM_STEP_ADD };

struct sim_plan {
    enum sim_plan_kind kind;
    enum sim_plan_step step;
    struct sim_host *host; /**< whom it is about */
    uint64_t call;         /**< under way; 0: none */
    uint32_t calls, tries_unknown;
    uint64_t since;
    enum sim_part was; /**< before it was asked to be removed */
};

struct sim_actor {
    struct sim_world *world;
    uint32_t number; /**< from 1 */
    enum sim_actor_kind kind;
    struct lf_core *core;
    struct lf_core_effects effects;
    uint64_t life; /**< how many cores it had */
    uint64_t clock_offset_ms;
    uint64_t tick_at;
    uint64_t first_record; /**< of this life: place in world->records */
    struct sim_connection **connections;
    size_t connection_count, connection_capacity;
    struct sim_reading reading;
    struct sim_call calls[SIM_CALLS_MAX];
    struct sim_plan plan; /**< the operator's */
    uint64_t next_id;
};

/* actor.c */
void sim_actors_start(struct sim_world *world);
void sim_actors_deinit(struct sim_world *world);
/** Fills in the clocks. */
enum lf_status sim_actor_step(struct sim_actor *actor, struct lf_core_event *event);
void sim_actor_on_tick(struct sim_actor *actor, uint64_t at);
void sim_actor_work(struct sim_actor *actor, uint64_t life);
void sim_actor_frames(struct sim_actor *actor, const struct sim_connection *connection, const struct node_frame *frames,
                      size_t count);
void sim_actor_gone(struct sim_actor *actor, const struct sim_connection *connection);
/** The process of the client ends (closing: in good order) and another one begins. */
void sim_actor_restart(struct sim_actor *actor, bool closing);
/** Next sim_actor_work in so many ms. */
void sim_actor_work_in(struct sim_actor *actor, uint64_t ms);

/* publisher.c */
void sim_publisher_work(struct sim_actor *actor);
/** One record for that partition (-1: the client chooses). NULL: the client refused it. */
struct sim_record *sim_publish(struct sim_actor *actor, struct sim_topic *topic, int32_t partition);

/* subscriber.c */
void sim_subscriber_work(struct sim_actor *actor);
void sim_subscriber_batch(struct sim_actor *actor, const struct lf_core_effect *effect);
void sim_subscriber_missed(struct sim_actor *actor, const struct lf_core_effect *effect);
void sim_subscriber_ended(struct sim_actor *actor, const struct lf_core_effect *effect);

/* admin.c */
void sim_admin_work(struct sim_actor *actor);
void sim_admin_answer(struct sim_actor *actor, const struct lf_core_effect *effect);
struct sim_actor *sim_admin(struct sim_world *world);

/* operator.c */
void sim_operator_work(struct sim_actor *actor);
void sim_operator_answer(struct sim_actor *actor, const struct lf_core_effect *effect);
struct sim_actor *sim_operator(struct sim_world *world);
bool sim_operator_idle(const struct sim_actor *actor);

/** All calls have their answers. */
bool sim_admin_idle(const struct sim_actor *actor);

#endif
