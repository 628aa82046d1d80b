/** The words of Prometheus' text format, version 0.0.4: a head for each metric, then its samples.
 *
 *  Label values and help are escaped here and nowhere else: in values `\`, `"` and newline, in help `\` and newline.
 */
#ifndef METRICS_TEXT_H
#define METRICS_TEXT_H

#include "lf_histogram.h"
#include "text.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
/** Every metric of ours is named so; those of the process have the names all programs use. */
#define METRICS_PREFIX "logflume_"
#define METRICS_LABELS_MAX 6

/** Names end the list by NULL. Both borrowed. */
struct metrics_label {
    const char *name;
    const char *value;
};
/** LABELS("peer", "2", "lane", "data"), for up to METRICS_LABELS_MAX. */
#define METRICS_LABEL(name_, value_)                                                                                   \
    (struct metrics_label) { .name = name_, .value = value_ }
#define METRICS_LABELS(...)                                                                                            \
    (const struct metrics_label[]) {                                                                                   \
        __VA_ARGS__, { NULL, NULL }                                                                                    \
    }

/** type: "counter", "gauge" or "histogram". `name` without the prefix. */
void metrics_head(struct text *text, const char *name, const char *type, const char *help);
/** A sample of a whole number. labels NULL: none. */
void metrics_number(struct text *text, const char *name, const struct metrics_label *labels, uint64_t value);
/** A sample of a number with a sign. */
void metrics_signed(struct text *text, const char *name, const struct metrics_label *labels, int64_t value);
/** A sample in seconds, of so many microseconds. */
void metrics_seconds(struct text *text, const char *name, const struct metrics_label *labels, uint64_t us);
/** Head and samples of a metric that has one. */
void metrics_counter(struct text *text, const char *name, const char *help, uint64_t value);
void metrics_gauge(struct text *text, const char *name, const char *help, uint64_t value);
void metrics_gauge_seconds(struct text *text, const char *name, const char *help, uint64_t us);
void metrics_counter_seconds(struct text *text, const char *name, const char *help, uint64_t us);
/** Head, buckets in seconds, sum and count. */
void metrics_histogram(struct text *text, const char *name, const char *help, const struct lf_histogram *histogram);

#endif
