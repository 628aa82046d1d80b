/** Groups: series for those with most traffic, one aggregate for the rest.
 *
 *  Traffic is bytes appended since the start, not lately: so a group that has series keeps them, and a graph does not
 *  fall apart because two groups take turns. Group 0 always has its own. */
#include "metrics.h"
#include "metrics_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** A group's labels as text. */
struct named {
    const struct node_group_view *group;
    char number[24], partition[16];
};

static int by_traffic(const void *left, const void *right) {
    const struct node_group_view *a = ((const struct named *)left)->group, *b = ((const struct named *)right)->group;
    if ((a->group == 0) != (b->group == 0))
        return a->group == 0 ? -1 : 1;
    if (a->appended_bytes != b->appended_bytes)
        return a->appended_bytes > b->appended_bytes ? -1 : 1;
    return a->group < b->group ? -1 : a->group > b->group;
}

/** The numbers a group has; in a table, so that each metric is written for all groups under one head. */
struct column {
    const char *name, *type, *help;
    int64_t (*value)(const struct node_group_view *group);
    bool largest;   /**< of the rest: the largest counts, not the sum */
    bool partition; /**< not for group 0, which has no offsets */
};

#define COLUMN(field)                                                                                                  \
    static int64_t value_##field(const struct node_group_view *group) { return (int64_t)group->field; }
COLUMN(term)
COLUMN(last_index)
COLUMN(durable_index)
COLUMN(commit)
COLUMN(applied)
COLUMN(log_start)
COLUMN(high_watermark)
COLUMN(log_end)
COLUMN(segments)
COLUMN(bytes)
COLUMN(unsealed_bytes)
COLUMN(decisions_waiting)
COLUMN(appended_bytes)
COLUMN(uncommitted_bytes)
COLUMN(tail_bytes)
COLUMN(voters)
COLUMN(learners)
COLUMN(joint)
static int64_t value_leads(const struct node_group_view *group) {
    return group->state == NODE_GROUP_RUNNING && group->role == RAFT_LEADER;
}
static int64_t value_without_leader(const struct node_group_view *group) { return group->leader_node == 0; }
static int64_t value_one(const struct node_group_view *group) {
    (void)group;
    return 1;
}

static const struct column columns[] = {
    {"group_replicas", "gauge", "1; of group=\"other\" how many groups it stands for.", value_one, false, false},
    {"group_leader", "gauge", "1: this node leads the group.", value_leads, false, false},
    {"group_without_leader", "gauge", "1: no leader is known here.", value_without_leader, false, false},
    {"group_voters", "gauge", "Voters of the configuration in force.", value_voters, false, false},
    {"group_learners", "gauge", "Learners of it: replicas that are being filled.", value_learners, false, false},
    {"group_joint", "gauge", "1: it is between two sets of voters.", value_joint, false, false},
    {"group_term", "gauge", "Raft term.", value_term, true, false},
    {"group_last_index", "gauge", "Newest entry of the log here.", value_last_index, false, false},
    {"group_durable_index", "gauge", "Newest entry on stable storage here.", value_durable_index, false, false},
    {"group_commit_index", "gauge", "Newest entry known committed.", value_commit, false, false},
    {"group_applied_index", "gauge", "Newest entry applied here.", value_applied, false, false},
    {"group_appended_bytes_total", "counter", "Bytes of entries that joined the log here since the start.",
     value_appended_bytes, false, false},
    {"group_uncommitted_bytes", "gauge", "As leader: bytes accepted and not committed.", value_uncommitted_bytes, false,
     false},
    {"group_tail_bytes", "gauge", "Newest entries kept in memory.", value_tail_bytes, false, false},
    {"partition_log_start_offset", "gauge", "First offset kept.", value_log_start, false, true},
    {"partition_high_watermark", "gauge", "First offset not committed, as applied here.", value_high_watermark, false,
     true},
    {"partition_log_end_offset", "gauge", "First offset not in the log here.", value_log_end, false, true},
    {"partition_segments", "gauge", "Sealed segments here.", value_segments, false, true},
    {"partition_bytes", "gauge", "Bytes of all entries here, sealed or not.", value_bytes, false, true},
    {"partition_unsealed_bytes", "gauge", "Those of entries that are not sealed.", value_unsealed_bytes, false, true},
    {"partition_decisions_waiting", "gauge", "Decisions about segments that the store has not carried out.",
     value_decisions_waiting, false, true},
};

static void write_column(struct text *text, const struct column *column, const struct named *named, size_t own,
                         size_t count) {
    int64_t rest = 0;
    metrics_head(text, column->name, column->type, column->help);
    for (size_t i = 0; i < count; i++) {
        const struct node_group_view *group = named[i].group;
        if (column->partition && group->group == 0)
            continue;
        int64_t value = column->value(group);
        if (i < own)
            metrics_signed(text, column->name,
                           METRICS_LABELS(METRICS_LABEL("group", named[i].number), METRICS_LABEL("topic", group->topic),
                                          METRICS_LABEL("partition", named[i].partition)),
                           value);
        else if (!column->largest)
            rest += value;
        else if (value > rest)
            rest = value;
    }
    if (own < count)
        metrics_signed(
            text, column->name,
            METRICS_LABELS(METRICS_LABEL("group", "other"), METRICS_LABEL("topic", ""), METRICS_LABEL("partition", "")),
            rest);
}

