/** Backups on every broker. */
#include "client.pb-c.h"
#include "edge.h"

#include <stdio.h>
#include <stdlib.h>

void lf_node_backups_free(struct lf_node_backups *nodes, size_t count) {
    for (size_t i = 0; nodes && i < count; i++)
        free(nodes[i].backups);
    free(nodes);
}

static void take_answer(struct lf_node_backups *node, const struct lf_waited_command *command,
                        const Lf__ClientReply *reply) {
    node->status = command->status;
    snprintf(node->text, sizeof node->text, "%s", command->error.text);
    size_t count = reply ? reply->backup->n_backups : 0;
    node->backups = calloc(count + 1, sizeof *node->backups);
    if (!node->backups) {
        node->status = LF_NO_MEMORY;
        snprintf(node->text, sizeof node->text, "out of memory");
        return;
    }
    for (; node->count < count; node->count++) {
        const Lf__BackupDescription *said = reply->backup->backups[node->count];
        struct lf_backup *backup = &node->backups[node->count];
        *backup = (struct lf_backup){.made_ms = said->made_ms, .files = said->files, .bytes = said->bytes};
        snprintf(backup->name, sizeof backup->name, "%s", said->name);
    }
}

/* Those (not) among the last ones, at once. */
static void ask(struct lf_client *client, const struct lf_core_call *wanted, uint64_t last, bool is_last,
                struct lf_waited_command *commands, struct lf_node_backups *nodes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct lf_core_call what = *wanted;
        what.node = nodes[i].node;
        if ((nodes[i].node == last) == is_last)
            lf_ask_begin(client, &commands[i], what);
    }
    for (size_t i = 0; i < count; i++) {
        if ((nodes[i].node == last) != is_last)
            continue;
        take_answer(&nodes[i], &commands[i], lf_ask_end(client, &commands[i]));
        if (commands[i].reply)
            lf__client_reply__free_unpacked(commands[i].reply, NULL);
    }
}

enum lf_status lf_cluster_backup(struct lf_client *client, enum lf_backup_action action, const char *name,
                                 struct lf_node_backups **nodes, size_t *count, struct lf_error *error) {
    struct lf_cluster cluster;
    *nodes = NULL;
    *count = 0;
    enum lf_status status = lf_cluster_status(client, &cluster, error);
    if (status != LF_OK)
        return status;
    struct lf_waited_command *commands = calloc(cluster.node_count + 1, sizeof *commands);
    *nodes = calloc(cluster.node_count + 1, sizeof **nodes);
    if (commands && *nodes) {
        struct lf_core_call what = {.type = LF_CALL_BACKUP, .topic = name, .backup_action = action};
        for (; *count < cluster.node_count; ++*count)
            (*nodes)[*count].node = cluster.nodes[*count].id;
        ask(client, &what, cluster.controller_node, false, commands, *nodes, *count);
        ask(client, &what, cluster.controller_node, true, commands, *nodes, *count);
    } else {
        free(*nodes);
        *nodes = NULL;
        status = lf_error_set(error, LF_NO_MEMORY, "out of memory");
    }
    free(commands);
    lf_cluster_free(&cluster);
    return status;
}
