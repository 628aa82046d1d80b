#include "data_directory.h"

#include "backup_directory.h"
#include "clock.h"
#include "disk_guard.h"
#include "file_write.h"
#include "incarnation.h"
#include "random_bytes.h"
#include "rocks_store.h"
#include "store_replacement.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define STORE_FOLDER "store"
#define BACKUPS_FOLDER "backups"
#define NAME_BYTES 256

static enum lf_status store_path(const char *data, char *path, size_t size, struct lf_error *error) {
    int used = snprintf(path, size, "%s/" STORE_FOLDER, data);
    return used > 0 && (size_t)used < size ? LF_OK : lf_error_set(error, LF_INVALID, "node.data is too long");
}

/** backups: the name of what leads to them, "" when they are elsewhere. */
static bool is_ours(const char *name, const char *backups) {
    static const char *const ours[] = {".",
                                       "..",
                                       STORE_FOLDER,
                                       INCARNATION_FILE,
                                       INCARNATION_FILE ".new",
                                       STORE_REPLACEMENT_FILE,
                                       STORE_REPLACEMENT_FILE ".new",
                                       DISK_GUARD_BALLAST_FILE,
                                       BACKUPS_FOLDER,
                                       "lost+found"};
    if (strcmp(name, backups) == 0 || strncmp(name, STORE_REPLACED_PREFIX, strlen(STORE_REPLACED_PREFIX)) == 0)
        return true;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcmp(name, ours[i]) == 0)
            return true;
    return false;
}

/** A directory without a store must be empty, so that nobody's files are mixed with ours. */
static enum lf_status judge_strangers(const char *data, const char *backups, struct lf_error *error) {
    DIR *directory = opendir(data);
    if (!directory)
        return errno == ENOENT ? LF_OK : lf_error_set(error, LF_IO, "%.180s: %s", data, strerror(errno));
    enum lf_status status = LF_OK;
    for (struct dirent *entry; status == LF_OK && (entry = readdir(directory)) != NULL;)
        if (!is_ours(entry->d_name, backups))
            status = lf_error_set(error, LF_INVALID,
                                  "%.120s holds no store but other files (%.60s); name an empty "
                                  "directory",
                                  data, entry->d_name);
    closedir(directory);
    return status;
}

/** What a broker wrote or sent since a backup was made it would not know any more, and could vote a second time. */
static enum lf_status judge_is_backup(const char *data, struct lf_error *error) {
    char path[PATH_MAX];
    struct stat about;
    if (snprintf(path, sizeof path, "%s/" BACKUP_ABOUT_FILE, data) >= (int)sizeof path)
        return lf_error_set(error, LF_INVALID, "node.data is too long");
    if (lstat(path, &about) != 0)
        return errno == ENOENT ? LF_OK : lf_error_set(error, LF_IO, "%.180s: %s", path, strerror(errno));
    return lf_error_set(error, LF_INVALID,
                        "%.150s is a backup, and no node may go on from it; `logflume backup restore` makes a new "
                        "data directory of it. Correct node.data",
                        data);
}

static enum lf_status judge_backups(const struct config *config, char *own, size_t own_size, struct lf_error *error) {
    char path[PATH_MAX];
    int used = config->backup.directory[0] ? snprintf(path, sizeof path, "%s", config->backup.directory)
                                           : snprintf(path, sizeof path, "%s/" BACKUPS_FOLDER, config->node_data);
    if (used >= (int)sizeof path)
        return lf_error_set(error, LF_INVALID, "the directory's name is too long");
    return backup_place_judge(path, config->node_data, own, own_size, error);
}

/** Only others can fill a new store. */
static bool may_replace(const struct config *config, enum data_replace replace) {
    return replace != DATA_REPLACE_NEVER && config->node_count > 1;
}

static bool is_damage(enum lf_status status) { return status == LF_DAMAGED || status == LF_CORRUPT; }

/** Nothing is there that could be opened. */
static enum lf_status judge_absent(const struct config *config, enum data_start start, enum data_replace replace,
                                   struct lf_error *error) {
    const char *data = config->node_data;
    bool under_way;
    enum lf_status status = store_replacement_under_way(data, &under_way, error);
    if (status != LF_OK)
        return status;
    if (under_way && start != DATA_OPEN && start != DATA_JOIN)
        return lf_error_set(error, LF_INVALID,
                            "%.100s: the replacement of a lost store is under way; start without --bootstrap and --dev",
                            data);
    if (start == DATA_OPEN && replace == DATA_REPLACE_LOST && !may_replace(config, replace))
        return lf_error_set(error, LF_INVALID,
                            "--replace-store: no other node is configured that could fill a new store");
    if (start == DATA_OPEN && replace != DATA_REPLACE_LOST && !under_way)
        return lf_error_set(error, LF_INVALID,
                            "%.80s holds no store. --bootstrap founds a cluster, --join joins one; if this node's disk "
                            "was lost: --replace-store. Else correct node.data",
                            data);
    return LF_OK;
}

enum lf_status data_directory_judge(const struct config *config, enum data_start start, enum data_replace replace,
                                    bool *create, struct lf_error *error) {
    const char *data = config->node_data;
    char path[PATH_MAX], backups[NAME_BYTES];
    bool present = false;
    *create = false;
    enum lf_status status = judge_is_backup(data, error);
    if (status == LF_OK)
        status = judge_backups(config, backups, sizeof backups, error);
    if (status != LF_OK)
        return status;
    status = store_path(data, path, sizeof path, error);
    if (status == LF_OK)
        status = rocks_store_present(path, &present, error);
    if (is_damage(status) && may_replace(config, replace))
        return LF_OK; /* opening finds it again, and deals with it */
    if (status == LF_OK && !present)
        status = judge_strangers(data, backups, error);
    if (status == LF_OK && !present)
        status = judge_absent(config, start, replace, error);
    if (status != LF_OK)
        return status;
    if (present && start == DATA_BOOTSTRAP)
        return lf_error_set(error, LF_INVALID, "%.150s holds a store already; start without --bootstrap", data);
    *create = !present;
    return LF_OK;
}

