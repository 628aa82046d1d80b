/** The leader of a partition leads its group to the members that group 0 wants.
 *
 *  One step at a time, each a change of membership by the core, and each judged anew by the configuration in force: so
 *  it does not matter who took the last step, where a leader stopped, or whether the wish became another meanwhile.
 *   1. who is wanted and no member becomes a learner; learners that nobody wants any more go
 *   2. when all of them have caught up, the wanted replicas become the voters: jointly; the core leaves by itself, and
 *      a leader that is no voter any more hands over
 *   3. when that is committed and nothing else is left, it is reported
 *
 *  Invariants:
 *   V1  a configuration carries the epoch of the wish it serves; a leader that knows only an older wish than the
 *       configuration in force does nothing
 *   V2  nobody becomes a voter before it has nearly everything the leader has, for longer than a beat
 *   V3  epoch e is reported only when a configuration of epoch e with exactly the wanted voters is committed: then no
 *       majority needs a replica that is in neither assignment, ever again */
#include "node_internal.h"

#include "raft_configuration.h"

/** Entries that a replica may lack and still count as caught up, and for how long it has to be so. */
#define CAUGHT_UP_ENTRIES 256
#define CAUGHT_UP_MS 100
/** How often the controller is told again what it does not show yet. */
#define REPORT_MS 250

static struct raft_configuration final_members(const struct metadata_partition *partition) {
    struct raft_configuration members = {.epoch = partition->wanted.epoch};
    for (size_t i = 0; i < partition->wanted.replica_count; i++)
        members.voters[members.voter_count++] = partition->wanted.replicas[i].replica_id;
    return members;
}

/** 1.: today's voters, and all that are to become voters. */
static struct raft_configuration filling_members(const struct raft_configuration *now,
                                                 const struct raft_configuration *wanted) {
    struct raft_configuration members = *now;
    members.epoch = wanted->epoch;
    members.outgoing_count = members.learner_count = 0;
    for (uint32_t i = 0; i < wanted->voter_count; i++)
        if (!raft_configuration_is_voter(now, wanted->voters[i]))
            members.learners[members.learner_count++] = wanted->voters[i];
    return members;
}

static bool same_learners(const struct raft_configuration *a, const struct raft_configuration *b) {
    bool same = a->learner_count == b->learner_count;
    for (uint32_t i = 0; same && i < a->learner_count; i++)
        same = raft_configuration_has(b, a->learners[i]) && !raft_configuration_votes(b, a->learners[i]);
    return same;
}

bool group_caught_up(const struct group *group, uint64_t replica) {
    struct raft_peer_view peers[RAFT_MEMBERS_MAX];
    size_t count = raft_peers(group->raft, peers, RAFT_MEMBERS_MAX);
    for (size_t i = 0; i < count; i++)
        if (peers[i].replica == replica)
            return peers[i].active && !peers[i].damaged && peers[i].match > 0 &&
                   peers[i].match + CAUGHT_UP_ENTRIES >= raft_last_index(group->raft);
    return replica == group->self;
}

/** V2. */
static bool filled(const struct node *node, struct group *group, const struct raft_configuration *filling) {
    bool all = true;
    for (uint32_t i = 0; i < filling->learner_count; i++)
        all &= group_caught_up(group, filling->learners[i]);
    if (!all)
        group->filled_ms = 0;
    else if (group->filled_ms == 0)
        group->filled_ms = node->now_ms;
    return all && (filling->learner_count == 0 || node->now_ms - group->filled_ms >= CAUGHT_UP_MS);
}

static void change(struct node *node, struct group *group, const struct raft_configuration *target) {
    struct raft_event event = {.type = RAFT_EVENT_CHANGE, .now_ms = node->now_ms, .change = target};
    enum lf_status status = group_step(node, group, &event);
    node_tracef(node, "group=%llu move epoch=%llu voters=%u learners=%u: %s", (unsigned long long)group->id,
                (unsigned long long)target->epoch, target->voter_count, target->learner_count, lf_status_name(status));
    group->filled_ms = 0;
}

void moves_lead(struct node *node, struct group *group, const struct metadata_partition *partition) {
    if (!group_leads(group) || !raft_may_change(group->raft) || node->stopping)
        return;
    const struct raft_configuration *now = raft_configuration(group->raft);
    struct raft_configuration wanted = final_members(partition);
    if (now->epoch > wanted.epoch) /* V1 */
        return;
    struct raft_configuration filling = filling_members(now, &wanted);
    bool serves = now->epoch == wanted.epoch && same_learners(now, &filling);
    if (serves && filling.learner_count == 0 && raft_configuration_same_voters(now, &wanted)) { /* 3. */
        struct peer_report report = {.group = group->id, .value = wanted.epoch};
        if (node->now_ms - group->reported_ms < REPORT_MS)
            return;
        group->reported_ms = node->now_ms;
        reports_send(node, &report);
    } else if (!serves && filling.learner_count > 0) { /* 1. */
        change(node, group, &filling);
    } else if (filled(node, group, &filling)) { /* 2. */
        change(node, group, &wanted);
    }
}
