/** What can be set per topic: one table (name, unit, range, default, help) that judging, the protocol's answers, the
 *  page docs/topic-settings.md and the command line all read. A new setting is one field and one row.
 *
 *  Settings are kept in group 0 and may differ between replicas for a moment, as group 0 reaches them. So they steer
 *  what a partition's *leader proposes*, and nothing that replicas judge.
 */
#ifndef TOPIC_SETTINGS_H
#define TOPIC_SETTINGS_H

#include "lf_bytes.h"
#include "lf_status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Values of cleanup_policy: bits, at least one. */
#define TOPIC_CLEANUP_DELETE 1  /**< whole segments beyond the retention go */
#define TOPIC_CLEANUP_COMPACT 2 /**< of each key the last record stays */

/** Effective values: what was set, else the default. */
struct topic_settings {
    int64_t retention_bytes;       /**< [-1] of one partition; -1: no limit */
    int64_t retention_ms;          /**< [-1] by log time; -1: no limit */
    int64_t segment_bytes;         /**< [16 MiB] a segment is sealed when it has as many */
    int64_t segment_ms;            /**< [7 days] or when its first entry is as old, by log time */
    int64_t cleanup_policy;        /**< [TOPIC_CLEANUP_DELETE] */
    int64_t delete_retention_ms;   /**< [1 day] a tombstone stays at least as long */
    int64_t min_compaction_lag_ms; /**< [0] what is younger is not compacted */
};

/** What is set of a topic, or is to be set and reset: bit per row. */
struct topic_settings_change {
    struct topic_settings values; /**< of what is in `set` */
    uint32_t set;
    uint32_t reset; /**< back to the default; never shares a bit with `set` */
};

/** A topic without any of its own. */
extern const struct topic_settings topic_settings_default;

/** Number of rows; a bit set of rows fits a uint32_t. */
#define TOPIC_SETTINGS_COUNT 7
_Static_assert(TOPIC_SETTINGS_COUNT <= 32, "sets of settings are uint32_t");

enum topic_setting_kind { TOPIC_SETTING_BYTES, TOPIC_SETTING_MS, TOPIC_SETTING_POLICY };

struct topic_setting {
    const char *name;
    uint32_t number; /**< in the log of group 0: rising, never reused */
    enum topic_setting_kind kind;
    size_t offset; /**< of its int64_t in struct topic_settings */
    int64_t min, max;
    bool unlimited; /**< -1 is allowed too, and means no limit */
    int64_t value;  /**< the default */
    const char *help;
};
extern const struct topic_setting topic_setting_rows[TOPIC_SETTINGS_COUNT];

/** Row by name or by number; -1: none such. */
int topic_setting_named(const char *name);
int topic_setting_numbered(uint32_t number);
int64_t topic_setting_get(const struct topic_settings *settings, int row);
void topic_setting_put(struct topic_settings *settings, int row, int64_t value);
/** Within the row's range? */
bool topic_setting_fits(int row, int64_t value);

/** From text: a whole number, which a unit may follow (KiB MiB GiB TiB; s min h d, else ms), "unlimited", or policies
 *  with commas. LF_INVALID in words: what is wrong and what would be right. */
enum lf_status topic_setting_parse(int row, const char *text, int64_t *value, struct lf_error *error);
/** "no setting is called X: did you mean Y?" Returns LF_INVALID. */
enum lf_status topic_setting_unknown(const char *name, struct lf_error *error);
/** Adds one to the change; value NULL: a reset. LF_INVALID in words: name, value, or named before. */
enum lf_status topic_settings_change_add(struct topic_settings_change *change, const char *name, const char *value,
                                         struct lf_error *error);
/** "16777216", "-1", "compact,delete": parses to the same value in every version. */
void topic_setting_plain(int row, int64_t value, char *out, size_t size);
/** "16 MiB", "unlimited", "7 d". */
void topic_setting_pretty(int row, int64_t value, char *out, size_t size);
/** "bytes from 64 KiB to 1 GiB" */
void topic_setting_range(int row, char *out, size_t size);
/** Room for each of these texts, in bytes. */
#define TOPIC_SETTING_TEXT_BYTES 96

#endif
