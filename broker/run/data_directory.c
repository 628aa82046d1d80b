#include "data_directory.h"

#include "clock.h"
#include "file_write.h"
#include "incarnation.h"
#include "random_bytes.h"
#include "rocks_store.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define STORE_FOLDER "store"

static enum lf_status store_path(const char *data, char *path, size_t size, struct lf_error *error) {
    int used = snprintf(path, size, "%s/" STORE_FOLDER, data);
    return used > 0 && (size_t)used < size ? LF_OK : lf_error_set(error, LF_INVALID, "node.data is too long");
}

static bool is_ours(const char *name) {
    static const char *const ours[] = {".",         "..", STORE_FOLDER, INCARNATION_FILE, INCARNATION_FILE ".new",
                                       "lost+found"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcmp(name, ours[i]) == 0)
            return true;
    return false;
}

/** A directory without a store must be empty, so that nobody's files are mixed with ours. */
static enum lf_status judge_strangers(const char *data, struct lf_error *error) {
    DIR *directory = opendir(data);
    if (!directory)
        return errno == ENOENT ? LF_OK : lf_error_set(error, LF_IO, "%.180s: %s", data, strerror(errno));
    enum lf_status status = LF_OK;
    for (struct dirent *entry; status == LF_OK && (entry = readdir(directory)) != NULL;)
        if (!is_ours(entry->d_name))
            status = lf_error_set(error, LF_INVALID,
                                  "%.120s holds no store but other files (%.60s); name an empty "
                                  "directory",
                                  data, entry->d_name);
    closedir(directory);
    return status;
}

enum lf_status data_directory_judge(const char *data, enum data_start start, bool *create, struct lf_error *error) {
    char path[PATH_MAX];
    bool present = false;
    *create = false;
    enum lf_status status = store_path(data, path, sizeof path, error);
    if (status == LF_OK)
        status = rocks_store_present(path, &present, error);
    if (status == LF_OK && !present)
        status = judge_strangers(data, error);
    if (status != LF_OK)
        return status;
    if (present && start == DATA_BOOTSTRAP)
        return lf_error_set(error, LF_INVALID, "%.150s holds a store already; start without --bootstrap", data);
    if (!present && start == DATA_OPEN)
        return lf_error_set(error, LF_INVALID,
                            "%.100s holds no store. --bootstrap founds a new cluster, --join joins one; if this node's "
                            "disk was lost: cluster remove, cluster add, then --join. Else correct node.data",
                            data);
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

static enum lf_status open_store(const struct config *config, enum data_start start, bool create,
                                 struct log_store **store, struct lf_error *error) {
    char path[PATH_MAX];
    struct node_address addresses[NODE_NODES_MAX];
    struct log_store_identity identity = {.node_id = config->node_id};
    size_t count = config_addresses(config, addresses);
    if (create) {
        random_bytes(identity.store_uuid, sizeof identity.store_uuid);
        if (start != DATA_JOIN) /* a store without it belongs to nobody who may found */
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
                                          .open_files_max = config->store.open_files_max};
    enum lf_status status = store_path(config->node_data, path, sizeof path, error);
    return status == LF_OK ? rocks_store_open(&options, &identity, store, error) : status;
}

enum lf_status data_directory_open(const struct config *config, enum data_start start, bool create,
                                   struct log_store **store, uint64_t *incarnation, struct lf_error *error) {
    enum lf_status status = create ? make_directory(config->node_data, error) : LF_OK;
    if (status == LF_OK)
        status = open_store(config, start, create, store, error);
    if (status == LF_OK && create)
        status = file_write_sync_directory(config->node_data, error);
    if (status == LF_OK)
        status = incarnation_next(config->node_data, clock_wall_ms(), incarnation, error);
    if (status != LF_OK) {
        log_store_close(store);
        lf_error_context(error, "open %.100s", config->node_data);
    }
    return status;
}
