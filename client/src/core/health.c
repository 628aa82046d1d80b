/** Many brokers' answers to "what is wrong?", as one.
 *
 *  1. Who leads a group judges it: what leaders say is taken as it is.
 *  2. A group without a leader is told by each of its replicas: the same (group, kind) of another broker only adds
 *     nodes.
 *  3. A node that does not answer is a problem, unless nothing hangs on it (it has not joined yet, or is drained).
 *  4. The groups led by those who answered, and those known to have no leader, must be all there are. Else the rest was
 *     judged by nobody, and neither "healthy" nor "can stop" can be said. */
#include "lf_health.h"

#include "lf_buf.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_BYTES 256
#define NODES_MAX 16 /* per problem */

/* What the public structure points into lies behind it. */
struct problem {
    struct lf_problem shown;
    char topic[256];
    char text[TEXT_BYTES];
    uint64_t nodes[NODES_MAX];
};
struct merged {
    struct lf_health shown; /* first: lf_health_free gets this */
    struct problem *found;
    size_t count, capacity;
};

static struct problem *problem_add(struct merged *merged, enum lf_problem_kind kind, const char *text) {
    if (merged->count == merged->capacity) {
        size_t capacity = merged->capacity ? merged->capacity * 2 : 16;
        struct problem *found = realloc(merged->found, capacity * sizeof *found);
        if (!found)
            return NULL;
        merged->found = found;
        merged->capacity = capacity;
    }
    struct problem *problem = &merged->found[merged->count++];
    memset(problem, 0, sizeof *problem);
    problem->shown.kind = kind;
    problem->shown.harmless = kind == LF_PROBLEM_MOVING;
    snprintf(problem->text, sizeof problem->text, "%s", text);
    return problem;
}

static void node_add(struct problem *problem, uint64_t node) {
    for (size_t i = 0; i < problem->shown.node_count; i++)
        if (problem->nodes[i] == node)
            return;
    if (problem->shown.node_count < NODES_MAX)
        problem->nodes[problem->shown.node_count++] = node;
}

static struct problem *same_problem(struct merged *merged, size_t before, const Lf__GroupProblem *said) {
    for (size_t i = 0; i < before; i++)
        if (merged->found[i].shown.group == said->group && (int)merged->found[i].shown.kind == (int)said->kind)
            return &merged->found[i];
    return NULL;
}

static bool take_answer(struct merged *merged, const Lf__ClusterCheckReply *reply) {
    size_t before = merged->count; /* one broker's own list holds nothing twice */
    merged->shown.nodes_answered++;
    merged->shown.groups_judged += reply->groups_led;
    merged->shown.problems_left_out += reply->problems_left_out;
    for (size_t i = 0; i < reply->n_problems; i++) {
        const Lf__GroupProblem *said = reply->problems[i];
        struct problem *problem = same_problem(merged, before, said);
        if (!problem) {
            problem = problem_add(merged, (enum lf_problem_kind)said->kind, said->text);
            if (!problem)
                return false;
            problem->shown.group = said->group;
            problem->shown.partition = said->partition;
            if (said->topic)
                snprintf(problem->topic, sizeof problem->topic, "%s", said->topic->name);
            merged->shown.groups_judged += said->kind == LF__GROUP_PROBLEM_KIND__PROBLEM_NO_LEADER;
        }
        for (size_t j = 0; j < said->n_nodes; j++)
            node_add(problem, said->nodes[j]);
    }
    return true;
}

static bool take_disk(struct merged *merged, const struct lf_health_answer *answer) {
    if (!answer->reply->disk[0])
        return true;
    struct problem *problem = problem_add(merged, LF_PROBLEM_DISK_FULL, answer->reply->disk);
    if (problem)
        node_add(problem, answer->node);
    return problem != NULL;
}

static const Lf__NodeStatus *node_status(const Lf__ClusterStatusReply *nodes, uint64_t node) {
    for (size_t i = 0; i < nodes->n_nodes; i++)
        if (nodes->nodes[i]->broker && nodes->nodes[i]->broker->node_id == node)
            return nodes->nodes[i];
    return NULL;
}

