/** The whole-node simulator: whole brokers and client cores, the shipped code, in one thread on virtual time.
 *
 *  A world is drawn from its seed: nodes on disks in memory, clients, links that carry encoded frames, and faults.
 * Every step of a node is checked (check_*.c), and at the end, when the faults have stopped, everything is read back.
 *
 *  Time is in microseconds since the world began; the parts hear milliseconds of their own clocks.
 */
#ifndef SIM_H
#define SIM_H

#include "lf_map.h"
#include "lf_status.h"
#include "mem_store.h"
#include "node.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_NODES_MAX NODE_NODES_MAX
#define SIM_FOUNDERS_MAX 7
#define SIM_PUBLISHERS 3
#define SIM_SUBSCRIBERS 2
#define SIM_ACTORS_MAX 8 /* number 0 is the probers' */
#define SIM_MS 1000ull
#define SIM_SECOND 1000000ull
#define SIM_NEVER UINT64_MAX
/** Virtual time with faults, at least. */
#define SIM_FAULTS_SECONDS 20
/** Virtual time that a seed may add until each of the faults that none may miss has happened. */
#define SIM_FAULTS_EXTRA_SECONDS 40
#define SIM_PUBLISHES_MIN 300
/** After the faults stop, every group leads and commits, all replicas agree, and every message has its outcome within
 * this: 20 election timeouts. */
#define SIM_RECOVERY_MS (20 * 300)
/** After the faults stop, a group with a majority has a leader and a commit within 4 of the longest election timeouts,
 * but for one in a thousand, and all have within 15 of them. */
#define SIM_LEADER_MS_MOSTLY (4 * 300)
#define SIM_LEADER_MS (15 * 300)
#define SIM_LEADER_LATE_PERMILLE 1
/** What the readers at the end may take between one batch and the next, in ms: sessions with little room get one by one
 * what is large. */
#define SIM_READ_BACK_MS 3000
/** Unix time at which worlds begin, in ms. */
#define SIM_WALL_START_MS 1700000000000ll

