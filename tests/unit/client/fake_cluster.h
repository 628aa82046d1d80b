/** Brokers that a test plays by hand, in virtual time: the core's effects are carried out, its requests are kept for
 *  the test to look at and to answer. Hello, ping, metadata, producer ids and which topic has a name (the settings of a
 *  topic) are answered by the fake itself, as long as the node is up and not frozen.
 *
 *  Node N listens on "node:770N".
 */
#ifndef FAKE_CLUSTER_H
#define FAKE_CLUSTER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client.pb-c.h"
#include "lf_core.h"
#include "lf_record_batch.h"

#define FAKE_NODES 3     /* in the cluster at first: listed in metadata, and as every partition's replicas */
#define FAKE_NODES_MAX 6 /* that may be listed later */
#define FAKE_TOPICS 4
#define FAKE_PARTITIONS 4
#define FAKE_OUTCOMES_MAX 4096

struct fake_node {
    bool listed;         /* metadata names it */
    bool down;           /* connections are refused and cut */
    bool frozen;         /* accepts, says nothing */
    bool full;           /* has no room for a session, and says so */
    bool deaf;           /* not even hello is answered (a frozen node that connections reach) */
    uint64_t connection; /* 0: none */
    uint64_t credit;     /* granted in hello and by fake_credit, cumulative */
    uint64_t bytes_in;   /* of batches */
    uint64_t hellos, pings, metadata_requests, credits, resolved, goodbyes;
    uint8_t cluster; /* fills the cluster id */
    uint32_t version;
    uint64_t says_controller; /* 0: the cluster's */
    bool says_topic_unknown;
    bool old; /* knows nothing of settings */
};
struct fake_topic {
    const char *name;
    uint64_t id;
    uint32_t partitions;
    uint64_t leader[FAKE_PARTITIONS]; /* as metadata says; 0: none */
    int32_t leader_epoch[FAKE_PARTITIONS];
};
/** One request that waits for the test's answer. */
struct fake_request {
    struct fake_request *next;
    uint64_t node, connection;
    Lf__ClientRequest *message;
    struct lf_buf *batch; /* publish */
    struct lf_batch_header header;
};
struct fake_outcome {
    enum lf_status status;
    int32_t partition;
    int64_t offset;
    uintptr_t context;
};
struct fake {
    struct lf_core *core;
    uint64_t now_ms;
    uint64_t deadline_ms;
    struct fake_node nodes[FAKE_NODES_MAX + 1]; /* by node id */
    struct fake_topic topics[FAKE_TOPICS];
    uint64_t controller;
    int64_t next_producer_id;
    uint32_t session_timeout_ms;
    uint32_t producers_given;
    struct fake_request *first, *last; /* unanswered, oldest first */
    struct fake_outcome outcomes[FAKE_OUTCOMES_MAX];
    size_t outcome_count;
    /* the last subscription's deliveries */
    int64_t offsets[FAKE_OUTCOMES_MAX];
    int32_t offset_partitions[FAKE_OUTCOMES_MAX];
    size_t offset_count;
    uint64_t undelivered_bytes; /* delivered to the application and not consumed by the test */
    enum lf_status ended;
    char ended_text[LF_ERROR_TEXT_BYTES];
    bool has_ended;
    int32_t ended_partition;
    int64_t resume;
    int64_t missed_from, missed_to; /* the last time that something was missed */
    bool diverged;                  /* that time, since its history is lost */
    int missed;                     /* how often */
    /* the last call's answer */
    bool answered;
    uint64_t answered_call;
    enum lf_status answer_status;
    char answer_text[LF_ERROR_TEXT_BYTES];
    Lf__ClientReply *answer;
    struct fake_inbox *inbox_first, *inbox_last;
    bool trace;
};

/** Three nodes, all up; topic "t" (id 7) with one partition led by node 1, "m" (id 8) with three led by 1, 2, 3. */
struct fake *fake_new(void);
struct fake *fake_new_with(const struct lf_client_options *options);
struct lf_client_options fake_options(void);
void fake_free(struct fake *fake);

