#include "preflight.h"
#include "current_file.h"
#include "preflight_file.h"
#include "preflight_witness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
    const char *directory;
    struct store_files files;
    struct preflight_witness witness;
    struct manifest_scan manifest;
    uint64_t manifest_number;
    char manifest_name[64];
    bool current_is_ahead; /* CURRENT names a MANIFEST whose name was lost; the witness's is the one to go on with */
    struct wal_stream stream;
    struct preflight_cut *cuts; /* decided before anything is cut */
    size_t cut_count;
    char torn_name[64]; /* the first log that cannot be read to its end */
    size_t torn_offset;
    struct preflight_report *report;
    struct lf_error *error;
};

static enum lf_status damaged(const struct run *run, const char *name, size_t offset, const char *what) {
    return lf_error_set(run->error, LF_DAMAGED, "%s/%s at byte %zu: %s", run->directory, name, offset, what);
}

static void plan_cut(struct run *run, const char *name, size_t bytes) {
    struct preflight_cut *cut = &run->cuts[run->cut_count++];
    cut->keep = bytes;
    snprintf(cut->name, sizeof cut->name, "%s", name);
}

static void name_manifest(struct run *run, uint64_t number) {
    run->manifest_number = number;
    snprintf(run->manifest_name, sizeof run->manifest_name, "MANIFEST-%06" PRIu64, number);
}

/* Files are ordered by kind, then number; there may be very many tables. */
static const struct store_file *find_table(const struct run *run, uint64_t number) {
    size_t low = 0, high = run->files.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct store_file *file = &run->files.items[middle];
        if (file->kind < STORE_FILE_TABLE || (file->kind == STORE_FILE_TABLE && file->number < number))
            low = middle + 1;
        else
            high = middle;
    }
    const struct store_file *file = low < run->files.count ? &run->files.items[low] : NULL;
    return file && file->kind == STORE_FILE_TABLE && file->number == number ? file : NULL;
}

static enum lf_status read_current(struct run *run) {
    struct preflight_bytes text;
    enum lf_status status = preflight_file_read(run->directory, "CURRENT", &text, run->error);
    if (status != LF_OK)
        return status;
    uint64_t number = 0;
    bool good = current_file_decode(lf_bytes(text.data, text.size), &number);
    preflight_bytes_free(&text);
    if (!good)
        return damaged(run, "CURRENT", 0, "it does not name a MANIFEST");
    name_manifest(run, number);
    return preflight_witness_current(&run->witness, run->manifest_number, run->error);
}

static enum lf_status judge_manifest(struct run *run) {
    const struct manifest_scan *scan = &run->manifest;
    switch (scan->verdict) {
    case MANIFEST_WHOLE:
        return LF_OK;
    case MANIFEST_TORN:
        plan_cut(run, run->manifest_name, scan->whole_bytes);
        return LF_OK;
    case MANIFEST_DAMAGED:
        return damaged(run, run->manifest_name, scan->bad_offset, "an edit cannot be read, later ones can");
    case MANIFEST_NO_MEMORY:
        return lf_error_set(run->error, LF_NO_MEMORY, "no memory to read %s", run->manifest_name);
    default:
        return damaged(run, run->manifest_name, scan->bad_offset, "an edit of an unknown form");
    }
}

/* A torn edit that is cut was never relied on: the tables named before it are still there. */
static enum lf_status judge_tables(struct run *run) {
    char name[64];
    for (size_t i = 0; i < run->manifest.table_count; i++) {
        const struct manifest_table *table = &run->manifest.tables[i];
        const struct store_file *file = find_table(run, table->number);
        snprintf(name, sizeof name, "%06" PRIu64 ".sst", table->number);
        if (!file)
            return lf_error_set(run->error, LF_DAMAGED, "%s/%s is missing: %s has it with %" PRIu64 " bytes",
                                run->directory, name, run->manifest_name, table->bytes);
        if (file->bytes != table->bytes)
            return lf_error_set(run->error, LF_DAMAGED, "%s/%s has %" PRIu64 " bytes: %s has it with %" PRIu64,
                                run->directory, name, file->bytes, run->manifest_name, table->bytes);
    }
    return LF_OK;
}

/* RocksDB makes a new MANIFEST, syncs it, renames CURRENT onto it, and only then syncs the directory. A power cut in
 * between may keep CURRENT's new name and lose the MANIFEST's. Nothing was acknowledged with the new one yet and
 * nothing of the old one was removed: that is the witness's, and all that is demanded of it and of its logs and tables
 * holds, or it is refused like any other. */
