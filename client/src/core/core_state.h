/** What the files of the client core share: its state, and one function or two of each file. Not for others.
 *
 *  Who owns what: core owns brokers, topics, readers and calls; a topic owns its publishers; a publisher its batches; a
 *  broker the requests that wait for its answers. A request borrows its owner (batch, reader, call); whoever ends first
 *  cuts the tie (lf_request_cancel).
 */
#ifndef LF_CORE_STATE_H
#define LF_CORE_STATE_H

#include "client.pb-c.h"
#include "lf_core.h"
#include "lf_map.h"
#include "lf_record_batch.h"
#include "lf_timers.h"

#define LF_PROTOCOL_VERSION 1
#define LF_PORT_DEFAULT 7700
#define LF_HOST_BYTES 256

/* The bounds of everything that grows (C6), besides the bytes in lf_client_options. */
#define LF_CORE_BROKERS_MAX 128
#define LF_CORE_TOPICS_MAX 10000
#define LF_CORE_PARTITIONS_MAX 100000 /* per topic, believed from a broker */
#define LF_CORE_SUBSCRIPTIONS_MAX 1000
#define LF_CORE_CALLS_MAX 1000
#define LF_CORE_BUILDERS_KEPT 8
#define LF_CORE_HEADERS_MAX 64
#define LF_CORE_INFLIGHT_BATCHES 5            /* the broker's table keeps as many per producer */
#define LF_CORE_BATCH_GROW_BYTES (256 * 1024) /* how far a batch fills while the window is full */
#define LF_CORE_MESSAGE_OVERHEAD 32           /* counted per message besides its bytes */
#define LF_CORE_VALUE_BYTES_MAX (1024 * 1024)
#define LF_CORE_KEY_BYTES_MAX (64 * 1024)
#define LF_CORE_TOPIC_NAME_MAX 249

/* Times, in ms. */
#define LF_CORE_BACKOFF_MIN 20
#define LF_CORE_BACKOFF_MAX 1000
#define LF_CORE_LEADER_SEARCH_MAX 100 /* longest pause between tries while a partition looks for its leader */
#define LF_CORE_LEADER_SEARCH_TRIES 30
#define LF_CORE_METADATA_INTERVAL 40
#define LF_CORE_HELLO_SLOW 300   /* no answer to hello for this long: try another broker beside it */
#define LF_CORE_HELLO_MAX 3000   /* ... and for this long: gone */
#define LF_CORE_PROBE_AFTER 2000 /* a broker that readers live on, not heard of for this long, is pinged */
/* So is one with a request this old; no answer to the ping for this long: suspect. */
#define LF_CORE_SUSPECT_AFTER 500
#define LF_CORE_ANSWER_OVERDUE 300     /* of a batch at a broker that does not lead any more: do not wait for it */
#define LF_CORE_METADATA_REFRESH 30000 /* brokers come and go: ask who is there at least this often */
#define LF_CORE_LOOK_INTERVAL 250      /* how often outstanding requests are looked over */
#define LF_CORE_READER_STALLED 3000    /* more is there, none comes */
#define LF_CORE_MEMORY_RETRY 100

struct lf_broker;
struct lf_topic_state;
struct lf_publisher;
struct lf_reader;

/* ---- requests and brokers ---------------------------------------------------------------------------------------- */

enum lf_request_kind {
    LF_REQUEST_HELLO,
    LF_REQUEST_PING,
    LF_REQUEST_METADATA,
    LF_REQUEST_INIT_PRODUCER,
    LF_REQUEST_PUBLISH,   /* owner: struct lf_batch */
    LF_REQUEST_RAISE,     /* owner: struct lf_publisher */
    LF_REQUEST_END,       /* owner: struct lf_reader; where exit_at_end ends */
    LF_REQUEST_SUBSCRIBE, /* owner: struct lf_reader */
    LF_REQUEST_CALL,      /* owner: struct lf_call */
};
struct lf_request {
    uint64_t id;
    enum lf_request_kind kind;
    struct lf_broker *broker;
    void *owner;
    uint64_t sent_ms;
    struct lf_request *next, *previous; /* of the same broker, oldest first */
};

