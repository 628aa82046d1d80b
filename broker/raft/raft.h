/** The consensus core of one replica of one group: events in, effects out.
 *
 *  Pure: no clock, socket, disk, thread, global or callback. Time, randomness (a seed) and the results of writes arrive
 *  in events. Equal core + equal event = equal effects. One call is one record of a trace.
 *
 *  Payloads stay outside. The core knows an entry by (index, term), its bytes, and, for a configuration, its members.
 *  The owner keeps the bytes, puts them into messages it sends, and hands the store what `persist` names.
 *
 *  What must be durable before what is kept in here: a message that has to wait for a write (a vote, a vote request, an
 *  acknowledgement) does not appear among the effects until the *wrote* event for its token arrived, and then it is
 *  made from the state of that moment. So an owner cannot send one early, and a completion of an old term cannot
 *  acknowledge to the wrong leader (catalogue A1-A3, B14, B15 in docs/raft.md).
 *
 *  Invariants, numbered as the comments and raft_check_invariants name them:
 *   I1  term and commit never go back; a vote never changes within a term
 *   I2  previous_index <= commit <= last_index, and so after compaction and install; neither ever goes back
 *   I3  a leader never removes or replaces an entry of its own log; nobody truncates at or below commit
 *   I4  for each peer match < next; match never goes back within a leader's term
 *   I5  commit moves only to an entry of the leader's own term that a majority of voters holds durably, itself included
 *       only up to its own durable index
 *   I6  a follower acknowledges at most prev + count of what it was sent in this term, and only what is durable
 *   I7  a follower's commit <= min(leader's commit, last index known equal to the leader's log)
 *   I8  the configuration in force is the last one in the log (else the one given at creation or with the image, which
 *       compaction keeps); a leader appends one
 *       only when the one before is committed, and leaves a joint one only when that is committed (E2)
 *   I9  every table is bounded by raft_limits; quotas return to 0 when idle
 *   I10 no append begins before the log does; a peer that needs what is before gets offers of an image and no appends
 *
 *  Sources: Raft dissertation, figure 3.1, sections 3.6.2 (figure 3.7), 4.3 (joint consensus), 6.4 (ReadIndex), 3.10
 *  (transfer), 9.6 (pre-vote); etcd's progress states for replication.
 */
#ifndef RAFT_H
#define RAFT_H

#include "lf_status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most voters a configuration may name, in each of its halves while it is joint. */
#define RAFT_VOTERS_MAX 7
/** Most learners a configuration may name. */
#define RAFT_LEARNERS_MAX 16
#define RAFT_MEMBERS_MAX (2 * RAFT_VOTERS_MAX + RAFT_LEARNERS_MAX)
/** What a configuration entry that the core makes is taken to have, header included; the owner's must not be larger. */
#define RAFT_CONFIGURATION_BYTES_MAX 512

enum raft_role { RAFT_FOLLOWER, RAFT_PRE_CANDIDATE, RAFT_CANDIDATE, RAFT_LEADER };

/** Members of the group by replica id (never 0, never reused).
 *
 *  Learners get everything and count for nothing. While there are outgoing voters the configuration is *joint*: every
 *  decision needs a majority of the voters and one of the outgoing ones. A learner may be an outgoing voter (it is
 *  being demoted), never a voter. */
struct raft_configuration {
    uint64_t epoch; /**< assignment epoch given by group 0 */
    uint32_t voter_count;
    uint32_t outgoing_count;
    uint32_t learner_count;
    uint64_t voters[RAFT_VOTERS_MAX];
    uint64_t outgoing[RAFT_VOTERS_MAX];
    uint64_t learners[RAFT_LEARNERS_MAX];
};

/** What the core knows of an entry. */
struct raft_entry {
    uint64_t term;
    uint32_t bytes; /**< header and payload, for windows and quotas */
    /** NULL for all but configuration entries. Borrowed for the call. */
    const struct raft_configuration *configuration;
};

