#include "backup_command.h"

#include "backup_tool.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "logflumed backup TOOL: what is done with backups (`logflume backup create` makes them)\n"
    "\n"
    "  verify DIR ...               is it whole? which partitions does it hold, up to where? Of several nodes' "
    "backups:\n"
    "                               which partitions does none of them hold?\n"
    "  restore --from DIR [--from DIR ...] --data NEWDIR\n"
    "                               a new cluster of one node, with everything that this node's backup holds, or "
    "several\n"
    "                               nodes' backups together\n"
    "\n"
    "DIR is one node's backup (DATA/backups/NAME, or a copy of it): the directory with backup.json. Nothing in it is\n"
    "written. `logflume backup verify | restore` is the same.\n"
    "\n"
    "The restored cluster has an id of its own, so that it never talks with the old one. The node keeps its id and\n"
    "leads everything alone, until others join and the nodes that are no more are drained and removed. Messages keep\n"
    "their offsets; each partition goes on 2^32 behind its last one, so that what was published after the backup can\n"
    "never be taken for something else. Of several nodes' backups of one cluster, the one with the newest metadata is\n"
    "the base: the restored node has its id. Of each partition the newest copy among all of them is taken, the one "
    "whose\n"
    "last entry has the highest term, then index. Give them all, and restore once.\n"
    "\n"
    "      --from DIR          restore: the backup; again for each further node's\n"
    "      --data NEWDIR       restore: the node's new data directory, absent or empty. The base's tables are shared "
    "by\n"
    "                          hard links where it is on its filesystem, else copied\n"
    "      --without-missing   restore: also when none of the backups has some partitions, which are then without a "
    "leader\n"
    "      --json              a JSON object per line\n"
    "  -q, --quiet             no progress on stderr\n"
    "\n"
    "  logflumed backup verify /mnt/backups/*/monday\n"
    "  logflumed backup restore --from /mnt/backups/node1/monday --data /var/lib/logflume\n"
    "  logflumed backup restore --from /mnt/b/1/monday --from /mnt/b/2/monday --data /var/lib/logflume\n"
    "\n"
    "Exit codes: 0 ok, 1 failed, or a partition is in none of them, 2 usage, 5 no backup there, 6 damaged.\n";

static int usage(const char *words, const char *what) {
    fprintf(stderr, "logflumed backup: %s%s; see `logflumed backup --help`\n", words, what);
    return STORE_EXIT_USAGE;
}

enum { OPTION_JSON = 1000, OPTION_FROM, OPTION_DATA, OPTION_WITHOUT };

static bool add_source(struct backup_wish *wish, const char *directory) {
    if (wish->source_count == BACKUP_SOURCES_MAX)
        return false;
    wish->sources[wish->source_count++] = directory;
    return true;
}

/** The exit code, -1 to go on. */
static int take_option(struct backup_wish *wish, int option) {
    switch (option) {
    case 'h':
        fputs(help, stdout);
        return STORE_EXIT_OK;
    case 'q':
        wish->store.quiet = true;
        return -1;
    case OPTION_JSON:
        wish->store.json = true;
        return -1;
    case OPTION_FROM:
        return add_source(wish, optarg) ? -1 : usage("too many backups", "");
    case OPTION_DATA:
        wish->data = optarg;
        return -1;
    case OPTION_WITHOUT:
        wish->without_missing = true;
        return -1;
    default:
        return usage("an unknown option, or one without its value", "");
    }
}

static int parse(struct backup_wish *wish, int argc, char **argv) {
    static const struct option options[] = {{"json", no_argument, NULL, OPTION_JSON},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"from", required_argument, NULL, OPTION_FROM},
                                            {"data", required_argument, NULL, OPTION_DATA},
                                            {"without-missing", no_argument, NULL, OPTION_WITHOUT},
                                            {NULL, 0, NULL, 0}};
    opterr = 0;
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "qh", options, NULL)) != -1;) {
        int code = take_option(wish, option);
        if (code >= 0)
            return code;
    }
    return -1;
}

static int run_verify(struct backup_wish *wish, int argc, char **argv) {
    if (wish->data || wish->without_missing || wish->source_count > 0)
        return usage("--from, --data and --without-missing are of restore", "");
    for (int i = optind + 1; i < argc; i++)
        if (!add_source(wish, argv[i]))
            return usage("too many backups", "");
    return wish->source_count > 0 ? backup_verify(wish) : usage("which backup? Its directory stands after verify", "");
}

static int run_restore(struct backup_wish *wish, int argc, char **argv) {
    if (optind + 1 < argc)
        return usage("a word too many: ", argv[optind + 1]);
    if (wish->source_count == 0 || !wish->data)
        return usage("restore: --from DIR and --data NEWDIR are needed", "");
    return backup_restore(wish);
}

int backup_command(int argc, char **argv) {
    static struct backup_wish wish;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    wish.store.command = "backup";
    int code = parse(&wish, argc, argv);
    if (code >= 0)
        return code;
    const char *name = optind < argc ? argv[optind] : "";
    if (strcmp(name, "verify") == 0)
        return run_verify(&wish, argc, argv);
    if (strcmp(name, "restore") == 0)
        return run_restore(&wish, argc, argv);
    return usage(name[0] ? "no such tool: " : "which tool? verify or restore", name);
}
