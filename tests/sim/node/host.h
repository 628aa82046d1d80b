/** One node: its process, its disk, its clocks. */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "sim.h"

/* What a write may hold: X(name, when). */
#define SIM_WRITE_PARTS(X)                                                                                             \
    X(append, write->entry_count > 0)                                                                                  \
    X(truncate, write->truncate_from != 0)                                                                             \
    X(vote, write->has_hard_state && !write->create)                                                                   \
    X(roll, write->seal_count > 0)                                                                                     \
    X(drop, write->drop_before != 0)                                                                                   \
    X(replace, write->replacement_count > 0)                                                                           \
    X(install, write->install)                                                                                         \
    X(create, write->create)                                                                                           \
    X(destroy, write->destroy)
enum sim_write_part {
#define SIM_PART_NAME_(name, happens) SIM_PART_##name,
    SIM_WRITE_PARTS(SIM_PART_NAME_)
#undef SIM_PART_NAME_
};

/** A write handed to the store that did not complete yet; they complete in this order. */
struct sim_pending_write {
    uint64_t group, token;
    uint64_t number; /**< of all writes of this node, ever */
    bool hard_state, create, destroy;
    uint32_t parts; /**< enum sim_write_part, bit by bit */
    uint64_t term, vote, drop_before;
};

/** A piece of a segment handed to the store; they complete in this order. */
struct sim_pending_stage {
    uint64_t group, request;
    bool last;
    bool taken_back; /**< a write handed over since lets it go */
    struct log_segment segment;
};

/** How a process ends: killed, with its machine's power, by itself after a graceful stop, by itself for its disk. */
enum sim_end { SIM_END_KILL, SIM_END_POWER, SIM_END_STOPPED, SIM_END_FATAL };
enum sim_trap { SIM_TRAP_NONE, SIM_TRAP_KILL, SIM_TRAP_POWER };

/** What the cluster thinks of a node, as its operator knows it. */
enum sim_part {
    SIM_MEMBER,
    SIM_OUT,     /**< it does not run: not added yet, or removed and gone */
    SIM_WIPED,   /**< its disk is another one, and it is still counted on */
    SIM_REMOVED, /**< it may still run, and will be told */
};

/** Room on a disk, in steps. */
enum sim_room { SIM_ROOM, SIM_ROOM_SOFT, SIM_ROOM_HARD, SIM_ROOM_NONE };

struct sim_log;

struct sim_host {
    struct sim_world *world;
    uint32_t id;
    struct log_store_identity identity; /**< as its next store is made; without a founding hash it is one to join */
    struct mem_disk *disk;
    struct log_store *store; /**< NULL: down */
    struct node *node;       /**< NULL: down */
    struct node_effects effects;
    uint64_t generation; /**< starts so far */
    uint64_t incarnation;
    uint64_t tick_at, store_at; /**< of the events under way; SIM_NEVER: none */
    /* Its monotonic clock: node_us = clock_us + (now - clock_since) * clock_ppm / 1e6. */
    uint64_t clock_us, clock_since, clock_ppm;
    int64_t wall_offset_ms;

    bool paused, pause_told;
    uint64_t paused_at_ms; /**< its own clock */
    uint64_t resume_at;
    struct sim_event *backlog; /**< what arrived while paused */
    size_t backlog_count, backlog_capacity;

    bool connected[SIM_NODES_MAX]; /**< peers it sends to: those configured, then as its effects say */
    bool stopping, disk_failing;
    enum sim_part part;
    bool fresh;       /**< its disk is new, and it never had a part in any group with it */
    bool replaces;    /**< that disk is to take the place of its lost one: its operator said so */
    bool turned_away; /**< it ended since the cluster said that it does not count */
    bool given_up;    /**< it noticed that its bytes changed, and waits for its operator */
    enum sim_trap trap;
    enum sim_room room;
    uint64_t room_number;              /**< of the last change */
    struct log_store_write *held;      /**< full.c: not handed to the store, in order */
    bool spoiled;                      /**< and they never will be */
    bool waits_for_room;               /**< to start */
    struct sim_pending_write *pending; /**< pending[pending_head] is the oldest */
    size_t pending_head, pending_count, pending_capacity;
    uint64_t next_write;
    struct sim_pending_stage *stages; /**< stages[stage_head] is the oldest */
    size_t stage_head, stage_count, stage_capacity;

    struct sim_log *logs; /**< check_log.c: what this replica's logs should be */
    size_t log_count, log_capacity;
};

/* host.c */
void sim_host_init(struct sim_world *world, struct sim_host *host, uint32_t id);
void sim_host_deinit(struct sim_host *host);
static inline bool sim_host_up(const struct sim_host *host) { return host->node != NULL; }
void sim_host_start(struct sim_host *host);
/** The process ends here. restart_at: SIM_NEVER for not by itself. */
void sim_host_end(struct sim_host *host, enum sim_end how, uint64_t restart_at);
/** An empty disk in place of its own; it is down. joins: its next start is one to join, not to found. */
void sim_host_wipe(struct sim_host *host, bool joins);
/** One step of the node and all that it asks for. The process may have ended afterwards. Fills in the clocks. */
void sim_host_step(struct sim_host *host, struct node_event *event);
void sim_host_on_tick(struct sim_host *host, uint64_t at);
void sim_host_stop(struct sim_host *host);
/** The node that leads the group, or NULL. */
struct sim_host *sim_leader(struct sim_world *world, uint64_t group);

/* clock.c */
uint64_t sim_host_clock_ms(const struct sim_host *host);
int64_t sim_host_wall_ms(const struct sim_host *host);
/** When the node's clock reaches this. */
uint64_t sim_host_clock_reaches(const struct sim_host *host, uint64_t clock_ms);
void sim_host_clock_rate(struct sim_host *host, uint64_t ppm);
/** A machine that starts: its clock may be anywhere. */
void sim_host_clock_boot(struct sim_host *host);

/* pause.c */
void sim_host_pause(struct sim_host *host, uint64_t until, bool told);
void sim_host_resume(struct sim_host *host);
/** True when the host does not run now: the event was kept for later. */
bool sim_host_defer(struct sim_host *host, const struct sim_event *event);

/* full.c */
void sim_full_fault(struct sim_world *world, struct sim_host *victim);
/** There is room again. */
void sim_full_step(struct sim_world *world, const struct sim_event *event);
void sim_full_repair(struct sim_host *host);
/** A node that started is told what it would find. */
void sim_full_started(struct sim_host *host);
/** Takes the write. */
void sim_full_hold(struct sim_host *host, struct log_store_write **write);
/** The process is gone, and what was held back with it. */
void sim_full_drop(struct sim_host *host);
void sim_full_check(const struct sim_host *host, const struct log_store_write *write);

/* disk.c */
void sim_disk_submit(struct sim_host *host, struct log_store_write **write);
void sim_disk_read(struct sim_host *host, const struct log_store_read *read);
void sim_disk_stage(struct sim_host *host, struct node_stage *stage);
void sim_disk_rewrite(struct sim_host *host, const struct log_store_rewrite *rewrite);
void sim_disk_load(struct sim_host *host, uint64_t group, uint64_t request);
/** Completions that are due become events. */
void sim_disk_on_time(struct sim_host *host, uint64_t at);
void sim_disk_schedule(struct sim_host *host);
/** The process is gone, its store with it; counts what its disk kept and lost. */
void sim_disk_end(struct sim_host *host, enum sim_end how);

#endif
