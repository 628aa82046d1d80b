/** The Logflume client library.
 *
 *  A client publishes records to partitioned topics and reads committed ones back. It owns one I/O thread and its own
 *  ZeroMQ context; it has no global state, never aborts its host, and any number of clients may live in one process.
 *
 *  Threads: every function may be called from any thread unless it says otherwise, but not while or after
 *  lf_client_close runs on the same client. Callbacks run on the I/O thread: be short, and call nothing of this library
 *  there except lf_publish and the lf_status_* functions. After fork() only exec() is safe in the child.
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
    size_t size;                     /**< set by init: lets old programs meet new libraries */
    const char *brokers;             /**< "host:port,host:port"; any of the cluster's; NULL: 127.0.0.1:7700 */
    const char *name;                /**< for the broker's log, at most 128 bytes; NULL: none */
    enum lf_compression compression; /**< of published batches [none] */
    uint32_t linger_ms;              /**< wait for more records before sending a batch that is not full [5] */
    uint32_t batch_bytes;            /**< send a batch when it reaches this, in bytes [16384] */
    uint64_t inflight_bytes_max; /**< records accepted and not yet answered, in bytes; then lf_publish waits [32 MiB] */
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
/** Stops: waits up to timeout_ms for published records to get their outcome, then ends the rest as LF_UNKNOWN_OUTCOME
 *  or LF_CANCELLED, each through its callback; ends subscriptions; joins the thread. Leaves *client NULL; NULL inside
 *  is fine. Takes at most timeout_ms plus a second. Not from a callback. */
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
    enum lf_status status; /**< LF_OK, LF_DUPLICATE (ok), or why not; lf_status_action says done, not done or unknown */
    const char *error_text; /**< more words; never NULL */
    const char *topic;
    int32_t partition; /**< -1 when it was never chosen */
    int64_t offset;    /**< -1 unless LF_OK */
    void *context;     /**< as given to lf_publish */
};
/** Runs on the I/O thread, exactly once for each accepted message, per partition in order of publishing. Borrows all.
 */
typedef void lf_delivery_callback(const struct lf_delivery *delivery);

/** Hand over a message (copied). callback may be NULL. Waits up to timeout_ms while inflight_bytes_max is reached (on
 *  the I/O thread it does not wait). LF_OK: accepted, the callback will tell. Else not accepted, no callback: LF_FULL
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
    /** What to do when the position is below the log start, because retention or a trim has dropped what was there: at
     *  the beginning, or later when a slow reader is overtaken. false: lf_poll ends with LF_OFFSET_BELOW_START, and
     *  lf_subscription_resume tells the first offset that exists. true: go on there; lf_poll tells what was missed.
     *  The same with LF_HISTORY_DIVERGED, when the position lies in a history that was lost with a majority of the
     *  brokers (an operator went on with what one of them had): from the offset told on, there are other records. */
    bool reset_to_log_start;
    bool exit_at_end; /**< end with LF_END at what was the end when the subscription began */
};
LF_API void lf_subscribe_options_init(struct lf_subscribe_options *options);

/** Begin to read. LF_OK: *subscription is yours until lf_unsubscribe. Errors that need a broker (no such topic) come
 * from lf_poll. LF_INVALID, LF_NO_MEMORY, LF_CLOSED. */
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

/** Records of one partition, in order. Offsets are missing where key compaction took records. */
struct lf_records {
    const struct lf_record_view *records;
    size_t count;
    /** missed_from < missed_to: this reader (with reset_to_log_start) was too late for these offsets of
     *  missed_partition, which were dropped, and goes on at missed_to. Then there are no records beside it. */
    int64_t missed_from, missed_to;
    int32_t missed_partition;
    /** This reader (with reset_to_log_start) stood at missed_from, in a history that is lost, and goes on at missed_to,
     *  which may also be before. What it has read of records from the lower of both on may exist no more. */
    bool diverged;
};

/** Wait up to timeout_ms for records. LF_OK: *records is valid until the next lf_poll or lf_unsubscribe of this
 *  subscription. LF_AGAIN: none came in time. LF_END: exit_at_end and all partitions reached it. Anything else: the
 *  subscription is over, `error` says why. One thread at a time per subscription. */