/* X(name, words, whether 0 fails a run: 0 no, else with at least so many nodes) */
#define SIM_TOTALS(X)                                                                                                  \
    X(steps, "steps of nodes", 1)                                                                                      \
    X(client_steps, "steps of clients", 1)                                                                             \
    X(sent, "envelopes sent", 2)                                                                                       \
    X(dropped, "dropped", 2)                                                                                           \
    X(duplicated, "duplicated", 2)                                                                                     \
    X(reordered, "reordered", 2)                                                                                       \
    X(late, "held through a cut and delivered late", 2)                                                                \
    X(blocked, "lost in partitions", 2)                                                                                \
    X(across_restart, "delivered across a restart", 2)                                                                 \
    X(partitions, "partitions", 2)                                                                                     \
    X(one_way, "one-way partitions", 2)                                                                                \
    X(crashes, "power losses of one node", 1)                                                                          \
    X(crashes_lost, "of them with lost writes", 1)                                                                     \
    X(kills, "kills", 1)                                                                                               \
    X(kills_kept, "of them that kept writes under way", 1)                                                             \
    X(traps, "crashes right after a write was handed over", 1)                                                         \
    X(power_cuts, "power cuts of all nodes at once", 1)                                                                \
    X(commits_torn, "disk commits torn", 1)                                                                            \
    X(commits_lost, "disk commits lost", 1)                                                                            \
    X(disk_failures, "disks that failed", 1)                                                                           \
    X(rooms_awaited, "deliveries held back until a client had read", 1)                                                \
    X(disks_full, "disks that filled up", 1)                                                                           \
    X(full_to_the_end, "of them so that nothing could be written", 1)                                                  \
    X(full_anew, "stores that met one and were opened anew", 3)                                                        \
    X(disk_stalls, "disk stalls", 1)                                                                                   \
    X(stops, "graceful stops", 1)                                                                                      \
    X(restarts, "restarts", 1)                                                                                         \
    X(pauses_told, "pauses the node is told of", 1)                                                                    \
    X(pauses_untold, "pauses it is not told of", 1)                                                                    \
    X(clock_steps, "wall clock steps", 1)                                                                              \
    X(clock_rates, "clocks that run fast or slow", 1)                                                                  \
    X(clock_jumps, "jumps of a monotonic clock", 1)                                                                    \
    X(partial, "partial partitions", 3)                                                                                \
    X(partial_at_end, "partial partitions that outlast the other faults", 0)                                           \
    X(damages, "entries damaged on a disk", 3)                                                                         \
    X(damages_noticed, "nodes that noticed and ended", 3)                                                              \
    X(link_breaks, "client connections broken", 1)                                                                     \
    X(link_stalls, "client links stalled", 1)                                                                          \
    X(client_crashes, "clients crashed", 1)                                                                            \
    X(client_closes, "clients closed", 1)                                                                              \
    X(topics_created, "topics created", 1)                                                                             \
    X(settings_changed, "changes of what a topic keeps", 0)                                                            \
    X(trims, "partitions trimmed", 0)                                                                                  \
    X(tombstones, "tombstones published", 0)                                                                           \
    X(superseded, "acknowledged records superseded and gone", 0)                                                       \
    X(keys_checked, "last records of keys found where they should be", 0)                                              \
    X(topics_deleted, "topics deleted", 1)                                                                             \
    X(publishes, "records published", 1)                                                                               \
    X(acked, "acknowledged", 1)                                                                                        \
    X(acked_without_offset, "acknowledged without an offset", 0)                                                       \
    X(not_done, "not done", 1)                                                                                         \
    X(unknown, "of unknown outcome", 1)                                                                                \
    X(unknown_found, "of them found in the log", 1)                                                                    \
    X(unknown_absent, "of them not in the log", 1)                                                                     \
    X(repeats, "repeats recognised by brokers", 1)                                                                     \
    X(subscriptions, "subscriptions", 1)                                                                               \
    X(records_read, "records read while faults go on", 1)                                                              \
    X(records_read_back, "records read back at the end", 1)                                                            \
    X(records_dropped, "acknowledged records below where the log starts", 0)                                           \
    X(ends_checked, "ends asked of leaders", 1)                                                                        \
    X(ends_checked_anywhere, "ends asked of any replica", 1)                                                           \
    X(bad_seconds, "seconds with faults (profile rate)", 0)                                                            \
    X(good_seconds, "seconds without (profile rate)", 0)                                                               \
    X(points, "crash points visited (profile points)", 0)                                                              \
    X(point_append, "of them with an append under way", 0)                                                             \
    X(point_truncate, "with a truncation", 0)                                                                          \
    X(point_vote, "with a term or a vote", 0)                                                                          \
    X(point_roll, "with a roll", 0)                                                                                    \
    X(point_drop, "with a drop", 0)                                                                                    \
    X(point_replace, "with a rewritten segment", 0)                                                                    \
    X(point_install, "with an image", 0)                                                                               \
    X(point_create, "with a group being made", 0)                                                                      \
    X(point_destroy, "with a group being destroyed", 0)                                                                \
    X(undisturbed, "groups that a long pause did not disturb (profile pause)", 0)                                      \
    X(transfers, "transfers of leadership asked", 2)                                                                   \
    X(transfers_done, "of them done", 2)                                                                               \
    X(moves, "moves of partitions taken", 3)                                                                           \
    X(joint_commits, "entries committed by joint majorities", 3)                                                       \
    X(replicas_moved_away, "replicas destroyed since they moved away", 3)                                              \
    X(nodes_added, "nodes added", 3)                                                                                   \
    X(nodes_drained, "drains asked", 3)                                                                                \
    X(nodes_removed, "nodes removed", 3)                                                                               \
    X(removed_ended, "removed nodes that ended in words", 3)                                                           \
    X(wipes, "disks wiped", 3)                                                                                         \
    X(wiped_turned_away, "wiped disks under an old name turned away", 3)                                               \
    X(stores_replaced, "lost or damaged stores replaced", 3)                                                           \
    X(leaders, "leaders elected", 1)                                                                                   \
    X(leader_changes, "leader changes", 1)                                                                             \
    X(seals, "segments sealed", 1)                                                                                     \
    X(drops, "drops of segments", 0)                                                                                   \
    X(readers_overtaken, "readers that the log start overtook", 0)                                                     \
    X(rewrites, "rewrites of segments", 0)                                                                             \
    X(installs, "images installed", 3)                                                                                 \
    X(truncations, "truncations", 3)                                                                                   \
    X(entries, "entries committed", 1)                                                                                 \
    X(deep_checks, "deep checks", 1)