enum raft_message_type {
    RAFT_PRE_VOTE_REQUEST = 1,
    RAFT_PRE_VOTE_REPLY,
    RAFT_VOTE_REQUEST,
    RAFT_VOTE_REPLY,
    RAFT_APPEND_REQUEST,
    RAFT_APPEND_REPLY,
    RAFT_HEARTBEAT_REQUEST,
    RAFT_HEARTBEAT_REPLY,
    RAFT_TIMEOUT_NOW,
    RAFT_READ_REQUEST,
    RAFT_READ_REPLY,
    RAFT_IMAGE_OFFER, /**< from a leader whose log begins later, or that would rather send an image */
};

struct raft_message {
    enum raft_message_type type;
    uint64_t from; /**< replica id */
    uint64_t to;
    uint64_t term; /**< sender's term; of a pre-vote request: the term it would campaign in */
    union {
        struct {
            uint64_t last_index;
            uint64_t last_term;
            bool transfer; /**< the leader asked for this election: stickiness does not apply */
        } vote_request;    /**< also pre-vote */
        struct {
            bool granted;
            uint64_t campaign_term; /**< term of the request this answers; `term` above is the voter's own (H1) */
        } vote_reply;               /**< also pre-vote */
        struct {
            uint64_t prev_index;
            uint64_t prev_term;
            uint64_t commit;
            uint64_t sequence; /**< leader's per-peer counter, echoed: orders replies and tells sessions apart (B8) */
            uint32_t count;    /**< entries prev_index + 1 ... prev_index + count */
            /** Received messages: count of them, borrowed for the call. In effects: NULL, the owner adds the bytes. */
            const struct raft_entry *entries;
        } append_request;
        struct {
            bool accepted;
            uint64_t sequence;   /**< of the request; 0 when sent because a write completed */
            uint64_t durable;    /**< accepted: log known equal to the leader's and durable up to here */
            uint64_t received;   /**< accepted: known equal, maybe still in memory */
            uint64_t prev_index; /**< rejected: echo of the request */
            uint64_t last_index; /**< the follower's log end */
            uint64_t hint_index; /**< rejected: largest index that may match, */
            uint64_t hint_term;  /**< and its term, for skipping whole terms */
        } append_reply;
        struct {
            uint64_t commit;   /**< min(leader's commit, peer's match): safe to take as it is (I7) */
            uint64_t sequence; /**< leader's round number, for reads and for check-quorum */
        } heartbeat; /**< request and reply; the reply echoes sequence and says its durable end known equal in commit */
        struct {
            uint64_t index; /**< campaign only when this entry is the durable log end */
            uint64_t entry_term;
        } timeout_now;
        struct {
            uint64_t id;    /**< the asker's, echoed */
            uint64_t index; /**< reply: serve once applied */
            enum lf_status status;
        } read; /**< request and reply */
        struct {
            uint64_t index; /**< the receiver's log has to hold, or its image to be of, this entry or a later one */
            uint64_t entry_term;
            uint64_t commit;
            uint64_t sequence; /**< of the same numbers as appends; answered like one after this entry */
        } image_offer;
    };
};

enum raft_event_type {
    RAFT_EVENT_TICK = 1,  /**< time passed; also carry out whatever is due */
    RAFT_EVENT_MESSAGE,   /**< from a peer of this group */
    RAFT_EVENT_WROTE,     /**< a persist finished */
    RAFT_EVENT_PROPOSE,   /**< append these entries if leader */
    RAFT_EVENT_READ,      /**< which index answers a read that begins now? */
    RAFT_EVENT_TRANSFER,  /**< hand leadership to a voter */
    RAFT_EVENT_CHANGE,    /**< change the members if leader */
    RAFT_EVENT_PREFER,    /**< who should lead, if it can */
    RAFT_EVENT_COMPACTED, /**< the owner's log begins later now */
    RAFT_EVENT_INSTALL,   /**< an image has been staged: put it in the place of the log */
    RAFT_EVENT_OFFER,     /**< leader: bring a peer up to date by an image, although the log would do */
};

/** A configuration and the index of its entry (0: given at creation, before the log). */
struct raft_configuration_at {
    uint64_t index;
    struct raft_configuration configuration;
};

