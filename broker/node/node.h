/** A whole broker, deterministic: events in, effects out. Owns every group of the node, its sessions and its view of
 *  the peers. No clock, socket, disk, thread or global; the loop (broker/run) and the simulator (tests/sim) drive this
 *  code.
 *
 *  Order for the owner: feed an event, carry out all effects (any order, but writes, reads and loads in the order
 *  given, and sends to one destination in the order given), feed the next. Late loops feed messages and store
 *  completions before the tick, and say in the tick how long they were away.
 */
#ifndef NODE_H
#define NODE_H

#include <stdlib.h>

#include "log_store.h"
#include "peer_message.h"
#include "raft.h"

#define NODE_PROTOCOL_VERSION_MIN 1
#define NODE_PROTOCOL_VERSION_MAX 1
#define NODE_NODES_MAX 16
/** Peers that a node sends to: members, those that leave, and a few strangers who are told why they are strangers. */
#define NODE_PEERS_MAX 32
#define NODE_HOST_BYTES_MAX PEER_HOST_BYTES_MAX

struct node_address {
    uint64_t node_id;
    char host[NODE_HOST_BYTES_MAX];
    uint32_t client_port;
    uint32_t peer_port;
};

/** Bounds and times; zeroes mean the default in brackets. One row each in the configuration table. */
struct node_limits {
    struct raft_limits raft;
    uint32_t sessions_max;                  /**< [1000] client sessions */
    uint32_t session_timeout_ms;            /**< [30000] silence that ends a session */
    uint32_t subscriptions_per_session_max; /**< [1000] */
    uint32_t subscriptions_max;             /**< [10000] over all sessions */
    uint32_t publish_credit_bytes;          /**< [8 MiB] unanswered publish bytes per session */
    uint32_t publish_inflight_batches;      /**< [5] per producer and partition: fixed by the producer table */
    uint32_t batch_bytes_max;               /**< [1152 KiB] hard 4 MiB */
    uint32_t records_per_batch_max;         /**< [100000] */
    uint64_t uncommitted_bytes_max;         /**< [256 MiB] over all groups of the node */
    uint64_t tail_cache_bytes_max; /**< [128 MiB] over all groups; newest entries kept for sending and reading */
    uint64_t active_bytes_max; /**< [8 MiB] of what is not sealed, over all partitions: leaders make segments smaller */
    uint32_t reads_max;        /**< [512] store reads under way */
    uint32_t delivery_bytes_max;          /**< [512 KiB] batches in one delivery message */
    uint64_t session_unsent_bytes_max;    /**< [16 MiB] sent to a session and not taken; less while others fill ... */
    uint64_t unsent_bytes_max;            /**< [256 MiB] ... what all sessions have of it together */
    uint32_t parked_answers_max;          /**< [65536] requests waiting for commit, apply or a read round */
    uint32_t groups_max;                  /**< [4096] groups on this node */
    uint32_t topics_max;                  /**< [10000] in the cluster */
    uint32_t partitions_per_topic_max;    /**< [10000] */
    uint32_t producers_per_partition_max; /**< [10000] */
    uint64_t producer_retention_ms; /**< [1 hour] log time; above the client's largest delivery timeout. It shapes what
                                         replicas apply, so it is not configurable: all nodes must have the same */
    uint32_t request_timeout_ms;    /**< [10000] parked metadata and read requests are answered by then */
    uint32_t handover_timeout_ms;   /**< [5000] at a stop: give leadership away for at most this long */
    uint32_t drain_moves_max;       /**< [2] partitions on the move at one time while nodes are drained */
    uint32_t images_max;            /**< [4] partition images in memory, to be given out */
    uint32_t image_fetches_max;     /**< [2] partitions filled by images here at one time */
    uint64_t image_bytes_per_s_max; /**< [128 MiB] history sent, to all */
    uint64_t image_backlog_bytes;   /**< [64 MiB] of sealed segments that a replica lacks: above it an image is sent */
    uint32_t image_hold_ms_max;     /**< [600000] retention waits for an image to be pulled ... */
    uint64_t image_hold_bytes_max;  /**< [1 GiB] ... and so many bytes may be appended meanwhile */
};
/** Fills zeroes in with defaults. */
void node_limits_default(struct node_limits *limits);

struct node_options {
    uint64_t node_id;
    const char *cluster_name;
    const struct node_address *nodes; /**< the configured nodes, this one included: its peers until group 0 is known */
    size_t node_count;
    struct log_store_identity identity; /**< as the store says */
    const uint64_t *groups;             /**< present in the store */
    size_t group_count;
    bool replaces; /**< the store was made in place of a lost one, and may hold nothing yet: an operator's wish */
    uint64_t incarnation; /**< of this start; larger than that of every earlier start of this node */
    uint64_t seed;        /**< differs at every start */
    uint8_t new_cluster_id[LOG_STORE_ID_BYTES]; /**< random; used if this node is the one to found the cluster */
    uint64_t now_ms;
    int64_t wall_ms;
    struct node_limits limits;
};

