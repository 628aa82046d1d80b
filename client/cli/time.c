/** Times as people write them, and bytes as they read them. */
#include "cli.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t cli_time(const char *name, const char *text) {
    struct tm parts = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (!end) {
        memset(&parts, 0, sizeof parts);
        end = strptime(text, "%Y-%m-%d", &parts);
    }
    if (end && (*end == '\0' || strcmp(end, "Z") == 0))
        return (int64_t)timegm(&parts) * 1000;
    if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0') {
        fprintf(
            stderr,
            "logflume: %s: \"%s\" is not a time: 2026-11-24, 2026-11-24T10:00:00 (UTC), or milliseconds since 1970\n",
            name, text);
        exit(CLI_USAGE);
    }
    return cli_number(name, text, 0, INT64_MAX);
}

void cli_time_words(int64_t ms, char *words, size_t size) {
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    char text[32];
    if (ms < 0 || !gmtime_r(&seconds, &parts) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts) == 0)
        snprintf(words, size, "-");
    else
        snprintf(words, size, "%s.%03dZ", text, (int)(ms % 1000));
}

void cli_bytes_words(uint64_t bytes, char *words, size_t size) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++)
        value /= 1024;
    snprintf(words, size, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}
