#include "incarnation.h"

#include "file_write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** A decimal number and a line end; 0 when there is no file. */
static enum lf_status read_stored(const char *path, uint64_t *stored, struct lf_error *error) {
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *stored = 0;
    if (fd < 0 && errno == ENOENT)
        return LF_OK;
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    int failure = errno;
    if (fd >= 0)
        close(fd);
    if (size < 0)
        return lf_error_set(error, LF_IO, "%.180s cannot be read: %s", path, strerror(failure));
    char *end = text;
    errno = 0;
    unsigned long long number = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    if (end == text || *end != '\n' || end + 1 != text + size || errno != 0 || number == ULLONG_MAX)
        return lf_error_set(error, LF_DAMAGED,
                            "%.150s is damaged; if this node's clock is right, remove it and start again", path);
    *stored = number;
    return LF_OK;
}

enum lf_status incarnation_next(const char *data, int64_t wall_ms, uint64_t *incarnation, struct lf_error *error) {
    char path[PATH_MAX], text[32];
    uint64_t stored;
    snprintf(path, sizeof path, "%s/" INCARNATION_FILE, data);
    enum lf_status status = read_stored(path, &stored, error);
    if (status != LF_OK)
        return status;
    *incarnation = wall_ms > 0 && (uint64_t)wall_ms > stored ? (uint64_t)wall_ms : stored + 1;
    int size = snprintf(text, sizeof text, "%" PRIu64 "\n", *incarnation);
    return file_write_replace(data, INCARNATION_FILE, text, (size_t)size, error);
}