/** The directory and its name are durable before anything is written into it. */
static enum lf_status make_directory(const char *data, struct lf_error *error) {
    char parent[PATH_MAX];
    if (mkdir(data, 0755) != 0)
        return errno == EEXIST ? LF_OK : lf_error_set(error, LF_IO, "create %.180s: %s", data, strerror(errno));
    snprintf(parent, sizeof parent, "%s/..", data);
    return file_write_sync_directory(parent, error);
}

static enum lf_status open_store(const struct config *config, bool founds, bool create, struct log_store **store,
                                 struct lf_error *error) {
    char path[PATH_MAX];
    struct node_address addresses[NODE_NODES_MAX];
    struct log_store_identity identity = {.node_id = config->node_id};
    size_t count = config_addresses(config, addresses);
    if (create) {
        random_bytes(identity.store_uuid, sizeof identity.store_uuid);
        if (founds) /* a store without it belongs to nobody who may found */
            node_founding_hash(config->cluster_name, addresses, count, identity.founding_hash);
    }
    struct rocks_store_options options = {.directory = path,
                                          .create = create,
                                          .memtable_bytes = config->store.memtable_bytes,
                                          .wal_bytes_max = config->store.wal_bytes_max,
                                          .commit_bytes_max = config->store.commit_bytes_max,
                                          .submit_bytes_max = config->store.submit_bytes_max,
                                          .reads_max = config->store.reads_max,
                                          .reader_threads = config->store.reader_threads,
                                          .open_files_max = config->store.open_files_max,
                                          .scrub_bytes_per_s = config->store.scrub_bytes_per_s,
                                          .compaction_memory_bytes = config->store.compaction_memory_bytes,
                                          .compaction_bytes_per_s = config->store.compaction_bytes_per_s};
    enum lf_status status = store_path(config->node_data, path, sizeof path, error);
    return status == LF_OK ? rocks_store_open(&options, &identity, store, error) : status;
}

/** Sets the store aside, if it is there, and makes a new one. */
static enum lf_status replace_store(const struct config *config, const char *why, struct log *log,
                                    struct log_store **store, struct lf_error *error) {
    char path[PATH_MAX], aside[PATH_MAX];
    enum lf_status status = store_path(config->node_data, path, sizeof path, error);
    if (status == LF_OK)
        status = store_replacement_begin(config->node_data, path, why, aside, error);
    if (status != LF_OK)
        return status;
    log_line(log, LOG_WARN, "the store is lost (%.200s); a new one takes its place%s%.400s", why,
             aside[0] ? ", the old one is kept as " : "", aside);
    return open_store(config, false, true, store, error);
}

static bool has_metadata(const struct log_store *store) { return store->group_count > 0 && store->groups[0] == 0; }

/** Opened, made, or replaced; and the replacement that is under way goes on, or is over. */
static enum lf_status open_or_replace(const struct config *config, enum data_start start, enum data_replace replace,
                                      bool create, struct log *log, struct data_opened *opened,
                                      struct lf_error *error) {
    bool under_way, founds = start == DATA_BOOTSTRAP || start == DATA_DEV;
    enum lf_status status = store_replacement_under_way(config->node_data, &under_way, error);
    if (status != LF_OK)
        return status;
    if (create && start == DATA_OPEN && !under_way)
        status = replace_store(config, "it is not there", log, &opened->store, error);
    else
        status = open_store(config, founds && !under_way, create, &opened->store, error);
    if (is_damage(status) && may_replace(config, replace)) {
        char why[LF_ERROR_TEXT_BYTES];
        memcpy(why, error->text, sizeof why);
        status = replace_store(config, why, log, &opened->store, error);
    }
    if (status == LF_OK && replace == DATA_REPLACE_LOST && !has_metadata(opened->store)) /* as after a vain --join */
        status = store_replacement_mark(config->node_data, "it holds nothing", error);
    if (status == LF_OK)
        status = store_replacement_under_way(config->node_data, &under_way, error);
    opened->replaces = status == LF_OK && under_way && !has_metadata(opened->store);
    return status == LF_OK && under_way && !opened->replaces ? store_replacement_end(config->node_data, error) : status;
}

enum lf_status data_directory_open(const struct config *config, enum data_start start, enum data_replace replace,
                                   bool create, struct log *log, struct data_opened *opened, struct lf_error *error) {
    enum lf_status status = create ? make_directory(config->node_data, error) : LF_OK;
    if (status == LF_OK)
        status = open_or_replace(config, start, replace, create, log, opened, error);
    if (status == LF_OK && create)
        status = file_write_sync_directory(config->node_data, error);
    if (status == LF_OK)
        status = incarnation_next(config->node_data, clock_wall_ms(), &opened->incarnation, error);
    if (status != LF_OK) {
        log_store_close(&opened->store);
        lf_error_context(error, "open %.100s", config->node_data);
    }
    return status;
}

enum lf_status data_directory_condemn(const char *data, const char *words, struct lf_error *error) {
    char path[PATH_MAX];
    enum lf_status status = store_path(data, path, sizeof path, error);
    return status == LF_OK ? rocks_store_condemn(path, words, error) : status;
}
