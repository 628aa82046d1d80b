/** The client, pure: events in, effects out. No clock, socket, thread or global; allocation failures are statuses. The
 *  I/O thread (client/src/edge) and the simulator (tests/sim) drive the same code.
 *
 *  Connections are numbers the core gives: it asks for `connect` to host:port, sends frames on it, hears frames or
 *  *gone*. All times are milliseconds on the caller's monotonic clock; wall_ms only stamps records that carry no time.
 *
 *  Invariants:
 *   C1  every accepted message gets exactly one outcome, per partition in order of acceptance
 *   C2  a batch is sent again only with the same producer id, epoch and sequence until its fate is known; renumbering
 *       only after RaiseProducerEpoch said what was accepted (so a retry never duplicates)
 *   C3  *not done* is reported only when no broker can have appended the batch; else *unknown*
 *   C4  at most publish_inflight_batches per partition are unanswered, and never more bytes than the broker granted
 *   C5  delivered records of a partition are consecutive from the start position, each once
 *   C6  everything is bounded by lf_core_options
 */
#ifndef LF_CORE_H
#define LF_CORE_H

#include "lf_buf.h"
#include "lf_status.h"
#include "logflume.h"

struct lf_core;

/** Settings of one call, and bytes of a name or value. */
#define LF_CORE_SETTINGS_MAX 64
#define LF_CORE_SETTING_BYTES_MAX 256

struct lf_core_options {
    struct lf_client_options client; /**< pointers inside are copied */
    uint64_t seed;                   /**< for back-off jitter and sticky partitions */
};

/** One ZeroMQ frame: a view into a buffer that it keeps alive. */
struct lf_frame {
    struct lf_buf *buf;
    uint32_t offset;
    uint32_t size;
};

enum lf_core_event_type {
    LF_CORE_TICK = 1,
    LF_CORE_FRAMES,  /**< a whole multipart arrived on a connection */
    LF_CORE_GONE,    /**< the connection cannot be used (any more) */
    LF_CORE_PUBLISH, /**< a message; refused by the returned status */
    LF_CORE_FLUSH,   /**< send what lingers */
    LF_CORE_SUBSCRIBE,
    LF_CORE_UNSUBSCRIBE,
    LF_CORE_CONSUMED, /**< the application took delivered batches: more credit */
    LF_CORE_CALL,     /**< create, list, describe, ... topic; answered by an LF_CORE_ANSWER effect */
    LF_CORE_CLOSE,    /**< the end: outcome for all at once (cancelled or unknown), nothing new is accepted */
};

enum lf_core_call_type {
    LF_CALL_TOPIC_CREATE = 1,
    LF_CALL_TOPIC_DELETE,
    LF_CALL_TOPIC_LIST,
    LF_CALL_TOPIC_DESCRIBE,
    LF_CALL_PARTITION_END,
    LF_CALL_CLUSTER_STATUS,
    LF_CALL_NODE_ADD,
    LF_CALL_NODE_REMOVE,
    LF_CALL_NODE_DRAIN,
    LF_CALL_PARTITION_MOVE,
    LF_CALL_LEADER_TRANSFER,
    LF_CALL_CLUSTER_CHECK, /**< asked of one broker; fails as soon as that one cannot be reached */
    LF_CALL_TOPIC_ALTER,
    LF_CALL_TOPIC_SETTINGS, /**< topic NULL: of none, the defaults */
    LF_CALL_PARTITION_TRIM,
    LF_CALL_PARTITION_OFFSET_AT,
    LF_CALL_PARTITION_SEGMENTS, /**< one page */
    LF_CALL_BACKUP,             /**< asked of one broker, as CLUSTER_CHECK */
    LF_CALL_TYPE_LAST = LF_CALL_BACKUP,
};
/** Borrowed for the step, copied. What a type has no use for is 0. */
struct lf_core_call {
    enum lf_core_call_type type;
    uint64_t id;         /**< chosen by the caller, echoed */
    const char *topic;   /**< LEADER_TRANSFER: NULL is group 0; BACKUP: its name, NULL to list */
    uint32_t partitions; /**< create; partition number for PARTITION_*, LEADER_TRANSFER */
    uint32_t replicas;
    /** NODE_*: which; LEADER_TRANSFER: to whom, 0: the most caught-up; CLUSTER_CHECK, BACKUP,
     * PARTITION_SEGMENTS: whom to ask, of the latter 0: the leader */
    uint64_t node;
    uint64_t without_node;           /**< CLUSTER_CHECK */
    const char *host;                /**< NODE_ADD */
    uint32_t client_port, peer_port; /**< NODE_ADD */
    bool stop;                       /**< NODE_DRAIN: place things on it again */
    const uint64_t *nodes;           /**< PARTITION_MOVE: at most LF_REPLICAS_MAX */
    size_t node_count;
    const struct lf_setting *settings; /**< TOPIC_CREATE, TOPIC_ALTER: at most LF_CORE_SETTINGS_MAX */
    size_t setting_count;
    int64_t offset;                      /**< PARTITION_TRIM: before it */
    int64_t timestamp_ms;                /**< PARTITION_OFFSET_AT */
    uint64_t from_index;                 /**< PARTITION_SEGMENTS */
    bool dry_run;                        /**< PARTITION_TRIM */
    enum lf_backup_action backup_action; /**< BACKUP */
};

