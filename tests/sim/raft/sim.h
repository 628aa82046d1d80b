/** A cluster of consensus cores on virtual time: simulated disks, network, clients and faults, one thread, all of it
 *  decided by one seed.
 *
 *  Time in here is in microseconds of the world; every host has a clock of its own (another start, a slightly other
 *  rate) and its core sees that one in milliseconds.
 *
 *  Checked after every step of a core:
 *   - its invariants (raft_check_invariants, also against the state before the step)
 *   - one leader per term; a leader holds every entry that was committed in an earlier term
 *   - the same index is committed with the same entry everywhere; log matching, by (index, term) -> (value, term
 *     before)
 *   - an entry first committed lies on the disks of a majority of the voters, of both halves if they are joint
 *   - whatever a message promises is on the sender's disk when it leaves: votes, vote requests with their log end,
 *     acknowledgements
 *   - terms and commits never go back, nor does a promise after a restart
 *   - a read answers with an index not below any commit that existed when it began
 *   - the configuration in force is the last one in the log, or the image's
 *   - nothing is sent from before the log's begin; no image is installed backwards; begins never go back
 *  and when the faults have stopped: a leader within a bound, logs equal, quotas and windows back at 0.
 */
#ifndef SIM_H
#define SIM_H

#include "lf_status.h"
#include "raft.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Founders, and replicas that came later in place of others. */
#define SIM_HOSTS_MAX 14
#define SIM_FOUNDERS_MAX RAFT_VOTERS_MAX
/** Terms one world may reach; more is a failure of its own. */
#define SIM_TERMS_MAX 4096
/** Entries of one proposal. */
#define SIM_PROPOSED_MAX 8

struct sim_entry {
    uint64_t term;
    uint64_t value; /**< unique over the world; a no-op's is made from its term */
    uint32_t bytes;
    uint32_t configuration; /**< of a configuration entry: its number in the world, else 0 */
};

/** Entry i is entries[i - 1]. */
struct sim_log {
    uint64_t previous; /**< the log begins after it; what is before an image stands for, and nobody sends it */
    struct sim_entry *entries;
    size_t count;
    size_t capacity;
};

/** Of a host's state machine at its commit. */
struct sim_image {
    uint64_t index, term, leader_term;
    uint64_t configuration_index;
    uint32_t configuration;
};

struct sim_write {
    uint64_t token;
    uint64_t term;
    uint64_t vote;
    uint64_t commit;   /**< known when it was issued: rides along, as applied state does */
    uint64_t previous; /**< where the log begins: rides along as well */
    bool truncate;
    uint64_t install; /**< != 0: all of it becomes the image of this index */
    uint64_t first_index;
    uint32_t count;
    struct sim_entry *entries;
};

/** Durable image and the writes on their way to it, in order. */
struct sim_disk {
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
    struct sim_log log;
    struct sim_write *writes;
    size_t write_count;
    size_t write_capacity;
    uint64_t busy_until; /**< when the last write issued will be done */
    uint64_t generation; /**< completions of an earlier one belong to a process that is gone */
    bool failing;        /**< the next write fails, and all after it */
    bool trapped;        /**< power goes with the next write: messages of its step are out, the write is not in */
};

struct sim_proposal {
    uint64_t index;
    uint64_t term;
    uint64_t value;
    uint64_t started_us;
};

struct sim_host {
    struct sim_world *world;
    uint64_t id;       /**< 1 ... */
    struct raft *raft; /**< NULL: down */
    struct raft *before;
    uint64_t incarnation;
    struct sim_log log; /**< what the core's owner holds in memory */
    struct sim_disk disk;
    uint64_t clock_base_ms;
    uint64_t clock_rate_ppm;
    uint64_t tick_at; /**< of the tick that counts; others in the queue are stale */
    uint64_t paused_until;
    uint64_t paused_since;
    bool vote_disabled;
    bool lossy; /**< its disk lost what it had synced: others are to see that it is damaged */
    bool restart_planned;
    bool retired;         /**< its disk was wiped: this replica never runs again */
    uint64_t start_seed;  /**< replay: of its next start */
    uint64_t staging;     /**< number of the image that is staged here; 0: none */
    uint64_t staging_run; /**< of the event that will install it */
    uint64_t commit_seen;
    uint64_t promised_term; /**< the term of its newest promise: never below it again */
    uint64_t promised_index;
    uint64_t votes[SIM_TERMS_MAX];  /**< to whom it gave its vote in a term */
    struct sim_proposal *proposals; /**< open, by index */
    size_t proposal_count;
    size_t proposal_capacity;
};