/* What can go wrong: X(name, words, weight, nodes at least). Each world has its own subset of it, more or less of each.
 * Weight 0: no moment of its own, it is in the weather. */
#define SIM_FAULTS(X)                                                                                                  \
    X(crash, "power losses of one node", 10, 1)                                                                        \
    X(kill, "kills", 10, 1)                                                                                            \
    X(stop, "graceful stops", 8, 1)                                                                                    \
    X(power_cut, "power cuts of all", 3, 1)                                                                            \
    X(trap, "crashes with a write under way", 10, 1)                                                                   \
    X(disk_failure, "disks that fail", 4, 1)                                                                           \
    X(disk_slow, "slow disks", 0, 1)                                                                                   \
    X(disk_full, "disks that fill up", 5, 1)                                                                           \
    X(disk_stall, "disk stalls", 0, 1)                                                                                 \
    X(damage, "a damaged replica", 4, 3)                                                                               \
    X(partition, "partitions", 10, 2)                                                                                  \
    X(one_way, "one-way partitions", 9, 2)                                                                             \
    X(partial, "partial partitions", 7, 3)                                                                             \
    X(pause, "pauses", 10, 1)                                                                                          \
    X(clock_step, "steps of the wall clock", 5, 1)                                                                     \
    X(clock_jump, "jumps of the monotonic clock", 4, 1)                                                                \
    X(clock_rate, "fast and slow clocks", 4, 1)                                                                        \
    X(transfer, "leaderships transferred", 0, 2)                                                                       \
    X(move, "partitions moved", 0, 3)                                                                                  \
    X(join, "nodes added and removed", 0, 3)                                                                           \
    X(retention, "topics with retention", 0, 1)                                                                        \
    X(compaction, "topics compacted by key", 0, 1)                                                                     \
    X(wipe, "wiped disks", 0, 3)                                                                                       \
    X(link_break, "broken client connections", 10, 1)                                                                  \
    X(link_stall, "stalled client links", 8, 1)                                                                        \
    X(client_end, "clients that end", 5, 1)                                                                            \
    X(drop, "lost envelopes", 0, 2)                                                                                    \
    X(duplicate, "doubled envelopes", 0, 2)                                                                            \
    X(reorder, "overtaken envelopes", 0, 2)                                                                            \
    X(late, "envelopes held through a cut", 0, 2)

enum sim_fault_kind {
#define SIM_FAULT_KIND_(name, words, weight, nodes) SIM_FAULT_##name,
    SIM_FAULTS(SIM_FAULT_KIND_)
#undef SIM_FAULT_KIND_
        SIM_FAULT_KINDS
};

struct sim_totals {
#define SIM_TOTAL_FIELD_(name, words, required) uint64_t name;
    SIM_TOTALS(SIM_TOTAL_FIELD_)
#undef SIM_TOTAL_FIELD_
};

/** What kind of worlds. */
enum sim_profile {
    SIM_PROFILE_STORM,  /**< as the seed says */
    SIM_PROFILE_RATE,   /**< 8 groups, 200 publishes per second, faults in a fifth of the seconds: how fast is it? */
    SIM_PROFILE_PAUSE,  /**< one follower does not run for ten minutes; nobody is disturbed */
    SIM_PROFILE_POINTS, /**< the n-th commit of one node fails, tears, is lost or kept, with the process */
};

struct sim_options {
    uint32_t nodes;
    uint64_t seed;
    uint32_t seconds; /**< with faults, virtual */
    enum sim_profile profile;
    uint32_t without;    /**< fault kinds left out, bit by bit */
    uint32_t publishers; /**< 1 to SIM_PUBLISHERS */
    uint32_t subscribers;
    bool trace; /**< keep (or print) decision lines */
    bool print; /**< print them as they come */
};

/** How bad this world is; drawn from the seed, so that some are calm and some are not. */
struct sim_weather {
    uint32_t delay_us_min, delay_us_max;
    uint32_t drop_permille, duplicate_permille, reorder_permille;
    uint32_t late_permille; /**< of what is sent into a cut: arrives after it, maybe long after */
    uint32_t client_delay_us_max;
    uint32_t fault_gap_ms;
    uint32_t publish_gap_ms;
    uint32_t value_bytes_max, large_permille; /**< so many values are this large, the others small */
    uint32_t read_back; /**< records before the end, of a partition, where most subscribers begin; 0: anywhere */
    struct mem_disk_faults disk;
};

