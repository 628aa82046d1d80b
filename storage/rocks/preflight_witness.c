#include "preflight_witness.h"
#include "preflight_file.h"

#include <inttypes.h>
#include <string.h>

enum lf_status preflight_witness_read(struct preflight_witness *demands, const char *directory,
                                      struct lf_error *error) {
    struct preflight_bytes bytes;
    struct lf_error detail = {0};
    *demands = (struct preflight_witness){.directory = directory};
    enum lf_status status = preflight_file_read(directory, WITNESS_NAME, &bytes, &detail);
    if (status == LF_DAMAGED)
        return LF_OK; /* absent */
    if (status != LF_OK)
        return lf_error_set(error, status, "%s", detail.text);
    bool readable = witness_choose(lf_bytes(bytes.data, bytes.size), &demands->witness);
    demands->presence = readable ? WITNESS_READ : WITNESS_UNREADABLE;
    preflight_bytes_free(&bytes);
    return LF_OK;
}

enum lf_status preflight_witness_current(const struct preflight_witness *demands, uint64_t manifest_number,
                                         struct lf_error *error) {
    uint64_t known = demands->witness.manifest_number;
    if (manifest_number >= known)
        return LF_OK;
    return lf_error_set(error, LF_DAMAGED,
                        "%s/CURRENT names MANIFEST-%06" PRIu64 ", older than MANIFEST-%06" PRIu64 " that was in use",
                        demands->directory, manifest_number, known);
}

enum lf_status preflight_witness_manifest(const struct preflight_witness *demands, uint64_t manifest_number,
                                          const struct manifest_scan *scan, struct lf_error *error) {
    const struct witness *witness = &demands->witness;
    if (demands->presence != WITNESS_READ)
        return LF_OK;
    if (manifest_number == witness->manifest_number && scan->whole_bytes < witness->manifest_bytes)
        return lf_error_set(
            error, LF_DAMAGED,
            "%s/MANIFEST-%06" PRIu64 " at byte %zu: %" PRIu64 " bytes of edits were on disk, %zu can be read",
            demands->directory, manifest_number, scan->bad_offset ? scan->bad_offset : scan->whole_bytes,
            witness->manifest_bytes, scan->whole_bytes);
    if (manifest_number != witness->manifest_number && !manifest_is_begun(scan))
        return lf_error_set(error, LF_DAMAGED, "%s/MANIFEST-%06" PRIu64 " at byte %zu: its first edits cannot be read",
                            demands->directory, manifest_number, scan->whole_bytes);
    return LF_OK;
}

static bool is_there(const struct store_files *files, uint64_t number) {
    for (size_t i = 0; i < files->count; i++)
        if (files->items[i].kind == STORE_FILE_WAL && files->items[i].number == number)
            return true;
    return false;
}

enum lf_status preflight_witness_present(const struct preflight_witness *demands, const struct store_files *files,
                                         uint64_t manifest_number, uint64_t log_min, struct lf_error *error) {
    const struct witness *witness = &demands->witness;
    for (uint32_t i = 0; i < witness->wal_count; i++) {
        const struct witness_wal *wal = &witness->wals[i];
        if (wal->number >= log_min && !is_there(files, wal->number))
            return lf_error_set(error, LF_DAMAGED,
                                "%s/%06" PRIu64 ".log is missing: %" PRIu64
                                " bytes of it were on disk, and MANIFEST-%06" PRIu64 " has them in no table",
                                demands->directory, wal->number, wal->bytes, manifest_number);
    }
    return LF_OK;
}

enum lf_status preflight_witness_wal(const struct preflight_witness *demands, const struct store_file *file,
                                     const struct wal_judgement *judgement, const struct wal_stream *stream,
                                     struct lf_error *error) {
    const struct witness *witness = &demands->witness;
    const struct witness_wal *wal = witness_find(witness, file->number);
    bool torn = judgement->verdict != WAL_WHOLE;
    if (wal && judgement->whole_bytes < wal->bytes)
        return lf_error_set(error, LF_DAMAGED, "%s/%s at byte %zu: %" PRIu64 " bytes were on disk, %zu can be read",
                            demands->directory, file->name, torn ? judgement->bad_offset : judgement->whole_bytes,
                            wal->bytes, judgement->whole_bytes);
    if (torn && file->number < witness_newest(witness))
        return lf_error_set(error, LF_DAMAGED, "%s/%s at byte %zu: a log that was on disk to its end cannot be read",
                            demands->directory, file->name, judgement->bad_offset);
    if (wal && wal->bytes > 0 && stream->sequence_known && stream->sequence_next <= wal->last_sequence)
        return lf_error_set(error, LF_DAMAGED, "%s/%s ends with sequence %" PRIu64 ", not %" PRIu64, demands->directory,
                            file->name, stream->sequence_next - 1, wal->last_sequence);
    return LF_OK;
}

enum lf_status preflight_witness_end(const struct preflight_witness *demands, const struct manifest_scan *scan,
                                     uint64_t manifest_number, const struct wal_stream *stream, bool cuts,
                                     struct lf_error *error) {
    const struct witness *witness = &demands->witness;
    if (demands->presence == WITNESS_UNREADABLE && cuts)
        return lf_error_set(error, LF_DAMAGED,
                            "%s/" WITNESS_NAME
                            " cannot be read, and something is torn of which only it could tell whether it was on disk",
                            demands->directory);
    if (demands->presence != WITNESS_READ)
        return LF_OK;
    if (stream->uuid_known && memcmp(stream->store_uuid, witness->store_uuid, LOG_STORE_ID_BYTES) != 0)
        return lf_error_set(error, LF_DAMAGED, "%s/" WITNESS_NAME " is of another store than the logs",
                            demands->directory);
    uint64_t last = scan->last_sequence;
    if (stream->records > 0 && stream->sequence_next - 1 > last)
        last = stream->sequence_next - 1;
    if (last < witness->last_sequence)
        return lf_error_set(error, LF_DAMAGED,
                            "%s/MANIFEST-%06" PRIu64 " and the logs end with sequence %" PRIu64 ", not %" PRIu64,
                            demands->directory, manifest_number, last, witness->last_sequence);
    return LF_OK;
}