enum lf_link { LF_LINK_NONE, LF_LINK_HELLO, LF_LINK_READY };

/** A broker's address and the one connection to it. */
struct lf_broker {
    char host[LF_HOST_BYTES];
    uint32_t port;
    uint64_t node_id; /* 0: not known yet */
    bool configured;  /* from the options: its address is never changed */
    bool wanted;      /* somebody waits for it */
    bool refused;     /* wrong cluster or version: not used again for a while */
    bool retired;     /* the controller does not list it (any more): a last resort */
    enum lf_link link;
    uint64_t connection; /* number of this connection; 0 without */
    uint64_t opened_ms, heard_ms, sent_ms, pinged_ms;
    uint64_t retry_at_ms;
    uint64_t tried;    /* when it was last tried, as a counter: the least recent goes first */
    uint32_t failures; /* in a row; 0 once ready */
    uint32_t session_timeout_ms;
    uint32_t batch_bytes_max;
    uint32_t records_max;
    uint32_t inflight_batches;
    uint64_t credit_total, credit_used;
    bool credit_short; /* something waits for credit */
    uint32_t readers;  /* subscriptions that live here */
    struct lf_request *first, *last;
    struct lf_request *ping;
    struct lf_timer timer;
};

/* ---- topics ------------------------------------------------------------------------------------------------------ */

struct lf_partition_state {
    uint64_t leader_node; /* 0: not known */
    int32_t leader_epoch; /* -1: never heard of one */
    uint64_t replica_nodes[LF_REPLICAS_MAX];
    size_t replica_count;
    uint32_t probe;                 /* which replica to ask next while no leader is known */
    struct lf_publisher *publisher; /* NULL until something is published */
};

/** A message that waits for its topic's metadata: one allocation, everything copied behind it. */
struct lf_waiting {
    struct lf_waiting *next;
    struct lf_message message;
    lf_delivery_callback *callback;
    void *context;
    uint64_t number; /* of acceptance */
    uint64_t deadline_ms;
    uint64_t bytes;
};

enum lf_topic_known { LF_TOPIC_NOT_KNOWN, LF_TOPIC_KNOWN };
struct lf_topic_state {
    struct lf_topic_state *next_in_bucket;
    char *name;
    uint64_t id; /* 0: not known */
    enum lf_topic_known known;
    bool wanted;             /* part of the next metadata request */
    bool asked;              /* part of the one under way */
    uint32_t absent_answers; /* brokers that said "unknown" in a row */
    bool confirm;            /* the next question goes to the controller */
    struct lf_partition_state *partitions;
    uint32_t partition_count;
    uint32_t sticky; /* where messages without key go, until the batch is closed */
    struct lf_waiting *waiting_first, *waiting_last;
    struct lf_timer timer;
};

/* ---- publishing -------------------------------------------------------------------------------------------------- */

struct lf_batch_record {
    lf_delivery_callback *callback;
    void *context;
};
struct lf_batch {
    struct lf_batch *next;
    struct lf_publisher *publisher;
    struct lf_buf *bytes; /* NULL while open */
    struct lf_batch_record *records;
    uint32_t count, capacity;
    uint64_t number; /* of acceptance of the first record */
    uint64_t opened_ms, deadline_ms;
    uint64_t message_bytes;
    bool flush; /* do not linger */
    /* Its number at the broker, and what is known of its fate. */
    bool numbered;
    int64_t producer_id;
    int16_t epoch;
    int32_t sequence;
    struct lf_request *request; /* sent, unanswered */
    bool maybe;                 /* an attempt went without a definite answer: it may be in the log */
    bool held;                  /* refused, and so for certain again while an earlier one is unanswered */
    bool done;                  /* its outcome is known and waits for those before it */
    enum lf_status status;
    enum lf_status refused; /* the last definite refusal */
    int64_t base_offset;
    char *text; /* NULL: the status's own text */
};
struct lf_publisher {
    struct lf_topic_state *topic;
    uint32_t partition;
    struct lf_batch *first, *last; /* closed ones, in order of acceptance */
    uint32_t batch_count;
    struct lf_batch *open;
    struct lf_batch_builder *builder; /* of the open one */
    int64_t producer_id;              /* -1: none yet */
    int16_t epoch;
    int32_t next_sequence;
    bool renew; /* needs a new producer id */
    bool raise; /* needs a higher epoch before anything more is sent */
    int16_t raise_epoch;
    struct lf_request *raising;
    uint64_t retry_at_ms;
    uint32_t tries; /* in a row without success */
    uint32_t redirects;
    bool active, dirty;
    struct lf_publisher *active_next, *active_previous;
    struct lf_publisher *dirty_next;
    struct lf_timer timer;
};

