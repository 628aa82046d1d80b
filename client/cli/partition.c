/** logflume partition move (segments: partition_segments.c), logflume cluster transfer */
#include "cli.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 200

/* ---- how far a move is ------------------------------------------------------------------------------------------- */

static const struct lf_member *member_of(const struct lf_partition *partition, uint64_t node) {
    for (size_t i = 0; i < partition->member_count; i++)
        if (partition->members[i].node == node)
            return &partition->members[i];
    return NULL;
}

static bool holds_now(const struct lf_partition *partition, uint64_t node) {
    for (size_t i = 0; i < partition->replica_count; i++)
        if (partition->replica_nodes[i] == node)
            return true;
    return false;
}

static unsigned percent(const struct lf_member *member) {
    if (member->last_index == 0 || member->match_index >= member->last_index)
        return 100;
    return (unsigned)(member->match_index * 100.0 / (double)member->last_index);
}

/* The phases in order: adding, catching up, switching, finishing (the new set counts; group 0 does not know yet). */
void cli_move_words(const struct lf_partition *partition, char *words, size_t size) {
    if (partition->wanted_epoch <= partition->assignment_epoch) {
        snprintf(words, size, "done");
        return;
    }
    if (partition->member_count == 0) {
        snprintf(words, size, "waiting for a leader's word");
        return;
    }
    char adding[64] = "", filling[160] = "";
    for (size_t i = 0; i < partition->wanted_count; i++) {
        unsigned long long node = partition->wanted_nodes[i];
        const struct lf_member *member = member_of(partition, node);
        size_t used = strlen(adding), full = strlen(filling);
        if (!member && !holds_now(partition, node))
            snprintf(adding + used, sizeof adding - used, " %llu", node);
        else if (member && member->kind == LF_REPLICA_LEARNER)
            snprintf(filling + full, sizeof filling - full, " %llu (%u %%, %llu entries left%s)", node, percent(member),
                     (unsigned long long)(member->last_index > member->match_index
                                              ? member->last_index - member->match_index
                                              : 0),
                     member->active ? "" : ", not heard of");
    }
    bool leaving = false;
    for (size_t i = 0; i < partition->member_count; i++)
        leaving |= partition->members[i].kind == LF_REPLICA_LEAVING;
    if (adding[0])
        snprintf(words, size, "adding%s", adding);
    else if (filling[0])
        snprintf(words, size, "catching up%s", filling);
    else
        snprintf(words, size, leaving ? "switching" : "finishing");
}

static const struct lf_partition *find(const struct lf_topic *topic, const struct lf_partition *partitions,
                                       int32_t number) {
    for (uint32_t i = 0; i < topic->partitions; i++)
        if (partitions[i].partition == (uint32_t)number)
            return &partitions[i];
    return NULL;
}

/* ---- move -------------------------------------------------------------------------------------------------------- */

struct move {
    const char *topic;
    int32_t partition;
    uint64_t epoch;
    struct cli_progress progress;
};

static bool same_wish(const struct cli_change *change, const struct lf_partition *partition) {
    return partition->wanted_count == change->to_count &&
           memcmp(partition->wanted_nodes, change->to_nodes, change->to_count * sizeof *change->to_nodes) == 0;
}

/* One look. CLI_OK: done; -1: not yet; else the exit code. */
static int look(struct cli_change *change, struct move *move) {
    struct lf_topic topic;
    struct lf_partition *partitions;
    struct lf_error error = {0};
    enum lf_status status = lf_topic_describe(change->client, move->topic, &topic, &partitions, &error);
    if (status == LF_CONNECT || status == LF_TIMED_OUT) {
        cli_progress_say(&move->progress, "%s/%d: no answer now (%s); the move goes on", move->topic, move->partition,
                         error.text);
        return -1;
    }
    if (status != LF_OK)
        return cli_failed(change->action, status, error.text);
    const struct lf_partition *partition = find(&topic, partitions, move->partition);
    int code = -1;
    if (partition && partition->assignment_epoch >= move->epoch) {
        char nodes[128];
        cli_nodes_words(partition->replica_nodes, partition->replica_count, nodes, sizeof nodes);
        cli_progress_say(&move->progress, "%s/%d: done: on %s", move->topic, move->partition, nodes);
        code = CLI_OK;
    } else if (partition && partition->wanted_epoch > move->epoch && !same_wish(change, partition)) {
        char nodes[128];
        cli_nodes_words(partition->wanted_nodes, partition->wanted_count, nodes, sizeof nodes);
        fprintf(stderr, "logflume: %s/%d: another move took over: it goes to %s now\n", move->topic, move->partition,
                nodes);
        code = CLI_FAILED;
    } else if (partition) {
        char words[256];
        cli_move_words(partition, words, sizeof words);
        cli_progress_say(&move->progress, "%s/%d: %s", move->topic, move->partition, words);
    }
    free(topic.name);
    free(partitions);
    return code;
}

