/** One line = one decision, to one descriptor: `time=2026-01-31T12:00:00.123Z level=info node=2 term=7 grant vote
 * to=3`. Payloads are never logged.
 */
#ifndef LOG_H
#define LOG_H

/** The numbers of log.level. */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/** Longest line, in bytes; longer ones are cut. */
#define LOG_LINE_BYTES_MAX 1024

struct log {
    int fd;
    enum log_level level; /**< this and what is graver is written */
};

void log_line(const struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** For node_set_trace, with a struct log as context. A decision is worth `info`, unless it is one of those that come
 * with every entry: these are `debug`. */
void log_decision(void *context, const char *line);

#endif
