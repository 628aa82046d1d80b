/** The one table of what can be set per topic, and its values as text. */
#include "topic_settings.h"

#include "lf_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND INT64_C(1000)
#define DAY (86400 * SECOND)
#define CENTURY (36525 * DAY)

#define FIELD(field) .offset = offsetof(struct topic_settings, field)

const struct topic_setting topic_setting_rows[TOPIC_SETTINGS_COUNT] = {
    {"retention.bytes", 1, TOPIC_SETTING_BYTES, FIELD(retention_bytes), .min = 0, .max = (INT64_C(1) << 60),
     .unlimited = true, .value = -1,
     .help = "Of one partition: its oldest segments go while what remains has at least as many bytes."},
    {"retention.ms", 2, TOPIC_SETTING_MS, FIELD(retention_ms), .min = 0, .max = CENTURY, .unlimited = true, .value = -1,
     .help = "Segments whose newest entry is older, by log time, go."},
    {"segment.bytes", 3, TOPIC_SETTING_BYTES, FIELD(segment_bytes), .min = 64 * KIB, .max = GIB, .value = 16 * MIB,
     .help = "A segment is sealed at this size; sooner while many partitions are written to."},
    {"segment.ms", 4, TOPIC_SETTING_MS, FIELD(segment_ms), .min = SECOND, .max = CENTURY, .value = 7 * DAY,
     .help = "A segment is sealed at the latest when its first entry is so old, by log time. What is not sealed is "
             "neither dropped nor compacted."},
    {"cleanup.policy", 5, TOPIC_SETTING_POLICY, FIELD(cleanup_policy), .min = TOPIC_CLEANUP_DELETE,
     .max = TOPIC_CLEANUP_DELETE | TOPIC_CLEANUP_COMPACT, .value = TOPIC_CLEANUP_DELETE,
     .help = "delete: the retention counts; compact: the last record of each key stays; both can be set."},
    {"delete.retention.ms", 6, TOPIC_SETTING_MS, FIELD(delete_retention_ms), .min = 0, .max = CENTURY, .value = DAY,
     .help = "Compaction leaves a record without a value (a tombstone) in place at least so long, by log time."},
    {"min.compaction.lag.ms", 7, TOPIC_SETTING_MS, FIELD(min_compaction_lag_ms), .min = 0, .max = CENTURY, .value = 0,
     .help = "Compaction leaves segments alone whose newest entry is younger, by log time."},
};

const struct topic_settings topic_settings_default = {.retention_bytes = -1,
                                                      .retention_ms = -1,
                                                      .segment_bytes = 16 * MIB,
                                                      .segment_ms = 7 * DAY,
                                                      .cleanup_policy = TOPIC_CLEANUP_DELETE,
                                                      .delete_retention_ms = DAY,
                                                      .min_compaction_lag_ms = 0};

int topic_setting_named(const char *name) {
    for (int row = 0; row < TOPIC_SETTINGS_COUNT; row++)
        if (strcmp(topic_setting_rows[row].name, name) == 0)
            return row;
    return -1;
}

int topic_setting_numbered(uint32_t number) {
    for (int row = 0; row < TOPIC_SETTINGS_COUNT; row++)
        if (topic_setting_rows[row].number == number)
            return row;
    return -1;
}

int64_t topic_setting_get(const struct topic_settings *settings, int row) {
    int64_t value;
    memcpy(&value, (const char *)settings + topic_setting_rows[row].offset, sizeof value);
    return value;
}

void topic_setting_put(struct topic_settings *settings, int row, int64_t value) {
    lf_check(topic_setting_fits(row, value));
    memcpy((char *)settings + topic_setting_rows[row].offset, &value, sizeof value);
}

bool topic_setting_fits(int row, int64_t value) {
    const struct topic_setting *setting = &topic_setting_rows[row];
    return (value >= setting->min && value <= setting->max) || (setting->unlimited && value == -1);
}

/* ---- units ---- */

struct unit {
    const char *name;
    int64_t factor;
};
static const struct unit byte_units[] = {{"TiB", 1024 * GIB}, {"GiB", GIB}, {"MiB", MIB}, {"KiB", KIB}};
static const struct unit time_units[] = {
    {"d", DAY}, {"h", 3600 * SECOND}, {"min", 60 * SECOND}, {"s", SECOND}, {"ms", 1}};

static const struct unit *units_of(int row, size_t *count) {
    bool bytes = topic_setting_rows[row].kind == TOPIC_SETTING_BYTES;
    *count = bytes ? sizeof byte_units / sizeof *byte_units : sizeof time_units / sizeof *time_units;
    return bytes ? byte_units : time_units;
}

static bool parse_number(int row, const char *text, int64_t *value) {
    size_t digits = strspn(text, "0123456789"), count;
    *value = 0;
    if (digits == 0)
        return false;
    for (size_t i = 0; i < digits; i++)
        if (__builtin_mul_overflow(*value, (int64_t)10, value) ||
            __builtin_add_overflow(*value, (int64_t)(text[i] - '0'), value))
            return false;
    text += digits + (text[digits] == ' ');
    if (*text == '\0')
        return true;
    const struct unit *units = units_of(row, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, units[i].name) == 0)
            return !__builtin_mul_overflow(*value, units[i].factor, value);
    return false;
}