/* ---- subscribing ------------------------------------------------------------------------------------------------- */

enum lf_reader_state {
    LF_READER_SEEKING_END, /* exit_at_end: where does it end? */
    LF_READER_IDLE,        /* to be subscribed */
    LF_READER_SUBSCRIBING,
    LF_READER_STREAMING,
    LF_READER_ENDED,
};
/** One partition of a subscription. */
struct lf_reader {
    struct lf_subscription_state *subscription;
    uint32_t partition;
    enum lf_reader_state state;
    uint64_t wire_id;         /* of the subscription at the broker; a new one each time */
    struct lf_broker *broker; /* where wire_id lives; NULL: nowhere */
    struct lf_request *request;
    bool established; /* a broker accepted it once: from then on `next` is the position */
    int64_t next;     /* offset expected next */
    int32_t leader_epoch;
    int64_t end;            /* exit_at_end; -1: not known yet */
    int64_t high_watermark; /* as last told; -1 */
    uint64_t unconsumed;    /* bytes delivered, not yet taken */
    uint64_t wire_received, wire_credit;
    uint64_t heard_ms; /* last delivery or subscribe */
    uint64_t retry_at_ms;
    uint32_t tries;
    uint32_t choice; /* which replica next: 0 is the leader */
    uint32_t damage; /* bad batches in a row at this position */
    int64_t resume;  /* with LF_OFFSET_BELOW_START, LF_HISTORY_DIVERGED: where it may go on; -1: not told */
    bool final;      /* no use trying again: last_status ends the subscription */
    enum lf_status last_status;
    char last_text[LF_ERROR_TEXT_BYTES];
    struct lf_timer timer;
};
struct lf_delivered_piece {
    uint32_t reader;
    uint64_t bytes;
};
struct lf_subscription_state {
    struct lf_subscription_state *next;
    uint64_t id;
    struct lf_topic_state *topic;
    uint64_t topic_id; /* the topic it began with */
    struct lf_subscribe_options options;
    uint64_t started_ms;
    struct lf_reader *readers; /* NULL until the topic's partitions are known */
    uint32_t reader_count, ended_count;
    uint64_t window;                   /* bytes, per reader */
    struct lf_delivered_piece *pieces; /* delivered and not yet taken, oldest first: a ring */
    size_t piece_first, piece_count, piece_capacity;
    struct lf_timer timer; /* until the readers exist */
};

/* ---- calls ------------------------------------------------------------------------------------------------------- */

