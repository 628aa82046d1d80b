/** The page, from the process to the groups; what has a file of its own stands there. */
#include "metrics.h"

#include "metrics_text.h"

#include <inttypes.h>
#include <stdio.h>

/** Without our prefix: dashboards for any program know these. */
static void write_process(struct text *text, const struct metrics_process *process) {
    text_printf(text,
                "# HELP process_resident_memory_bytes Resident memory.\n"
                "# TYPE process_resident_memory_bytes gauge\n"
                "process_resident_memory_bytes %" PRIu64 "\n"
                "# HELP process_cpu_seconds_total Processor time, user and system.\n"
                "# TYPE process_cpu_seconds_total counter\n"
                "process_cpu_seconds_total %" PRIu64 ".%02u\n",
                process->resident_bytes, process->cpu_us / 1000000, (unsigned)(process->cpu_us % 1000000 / 10000));
    text_printf(text,
                "# HELP process_open_fds Open descriptors.\n"
                "# TYPE process_open_fds gauge\n"
                "process_open_fds %" PRIu64 "\n"
                "# HELP process_max_fds Most descriptors it may open.\n"
                "# TYPE process_max_fds gauge\n"
                "process_max_fds %" PRIu64 "\n"
                "# HELP process_start_time_seconds Start of the process, Unix time.\n"
                "# TYPE process_start_time_seconds gauge\n"
                "process_start_time_seconds %" PRIu64 "\n",
                process->open_fds, process->max_fds, process->start_time_s);
}

static void write_identity(struct text *text, const struct metrics_page *page) {
    const struct node_view *node = &page->snapshot->node;
    char id[24], incarnation[24], cluster[2 * LOG_STORE_ID_BYTES + 1] = "";
    snprintf(id, sizeof id, "%" PRIu64, node->node_id);
    snprintf(incarnation, sizeof incarnation, "%" PRIu64, node->incarnation);
    for (size_t i = 0; node->cluster_known && i < LOG_STORE_ID_BYTES; i++)
        snprintf(cluster + 2 * i, 3, "%02x", node->cluster_id[i]);
    metrics_head(text, "build_info", "gauge", "1; the version is in the label.");
    metrics_number(text, "build_info", METRICS_LABELS(METRICS_LABEL("version", page->version)), 1);
    metrics_head(text, "node_info", "gauge", "1; who this is, in the labels.");
    metrics_number(text, "node_info",
                   METRICS_LABELS(METRICS_LABEL("node", id), METRICS_LABEL("incarnation", incarnation),
                                  METRICS_LABEL("cluster", node->cluster_name), METRICS_LABEL("cluster_id", cluster)),
                   1);
}

static void write_raft(struct text *text, const struct node_view *node) {
    const struct node_metrics *metrics = &node->metrics;
    metrics_counter(text, "elections_started_total", "Elections this node stood in.", metrics->elections_started);
    metrics_counter(text, "elections_won_total", "Elections that made it leader.", metrics->elections_won);
    metrics_counter(text, "elections_lost_total", "Elections that ended with it following.", metrics->elections_lost);
    metrics_counter(text, "leader_losses_total", "Leaderships it lost or gave away.", node->counts.leader_losses);
    metrics_counter(text, "segments_damaged_total", "Segments found damaged.", node->metrics.segments_damaged);
    metrics_counter(text, "segments_repaired_total", "Of these, made anew from a leader's entries.",
                    node->metrics.segments_repaired);
    metrics_histogram(text, "election_seconds", "From its campaign to leading or following.", &metrics->election_us);
    metrics_histogram(text, "commit_seconds",
                      "As leader: from the append of what a client waits for to its commit and apply.",
                      &metrics->commit_us);
    metrics_counter(text, "appended_entries_total", "Entries that joined logs here.", metrics->entries_appended);
    metrics_counter(text, "appended_bytes_total", "Bytes of these.", metrics->bytes_appended);
    metrics_counter(text, "applied_entries_total", "Entries applied here.", metrics->entries_applied);
}

