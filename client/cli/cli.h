/** Shared by the files of the command line client. Data goes to stdout, words to stderr. */
#ifndef CLI_H
#define CLI_H

#include "logflume.h"

#include <stdio.h>

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_CONNECT = 3,
    CLI_UNKNOWN = 4, /**< outcome unknown, or timed out */
    CLI_NOT_FOUND = 5,
};

/** What every command takes: -b, -q, --timeout. */
struct cli_common {
    const char *brokers;
    bool quiet;
    bool json;
    uint32_t timeout_ms;
};
#define CLI_TIMEOUT_MS_DEFAULT 10000

/** Options every command's getopt_long table ends with; and their handling. */
#define CLI_COMMON_LETTERS "b:qh"
#define CLI_COMMON_OPTIONS                                                                                             \
    {"brokers", required_argument, NULL, 'b'}, {"quiet", no_argument, NULL, 'q'}, {"help", no_argument, NULL, 'h'},    \
        {"json", no_argument, NULL, 1000}, {"timeout", required_argument, NULL, 1001}, {                               \
        NULL, 0, NULL, 0                                                                                               \
    }
/** True when the option was one of them. Exits 2 on a bad value. */
bool cli_common_option(struct cli_common *common, int option, const char *value);
void cli_common_init(struct cli_common *common);

/** Words to stderr; returns CLI_USAGE, with a hint at `command --help`. */
int cli_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Words to stderr for a status; returns the exit code that belongs to it. */
int cli_failed(const char *what, enum lf_status status, const char *text);
int cli_exit_code(enum lf_status status);
/** A whole number within bounds; exits 2 in words. */
int64_t cli_number(const char *name, const char *text, int64_t min, int64_t max);
/** Milliseconds since 1970, or 2026-11-24T10:00:00 (UTC), or a day; in ms. Exits 2 in words. */
int64_t cli_time(const char *name, const char *text);
/** "2026-11-24T10:00:00.000Z"; "-" below 0. */
void cli_time_words(int64_t ms, char *words, size_t size);
/** "45.2 MiB" */
void cli_bytes_words(uint64_t bytes, char *words, size_t size);
/** Connects lazily; exits in words when an option is bad. */
lf_client *cli_client(const struct cli_common *common, struct lf_client_options *options);

int cli_pub(int argc, char **argv);
int cli_sub(int argc, char **argv);
int cli_topic(int argc, char **argv);
int cli_cluster(int argc, char **argv);
int cli_partition(int argc, char **argv);
int cli_store(int argc, char **argv);
int cli_backup(int argc, char **argv);

/** What the actions of `cluster` and `partition` take, parsed. */
struct cli_change {
    struct cli_common common;
    const char *action;              /**< "cluster drain", for words */
    const char *host;                /**< NULL: not given */
    uint32_t client_port, peer_port; /**< 0: not given */
    uint64_t node;                   /**< --node; 0: not given */
    uint64_t without, to_nodes[LF_REPLICAS_MAX];
    size_t to_count;
    bool stop, wait, metadata;
    uint32_t wait_ms; /**< 0: for ever */
    const char **operands;
    int operand_count;
    lf_client *client; /**< NULL until cli_change_connect */
};
struct cli_change_action {
    const char *name;
    int (*run)(struct cli_change *change);
    int operands_min, operands_max;
    const char *options; /**< letters of CLI_CHANGE_* it takes besides the common ones */
    const char *help;
};
/** Parses and runs one of the actions (the table ends with name NULL); returns the exit code. */
int cli_change_run(const char *command, const struct cli_change_action *actions, int argc, char **argv);
/** Connects, once. */
void cli_change_connect(struct cli_change *change);
int cli_cluster_status(struct cli_change *change);
int cli_cluster_add(struct cli_change *change);
int cli_cluster_remove(struct cli_change *change);
int cli_cluster_drain(struct cli_change *change);
int cli_cluster_transfer(struct cli_change *change);
int cli_cluster_check(struct cli_change *change);
int cli_partition_segments(struct cli_change *change);
/** A node id; words and exit 2 when it is none. */
uint64_t cli_node(const char *name, const char *text);
/** "TOPIC/P": both, the topic copied into `topic`. Words and exit 2 when it is not. */
void cli_topic_partition(const char *text, char topic[256], int32_t *partition);
const char *cli_node_state(enum lf_node_state state);
const char *cli_replica_kind(enum lf_replica_kind kind);

/** How a move stands, from the partition's description: "catching up 4 (93 %, 1200 entries left)". */
void cli_move_words(const struct lf_partition *partition, char *words, size_t size);
/** "1,2,3". */
void cli_nodes_words(const uint64_t *nodes, size_t count, char *words, size_t size);

/** Progress: a line to stderr whenever the words differ from the last ones. */
struct cli_progress {
    bool quiet;
    char last[256];
};
void cli_progress_say(struct cli_progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Milliseconds on a clock that never jumps; and a pause between two looks. */
uint64_t cli_now_ms(void);
void cli_pause(uint32_t ms);

#endif