enum lf_call_stage {
    LF_CALL_RESOLVING, /* which topic has the name now? which replica has the node? */
    LF_CALL_ASKING,
    LF_CALL_CHECKING, /* is the existing topic ours? */
    LF_CALL_GATHERING,
};
struct lf_call {
    struct lf_call *next;
    struct lf_core_call call; /* its pointers lead to the copies below */
    char *topic;              /* "": none */
    char host[LF_HOST_BYTES];
    uint64_t nodes[LF_REPLICAS_MAX];
    struct lf_setting *settings; /* with their texts, one block */
    uint64_t topic_id;           /* once resolved */
    uint64_t replica_id;         /* the same, of a node to be removed */
    enum lf_call_stage stage;
    uint64_t started_ms, deadline_ms, retry_at_ms;
    uint32_t tries, redirects;
    struct lf_broker *target; /* where the last answer sent us */
    struct lf_request *request;
    bool maybe;     /* an attempt went without an answer */
    bool confirmed; /* "no such topic" was asked of the controller too */
    enum lf_status last_status;
    char last_text[LF_ERROR_TEXT_BYTES];
    Lf__ClientReply *reply; /* describe: gathered so far */
    uint64_t *ask_nodes;    /* describe: leaders still to ask */
    size_t ask_count, ask_next;
    struct lf_timer timer;
};

/* ---- the core ---------------------------------------------------------------------------------------------------- */

#define LF_CORE_BUCKETS 256

struct lf_core {
    struct lf_client_options options;
    char *client_name;
    uint64_t random;
    uint64_t now_ms;
    int64_t wall_ms;
    struct lf_core_effects *effects; /* of the step under way */
    struct lf_timers timers;
    bool closed;

    uint8_t cluster_id[16];
    bool cluster_known;
    uint64_t controller_node;
    struct lf_broker *brokers[LF_CORE_BROKERS_MAX];
    size_t broker_count;
    size_t broker_turn;
    uint64_t tries;       /* connection attempts so far */
    uint64_t linkless_ms; /* since when no connection is ready; meaningless while one is */
    size_t ready_count;
    uint32_t batch_bytes_limit; /* smallest any broker named; 0: none yet */
    struct lf_error connect_error;
    uint64_t last_connection, last_request, last_wire_id;

    struct lf_topic_state *buckets[LF_CORE_BUCKETS];
    size_t topic_count;
    struct lf_topic_state *last_topic; /* found last: most messages go where the one before went */
    struct lf_request *metadata_request;
    bool metadata_wanted;
    uint64_t metadata_at_ms;
    uint64_t metadata_heard_ms;
    uint32_t metadata_tries;

    int64_t producer_id; /* for partitions that have none; -1: none */
    int16_t producer_epoch;
    bool producer_wanted;
    struct lf_request *producer_request;
    struct lf_broker *producer_target;
    uint64_t producer_at_ms;
    uint32_t producer_tries;

    struct lf_publisher *active, *dirty;
    struct lf_batch_builder *builders[LF_CORE_BUILDERS_KEPT];
    size_t builder_count;
    uint64_t pending, pending_bytes;
    uint64_t accepted; /* messages so far: the number of the next */

    struct lf_subscription_state *subscriptions;
    size_t subscription_count;
    struct lf_map wires; /* wire id -> reader */
    struct lf_call *calls;
    size_t call_count;

    bool wake;             /* look at everything that waits: a link came or went, metadata came */
    struct lf_timer timer; /* metadata and producer id */

    void (*trace)(void *context, const char *line);
    void *trace_context;
};

