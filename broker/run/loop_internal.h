/** What the loop's files share. */
#ifndef LOOP_INTERNAL_H
#define LOOP_INTERNAL_H

#include "clock.h"
#include "loop.h"
#include "pause_meter.h"
#include "store_queue.h"

/** Sessions found unreachable while sending, told to the node after the step; more are found again at their next
 * answer. */
#define LOOP_GONE_MAX 1024

struct loop {
    struct loop_options options;
    struct node_effects effects;
    struct store_queue queue;
    struct pause_meter pauses;
    uint64_t now_ms;
    uint64_t deadline_ms; /**< of the node */
    uint64_t stats_due_ms;
    uint64_t gone[LOOP_GONE_MAX];
    size_t gone_count;
    struct node_watch *watches; /**< one per session at most */
    size_t watch_count, watch_capacity;
    unsigned stop_signals;
    uint64_t tidy_ms; /**< when the store may be asked again to give room back */
    bool spoiled;     /**< the store met a full disk: it is read, but takes no writes any more */
    bool stopping;
    bool stopped;
    bool store_waits;   /**< completions may be left over from the last turn */
    uint64_t malformed; /**< envelopes the codec refused */
    uint64_t turns;
    struct lf_histogram step_us, apply_us; /**< see admin_snapshot.h */
    uint64_t snapshot_us, snapshot_longest_us;
    enum lf_status failed;
    struct lf_error error;
};

/** Feeds one event (times are filled in) and carries out its effects. */
void loop_feed(struct loop *loop, struct node_event *event);
/** What the node wants. */
void loop_carry_out(struct loop *loop);
/** The first failure ends the loop. */
void loop_fail(struct loop *loop, enum lf_status status, const char *text);

/** Each takes a bounded amount; true when something may be left. `catch_up`: after an absence. */
bool loop_take_peers(struct loop *loop, bool catch_up);
bool loop_take_store(struct loop *loop, bool catch_up);
bool loop_take_clients(struct loop *loop);
/** Tells the node which of the sessions that it watches have room. */
void loop_tell_room(struct loop *loop);

/** What was last seen of the disk: tells the node, holds writes back. */
void loop_follow_disk(struct loop *loop);
/** Forgets that a lost store is replaced, once that is done. */
void loop_end_replacement(struct loop *loop);
/** Looks when it is time, and follows. */
void loop_look_at_disk(struct loop *loop);
/** A write met a full disk in spite of all. To the node it is not done yet, and never will be: no vote and no
 *  acknowledgement rests on it. The store is still read. */
void loop_spoil(struct loop *loop, const char *why);

/** Hands on what the node wants. */
void loop_ask_for_backups(struct loop *loop);
/** Tells the node what was done. */
void loop_take_backups(struct loop *loop);

/** Fills what the admin thread asked for. */
void loop_answer_admin(struct loop *loop);

/** One line of figures when it is due. */
void loop_log_stats(struct loop *loop);

#endif
