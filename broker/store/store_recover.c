/** A majority is lost for good, and what this node has is to be all there is.
 *
 *  1. the files are judged, and each group looked at, down to its last entry: damage ends it before anything is written
 *  2. what would be done is said; without --execute that is all
 *  3. the store is opened as a start would open it, and each group gets one synced write (recover_group.h)
 *
 *  A group whose only voter is this replica is left alone: so a second run, after one that was killed between two
 *  writes, does what is left. */
#include "recover_group.h"

#include "backup_about.h"
#include "rocks_store.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum verdict { RECOVER, ALONE, DELETED, NOT_OURS, NO_VOTER, LEFT_BEHIND };

static const char *const verdict_names[] = {
    [RECOVER] = "recover",   [ALONE] = "alone",       [DELETED] = "deleted",
    [NOT_OURS] = "not_ours", [NO_VOTER] = "no_voter", [LEFT_BEHIND] = "left_behind"};

struct recover {
    struct store_tool *tool;
    struct recover_group *groups;
    struct metadata *ahead; /**< as it is once group 0 goes on; for the tool */
    size_t count;
    size_t done, alone, refused;
    struct lf_error error;
};

/** What group 0, as far as it is known here, says of the replica: it may have moved away. */
static bool is_ours(const struct store_tool *tool, const struct recover_group *group) {
    const struct metadata_partition *partition = metadata_partition_by_group(tool->metadata, group->group);
    return !partition || metadata_replica_on(partition, tool->store->identity.node_id) == group->replica_id;
}

static bool is_deleted(const struct store_tool *tool, uint64_t group) {
    const struct metadata_partition *partition = metadata_partition_by_group(tool->metadata, group);
    return partition && metadata_topic_by_id(tool->metadata, partition->topic_id)->deleted;
}

