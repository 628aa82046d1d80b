#include "rocks_error.h"

#include <rocksdb/c.h>

#include <stdbool.h>
#include <string.h>

static bool says(const char *text, const char *words) { return strstr(text, words) != NULL; }

/* The C interface gives the words of rocksdb::Status only; its kinds are their beginnings. */
static enum lf_status kind_of(const char *text) {
    if (says(text, "No space left on device") || says(text, "Disk quota exceeded"))
        return LF_NO_SPACE;
    if (says(text, "While lock file") || says(text, "lock hold by current process"))
        return LF_EXISTS;
    if (strncmp(text, "Corruption", strlen("Corruption")) == 0 || says(text, "No such file or directory"))
        return LF_DAMAGED;
    return LF_IO;
}

enum lf_status rocks_error(char **failure, struct lf_error *error, const char *doing) {
    if (!*failure)
        return LF_OK;
    enum lf_status status = kind_of(*failure);
    lf_error_set(error, status, "%s: %s", doing, *failure);
    rocksdb_free(*failure);
    *failure = NULL;
    return status;
}
