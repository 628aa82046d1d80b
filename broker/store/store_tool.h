/** Shared by the files of broker/store only. */
#ifndef STORE_TOOL_H
#define STORE_TOOL_H

#include "lf_output.h"
#include "lf_record_text.h"
#include "log_store.h"
#include "metadata.h"
#include "partition.h"
#include "store_command.h"

#include <limits.h>

/** Bytes of one read. */
#define STORE_READ_BYTES (4u * 1024 * 1024)
#define STORE_READ_ENTRIES 4096u
#define STORE_NAME_BYTES (METADATA_TOPIC_NAME_BYTES_MAX + 32)

/** What the command line asks for. */
struct store_wish {
    const char *directory; /**< the node's data directory, or its store */
    const char *subject;   /**< TOPIC, TOPIC/P or a group's number; NULL: none */
    bool json, quiet, bytes, all, despite_damage;
    bool lost_majority, execute, learners; /**< recover */
    bool has_from;
    int64_t from;       /**< an index or an offset */
    uint64_t count;     /**< 0: no limit */
    const char *format; /**< -f */
    uint64_t node_id;
    const char *command; /**< for words; NULL: "store" */
};

struct store_tool {
    const struct store_wish *wish;
    char directory[PATH_MAX]; /**< of the store */
    struct log_store *store;
    struct metadata *metadata; /**< empty when group 0 is not here or cannot be read */
    /** Borrowed: as it is with the entries behind what is applied, too; NULL: nobody looked at them. */
    const struct metadata *metadata_ahead;
    struct lf_output output;
    uint64_t next_request;
    uint64_t said_ms; /**< progress.c */
};

/* store_open.c */
/** Finds the store below the directory that was named. The exit code; words are said. */
int store_tool_find(struct store_tool *tool);
/** Opens it read-only, and group 0 of it. The exit code; words are said. */
int store_tool_open(struct store_tool *tool);
/** Opens it again as a start of the node would: to write. */
int store_tool_reopen(struct store_tool *tool);
void store_tool_close(struct store_tool *tool);
/** Words for a failure; returns its exit code. */
int store_tool_failed(const struct store_tool *tool, enum lf_status status, const char *text);
int store_exit_of(enum lf_status status);

/** Waits. LF_OK with *completion (caller destroys), else words in error. */
enum lf_status store_tool_load(struct store_tool *tool, uint64_t group, struct log_store_completion **completion,
                               struct lf_error *error);
/** From the entry `index`, or the next one there is, up to last_index. *completion also when the status is LF_DAMAGED.
 */
enum lf_status store_tool_read(struct store_tool *tool, uint64_t group, uint64_t index, uint64_t last_index,
                               uint32_t bytes_max, struct log_store_completion **completion, struct lf_error *error);

/** Submits and waits. *write is taken when it was submitted. */
enum lf_status store_tool_write(struct store_tool *tool, struct log_store_write **write, struct lf_error *error);

/** Hands a piece of a segment over, and waits. */
enum lf_status store_tool_stage(struct store_tool *tool, const struct log_store_stage *piece, struct lf_error *error);

/* store_metadata.c */
/** The metadata of the open store with the entries behind what is applied of it, and where its log ends. Returns
 * *metadata (caller destroys, also after a failure). LF_NOT_FOUND: there is none; LF_DAMAGED, LF_IO, LF_NO_MEMORY. */
enum lf_status store_metadata_ahead(struct store_tool *tool, struct metadata **metadata, uint64_t *last_term,
                                    uint64_t *last_index, struct lf_error *error);

/* store_names.c */
/** "metadata", "orders/0", "orders/0 (deleted)", or "?" when group 0 does not tell. */
void store_group_name(const struct store_tool *tool, uint64_t group, char name[STORE_NAME_BYTES]);
/** The groups that the wish's subject means: all of the store without one. Fills `groups` (room for
 *  tool->store->group_count); the exit code, words are said. */
int store_subject_groups(struct store_tool *tool, uint64_t *groups, size_t *count);
/** The topic's name and the partition; false for group 0 and unknown ones. */
bool store_group_topic(const struct store_tool *tool, uint64_t group, const char **topic, uint32_t *partition);

/* store_progress.c */
/** A line to stderr, once a second at most; nothing when quiet. */
void store_progress(struct store_tool *tool, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** A line to stderr in any case. */
void store_say(const struct store_tool *tool, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* entry_words.c */
const char *entry_type_name(uint8_t type);
/** What the entry means, without its place. */
void entry_words(struct lf_bytes payload, uint8_t type, char *words, size_t size);

/* The tools: the exit code. */
int store_ls(struct store_tool *tool);
int store_verify(struct store_tool *tool);
int store_dump(struct store_tool *tool);
int store_export(struct store_tool *tool);
int store_recover(struct store_tool *tool);

#endif