/** Let virtual time pass, stepping at every deadline. */
void fake_run(struct fake *fake, uint64_t ms);
enum lf_status fake_event(struct fake *fake, struct lf_core_event *event);
/** Publish `size` bytes; `number` comes back as the outcome's context. */
enum lf_status fake_publish(struct fake *fake, const char *topic, int32_t partition, uintptr_t number, size_t size);
void fake_flush(struct fake *fake);
void fake_subscribe(struct fake *fake, uint64_t id, const struct lf_subscribe_options *options);
void fake_consume(struct fake *fake, uint64_t id, uint64_t bytes);
void fake_call(struct fake *fake, enum lf_core_call_type type, const char *topic, uint32_t partitions,
               uint32_t replicas);
/** The same with all a call may say; its id becomes 5. */
void fake_call_with(struct fake *fake, struct lf_core_call call);
void fake_close(struct fake *fake);

/** The node's connection breaks (and it refuses new ones while down is set). */
void fake_cut(struct fake *fake, uint64_t node);
/** The n-th unanswered request of this kind at the node (0: any node), or NULL. Virtual time does not pass. */
struct fake_request *fake_request(struct fake *fake, uint64_t node, Lf__ClientRequest__BodyCase kind, size_t n);
/** The same, letting up to 5 s pass; fails the test when none comes. */
struct fake_request *fake_wait(struct fake *fake, uint64_t node, Lf__ClientRequest__BodyCase kind, size_t n);
size_t fake_request_count(struct fake *fake, Lf__ClientRequest__BodyCase kind);

/** Answer and forget the request. status not 0: no body. */
void fake_answer(struct fake *fake, struct fake_request *request, enum lf_status status);
void fake_answer_not_leader(struct fake *fake, struct fake_request *request, uint64_t leader, int32_t epoch);
void fake_answer_publish(struct fake *fake, struct fake_request *request, int64_t base_offset, bool duplicate);
void fake_answer_raise(struct fake *fake, struct fake_request *request, int32_t last_sequence, int64_t last_offset,
                       int32_t last_epoch);
void fake_answer_subscribe(struct fake *fake, struct fake_request *request, int64_t start, int64_t high_watermark);
void fake_answer_end(struct fake *fake, struct fake_request *request, int64_t end);
void fake_answer_reply(struct fake *fake, struct fake_request *request, Lf__ClientReply *reply);
/** Forget it unanswered. */
void fake_ignore(struct fake *fake, struct fake_request *request);
/** Push `batches` batches of `records` records each from base_offset on. */
void fake_deliver(struct fake *fake, uint64_t node, uint64_t wire_id, int64_t base_offset, int batches, int records,
                  int64_t high_watermark);
/** Batches of one record at these offsets, and what the broker says is gone. */
void fake_deliver_compacted(struct fake *fake, uint64_t node, uint64_t wire_id, const int64_t *base_offsets,
                            int batches, int64_t *gone_below, size_t gone_count);
/** One batch, with one byte of it flipped. */
void fake_deliver_damaged(struct fake *fake, uint64_t node, uint64_t wire_id, int64_t base_offset, int records);
/** Refuses a subscribe, with where the log begins. */
void fake_answer_below_start(struct fake *fake, struct fake_request *request, int64_t log_start);
void fake_answer_diverged(struct fake *fake, struct fake_request *request, int64_t resume);
void fake_end_subscription(struct fake *fake, uint64_t node, uint64_t wire_id, enum lf_status status,
                           int64_t resume_offset);
/** Grant more publish credit (said in an answer to the next ping or other answer). */
void fake_credit(struct fake *fake, uint64_t node, uint64_t total);

/** Outcomes so far are exactly these contexts in order, all with this status. */
void fake_expect_outcomes(struct fake *fake, size_t from, size_t count, enum lf_status status);

#endif