struct raft_event {
    enum raft_event_type type;
    uint64_t now_ms; /**< caller's monotonic clock; never goes back */
    union {
        struct {
            /** How long this process itself did not run (0: normal). Its own absence is not its leader's silence:
             * election and check-quorum deadlines move by as much. */
            uint64_t absent_ms;
        } tick;
        const struct raft_message *message; /**< borrowed for the call */
        struct {
            uint64_t token;
            enum lf_status
                status; /**< anything but LF_OK: this replica is finished (rule 4): see raft_effects.failed */
        } wrote;
        struct {
            const struct raft_entry *entries; /**< terms are ignored: the core gives its own; no configurations */
            uint32_t count;
        } propose;
        /** Borrowed for the call. What is wanted in the end, so without outgoing voters. The core takes the way there:
         * a joint configuration when the voters differ, and, once that is committed, the one without the outgoing ones.
         */
        const struct raft_configuration *change;
        struct {
            uint64_t replica; /**< 0: nobody in particular. Stays in force until the next such event */
        } prefer;
        struct {
            uint64_t id; /**< chosen by the owner, unique among its unanswered reads */
        } read;
        struct {
            uint64_t to; /**< replica id; 0: the most caught-up voter */
        } transfer;
        struct {
            uint64_t
                index; /**< the log begins after it; applied. One that is not above what was said before: nothing */
        } compacted;
        /** Of a state machine's image at an entry that is committed, with all history that belongs to it. */
        struct {
            uint64_t index;
            uint64_t term;        /**< of the entry at index */
            uint64_t leader_term; /**< of the leader that made the image: it had applied the entry */
            const struct raft_configuration_at *configuration; /**< in force at index; borrowed for the call */
        } install;
        struct {
            uint64_t replica;
            uint64_t index; /**< at least what it needs before appends go on; committed. 0: appends after all */
        } offer;
    };
};

/** One atomic write: all of it under one token, or nothing. Tokens rise by 1 and complete in order. With `install` the
 *  whole log becomes the image's history and an empty log after install_index: nothing else of a log is beside it. */
struct raft_persist {
    uint64_t token;
    uint64_t term; /**< hard state as it is now; write it with the rest */
    uint64_t vote;
    bool hard_state_changed;
    bool truncate;        /**< remove every entry at or above first_index before putting the new ones */
    uint64_t first_index; /**< entries first_index ... first_index + count - 1; (truncation point when count is 0) */
    uint32_t count;
    uint32_t message_skip; /**< of a received append: how many of its entries come before first_index */
    bool install;          /**< first_index is install_index + 1, count 0 */
    uint64_t install_index;
    uint64_t install_term;
};

struct raft_read_answer {
    uint64_t id;
    uint64_t index;        /**< serve once applied up to here */
    enum lf_status status; /**< LF_OK, LF_NOT_LEADER (no leader known: ask again), LF_NO_QUORUM (leadership lost) */
};

/** What the owner has to do. Views stay valid until the next raft_step on the same effects. Carry out in any order:
 *  everything here may happen at once; what must wait for `persist` is still inside. */
struct raft_effects {
    bool has_persist;
    struct raft_persist persist;
    struct raft_message *messages;
    size_t message_count;
    uint64_t commit; /**< apply up to here; never goes back */
    struct raft_read_answer *reads;
    size_t read_count;
    /* For RAFT_EVENT_PROPOSE that returned LF_OK: entries got proposed_index ... in proposed_term. */
    uint64_t proposed_index;
    uint64_t proposed_term;
    /** An entry that the leader made by itself (is part of persist; count is 1): the owner makes its bytes. 0: none. */
    uint64_t own_index;
    const struct raft_configuration *own_configuration; /**< what it holds; NULL: it is a new leader's no-op */
    bool role_changed;                                  /**< role, term or leader differ from before the step */
    uint64_t
        truncated_from; /**< != 0: entries at or above are gone from the log; drop them from caches. Before appends */
    uint64_t
        damaged_peer; /**< != 0: that replica's durable log end fell below what it acknowledged; it is not counted */
    /** != 0: the leader, this replica, offers an image, and the log does not reach offered_index. Said with each offer,
     *  until an image of that index or a later one is installed. */
    uint64_t offered_by;
    uint64_t offered_index;
    /** != 0: the leader has another entry there than the one that is committed here, or where the log begins. Nothing
     * was taken of it. One of the two histories is not this group's: the owner has to end this replica's part. */
    uint64_t contradicted_index;
    bool failed;             /**< this replica's write failed: it takes part in nothing any more */
    uint64_t deadline_ms;    /**< send a tick no later than this */
    size_t message_capacity; /* internal */
    size_t read_capacity;    /* internal */
};