/* core.c */
void lf_core_trace(struct lf_core *core, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint64_t lf_core_random(struct lf_core *core);
/** Jittered: between half of it and all of it, in ms. */
uint64_t lf_core_jitter(struct lf_core *core, uint64_t ms);
/** The pause after the n-th failure in a row, jittered, at most max. */
uint64_t lf_core_backoff(struct lf_core *core, uint32_t failures, uint64_t max);
/** Metadata and producer id are to be looked at no later than this. */
void lf_core_look_at(struct lf_core *core, uint64_t when_ms);

/* effects.c */
/** A new effect, zeroed, or NULL without memory. */
struct lf_core_effect *lf_effect_add(struct lf_core *core, enum lf_core_effect_type type);
/** Room for count more, so that lf_effect_add cannot fail for them. */
bool lf_effects_reserve(struct lf_core_effects *effects, size_t count);
/** One DELIVERED; takes `text` (may be NULL). Room was reserved. */
void lf_effect_delivered(struct lf_core *core, lf_delivery_callback *callback, void *context, const char *topic,
                         int32_t partition, enum lf_status status, int64_t offset, const char *text, char *owned);

/* brokers.c */
enum lf_status lf_brokers_parse(struct lf_core *core, const char *list, struct lf_error *error);
struct lf_broker *lf_broker_by_address(struct lf_core *core, const char *host, uint32_t port);
/** The one to use for the node: a ready one before others; NULL: none known. */
struct lf_broker *lf_broker_by_node(struct lf_core *core, uint64_t node_id);
/** Learn an address from a broker's answer; NULL when it makes no sense or there is no room. */
struct lf_broker *lf_broker_learn(struct lf_core *core, const Lf__Broker *said);
/** The controller listed these: who is new is learned, who is missing is let go once nothing is under way there. */
void lf_brokers_listed(struct lf_core *core, const struct lf_broker *said_by, Lf__Broker *const *said, size_t count);
void lf_brokers_free(struct lf_core *core);

/* connection.c */
bool lf_broker_ready(const struct lf_broker *broker);
/** Cannot be counted on now: could not be reached last time, or does not answer. */
bool lf_broker_failing(const struct lf_core *core, const struct lf_broker *broker);
/** We sent nothing for so long that the broker has forgotten the session. */
bool lf_broker_session_dead(const struct lf_core *core, const struct lf_broker *broker);
/** It is needed: connect now or when its pause is over. */
void lf_broker_want(struct lf_core *core, struct lf_broker *broker);
/** Any ready broker, in turn, preferably not a failing one; starts connecting where there is none. */
struct lf_broker *lf_broker_any(struct lf_core *core);
void lf_broker_drop(struct lf_core *core, struct lf_broker *broker, const char *why);
/** The client is being closed: says so to the broker, which frees the session at once, and goes. */
void lf_broker_leave(struct lf_core *core, struct lf_broker *broker);
void lf_broker_on_timer(struct lf_core *core, struct lf_broker *broker);
void lf_broker_on_hello(struct lf_core *core, struct lf_broker *broker, const Lf__ClientReply *reply);
void lf_connection_frames(struct lf_core *core, uint64_t connection, struct lf_frame *frames, size_t count);
void lf_connection_gone(struct lf_core *core, uint64_t connection);

/* requests.c */
/** Sends `message` (its id, version and cluster are filled in here) and waits for the answer. Takes nothing; `batch`
 *  may be NULL. NULL: no memory, or the session is dead and about to be dropped: try again soon. */
struct lf_request *lf_request_send(struct lf_core *core, struct lf_broker *broker, enum lf_request_kind kind,
                                   void *owner, Lf__ClientRequest *message, struct lf_buf *batch);
/** The same without an answer. */
void lf_notice_send(struct lf_core *core, struct lf_broker *broker, Lf__ClientRequest *message);
/** Forget it: its answer will be ignored. Leaves *request NULL; NULL inside is fine. */
void lf_request_cancel(struct lf_request **request);
struct lf_request *lf_request_find(struct lf_broker *broker, uint64_t id);
/** Give the answer, or NULL (connection gone, or no answer in time), to whoever asked; ends the request. The handler
 * may take the reply. */
void lf_request_resolve(struct lf_core *core, struct lf_request *request, Lf__ClientReply **reply);
/** How long an answer may take, in ms. */
uint64_t lf_request_patience(enum lf_request_kind kind);

/* metadata.c */
struct lf_topic_state *lf_topic_find(struct lf_core *core, const char *name);
/** Found or made; NULL with the status in *status (LF_FULL, LF_NO_MEMORY). */
struct lf_topic_state *lf_topic_get(struct lf_core *core, const char *name, enum lf_status *status);
bool lf_topic_name_ok(const char *name);
/** Ask for the topic (NULL: brokers and controller only) soon. */
void lf_metadata_want(struct lf_core *core, struct lf_topic_state *topic);
void lf_metadata_pump(struct lf_core *core);
void lf_metadata_on_reply(struct lf_core *core, struct lf_broker *broker, const Lf__ClientReply *reply);
/** A broker said "not leader", perhaps who is. */
void lf_metadata_not_leader(struct lf_core *core, struct lf_topic_state *topic, uint32_t partition,
                            const struct lf_broker *said_by, const Lf__Leader *leader);
/** Where to send what is for the partition's leader; NULL: nowhere yet. *certain: it is the known leader. */
struct lf_broker *lf_partition_target(struct lf_core *core, struct lf_topic_state *topic, uint32_t partition,
                                      bool *certain);
void lf_topic_states_free(struct lf_core *core);

/* accumulator.c */
enum lf_status lf_publish_accept(struct lf_core *core, const struct lf_core_event *event, struct lf_error *error);
/** The topic is known: give its waiting messages to their partitions. */
void lf_waiting_route(struct lf_core *core, struct lf_topic_state *topic);
/** End all waiting messages of the topic with this. */
void lf_waiting_fail(struct lf_core *core, struct lf_topic_state *topic, enum lf_status status, const char *text);
void lf_waiting_on_timer(struct lf_core *core, struct lf_topic_state *topic);
/** Encode the open batch and queue it. */
void lf_publisher_close_batch(struct lf_core *core, struct lf_publisher *publisher);

/* publisher.c */
struct lf_publisher *lf_publisher_get(struct lf_core *core, struct lf_topic_state *topic, uint32_t partition);
void lf_publisher_dirty(struct lf_core *core, struct lf_publisher *publisher);
void lf_publisher_pump(struct lf_core *core, struct lf_publisher *publisher);
void lf_publishers_pump(struct lf_core *core);
/** Its outcome is known; told in turn. `text` is copied, may be NULL. */
void lf_batch_done(struct lf_core *core, struct lf_batch *batch, enum lf_status status, int64_t base_offset,
                   const char *text);
/** No further attempt: *not done* with this status if that is certain, else unknown. */
void lf_batch_give_up(struct lf_core *core, struct lf_batch *batch, enum lf_status status, const char *text);
/** Takes its number away: a later send gives it a new one. */
void lf_batch_unnumber(struct lf_batch *batch);
void lf_publisher_fail_all(struct lf_core *core, struct lf_publisher *publisher, enum lf_status status,
                           const char *text);
/** Wait before trying again. */
void lf_publisher_back_off(struct lf_core *core, struct lf_publisher *publisher);
void lf_publisher_free(struct lf_core *core, struct lf_publisher *publisher);

/* publish_answer.c */
void lf_publish_on_reply(struct lf_core *core, struct lf_broker *broker, struct lf_batch *batch,
                         const Lf__ClientReply *reply);
/** "Not leader": ask the one it names at once, or search with pauses. */
void lf_publisher_redirected(struct lf_core *core, struct lf_broker *broker, struct lf_publisher *publisher,
                             const Lf__ClientReply *reply);

/* producer.c: identity and epochs */
void lf_producer_pump(struct lf_core *core);
void lf_producer_on_reply(struct lf_core *core, struct lf_broker *broker, const Lf__ClientReply *reply);
/** True when the publisher has an id; else one is on its way. */
bool lf_producer_identify(struct lf_core *core, struct lf_publisher *publisher);
/** Carry on with raise or renew; nothing may be sent before. */
void lf_producer_recover(struct lf_core *core, struct lf_publisher *publisher);
void lf_raise_on_reply(struct lf_core *core, struct lf_broker *broker, struct lf_publisher *publisher,
                       const Lf__ClientReply *reply);
/** base + count, wrapping from 2^31 - 1 to 0. */
int32_t lf_sequence_add(int32_t base, uint32_t count);

/* subscription.c, reader.c, deliver.c */
enum lf_status lf_subscription_start(struct lf_core *core, uint64_t id, const struct lf_subscribe_options *options,
                                     struct lf_error *error);
void lf_subscription_stop(struct lf_core *core, uint64_t id);
void lf_subscription_consumed(struct lf_core *core, uint64_t id, uint64_t bytes);
void lf_subscriptions_pump(struct lf_core *core);
/** All of it is over with this; the effect tells; frees it. */
void lf_subscription_end(struct lf_core *core, struct lf_subscription_state *subscription, enum lf_status status,
                         const char *text);
/** The topic does not exist, or is another one now. */
void lf_subscriptions_topic_gone(struct lf_core *core, struct lf_topic_state *topic, enum lf_status status);
void lf_subscriptions_free(struct lf_core *core);
/** What can be done now; whether the subscription is over is for the caller to see (state, final). */
void lf_reader_pump(struct lf_core *core, struct lf_reader *reader);
/** Remember the failure; the next pump tries elsewhere after a pause, or ends the subscription. */
void lf_reader_failed(struct lf_core *core, struct lf_reader *reader, enum lf_status status, const char *text);
/** A broker refused it or ended it; `resume` may be NULL. */
void lf_reader_refused(struct lf_core *core, struct lf_reader *reader, struct lf_broker *broker,
                       const Lf__ClientReply *reply, const Lf__Position *resume);
/** Say goodbye to the broker and forget the wire subscription. */
void lf_reader_detach(struct lf_core *core, struct lf_reader *reader);
/** exit_at_end: is it there? Then it is over for this partition. */
bool lf_reader_at_end(struct lf_core *core, struct lf_reader *reader);
void lf_reader_grant(struct lf_core *core, struct lf_reader *reader);
void lf_reader_on_end(struct lf_core *core, struct lf_broker *broker, struct lf_reader *reader,
                      const Lf__ClientReply *reply);
void lf_reader_on_subscribed(struct lf_core *core, struct lf_broker *broker, struct lf_reader *reader,
                             const Lf__ClientReply *reply);
void lf_readers_broker_gone(struct lf_core *core, struct lf_broker *broker);
/** False: the frames make no sense. */
bool lf_deliver(struct lf_core *core, struct lf_broker *broker, const Lf__Deliver *deliver, struct lf_frame *frames,
                size_t count);
void lf_deliver_end(struct lf_core *core, struct lf_broker *broker, const Lf__ClientReply *reply);

/* calls.c, call_start.c, call_ask.c, call_describe.c */
enum lf_status lf_call_start(struct lf_core *core, const struct lf_core_call *call, struct lf_error *error);
void lf_calls_pump(struct lf_core *core);
/** It changes something at the brokers: without an answer its outcome is unknown. */
bool lf_call_changes(const struct lf_call *call);
/** It is for the leader of a partition, not for the controller or for anybody. */
bool lf_call_is_for_partition(const struct lf_call *call);
/** It would do harm to another topic that gets the name: the id is found first, and every attempt names it. */
bool lf_call_needs_id(const struct lf_call *call);
/** Sends its request, or the question of its stage, to the broker. */
void lf_call_ask(struct lf_core *core, struct lf_call *call, struct lf_broker *broker);
void lf_call_on_reply(struct lf_core *core, struct lf_broker *broker, struct lf_call *call, Lf__ClientReply **reply);
void lf_call_finish(struct lf_core *core, struct lf_call *call, enum lf_status status, const char *text,
                    Lf__ClientReply *reply);
void lf_call_retry(struct lf_core *core, struct lf_call *call, enum lf_status status, const char *text);
/** The topic does not exist, or is another one now: calls that wait for it end. */
void lf_calls_topic_gone(struct lf_core *core, struct lf_topic_state *topic, enum lf_status status);
void lf_calls_close(struct lf_core *core);
void lf_calls_free(struct lf_core *core);
/** A description came: merge it, ask the next leader or finish. Takes the reply. */
void lf_describe_gather(struct lf_core *core, struct lf_call *call, struct lf_broker *broker, Lf__ClientReply **reply);
/** The leader to ask now, or NULL: not reachable now; *finished: nobody is left to ask. */
struct lf_broker *lf_describe_next(struct lf_core *core, struct lf_call *call, bool *finished);

#endif
