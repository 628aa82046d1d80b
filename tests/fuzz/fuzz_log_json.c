/** Any line as JSON, at any size: always valid, with no member twice. */
#include "lf_check.h"
#include "log_json.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** The first byte chooses the room. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    size_t room = 256 + (size_t)data[0] * 16;
    char *line = malloc(size), *out = malloc(room);
    lf_check(line != NULL && out != NULL);
    memcpy(line, data + 1, size - 1);
    line[size - 1] = '\0';
    size_t used = log_json(out, room, "2026-01-31T12:00:00.123Z", "info", line);
    lf_check(used <= room && out[used - 1] == '\n');
    json_t *parsed = json_loadb(out, used, JSON_REJECT_DUPLICATES, NULL);
    lf_check(parsed != NULL);
    lf_check(json_object_size(parsed) >= 2);
    json_decref(parsed);
    free(line);
    free(out);
    return 0;
}
