/** The loop: one thread that waits for sockets, store and signals, feeds the node, and carries out what it wants.
 *
 *  Each turn takes a bounded amount from each source, in this order: peers, store completions, clients; then the tick,
 *  which is told how long the loop was away. So nothing starves, and what arrived while the process stood still is
 *  heard before any election timer is looked at.
 */
#ifndef LOOP_H
#define LOOP_H

#include "admin_link.h"
#include "backup_thread.h"
#include "disk_guard.h"
#include "log.h"
#include "node.h"
#include "transport.h"

/** Most taken from one source in one turn, in messages and in ms. After an absence peers and the store get more, since
 *  timers are looked at after them; not clients, and not without end, since our own heartbeats are due as well. */
#define LOOP_MESSAGES_MAX 512
#define LOOP_SOURCE_MS_MAX 5
#define LOOP_CATCH_UP_MESSAGES_MAX 8192
#define LOOP_CATCH_UP_MS_MAX 50
/** Longest sleep, in ms: bounds how much of an absence goes unnoticed. */
#define LOOP_SLEEP_MS_MAX 25
/** While a disk is nearly full the store is asked this often to give back what it holds only for speed, in ms. */
#define LOOP_TIDY_MS 5000
/** While sessions have no room, what waits for them is looked at this often, in ms. */
#define LOOP_WATCH_MS 2

struct loop_options {
    struct node *node; /**< borrowed, as all here */
    struct log_store *store;
    struct transport *transport;
    struct log *log;
    struct admin_link *admin; /**< NULL: nobody asks for figures */
    struct disk_guard *disk;
    struct backup_thread *backups;
    const char *replacing_in;    /**< node.data, while a lost store is being replaced there; else NULL */
    int signal_fd;               /**< a signalfd: the first signal stops in order, the second at once */
    uint32_t queue_messages_max; /**< of each lane of the transport; for figures */
    uint32_t stats_interval_ms;  /**< 0: no figures */
    /** Adds " name=value" pairs about the store to a line of figures. NULL: none. */
    void (*describe_store)(const struct log_store *store, char *out, size_t size);
};

struct loop;

/** Returns LF_OK with *loop (caller destroys) or LF_NO_MEMORY. */
enum lf_status loop_new(const struct loop_options *options, struct loop **loop);
void loop_destroy(struct loop **loop);
/** Runs until stopped (LF_OK) or failed (what the node or store died of, in words). LF_NO_SPACE: the store met a full
 *  disk, was only read since then, and now there is room again: it can be opened anew. */
enum lf_status loop_run(struct loop *loop, struct lf_error *error);

#endif