static void write_roles(struct text *text, const struct named *named, size_t own) {
    metrics_head(text, "group_role", "gauge", "0 follower, 1 pre-candidate, 2 candidate, 3 leader.");
    for (size_t i = 0; i < own; i++)
        metrics_number(text, "group_role",
                       METRICS_LABELS(METRICS_LABEL("group", named[i].number),
                                      METRICS_LABEL("topic", named[i].group->topic),
                                      METRICS_LABEL("partition", named[i].partition)),
                       named[i].group->role);
}

static uint64_t replica_match(const struct node_replica_view *replica) { return replica->match; }
static uint64_t replica_next(const struct node_replica_view *replica) { return replica->next; }
static uint64_t replica_inflight(const struct node_replica_view *replica) { return replica->inflight; }
static uint64_t replica_inflight_bytes(const struct node_replica_view *replica) { return replica->inflight_bytes; }
static uint64_t replica_voter(const struct node_replica_view *replica) { return replica->voter; }
static uint64_t replica_state(const struct node_replica_view *replica) {
    return replica->damaged ? 0 : !replica->active ? 1 : replica->needs_image ? 4 : replica->replicating ? 3 : 2;
}

static const struct {
    const char *name, *help;
    uint64_t (*value)(const struct node_replica_view *replica);
} replica_columns[] = {
    {"replica_match_index", "As leader: the replica's log is equal and durable up to here.", replica_match},
    {"replica_next_index", "As leader: the next entry to send to it.", replica_next},
    {"replica_inflight_messages", "As leader: appends it did not answer yet.", replica_inflight},
    {"replica_inflight_bytes", "As leader: bytes of these.", replica_inflight_bytes},
    {"replica_voter", "As leader: 1 voter, 0 learner.", replica_voter},
    {"replica_state", "As leader: 0 damaged, 1 silent, 2 probing, 3 replicating, 4 filled by an image.", replica_state},
};

/** For the groups with series of their own; of the others see the sums per peer. */
static void write_replicas(struct text *text, const struct node_view *view, const struct named *named, size_t own) {
    char peer[24], replica[24];
    for (size_t c = 0; c < sizeof replica_columns / sizeof *replica_columns; c++) {
        metrics_head(text, replica_columns[c].name, "gauge", replica_columns[c].help);
        for (size_t i = 0; i < own; i++) {
            const struct node_group_view *group = named[i].group;
            for (size_t k = 0; k < group->replica_count; k++) {
                const struct node_replica_view *seen = &view->replicas[group->first_replica + k];
                snprintf(peer, sizeof peer, "%" PRIu64, seen->node);
                snprintf(replica, sizeof replica, "%" PRIu64, seen->replica);
                metrics_number(text, replica_columns[c].name,
                               METRICS_LABELS(METRICS_LABEL("group", named[i].number),
                                              METRICS_LABEL("topic", group->topic),
                                              METRICS_LABEL("partition", named[i].partition),
                                              METRICS_LABEL("peer", peer), METRICS_LABEL("replica", replica)),
                               replica_columns[c].value(seen));
            }
        }
    }
}

static void write_states(struct text *text, const struct node_view *view) {
    uint64_t states[NODE_GROUP_STOPPED + 1] = {0}, led = 0, orphans = 0, blocked = 0;
    for (size_t i = 0; i < view->group_count; i++) {
        const struct node_group_view *group = &view->groups[i];
        states[group->state]++;
        led += (uint64_t)value_leads(group);
        orphans += group->leader_node == 0;
        blocked += group->apply_blocked;
    }
    metrics_head(text, "groups", "gauge", "Groups this node holds a replica of, by state.");
    for (int state = NODE_GROUP_LOADING; state <= NODE_GROUP_STOPPED; state++)
        metrics_number(text, "groups",
                       METRICS_LABELS(METRICS_LABEL("state", node_group_state_name((enum node_group_state)state))),
                       states[state]);
    metrics_gauge(text, "groups_led", "Groups this node leads.", led);
    metrics_gauge(text, "groups_without_leader", "Groups of which it knows no leader.", orphans);
    metrics_gauge(text, "groups_apply_blocked", "Groups that wait for a newer version of this program.", blocked);
}

void metrics_write_groups(struct text *text, const struct node_view *view, uint32_t groups_max) {
    write_states(text, view);
    struct named *named = calloc(view->group_count + 1, sizeof *named);
    if (!named) {
        text->failed = true;
        return;
    }
    for (size_t i = 0; i < view->group_count; i++)
        named[i].group = &view->groups[i];
    qsort(named, view->group_count, sizeof *named, by_traffic);
    size_t own = view->group_count < groups_max ? view->group_count : groups_max;
    for (size_t i = 0; i < own; i++) {
        snprintf(named[i].number, sizeof named[i].number, "%" PRIu64, named[i].group->group);
        if (named[i].group->group != 0)
            snprintf(named[i].partition, sizeof named[i].partition, "%" PRIu32, named[i].group->partition);
    }
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
        write_column(text, &columns[c], named, own, view->group_count);
    write_roles(text, named, own);
    write_replicas(text, view, named, own);
    free(named);
}
