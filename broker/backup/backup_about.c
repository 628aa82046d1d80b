#include "backup_about.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool backup_name_good(const char *name) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t size = strlen(name);
    return size > 0 && size <= BACKUP_NAME_BYTES_MAX && name[0] != '.' && strspn(name, letters) == size;
}

uint64_t backup_about_bytes(const struct backup_about *about) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < about->file_count; i++)
        bytes += about->files[i].bytes;
    return bytes;
}

static void hex(const uint8_t *bytes, char text[2 * LOG_STORE_ID_BYTES + 1]) {
    for (size_t i = 0; i < LOG_STORE_ID_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

static bool digit(char letter, uint8_t *value) {
    if (letter >= '0' && letter <= '9')
        *value = (uint8_t)(letter - '0');
    else if (letter >= 'a' && letter <= 'f')
        *value = (uint8_t)(letter - 'a' + 10);
    else
        return false;
    return true;
}

static bool unhex(const char *text, uint8_t *bytes, size_t size) {
    uint8_t high, low;
    if (!text || strlen(text) != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!digit(text[2 * i], &high) || !digit(text[2 * i + 1], &low))
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static json_t *file_json(const struct backup_file *file) {
    char sum[9];
    json_t *one = json_pack("{s:s,s:I}", "name", file->name, "bytes", (json_int_t)file->bytes);
    snprintf(sum, sizeof sum, "%08" PRIx32, file->crc32c);
    if (one && file->has_sum)
        json_object_set_new(one, "crc32c", json_string(sum));
    return one;
}

char *backup_about_encode(const struct backup_about *about) {
    char cluster[2 * LOG_STORE_ID_BYTES + 1], store[2 * LOG_STORE_ID_BYTES + 1];
    json_t *files = json_array();
    hex(about->cluster_id, cluster);
    hex(about->store_uuid, store);
    for (size_t i = 0; i < about->file_count; i++)
        json_array_append_new(files, file_json(&about->files[i]));
    json_t *all = json_pack("{s:i,s:s,s:I,s:s,s:s,s:I,s:s,s:o}", "format", BACKUP_FORMAT, "name", about->name,
                            "made_ms", (json_int_t)about->made_ms, "cluster_name", about->cluster_name, "cluster_id",
                            cluster, "node", (json_int_t)about->node_id, "store_uuid", store, "files", files);
    char *text = all ? json_dumps(all, JSON_INDENT(1)) : NULL;
    json_decref(all);
    return text;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static bool take_text(const json_t *all, const char *member, char *text, size_t size) {
    const char *value = json_string_value(json_object_get(all, member));
    return value && (size_t)snprintf(text, size, "%s", value) < size;
}

static bool take_number(const json_t *all, const char *member, int64_t *number) {
    const json_t *value = json_object_get(all, member);
    *number = json_integer_value(value);
    return json_is_integer(value) && *number >= 0;
}

static bool take_id(const json_t *all, const char *member, uint8_t id[LOG_STORE_ID_BYTES]) {
    return unhex(json_string_value(json_object_get(all, member)), id, LOG_STORE_ID_BYTES);
}

/* A name that leads elsewhere is no file of ours. */
static bool take_file(const json_t *one, struct backup_file *file) {
    uint8_t sum[4];
    int64_t bytes;
    const json_t *said = json_object_get(one, "crc32c");
    if (!take_text(one, "name", file->name, sizeof file->name) || !take_number(one, "bytes", &bytes) ||
        !backup_name_good(file->name))
        return false;
    file->bytes = (uint64_t)bytes;
    file->has_sum = said != NULL;
    if (!said)
        return true;
    if (!unhex(json_string_value(said), sum, sizeof sum))
        return false;
    file->crc32c = (uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 | (uint32_t)sum[2] << 8 | sum[3];
    return true;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct backup_file *)a)->name, ((const struct backup_file *)b)->name);
}

static enum lf_status order_files(struct backup_about *about) {
    qsort(about->files, about->file_count, sizeof about->files[0], by_name);
    for (size_t i = 1; i < about->file_count; i++)
        if (by_name(&about->files[i - 1], &about->files[i]) == 0)
            return LF_MALFORMED;
    return LF_OK;
}

const struct backup_file *backup_about_find(const struct backup_about *about, const char *name) {
    struct backup_file wanted;
    if (about->file_count == 0 || (size_t)snprintf(wanted.name, sizeof wanted.name, "%s", name) >= sizeof wanted.name)
        return NULL;
    return bsearch(&wanted, about->files, about->file_count, sizeof about->files[0], by_name);
}

static enum lf_status take_files(const json_t *files, struct backup_about *about) {
    size_t count = json_array_size(files);
    about->files = calloc(count + 1, sizeof about->files[0]);
    if (!about->files)
        return LF_NO_MEMORY;
    for (; about->file_count < count; about->file_count++)
        if (!take_file(json_array_get(files, about->file_count), &about->files[about->file_count]))
            return LF_MALFORMED;
    return json_is_array(files) && count > 0 ? order_files(about) : LF_MALFORMED;
}

static enum lf_status take_all(const json_t *all, struct backup_about *about) {
    int64_t node;
    if (!take_text(all, "name", about->name, sizeof about->name) || !backup_name_good(about->name) ||
        !take_number(all, "made_ms", &about->made_ms) ||
        !take_text(all, "cluster_name", about->cluster_name, sizeof about->cluster_name) ||
        !take_id(all, "cluster_id", about->cluster_id) || !take_id(all, "store_uuid", about->store_uuid) ||
        !take_number(all, "node", &node) || node == 0)
        return LF_MALFORMED;
    about->node_id = (uint64_t)node;
    return take_files(json_object_get(all, "files"), about);
}

enum lf_status backup_about_decode(struct lf_bytes text, struct backup_about *about, struct lf_error *error) {
    json_error_t at;
    int64_t format;
    *about = (struct backup_about){0};
    json_t *all = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &at);
    enum lf_status status = LF_OK;
    if (!all)
        status = lf_error_set(error, LF_MALFORMED, "line %d: %s", at.line, at.text);
    else if (!take_number(all, "format", &format))
        status = lf_error_set(error, LF_MALFORMED, "it does not say its format");
    else if (format != BACKUP_FORMAT)
        status = lf_error_set(error, LF_UNSUPPORTED, "format %lld: another version of this program wrote it",
                              (long long)format);
    else if ((status = take_all(all, about)) != LF_OK)
        lf_error_set(error, status, "%s",
                     status == LF_NO_MEMORY ? "no memory" : "something is missing or makes no sense");
    json_decref(all);
    return status;
}

void backup_about_deinit(struct backup_about *about) {
    free(about->files);
    *about = (struct backup_about){0};
}