LF_API enum lf_status lf_poll(lf_subscription *subscription, uint32_t timeout_ms, struct lf_records *records,
                              struct lf_error *error);
/** After lf_poll returned LF_OFFSET_BELOW_START or LF_HISTORY_DIVERGED: true, with the partition it is about and the
 *  offset to go on at. false, and nothing filled in, in any other case. */
LF_API bool lf_subscription_resume(const lf_subscription *subscription, int32_t *partition, int64_t *offset);
/** A file descriptor that is readable when lf_poll would not wait; for poll(2). Never read from it yourself. */
LF_API int lf_subscription_fd(const lf_subscription *subscription);
/** Ends it; leaves NULL; NULL inside is fine. */
LF_API void lf_unsubscribe(lf_subscription **subscription);

/* ---- Topics and the cluster ------------------------------------------------------------------------------------- */

/** LF_OK, LF_TOPIC_EXISTS, LF_INVALID (name, counts; in words), LF_TIMED_OUT, LF_CONNECT. */
LF_API enum lf_status lf_topic_create(lf_client *client, const char *name, uint32_t partitions, uint32_t replicas,
                                      struct lf_error *error);
/** A setting of a topic, of those that lf_topic_settings lists. */
struct lf_setting {
    const char *name;
    const char *value; /**< a whole number, which a unit may follow (KiB MiB GiB TiB; s min h d; without one bytes or
                          ms), "unlimited", or words; NULL, for lf_topic_alter: its default again */
};
/** The same with settings; those not named have their defaults. Also LF_INVALID for a name or value, in words. */
LF_API enum lf_status lf_topic_create_with(lf_client *client, const char *name, uint32_t partitions, uint32_t replicas,
                                           const struct lf_setting *settings, size_t count, struct lf_error *error);
/** Changes these settings of the topic, all of them or none. LF_OK: committed; brokers act on it from then on. After a
 *  doubt (LF_TIMED_OUT, LF_UNKNOWN_OUTCOME) it may be called again. LF_INVALID (name or value, in words),
 *  LF_TOPIC_UNKNOWN, LF_TOPIC_DELETED, LF_TOPIC_RECREATED (both: while we asked), LF_CONNECT. */
LF_API enum lf_status lf_topic_alter(lf_client *client, const char *name, const struct lf_setting *settings,
                                     size_t count, struct lf_error *error);
struct lf_setting_info {
    const char *name;
    const char *value;        /**< without a unit: bytes, milliseconds (-1: no limit), words */
    const char *text;         /**< the same for people: "16 MiB" */
    bool is_set;              /**< else it is the default */
    const char *default_text; /**< for people */
    const char *range;        /**< what may be set, in words */
    const char *help;         /**< what it does, in a sentence or two */
};
/** Returns (free() the array; that frees all of it) all settings of the topic, in the broker's order; name NULL: those
 *  that a topic can have, with their defaults. LF_TOPIC_UNKNOWN, LF_TIMED_OUT, LF_CONNECT. */
LF_API enum lf_status lf_topic_settings(lf_client *client, const char *name, struct lf_setting_info **settings,
                                        size_t *count, struct lf_error *error);
/** The topic that has the name when this is called, and no other that may get it later, whatever is repeated. LF_OK,
 *  LF_TOPIC_UNKNOWN, LF_TOPIC_DELETED, LF_TOPIC_RECREATED (both: by somebody else, while we asked), LF_TIMED_OUT,
 *  LF_CONNECT. */
LF_API enum lf_status lf_topic_delete(lf_client *client, const char *name, struct lf_error *error);

struct lf_topic {
    char *name;
    uint64_t id;
    uint32_t partitions;
    uint32_t replicas;
};
/** Returns (lf_topics_free) an array of *count topics ordered by name. */
LF_API enum lf_status lf_topic_list(lf_client *client, struct lf_topic **topics, size_t *count, struct lf_error *error);
LF_API void lf_topics_free(struct lf_topic *topics, size_t count);

