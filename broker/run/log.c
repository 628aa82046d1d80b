#include "log.h"

#include "clock.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static size_t put_head(char *out, size_t size, enum log_level level) {
    int64_t wall_ms = clock_wall_ms();
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t used = strftime(out, size, "time=%Y-%m-%dT%H:%M:%S", &utc);
    return used +
           (size_t)snprintf(out + used, size - used, ".%03dZ level=%s ", (int)(wall_ms % 1000), level_names[level]);
}

/** One write for one line, so that lines of several processes do not mix. */
static void write_line(int fd, const char *line, size_t size) {
    while (size > 0) {
        ssize_t written = write(fd, line, size);
        if (written <= 0)
            return; /* nobody reads it; there is nowhere to say so */
        line += written;
        size -= (size_t)written;
    }
}

void log_line(const struct log *log, enum log_level level, const char *format, ...) {
    if (level > log->level)
        return;
    char line[LOG_LINE_BYTES_MAX];
    size_t head = put_head(line, sizeof line, level);
    va_list args;
    va_start(args, format);
    int text = vsnprintf(line + head, sizeof line - head, format, args);
    va_end(args);
    size_t size = text < 0 ? head : head + (size_t)text;
    if (size > sizeof line - 1)
        size = sizeof line - 1;
    for (size_t i = head; i < size; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[size] = '\n';
    write_line(log->fd, line, size + 1);
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
    const struct log *log = context;
    log_line(log, is_routine(after_fields(line)) ? LOG_DEBUG : LOG_INFO, "%s", line);
}