struct lf_core_event {
    enum lf_core_event_type type;
    uint64_t now_ms;
    int64_t wall_ms;
    union {
        struct {
            uint64_t connection;
            struct lf_frame *frames; /**< borrowed; the core takes references of what it keeps */
            size_t count;
        } frames;
        uint64_t gone;
        struct {
            const struct lf_message *message; /**< borrowed, copied */
            lf_delivery_callback *callback;
            void *context;
        } publish;
        struct {
            uint64_t id; /**< chosen by the caller */
            const struct lf_subscribe_options *options;
        } subscribe;
        uint64_t unsubscribe;
        struct {
            uint64_t subscription;
            uint64_t bytes;
        } consumed;
        struct lf_core_call call;
    };
};

enum lf_core_effect_type {
    LF_CORE_CONNECT = 1,        /**< connection, host, port */
    LF_CORE_DISCONNECT,         /**< connection; `farewell`: once what was sent before is out, within a moment */
    LF_CORE_SEND,               /**< connection, frames (owned by the effect; lf_core_effects_clear drops them) */
    LF_CORE_DELIVERED,          /**< call delivery.callback */
    LF_CORE_BATCH,              /**< a verified batch for a subscription: records at or above skip_below */
    LF_CORE_MISSED,             /**< a subscription goes on at missed_to: from missed_from on it was too late; or, with
                                   `diverged`, it stood at missed_from in a history that is lost */
    LF_CORE_SUBSCRIPTION_ENDED, /**< with LF_OFFSET_BELOW_START, LF_HISTORY_DIVERGED: partition, missed_to is where
                                   there is something; status, text; LF_END at the end */
    LF_CORE_ANSWER,             /**< of a call: the decoded reply */
};

struct lf_core_effect {
    enum lf_core_effect_type type;
    uint64_t connection;
    bool farewell;
    char host[256];
    uint32_t port;
    struct lf_frame *frames;
    size_t frame_count;
    lf_delivery_callback *callback;
    struct lf_delivery delivery; /**< strings live until lf_core_effects_clear */
    uint64_t subscription;
    int32_t partition;
    struct lf_buf *batch;              /**< reference owned by the effect; take it by setting NULL */
    uint32_t batch_offset, batch_size; /**< the batch inside `batch` */
    int64_t skip_below;
    int64_t missed_from, missed_to;
    bool diverged;
    uint64_t call;
    enum lf_status status;
    char text[LF_ERROR_TEXT_BYTES];
    void *reply;      /**< ANSWER with LF_OK: Lf__ClientReply *, owned by the effect (freed by clear) */
    char *owned_text; /**< keeps delivery.error_text of this and the following effects; freed by clear */
};

struct lf_core_effects {
    struct lf_core_effect *items;
    size_t count, capacity;
    uint64_t deadline_ms; /**< tick no later than this */
};

/** LF_OK with *core (caller destroys); LF_INVALID (brokers list, in words), LF_NO_MEMORY. */
enum lf_status lf_core_new(const struct lf_core_options *options, uint64_t now_ms, struct lf_core **core,
                           struct lf_error *error);
/** Drops everything without outcomes; after LF_CORE_CLOSE there is nothing to drop. Leaves NULL; NULL inside is fine.
 */
void lf_core_destroy(struct lf_core **core);
/** Feed one event. Effects are appended (clear them after carrying them out, in order). For PUBLISH: LF_OK accepted;
 *  LF_FULL, LF_TOO_LARGE, LF_INVALID, LF_CLOSED, LF_NO_MEMORY. For SUBSCRIBE, CALL: LF_OK or LF_INVALID, LF_FULL,
 *  LF_NO_MEMORY. Others LF_OK. */
enum lf_status lf_core_step(struct lf_core *core, const struct lf_core_event *event, struct lf_core_effects *effects,
                            struct lf_error *error);
void lf_core_effects_clear(struct lf_core_effects *effects);
void lf_core_effects_deinit(struct lf_core_effects *effects);
/** Messages accepted that have no outcome yet. */
uint64_t lf_core_pending(const struct lf_core *core);
/** Bytes of them, as lf_core_message_bytes counts. */
uint64_t lf_core_pending_bytes(const struct lf_core *core);
/** What a message counts against inflight_bytes_max. */
uint64_t lf_core_message_bytes(const struct lf_message *message);
/** LF_OK; LF_INVALID (topic name, partition, headers), LF_TOO_LARGE: what PUBLISH would refuse for the message's sake.
 */
enum lf_status lf_core_message_check(const struct lf_message *message, struct lf_error *error);
/** Messages accepted so far; the next one gets this number. */
uint64_t lf_core_accepted(const struct lf_core *core);
/** The number of the oldest message that has no outcome yet; lf_core_accepted when all have. */
uint64_t lf_core_oldest_pending(const struct lf_core *core);

/** Kafka's murmur2 of a key, and the partition it chooses: (murmur2 & 0x7fffffff) % partitions. */
uint32_t lf_murmur2(const void *data, size_t size);

/** One decision line at a time, for the simulator's trace. */
void lf_core_set_trace(struct lf_core *core, void (*trace)(void *context, const char *line), void *context);

#endif
