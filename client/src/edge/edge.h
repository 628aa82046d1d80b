/** The library around the core: what its files share. Not installed.
 *
 *  Threads: the I/O thread alone touches the core, the sockets and the tables below "I/O thread"; other threads hand
 *  over commands through the ring and wait on `changed`. What both sides read is atomic or guarded by `mutex`.
 *
 *  A client is destroyed by lf_client_close only; a subscription outlives it (client NULL) until lf_unsubscribe.
 */
#ifndef LF_EDGE_H
#define LF_EDGE_H

#include "client.pb-c.h"
#include "lf_core.h"
#include "lf_map.h"
#include "lf_ring.h"

#include <pthread.h>
#include <stdatomic.h>

#define LF_EDGE_RING_ITEMS 65536
#define LF_EDGE_CONNECTIONS_MAX 256
#define LF_EDGE_COMMANDS_PER_TURN 512
#define LF_EDGE_MESSAGES_PER_TURN 256
/** Closing a client waits this long at most for its goodbyes to be sent. */
#define LF_EDGE_FAREWELL_MS 200
/** ZeroMQ cuts the line above this: twice the hard batch limit and room for the header frame. */
#define LF_EDGE_FRAME_BYTES_MAX (2 * 4 * 1024 * 1024 + 64 * 1024)
/** A smaller frame is copied: ZeroMQ would keep a whole receive block for it. */
#define LF_EDGE_COPY_BELOW 8192

enum lf_command_type {
    LF_COMMAND_PUBLISH,  /* heap, freed by the I/O thread; the message's bytes follow the struct */
    LF_COMMAND_CONSUMED, /* inside its subscription */
    LF_COMMAND_FLUSH,    /* heap, shared by two: struct lf_flush */
    LF_COMMAND_WAITED,   /* on its caller's stack, who waits for `done` */
    LF_COMMAND_CLOSE,    /* on the stack of lf_client_close, which joins the thread */
};
struct lf_command {
    enum lf_command_type type;
};

struct lf_publish_command {
    struct lf_command command;
    lf_delivery_callback *callback;
    void *context;
    uint64_t bytes; /* as lf_core_message_bytes counts */
    struct lf_message message;
};

/** Subscribe, unsubscribe or a call: an event for the core and what became of it. */
struct lf_waited_command {
    struct lf_command command;
    struct lf_core_event event;
    struct lf_subscription *subscription;
    bool done; /* guarded by the client's mutex */
    enum lf_status status;
    struct lf_error error;
    void *reply; /* Lf__ClientReply *, the caller's to free */
};

struct lf_flush {
    struct lf_command command;
    struct lf_flush *next;
    uint64_t target;  /* acceptance number: done when all below have their outcome */
    atomic_uint refs; /* the caller and the I/O thread */
    bool done;        /* guarded by the client's mutex */
};

struct lf_close_command {
    struct lf_command command;
    uint64_t deadline_ms;
};

struct lf_connection {
    uint64_t id;
    void *socket;  /* DEALER */
    void *monitor; /* PAIR: says when the line is cut */
};

struct lf_client {
    struct lf_client_options options;
    struct lf_ring *ring;
    void *context; /* ZeroMQ's */
    pthread_t thread;
    atomic_uint_fast64_t inflight_bytes; /* accepted by lf_publish and without outcome */
    atomic_bool closing;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* room, done */
    atomic_uint waiting;    /* threads waiting for room */
    atomic_uint_fast64_t last_subscription;
    struct lf_subscription *subscriptions; /* guarded by mutex */

    /* I/O thread */
    struct lf_core *core;
    struct lf_core_effects effects;
    uint64_t core_bytes; /* pending in the core, as last seen */
    struct lf_connection connections[LF_EDGE_CONNECTIONS_MAX];
    size_t connection_count;
    uint64_t monitors;   /* so far: names their inproc addresses */
    struct lf_map by_id; /* subscriptions */
    struct lf_flush *flushes;
    uint64_t close_deadline_ms; /* 0: not closing */
    bool stop;
};

struct lf_queued_batch {
    struct lf_buf *buf; /* NULL: offsets from skip_below to missed_to were missed; or, diverged: left for missed_to */
    uint32_t offset, size;
    int32_t partition;
    int64_t skip_below, missed_to;
    bool diverged;
};

