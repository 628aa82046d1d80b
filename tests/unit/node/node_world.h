/** A few whole nodes over stores in memory, with a perfect network between them, in virtual time: for unit tests. The
 *  simulator in tests/sim has the imperfect one. */
#ifndef NODE_WORLD_H
#define NODE_WORLD_H

#include "client.pb-c.h"
#include "lf_record_batch.h"
#include "mem_store.h"
#include "node.h"

#define WORLD_NODES_MAX 9

/** A client's message as it left a node: the decoded header and its frames. */
struct world_reply {
    uint64_t session;
    uint64_t bytes; /**< as node_client_send_bytes counts them */
    Lf__ClientReply *reply;
    struct lf_buf *frames[64];
    size_t frame_count;
};

struct world {
    size_t count;     /**< nodes there are, those that joined included */
    size_t founders;  /**< the first of them */
    bool found_again; /**< a founder whose disk was replaced is started to found once more */
    bool connected[WORLD_NODES_MAX][WORLD_NODES_MAX]; /**< from, to: as the node itself asked for */
    uint32_t lose_permille;                           /**< of the envelopes */
    uint32_t random;
    struct node_limits limits;
    uint64_t now_ms;
    bool cut[WORLD_NODES_MAX]; /**< no message from or to it */
    struct node *nodes[WORLD_NODES_MAX];
    struct mem_disk *disks[WORLD_NODES_MAX];
    struct log_store *stores[WORLD_NODES_MAX];
    bool replaces[WORLD_NODES_MAX]; /**< its operator asks the cluster to take its new store for the lost one */
    uint8_t wiped[WORLD_NODES_MAX]; /**< how often; a new disk has a new store UUID */
    struct node_effects effects[WORLD_NODES_MAX];
    uint64_t incarnation;
    struct world_reply *replies;
    size_t reply_count, reply_capacity;
    enum lf_status fatal[WORLD_NODES_MAX];
    char fatal_text[WORLD_NODES_MAX][LF_ERROR_TEXT_BYTES];
    const char *cluster_names[WORLD_NODES_MAX]; /**< NULL: "unit" */
    bool clients_are_deaf; /**< what was sent to a session waits for ever, and the nodes are told so */
    bool verbose;
};

void world_init(struct world *world, size_t count);
/** The same with limits of its own (zeroes: defaults). */
void world_init_limited(struct world *world, size_t count, const struct node_limits *limits);
void world_deinit(struct world *world);
/** Nodes are numbered from 0; their ids from 1. */
void world_start(struct world *world, size_t node);
/** One more node, on an empty disk, started to join; its configuration names the founders and itself. Returns which. */
size_t world_join(struct world *world);
void world_crash(struct world *world, size_t node, enum mem_disk_crash how);
/** Its disk is replaced by an empty one; it must be down. Its next start is one to join, unless world->found_again. */
void world_wipe(struct world *world, size_t node);
/** Virtual time passes. */
void world_run(struct world *world, uint64_t ms);
/** Runs until condition(world, context) or `ms` are over; says which. */
bool world_until(struct world *world, bool (*condition)(struct world *, void *), void *context, uint64_t ms);
/** Index of the node that leads the group fully; -1: none. */
int world_leader(const struct world *world, uint64_t group);
/** Runs until there is one; -1 after `ms`. */
int world_wait_leader(struct world *world, uint64_t group, uint64_t ms);

/** Feed any event to a node, now, and carry out what it says. */
void world_event(struct world *world, size_t node, struct node_event *event);
/** Send a request (packs it; batch may be NULL) from a session to a node. */
void world_request(struct world *world, size_t node, uint64_t session, const Lf__ClientRequest *request,
                   struct lf_buf *batch);
void world_hello(struct world *world, size_t node, uint64_t session);
/** The answer to request_id on that session, waiting up to `ms`; NULL: none. Owned by the world. */
const struct world_reply *world_answer(struct world *world, uint64_t session, uint64_t request_id, uint64_t ms);
/** A request to the controller, in a session of its own, asked again until it is answered with something that a retry
 *  does not help (or `ms` are over: NULL). Owned by the world. */
const struct world_reply *world_command(struct world *world, Lf__ClientRequest *request, uint64_t ms);
/** The commands of membership; each returns the status of the answer. */
enum lf_status world_add(struct world *world, uint64_t node_id);
enum lf_status world_remove(struct world *world, uint64_t node_id);
enum lf_status world_drain(struct world *world, uint64_t node_id, bool stop);
/** `nodes` ends with 0. */
enum lf_status world_move(struct world *world, const char *topic, uint32_t partition, const uint64_t *nodes);
/** Creates a topic by way of the controller; returns the group of its partition 0. Fails the test otherwise. */
uint64_t world_topic(struct world *world, const char *name, uint32_t partitions, uint32_t replicas);
/** Sets one setting of a topic; the status of the answer. */
enum lf_status world_alter(struct world *world, const char *topic, const char *setting, const char *value);
/** A batch of `records` one-byte records. */
struct lf_buf *world_batch(int32_t records, int64_t producer_id, int16_t epoch, int32_t sequence);
/** Publish to partition 0; request ids must be unique in a session. */
void world_publish(struct world *world, size_t node, uint64_t session, uint64_t request_id, const char *topic,
                   struct lf_buf *batch);

#endif