enum sim_event_kind {
    SIM_HOST_TICK = 1,
    SIM_HOST_STORE,
    SIM_HOST_START,
    SIM_POINT,
    SIM_HOST_CRASH, /**< number: generation; load: NULL kill, else power */
    SIM_HOST_RESUME,
    SIM_HOST_STOP_LATEST, /**< a graceful stop took too long: killed */
    SIM_PARCEL,           /**< load: struct sim_parcel */
    SIM_FRAMES,           /**< load: struct sim_message */
    SIM_SESSION_GONE,     /**< number: connection */
    SIM_CLIENT_ROOM,      /**< number: session */
    SIM_DISK_ROOM,        /**< number: which change */
    SIM_CLIENT_GONE,      /**< number: connection */
    SIM_ACTOR_TICK,
    SIM_ACTOR_WORK, /**< number: life */
    SIM_PROBE,
    SIM_FAULT,
    SIM_HEAL,     /**< number: which cut */
    SIM_CHECK,    /**< is the world whole again? */
    SIM_LIVENESS, /**< which groups have a leader and a commit? */
};

struct sim_event {
    uint64_t at, order;
    enum sim_event_kind kind;
    uint32_t who; /**< node or actor */
    uint64_t number;
    void *load;
};

enum sim_phase { SIM_STORM, SIM_RECOVERY, SIM_READ_BACK, SIM_OVER };

/** How long after the faults each group had a leader and a commit. */
#define SIM_LEADER_BIN_MS 20
#define SIM_LEADER_BINS 256
struct sim_liveness {
    uint16_t bins[SIM_LEADER_BINS]; /**< groups, by time; the last bin: later */
    uint32_t worst_ms;
};

struct sim_host;
struct sim_actor;
struct sim_connection;
struct sim_prober;
struct sim_group;
struct sim_record;
struct sim_topic;
struct sim_trace;
struct sim_coverage;

struct sim_world {
    struct sim_options options;
    uint64_t random;
    uint64_t now;
    enum sim_phase phase;
    uint64_t faults_until, recovery_began, read_back_began;
    uint32_t point_step; /**< profile.c, points */
    bool point_reached;
    uint64_t point_cut;
    uint64_t read_back_at; /**< when the readers at the end last got something */
    uint64_t led_at;       /**< after the faults: when all groups had their leaders */
    struct sim_weather weather;
    bool retains;         /**< topics do not keep everything */
    bool compacts;        /**< topics are compacted by key */
    uint64_t fingerprint; /**< of all events so far */
    struct sim_trace *trace;

    struct sim_event *events;
    size_t event_count, event_capacity;
    uint64_t event_order;

    struct node_address addresses[SIM_NODES_MAX];
    struct node_limits limits;
    struct sim_host
        *hosts; /**< node_count of them; node n is hosts[n - 1]. The first options.nodes found the cluster */
    uint32_t node_count;
    uint32_t wiped; /**< disks, so far */
    /* net.c: [from - 1][to - 1] */
    uint32_t cuts[SIM_NODES_MAX][SIM_NODES_MAX]; /**< how many partitions lie across the link */
    uint64_t lane_last[SIM_NODES_MAX][SIM_NODES_MAX][PEER_LANE_COUNT];
    uint64_t next_cut;

    struct sim_actor *actors;
    uint32_t actor_count;
    uint64_t stalled_until[SIM_ACTORS_MAX][SIM_NODES_MAX]; /**< client links; frames wait */
    struct sim_connection **connections;
    size_t connection_count, connection_capacity;
    struct lf_map sessions; /**< session number -> connection */
    uint64_t next_session;
    struct sim_prober **probers;
    size_t prober_count, prober_capacity;

    struct sim_topic **topics;
    size_t topic_count, topic_capacity;
    struct sim_record **records; /**< records[id - 1] */
    size_t record_count, record_capacity;

    struct sim_group **groups; /**< what the checkers know, in order of appearance */
    size_t group_count, group_capacity;