/** The disk, as the owner samples it: often enough that what is written in between fits between the limits. */
struct node_space {
    uint64_t room_bytes; /**< free, less what is spoken for (the ballast that is to be made again) */
    uint64_t soft_bytes; /**< below: no publishes, no leadership */
    uint64_t hard_bytes; /**< below: no batches; at most soft_bytes */
};
enum node_space_level { NODE_SPACE_ENOUGH = 0, NODE_SPACE_SOFT, NODE_SPACE_HARD };
const char *node_space_name(enum node_space_level level);

/** One ZeroMQ frame: a view into a buffer that it holds a reference of. */
struct node_frame {
    struct lf_buf *buf;
    uint32_t offset;
    uint32_t size;
};

enum node_event_type {
    NODE_EVENT_TICK = 1,
    NODE_EVENT_PEER,        /**< an envelope arrived */
    NODE_EVENT_CLIENT,      /**< a multipart arrived from a session (its first one opens it) */
    NODE_EVENT_CLIENT_GONE, /**< the session's connection cannot be reached any more */
    NODE_EVENT_CLIENT_ROOM, /**< of a session that effects.watches named: no more than that waits for it now */
    NODE_EVENT_STORE,       /**< a completion */
    NODE_EVENT_SPACE,       /**< room on the disk; before the first one there is enough */
    NODE_EVENT_BACKUP,      /**< what effects.backups asked for is done, or failed */
    NODE_EVENT_STOP,        /**< hand leadership over, then effects.stopped */
};

/** Backups that the owner is asked to make, to list or to delete, at one time. */
#define NODE_BACKUPS_MAX 8u
enum node_backup_action { NODE_BACKUP_LIST = 1, NODE_BACKUP_CREATE, NODE_BACKUP_DELETE };
/** What a client asked for; the owner judges the name. */
struct node_backup_wish {
    uint64_t session, request_id;
    enum node_backup_action action;
    char name[65];
};
struct node_backup {
    const char *name;
    int64_t made_ms; /**< Unix time */
    uint64_t files, bytes;
};
/** Exactly one for each wish. */
struct node_backup_done {
    struct node_backup_wish wish;
    enum lf_status status;
    const char *text;                  /**< words when status is not LF_OK; may be empty */
    const struct node_backup *backups; /**< LIST: all; CREATE: the new one */
    size_t count;
};

struct node_event {
    enum node_event_type type;
    uint64_t now_ms; /**< monotonic */
    int64_t wall_ms; /**< Unix time */
    /** now_ms in finer grains, for figures only (node_metrics.h): nothing is decided by it. 0: now_ms * 1000 */
    uint64_t now_us;
    union {
        uint64_t absent_ms;             /**< TICK: how long the loop did not run, 0 normally */
        struct peer_envelope *envelope; /**< borrowed; the node takes references of entries it keeps */
        struct {
            uint64_t session;          /**< given by the transport, never reused, not 0 */
            struct node_frame *frames; /**< borrowed */
            size_t count;
            /** Sent before and not taken yet, in bytes of node_client_send_bytes: for this session, and for all. */
            uint64_t unsent_bytes, unsent_total_bytes;
        } client;                                /**< CLIENT; CLIENT_ROOM: without frames */
        uint64_t session;                        /**< CLIENT_GONE */
        struct node_space space;                 /**< SPACE */
        const struct node_backup_done *backup;   /**< BACKUP; borrowed */
        struct log_store_completion *completion; /**< borrowed; the node may take entries by setting them NULL */
    };
};

struct node_client_send {
    uint64_t session;
    struct node_frame *frames;
    size_t count;
};

/** What one message costs while it waits, per frame and besides its bytes: buffers, queue entries. */
#define NODE_FRAME_COST_BYTES 192u
static inline uint64_t node_client_send_bytes(const struct node_client_send *send) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < send->count; i++)
        bytes += send->frames[i].size + NODE_FRAME_COST_BYTES;
    return bytes;
}

/** Feed CLIENT_ROOM once no more than `bytes` of what was sent to the session wait to be taken. Until then the node
 *  sends it nothing that it can hold back. At most one is outstanding per session; a session that ends forgets it. */
struct node_watch {
    uint64_t session, bytes;
};