static int wait_until_moved(struct cli_change *change, struct move *move) {
    uint64_t end = change->wait_ms ? cli_now_ms() + change->wait_ms : UINT64_MAX;
    for (;;) {
        int code = look(change, move);
        if (code >= 0)
            return code;
        if (cli_now_ms() >= end) {
            fprintf(stderr, "logflume: %s/%d: not done yet; the move goes on: see `logflume topic describe %s`\n",
                    move->topic, move->partition, move->topic);
            return CLI_UNKNOWN;
        }
        cli_pause(LOOK_MS);
    }
}

static int move(struct cli_change *change) {
    char topic[256];
    struct lf_error error = {0};
    struct move move = {.topic = topic, .progress = {.quiet = change->common.quiet}};
    cli_topic_partition(change->operands[0], topic, &move.partition);
    if (change->to_count == 0)
        return cli_usage(change->action, "--to NODE,...: to which nodes?");
    cli_change_connect(change);
    enum lf_status status = lf_partition_move(change->client, topic, move.partition, change->to_nodes, change->to_count,
                                              &move.epoch, &error);
    if (status != LF_OK)
        return cli_failed(change->action, status, error.text);
    int code = change->wait ? wait_until_moved(change, &move) : CLI_OK;
    if (!change->wait && !change->common.quiet)
        fprintf(stderr, "%s/%d moves; `logflume topic describe %s` shows how far it is\n", topic, move.partition,
                topic);
    if (change->common.json && (code == CLI_OK || code == CLI_UNKNOWN)) {
        json_t *all = json_pack("{s:s,s:i,s:I,s:b}", "topic", topic, "partition", (int)move.partition, "epoch",
                                (json_int_t)move.epoch, "done", change->wait && code == CLI_OK);
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
    }
    return code;
}

int cli_partition(int argc, char **argv) {
    static const struct cli_change_action actions[] = {
        {"move", move, 1, 1, "Tw",
         "logflume partition move TOPIC/P --to NODE,... [--wait[=SECONDS]]\n"
         "\n"
         "These nodes hold the partition from now on; the first should lead. New ones are filled first and count only\n"
         "then; clients notice nothing. The cluster carries the move on by itself, whoever is asked or stops "
         "meanwhile.\n"
         "\n"
         "  --wait[=SECONDS]   until it is done, with progress (exit 4 after SECONDS: it goes on)\n"
         "\n"
         "  logflume partition move orders/0 --to 4,2,3 --wait\n"
         "  logflume topic describe orders          what holds what, and moves under way\n"},
        {"segments", cli_partition_segments, 1, 1, "N",
         "logflume partition segments TOPIC/P [--node N]\n"
         "\n"
         "What the partition's log is made of, as its leader has it, or node N: sealed segments, oldest first, and "
         "the\n"
         "open one. Whole segments are what retention drops; they are equal on all replicas, by checksum.\n"
         "\n"
         "  logflume partition segments orders/0\n"
         "  logflume partition segments orders/0 --node 2 --json\n"},
        {0}};
    return cli_change_run("partition", actions, argc, argv);
}

/* ---- transfer ---------------------------------------------------------------------------------------------------- */

int cli_cluster_transfer(struct cli_change *change) {
    char topic[256] = "";
    int32_t partition = 0;
    if (change->metadata == (change->operand_count == 1))
        return cli_usage(change->action, "TOPIC/P or --metadata: one of them");
    if (change->operand_count == 1)
        cli_topic_partition(change->operands[0], topic, &partition);
    if (change->to_count > 1)
        return cli_usage(change->action, "--to: one node leads");
    cli_change_connect(change);
    struct lf_error error = {0};
    uint64_t leader = 0;
    enum lf_status status = lf_leader_transfer(change->client, change->metadata ? NULL : topic, partition,
                                               change->to_count ? change->to_nodes[0] : 0, &leader, &error);
    if (status != LF_OK)
        return cli_failed(change->action, status, error.text);
    if (change->common.json)
        printf("{\"leader\": %llu}\n", (unsigned long long)leader);
    else if (!change->common.quiet)
        fprintf(stderr, "node %llu leads %s\n", (unsigned long long)leader,
                change->metadata ? "the metadata" : change->operands[0]);
    return CLI_OK;
}
