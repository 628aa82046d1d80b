/** -f FORMAT, as kcat's: literal text, \n \t \r \\ \xHH, and
 *    %s value   %S its bytes (-1 null)   %k key   %K its bytes (-1 null)   %h headers k=v,k=v
 *    %t topic   %p partition   %o offset   %T timestamp in ms   %R value's bytes as a big-endian int32   %% */
#include "lf_record_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct lf_record_format {
    size_t count;
    struct part {
        char letter; /* 0: literal */
        char *text;
        size_t size;
    } parts[];
};

void lf_record_format_destroy(struct lf_record_format **where) {
    struct lf_record_format *format = *where;
    *where = NULL;
    for (size_t i = 0; format && i < format->count; i++)
        free(format->parts[i].text);
    free(format);
}

/** One character of literal text; *at moves behind it. */
static int literal(const char **at, struct lf_error *error) {
    const char *text = *at;
    if (*text != '\\') {
        *at = text + 1;
        return (unsigned char)*text;
    }
    static const char letters[] = "ntr\\0", values[] = "\n\t\r\\";
    *at = text + 2;
    const char *found = text[1] ? strchr(letters, text[1]) : NULL;
    if (found)
        return (unsigned char)values[found - letters];
    if (text[1] == 'x' && isxdigit((unsigned char)text[2]) && isxdigit((unsigned char)text[3])) {
        char digits[3] = {text[2], text[3], 0};
        *at = text + 4;
        return (int)strtol(digits, NULL, 16);
    }
    lf_error_set(error, LF_INVALID, "\\%c is not known: \\n \\t \\r \\\\ \\0 \\xHH are", text[1] ? text[1] : ' ');
    return -1;
}

struct lf_record_format *lf_record_format_new(const char *text, struct lf_error *error) {
    size_t length = strlen(text);
    struct lf_record_format *format = calloc(1, sizeof *format + (length + 1) * sizeof *format->parts);
    if (!format)
        return NULL;
    while (*text) {
        struct part *part = &format->parts[format->count];
        if (*text == '%' && text[1] != '%') {
            if (!text[1] || !strchr("sSkKhtpoTR", text[1])) {
                lf_error_set(error, LF_INVALID, "%%%c is not known: %%s %%S %%k %%K %%h %%t %%p %%o %%T %%R %%%% are",
                             text[1] ? text[1] : ' ');
                lf_record_format_destroy(&format);
                return NULL;
            }
            part->letter = text[1];
            text += 2;
            format->count++;
            continue;
        }
        part->text = malloc(length + 1);
        format->count++;
        while (part->text && *text && (*text != '%' || text[1] == '%')) {
            text += *text == '%'; /* %% */
            int c = literal(&text, error);
            if (c < 0) {
                lf_record_format_destroy(&format);
                return NULL;
            }
            part->text[part->size++] = (char)c;
        }
        if (!part->text) {
            lf_record_format_destroy(&format);
            return NULL;
        }
    }
    return format;
}

static void print_headers(struct lf_output *output, const struct lf_record_text *record) {
    for (size_t i = 0; i < record->header_count; i++) {
        const struct lf_header_text *header = &record->headers[i];
        if (i)
            lf_output_text(output, ",");
        lf_output_bytes(output, header->key, header->key_size);
        lf_output_text(output, "=");
        if (header->value)
            lf_output_bytes(output, header->value, header->value_size);
        else
            lf_output_text(output, "NULL");
    }
}

static void print_bytes(struct lf_output *output, const struct lf_record_text *record, const void *data, size_t size) {
    if (data)
        lf_output_bytes(output, data, size);
    else if (record->null_words)
        lf_output_text(output, record->null_words);
}

static void print_part(const struct part *part, struct lf_output *output, const struct lf_record_text *record) {
    switch (part->letter) {
    case 0:
        lf_output_bytes(output, part->text, part->size);
        return;
    case 's':
        print_bytes(output, record, record->value, record->value_size);
        return;
    case 'S':
        lf_output_number(output, record->value ? (int64_t)record->value_size : -1);
        return;
    case 'R': {
        uint32_t size = record->value ? (uint32_t)record->value_size : UINT32_MAX;
        uint8_t bytes[4] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
        lf_output_bytes(output, bytes, sizeof bytes);
        return;
    }
    case 'k':
        print_bytes(output, record, record->key, record->key_size);
        return;
    case 'K':
        lf_output_number(output, record->key ? (int64_t)record->key_size : -1);
        return;
    case 'h':
        print_headers(output, record);
        return;
    case 't':
        lf_output_text(output, record->topic);
        return;
    case 'p':
        lf_output_number(output, record->partition);
        return;
    case 'o':
        lf_output_number(output, record->offset);
        return;
    case 'T':
        lf_output_number(output, record->timestamp_ms);
        return;
    }
}

void lf_record_format_print(const struct lf_record_format *format, struct lf_output *output,
                            const struct lf_record_text *record) {
    for (size_t i = 0; i < format->count; i++)
        print_part(&format->parts[i], output, record);
}
