/** What is wrong with the groups that this node leads, or holds without knowing a leader; and what would be if a node
 *  stopped. */
#include "node_internal.h"

#include "reply_arena.h"

#include "raft_configuration.h"

#include <stdarg.h>
#include <stdio.h>

#define PROBLEMS_MAX 1000

struct check {
    struct node *node;
    struct reply_arena *arena;
    Lf__ClusterCheckReply *body;
    uint64_t without;
};

__attribute__((format(printf, 6, 7))) static void add(struct check *check, const struct group *group,
                                                      Lf__GroupProblemKind kind, const uint64_t *nodes, size_t count,
                                                      const char *format, ...) {
    if (check->body->n_problems == PROBLEMS_MAX) {
        check->body->problems_left_out++;
        return;
    }
    Lf__GroupProblem *problem = reply_arena_take(check->arena, 1, sizeof *problem);
    lf__group_problem__init(problem);
    problem->group = group->id;
    problem->kind = kind;
    const struct metadata_topic *topic =
        group->assigned ? metadata_topic_by_id(check->node->metadata, group->topic_id) : NULL;
    if (topic) {
        problem->topic = reply_arena_topic(check->arena, topic);
        problem->partition = group->partition_number;
    }
    problem->n_nodes = count;
    problem->nodes = reply_arena_take(check->arena, count, sizeof *problem->nodes);
    memcpy(problem->nodes, nodes, count * sizeof *nodes);
    problem->text = reply_arena_take(check->arena, LF_ERROR_TEXT_BYTES, 1);
    va_list args;
    va_start(args, format);
    vsnprintf(problem->text, LF_ERROR_TEXT_BYTES, format, args);
    va_end(args);
    check->body->problems[check->body->n_problems++] = problem;
}

/** Keeps up, so that it could help to decide. */
static bool helps(const struct check *check, const struct group *group, uint64_t replica) {
    return group_member_node(check->node, group, replica) != check->without && group_caught_up(group, replica);
}

static bool majority_left(const struct check *check, const struct group *group, const uint64_t *voters,
                          uint32_t count) {
    uint32_t left = 0;
    for (uint32_t i = 0; i < count; i++)
        left += helps(check, group, voters[i]);
    return count == 0 || left > count / 2;
}

static void look_without(struct check *check, const struct group *group) {
    const struct raft_configuration *now = raft_configuration(group->raft);
    bool concerned = false;
    for (uint32_t i = 0; i < now->voter_count; i++)
        concerned |= group_member_node(check->node, group, now->voters[i]) == check->without;
    for (uint32_t i = 0; i < now->outgoing_count; i++)
        concerned |= group_member_node(check->node, group, now->outgoing[i]) == check->without;
    if (concerned && (!majority_left(check, group, now->voters, now->voter_count) ||
                      !majority_left(check, group, now->outgoing, now->outgoing_count)))
        add(check, group, LF__GROUP_PROBLEM_KIND__PROBLEM_WOULD_LOSE_MAJORITY, &check->without, 1,
            "without node %llu no majority of replicas that keep up is left", (unsigned long long)check->without);
}

static void look_at_voter(struct check *check, const struct group *group, const struct raft_peer_view *peer) {
    uint64_t node_id = group_member_node(check->node, group, peer->replica);
    unsigned long long id = node_id, lacks = raft_last_index(group->raft) - peer->match;
    if (peer->damaged)
        add(check, group, LF__GROUP_PROBLEM_KIND__PROBLEM_REPLICA_DAMAGED, &node_id, 1,
            "the replica on node %llu lost what it had acknowledged", id);
    else if (!peer->active)
        add(check, group, LF__GROUP_PROBLEM_KIND__PROBLEM_REPLICA_SILENT, &node_id, 1,
            "the replica on node %llu does not answer", id);
    else if (!group_caught_up(group, peer->replica))
        add(check, group, LF__GROUP_PROBLEM_KIND__PROBLEM_REPLICA_BEHIND, &node_id, 1,
            "the replica on node %llu lacks %llu entries", id, lacks);
}

static void look_at_led(struct check *check, const struct group *group) {
    struct raft_peer_view peers[RAFT_MEMBERS_MAX];
    size_t count = raft_peers(group->raft, peers, RAFT_MEMBERS_MAX);
    for (size_t i = 0; i < count; i++)
        if (peers[i].voter)
            look_at_voter(check, group, &peers[i]);
    const struct metadata_partition *partition = group->assigned;
    if (partition && partition->wanted.epoch != partition->current.epoch) {
        uint64_t nodes[METADATA_REPLICAS_MAX];
        for (size_t i = 0; i < partition->wanted.replica_count; i++)
            nodes[i] = partition->wanted.replicas[i].node_id;
        add(check, group, LF__GROUP_PROBLEM_KIND__PROBLEM_MOVING, nodes, partition->wanted.replica_count,
            "moving: epoch %llu is wanted, %llu is reached", (unsigned long long)partition->wanted.epoch,
            (unsigned long long)partition->current.epoch);
    }
    if (check->without != 0)
        look_without(check, group);
}

static void look_at(struct check *check, const struct group *group) {
    uint64_t self = check->node->id;
    check->body->groups_held++;
    if (group->state == GROUP_STOPPED || group->apply_blocked) {
        add(check, group, LF__GROUP_PROBLEM_KIND__PROBLEM_GROUP_STOPPED, &self, 1,
            "the replica on node %llu %s: see its log", (unsigned long long)self,
            group->state == GROUP_STOPPED ? "stopped" : "met an entry of a newer version");
    } else if (group->state != GROUP_RUNNING || raft_leader(group->raft) == 0) {
        add(check, group, LF__GROUP_PROBLEM_KIND__PROBLEM_NO_LEADER, &self, 1, "node %llu knows no leader%s",
            (unsigned long long)self, group->state == GROUP_RUNNING ? "" : ": it is still loading");
    } else if (group_leads(group)) {
        check->body->groups_led++;
        look_at_led(check, group);
    }
}

void check_on_request(struct node *node, struct session *session, const Lf__ClientRequest *request) {
    struct reply_arena arena = {0};
    Lf__ClusterCheckReply body = LF__CLUSTER_CHECK_REPLY__INIT;
    struct check check = {
        .node = node, .arena = &arena, .body = &body, .without = request->cluster_check->without_node};
    body.problems = reply_arena_take(&arena, PROBLEMS_MAX, sizeof(*body.problems));
    size_t cursor = 0;
    const struct group *group;
    while ((group = lf_map_next(&node->groups, &cursor)))
        look_at(&check, group);
    char disk[LF_ERROR_TEXT_BYTES];
    if (space_words(node, disk))
        body.disk = disk;
    Lf__ClientReply reply;
    reply_init(node, &reply, request->request_id);
    reply.body_case = LF__CLIENT_REPLY__BODY_CLUSTER_CHECK;
    reply.cluster_check = &body;
    reply_send(node, session->id, &reply, NULL, 0);
    reply_arena_free(&arena);
}
