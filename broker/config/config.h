/** What the operator decides: one table (config_table.c) feeds the YAML file, the command line, --help and
 *  docs/configuration.md.
 *
 *  Precedence: default < file < flag. Every refusal says where (FILE:LINE or --flag), what is wrong and what would be
 *  right. Loading never trusts the file: its size, depth and counts are bounded, aliases and tags are refused.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "node.h"

#include <limits.h>
#include <stdio.h>

/** Largest configuration file, in bytes. */
#define CONFIG_FILE_BYTES_MAX (256u * 1024)
/** Deepest nesting of mappings and lists in it. */
#define CONFIG_DEPTH_MAX 6
#define CONFIG_CLUSTER_NAME_BYTES_MAX 64
#define CONFIG_UNRELIABLE_BYTES_MAX 160
/** Rows of the table; checked where the table is. */
#define CONFIG_ROWS_MAX 96

enum config_log_level { CONFIG_LOG_ERROR, CONFIG_LOG_WARN, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };
enum config_log_format { CONFIG_LOG_LOGFMT, CONFIG_LOG_JSON };
enum config_switch { CONFIG_OFF, CONFIG_ON };
enum config_replace { CONFIG_REPLACE_NEVER, CONFIG_REPLACE_AUTO };

/** Where a value came from: a line of the file (> 0), or: */
#define CONFIG_LINE_DEFAULT 0
#define CONFIG_LINE_FLAG (-1)

/** One entry of cluster.nodes. */
struct config_node {
    struct node_address address;
    uint32_t admin_port;
    int line; /**< where it begins */
};

/** For the store; the same meaning as in rocks_store_options. */
struct config_store {
    uint32_t memtable_bytes;
    uint32_t wal_bytes_max;
    uint32_t commit_bytes_max;
    uint32_t submit_bytes_max;
    uint32_t reads_max;
    uint32_t reader_threads;
    uint32_t open_files_max;
    uint32_t compaction_memory_bytes;
    uint32_t compaction_bytes_per_s;
    uint32_t scrub_bytes_per_s;
    uint32_t replace; /**< enum config_replace */
};

/** Room on the data filesystem, in bytes; 0: by its size. */
struct config_disk {
    uint64_t soft_free_bytes, hard_free_bytes, ballast_bytes;
};

/** Backups of the node's store, made on request. */
struct config_backup {
    char directory[PATH_MAX]; /**< empty: DATA/backups */
    uint32_t backups_max;
};

/** For the operators' listener; the same meaning as in admin_options. */
struct config_admin {
    uint32_t enabled;               /**< enum config_switch */
    char bind[NODE_HOST_BYTES_MAX]; /**< empty: as node.bind */
    uint32_t connections_max;
    uint32_t timeout_ms;
    uint32_t lifetime_ms;
    uint32_t stuck_ms;
    uint32_t metrics_groups_max;
};

struct config {
    uint64_t node_id;
    char node_data[PATH_MAX];
    char node_bind[NODE_HOST_BYTES_MAX]; /**< empty: see config_table.c */
    char cluster_name[CONFIG_CLUSTER_NAME_BYTES_MAX + 1];
    struct config_node nodes[NODE_NODES_MAX];
    size_t node_count;
    struct node_limits limits;
    struct config_store store;
    struct config_disk disk;
    struct config_backup backup;
    struct config_admin admin;
    uint32_t transport_queue_messages_max;
    char transport_unreliable[CONFIG_UNRELIABLE_BYTES_MAX + 1];
    uint32_t log_level;  /**< enum config_log_level */
    uint32_t log_format; /**< enum config_log_format */
    uint32_t log_stats_interval_ms;

    char file[PATH_MAX];        /**< for words; empty: none */
    int lines[CONFIG_ROWS_MAX]; /**< where each row's value came from, by row number */
    bool by_flag[CONFIG_ROWS_MAX];
};

/** Longer than lf_error's, since a path may be in it. */
struct config_error {
    char text[PATH_MAX + 512];
};

/** Defaults; no nodes, no data directory. */
void config_init(struct config *config);
/** LF_OK; LF_IO (cannot be read), LF_INVALID, LF_NO_MEMORY. */
enum lf_status config_load_file(struct config *config, const char *file, struct config_error *error);
/** The same from memory. `file` is for words. */
enum lf_status config_load_text(struct config *config, const char *file, struct lf_bytes text,
                                struct config_error *error);
/** `--NAME VALUE`. LF_NOT_FOUND when there is no such key or it is no scalar, LF_INVALID. */
enum lf_status config_set_flag(struct config *config, const char *name, const char *value, struct config_error *error);
/** The same from an environment variable, named so in the words of a refusal. */
enum lf_status config_set_environment(struct config *config, const char *name, const char *variable, const char *value,
                                      struct config_error *error);
/** Puts what `flags` got from flags on top of `config`. */
void config_overlay(struct config *config, const struct config *flags);
/** The configuration of --dev: node 1 alone on 127.0.0.1. Data directory and ports as given before, else the defaults.
 */
void config_make_dev(struct config *config, uint32_t client_port, uint32_t peer_port, uint32_t admin_port);
/** Judges the whole, once everything is loaded: what is required is there, and no pair contradicts itself. LF_INVALID.
 */
enum lf_status config_check(const struct config *config, struct config_error *error);

/** The entry of this node, or NULL. */
const struct config_node *config_self(const struct config *config);
/** Fills out with the addresses of all nodes; returns how many. */
size_t config_addresses(const struct config *config, struct node_address out[NODE_NODES_MAX]);

/** The table as lines of --help. */
void config_print_help(FILE *stream);
/** The table as docs/configuration.md. */
void config_print_markdown(FILE *stream);

#endif