static enum verdict judge(const struct store_tool *tool, const struct recover_group *group) {
    if (group->group != 0 && is_deleted(tool, group->group))
        return DELETED;
    if (group->group != 0 && !is_ours(tool, group))
        return NOT_OURS;
    if (group->alone)
        return ALONE;
    if (recover_group_left_behind(group))
        return LEFT_BEHIND;
    return group->votes || (group->learns && tool->wish->learners) ? RECOVER : NO_VOTER;
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

static void print_json(const struct recover *recover, const struct recover_group *group, const char *name,
                       enum verdict verdict, bool done) {
    json_t *line = json_pack("{s:I, s:s, s:s, s:b, s:I, s:I, s:I, s:I}", "group", (json_int_t)group->group, "name",
                             name, "verdict", verdict_names[verdict], "done", done, "replica",
                             (json_int_t)group->replica_id, "last_term", (json_int_t)group->last_term, "last_index",
                             (json_int_t)group->last_index, "applied_index", (json_int_t)group->applied_index);
    json_t *voters = json_array();
    for (uint32_t i = 0; i < group->voter_count; i++)
        json_array_append_new(voters, json_integer((json_int_t)group->members[i]));
    json_object_set_new(line, "voters", voters);
    if (verdict == RECOVER)
        json_object_set_new(line, "term", json_integer((json_int_t)recover_group_term(group)));
    if (group->group != 0) {
        json_object_set_new(line, "committed_offset", json_integer(group->committed_offset));
        json_object_set_new(line, "kept_offset", json_integer(group->end_offset));
        if (verdict == RECOVER)
            json_object_set_new(line, "next_offset", json_integer(recover_group_next_offset(group)));
    }
    char *text = json_dumps(line, JSON_COMPACT);
    if (text) {
        lf_output_text(&recover->tool->output, text);
        lf_output_text(&recover->tool->output, "\n");
    }
    free(text);
    json_decref(line);
}

/** What becomes of its records: where it is known that they were acknowledged, where not, and what may be gone. */
static void offsets_words(const struct recover_group *group, char *words, size_t size) {
    char unsure[128] = "";
    if (group->end_offset > group->committed_offset)
        snprintf(unsure, sizeof unsure, "; kept, but never known to be committed: %" PRId64 "..%" PRId64,
                 group->committed_offset, group->end_offset - 1);
    snprintf(words, size,
             "kept and known to be committed: up to offset %" PRId64 "%s; anything from %" PRId64
             " on that others had is lost; goes on at %" PRId64,
             group->committed_offset, unsure, group->end_offset, recover_group_next_offset(group));
}

static void verdict_words(const struct recover_group *group, enum verdict verdict, bool done, char *words,
                          size_t size) {
    switch (verdict) {
    case RECOVER:
        if (group->group == 0)
            snprintf(words, size, "entries up to %" PRIu64 " are kept, up to %" PRIu64 " known to be committed",
                     group->last_index, group->applied_index);
        else
            offsets_words(group, words, size);
        snprintf(words + strlen(words), size - strlen(words), ", in term %" PRIu64 "%s", recover_group_term(group),
                 done ? ": done" : "");
        return;
    case ALONE:
        snprintf(words, size, "this replica is its only voter already: nothing to do");
        return;
    case DELETED:
        snprintf(words, size, "its topic was deleted: left as it is");
        return;
    case NOT_OURS:
        snprintf(words, size, "the metadata here says that this node's replica is another one, or none: left as it is");
        return;
    case NO_VOTER:
        snprintf(words, size, "this replica is no voter%s: left as it is",
                 group->learns ? ", but a learner (--learners takes those too; they may lack more)" : "");
        return;
    case LEFT_BEHIND:
        snprintf(words, size,
                 "another replica went on alone, in term %" PRIu64
                 " or before, and nothing of that is here: left as it "
                 "is (recover that one; `store export --all` shows what is here)",
                 group->term);
        return;
    }
}

static void print(const struct recover *recover, const struct recover_group *group, enum verdict verdict, bool done) {
    char name[STORE_NAME_BYTES], words[512], line[STORE_NAME_BYTES + 768];
    store_group_name(recover->tool, group->group, name);
    if (recover->tool->wish->json) {
        print_json(recover, group, name, verdict, done);
        return;
    }
    verdict_words(group, verdict, done, words, sizeof words);
    snprintf(line, sizeof line,
             "group=%" PRIu64 " %s: last entry of term %" PRIu64 " index %" PRIu64 ", %" PRIu32 " voters; %s\n",
             group->group, name, group->last_term, group->last_index, group->voter_count, words);
    lf_output_text(&recover->tool->output, line);
}

static void say_warning(const struct store_tool *tool, bool executed) {
    store_say(
        tool,
        "%s\n"
        "  - one survivor per group only: of several, the one whose last entry has the highest (term, index)\n"
        "  - the lost nodes must never start again with their old disks; other survivors may, after this one: where\n"
        "    one of them knows of more that was committed, its replica stops and says so\n"
        "  - then start this node plainly; docs/operations.md, \"When a majority is lost for good\", has the rest",
        executed ? "done. Remember:" : "nothing was written: --execute does it. Before that:");
}

/* ---- 1. and 3. -------------------------------------------------------------------------------------------------- */

/** A partition may have begun that only the metadata's log tells of. What cannot be read there is said by the look at
 * group 0. */
static void look_ahead(struct recover *recover) {
    struct store_tool *tool = recover->tool;
    struct lf_error error = {0};
    uint64_t term, index;
    metadata_destroy(&recover->ahead);
    bool read = store_metadata_ahead(tool, &recover->ahead, &term, &index, &error) == LF_OK;
    tool->metadata_ahead = read ? recover->ahead : NULL;
}

/** Fills recover->groups from the store that is open. */
static enum lf_status look(struct recover *recover) {
    struct store_tool *tool = recover->tool;
    uint64_t *groups = calloc(tool->store->group_count + 1, sizeof *groups);
    free(recover->groups);
    recover->groups = calloc(tool->store->group_count + 1, sizeof *recover->groups);
    recover->count = 0;
    look_ahead(recover);
    enum lf_status status = groups && recover->groups ? LF_OK : LF_NO_MEMORY;
    if (status == LF_OK && store_subject_groups(tool, groups, &recover->count) != STORE_EXIT_OK)
        status = LF_NOT_FOUND;
    for (size_t i = 0; status == LF_OK && i < recover->count; i++) {
        status = recover_group_look(tool, groups[i], &recover->groups[i], &recover->error);
        if (status == LF_INVALID && groups[i] != 0) /* group 0 does not know it: no partition of this cluster's */
            status = LF_OK;
    }
    free(groups);
    if (status != LF_OK && recover->error.text[0])
        store_say(tool, "%s", recover->error.text);
    else if (status == LF_NO_MEMORY)
        store_say(tool, "%s", lf_status_text(status));
    return status;
}

static int judge_all(struct recover *recover, bool executing) {
    for (size_t i = 0; i < recover->count; i++) {
        enum verdict verdict = judge(recover->tool, &recover->groups[i]);
        recover->alone += verdict == ALONE;
        recover->refused += verdict == NOT_OURS || verdict == NO_VOTER || verdict == LEFT_BEHIND;
        if (!executing || verdict != RECOVER)
            print(recover, &recover->groups[i], verdict, false);
    }
    lf_output_flush(&recover->tool->output);
    return recover->refused > 0 && recover->tool->wish->subject ? STORE_EXIT_FAILED : STORE_EXIT_OK;
}

static enum lf_status write_group(struct recover *recover, const struct recover_group *group) {
    struct store_tool *tool = recover->tool;
    struct log_store_write *write;
    enum lf_status status = recover_group_write(group, true, ++tool->next_request, &write, &recover->error);
    if (status == LF_OK)
        status = store_tool_write(tool, &write, &recover->error);
    log_store_write_destroy(&write);
    return status;
}

static int execute(struct recover *recover) {
    struct store_tool *tool = recover->tool;
    int code = store_tool_reopen(tool);
    enum lf_status status = code == STORE_EXIT_OK ? look(recover) : LF_OK;
    if (code == STORE_EXIT_OK && status == LF_OK)
        code = judge_all(recover, true);
    else if (status != LF_OK)
        return store_exit_of(status);
    if (code != STORE_EXIT_OK)
        return code;
    for (size_t i = 0; i < recover->count && status == LF_OK; i++) {
        if (judge(tool, &recover->groups[i]) != RECOVER)
            continue;
        store_progress(tool, "recover: %zu of %zu", i, recover->count);
        status = write_group(recover, &recover->groups[i]);
        if (status == LF_OK) {
            recover->done++;
            print(recover, &recover->groups[i], RECOVER, true);
            lf_output_flush(&tool->output);
        }
    }
    if (status != LF_OK)
        return store_tool_failed(tool, status, recover->error.text);
    store_say(tool, "%zu groups recovered, %zu had this node as their only voter", recover->done, recover->alone);
    say_warning(tool, true);
    return STORE_EXIT_OK;
}

/** A file of this name beside the store, or in what was named. */
static bool beside(const struct store_tool *tool, const char *name) {
    char path[PATH_MAX];
    struct stat about;
    bool there = snprintf(path, sizeof path, "%s/../%s", tool->directory, name) < (int)sizeof path;
    there = there && lstat(path, &about) == 0;
    if (!there && snprintf(path, sizeof path, "%s/%s", tool->wish->directory, name) < (int)sizeof path)
        there = lstat(path, &about) == 0;
    return there;
}

int store_recover(struct store_tool *tool) {
    struct recover recover = {.tool = tool};
    if (!tool->wish->lost_majority) {
        store_say(tool, "recover: from what? --lost-majority says that a majority is lost for good");
        return STORE_EXIT_USAGE;
    }
    if (tool->wish->execute && beside(tool, BACKUP_ABOUT_FILE)) {
        store_say(tool,
                  "%s is a backup, in which nothing is written: `logflume backup restore` makes a data directory of it",
                  tool->wish->directory);
        return STORE_EXIT_FAILED;
    }
    enum lf_status status = look(&recover);
    int code = status == LF_OK ? STORE_EXIT_OK : store_exit_of(status);
    if (code == STORE_EXIT_OK && tool->wish->execute) {
        code = execute(&recover);
    } else if (code == STORE_EXIT_OK) {
        code = judge_all(&recover, false);
        say_warning(tool, false);
    }
    tool->metadata_ahead = NULL;
    metadata_destroy(&recover.ahead);
    free(recover.groups);
    return code;
}
