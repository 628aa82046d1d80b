/** How a broker stands at one moment: copied by the loop, then read by the admin thread alone.
 *
 *  It belongs to whoever holds its address, which travels over the rings of admin_link.h; so nothing in it is shared.
 */
#ifndef ADMIN_SNAPSHOT_H
#define ADMIN_SNAPSHOT_H

#include "node_view.h"

/** What the loop and the sockets count. */
struct admin_loop_figures {
    uint64_t turns;
    struct lf_histogram pause_us; /**< how long the loop did not look at its sources, once per turn */
    uint64_t pause_longest_us;    /**< since the start */
    struct lf_histogram step_us;  /**< one event: the node's step and the carrying out of its effects */
    struct lf_histogram apply_us; /**< of those steps that applied entries */
    uint64_t snapshot_us;         /**< how long the snapshot before this one held up the loop */
    uint64_t snapshot_longest_us;
    uint64_t log_dropped;                 /**< lines of the log that nobody took in time */
    struct node_queue_view log_backlog;   /**< bytes */
    struct node_queue_view store_waiting; /**< bytes the store had no room for */
    uint64_t disk_free_bytes, ballast_bytes;
    bool writes_held;   /**< the disk is full: nothing is written */
    bool store_spoiled; /**< it met a full disk: it is only read until it is opened anew */
};

struct admin_net_figures {
    uint64_t client_in, client_out, client_gone, client_refused;
    uint64_t peer_in, peer_out, peer_dropped, peer_refused, peer_malformed;
    struct admin_lanes {
        uint64_t node;
        uint64_t sent[PEER_LANE_COUNT], dropped[PEER_LANE_COUNT];
        bool ready[PEER_LANE_COUNT]; /**< connected, and its queue has room */
    } lanes[NODE_PEERS_MAX];
    size_t lane_count;
    uint64_t queue_messages_max; /**< bound of each lane's queue */
};

struct admin_snapshot {
    enum lf_status status; /**< LF_OK, or LF_NO_MEMORY: it is not whole */
    uint64_t now_ms;       /**< monotonic */
    struct node_view node;
    struct log_store_stats store;
    struct admin_loop_figures loop;
    struct admin_net_figures net;
};

#define ADMIN_QUEUES_MAX (NODE_VIEW_QUEUES_MAX + 8)
/** Every bounded queue and table, of the node, the store and the loop; returns how many. Those counted in pieces: */
size_t admin_snapshot_items(const struct admin_snapshot *snapshot, struct node_queue_view out[ADMIN_QUEUES_MAX]);
/** ... and those counted in bytes. */
size_t admin_snapshot_bytes(const struct admin_snapshot *snapshot, struct node_queue_view out[ADMIN_QUEUES_MAX]);

/** Returns (caller destroys) an empty one, or NULL. */
struct admin_snapshot *admin_snapshot_new(void);
void admin_snapshot_destroy(struct admin_snapshot **snapshot);

#endif