struct sim_read {
    uint64_t host;
    uint64_t incarnation;
    uint64_t id;
    uint64_t floor; /**< highest commit anywhere when it began */
    uint64_t started_us;
};

/** A message in flight; entries point into the same allocation. */
struct sim_message {
    struct raft_message message;
    uint64_t receiver_incarnation; /**< when it was sent */
    uint64_t order;                /**< on its link */
    uint32_t references;
    struct raft_entry *entries;
    struct sim_entry *payload;
};

enum sim_event_kind {
    SIM_DELIVER,
    SIM_WROTE,
    SIM_TICK,
    SIM_PROPOSE,
    SIM_READ,
    SIM_FAULT,
    SIM_HEAL,
    SIM_RESTART,
    SIM_RESUME,
    SIM_TRANSFER,
    SIM_CHANGE,
    SIM_COMPACT,
    SIM_INSTALL, /**< generation: the host's staging_run */
};

/* What can go wrong: X(name, words, weight). Each world has its own subset; weight 0: no moment of its own. */
#define SIM_FAULTS(X)                                                                                                  \
    X(crash, "power losses of one node", 3)                                                                            \
    X(kill, "kills", 2)                                                                                                \
    X(power_cut, "power cuts of all", 1)                                                                               \
    X(trap, "crashes with a write just issued", 3)                                                                     \
    X(disk_stall, "disk stalls", 2)                                                                                    \
    X(disk_failure, "disks that fail", 1)                                                                              \
    X(pause, "pauses", 2)                                                                                              \
    X(partition, "partitions", 3)                                                                                      \
    X(one_way, "one-way partitions", 2)                                                                                \
    X(partial, "partial partitions", 2)                                                                                \
    X(clock_jump, "jumps of a clock", 1)                                                                               \
    X(wipe, "wiped disks", 1)                                                                                          \
    X(mute, "restarts without a vote", 0)                                                                              \
    X(clock_rate, "fast and slow clocks", 0)                                                                           \
    X(drop, "lost messages", 0)                                                                                        \
    X(duplicate, "doubled messages", 0)                                                                                \
    X(hold, "messages held back", 0)                                                                                   \
    X(slow_disk, "slow disks", 0)                                                                                      \
    X(change, "changes of members", 0)                                                                                 \
    X(transfer, "transfers", 0)                                                                                        \
    X(prefer, "preferences", 0)                                                                                        \
    X(compact, "logs that begin later", 0)                                                                             \
    X(offer, "images where the log would do", 0)

struct sim_op;
struct sim_coverage;
struct sim_recording;
struct sim_replay;

enum sim_fault_kind {
#define SIM_FAULT_KIND_(name, words, weight) SIM_FAULT_##name,
    SIM_FAULTS(SIM_FAULT_KIND_)
#undef SIM_FAULT_KIND_
        SIM_FAULT_KINDS
};

struct sim_event {
    uint64_t at;
    uint64_t order;
    enum sim_event_kind kind;
    uint64_t host;
    uint64_t generation; /**< WROTE: disk's; RESTART: incarnation */
    struct sim_message *message;
};