struct lf_subscription {
    struct lf_command consumed_command;
    struct lf_client *client;                /* NULL once that is closed; guarded by mutex */
    struct lf_subscription *next, *previous; /* in the client's list, guarded by its mutex */
    uint64_t id;
    int fd; /* eventfd: something is queued or it is over */
    pthread_mutex_t mutex;
    struct lf_queued_batch *queue; /* a ring; bounded by the credit the core grants */
    size_t queue_first, queue_count, queue_capacity;
    bool ended;
    enum lf_status status;
    char text[LF_ERROR_TEXT_BYTES];
    int32_t resume_partition;      /* with LF_OFFSET_BELOW_START, LF_HISTORY_DIVERGED */
    int64_t resume_offset;         /* -1: not known */
    atomic_uint_fast64_t consumed; /* bytes taken and not yet told */
    atomic_bool consumed_queued;   /* the command is in the ring */

    /* the polling thread */
    struct lf_queued_batch current;
    struct lf_batch_reader *reader;
    struct lf_record_view *records;
    size_t record_capacity;
    struct lf_header_view *headers;
    size_t header_capacity, header_count;
};

/* clock.c */
uint64_t lf_clock_ms(void);
int64_t lf_clock_wall_ms(void);
/** `ms` from now on the condition variables' clock. */
struct timespec lf_clock_deadline(uint64_t ms);

/* io_thread.c */
void *lf_io_thread(void *client);
/** One event to the core, effects carried out. The status is the core's. */
enum lf_status lf_io_step(struct lf_client *client, struct lf_core_event *event, struct lf_error *error);
/** Wakes whoever waits on `changed`. */
void lf_client_signal(struct lf_client *client);

/* connections.c: on the I/O thread */
void lf_connection_open(struct lf_client *client, uint64_t id, const char *host, uint32_t port);
/** farewell: what was sent last may still go out, for at most LF_EDGE_FAREWELL_MS, behind our back. */
void lf_connection_close(struct lf_client *client, uint64_t id, bool farewell);
void lf_connections_close(struct lf_client *client);
void lf_connection_send(struct lf_client *client, uint64_t id, struct lf_frame *frames, size_t count);
/** Hears what came; true when there may be more. */
bool lf_connections_receive(struct lf_client *client);

/* commands.c */
/** Into the ring, waiting while it is full (not on the I/O thread). */
void lf_command_push(struct lf_client *client, struct lf_command *command);
/** Hands the event over and waits until the I/O thread is done with it. Calls: until the answer. */
void lf_command_wait(struct lf_client *client, struct lf_waited_command *command);
/** The same in two halves, so that many can be under way; the command stays where it is between them. */
void lf_command_start(struct lf_client *client, struct lf_waited_command *command);
void lf_command_finish(struct lf_client *client, struct lf_waited_command *command);
void lf_command_done(struct lf_client *client, struct lf_waited_command *command);
/** On the I/O thread. */
void lf_command_run(struct lf_client *client, struct lf_command *command);

/* calls.c */
/** LF_OK with the reply in *reply (lf__client_reply__free_unpacked ends it; `reply` may be NULL), else the status, in
 *  words in error. */
enum lf_status lf_ask(struct lf_client *client, struct lf_core_call what, Lf__ClientReply **reply,
                      struct lf_error *error);
/** The same in two halves. lf_ask_end returns the reply, which stays the command's, or NULL: see its status, error. */
void lf_ask_begin(struct lf_client *client, struct lf_waited_command *command, struct lf_core_call what);
const Lf__ClientReply *lf_ask_end(struct lf_client *client, struct lf_waited_command *command);

/* publish.c: on the I/O thread */
void lf_publish_run(struct lf_client *client, struct lf_publish_command *command);
/** Gives back what has its outcome. */
void lf_inflight_release(struct lf_client *client, uint64_t added);
void lf_flush_run(struct lf_client *client, struct lf_flush *flush);
void lf_flushes_check(struct lf_client *client);

/* subscription.c: on the I/O thread */
/** Takes the batch's reference. */
void lf_subscription_deliver(struct lf_client *client, struct lf_core_effect *effect);
void lf_subscription_missed(struct lf_client *client, const struct lf_core_effect *effect);
void lf_subscription_over(struct lf_client *client, const struct lf_core_effect *effect);
void lf_subscription_consumed_run(struct lf_client *client, struct lf_subscription *subscription);
/** The client is going away: its subscriptions stay without it. */
void lf_subscriptions_orphan(struct lf_client *client);

#endif