/** A replica's part in its group. */
enum lf_replica_kind {
    LF_REPLICA_VOTER = 0,
    LF_REPLICA_LEARNER = 1, /**< being filled, counts for nothing yet */
    LF_REPLICA_LEAVING = 2, /**< a voter of the old set while the group changes over to the new one */
};
/** A member of a partition's group as its leader sees it. */
struct lf_member {
    uint64_t node;
    uint64_t replica_id;
    enum lf_replica_kind kind;
    bool active;          /**< heard of lately */
    bool damaged;         /**< lost what it had acknowledged; counts for nothing */
    uint64_t match_index; /**< it has the leader's log, durably, up to this entry */
    uint64_t last_index;  /**< the leader's last entry */
};

#define LF_REPLICAS_MAX 7
struct lf_partition {
    uint32_t partition;
    uint64_t leader_node; /**< 0: none known */
    int32_t leader_epoch;
    uint64_t replica_nodes[LF_REPLICAS_MAX];
    size_t replica_count;
    int64_t log_start_offset; /**< -1: not known */
    int64_t high_watermark;   /**< -1: not known */
    uint64_t group;
    uint64_t assignment_epoch;              /**< of replica_nodes */
    uint64_t wanted_epoch;                  /**< above assignment_epoch: a move is under way */
    uint64_t wanted_nodes[LF_REPLICAS_MAX]; /**< the first is the preferred leader */
    size_t wanted_count;
    const struct lf_member *members; /**< inside the array's memory; none when the leader did not answer */
    size_t member_count;
};
/** Returns (free() the array; that frees all of it) the topic's partitions, as each one's leader knows them where it
 *  answers. topic->name is yours to free(). LF_TOPIC_UNKNOWN. */
LF_API enum lf_status lf_topic_describe(lf_client *client, const char *name, struct lf_topic *topic,
                                        struct lf_partition **partitions, struct lf_error *error);
/** The end (first offset not yet written), by a read that sees every record acknowledged before the call. */
LF_API enum lf_status lf_partition_end(lf_client *client, const char *topic, int32_t partition, int64_t *end_offset,
                                       struct lf_error *error);

/** The first offset of the first batch that reaches Unix time timestamp_ms; the end when none does. As for
 *  LF_START_TIMESTAMP, a batch reaches what the largest timestamp in it, or in any before it, reaches (a timestamp
 * counts as at most an hour after the broker's log time): so no record before the offset is as young. */
LF_API enum lf_status lf_partition_offset_at(lf_client *client, const char *topic, int32_t partition,
                                             int64_t timestamp_ms, int64_t *offset, struct lf_error *error);

struct lf_trim {
    int64_t old_log_start;
    int64_t log_start; /**< after it, or as it would be */
    int64_t high_watermark;
    uint32_t segments; /**< sealed segments that go: their space is given back behind it */
    uint64_t bytes;    /**< of these */
};
/** The partition's log is to begin with before_offset: what is below is gone for readers at once, for ever; its space
 * is given back where whole segments are below. dry_run: changes nothing, only tells. LF_OK with *trim (may be NULL):
 *  done, also when the log begins there or later already. LF_INVALID: beyond what is committed (in words).
 *  LF_TOPIC_UNKNOWN, LF_PARTITION_UNKNOWN, LF_TOPIC_DELETED, LF_TOPIC_RECREATED (both: while we asked), LF_TIMED_OUT,
 *  LF_CONNECT. May be called again after a doubt. */
LF_API enum lf_status lf_partition_trim(lf_client *client, const char *topic, int32_t partition, int64_t before_offset,
                                        bool dry_run, struct lf_trim *trim, struct lf_error *error);

/** A sealed run of a partition's log, the unit in which it is dropped, compacted and repaired; equal on all replicas.
 */