/* X(name, words): what happened, over all seeds; printed, and none may stay 0. */
#define SIM_TOTALS(X)                                                                                                  \
    X(steps, "steps")                                                                                                  \
    X(messages, "messages")                                                                                            \
    X(dropped, "dropped")                                                                                              \
    X(duplicated, "duplicated")                                                                                        \
    X(reordered, "reordered")                                                                                          \
    X(held, "held back")                                                                                               \
    X(cut, "lost in partitions")                                                                                       \
    X(across_restart, "delivered across a restart")                                                                    \
    X(partitions, "partitions")                                                                                        \
    X(one_way, "one-way partitions")                                                                                   \
    X(crashes, "crashes that lost writes")                                                                             \
    X(traps, "of them right after a write was issued")                                                                 \
    X(kills, "kills that kept writes")                                                                                 \
    X(power_cuts, "power cuts of all")                                                                                 \
    X(disk_failures, "disk failures")                                                                                  \
    X(disk_stalls, "disk stalls")                                                                                      \
    X(lost_writes, "writes lost")                                                                                      \
    X(pauses, "pauses")                                                                                                \
    X(partial, "partial partitions")                                                                                   \
    X(clock_jumps, "jumps of a clock")                                                                                 \
    X(wiped, "wiped replicas")                                                                                         \
    X(added, "new replicas in their place")                                                                            \
    X(mute_restarts, "restarts without a vote")                                                                        \
    X(elections, "leaders")                                                                                            \
    X(transfers, "transfers asked")                                                                                    \
    X(transferred, "transfers done")                                                                                   \
    X(truncations, "truncations")                                                                                      \
    X(proposed, "proposed")                                                                                            \
    X(acknowledged, "acknowledged")                                                                                    \
    X(refused, "proposals refused")                                                                                    \
    X(changes, "changes of members asked")                                                                             \
    X(configurations, "configurations logged")                                                                         \
    X(joint, "of them joint")                                                                                          \
    X(left, "of them leaving a joint one")                                                                             \
    X(rolled_back, "configurations truncated")                                                                         \
    X(led_by_leaving, "entries committed by a leader on its way out")                                                  \
    X(compactions, "compactions")                                                                                      \
    X(offers, "images offered")                                                                                        \
    X(offers_wanted, "of peers that the log would do for")                                                             \
    X(installs, "images installed")                                                                                    \
    X(installs_refused, "images not needed any more")                                                                  \
    X(preferred, "preferences given")                                                                                  \
    X(reads, "reads answered")                                                                                         \
    X(reads_by_followers, "of them by followers")                                                                      \
    X(reads_failed, "reads failed")

struct sim_totals {
#define SIM_TOTAL_FIELD_(name, words) uint64_t name;
    SIM_TOTALS(SIM_TOTAL_FIELD_)
#undef SIM_TOTAL_FIELD_
};

struct sim_known {
    uint64_t term;
    uint64_t value;
    uint64_t term_before;
};

/** All entries that anybody ever held at one index. */
struct sim_index {
    struct sim_known *known;
    uint32_t count;
    bool committed;
    struct sim_entry entry; /**< the committed one */
    uint64_t committed_in;  /**< term of the leader that committed it */
};

struct sim_options {
    uint32_t nodes;
    uint64_t seed;
    bool trace;
    uint32_t without;   /**< fault kinds left out, bit by bit */
    bool outcomes_only; /**< leave out the core's invariants and what a message promises: are histories bad enough? */
};

/** How bad this world is; drawn from the seed, so that some are calm and some are not. */
struct sim_weather {
    uint32_t drop_permille;
    uint32_t duplicate_permille;
    uint32_t hold_permille;
    uint32_t delay_us_max;
    uint32_t write_us_max;
    uint32_t fault_gap_us;
    uint32_t propose_gap_us;
    uint32_t read_gap_us;
    uint32_t change_gap_us;  /**< 0: members never change */
    uint32_t compact_gap_us; /**< 0: logs stay whole */
};

struct sim_world {
    struct sim_options options;
    uint64_t random;
    uint64_t now;
    uint64_t faults_end;
    uint64_t clients_end;
    uint64_t end;
    bool calm;          /**< no faults: they have stopped, or a script makes them */
    bool recovering;    /**< they have stopped: liveness is owed */
    uint32_t faults_on; /**< kinds that this world has, bit by bit */
    uint32_t faults_met;
    uint32_t fault_weights[SIM_FAULT_KINDS];
    struct sim_coverage *coverage; /**< borrowed; NULL: nobody looks */
    /** Hooks; NULL: nobody listens. Before an operation; at a decision line of a core. */
    void (*on_op)(struct sim_world *world, const struct sim_op *op);
    void (*on_decision)(struct sim_world *world, const char *line);
    struct sim_recording *recording;
    struct sim_replay *replay; /**< borrowed; not NULL: nothing happens by itself */
    struct sim_weather weather;
    struct raft_limits limits;
    struct raft_effects effects;
    struct sim_host hosts[SIM_HOSTS_MAX];
    bool blocked[SIM_HOSTS_MAX][SIM_HOSTS_MAX]; /**< [from - 1][to - 1] */
    uint64_t link_sent[SIM_HOSTS_MAX][SIM_HOSTS_MAX];
    uint64_t link_seen[SIM_HOSTS_MAX][SIM_HOSTS_MAX];
    uint64_t next_heal;