    uint32_t faults_on;  /**< kinds of this world, bit by bit */
    uint32_t faults_met; /**< of them, those that happened */
    uint32_t fault_weights[SIM_FAULT_KINDS];
    /* profile.c */
    uint64_t second;
    bool second_is_bad;
    struct sim_weather bad_weather;
    uint32_t pause_step;

    struct sim_host *damaged; /**< the one replica whose bytes changed on its disk */
    uint64_t partial_cut;     /**< plus 1: one that stays until every group has its leader */
    struct sim_liveness liveness;

    struct sim_totals totals;
    struct sim_coverage *coverage; /**< NULL: not looked at */
};

/* world.c */
/** Returns (caller destroys) a world ready to run. trace, coverage: NULL for none, else borrowed. */
struct sim_world *sim_world_new(const struct sim_options *options, struct sim_trace *trace,
                                struct sim_coverage *coverage);
/** Runs it to its end; does not return when a check fails. */
void sim_world_run(struct sim_world *world);
void sim_world_destroy(struct sim_world **world);

/* random.c */
uint64_t sim_random(struct sim_world *world);
/** low..high, both possible. */
uint64_t sim_between(struct sim_world *world, uint64_t low, uint64_t high);
bool sim_chance(struct sim_world *world, uint32_t permille);
/** Memory or the end of the program. */
void *sim_alloc(size_t count, size_t size);
/** Makes items hold at least `wanted`. */
void *sim_grown(void *items, size_t *capacity, size_t wanted, size_t item_bytes);

/* events.c */
void sim_at(struct sim_world *world, uint64_t at, enum sim_event_kind kind, uint32_t who, uint64_t number, void *load);
bool sim_next(struct sim_world *world, struct sim_event *event);

/* trace.c */
/** Keeps the last lines; prints each as it comes when `print`. Returns (caller frees). */
struct sim_trace *sim_trace_new(bool print);
void sim_trace_print_tail(const struct sim_trace *trace);
/** Of all lines so far. */
uint64_t sim_trace_hash(const struct sim_trace *trace);
void sim_trace_line(struct sim_world *world, const char *line);
void sim_tracef(struct sim_world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** A check failed: tells the runner (report.c) why, and ends the process with 1. */
_Noreturn void sim_fail(struct sim_world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** What sim_fail calls before it exits: seed, reason. */
extern void (*sim_on_failure)(struct sim_world *world, const char *reason);

/* weather.c */
/** Which kinds of faults this world has, how much of each, and how good links and disks are. */
void sim_weather_draw(struct sim_world *world);
static inline bool sim_fault_on(const struct sim_world *world, enum sim_fault_kind kind) {
    return world->faults_on >> kind & 1;
}
/** May a topic with fewer than three replicas have lost something for good? */
static inline bool sim_lossy(const struct sim_world *world) { return world->damaged || world->wiped > 0; }
extern const char *const sim_fault_names[SIM_FAULT_KINDS];

/* faults.c */
void sim_faults_start(struct sim_world *world);
void sim_fault(struct sim_world *world);
/** One fault of the kinds that are on. */
void sim_fault_draw(struct sim_world *world);
/** Are they made, all replicas placed? Until then every node is needed. */
bool sim_main_topics_live(const struct sim_world *world);
/** Everything works from now on; nothing new breaks. */
void sim_faults_stop(struct sim_world *world);
void sim_heal(struct sim_world *world, uint64_t cut);

/* liveness.c */
/** The faults have stopped: from now on groups are looked at until each has a leader and a commit. */
void sim_liveness_start(struct sim_world *world);
void sim_liveness_look(struct sim_world *world);
/** Can this group have a leader: does a majority of its voters run on nodes that hear each other? */
bool sim_group_can_lead(struct sim_world *world, uint64_t group);
/** Does a process run this replica; and is it on that node? */
bool sim_group_member_runs(struct sim_world *world, uint64_t group, uint64_t replica);
bool sim_group_member_is_on(struct sim_world *world, uint64_t group, uint64_t replica, const struct sim_host *host);
/** All groups that can have a leader have one. */
bool sim_liveness_done(const struct sim_world *world);

/* finish.c */
/** Called now and then after the faults stopped: moves on when the world is whole, fails when it takes too long. */
void sim_recovery_check(struct sim_world *world);

#endif
