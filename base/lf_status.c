#include "lf_status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *lf_status_name(enum lf_status status) {
    switch (status) {
#define NAME_CASE(number, name, action, text)                                                                          \
    case LF_##name:                                                                                                    \
        return #name;
        LF_STATUS_TABLE(NAME_CASE)
#undef NAME_CASE
    }
    return "?";
}

const char *lf_status_text(enum lf_status status) {
    switch (status) {
#define TEXT_CASE(number, name, action, text)                                                                          \
    case LF_##name:                                                                                                    \
        return text;
        LF_STATUS_TABLE(TEXT_CASE)
#undef TEXT_CASE
    }
    return "a status this version does not know";
}

enum lf_action lf_status_action(enum lf_status status) {
    switch (status) {
#define ACTION_CASE(number, name, action, text)                                                                        \
    case LF_##name:                                                                                                    \
        return LF_ACTION_##action;
        LF_STATUS_TABLE(ACTION_CASE)
#undef ACTION_CASE
    }
    return LF_ACTION_UNKNOWN;
}

enum lf_status lf_error_set(struct lf_error *error, enum lf_status code, const char *format, ...) {
    if (error) {
        va_list args;
        va_start(args, format);
        error->code = code;
        vsnprintf(error->text, sizeof error->text, format, args);
        va_end(args);
    }
    return code;
}

enum lf_status lf_error_context(struct lf_error *error, const char *format, ...) {
    if (!error)
        return LF_INTERNAL;
    char before[LF_ERROR_TEXT_BYTES / 2], old[LF_ERROR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(before, sizeof before, format, args);
    va_end(args);
    memcpy(old, error->text, sizeof old);
    size_t used = strlen(before);
    memcpy(error->text, before, used);
    memcpy(error->text + used, ": ", 2);
    used += 2;
    size_t room = sizeof error->text - used - 1, kept = strnlen(old, sizeof old - 1);
    if (kept > room)
        kept = room; /* the cause's first words matter more than its last */
    memcpy(error->text + used, old, kept);
    error->text[used + kept] = '\0';
    return error->code;
}
