#include "lf_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void lf_check_failed(const char *file, int line, const char *condition, const char *format, ...) {
    char words[512];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    fprintf(stderr, "%s:%d: check failed: %s%s%s\n", file, line, condition, words[0] ? ": " : "", words);
    fflush(stderr);
    abort();
}
