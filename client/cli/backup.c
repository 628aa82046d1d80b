/** logflume backup: on every broker of the cluster; what is done with finished ones is `logflumed backup`. */
#include "cli.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#define CREATE_TIMEOUT_MS 3600000

static void print_words(const struct lf_node_backups *node, const char *action) {
    char bytes[32], made[40];
    if (node->status != LF_OK)
        fprintf(stderr, "logflume: %s: node %" PRIu64 ": %s\n", action, node->node, node->text);
    for (size_t i = 0; i < node->count; i++) {
        if (node->backups[i].files == 0) {
            printf("node %" PRIu64 "\t%s\tits backup.json cannot be read\n", node->node, node->backups[i].name);
            continue;
        }
        cli_bytes_words(node->backups[i].bytes, bytes, sizeof bytes);
        cli_time_words(node->backups[i].made_ms, made, sizeof made);
        printf("node %" PRIu64 "\t%s\t%s\t%s in %" PRIu64 " files\n", node->node, node->backups[i].name, made, bytes,
               node->backups[i].files);
    }
}

static json_t *node_json(const struct lf_node_backups *node) {
    json_t *backups = json_array();
    for (size_t i = 0; i < node->count; i++)
        json_array_append_new(backups, json_pack("{s:s,s:I,s:I,s:I}", "name", node->backups[i].name, "made_ms",
                                                 (json_int_t)node->backups[i].made_ms, "files",
                                                 (json_int_t)node->backups[i].files, "bytes",
                                                 (json_int_t)node->backups[i].bytes));
    json_t *one = json_pack("{s:I,s:b,s:o}", "node", (json_int_t)node->node, "ok", (int)(node->status == LF_OK),
                            "backups", backups);
    if (one && node->status != LF_OK)
        json_object_set_new(one, "error", json_string(node->text));
    return one;
}

static void print_json(const struct lf_node_backups *nodes, size_t count) {
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(all, node_json(&nodes[i]));
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

/* Deleting is done where there was none. */
static enum lf_status worst(const struct lf_node_backups *nodes, size_t count, enum lf_backup_action action) {
    enum lf_status status = LF_OK;
    size_t done = 0;
    for (size_t i = 0; i < count; i++) {
        bool gone = action == LF_BACKUP_DELETE && nodes[i].status == LF_NOT_FOUND;
        done += nodes[i].status == LF_OK;
        if (nodes[i].status != LF_OK && !gone)
            status = nodes[i].status;
    }
    return status == LF_OK && done == 0 && count > 0 ? LF_NOT_FOUND : status;
}

static int on_all(struct cli_change *change, enum lf_backup_action action) {
    struct lf_node_backups *nodes;
    size_t count;
    struct lf_error error = {0};
    const char *name = change->operand_count > 0 ? change->operands[0] : NULL;
    if (action == LF_BACKUP_CREATE && change->common.timeout_ms == CLI_TIMEOUT_MS_DEFAULT)
        change->common.timeout_ms = CREATE_TIMEOUT_MS;
    cli_change_connect(change);
    enum lf_status status = lf_cluster_backup(change->client, action, name, &nodes, &count, &error);
    if (status != LF_OK)
        return cli_failed(change->action, status, error.text);
    if (change->common.json)
        print_json(nodes, count);
    for (size_t i = 0; i < count; i++)
        if (!change->common.json)
            print_words(&nodes[i], change->action);
    status = worst(nodes, count, action);
    if (status != LF_OK && action == LF_BACKUP_CREATE && !change->common.quiet)
        fprintf(stderr, "logflume: not every node has the backup now; `logflume backup list` shows which do\n");
    lf_node_backups_free(nodes, count);
    return cli_exit_code(status);
}

static int create(struct cli_change *change) { return on_all(change, LF_BACKUP_CREATE); }
static int list(struct cli_change *change) { return on_all(change, LF_BACKUP_LIST); }
static int delete (struct cli_change *change) { return on_all(change, LF_BACKUP_DELETE); }

int cli_backup(int argc, char **argv) {
    if (argc > 1 && (strcmp(argv[1], "verify") == 0 || strcmp(argv[1], "restore") == 0))
        return cli_store(argc, argv); /* as the tools on stores: they are logflumed's */
    static const struct cli_change_action actions[] = {
        {"create", create, 1, 1, "",
         "logflume backup create NAME\n"
         "\n"
         "Every node makes a backup of its store on its own disk, in DATA/backups/NAME, while the cluster goes on. "
         "What\n"
         "was acknowledged before is in it. It takes little room at first: files that do not change any more are "
         "shared\n"
         "with the store and with other backups, by hard links. What the store drops later stays in the backup, and on "
         "the\n"
         "disk, until the backup is deleted. It is on the same disk: copy it elsewhere (rsync -aH keeps what is "
         "shared).\n"
         "\n"
         "  logflume backup create monday\n"},
        {"verify", NULL, 0, 0, "",
         "logflume backup verify DIR ...\n\nIs it whole, and what does it cover? See `logflumed backup --help`.\n"},
        {"restore", NULL, 0, 0, "",
         "logflume backup restore --from DIR [--from DIR ...] --data NEWDIR\n\nA new cluster of one node, of what one "
         "node's backup holds, or several nodes' together. See\n`logflumed backup --help`.\n"},
        {"list", list, 0, 0, "", "logflume backup list\n\nThe backups of every node.\n"},
        {"delete", delete, 1, 1, "",
         "logflume backup delete NAME\n\nEvery node deletes its backup of this name; the room comes back.\n"},
        {0}};
    return cli_change_run("backup", actions, argc, argv);
}
