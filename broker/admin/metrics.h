/** A snapshot as a page for Prometheus. Pure. */
#ifndef METRICS_H
#define METRICS_H

#include "admin_snapshot.h"
#include "append_rate.h"
#include "text.h"

/** Groups that have series of their own, those with most traffic; the others together are group="other". */
#define METRICS_GROUPS_MAX_DEFAULT 200

/** What is not in the snapshot: read by the admin thread itself. */
struct metrics_process {
    uint64_t resident_bytes, cpu_us, open_fds, max_fds;
    uint64_t start_time_s; /**< Unix time; 0: not known */
};

struct metrics_page {
    const struct admin_snapshot *snapshot;
    const struct log_store_engine_stats *engine;
    const struct append_rate *rate;
    const struct metrics_process *process;
    const char *version;
    uint32_t groups_max; /**< METRICS_GROUPS_MAX_DEFAULT */
};

void metrics_write(struct text *text, const struct metrics_page *page);

/* One file each. */
void metrics_write_groups(struct text *text, const struct node_view *view, uint32_t groups_max);
void metrics_write_peers(struct text *text, const struct metrics_page *page);
void metrics_write_store(struct text *text, const struct log_store_stats *stats,
                         const struct log_store_engine_stats *engine);

#endif