/** Bounds and times, given at creation. Zeroes mean the default in brackets. */
struct raft_limits {
    uint32_t election_timeout_ms_min; /**< [150] */
    uint32_t election_timeout_ms_max; /**< [300] */
    uint32_t heartbeat_ms;            /**< [50]; leaders beat at multiples of it, so that groups share messages */
    uint32_t inflight_messages_max;   /**< [64] unanswered appends per peer in replicate state */
    uint32_t inflight_bytes_max;    /**< [8 MiB] entries sent to a peer and not known received; one larger goes alone */
    uint32_t pipeline_messages;     /**< [4] unanswered appends that may leave before they are full: what comes after
                                         them goes together, with the next answer */
    uint32_t append_entries_max;    /**< [256] per message */
    uint32_t append_bytes_max;      /**< [1 MiB] per message; one larger entry goes alone */
    uint32_t uncommitted_bytes_max; /**< [16 MiB] a leader's proposals not yet committed; one larger goes alone */
    uint32_t reads_max;             /**< [1024] unanswered reads, local and from peers */
    uint32_t sized_entries_max;     /**< [65536] newest entries whose bytes are remembered */
    uint32_t unsized_entries_max;   /**< [16] per message when their bytes are not remembered */
    uint32_t log_runs_max;          /**< [65536] term changes remembered; more stops the group */
    uint32_t disk_stall_ms;   /**< [1000] a leader whose own write takes longer steps down, if the others hold it */
    uint32_t prefer_after_ms; /**< [5000] a preferred replica has to be caught up that long before it is handed
                                   leadership; doubles when it does not keep it */
};

/** A run of consecutive entries of one term: from first_index to the next run's first_index - 1. */
struct raft_run {
    uint64_t first_index;
    uint64_t term;
};

/** Durable state to start from. A fresh replica: term 0, vote 0, empty log, the bootstrap configuration at index 0. */
struct raft_start {
    uint64_t self; /**< replica id */
    uint64_t seed; /**< for election timeouts; differs between replicas and restarts */
    uint64_t now_ms;
    uint64_t term;
    uint64_t vote;
    uint64_t previous_index; /**< the log begins after this index (0: whole) */
    uint64_t previous_term;
    const struct raft_run *runs; /**< ordered, covering previous_index + 1 ... last_index */
    size_t run_count;
    uint64_t last_index;
    uint64_t commit; /**< at least what was applied; never above last_index (rule 6) */
    /** Ordered by index; at least one: the first is the one in force at previous_index, or at commit. */
    const struct raft_configuration_at *configurations;
    size_t configuration_count;
    bool vote_disabled; /**< this replica must not vote, lead or acknowledge (damaged); it still follows commits */
};

struct raft;

/** Writes one decision line ("node=2 term=7 grant vote to=3 (log equal 41^6)" without the node). Must not call back. */
typedef void raft_trace(void *context, const char *line);

/** Returns LF_OK with *raft (caller destroys); LF_INVALID (start state contradicts itself), LF_NO_MEMORY. Copies all.
 */
enum lf_status raft_new(const struct raft_start *start, const struct raft_limits *limits, struct raft **raft,
                        struct lf_error *error);
void raft_destroy(struct raft **raft);
/** trace NULL: none. */
void raft_set_trace(struct raft *raft, raft_trace *trace, void *context);

/** Effects big enough for any step under these limits; nothing is allocated in raft_step. LF_NO_MEMORY. One set of
 *  effects can serve many cores in turn. */
