/** The Logflume client library.
 *
 *  A client publishes records to partitioned topics and reads committed ones back. It owns one I/O thread and its own
 *  ZeroMQ context; it has no global state, never aborts its host, and any number of clients may live in one process.
 *
 *  Threads: every function may be called from any thread unless it says otherwise, but not while or after lf_client_close
 *  runs on the same client. Callbacks run on the I/O thread: be short, and call nothing of this library there except
 *  lf_publish and the lf_status_* functions. After fork() only exec() is safe in the child.
 *
 *  Ownership words: *borrows* (yours again when the call returns), *takes* (ours from now on), *returns* (yours; the
 *  function that ends its life is named).
 *
 *  Outcomes: a status tells whether something was done. lf_status_action(status) says LF_ACTION_RETRY / REDIRECT /
 *  GIVE_UP (definitely not done) or LF_ACTION_UNKNOWN (may have been done). The library retries by itself, without ever
 *  duplicating, until delivery_timeout_ms; so what reaches you is final.
 */
#ifndef LOGFLUME_H
#define LOGFLUME_H

#include "lf_status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LOGFLUME_VERSION "0.1.0"

typedef struct lf_client lf_client;
typedef struct lf_subscription lf_subscription;

enum lf_compression { LF_COMPRESSION_NONE = 0, LF_COMPRESSION_LZ4 = 3, LF_COMPRESSION_ZSTD = 4 };

/** How a client behaves. Fill with lf_client_options_init, then change what you need. Borrowed by lf_client_new. */
struct lf_client_options {
    size_t size;                  /**< set by init: lets old programs meet new libraries */
    const char *brokers;          /**< "host:port,host:port"; any of the cluster's; NULL: 127.0.0.1:7700 */
    const char *name;             /**< for the broker's log, at most 128 bytes; NULL: none */
    enum lf_compression compression; /**< of published batches [none] */
    uint32_t linger_ms;           /**< wait for more records before sending a batch that is not full [5] */
    uint32_t batch_bytes;         /**< send a batch when it reaches this, in bytes [16384] */
    uint64_t inflight_bytes_max;  /**< records accepted and not yet answered, in bytes; then lf_publish waits [32 MiB] */
    uint32_t delivery_timeout_ms; /**< from lf_publish to its outcome, at the latest [120000] */
    uint32_t request_timeout_ms;  /**< every other call [10000] */
    uint32_t connect_timeout_ms;  /**< no broker reachable for this long fails calls with LF_CONNECT [5000] */
    uint64_t fetch_bytes_max;     /**< batches delivered and not yet taken, per subscription, in bytes [8 MiB] */
};
LF_API void lf_client_options_init(struct lf_client_options *options);

/** Starts a client; returns at once, connecting goes on behind. On LF_OK *client is yours until lf_client_close.
 *  LF_INVALID (an option, in words), LF_NO_MEMORY. `error` may be NULL, here and below. */
LF_API enum lf_status lf_client_new(const struct lf_client_options *options, lf_client **client,
                                    struct lf_error *error);
/** Stops: waits up to timeout_ms for published records to get their outcome, then ends the rest as LF_UNKNOWN_OUTCOME or
 *  LF_CANCELLED, each through its callback; ends subscriptions; joins the thread. Leaves *client NULL; NULL inside is
 *  fine. Takes at most timeout_ms plus a second. Not from a callback. */
LF_API void lf_client_close(lf_client **client, uint32_t timeout_ms);

/* ---- Publishing ------------------------------------------------------------------------------------------------- */

struct lf_header {
    const char *key;
    const void *value; /**< NULL: null value */
    size_t value_size;
};

struct lf_message {
    const char *topic;
    int32_t partition; /**< -1: by key (murmur2, as Kafka's clients); without a key, sticky round robin */
    const void *key;   /**< NULL: no key */
    size_t key_size;
    const void *value; /**< NULL: null value (use value_size 0 and a non-NULL pointer for an empty one) */
    size_t value_size;
    const struct lf_header *headers;
    size_t header_count;
    int64_t timestamp_ms; /**< Unix time; 0: now */
};

/** What became of one message. */
struct lf_delivery {
    enum lf_status status;  /**< LF_OK, LF_DUPLICATE (ok), or why not; lf_status_action says done, not done or unknown */
    const char *error_text; /**< more words; never NULL */
    const char *topic;
    int32_t partition; /**< -1 when it was never chosen */
    int64_t offset;    /**< -1 unless LF_OK */
    void *context;     /**< as given to lf_publish */
};
/** Runs on the I/O thread, exactly once for each accepted message, per partition in order of publishing. Borrows all. */
typedef void lf_delivery_callback(const struct lf_delivery *delivery);

/** Hand over a message (copied). callback may be NULL. Waits up to timeout_ms while inflight_bytes_max is reached (on the
 *  I/O thread it does not wait). LF_OK: accepted, the callback will tell. Else not accepted, no callback: LF_FULL
 *  (bounded queue, retry), LF_TOO_LARGE, LF_INVALID, LF_CLOSED, LF_NO_MEMORY. */
LF_API enum lf_status lf_publish(lf_client *client, const struct lf_message *message, lf_delivery_callback *callback,
                                 void *context, uint32_t timeout_ms, struct lf_error *error);
