#include "store_tool.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "logflumed store TOOL DIR [SUBJECT]: look at the store of a node that is stopped\n"
    "\n"
    "  ls DIR [SUBJECT]      what is in it: a line per group, with entries, offsets, segments\n"
    "  verify DIR [SUBJECT]  is it whole? the files as a start would judge them, then every entry; says what and "
    "where\n"
    "  dump DIR [SUBJECT]    the entries of groups in words, a line each\n"
    "  export DIR SUBJECT    the records of a topic or partition, as `logflume sub` prints them\n"
    "  recover --lost-majority DIR [SUBJECT]\n"
    "                        a majority is lost for good: this node goes on alone with what it has. Says what is kept "
    "and\n"
    "                        what may be lost; writes only with --execute. See operations.md first\n"
    "\n"
    "DIR is the node's data directory (or a store that was set aside, DATA/store.replaced.N). SUBJECT is TOPIC, "
    "TOPIC/P,\n"
    "a group's number, or metadata. Nothing in DIR is written, whatever state it is in (but by recover --execute); the "
    "node\n"
    "must not run.\n"
    "\n"
    "      --json            a JSON object per line (export: as `logflume sub -J`)\n"
    "  -q, --quiet           no progress on stderr\n"
    "      --despite-damage  go on with what can be read although the files are damaged\n"
    "      --bytes           ls: count the bytes that are not sealed yet (reads them)\n"
    "  -o, --from N          dump: from entry N; export: from offset N, also below the log start (else from there)\n"
    "  -c, --count N         dump, export: at most N\n"
    "  -f, --format FORMAT   export: as of `logflume sub -f`\n"
    "      --all             export: also what is not known to be committed\n"
    "      --lost-majority   recover: what happened\n"
    "      --execute         recover: do it\n"
    "      --learners        recover: also groups in which this node has a learner\n"
    "\n"
    "  logflumed store verify /var/lib/logflume && echo whole\n"
    "  logflumed store export /var/lib/logflume orders/0 -f '%o %k %s\\n' >orders-0.txt\n"
    "  logflumed store dump /var/lib/logflume metadata -c 20\n"
    "\n"
    "Exit codes: 0 ok, 1 failed, 2 usage, 5 no store or no such subject, 6 damaged, 8 a process has the store.\n";

struct store_action {
    const char *name;
    int (*run)(struct store_tool *tool);
    bool opens; /**< the store, before it runs */
    int subjects_min, subjects_max;
};
static const struct store_action actions[] = {
    {"ls", store_ls, true, 0, 1},         {"verify", store_verify, false, 0, 1},  {"dump", store_dump, true, 0, 1},
    {"export", store_export, true, 1, 1}, {"recover", store_recover, true, 0, 1}, {NULL, NULL, false, 0, 0}};

static int usage(const char *words, const char *what) {
    fprintf(stderr, "logflumed store: %s%s; see `logflumed store --help`\n", words, what);
    return STORE_EXIT_USAGE;
}

static bool number(const char *text, int64_t *value) {
    char *end;
    errno = 0;
    long long parsed = strtoll(text, &end, 10);
    *value = parsed;
    return errno == 0 && end != text && *end == '\0' && parsed >= 0;
}

enum {
    OPTION_JSON = 1000,
    OPTION_DESPITE,
    OPTION_BYTES,
    OPTION_ALL,
    OPTION_LOST_MAJORITY,
    OPTION_EXECUTE,
    OPTION_LEARNERS
};

/** The exit code, -1 to go on. */
static int take_option(struct store_wish *wish, int option) {
    int64_t value;
    switch (option) {
    case 'h':
        fputs(help, stdout);
        return STORE_EXIT_OK;
    case 'q':
        wish->quiet = true;
        return -1;
    case 'o':
        wish->has_from = true;
        return number(optarg, &wish->from) ? -1 : usage("--from: not a whole number: ", optarg);
    case 'c':
        if (!number(optarg, &value) || value == 0)
            return usage("--count: not a whole number above 0: ", optarg);
        wish->count = (uint64_t)value;
        return -1;
    case 'f':
        wish->format = optarg;
        return -1;
    case 'J':
    case OPTION_JSON:
        wish->json = true;
        return -1;
    case OPTION_DESPITE:
        wish->despite_damage = true;
        return -1;
    case OPTION_BYTES:
        wish->bytes = true;
        return -1;
    case OPTION_ALL:
        wish->all = true;
        return -1;
    case OPTION_LOST_MAJORITY:
        wish->lost_majority = true;
        return -1;
    case OPTION_EXECUTE:
        wish->execute = true;
        return -1;
    case OPTION_LEARNERS:
        wish->learners = true;
        return -1;
    default:
        return usage("an unknown option, or one without its value", "");
    }
}

static int parse(struct store_wish *wish, int argc, char **argv) {
    static const struct option options[] = {{"json", no_argument, NULL, OPTION_JSON},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"despite-damage", no_argument, NULL, OPTION_DESPITE},
                                            {"bytes", no_argument, NULL, OPTION_BYTES},
                                            {"all", no_argument, NULL, OPTION_ALL},
                                            {"from", required_argument, NULL, 'o'},
                                            {"count", required_argument, NULL, 'c'},
                                            {"format", required_argument, NULL, 'f'},
                                            {"lost-majority", no_argument, NULL, OPTION_LOST_MAJORITY},
                                            {"execute", no_argument, NULL, OPTION_EXECUTE},
                                            {"learners", no_argument, NULL, OPTION_LEARNERS},
                                            {NULL, 0, NULL, 0}};
    opterr = 0;
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "qho:c:f:J", options, NULL)) != -1;) {
        int code = take_option(wish, option);
        if (code >= 0)
            return code;
    }
    return -1;
}

static int run(const struct store_action *action, const struct store_wish *wish) {
    static struct store_tool tool;
    tool = (struct store_tool){.wish = wish};
    int code = action->opens ? store_tool_open(&tool) : STORE_EXIT_OK;
    if (code == STORE_EXIT_OK)
        code = action->run(&tool);
    store_tool_close(&tool);
    return code;
}

int store_command(int argc, char **argv) {
    struct store_wish wish = {0};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    int code = parse(&wish, argc, argv);
    if (code >= 0)
        return code;
    const struct store_action *action = actions;
    const char *name = optind < argc ? argv[optind] : "";
    while (action->name && strcmp(action->name, name) != 0)
        action++;
    if (!action->name)
        return usage(name[0] ? "no such tool: " : "which tool? ls, verify, dump, export or recover", name);
    int operands = argc - optind - 1;
    if (operands < 1)
        return usage("which directory? It stands after ", name);
    if (operands - 1 < action->subjects_min || operands - 1 > action->subjects_max)
        return usage(operands - 1 < action->subjects_min ? "which topic? It stands after the directory of "
                                                         : "too many words: ",
                     name);
    if (wish.format && wish.json)
        return usage("-f and --json exclude each other", "");
    wish.directory = argv[optind + 1];
    wish.subject = operands > 1 ? argv[optind + 2] : NULL;
    return run(action, &wish);
}