    struct sim_event *events;
    size_t event_count;
    size_t event_capacity;
    uint64_t event_order;

    uint64_t next_value;
    uint32_t next_epoch;
    struct raft_configuration **configurations; /**< number n is *configurations[n - 1]; 1 is the founding one */
    size_t configuration_count;
    size_t configuration_capacity;
    struct sim_image *images; /**< number n is images[n - 1] */
    size_t image_count;
    size_t image_capacity;
    uint64_t next_read;
    struct sim_read *reads;
    size_t read_count;
    size_t read_capacity;

    uint64_t leaders[SIM_TERMS_MAX];
    uint64_t handed_to[SIM_TERMS_MAX]; /**< whom the leader of a term told to take over */
    struct sim_index *indexes;
    size_t index_capacity;
    uint64_t committed;                /**< highest index committed anywhere */
    uint64_t last_commit_after_faults; /**< 0: none */
    uint64_t first_ack_after_faults;   /**< of a proposal made after them; 0: none */
    uint64_t longest_gap_us;           /**< without a commit, from the end of the faults to that acknowledgement */
    struct sim_totals totals;
};

/* world.c */
/** Draws what the world is like. Nothing runs yet. */
void sim_world_init(struct sim_world *world, const struct sim_options *options);
void sim_world_run(struct sim_world *world);
void sim_world_deinit(struct sim_world *world);
/** What sim_fail and a check inside the core call before the process ends. */
extern void (*sim_on_failure)(const struct sim_world *world, const char *reason);
uint64_t sim_random(struct sim_world *world);
uint64_t sim_between(struct sim_world *world, uint64_t low, uint64_t high);
bool sim_chance(struct sim_world *world, uint32_t permille);
void sim_trace(const struct sim_world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** The seed failed: says why and how to repeat it, ends the program with 1. */
_Noreturn void sim_fail(const struct sim_world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Makes items hold at least `wanted`; ends the program without memory. */
void *sim_grown(void *items, size_t *capacity, size_t wanted, size_t item_bytes);

/* configurations.c */
/** Number 1: all hosts as voters. */
void sim_configurations_found(struct sim_world *world);
void sim_configurations_free(struct sim_world *world);
/** Keeps it for good; returns its number. */
uint32_t sim_configuration_add(struct sim_world *world, const struct raft_configuration *configuration);
const struct raft_configuration *sim_configuration(const struct sim_world *world, uint32_t number);

/* weather.c */
void sim_draw_weather(struct sim_world *world);
extern const char *const sim_fault_names[SIM_FAULT_KINDS];
static inline bool sim_fault_on(const struct sim_world *world, enum sim_fault_kind kind) {
    return world->faults_on >> kind & 1;
}

/* events.c */
void sim_at(struct sim_world *world, uint64_t at, enum sim_event_kind kind, uint64_t host, uint64_t generation,
            struct sim_message *message);
bool sim_next(struct sim_world *world, struct sim_event *event);

/* host.c */
struct sim_host *sim_host(struct sim_world *world, uint64_t id);
uint64_t sim_host_clock_ms(const struct sim_host *host);
void sim_host_start(struct sim_host *host);
/** One more, with an empty disk, down. Its id is new. */
struct sim_host *sim_host_add(struct sim_world *world);
/** Ends the process; its disk stays. */
void sim_host_stop(struct sim_host *host);
void sim_host_tick(struct sim_host *host, uint64_t absent_ms);
/** One step of the core and all that it asks for. entries: of a proposal or an append, else NULL. */
enum lf_status sim_host_step(struct sim_host *host, struct raft_event *event, const struct sim_entry *entries);
struct sim_host *sim_leader(struct sim_world *world);
void sim_log_push(struct sim_log *log, const struct sim_entry *entry);
void sim_log_cut(struct sim_log *log, uint64_t first_index);

/* disk.c */
void sim_disk_submit(struct sim_host *host, const struct raft_persist *persist);
void sim_disk_on_wrote(struct sim_host *host, uint64_t generation);
/** Its oldest write is done. kept: a failed one is on the disk all the same. */
void sim_disk_complete(struct sim_host *host, enum lf_status status, bool kept);
/** The disk is as fast as it should be from now on. */
void sim_disk_speed_up(struct sim_host *host);
/** The process is gone; of the writes on their way the first `kept` reached the disk. */
void sim_disk_abandon(struct sim_host *host, size_t kept);

/* network.c */
void sim_send(struct sim_host *from, const struct raft_message *message);
void sim_deliver(struct sim_world *world, struct sim_event *event);
void sim_message_release(struct sim_message **message);

/* faults.c */
/** The process ends; the first `kept` of the writes on their way reached the disk. */
void sim_host_end(struct sim_host *host, size_t kept);
/** The power goes: all, some or none of the writes on their way reached the disk. */
void sim_crash(struct sim_host *host);
void sim_fault(struct sim_world *world);
void sim_heal(struct sim_world *world);

/* clients.c */
void sim_propose(struct sim_world *world);
void sim_read(struct sim_world *world);
void sim_transfer(struct sim_world *world);
void sim_propose_at(struct sim_host *host, const uint32_t *bytes, uint32_t count);
void sim_read_at(struct sim_host *host);
void sim_transfer_at(struct sim_host *host, uint64_t to);

/* members.c */
void sim_change(struct sim_world *world);
void sim_change_at(struct sim_host *host, const struct raft_configuration *target);
void sim_prefer_at(struct sim_host *host, uint64_t replica);
/** A replica's disk is wiped, if the others can do without it; a new one comes in its place. */
void sim_wipe(struct sim_world *world);
/** The host's commit moved, or its log was cut, or it stopped. */
void sim_proposals_settle(struct sim_host *host);
void sim_reads_answered(struct sim_host *host, const struct raft_effects *effects);
void sim_reads_abandoned(struct sim_host *host);

/* image.c */
/** The log becomes what the image of that index stands for. */
void sim_log_install(struct sim_world *world, struct sim_log *log, uint64_t index);
/** Of its state at its commit; returns the number. */
uint64_t sim_image_make(struct sim_host *host);
void sim_compact_at(struct sim_host *host, uint64_t index);
/** LF_NOT_FOUND: no such image. */
enum lf_status sim_install_at(struct sim_host *host, uint64_t number);
void sim_offer_at(struct sim_host *host, uint64_t replica);
void sim_compact(struct sim_world *world);
void sim_install(struct sim_host *host, uint64_t run);
/** Its core was offered an image. */
void sim_offered(struct sim_host *host, uint64_t by, uint64_t index);
void sim_staging_restarted(struct sim_host *host);
/** What is staged is installed soon from now on. */
void sim_staging_speed_up(struct sim_host *host);

/* checks.c */
void sim_check_entry(struct sim_host *host, uint64_t index);
void sim_check_message(struct sim_host *host, const struct raft_message *message);
void sim_check_step(struct sim_host *host);
void sim_check_install(struct sim_host *host, const struct raft_persist *persist);
void sim_check_start(struct sim_host *host);

/* recovery.c */
/** Everything works again from now on. */
void sim_faults_stop(struct sim_world *world);
/** Fails when the faults are over and nothing has been committed for too long. */
void sim_check_gap(const struct sim_world *world, const char *to);
/** At the end: some replica is still behind and they have committed more than *commits_seen, which is brought up to
 *  date: the world must go on. */
bool sim_catches_up(struct sim_world *world, uint64_t *commits_seen);
/** At the end: has it converged? */
void sim_check_recovered(struct sim_world *world);

#endif
