#include "metrics_text.h"

#include <inttypes.h>
#include <string.h>

/** A run of plain bytes at a time; `quotes`: '"' is escaped too. */
static void put_escaped(struct text *text, const char *value, bool quotes) {
    while (*value) {
        size_t plain = strcspn(value, quotes ? "\\\"\n" : "\\\n");
        text_add(text, value, plain);
        value += plain;
        if (!*value)
            return;
        text_put(text, *value == '\n' ? "\\n" : *value == '"' ? "\\\"" : "\\\\");
        value++;
    }
}

void metrics_head(struct text *text, const char *name, const char *type, const char *help) {
    text_printf(text, "# HELP " METRICS_PREFIX "%s ", name);
    put_escaped(text, help, false);
    text_printf(text, "\n# TYPE " METRICS_PREFIX "%s %s\n", name, type);
}

static void put_label(struct text *text, const char *name, const char *value, char before) {
    text_printf(text, "%c%s=\"", before, name);
    put_escaped(text, value, true);
    text_put(text, "\"");
}

static void put_name(struct text *text, const char *name, const char *suffix, const struct metrics_label *labels) {
    text_printf(text, METRICS_PREFIX "%s%s", name, suffix);
    for (size_t i = 0; labels && labels[i].name; i++)
        put_label(text, labels[i].name, labels[i].value, i == 0 ? '{' : ',');
    text_put(text, labels && labels[0].name ? "} " : " ");
}

void metrics_number(struct text *text, const char *name, const struct metrics_label *labels, uint64_t value) {
    put_name(text, name, "", labels);
    text_printf(text, "%" PRIu64 "\n", value);
}

void metrics_signed(struct text *text, const char *name, const struct metrics_label *labels, int64_t value) {
    put_name(text, name, "", labels);
    text_printf(text, "%" PRId64 "\n", value);
}

/** Exact, with no more digits than it has: "0", "0.00005", "1.5". */
static void put_seconds(struct text *text, uint64_t us) {
    char digits[8];
    uint64_t fraction = us % 1000000;
    int size = 6;
    text_printf(text, "%" PRIu64, us / 1000000);
    for (int i = 5; i >= 0; i--, fraction /= 10)
        digits[i] = (char)('0' + fraction % 10);
    while (size > 0 && digits[size - 1] == '0')
        size--;
    if (size > 0)
        text_printf(text, ".%.*s", size, digits);
}

void metrics_seconds(struct text *text, const char *name, const struct metrics_label *labels, uint64_t us) {
    put_name(text, name, "", labels);
    put_seconds(text, us);
    text_put(text, "\n");
}

void metrics_counter(struct text *text, const char *name, const char *help, uint64_t value) {
    metrics_head(text, name, "counter", help);
    metrics_number(text, name, NULL, value);
}

void metrics_gauge(struct text *text, const char *name, const char *help, uint64_t value) {
    metrics_head(text, name, "gauge", help);
    metrics_number(text, name, NULL, value);
}

void metrics_gauge_seconds(struct text *text, const char *name, const char *help, uint64_t us) {
    metrics_head(text, name, "gauge", help);
    metrics_seconds(text, name, NULL, us);
}

void metrics_counter_seconds(struct text *text, const char *name, const char *help, uint64_t us) {
    metrics_head(text, name, "counter", help);
    metrics_seconds(text, name, NULL, us);
}

void metrics_histogram(struct text *text, const char *name, const char *help, const struct lf_histogram *histogram) {
    uint64_t count = 0;
    metrics_head(text, name, "histogram", help);
    for (size_t i = 0; i < LF_HISTOGRAM_BOUNDS; i++) {
        count += histogram->counts[i];
        text_printf(text, METRICS_PREFIX "%s_bucket{le=\"", name);
        put_seconds(text, lf_histogram_bounds_us[i]);
        text_printf(text, "\"} %" PRIu64 "\n", count);
    }
    count += histogram->counts[LF_HISTOGRAM_BOUNDS];
    text_printf(text, METRICS_PREFIX "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
    text_printf(text, METRICS_PREFIX "%s_sum ", name);
    put_seconds(text, histogram->sum_us);
    text_printf(text, "\n" METRICS_PREFIX "%s_count %" PRIu64 "\n", name, count);
}