struct lf_segment {
    uint64_t first_index; /**< of the log's entries, both inclusive */
    uint64_t last_index;
    uint64_t last_term;
    int64_t base_offset; /**< before it */
    int64_t end_offset;  /**< after it */
    uint64_t entries;    /**< that it holds: fewer than its indexes once it was rewritten */
    uint64_t bytes;
    uint64_t command_bytes;    /**< those among them that are no records */
    int64_t first_log_time_ms; /**< when its first and last entry were written */
    int64_t last_log_time_ms;
    int64_t max_timestamp_ms; /**< largest of its records when it was sealed; -1: none */
    uint64_t checksum;        /**< of its entries; 0 for the open one */
    uint64_t rewrites;        /**< how often it was compacted, merged or freed of commands */
    bool open;                /**< the last one: not sealed yet */
};
struct lf_segments {
    uint64_t node;     /**< that answered */
    int64_t log_start; /**< may stand inside the first segment */
    int64_t high_watermark;
    struct lf_segment *segments; /**< oldest first */
    size_t count;
};
/** Fills in what the replica on `node` holds (0: the leader's); lf_segments_free frees what is inside. LF_NOT_FOUND:
 * that node holds none. LF_TOPIC_UNKNOWN, LF_PARTITION_UNKNOWN, LF_TIMED_OUT, LF_CONNECT. */
LF_API enum lf_status lf_partition_segments(lf_client *client, const char *topic, int32_t partition, uint64_t node,
                                            struct lf_segments *segments, struct lf_error *error);
LF_API void lf_segments_free(struct lf_segments *segments);