static void write_rewrites(struct text *text, const struct node_view *node) {
    const struct node_metrics *metrics = &node->metrics;
    metrics_counter(text, "rewrites_started_total",
                    "Rewrites of segments (compaction, merging) that the store was asked for.",
                    metrics->rewrites_started);
    metrics_counter(text, "rewrites_finished_total", "Of these, with their result in place.",
                    metrics->rewrites_finished);
    metrics_counter(text, "rewrites_failed_total",
                    "Of these, ended by damage, no room, or a drop; what is still to be done is asked for again.",
                    metrics->rewrites_failed);
    metrics_gauge(text, "rewrites_waiting", "Asked for and not over.", node->counts.rewrites_waiting);
    metrics_histogram(text, "rewrite_seconds", "From asking for a rewrite to its result, waiting included.",
                      &metrics->rewrite_us);
    metrics_head(text, "rewrite_bytes_total", "counter", "Segments before (in) and after (out) finished rewrites.");
    metrics_number(text, "rewrite_bytes_total", METRICS_LABELS(METRICS_LABEL("what", "in")), metrics->rewrite_bytes_in);
    metrics_number(text, "rewrite_bytes_total", METRICS_LABELS(METRICS_LABEL("what", "out")),
                   metrics->rewrite_bytes_out);
    metrics_head(text, "rewrite_records_total", "counter",
                 "Records of batches that compactions looked into, and kept.");
    metrics_number(text, "rewrite_records_total", METRICS_LABELS(METRICS_LABEL("what", "in")),
                   metrics->rewrite_records_in);
    metrics_number(text, "rewrite_records_total", METRICS_LABELS(METRICS_LABEL("what", "out")),
                   metrics->rewrite_records_out);
}

static void write_clients(struct text *text, const struct admin_snapshot *snapshot) {
    const struct node_view *node = &snapshot->node;
    metrics_counter(text, "client_messages_received_total", "Messages from clients.", snapshot->net.client_in);
    metrics_counter(text, "client_messages_sent_total", "Messages to clients.", snapshot->net.client_out);
    metrics_counter(text, "publishes_total", "Batches appended for clients.", node->counts.publishes);
    metrics_counter(text, "publish_duplicates_total", "Repeated batches that got their first answer.",
                    node->counts.duplicates);
    metrics_counter(text, "publish_refused_total", "Publishes refused, whatever the reason.", node->counts.refused);
    metrics_head(text, "answers_total", "counter", "Answers to clients by status; all but OK and END refuse.");
    for (size_t i = 0; i < NODE_METRICS_STATUSES; i++) {
        const char *name = lf_status_name((enum lf_status)i);
        if (name[0] != '?')
            metrics_number(text, "answers_total", METRICS_LABELS(METRICS_LABEL("status", name)),
                           node->metrics.answers[i]);
    }
}

static void write_images(struct text *text, const struct admin_snapshot *snapshot) {
    const struct node_metrics *figures = &snapshot->node.metrics;
    metrics_head(text, "images_total", "counter",
                 "Images of partitions: made for replicas that need one; installed here.");
    metrics_number(text, "images_total", METRICS_LABELS(METRICS_LABEL("what", "made")), figures->images_made);
    metrics_number(text, "images_total", METRICS_LABELS(METRICS_LABEL("what", "installed")), figures->images_installed);
    metrics_head(text, "image_bytes_total", "counter", "Entries of histories, sent and fetched, beside the rows.");
    metrics_number(text, "image_bytes_total", METRICS_LABELS(METRICS_LABEL("what", "sent")), figures->image_bytes_sent);
    metrics_number(text, "image_bytes_total", METRICS_LABELS(METRICS_LABEL("what", "fetched")),
                   figures->image_bytes_fetched);
}

static void write_dropped(struct text *text, const struct admin_snapshot *snapshot) {
    const struct node_counts *counts = &snapshot->node.counts;
    const struct admin_net_figures *net = &snapshot->net;
    const struct {
        const char *reason;
        uint64_t count;
    } rows[] = {
        {"peer_other_cluster", counts->peer_dropped_cluster},
        {"peer_old_incarnation", counts->peer_dropped_incarnation},
        {"peer_other_store", counts->peer_dropped_store},
        {"peer_stranger", counts->peer_dropped_stranger},
        {"peer_no_such_replica", counts->peer_dropped_group},
        {"peer_append_disk_full", counts->peer_dropped_space},
        {"peer_bad_entries", counts->peer_dropped_malformed},
        {"peer_malformed", net->peer_malformed},
        {"peer_too_large", net->peer_refused},
        {"peer_lane_full", net->peer_dropped},
        {"append_reads_full", snapshot->node.metrics.cold_refused},
        {"client_gone", net->client_gone},
        {"client_unread", counts->unread},
        {"client_refused", net->client_refused},
        {"log_line", snapshot->loop.log_dropped},
    };
    metrics_head(text, "dropped_total", "counter", "Messages (and log lines) dropped or refused unread, by reason.");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        metrics_number(text, "dropped_total", METRICS_LABELS(METRICS_LABEL("reason", rows[i].reason)), rows[i].count);
}