static bool take_silence(struct merged *merged, const struct lf_health_answer *answer, const Lf__NodeStatus *status) {
    char text[TEXT_BYTES];
    unsigned long long node = answer->node;
    bool harmless = true;
    if (status && status->state == LF__NODE_STATE__NODE_JOINING) {
        snprintf(text, sizeof text, "node %llu was added and has not joined yet: start it with --join", node);
    } else if (status && status->state == LF__NODE_STATE__NODE_DRAINED) {
        snprintf(text, sizeof text, "node %llu is drained and does not answer: remove it, or end its draining", node);
    } else {
        snprintf(text, sizeof text, "node %llu does not answer (%.150s)", node, answer->error ? answer->error : "");
        harmless = false;
    }
    struct problem *problem = problem_add(merged, LF_PROBLEM_NODE_SILENT, text);
    if (!problem)
        return false;
    problem->shown.harmless = harmless;
    node_add(problem, answer->node);
    return true;
}

static bool take_rest(struct merged *merged) {
    struct lf_health *health = &merged->shown;
    if (health->groups_judged >= health->groups) {
        health->groups_judged = health->groups; /* one that changed its leader meanwhile was counted twice */
        return true;
    }
    char text[TEXT_BYTES];
    snprintf(text, sizeof text, "%u of %u groups are led by nobody who answered: nothing is known of them",
             health->groups - health->groups_judged, health->groups);
    return problem_add(merged, LF_PROBLEM_NOT_JUDGED, text) != NULL;
}

static void conclude(struct merged *merged, bool asked_without) {
    struct lf_health *health = &merged->shown;
    bool all_seen = health->groups_judged == health->groups && health->problems_left_out == 0;
    health->healthy = all_seen;
    health->can_stop = all_seen && asked_without;
    for (size_t i = 0; i < merged->count; i++) {
        const struct lf_problem *problem = &merged->found[i].shown;
        bool would = problem->kind == LF_PROBLEM_WOULD_LOSE_MAJORITY;
        health->healthy &= problem->harmless || would;
        health->can_stop &= !would && problem->kind != LF_PROBLEM_NO_LEADER;
    }
}

/* The array users see, now that nothing moves any more. */
static bool show(struct merged *merged) {
    struct lf_problem *problems = calloc(merged->count + 1, sizeof *problems);
    if (!problems)
        return false;
    for (size_t i = 0; i < merged->count; i++) {
        struct problem *problem = &merged->found[i];
        problem->shown.topic = problem->topic[0] ? problem->topic : NULL;
        problem->shown.text = problem->text;
        problem->shown.nodes = problem->nodes;
        problems[i] = problem->shown;
    }
    merged->shown.problems = problems;
    merged->shown.problem_count = merged->count;
    return true;
}

void lf_health_free(struct lf_health *health) {
    if (!health)
        return;
    struct merged *merged = (struct merged *)health;
    free((void *)(uintptr_t)health->problems);
    free(merged->found);
    free(merged);
}

enum lf_status lf_health_merge(const Lf__ClusterStatusReply *nodes, const struct lf_health_answer *answers,
                               size_t answer_count, uint64_t without_node, struct lf_health **out) {
    *out = NULL;
    struct merged *merged = calloc(1, sizeof *merged);
    if (!merged)
        return LF_NO_MEMORY;
    merged->shown.groups = nodes->partitions + 1;
    merged->shown.nodes = (uint32_t)answer_count;
    bool room = true;
    for (size_t i = 0; room && i < answer_count; i++)
        room = answers[i].reply ? take_answer(merged, answers[i].reply) && take_disk(merged, &answers[i])
                                : take_silence(merged, &answers[i], node_status(nodes, answers[i].node));
    room = room && take_rest(merged);
    conclude(merged, without_node != 0);
    if (!room || !show(merged)) {
        lf_health_free(&merged->shown);
        return LF_NO_MEMORY;
    }
    *out = &merged->shown;
    return LF_OK;
}
