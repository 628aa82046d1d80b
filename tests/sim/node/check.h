/** What must hold after every step. The checkers believe nobody: they keep their own picture of every replica's log,
 *  made from the writes it hands to its store and their completions, and compare the nodes with it and with each other.
 *
 *  ES  one leader per group and term              MV  one vote per replica and term, also across restarts
 *  LM  log matching: equal index and term mean equal bytes and equal logs before
 *  LC  a leader holds everything committed in earlier terms
 *  CI  a committed entry never changes            CQ  what commits is durable on a majority of the voters
 *  MT  durable terms never go back                MC  a process's commit and applied never go back
 *  SM  at one index all replicas apply the same and have the same state
 *  RD  what the store reads back is what was written
 *  SG  segments are what the entries say, and equal on all replicas; only what lies below the log start goes; an image
 *      is of something committed
 *  DUR votes and acknowledgements that leave are durable; what was durable is there after a restart
 */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "host.h"

#include "lf_entry.h"

/** An entry as it stands in a log. */
struct sim_entry {
    uint64_t term;
    uint32_t sum;   /**< of all its bytes */
    uint64_t write; /**< the node's write that put it there */
};

/** One replica's log as it should be: entries[i] has index i + 1, also below where its store's log begins. */
struct sim_log {
    uint64_t group;
    struct sim_group *of;
    uint64_t replica; /**< 0: not known yet */
    struct sim_entry *entries;
    size_t last, capacity;
    uint64_t durable; /**< entries up to here survive anything */
    uint64_t kept; /**< within an install: entries up to here stand on the disk, or are on their way there, already */
    uint64_t durable_term, durable_vote;
    uint64_t first_durable;     /**< what is before was dropped, for good */
    struct log_segment *staged; /**< durably, and not asked to go */
    size_t staged_count, staged_capacity;
    uint64_t rewritten; /**< at or below, entries may be missing in the store, and batches lack records */
    bool destroying;    /**< that is under way */
    bool destroyed;     /**< durably: it must never come back */
    /* Of the process that runs now: */
    bool running;
    uint64_t term, commit, applied, led_term;
    int64_t log_start;
};

/** What anybody ever held at one index of a group. */
struct sim_known {
    uint64_t term, term_before;
    uint32_t sum;
    uint8_t header[LF_ENTRY_HEADER_BYTES];
    int64_t max_timestamp_ms; /**< of a batch, capped as in segments; -1: none */
    struct sim_known *next;   /**< another term's */
};
struct sim_index {
    struct sim_known *known;
    bool committed;
    uint64_t term; /**< the committed one's */
    uint32_t sum;
    uint64_t committed_in; /**< the term in which it was committed first */
    bool state_known;
    uint32_t state; /**< checksum of the applied state after it */
};
struct sim_group {
    uint64_t id;
    bool condemned;            /**< its topic was deleted: its replicas come and go */
    struct sim_index *indexes; /**< indexes[i] for index i + 1 */
    size_t index_count, index_capacity;
    uint64_t committed;           /**< all up to here */
    struct log_segment *segments; /**< every one that any replica ever had */
    size_t segment_count, segment_capacity;
    uint64_t *leaders; /**< by term: the replica that led it */
    size_t leader_capacity;
    uint64_t leader_terms; /**< how many had one */
    /* liveness.c: */
    bool waits; /**< for a leader and a commit, since the faults stopped */
    uint64_t committed_at_calm;
    uint64_t term_before; /**< profile.c: its leader's, before a node went away; 0: none, or not looked at */
};

/* check_log.c */
struct sim_group *sim_group(struct sim_world *world, uint64_t id);
struct sim_index *sim_group_index(struct sim_group *group, uint64_t index);
/** Who held this index in this term; NULL: nobody. */
const struct sim_known *sim_known_entry(const struct sim_index *index, uint64_t term);
/** The log of this node's replica of the group; made when `make`, else NULL. */
struct sim_log *sim_log(struct sim_host *host, uint64_t group, bool make);
/** The node hands a write over; number: of this write. */
void sim_check_write(struct sim_host *host, const struct log_store_write *write, uint64_t number);
/** It completed well. */
void sim_check_wrote(struct sim_host *host, const struct sim_pending_write *write);
void sim_check_process_ended(struct sim_host *host);
/** A group began to run in this process: its log must be what was durable, and maybe more of what was written. Called
 *  before the writes of its first step are noted. */
void sim_check_restarted(struct sim_host *host, struct sim_log *log, const struct raft *raft);
void sim_check_forget(struct sim_host *host);
void sim_check_deinit(struct sim_world *world);

/** The node asks its store for committed entries: they must be on its disk already. */
void sim_check_ask(struct sim_host *host, const struct log_store_read *read);
/** Entries came back from the store. */
void sim_check_read(struct sim_host *host, const struct log_store_completion *completion);

/* check_segments.c */
/** The write installs an image: the log becomes what it stands for, before the entries of the write are put; number: of
 *  this write. Returns up to where the log stays durable. */
uint64_t sim_check_install(struct sim_host *host, struct sim_log *log, const struct log_store_write *write,
                           uint64_t number);
/** What the write does to segments, after its entries were put. */
void sim_check_segments(struct sim_host *host, struct sim_log *log, const struct log_store_write *write);

/** The store staged the segment. */
void sim_check_staged(struct sim_host *host, uint64_t group, const struct log_segment *segment);
/** What a store that was opened says of a group: nothing that was durable is missing. */
void sim_check_loaded(struct sim_host *host, const struct log_store_completion *completion);

/* check_step.c */
/** After each step, before its effects are carried out: notes the writes, compares everything. */
void sim_check_step(struct sim_host *host);
/** An envelope leaves: what it promises must be durable. */
void sim_check_envelope(struct sim_host *host, const struct peer_envelope *envelope);

#endif