/** Send what lingers and wait until everything published before this call has its outcome. LF_OK, or LF_TIMED_OUT. */
LF_API enum lf_status lf_flush(lf_client *client, uint32_t timeout_ms);

/* ---- Subscribing ------------------------------------------------------------------------------------------------ */

enum lf_start {
    LF_START_EARLIEST,  /**< the log start */
    LF_START_LATEST,    /**< the end at this moment: only what is published from now on */
    LF_START_OFFSET,    /**< `value` */
    LF_START_TAIL,      /**< `value` records before the end */
    LF_START_TIMESTAMP, /**< the first record at or after Unix time `value` in ms */
};

struct lf_subscribe_options {
    size_t size; /**< set by lf_subscribe_options_init */
    const char *topic;
    int32_t partition; /**< -1: all of the topic's */
    enum lf_start start;
    int64_t value;
    bool reset_to_log_start; /**< an offset below the log start begins there instead of failing */
    bool exit_at_end;        /**< end with LF_END at what was the end when the subscription began */
};
LF_API void lf_subscribe_options_init(struct lf_subscribe_options *options);

/** Begin to read. LF_OK: *subscription is yours until lf_unsubscribe. Errors that need a broker (no such topic) come from
 *  lf_poll. LF_INVALID, LF_NO_MEMORY, LF_CLOSED. */
LF_API enum lf_status lf_subscribe(lf_client *client, const struct lf_subscribe_options *options,
                                   lf_subscription **subscription, struct lf_error *error);

struct lf_record_view {
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    const void *key; /**< NULL: none */
    size_t key_size;
    const void *value; /**< NULL: null */
    size_t value_size;
    const struct lf_header_view *headers;
    size_t header_count;
};
struct lf_header_view {
    const char *key; /**< not NUL-terminated */
    size_t key_size;
    const void *value; /**< NULL: null */
    size_t value_size;
};

/** Records of one partition, consecutive. */
struct lf_records {
    const struct lf_record_view *records;
    size_t count;
};

/** Wait up to timeout_ms for records. LF_OK: *records is valid until the next lf_poll or lf_unsubscribe of this
 *  subscription. LF_AGAIN: none came in time. LF_END: exit_at_end and all partitions reached it. Anything else: the
 *  subscription is over, `error` says why. One thread at a time per subscription. */
LF_API enum lf_status lf_poll(lf_subscription *subscription, uint32_t timeout_ms, struct lf_records *records,
                              struct lf_error *error);
/** A file descriptor that is readable when lf_poll would not wait; for poll(2). Never read from it yourself. */
LF_API int lf_subscription_fd(const lf_subscription *subscription);
/** Ends it; leaves NULL; NULL inside is fine. */
LF_API void lf_unsubscribe(lf_subscription **subscription);

/* ---- Topics and the cluster ------------------------------------------------------------------------------------- */

/** LF_OK, LF_TOPIC_EXISTS, LF_INVALID (name, counts; in words), LF_TIMED_OUT, LF_CONNECT. */
LF_API enum lf_status lf_topic_create(lf_client *client, const char *name, uint32_t partitions, uint32_t replicas,
                                      struct lf_error *error);
/** LF_OK, LF_TOPIC_UNKNOWN, LF_TIMED_OUT, LF_CONNECT. */
LF_API enum lf_status lf_topic_delete(lf_client *client, const char *name, struct lf_error *error);

struct lf_topic {
    char *name;
    uint64_t id;
    uint32_t partitions;
    uint32_t replicas;
};
/** Returns (lf_topics_free) an array of *count topics ordered by name. */
LF_API enum lf_status lf_topic_list(lf_client *client, struct lf_topic **topics, size_t *count,
                                    struct lf_error *error);
LF_API void lf_topics_free(struct lf_topic *topics, size_t count);

#define LF_REPLICAS_MAX 7
struct lf_partition {
    uint32_t partition;
    uint64_t leader_node; /**< 0: none known */
    int32_t leader_epoch;
    uint64_t replica_nodes[LF_REPLICAS_MAX];
    size_t replica_count;
    int64_t log_start_offset; /**< -1: not known */
    int64_t high_watermark;   /**< -1: not known */
};
/** Returns (free() the array) the topic's partitions. LF_TOPIC_UNKNOWN. */
LF_API enum lf_status lf_topic_describe(lf_client *client, const char *name, struct lf_topic *topic,
                                        struct lf_partition **partitions, struct lf_error *error);
/** The end (first offset not yet written), by a read that sees every record acknowledged before the call. */
LF_API enum lf_status lf_partition_end(lf_client *client, const char *topic, int32_t partition, int64_t *end_offset,
                                       struct lf_error *error);

struct lf_node {
    uint64_t id;
    char host[256];
    uint32_t client_port;
    bool reachable;
    uint32_t groups_held;
};
struct lf_cluster {
    char name[128];
    uint8_t id[16];
    uint64_t controller_node; /**< 0: none known */
    uint64_t answering_node;
    uint32_t topics;
    uint32_t partitions;
    uint32_t partitions_without_leader;
    struct lf_node *nodes;
    size_t node_count;
};
/** Fills *cluster; lf_cluster_free frees what is inside. */
LF_API enum lf_status lf_cluster_status(lf_client *client, struct lf_cluster *cluster, struct lf_error *error);
LF_API void lf_cluster_free(struct lf_cluster *cluster);

#ifdef __cplusplus
}
#endif
#endif
