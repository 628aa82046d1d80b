#include "log.h"

#include "clock.h"
#include "log_json.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TIME_BYTES 40

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static void put_time(char out[TIME_BYTES]) {
    int64_t wall_ms = clock_wall_ms();
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t used = strftime(out, TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + used, TIME_BYTES - used, ".%03dZ", (int)(wall_ms % 1000));
}

int log_descriptor(int fd) {
    char path[32];
    if (!isatty(fd))
        return fd;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd); /* opened anew: the flag is not set for the shell's too */
    int own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return own >= 0 ? own : fd;
}

/** What the descriptor takes at once; 0: nothing. A pipe that is ready takes PIPE_BUF bytes in one piece without
 *  waiting, a socket is asked not to wait, and a file is always ready. `wait_ms`: for it to be ready. */
static size_t write_some(int fd, const char *data, size_t size, int wait_ms) {
    struct pollfd item = {.fd = fd, .events = POLLOUT};
    if (poll(&item, 1, wait_ms) <= 0 || !(item.revents & POLLOUT))
        return 0;
    if (size > PIPE_BUF)
        size = PIPE_BUF;
    ssize_t written = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (written < 0 && errno == ENOTSOCK)
        written = write(fd, data, size);
    return written > 0 ? (size_t)written : 0;
}

static void flush(struct log *log, int wait_ms) {
    while (log->backlog_bytes > 0) {
        size_t written = write_some(log->fd, log->backlog + log->backlog_start, log->backlog_bytes, wait_ms);
        if (written == 0)
            return;
        log->backlog_start += written;
        log->backlog_bytes -= written;
    }
    log->backlog_start = 0;
}

/** Waits for a reader, or is dropped. */
static void keep(struct log *log, const char *data, size_t size) {
    if (!log->backlog)
        log->backlog = malloc(LOG_BACKLOG_BYTES_MAX);
    if (!log->backlog || log->backlog_bytes + size > LOG_BACKLOG_BYTES_MAX) {
        log->dropped++;
        return;
    }
    if (log->backlog_start + log->backlog_bytes + size > LOG_BACKLOG_BYTES_MAX) {
        memmove(log->backlog, log->backlog + log->backlog_start, log->backlog_bytes);
        log->backlog_start = 0;
    }
    memcpy(log->backlog + log->backlog_start + log->backlog_bytes, data, size);
    log->backlog_bytes += size;
}

/** One write for one line, so that lines of several processes do not mix. */
static void write_line(struct log *log, const char *line, size_t size) {
    size_t written = log->backlog_bytes == 0 ? write_some(log->fd, line, size, 0) : 0;
    if (written < size)
        keep(log, line + written, size - written);
}

static size_t clean(char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
    return size;
}

/** text: terminated. */
static void put_line(struct log *log, enum log_level level, char *text) {
    char time[TIME_BYTES], line[LOG_JSON_BYTES_MAX];
    put_time(time);
    clean(text, strlen(text));
    if (log->format == LOG_JSON) {
        write_line(log, line, log_json(line, sizeof line, time, level_names[level], text));
        return;
    }
    int used = snprintf(line, LOG_LINE_BYTES_MAX, "time=%s level=%s %s", time, level_names[level], text);
    size_t size = used < LOG_LINE_BYTES_MAX ? (size_t)used : LOG_LINE_BYTES_MAX - 1;
    line[size] = '\n';
    write_line(log, line, size + 1);
}

/** Whoever reads again is told what is missing, where it is missing. */
static void tell_dropped(struct log *log) {
    char text[96];
    if (log->dropped == log->dropped_told || log->backlog_bytes > 0)
        return;
    snprintf(text, sizeof text, "log lines_dropped=%llu: nobody took them in time",
             (unsigned long long)(log->dropped - log->dropped_told));
    log->dropped_told = log->dropped;
    put_line(log, LOG_WARN, text);
}

void log_flush(struct log *log) {
    if (log->backlog_bytes == 0)
        return;
    flush(log, 0);
    tell_dropped(log);
}

void log_close(struct log *log) {
    flush(log, LOG_CLOSE_MS);
    tell_dropped(log);
    free(log->backlog);
    log->backlog = NULL;
    log->backlog_start = log->backlog_bytes = 0;
}

void log_line(struct log *log, enum log_level level, const char *format, ...) {
    if (level > log->level)
        return;
    char text[LOG_LINE_BYTES_MAX];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_flush(log);
    put_line(log, level, size < 0 ? strcpy(text, "?") : text);
}

/** What follows the leading name=value fields. */
static const char *after_fields(const char *line) {
    for (;;) {
        size_t word = strcspn(line, " ");
        if (!line[word] || !memchr(line, '=', word))
            return line;
        line += word + 1;
    }
}

static bool is_routine(const char *words) {
    static const char *const routine[] = {"commit ", "probe ", "replicate ", "refuse append ", "drop "};
    for (size_t i = 0; i < sizeof routine / sizeof *routine; i++)
        if (strncmp(words, routine[i], strlen(routine[i])) == 0)
            return true;
    return false;
}

void log_decision(void *context, const char *line) {
    struct log *log = context;
    log_line(log, is_routine(after_fields(line)) ? LOG_DEBUG : LOG_INFO, "%s", line);
}
