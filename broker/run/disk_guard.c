#include "disk_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB ((uint64_t)1024 * 1024)

void disk_guard_init(struct disk_guard *guard, const char *directory, const struct disk_space_limits *configured,
                     struct log *log) {
    *guard = (struct disk_guard){.directory = directory, .log = log, .configured = *configured, .ballast_fd = -1};
    char path[PATH_MAX];
    struct stat about;
    int length = snprintf(path, sizeof path, "%s/" DISK_GUARD_BALLAST_FILE, directory);
    if (length > 0 && length < (int)sizeof path)
        guard->ballast_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (guard->ballast_fd >= 0 && fstat(guard->ballast_fd, &about) == 0)
        guard->ballast_bytes = 512 * (uint64_t)about.st_blocks;
    guard->no_ballast = guard->ballast_fd < 0;
}

void disk_guard_deinit(struct disk_guard *guard) {
    if (guard->ballast_fd >= 0)
        close(guard->ballast_fd);
    guard->ballast_fd = -1;
}

static void say(const struct disk_guard *guard, enum log_level level, const char *what) {
    if (guard->log)
        log_line(guard->log, level, "disk: %s (free %" PRIu64 " MiB, ballast %" PRIu64 " MiB)", what,
                 guard->free_bytes / MIB, guard->ballast_bytes / MIB);
}

static bool sample(struct disk_guard *guard) {
    struct statvfs about;
    bool seen = statvfs(guard->directory, &about) == 0;
    if (!seen && !guard->said_failure && guard->log)
        log_line(guard->log, LOG_WARN, "disk: %.300s cannot be looked at: %s", guard->directory, strerror(errno));
    guard->said_failure = !seen;
    if (!seen)
        return false;
    guard->free_bytes = (uint64_t)about.f_bavail * about.f_frsize;
    uint64_t total = (uint64_t)about.f_blocks * about.f_frsize;
    if (total != guard->total_bytes)
        guard->limits = disk_space_limits_complete(&guard->configured, total);
    guard->total_bytes = total;
    if (guard->no_ballast)
        guard->limits.ballast_bytes = 0;
    return true;
}

static void grow(struct disk_guard *guard) {
    uint64_t more = guard->limits.ballast_bytes - guard->ballast_bytes;
    if (more > DISK_GUARD_BALLAST_STEP_BYTES)
        more = DISK_GUARD_BALLAST_STEP_BYTES;
    if (fallocate(guard->ballast_fd, 0, (off_t)guard->ballast_bytes, (off_t)more) == 0) {
        guard->ballast_bytes += more;
        if (guard->ballast_bytes == guard->limits.ballast_bytes)
            say(guard, LOG_INFO, "the ballast is whole");
    } else if (errno != ENOSPC && errno != EINTR) {
        guard->no_ballast = true;
        if (guard->log)
            log_line(guard->log, LOG_WARN, "disk: no ballast can be kept on this filesystem: %s", strerror(errno));
    }
}

static void release(struct disk_guard *guard) {
    if (ftruncate(guard->ballast_fd, 0) != 0)
        return;
    say(guard, LOG_WARN, "nearly full: the ballast is released");
    guard->ballast_bytes = 0;
}

static void follow(struct disk_guard *guard) {
    if (guard->orders.ballast == DISK_BALLAST_GROW)
        grow(guard);
    else if (guard->orders.ballast == DISK_BALLAST_RELEASE)
        release(guard);
}

static bool judge(struct disk_guard *guard, bool held) {
    if (!sample(guard))
        return false;
    struct disk_space_sample now = {
        .free_bytes = guard->free_bytes, .ballast_bytes = guard->ballast_bytes, .held = held};
    guard->orders = disk_space_judge(&guard->limits, &now);
    return true;
}

bool disk_guard_look(struct disk_guard *guard, uint64_t now_ms, uint64_t written_bytes) {
    bool due = now_ms >= disk_guard_deadline(guard);
    bool soon = guard->looked && now_ms - guard->looked_ms >= DISK_GUARD_MS_MIN &&
                written_bytes - guard->written_bytes > disk_space_written_max(&guard->orders);
    if (!due && !soon)
        return false;
    guard->looked = true;
    guard->looked_ms = now_ms;
    guard->written_bytes = written_bytes;
    bool held = guard->orders.hold;
    if (!judge(guard, held))
        return false;
    follow(guard);
    if (guard->orders.ballast == DISK_BALLAST_RELEASE)
        judge(guard, held); /* what that gave counts at once */
    if (guard->orders.hold != held)
        say(guard, LOG_WARN, guard->orders.hold ? "full: writes wait until there is room" : "room again: writes go on");
    return true;
}

uint64_t disk_guard_deadline(const struct disk_guard *guard) {
    return guard->looked ? guard->looked_ms + DISK_GUARD_MS : 0;
}
