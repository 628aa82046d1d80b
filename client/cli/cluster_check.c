/** logflume cluster check: is everything well, and may this node be stopped? */
#include "cli.h"

#include <jansson.h>
#include <string.h>

#define LOOKS_MAX 3 /* a leader that changes while it is asked about leaves a group unjudged: look again */
#define LOOK_MS 300

static const char *kind_name(enum lf_problem_kind kind) {
    switch (kind) {
    case LF_PROBLEM_NO_LEADER:
        return "no_leader";
    case LF_PROBLEM_REPLICA_SILENT:
        return "replica_silent";
    case LF_PROBLEM_REPLICA_BEHIND:
        return "replica_behind";
    case LF_PROBLEM_REPLICA_DAMAGED:
        return "replica_damaged";
    case LF_PROBLEM_MOVING:
        return "moving";
    case LF_PROBLEM_WOULD_LOSE_MAJORITY:
        return "would_lose_majority";
    case LF_PROBLEM_GROUP_STOPPED:
        return "group_stopped";
    case LF_PROBLEM_NODE_SILENT:
        return "node_silent";
    case LF_PROBLEM_NOT_JUDGED:
        return "not_judged";
    case LF_PROBLEM_DISK_FULL:
        return "disk_full";
    }
    return "unknown";
}

static void place_words(const struct lf_problem *problem, char *words, size_t size) {
    if (problem->topic)
        snprintf(words, size, "%s/%u", problem->topic, problem->partition);
    else
        snprintf(words, size, problem->kind >= LF_PROBLEM_NODE_SILENT ? "cluster" : "metadata");
}

static json_t *problem_json(const struct lf_problem *problem) {
    json_t *nodes = json_array();
    for (size_t i = 0; i < problem->node_count; i++)
        json_array_append_new(nodes, json_integer((json_int_t)problem->nodes[i]));
    json_t *one = json_pack("{s:s,s:b,s:o,s:s}", "kind", kind_name(problem->kind), "harmless", (int)problem->harmless,
                            "nodes", nodes, "text", problem->text);
    if (problem->topic) {
        json_object_set_new(one, "topic", json_string(problem->topic));
        json_object_set_new(one, "partition", json_integer(problem->partition));
    }
    if (problem->kind < LF_PROBLEM_NODE_SILENT)
        json_object_set_new(one, "group", json_integer((json_int_t)problem->group));
    return one;
}

static void print_json(const struct lf_health *health, uint64_t without) {
    json_t *problems = json_array();
    for (size_t i = 0; i < health->problem_count; i++)
        json_array_append_new(problems, problem_json(&health->problems[i]));
    json_t *all = json_pack("{s:b,s:i,s:i,s:i,s:i,s:i,s:o}", "healthy", (int)health->healthy, "groups",
                            (int)health->groups, "groups_judged", (int)health->groups_judged, "nodes",
                            (int)health->nodes, "nodes_answered", (int)health->nodes_answered, "problems_left_out",
                            (int)health->problems_left_out, "problems", problems);
    if (without) {
        json_object_set_new(all, "without", json_integer((json_int_t)without));
        json_object_set_new(all, "can_stop", json_boolean(health->can_stop));
    }
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static void print_words(const struct lf_health *health, uint64_t without) {
    for (size_t i = 0; i < health->problem_count; i++) {
        char place[300];
        place_words(&health->problems[i], place, sizeof place);
        printf("%s\t%s\t%s\n", place, kind_name(health->problems[i].kind), health->problems[i].text);
    }
    if (health->problems_left_out)
        printf("... and %u more\n", health->problems_left_out);
    printf("%s: %u of %u groups judged, %u of %u nodes answered\n", health->healthy ? "healthy" : "not healthy",
           health->groups_judged, health->groups, health->nodes_answered, health->nodes);
    if (without)
        printf(health->can_stop ? "node %llu may stop: every group keeps its majority\n"
                                : "node %llu must not stop now: see above\n",
               (unsigned long long)without);
}

int cli_cluster_check(struct cli_change *change) {
    cli_change_connect(change);
    struct lf_health *health = NULL;
    for (int looks = 1;; looks++) {
        struct lf_error error = {0};
        enum lf_status status = lf_cluster_check(change->client, change->without, &health, &error);
        if (status != LF_OK)
            return cli_failed(change->action, status, error.text);
        bool counted = health->groups_judged == health->groups || health->nodes_answered < health->nodes;
        if (counted || looks == LOOKS_MAX)
            break;
        lf_health_free(health);
        cli_pause(LOOK_MS);
    }
    if (change->common.json)
        print_json(health, change->without);
    else if (!change->common.quiet)
        print_words(health, change->without);
    bool well = change->without ? health->can_stop : health->healthy;
    lf_health_free(health);
    return well ? CLI_OK : CLI_FAILED;
}