static bool parse_policy(const char *text, int64_t *value) {
    *value = 0;
    for (bool more = true; more;) {
        size_t size = strcspn(text, ",");
        int64_t bit = size == 6 && memcmp(text, "delete", 6) == 0    ? TOPIC_CLEANUP_DELETE
                      : size == 7 && memcmp(text, "compact", 7) == 0 ? TOPIC_CLEANUP_COMPACT
                                                                     : 0;
        if (bit == 0 || (*value & bit))
            return false;
        *value |= bit;
        more = text[size] == ',';
        text += size + more;
    }
    return true;
}

enum lf_status topic_setting_parse(int row, const char *text, int64_t *value, struct lf_error *error) {
    const struct topic_setting *setting = &topic_setting_rows[row];
    bool good;
    if (setting->kind == TOPIC_SETTING_POLICY) {
        good = parse_policy(text, value);
    } else if (setting->unlimited && (strcmp(text, "-1") == 0 || strcmp(text, "unlimited") == 0)) {
        *value = -1;
        good = true;
    } else {
        good = parse_number(row, text, value);
    }
    if (good && topic_setting_fits(row, *value))
        return LF_OK;
    char range[TOPIC_SETTING_TEXT_BYTES];
    topic_setting_range(row, range, sizeof range);
    return lf_error_set(error, LF_INVALID, "%s=%.40s is not right; right is %s", setting->name, text, range);
}

/** Letters two names share at their beginnings. */
static size_t shared(const char *a, const char *b) {
    size_t count = 0;
    while (a[count] && a[count] == b[count])
        count++;
    return count;
}

enum lf_status topic_setting_unknown(const char *name, struct lf_error *error) {
    size_t best = 2;
    const char *near = NULL;
    for (int row = 0; row < TOPIC_SETTINGS_COUNT; row++)
        if (shared(name, topic_setting_rows[row].name) > best) {
            best = shared(name, topic_setting_rows[row].name);
            near = topic_setting_rows[row].name;
        }
    if (near)
        return lf_error_set(error, LF_INVALID, "topics have no setting %.60s: did you mean %s?", name, near);
    return lf_error_set(error, LF_INVALID, "topics have no setting %.60s: `logflume topic settings` lists them", name);
}

enum lf_status topic_settings_change_add(struct topic_settings_change *change, const char *name, const char *value,
                                         struct lf_error *error) {
    int row = topic_setting_named(name);
    if (row < 0)
        return topic_setting_unknown(name, error);
    uint32_t bit = UINT32_C(1) << row;
    if ((change->set | change->reset) & bit)
        return lf_error_set(error, LF_INVALID, "%s is named twice", name);
    if (!value) {
        change->reset |= bit;
        return LF_OK;
    }
    int64_t number;
    if (topic_setting_parse(row, value, &number, error) != LF_OK)
        return LF_INVALID;
    topic_setting_put(&change->values, row, number);
    change->set |= bit;
    return LF_OK;
}

/* ---- values as text ---- */

static void print_policy(int64_t value, char *out, size_t size) {
    snprintf(out, size, "%s%s%s", value & TOPIC_CLEANUP_COMPACT ? "compact" : "",
             value == (TOPIC_CLEANUP_COMPACT | TOPIC_CLEANUP_DELETE) ? "," : "",
             value & TOPIC_CLEANUP_DELETE ? "delete" : "");
}

void topic_setting_plain(int row, int64_t value, char *out, size_t size) {
    if (topic_setting_rows[row].kind == TOPIC_SETTING_POLICY)
        print_policy(value, out, size);
    else
        snprintf(out, size, "%" PRId64, value);
}

void topic_setting_pretty(int row, int64_t value, char *out, size_t size) {
    size_t count;
    if (topic_setting_rows[row].kind == TOPIC_SETTING_POLICY) {
        print_policy(value, out, size);
        return;
    }
    if (value == -1) {
        snprintf(out, size, "unlimited");
        return;
    }
    const struct unit *units = units_of(row, &count);
    for (size_t i = 0; i < count && value > 0; i++)
        if (value % units[i].factor == 0) {
            snprintf(out, size, "%" PRId64 " %s", value / units[i].factor, units[i].name);
            return;
        }
    snprintf(out, size, "%" PRId64 "%s", value, topic_setting_rows[row].kind == TOPIC_SETTING_MS ? " ms" : "");
}

void topic_setting_range(int row, char *out, size_t size) {
    const struct topic_setting *setting = &topic_setting_rows[row];
    char min[32], max[32];
    if (setting->kind == TOPIC_SETTING_POLICY) {
        snprintf(out, size, "delete, compact or compact,delete");
        return;
    }
    topic_setting_pretty(row, setting->min, min, sizeof min);
    topic_setting_pretty(row, setting->max, max, sizeof max);
    snprintf(out, size, "%s from %s to %s%s", setting->kind == TOPIC_SETTING_BYTES ? "bytes" : "a time", min, max,
             setting->unlimited ? ", or unlimited (-1)" : "");
}