static enum lf_status read_witness_manifest(struct run *run, struct preflight_bytes *bytes) {
    uint64_t named = run->manifest_number, known = run->witness.witness.manifest_number;
    enum lf_status status = LF_DAMAGED;
    if (run->witness.presence == WITNESS_READ && known < named) {
        name_manifest(run, known);
        status = preflight_file_read(run->directory, run->manifest_name, bytes, run->error);
    }
    run->current_is_ahead = status == LF_OK;
    if (status == LF_DAMAGED) {
        name_manifest(run, named);
        return lf_error_set(run->error, status, "%s/%s is missing: CURRENT names it", run->directory,
                            run->manifest_name);
    }
    return status;
}

/* Where a table that is named is not there, above what the witness saw of this MANIFEST: RocksDB removes a table again
 * when the sync of the edit that names it failed. SIZE_MAX: nowhere. */
static size_t find_undone_edit(const struct run *run) {
    size_t lowest = SIZE_MAX;
    for (size_t i = 0; i < run->manifest.table_count; i++) {
        const struct manifest_table *table = &run->manifest.tables[i];
        if (table->offset < lowest && !find_table(run, table->number))
            lowest = table->offset;
    }
    bool known = run->witness.presence == WITNESS_READ && run->witness.witness.manifest_number == run->manifest_number;
    return known && lowest >= run->witness.witness.manifest_bytes ? lowest : SIZE_MAX;
}

/* Such an edit, and what follows it, is as good as torn: all that is needed without it has to be there. */
static void scan_manifest(struct run *run, struct lf_bytes bytes) {
    run->manifest = manifest_scan(bytes);
    bool readable = run->manifest.verdict == MANIFEST_WHOLE || run->manifest.verdict == MANIFEST_TORN;
    size_t undone = readable ? find_undone_edit(run) : SIZE_MAX;
    if (undone == SIZE_MAX)
        return;
    manifest_scan_deinit(&run->manifest);
    run->manifest = manifest_scan(lf_bytes(bytes.data, undone));
    if (run->manifest.verdict != MANIFEST_WHOLE)
        return;
    run->manifest.verdict = MANIFEST_TORN;
    run->manifest.bad_offset = undone;
}

static enum lf_status read_manifest(struct run *run) {
    struct preflight_bytes bytes;
    enum lf_status status = read_current(run);
    if (status != LF_OK)
        return status;
    status = preflight_file_read(run->directory, run->manifest_name, &bytes, run->error);
    if (status == LF_DAMAGED)
        status = read_witness_manifest(run, &bytes);
    if (status != LF_OK)
        return status;
    scan_manifest(run, lf_bytes(bytes.data, bytes.size));
    preflight_bytes_free(&bytes);
    return LF_OK;
}

static enum lf_status judge_wal(struct run *run, const struct store_file *file, const struct wal_judgement *judgement) {
    char words[160];
    bool first = judgement->verdict != WAL_WHOLE && run->torn_name[0] == '\0';
    if (first) {
        snprintf(run->torn_name, sizeof run->torn_name, "%s", file->name);
        run->torn_offset = judgement->bad_offset;
    }
    if (judgement->verdict != WAL_NO_MEMORY && judgement->verdict != WAL_DAMAGED) {
        enum lf_status status = preflight_witness_wal(&run->witness, file, judgement, &run->stream, run->error);
        if (status != LF_OK)
            return status;
    }
    switch (judgement->verdict) {
    case WAL_WHOLE:
        return LF_OK;
    case WAL_NO_MEMORY:
        return lf_error_set(run->error, LF_NO_MEMORY, "no memory to read %s", file->name);
    case WAL_DAMAGED:
        snprintf(words, sizeof words,
                 "a batch cannot be read that had been synced, as the batch at byte %zu of %s shows",
                 judgement->proof_offset, file->name);
        return damaged(run, run->torn_name, run->torn_offset, words);
    default:
        if (file->number < manifest_log_max(&run->manifest))
            return damaged(run, file->name, judgement->bad_offset,
                           "a batch cannot be read in a log that had been synced to its end");
        plan_cut(run, file->name, judgement->whole_bytes);
        return LF_OK;
    }
}

static enum lf_status scan_wals(struct run *run) {
    uint64_t needed = manifest_log_min(&run->manifest);
    enum lf_status status =
        preflight_witness_present(&run->witness, &run->files, run->manifest_number, needed, run->error);
    for (size_t i = 0; status == LF_OK && i < run->files.count; i++) {
        const struct store_file *file = &run->files.items[i];
        struct preflight_bytes bytes;
        if (file->kind != STORE_FILE_WAL || file->number < needed)
            continue;
        status = preflight_file_read(run->directory, file->name, &bytes, run->error);
        if (status != LF_OK)
            break;
        struct wal_judgement judgement = wal_scan(&run->stream, lf_bytes(bytes.data, bytes.size));
        preflight_bytes_free(&bytes);
        run->report->wals++;
        status = judge_wal(run, file, &judgement);
    }
    run->report->records = run->stream.records;
    return status;
}