struct node_effects {
    struct log_store_write **writes; /**< hand over by log_store_submit, in order; on LF_FULL keep and retry in order */
    size_t write_count, write_capacity;
    struct log_store_read *reads; /**< on LF_FULL keep and retry */
    size_t read_count, read_capacity;
    /** Hand over by log_store_stage, in order, after the writes given so far; on LF_FULL keep and retry. */
    struct node_stage {
        struct log_store_stage stage; /**< its segment and entries are the ones below */
        struct log_segment segment;
        struct lf_buf **entries; /**< owned, with stage.entry_count references */
    } * stages;
    size_t stage_count, stage_capacity;
    struct log_store_rewrite *rewrites; /**< after the writes given so far; on LF_FULL keep and retry */
    size_t rewrite_count, rewrite_capacity;
    struct node_load {
        uint64_t group, request;
    } * loads;
    size_t load_count, load_capacity;
    /** Peers to send to from now on (or at another address), and peers not to send to any more; first `forgotten`. The
     *  configured ones are known from the start. */
    struct node_address *connects;
    size_t connect_count, connect_capacity;
    uint64_t *forgotten;
    size_t forgotten_count, forgotten_capacity;
    struct peer_envelope **envelopes; /**< to envelope->to_node on envelope->lane; dropping one is allowed */
    size_t envelope_count, envelope_capacity;
    struct node_client_send *sends;
    size_t send_count, send_capacity;
    uint64_t *closed_sessions; /**< forget these */
    size_t closed_count, closed_capacity;
    struct node_watch *watches;
    size_t watch_count, watch_capacity;
    struct node_backup_wish *backups; /**< carry out in any time; each is answered by an event */
    size_t backup_count, backup_capacity;
    uint64_t deadline_ms; /**< send a tick no later than this */
    bool stopped;         /**< after NODE_EVENT_STOP: nothing is led any more (or the time for it is over) */
    enum lf_status fatal; /**< not LF_OK: end the process with fatal_text; nothing further may be sent */
    char fatal_text[LF_ERROR_TEXT_BYTES];
};
/** Empties; drops what was not taken (set pointers NULL to take). */
void node_effects_clear(struct node_effects *effects);
void node_effects_deinit(struct node_effects *effects);
/** Drops what it owns. */
static inline void node_stage_deinit(struct node_stage *stage) {
    for (uint32_t i = 0; stage->entries && i < stage->stage.entry_count; i++)
        lf_buf_unref(&stage->entries[i]);
    free(stage->entries);
    stage->entries = NULL;
}

struct node;
struct partition;

/** LF_OK with *node (caller destroys), LF_INVALID (in words), LF_NO_MEMORY. First effects come with the first event
 *  (feed a tick at once). */
enum lf_status node_new(const struct node_options *options, struct node **node, struct lf_error *error);
void node_destroy(struct node **node);
/** One decision line at a time, as "node=2 group=5 term=7 ...". Must not call back. */
void node_set_trace(struct node *node, void (*trace)(void *context, const char *line), void *context);
/** effects must be empty (cleared). */
void node_step(struct node *node, const struct node_event *event, struct node_effects *effects);

/* Looking at it (simulation, status). */
uint64_t node_id(const struct node *node);
/** Groups present and running; up to max ids into out; returns how many there are. */
size_t node_groups(const struct node *node, uint64_t *out, size_t max);
/** NULL when the group is not running here. Borrowed until the next step. */
const struct raft *node_group_raft(const struct node *node, uint64_t group);
/** Is its replica of the metadata on its disk, so that a later start goes on with it? */
bool node_holds_metadata(const struct node *node);
/** Last applied index of the group, 0 if not running here. */
uint64_t node_group_applied(const struct node *node, uint64_t group);
/** What it makes of the room on its disk. */
enum node_space_level node_space_level(const struct node *node);
/** The entry's bytes while they are in the tail cache, else NULL. Borrowed until the next step. */
const struct lf_buf *node_group_entry(const struct node *node, uint64_t group, uint64_t index);
/** The machine of a partition's group (partition.h); NULL when it is not running here. Borrowed until the next step. */
const struct partition *node_group_partition(const struct node *node, uint64_t group);
/** Group id of a topic's partition as applied here; 0 when unknown. */
uint64_t node_find_group(const struct node *node, const char *topic, uint32_t partition);

/** Checksum of the group's applied state: equal on all replicas at equal applied index. 0: not here. */
uint32_t node_group_applied_checksum(const struct node *node, uint64_t group);

struct node_counts {
    uint64_t peer_dropped_cluster, peer_dropped_incarnation, peer_dropped_store, peer_dropped_group,
        peer_dropped_malformed, peer_dropped_stranger;
    uint64_t peer_dropped_space; /**< appends (or their ends) not taken, since the disk is full */
    uint64_t elections_won, leader_losses;
    uint64_t publishes, duplicates, refused;
    uint64_t unread; /**< sessions closed since they did not read their answers */
    uint64_t groups_led, groups_running, sessions, subscriptions;
    uint64_t rewrites_waiting; /**< of segments: asked of the store and not over */
};
struct node_counts node_counts(const struct node *node);

/** Checks the node's own invariants and raft_check_invariants of every group. For simulation. */
void node_check_invariants(const struct node *node);

/** Hash of the cluster name and the founding list (order does not matter), for founders to find each other. */
void node_founding_hash(const char *cluster_name, const struct node_address *nodes, size_t count,
                        uint8_t hash[LOG_STORE_ID_BYTES]);

#endif
