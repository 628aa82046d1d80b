/** Scalars: from text to field, with words about what would be right. */
#include "config_table.h"

#include "lf_check.h"

#include <ctype.h>
#include <inttypes.h>

static const struct {
    const char *name;
    uint64_t factor;
} suffixes[] = {{"GiB", 1024ull * 1024 * 1024}, {"MiB", 1024ull * 1024}, {"KiB", 1024}};
#define SUFFIX_COUNT (sizeof suffixes / sizeof *suffixes)

static void print_number(const struct config_row *row, uint64_t number, char *out, size_t size) {
    for (size_t i = 0; row->kind == CONFIG_BYTES && number > 0 && i < SUFFIX_COUNT; i++)
        if (number % suffixes[i].factor == 0) {
            snprintf(out, size, "%" PRIu64 " %s", number / suffixes[i].factor, suffixes[i].name);
            return;
        }
    snprintf(out, size, "%" PRIu64, number);
}

void config_value_describe(const struct config_row *row, char *out, size_t size) {
    char min[32], max[32];
    print_number(row, row->min, min, sizeof min);
    print_number(row, row->max, max, sizeof max);
    if (row->kind == CONFIG_NUMBER)
        snprintf(out, size, "a whole number%s%s from %s to %s", row->unit[0] ? " of " : "", row->unit, min, max);
    else if (row->kind == CONFIG_BYTES)
        snprintf(out, size, "bytes from %s to %s", min, max);
    else if (row->kind == CONFIG_CHOICE)
        snprintf(out, size, "one of %s", row->choices);
    else if (row->kind == CONFIG_NODES)
        snprintf(out, size, "a list of 1 to %s maps with id, host and ports", max);
    else if (row->letters)
        snprintf(out, size, "%s to %s letters, digits or any of %s", min, max, row->letters);
    else
        snprintf(out, size, "%s to %s printable characters", min, max);
}

static void print_choice(const struct config_row *row, uint64_t number, char *out, size_t size) {
    const char *at = row->choices;
    for (; number > 0 && at; number--)
        at = strchr(at, '|') + 1;
    snprintf(out, size, "%.*s", (int)strcspn(at, "|"), at);
}

void config_value_default(const struct config_row *row, char *out, size_t size) {
    if (row->required)
        snprintf(out, size, "none: required");
    else if (row->kind == CONFIG_CHOICE)
        print_choice(row, row->number, out, size);
    else if (row->kind == CONFIG_TEXT)
        snprintf(out, size, "%s", row->text ? row->text : "empty");
    else
        print_number(row, row->number, out, size);
}

/** Whole decimal number, with a size suffix where the row is in bytes. */
static bool parse_number(const struct config_row *row, const char *value, size_t size, uint64_t *number) {
    size_t digits = 0;
    *number = 0;
    for (; digits < size && isdigit((unsigned char)value[digits]); digits++) {
        if (__builtin_mul_overflow(*number, 10u, number) ||
            __builtin_add_overflow(*number, (uint64_t)(value[digits] - '0'), number))
            return false;
    }
    if (digits == 0 || digits == size)
        return digits > 0;
    if (row->kind != CONFIG_BYTES)
        return false;
    if (value[digits] == ' ')
        digits++;
    for (size_t i = 0; i < SUFFIX_COUNT; i++)
        if (size - digits == strlen(suffixes[i].name) && memcmp(value + digits, suffixes[i].name, size - digits) == 0)
            return !__builtin_mul_overflow(*number, suffixes[i].factor, number);
    return false;
}

static void put_number(void *base, const struct config_row *row, uint64_t number) {
    uint8_t *field = (uint8_t *)base + row->offset;
    if (row->size == sizeof(uint32_t)) {
        uint32_t small = (uint32_t)number;
        lf_check(small == number);
        memcpy(field, &small, sizeof small);
    } else {
        lf_check(row->size == sizeof number);
        memcpy(field, &number, sizeof number);
    }
}

static bool set_number(void *base, const struct config_row *row, const char *value, size_t size, bool quoted) {
    uint64_t number;
    if (quoted || !parse_number(row, value, size, &number) || number < row->min || number > row->max)
        return false;
    put_number(base, row, number);
    return true;
}

static bool set_choice(void *base, const struct config_row *row, const char *value, size_t size) {
    uint64_t number = 0;
    for (const char *at = row->choices; at; number++) {
        size_t length = strcspn(at, "|");
        if (length == size && memcmp(at, value, size) == 0) {
            put_number(base, row, number);
            return true;
        }
        at = at[length] ? at + length + 1 : NULL;
    }
    return false;
}

static bool set_text(void *base, const struct config_row *row, const char *value, size_t size) {
    if (size < row->min || size > row->max)
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)value[i];
        bool fine = row->letters ? c < 0x80 && (isalnum(c) || (c && strchr(row->letters, c))) : c >= 0x20 && c != 0x7f;
        if (!fine)
            return false;
    }
    lf_check(size < row->size);
    char *field = (char *)base + row->offset;
    memcpy(field, value, size);
    field[size] = '\0';
    return true;
}

enum lf_status config_value_set(void *base, const struct config_row *row, const char *value, size_t size, bool quoted,
                                char *why, size_t why_size) {
    bool done = false;
    if (row->kind == CONFIG_NUMBER || row->kind == CONFIG_BYTES)
        done = set_number(base, row, value, size, quoted);
    else if (row->kind == CONFIG_CHOICE)
        done = set_choice(base, row, value, size);
    else if (row->kind == CONFIG_TEXT)
        done = set_text(base, row, value, size);
    if (done)
        return LF_OK;
    char right[160];
    config_value_describe(row, right, sizeof right);
    const char *suffix = row->kind == CONFIG_BYTES ? " (a whole number; KiB, MiB or GiB may follow)" : "";
    if (size == 0)
        snprintf(why, why_size, "has no value; right is %s%s", right, suffix);
    else
        snprintf(why, why_size, "%s%.60s%s is not right; right is %s%s", quoted ? "the text \"" : "", value,
                 quoted ? "\"" : "", right, suffix);
    return LF_INVALID;
}
