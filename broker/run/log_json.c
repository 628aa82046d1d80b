#include "log_json.h"

#include "lf_check.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/** Room that is kept for the end: `"}` and a newline. */
#define END_BYTES 3

struct json {
    char *out;
    size_t size, used;
};

struct member {
    const char *name, *value;
    size_t name_size, value_size;
};

static bool has_room(const struct json *json, size_t more) { return json->used + more + END_BYTES <= json->size; }

static void put(struct json *json, const char *text, size_t size) {
    lf_check(json->used + size <= json->size);
    memcpy(json->out + json->used, text, size);
    json->used += size;
}

/** Bytes of the UTF-8 character at text, 0 when it is none. */
static size_t utf8_size(const unsigned char *text, size_t size) {
    unsigned char first = text[0];
    size_t wanted = first < 0x80                    ? 1
                    : first >= 0xC2 && first < 0xE0 ? 2
                    : first >= 0xE0 && first < 0xF0 ? 3
                    : first >= 0xF0 && first < 0xF5 ? 4
                                                    : 0;
    if (wanted == 0 || wanted > size)
        return 0;
    for (size_t i = 1; i < wanted; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (first == 0xE0 && text[1] < 0xA0) || (first == 0xF0 && text[1] < 0x90);
    bool beyond = (first == 0xED && text[1] > 0x9F) || (first == 0xF4 && text[1] > 0x8F);
    return overlong || beyond ? 0 : wanted;
}

/** Without the quotes. Stops where the room ends, between two characters. */
static void put_escaped(struct json *json, const char *text, size_t size) {
    for (size_t at = 0; at < size;) {
        unsigned char c = (unsigned char)text[at];
        size_t length = utf8_size((const unsigned char *)text + at, size - at);
        if (!has_room(json, 8))
            return;
        if (c == '"' || c == '\\') {
            char both[2] = {'\\', (char)c};
            put(json, both, 2);
        } else if (c < 0x20 || c == 0x7F || length == 0) {
            put(json, "?", 1);
        } else {
            put(json, text + at, length);
        }
        at += length ? length : 1;
    }
}

static bool is_number(const char *text, size_t size) {
    size_t at = size > 0 && text[0] == '-' ? 1 : 0;
    if (size - at < 1 || size - at > 15 || (text[at] == '0' && size - at > 1))
        return false;
    for (; at < size; at++)
        if (text[at] < '0' || text[at] > '9')
            return false;
    return true;
}

static void put_member(struct json *json, const char *name, size_t name_size, const char *value, size_t value_size) {
    put(json, ",\"", 2);
    put(json, name, name_size);
    put(json, "\":", 2);
    if (is_number(value, value_size)) {
        put(json, value, value_size);
        return;
    }
    put(json, "\"", 1);
    put_escaped(json, value, value_size);
    put(json, "\"", 1);
}

static bool is_name(char c, bool first) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && ((c >= '0' && c <= '9') || c == '.'));
}

/** Is the word a field? */
static bool parse_field(const char *word, size_t size, struct member *member) {
    size_t name = 0;
    while (name < size && is_name(word[name], name == 0))
        name++;
    if (name == 0 || name >= size || word[name] != '=')
        return false;
    *member = (struct member){.name = word, .name_size = name, .value = word + name + 1, .value_size = size - name - 1};
    return true;
}

static bool is_new(const struct member *members, size_t count, const struct member *member) {
    static const char *const ours[] = {"time", "level", "message"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strlen(ours[i]) == member->name_size && memcmp(ours[i], member->name, member->name_size) == 0)
            return false;
    for (size_t i = 0; i < count; i++)
        if (members[i].name_size == member->name_size && memcmp(members[i].name, member->name, member->name_size) == 0)
            return false;
    return true;
}

/** Punctuation of the sentence around a field is not its value. */
static void trim(struct member *member) {
    while (member->value_size > 0 && strchr(",;:)", member->value[member->value_size - 1]))
        member->value_size--;
}

/** The next word from *at on; 0 at the end. */
static size_t next_word(const char **at) {
    *at += strspn(*at, " ");
    return strcspn(*at, " ");
}

static void add(struct json *json, struct member *members, size_t *count, const struct member *member) {
    if (*count == LOG_JSON_MEMBERS_MAX || !is_new(members, *count, member))
        return;
    if (!has_room(json, member->name_size + 2 * member->value_size + 8))
        return;
    members[(*count)++] = *member;
    put_member(json, member->name, member->name_size, member->value, member->value_size);
}

size_t log_json(char *out, size_t size, const char *time, const char *level, const char *line) {
    lf_check(size >= 256);
    struct json json = {.out = out, .size = size};
    struct member members[LOG_JSON_MEMBERS_MAX], member;
    size_t count = 0, word;
    json.used = (size_t)snprintf(out, size, "{\"time\":\"%.40s\",\"level\":\"%.16s\"", time, level);
    while ((word = next_word(&line)) > 0 && parse_field(line, word, &member)) {
        add(&json, members, &count, &member);
        line += word;
    }
    if (*line && has_room(&json, 32)) {
        put(&json, ",\"message\":\"", 12);
        put_escaped(&json, line, strlen(line));
        put(&json, "\"", 1);
    }
    for (; (word = next_word(&line)) > 0; line += word)
        if (parse_field(line + (*line == '('), word - (*line == '('), &member)) {
            trim(&member);
            add(&json, members, &count, &member);
        }
    put(&json, "}\n", 2);
    return json.used;
}
