/** A copy of how a node stands, for whoever shows it: groups, peers, queues. It holds no pointer into the node, so it
 *  may go to another thread.
 */
#ifndef NODE_VIEW_H
#define NODE_VIEW_H

#include "node_metrics.h"

#define NODE_VIEW_NAME_BYTES 256

enum node_group_state { NODE_GROUP_LOADING = 1, NODE_GROUP_RUNNING, NODE_GROUP_STOPPED };

struct node_group_view {
    uint64_t group; /**< 0: the cluster's metadata */
    enum node_group_state state;
    bool apply_blocked; /**< met an entry that only a newer version knows */
    /** Its topic was deleted, or this replica is no member (any more, or not yet): nobody counts on it. */
    bool removed;
    uint32_t voters, learners;        /**< of the configuration in force; voters of its newer half */
    bool joint;                       /**< between two sets of voters */
    bool votes;                       /**< this replica is a voter */
    uint64_t epoch;                   /**< of the configuration */
    char topic[NODE_VIEW_NAME_BYTES]; /**< empty: none, or not known yet */
    uint32_t partition;
    uint64_t replica, leader_node; /**< leader_node 0: none known */
    enum raft_role role;
    uint64_t term, last_index, durable_index, commit, applied;
    int64_t log_start, high_watermark, log_end; /**< offsets; 0 for metadata */
    uint64_t segments, bytes, unsealed_bytes;   /**< sealed segments; bytes of all entries here; of those not sealed */
    uint64_t decisions_waiting;                 /**< about segments: applied, and not carried out by the store */
    uint64_t tail_bytes, uncommitted_bytes;
    uint64_t appended_bytes;             /**< since the start: its traffic */
    size_t first_replica, replica_count; /**< leader: in node_view.replicas */
};

/** A leader's view of one replica of a group. */
struct node_replica_view {
    uint64_t node, replica, match, next;
    uint32_t inflight; /**< appends not answered */
    uint64_t inflight_bytes;
    bool voter, replicating, needs_image, active, damaged;
};

struct node_peer_view {
    uint64_t node;
    uint64_t incarnation; /**< 0: never met */
    bool reachable;
    uint64_t silent_ms; /**< since it was last heard; since the start when never */
    int64_t clock_offset_ms;
    enum node_space_level space_level;
    uint64_t appended_entries, appended_bytes; /**< sent to it, repeats included */
    uint64_t envelopes[PEER_LANE_COUNT];       /**< sent, by lane */
};

/** A bounded amount and its bound. */
struct node_queue_view {
    const char *name; /**< static */
    uint64_t used, bound;
};

#define NODE_VIEW_QUEUES_MAX 16

struct node_view {
    uint64_t node_id, incarnation;
    char cluster_name[NODE_VIEW_NAME_BYTES];
    uint8_t cluster_id[LOG_STORE_ID_BYTES];
    bool cluster_known, metadata_ready, stopping;
    struct node_space space; /**< zeroes: not looked at yet */
    enum node_space_level space_level;
    struct node_group_view *groups;
    size_t group_count, group_capacity;
    struct node_replica_view *replicas;
    size_t replica_count, replica_capacity;
    struct node_peer_view *peers;
    size_t peer_count, peer_capacity;
    struct node_queue_view items[NODE_VIEW_QUEUES_MAX]; /**< counted in pieces */
    size_t item_count;
    struct node_queue_view bytes[NODE_VIEW_QUEUES_MAX]; /**< counted in bytes */
    size_t byte_count;
    struct node_counts counts;
    struct node_metrics metrics;
};

/** Fills view, zeroed or filled before (its memory is used again). LF_OK, or LF_NO_MEMORY: what is in it is less than
 *  all. */
enum lf_status node_view_fill(const struct node *node, struct node_view *view);
void node_view_deinit(struct node_view *view);
const char *node_group_state_name(enum node_group_state state);

#endif
