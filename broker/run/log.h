/** One line = one decision, to one descriptor: `time=2026-01-31T12:00:00.123Z level=info node=2 term=7 grant vote
 *  to=3`, or the same as JSON. Payloads are never logged.
 *
 *  Never waits for a reader: a line is written when the descriptor takes it at once, so that what was logged before a
 *  crash is out; else it waits in a bounded backlog, and is dropped and counted when that is full. Used by one thread.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The numbers of log.level. */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
/** The numbers of log.format. */
enum log_format { LOG_LOGFMT, LOG_JSON };

/** Longest line as logfmt, in bytes; longer ones are cut. */
#define LOG_LINE_BYTES_MAX 1024
/** The same as JSON, escaped: a pipe takes as much in one piece. */
#define LOG_JSON_BYTES_MAX 4096
/** Lines that wait for a reader, in bytes. */
#define LOG_BACKLOG_BYTES_MAX (256u * 1024)
/** At the end the reader gets this long, in ms. */
#define LOG_CLOSE_MS 200

struct log {
    int fd;
    enum log_level level; /**< this and what is graver is written */
    enum log_format format;
    uint64_t dropped; /**< lines, since the start */
    /* of log.c alone: */
    uint64_t dropped_told;
    char *backlog; /**< NULL until needed */
    size_t backlog_start, backlog_bytes;
};

/** A descriptor of the same, whose writes can be kept from waiting: a terminal's own, another as it is. */
int log_descriptor(int fd);
void log_line(struct log *log, enum log_level level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/** For node_set_trace, with a struct log as context. A decision is worth `info`, unless it is one of those that come
 * with every entry: these are `debug`. */
void log_decision(void *context, const char *line);

/** Writes what waits, as far as the reader takes it at once. Cheap when nothing waits. */
void log_flush(struct log *log);
/** Waits up to LOG_CLOSE_MS for the reader, then gives the rest up; frees. */
void log_close(struct log *log);

#endif