enum lf_node_state {
    LF_NODE_ACTIVE = 0,
    LF_NODE_JOINING = 1,  /**< added; not seen yet */
    LF_NODE_DRAINING = 2, /**< leaders and replicas move away, nothing new is placed on it */
    LF_NODE_DRAINED = 3,  /**< draining, and nothing is left on it: safe to stop and to remove */
};
struct lf_node {
    uint64_t id;
    char host[256];
    uint32_t client_port;
    bool reachable;       /**< from the answering node */
    uint32_t groups_held; /**< as assigned */
    uint32_t groups_led;  /**< of the answering node only, else 0 */
    enum lf_node_state state;
    enum lf_replica_kind metadata_kind; /**< its part in the cluster's metadata */
    uint32_t moves_left;                /**< partitions with a move under way that touches it */
};
struct lf_cluster {
    char name[128];
    uint8_t id[16];
    uint64_t controller_node; /**< 0: none known */
    uint64_t controller_term;
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

/* Changes of the cluster. LF_OK: committed. They may be called again after a doubt (LF_TIMED_OUT, LF_UNKNOWN_OUTCOME):
 * what is done already is LF_OK. Besides what is named, all of them can return LF_INVALID (in words), LF_TIMED_OUT,
 * LF_CONNECT. */

/** A node joins: first this, then it is started with --join. LF_EXISTS: it is there with another
 *  address. */
LF_API enum lf_status lf_cluster_add_node(lf_client *client, uint64_t node, const char *host, uint32_t client_port,
                                          uint32_t peer_port, struct lf_error *error);
/** A drained node leaves; what is in its data directory counts for nothing from then on. LF_OK: it is not needed any
 *  more, and may be stopped. Refused in words while it holds anything, or when nobody would be left to hold the
 * cluster's metadata. LF_NOT_FOUND: there never was one. */
LF_API enum lf_status lf_cluster_remove_node(lf_client *client, uint64_t node, struct lf_error *error);
/** Leaders and replicas are to move away from the node; lf_cluster_status shows how far it is. `stop`: no more, place
 *  things on it again. LF_NOT_FOUND. */
LF_API enum lf_status lf_cluster_drain_node(lf_client *client, uint64_t node, bool stop, struct lf_error *error);
/** The partition's replicas are to be these nodes (1 to LF_REPLICAS_MAX), led by the first if possible. It is done when
 *  lf_topic_describe shows assignment_epoch at or above *epoch (may be NULL). LF_TOPIC_UNKNOWN, LF_PARTITION_UNKNOWN.
 */
LF_API enum lf_status lf_partition_move(lf_client *client, const char *topic, int32_t partition, const uint64_t *nodes,
                                        size_t node_count, uint64_t *epoch, struct lf_error *error);
/** Another replica leads the partition (topic NULL: the cluster's metadata). to_node 0: the one that has the most.
 *  LF_OK: *leader_node (may be NULL) leads. LF_TOPIC_UNKNOWN, LF_PARTITION_UNKNOWN. */
LF_API enum lf_status lf_leader_transfer(lf_client *client, const char *topic, int32_t partition, uint64_t to_node,
                                         uint64_t *leader_node, struct lf_error *error);

enum lf_problem_kind {
    LF_PROBLEM_NO_LEADER = 0,
    LF_PROBLEM_REPLICA_SILENT = 1, /**< a voter that its leader does not hear */
    LF_PROBLEM_REPLICA_BEHIND = 2,
    LF_PROBLEM_REPLICA_DAMAGED = 3,
    LF_PROBLEM_MOVING = 4,              /**< not bad in itself */
    LF_PROBLEM_WOULD_LOSE_MAJORITY = 5, /**< if without_node stopped */
    LF_PROBLEM_GROUP_STOPPED = 6,       /**< a replica met something wrong and takes part in nothing */
    LF_PROBLEM_NODE_SILENT = 100,       /**< a broker did not answer this client */
    LF_PROBLEM_NOT_JUDGED = 101,        /**< nobody who answered leads these groups */
    LF_PROBLEM_DISK_FULL = 102,         /**< a broker's disk has too little room: it takes no publishes, or no data */
};
struct lf_problem {
    enum lf_problem_kind kind;
    bool harmless;         /**< for information: the cluster is healthy all the same */
    const char *topic;     /**< NULL: the cluster's metadata, or no group's problem in particular */
    uint32_t partition;    /**< of topic */
    uint64_t group;        /**< 0: the cluster's metadata, or no group's problem in particular */
    const uint64_t *nodes; /**< whom it is about */
    size_t node_count;
    const char *text; /**< one sentence */
};
/** What every broker that answers said, put together. */
struct lf_health {
    bool healthy;    /**< every group was judged, and no problem is worse than harmless */
    bool can_stop;   /**< without_node was given, every group was judged, and none would lose its majority */
    uint32_t groups; /**< partitions and the cluster's metadata */
    uint32_t groups_judged;
    uint32_t nodes;
    uint32_t nodes_answered;
    const struct lf_problem *problems; /**< each once */
    size_t problem_count;
    uint32_t problems_left_out; /**< beyond what brokers list (1000 each) */
};
/** Asks every broker what is wrong with its groups, and what would be if without_node (0: nobody) stopped now. LF_OK:
 *  *health is yours (lf_health_free). LF_NOT_FOUND: no such node to be without. */
LF_API enum lf_status lf_cluster_check(lf_client *client, uint64_t without_node, struct lf_health **health,
                                       struct lf_error *error);
/** NULL is fine. */
LF_API void lf_health_free(struct lf_health *health);

enum lf_backup_action { LF_BACKUP_LIST = 0, LF_BACKUP_CREATE = 1, LF_BACKUP_DELETE = 2 };
struct lf_backup {
    char name[65];
    int64_t made_ms; /**< Unix time */
    uint64_t files;  /**< 0: what it holds cannot be read */
    uint64_t bytes;  /**< of all its files; most are shared with the store and with other backups */
};
/** What one broker said. */
struct lf_node_backups {
    uint64_t node;
    enum lf_status status;     /**< LF_CONNECT, LF_TIMED_OUT; LF_EXISTS, LF_NOT_FOUND, LF_INVALID: refused, in words */
    char text[256];            /**< words when status is not LF_OK */
    struct lf_backup *backups; /**< LIST: all, by name; CREATE: the new one */
    size_t count;
};
/** Every broker makes (or lists, or deletes) a backup of its store on its own disk; to create one, the leader of the
 *  cluster's metadata does it after all the others, so that its copy knows all that is in theirs. LF_OK when the
 * brokers were asked: *nodes (yours: lf_node_backups_free) tells what each of them said. name: NULL to list. The
 * client's request timeout bounds how long each may take. */
LF_API enum lf_status lf_cluster_backup(lf_client *client, enum lf_backup_action action, const char *name,
                                        struct lf_node_backups **nodes, size_t *count, struct lf_error *error);
LF_API void lf_node_backups_free(struct lf_node_backups *nodes, size_t count);

#ifdef __cplusplus
}
#endif
#endif
