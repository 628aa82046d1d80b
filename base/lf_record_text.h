/** Records as people and scripts read them: the forms of `logflume sub`. */
#ifndef LF_RECORD_TEXT_H
#define LF_RECORD_TEXT_H

#include "lf_output.h"
#include "lf_status.h"

/** Views; NULL where there is none. */
struct lf_header_text {
    const char *key; /**< not NUL-terminated */
    size_t key_size;
    const void *value;
    size_t value_size;
};
struct lf_record_text {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    const void *key;
    size_t key_size;
    const void *value;
    size_t value_size;
    const struct lf_header_text *headers;
    size_t header_count;
    const char *null_words; /**< what a FORMAT prints for a key or value that is null; NULL: nothing */
};

/** A parsed FORMAT (lf_record_format.c has the letters). Returns (caller destroys) or NULL after words in error; NULL
 *  without any: no memory. */
struct lf_record_format;
struct lf_record_format *lf_record_format_new(const char *text, struct lf_error *error);
void lf_record_format_print(const struct lf_record_format *format, struct lf_output *output,
                            const struct lf_record_text *record);
void lf_record_format_destroy(struct lf_record_format **format);
/** One JSON object and a newline, with kcat's names; bytes that are not UTF-8 stand as NAME_base64. */
void lf_record_json_print(struct lf_output *output, const struct lf_record_text *record);

#endif