/* A torn edit was never relied on, so the logs it would have made needless are still there, and go on where the
 * MANIFEST without it ends. When they are gone, the edit had been synced, and what is torn now is damage. */
static enum lf_status judge_manifest_cut(struct run *run) {
    const struct manifest_scan *scan = &run->manifest;
    if (scan->verdict != MANIFEST_TORN || run->stream.records == 0)
        return LF_OK;
    if (run->stream.sequence_first <= scan->last_sequence + 1)
        return LF_OK;
    return damaged(run, run->manifest_name, scan->bad_offset,
                   "an edit cannot be read, and the logs needed without it are gone");
}

static enum lf_status name_in_current(struct run *run) {
    char text[80];
    int length = snprintf(text, sizeof text, "%s\n", run->manifest_name);
    return preflight_file_replace(run->directory, "CURRENT", lf_bytes(text, (size_t)length), run->error);
}

static enum lf_status carry_out_cuts(struct run *run) {
    enum lf_status status = run->current_is_ahead ? name_in_current(run) : LF_OK;
    for (size_t i = 0; status == LF_OK && i < run->cut_count; i++) {
        size_t bytes_cut = 0;
        status = preflight_file_cut(run->directory, run->cuts[i].name, run->cuts[i].keep, &bytes_cut, run->error);
        run->report->cuts++;
        run->report->bytes_cut += bytes_cut;
    }
    return status;
}

static enum lf_status run_init(struct run *run) {
    enum lf_status status = store_files_list(run->directory, &run->files, run->error);
    if (status != LF_OK)
        return status;
    run->cuts = calloc(run->files.count + 1, sizeof run->cuts[0]);
    return run->cuts ? LF_OK : lf_error_set(run->error, LF_NO_MEMORY, "no memory to check %s", run->directory);
}

static void run_deinit(struct run *run) {
    free(run->cuts);
    manifest_scan_deinit(&run->manifest);
    store_files_deinit(&run->files);
}

static void advise(struct lf_error *error) {
    size_t length = error ? strlen(error->text) : 0;
    if (error)
        snprintf(error->text + length, sizeof error->text - length,
                 "; nothing was changed: keep it, replace this node");
}

/* Reads only. */
static enum lf_status judge(struct run *run) {
    enum lf_status status = run_init(run);
    if (status == LF_OK)
        status = preflight_witness_read(&run->witness, run->directory, run->error);
    if (status == LF_OK)
        status = read_manifest(run);
    if (status == LF_OK)
        status = judge_manifest(run);
    if (status == LF_OK)
        status = preflight_witness_manifest(&run->witness, run->manifest_number, &run->manifest, run->error);
    if (status == LF_OK)
        status = scan_wals(run);
    if (status == LF_OK)
        status = judge_manifest_cut(run);
    if (status == LF_OK)
        status = judge_tables(run);
    if (status == LF_OK)
        status = preflight_witness_end(&run->witness, &run->manifest, run->manifest_number, &run->stream,
                                       run->cut_count > 0, run->error);
    return status;
}

enum lf_status preflight(const char *directory, struct preflight_report *report, struct lf_error *error) {
    *report = (struct preflight_report){0};
    struct run run = {.directory = directory, .report = report, .error = error};
    enum lf_status status = judge(&run);
    if (status == LF_OK)
        status = carry_out_cuts(&run);
    run_deinit(&run);
    if (status == LF_DAMAGED)
        advise(error);
    return status;
}

enum lf_status preflight_judge(const char *directory, struct preflight_report *report, struct preflight_plan *plan,
                               struct lf_error *error) {
    *report = (struct preflight_report){0};
    *plan = (struct preflight_plan){0};
    struct run run = {.directory = directory, .report = report, .error = error};
    enum lf_status status = judge(&run);
    plan->cuts = run.cuts;
    plan->cut_count = run.cut_count;
    plan->names_current = run.current_is_ahead;
    memcpy(plan->manifest, run.manifest_name, sizeof plan->manifest);
    run.cuts = NULL;
    run_deinit(&run);
    return status;
}

void preflight_plan_deinit(struct preflight_plan *plan) {
    free(plan->cuts);
    *plan = (struct preflight_plan){0};
}

enum lf_status preflight_has_data(const char *directory, bool *has_data, struct lf_error *error) {
    struct preflight_report report = {0};
    struct run run = {.directory = directory, .report = &report, .error = error};
    enum lf_status status = run_init(&run);
    *has_data =
        store_files_count(&run.files, STORE_FILE_TABLE) > 0 || store_files_count(&run.files, STORE_FILE_WITNESS) > 0;
    if (status == LF_OK && !*has_data) {
        enum lf_status scanned = scan_wals(&run);
        *has_data = run.stream.records > 0 || scanned == LF_DAMAGED;
    }
    run_deinit(&run);
    return status;
}
