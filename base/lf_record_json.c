/** -J: one JSON object per message, with kcat's names. JSON cannot carry bytes that are not UTF-8: those stand as
 * base64 under a name that says so ("payload_base64"). */
#include "lf_record_text.h"

#include <stdio.h>
#include <string.h>

/** Bytes of the valid UTF-8 sequence at p, or 0. */
static size_t sequence(const uint8_t *p, size_t left) {
    if (p[0] < 0x80)
        return 1;
    size_t size = p[0] >= 0xc2 && p[0] < 0xe0   ? 2
                  : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                  : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                                : 0;
    if (size == 0 || size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] >= 0x90))
        return 0; /* overlong, surrogates, beyond U+10FFFF */
    return size;
}

static bool is_utf8(const uint8_t *p, size_t size) {
    for (size_t at = 0, step; at < size; at += step)
        if ((step = sequence(p + at, size - at)) == 0)
            return false;
    return true;
}

static void print_escaped(struct lf_output *output, const uint8_t *p, size_t size) {
    lf_output_text(output, "\"");
    size_t plain = 0;
    for (size_t i = 0; i < size; i++) {
        if (p[i] >= 0x20 && p[i] != '"' && p[i] != '\\')
            continue;
        lf_output_bytes(output, p + plain, i - plain);
        plain = i + 1;
        char escape[8];
        if (p[i] == '\n')
            strcpy(escape, "\\n");
        else if (p[i] == '\t')
            strcpy(escape, "\\t");
        else if (p[i] == '\r')
            strcpy(escape, "\\r");
        else if (p[i] < 0x20)
            snprintf(escape, sizeof escape, "\\u%04x", p[i]);
        else
            snprintf(escape, sizeof escape, "\\%c", p[i]);
        lf_output_text(output, escape);
    }
    lf_output_bytes(output, p + plain, size - plain);
    lf_output_text(output, "\"");
}

static void print_base64(struct lf_output *output, const uint8_t *p, size_t size) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    lf_output_text(output, "\"");
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t group = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        char four[4] = {letters[group >> 18], letters[group >> 12 & 63], left > 1 ? letters[group >> 6 & 63] : '=',
                        left > 2 ? letters[group & 63] : '='};
        lf_output_bytes(output, four, 4);
    }
    lf_output_text(output, "\"");
}

/** "name":value, or "name_base64":value, or "name":null. */
static void print_field(struct lf_output *output, const char *name, const void *bytes, size_t size) {
    bool text = !bytes || is_utf8(bytes, size);
    lf_output_text(output, "\"");
    lf_output_text(output, name);
    lf_output_text(output, text ? "\":" : "_base64\":");
    if (!bytes)
        lf_output_text(output, "null");
    else if (text)
        print_escaped(output, bytes, size);
    else
        print_base64(output, bytes, size);
}

static void print_headers(struct lf_output *output, const struct lf_record_text *record) {
    lf_output_text(output, ",\"headers\":[");
    for (size_t i = 0; i < record->header_count; i++) {
        const struct lf_header_text *header = &record->headers[i];
        bool text = !header->value || is_utf8(header->value, header->value_size);
        if (i)
            lf_output_text(output, ",");
        print_escaped(output, (const uint8_t *)header->key,
                      is_utf8((const uint8_t *)header->key, header->key_size) ? header->key_size : 0);
        lf_output_text(output, ",");
        if (!header->value)
            lf_output_text(output, "null");
        else if (text)
            print_escaped(output, header->value, header->value_size);
        else {
            lf_output_text(output, "{\"base64\":");
            print_base64(output, header->value, header->value_size);
            lf_output_text(output, "}");
        }
    }
    lf_output_text(output, "]");
}

void lf_record_json_print(struct lf_output *output, const struct lf_record_text *record) {
    lf_output_text(output, "{");
    print_field(output, "topic", record->topic, strlen(record->topic));
    lf_output_text(output, ",\"partition\":");
    lf_output_number(output, record->partition);
    lf_output_text(output, ",\"offset\":");
    lf_output_number(output, record->offset);
    lf_output_text(output, ",\"tstype\":\"create\",\"ts\":");
    lf_output_number(output, record->timestamp_ms);
    if (record->header_count)
        print_headers(output, record);
    lf_output_text(output, ",");
    print_field(output, "key", record->key, record->key_size);
    lf_output_text(output, ",");
    print_field(output, "payload", record->value, record->value_size);
    lf_output_text(output, "}\n");
}
