/** What a node counts, where it happens. Plain numbers since the start of the process; they change nothing it decides.
 *
 *  Durations come from node_event.now_us, so they are as fine as the owner's clock, and repeat in simulation.
 */
#ifndef NODE_METRICS_H
#define NODE_METRICS_H

#include "lf_histogram.h"
#include "node.h"

/** Answers are counted by status up to this number; the last counts every status beyond it. */
#define NODE_METRICS_STATUSES 64

struct node_metrics {
    /** An election: from the moment this replica campaigns until it leads (won) or follows again (lost). */
    uint64_t elections_started, elections_won, elections_lost;
    struct lf_histogram election_us;
    /** From the append of what a client waits for (a batch, a command) until it is committed and applied here. */
    struct lf_histogram commit_us;
    uint64_t entries_appended, entries_applied;
    uint64_t bytes_appended; /**< of entries, headers included: as leader and as follower */
    uint64_t answers[NODE_METRICS_STATUSES];
    uint64_t image_bytes_sent, image_bytes_fetched, images_made, images_installed;
    uint64_t segments_damaged, segments_repaired;
    /** Rewrites of segments, as the store here carries them out. One that failed (damage, no room, a drop) is asked for
     * again if it is still to be done, and counts as started again. */
    uint64_t rewrites_started, rewrites_finished, rewrites_failed;
    /** Of the finished ones: segments' bytes before and after; records of batches that were looked into. */
    uint64_t rewrite_bytes_in, rewrite_bytes_out, rewrite_records_in, rewrite_records_out;
    struct lf_histogram rewrite_us; /**< of the finished ones: from the request to the result */
    uint64_t cold_refused; /**< appends from the store not sent since a bound was reached; the core asks again */
};

/** Borrowed until the next step. */
const struct node_metrics *node_metrics(const struct node *node);

#endif
