/** The table itself, for the files of this folder. */
#ifndef CONFIG_TABLE_H
#define CONFIG_TABLE_H

#include "config.h"

enum config_kind { CONFIG_NUMBER, CONFIG_BYTES, CONFIG_TEXT, CONFIG_CHOICE, CONFIG_NODES };

struct config_row {
    const char *name;
    enum config_kind kind;
    size_t offset; /**< in struct config, or struct config_node */
    size_t size;   /**< of the field: 4 or 8 for numbers, the array for texts */
    uint64_t min;  /**< of the number; of a text: bytes */
    uint64_t max;
    const char *unit;    /**< "ms", "bytes", "" */
    uint64_t number;     /**< default of a number or choice */
    const char *text;    /**< default of a text, in words when it is not literal: NULL means empty */
    bool required;       /**< has no default */
    const char *choices; /**< "error|warn|info|debug" */
    const char *letters; /**< of a text: allowed beside letters and digits; NULL: any printable */
    const char *help;    /**< one sentence, without the unit and range */
};

extern const struct config_row config_rows[];
extern const size_t config_row_count;
/** The keys of one entry of cluster.nodes. */
extern const struct config_row config_node_rows[];
extern const size_t config_node_row_count;

/** NULL: no such name. */
const struct config_row *config_row_find(const struct config_row *rows, size_t count, const char *name);
/** The first row named "PREFIX.something", or NULL. */
const struct config_row *config_row_first_of(const char *prefix);
/** The nearest name, or NULL when none is near. */
const char *config_row_suggest(const struct config_row *rows, size_t count, const char *name);

/** Parses and stores a scalar into the field of `base`. `quoted`: it stood in quotes. LF_INVALID with `why` filled in:
 *  what is wrong and what would be right, without place and name. */
enum lf_status config_value_set(void *base, const struct config_row *row, const char *value, size_t size, bool quoted,
                                char *why, size_t why_size);
/** "a number of ms from 5 to 1000" */
void config_value_describe(const struct config_row *row, char *out, size_t size);
/** "50", "8 MiB", "info", "(none)" */
void config_value_default(const struct config_row *row, char *out, size_t size);

/** Sets error to "FILE:LINE: text" or "--NAME: text"; returns LF_INVALID. */
enum lf_status config_refuse(const struct config *config, struct config_error *error, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
