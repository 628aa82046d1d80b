/** "Did you mean": the nearest name by edit distance (insert, delete, replace). */
#include "config_table.h"

#define NAME_BYTES_MAX 64

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/** Names longer than NAME_BYTES_MAX are as far away as can be. */
static size_t distance(const char *a, const char *b) {
    size_t a_size = strlen(a), b_size = strlen(b);
    size_t row[NAME_BYTES_MAX + 1];
    if (a_size > NAME_BYTES_MAX || b_size > NAME_BYTES_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t replace = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(replace, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_size];
}

/** "heartbeat_ms" is meant to be "raft.heartbeat_ms". */
static bool is_last_part(const char *name, const char *part) {
    size_t name_size = strlen(name), part_size = strlen(part);
    return part_size > 0 && name_size > part_size && name[name_size - part_size - 1] == '.' &&
           strcmp(name + name_size - part_size, part) == 0;
}

const char *config_row_suggest(const struct config_row *rows, size_t count, const char *name) {
    const char *nearest = NULL;
    size_t nearest_distance = strlen(name) / 3 + 1; /* further away is no typing mistake */
    const char *last = strrchr(name, '.');
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(rows[i].name, name);
        if (is_last_part(rows[i].name, last ? last + 1 : name))
            d = least(d, 1);
        if (d <= nearest_distance && (!nearest || d < nearest_distance)) {
            nearest = rows[i].name;
            nearest_distance = d;
        }
    }
    return nearest;
}