/** One metric over all queues of a kind: their use, then their bounds. */
static void write_queues(struct text *text, const char *name, const char *limit, const char *unit,
                         const struct node_queue_view *queues, size_t count) {
    char help[64];
    snprintf(help, sizeof help, "What is in a queue or table, in %s.", unit);
    metrics_head(text, name, "gauge", help);
    for (size_t i = 0; i < count; i++)
        metrics_number(text, name, METRICS_LABELS(METRICS_LABEL("queue", queues[i].name)), queues[i].used);
    snprintf(help, sizeof help, "Its bound, in %s.", unit);
    metrics_head(text, limit, "gauge", help);
    for (size_t i = 0; i < count; i++)
        metrics_number(text, limit, METRICS_LABELS(METRICS_LABEL("queue", queues[i].name)), queues[i].bound);
}

static void write_all_queues(struct text *text, const struct admin_snapshot *snapshot) {
    struct node_queue_view queues[ADMIN_QUEUES_MAX];
    size_t count = admin_snapshot_items(snapshot, queues);
    write_queues(text, "queue_items", "queue_items_limit", "pieces", queues, count);
    count = admin_snapshot_bytes(snapshot, queues);
    write_queues(text, "queue_bytes", "queue_bytes_limit", "bytes", queues, count);
}

static void write_loop(struct text *text, const struct admin_loop_figures *loop) {
    metrics_counter(text, "loop_turns_total", "Turns of the loop.", loop->turns);
    metrics_histogram(text, "loop_pause_seconds", "How long the loop looked at nothing, once per turn.",
                      &loop->pause_us);
    metrics_gauge_seconds(text, "loop_pause_longest_seconds", "The longest since the start.", loop->pause_longest_us);
    metrics_histogram(text, "step_seconds", "One event of any kind: deciding, and carrying out.", &loop->step_us);
    metrics_histogram(text, "apply_seconds",
                      "From the event that brought a commit to the end of the step that applied it.", &loop->apply_us);
    metrics_gauge_seconds(text, "snapshot_seconds", "How long the loop took for the figures of the page before.",
                          loop->snapshot_us);
    metrics_gauge_seconds(text, "snapshot_longest_seconds", "The longest of these since the start.",
                          loop->snapshot_longest_us);
}

static void write_disk(struct text *text, const struct admin_snapshot *snapshot) {
    const struct node_view *node = &snapshot->node;
    const struct {
        const char *name, *help;
        uint64_t value;
    } gauges[] = {
        {"disk_level", "Room on the disk: 0 enough, 1 below the soft limit, 2 below the hard one.",
         (uint64_t)node->space_level},
        {"disk_room_bytes", "Free on the data filesystem, less what the ballast lacks.", node->space.room_bytes},
        {"disk_soft_limit_bytes", "With less room no publishes are taken.", node->space.soft_bytes},
        {"disk_hard_limit_bytes", "With less room no batches are taken.", node->space.hard_bytes},
        {"disk_ballast_bytes", "What the ballast has.", snapshot->loop.ballast_bytes},
        {"disk_writes_held", "1: the disk is full and nothing is written.", snapshot->loop.writes_held},
        {"store_read_only", "1: the store met a full disk and is only read until there is room.",
         snapshot->loop.store_spoiled},
    };
    for (size_t i = 0; i < sizeof gauges / sizeof *gauges; i++)
        metrics_gauge(text, gauges[i].name, gauges[i].help, gauges[i].value);
}

void metrics_write(struct text *text, const struct metrics_page *page) {
    const struct admin_snapshot *snapshot = page->snapshot;
    write_identity(text, page);
    write_process(text, page->process);
    write_loop(text, &snapshot->loop);
    write_raft(text, &snapshot->node);
    write_clients(text, snapshot);
    write_images(text, snapshot);
    write_rewrites(text, &snapshot->node);
    write_dropped(text, snapshot);
    write_all_queues(text, snapshot);
    write_disk(text, snapshot);
    metrics_write_store(text, &snapshot->store, page->engine);
    metrics_write_peers(text, page);
    metrics_write_groups(text, &snapshot->node, page->groups_max);
}