enum lf_status raft_effects_init(struct raft_effects *effects, const struct raft_limits *limits);
void raft_effects_deinit(struct raft_effects *effects);

/** Feed one event; learn what must happen next. effects are emptied first.
 *  Returns LF_OK. For PROPOSE also LF_NOT_LEADER (also while leadership is being handed over), LF_FULL (quota); for
 *  READ LF_FULL, and LF_NOT_LEADER when no leader is known; for TRANSFER LF_NOT_LEADER, LF_NOT_FOUND (no such voter),
 *  LF_AGAIN (one is under way); for CHANGE LF_NOT_LEADER, LF_AGAIN (a change is under way, or nothing of the own term
 *  is committed yet), LF_INVALID (malformed, or of a lower epoch than the one in force), LF_FULL; for COMPACTED
 *  LF_INVALID (not committed); for INSTALL LF_EXISTS (the log holds that entry, or what was installed or committed is
 *  later: nothing to install, though its commit may have moved to it), LF_INVALID (malformed); for OFFER LF_NOT_LEADER,
 *  LF_NOT_FOUND (no such peer), LF_EXISTS (it holds that), LF_INVALID (not committed). Refused events change
 *  nothing, yet the effects must be carried out (time has passed). Messages, completions and ticks are always consumed;
 *  strange ones (wrong `to`, not a member, old) are dropped. */
enum lf_status raft_step(struct raft *raft, const struct raft_event *event, struct raft_effects *effects);

/* Looking at it. */
enum raft_role raft_role(const struct raft *raft);
const char *raft_role_name(enum raft_role role);
uint64_t raft_self(const struct raft *raft);
uint64_t raft_term(const struct raft *raft);
uint64_t raft_vote(const struct raft *raft);
uint64_t raft_leader(const struct raft *raft);         /**< replica id, 0: none known */
uint64_t raft_previous_index(const struct raft *raft); /**< the log begins after it */
uint64_t raft_last_index(const struct raft *raft);
uint64_t raft_durable_index(const struct raft *raft);
uint64_t raft_commit(const struct raft *raft);
/** Term of the entry; 0 when the log does not hold it (previous_index itself gives previous_term). */
uint64_t raft_entry_term(const struct raft *raft, uint64_t index);
const struct raft_configuration *raft_configuration(const struct raft *raft);
/** The configuration in force at commit, with the index of its entry: what an image at commit carries. */
const struct raft_configuration_at *raft_committed_configuration(const struct raft *raft);
/** Leader: is the configuration in force committed and not joint? Then the next change can begin. */
bool raft_may_change(const struct raft *raft);
/** Leader: has it committed an entry of its own term, and is no transfer under way? Then proposals and reads go
 * through. */
bool raft_leads_fully(const struct raft *raft);
/** Bytes proposed and not committed (quota in use). */
uint64_t raft_uncommitted_bytes(const struct raft *raft);

struct raft_peer_view {
    uint64_t replica;
    uint64_t match;
    uint64_t next;
    uint64_t received;
    uint32_t inflight;
    uint64_t inflight_bytes;
    bool voter;       /**< of either half; else a learner */
    bool replicating; /**< else probing, or: */
    bool needs_image; /**< what it needs next is not in the log, or was offered as an image: gets offers only */
    bool active;      /**< heard of within an election timeout */
    bool damaged;
};
/** Leader: members except itself, up to max (RAFT_MEMBERS_MAX is enough); returns how many. 0 when not leader. */
size_t raft_peers(const struct raft *raft, struct raft_peer_view *out, size_t max);

/** Deep check of I1-I10 against itself and, if not NULL, against the state before; stops with lf_check. For simulation.
 */
void raft_check_invariants(const struct raft *raft, const struct raft *before);
/** A deep copy for raft_check_invariants and model checking; caller destroys. */
struct raft *raft_clone(const struct raft *raft);
/** The same into an earlier clone (or NULL) of any core, whose memory is used again. False without memory: *clone is
 * NULL then. */
bool raft_clone_into(struct raft **clone, const struct raft *raft);

#endif
