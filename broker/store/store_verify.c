/** Is everything whole? First the files, as a start would judge them; then every entry of every group: its checksums,
 * its place, that it follows the one before; every segment against its descriptor; and the rows of applied state. */
#include "store_tool.h"

#include "lf_entry.h"
#include "rocks_inspect.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verify {
    struct store_tool *tool;
    uint64_t group;
    char name[STORE_NAME_BYTES];
    const struct log_store_loaded *loaded;
    size_t segment;           /**< of loaded->segments: the one that is being read */
    struct log_segment built; /**< of what was read of it */
    struct lf_entry_header before;
    bool has_before;
    bool files; /**< it is about the files, not about a group */
    uint64_t entries, bytes, damages;
    uint64_t all_bytes; /**< of all groups */
};

static void report(struct verify *verify, const char *place, const char *words) {
    struct lf_output *output = &verify->tool->output;
    verify->damages++;
    if (verify->tool->wish->json) {
        json_t *line = verify->files
                           ? json_pack("{s:s, s:b, s:s}", "verdict", "damaged", "files", 1, "words", words)
                           : json_pack("{s:s, s:I, s:s, s:s, s:s}", "verdict", "damaged", "group",
                                       (json_int_t)verify->group, "name", verify->name, "place", place, "words", words);
        char *text = json_dumps(line, JSON_COMPACT);
        lf_output_text(output, text ? text : "{}");
        free(text);
        json_decref(line);
        lf_output_text(output, "\n");
        return;
    }
    char line[STORE_NAME_BYTES + LF_ERROR_TEXT_BYTES + 128];
    if (verify->files)
        snprintf(line, sizeof line, "the files are DAMAGED: %s\n", words);
    else
        snprintf(line, sizeof line, "group %" PRIu64 " (%s) is DAMAGED: %s: %s\n", verify->group, verify->name, place,
                 words);
    lf_output_text(output, line);
}

/* ---- segments --------------------------------------------------------------------------------------------------- */

static const struct log_segment *current(const struct verify *verify) {
    return verify->segment < verify->loaded->segment_count ? &verify->loaded->segments[verify->segment] : NULL;
}

static void begin_segment(struct verify *verify) {
    const struct log_segment *segment = current(verify);
    if (segment)
        log_segment_begin(&verify->built, segment->first_index, segment->base_offset, segment->first_log_time_ms);
}

/** A rewritten one lacks entries; what it says of its range can only be compared with what is left of it. */
static bool agrees(const struct log_segment *segment, const struct log_segment *built) {
    bool kept = segment->entry_count == built->entry_count && segment->bytes == built->bytes &&
                segment->command_bytes == built->command_bytes && segment->checksum == built->checksum;
    return kept && (segment->rewrites > 0 ||
                    (segment->last_term == built->last_term && segment->end_offset == built->end_offset &&
                     segment->last_log_time_ms == built->last_log_time_ms));
}

static void end_segments_below(struct verify *verify, uint64_t index) {
    for (const struct log_segment *segment; (segment = current(verify)) != NULL && segment->last_index < index;) {
        char place[64];
        snprintf(place, sizeof place, "segment %" PRIu64 "..%" PRIu64, segment->first_index, segment->last_index);
        if (!agrees(segment, &verify->built))
            report(verify, place, "its entries are not what its descriptor says");
        verify->segment++;
        begin_segment(verify);
    }
}

/* ---- entries ---------------------------------------------------------------------------------------------------- */

static uint64_t term_of(const struct log_store_loaded *loaded, uint64_t index) {
    uint64_t term = 0;
    for (size_t i = 0; i < loaded->run_count && loaded->runs[i].first_index <= index; i++)
        term = loaded->runs[i].term;
    return term;
}

static const char *contradiction(const struct verify *verify, const struct lf_entry_header *header,
                                 struct lf_bytes payload) {
    const struct lf_entry_header *before = &verify->before;
    struct lf_batch_header batch;
    if (header->index > verify->loaded->previous_index && header->term != term_of(verify->loaded, header->index))
        return "its term is not that of its run";
    if (!verify->has_before)
        return NULL;
    if (header->index <= before->index || header->term < before->term)
        return "its index or term does not follow the one before";
    if (header->log_time_ms < before->log_time_ms || header->end_offset < before->end_offset)
        return "its log time or offset falls behind the one before";
    if (header->type == LF_ENTRY_BATCH && header->index == before->index + 1 &&
        lf_batch_header_decode(payload, &batch) == LF_OK && (uint64_t)batch.base_offset != before->end_offset)
        return "its first offset is not where the one before ended";
    return NULL;
}

static void take_entry(struct verify *verify, const struct lf_buf *entry) {
    struct lf_entry_header header;
    struct lf_bytes payload;
    struct lf_error error = {0};
    char place[48];
    enum lf_status status = lf_entry_check(lf_buf_bytes(entry), verify->group, &header, &payload, &error);
    snprintf(place, sizeof place, "entry %" PRIu64, status == LF_OK ? header.index : verify->before.index + 1);
    if (status != LF_OK) {
        report(verify, place, error.text);
        return;
    }
    end_segments_below(verify, header.index);
    const char *words = contradiction(verify, &header, payload);
    if (words)
        report(verify, place, words);
    if (current(verify) && header.index >= current(verify)->first_index)
        log_segment_add(&verify->built, lf_buf_bytes(entry));
    verify->before = header;
    verify->has_before = true;
    verify->entries++;
    verify->bytes += entry->size;
    verify->all_bytes += entry->size;
}

/** Where to go on after a place that cannot be read: behind its segment, else nowhere. */
static uint64_t after_damage(struct verify *verify, const struct log_store_completion *completion,
                             const struct lf_error *error) {
    char place[96];
    uint64_t at = verify->has_before ? verify->before.index + 1 : verify->loaded->first_index;
    uint64_t next = UINT64_MAX;
    snprintf(place, sizeof place, "at entry %" PRIu64 " or after", at);
    if (completion && completion->segment.first_index != 0) {
        next = completion->segment.last_index + 1;
        snprintf(place, sizeof place, "segment %" PRIu64 "..%" PRIu64, completion->segment.first_index,
                 completion->segment.last_index);
        while (current(verify) && current(verify)->first_index < next)
            verify->segment++;
        begin_segment(verify);
    }
    report(verify, place, error->text);
    verify->has_before = false;
    return next;
}

static void read_entries(struct verify *verify) {
    uint64_t next = verify->loaded->first_index, last = verify->loaded->last_index;
    begin_segment(verify);
    while (next <= last) {
        struct log_store_completion *completion = NULL;
        struct lf_error error = {0};
        enum lf_status status =
            store_tool_read(verify->tool, verify->group, next, last, STORE_READ_BYTES, &completion, &error);
        for (uint32_t i = 0; status == LF_OK && i < completion->entry_count; i++)
            take_entry(verify, completion->entries[i]);
        if (status != LF_OK) {
            uint64_t after = after_damage(verify, completion, &error);
            next = after > next ? after : UINT64_MAX;
        } else if (completion->entry_count == 0) {
            break;
        } else {
            next = verify->before.index + 1;
        }
        log_store_completion_destroy(&completion);
        store_progress(verify->tool,
                       "verify: group %" PRIu64 " %s: entry %" PRIu64 " of %" PRIu64 "; %" PRIu64 " MiB read in all",
                       verify->group, verify->name, verify->before.index, last, verify->all_bytes >> 20);
        if (next == UINT64_MAX)
            return;
    }
    if (verify->has_before && verify->before.index != last && last > verify->loaded->previous_index)
        report(verify, "the end of the log", "entries are missing");
    end_segments_below(verify, UINT64_MAX);
}

/* ---- groups ----------------------------------------------------------------------------------------------------- */

static void check_rows(struct verify *verify) {
    const struct log_store_loaded *loaded = verify->loaded;
    struct lf_error error = {0};
    enum lf_status status;
    if (verify->group == 0) {
        struct metadata *metadata = metadata_new(NULL);
        status = metadata ? metadata_load(metadata, loaded->applied_index, loaded->rows, loaded->row_count, &error)
                          : LF_NO_MEMORY;
        metadata_destroy(&metadata);
    } else {
        struct partition *partition = partition_new(NULL);
        status = partition ? partition_load(partition, loaded->applied_index, loaded->rows, loaded->row_count,
                                            loaded->segments, loaded->segment_count, &error)
                           : LF_NO_MEMORY;
        partition_destroy(&partition);
    }
    if (status != LF_OK)
        report(verify, "applied state", error.text[0] ? error.text : lf_status_text(status));
}

static void print_whole(struct verify *verify) {
    char line[STORE_NAME_BYTES + 256];
    const struct log_store_loaded *loaded = verify->loaded;
    if (verify->tool->wish->json)
        snprintf(line, sizeof line,
                 "{\"verdict\":\"whole\",\"group\":%" PRIu64 ",\"first_index\":%" PRIu64 ",\"last_index\":%" PRIu64
                 ",\"entries\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"segments\":%zu}\n",
                 verify->group, loaded->first_index, loaded->last_index, verify->entries, verify->bytes,
                 loaded->segment_count);
    else
        snprintf(line, sizeof line,
                 "group %" PRIu64 " (%s) is whole: entries %" PRIu64 "..%" PRIu64 ", %" PRIu64 " bytes, %zu segments\n",
                 verify->group, verify->name, loaded->first_index, loaded->last_index, verify->bytes,
                 loaded->segment_count);
    lf_output_text(&verify->tool->output, line);
}

static void verify_group(struct verify *verify, uint64_t group) {
    struct log_store_completion *completion = NULL;
    struct lf_error error = {0};
    uint64_t before = verify->damages;
    verify->group = group;
    verify->segment = 0;
    verify->entries = verify->bytes = 0;
    verify->has_before = false;
    verify->before = (struct lf_entry_header){0};
    store_group_name(verify->tool, group, verify->name);
    if (store_tool_load(verify->tool, group, &completion, &error) != LF_OK) {
        report(verify, "rows", error.text);
    } else {
        verify->loaded = completion->loaded;
        check_rows(verify);
        read_entries(verify);
        if (verify->damages == before)
            print_whole(verify);
    }
    log_store_completion_destroy(&completion);
}

static void files_words(const struct rocks_inspect_verdict *verdict, char *line, size_t size) {
    char torn[96] = "";
    if (verdict->bytes_torn != 0)
        snprintf(torn, sizeof torn, "; %" PRIu64 " bytes are torn, as by a power cut, and a start would cut them off",
                 verdict->bytes_torn);
    snprintf(line, size, "the files are whole: %" PRIu32 " write-ahead logs with %" PRIu64 " batches%s\n",
             verdict->report.wals, verdict->report.records, torn);
}

/** The files. True: they would let a start go on. */
static bool verify_files(struct store_tool *tool, struct verify *verify, int *code) {
    struct rocks_inspect_verdict verdict;
    struct lf_error error = {0};
    enum lf_status status = rocks_inspect_judge(tool->directory, &verdict, &error);
    *code = status == LF_OK ? STORE_EXIT_OK : store_tool_failed(tool, status, error.text);
    if (status != LF_OK)
        return false;
    if (verdict.error.code != LF_OK) {
        verify->files = true;
        report(verify, "", verdict.error.text);
        verify->files = false;
        return false;
    }
    char line[256];
    if (tool->wish->json)
        snprintf(line, sizeof line,
                 "{\"verdict\":\"whole\",\"files\":true,\"logs\":%" PRIu32 ",\"batches\":%" PRIu64
                 ",\"torn_bytes\":%" PRIu64 "}\n",
                 verdict.report.wals, verdict.report.records, verdict.bytes_torn);
    else
        files_words(&verdict, line, sizeof line);
    lf_output_text(&tool->output, line);
    return true;
}

int store_verify(struct store_tool *tool) {
    struct verify verify = {.tool = tool};
    int code = store_tool_find(tool);
    if (code != STORE_EXIT_OK)
        return code;
    bool whole = verify_files(tool, &verify, &code);
    if (code != STORE_EXIT_OK || (!whole && !tool->wish->despite_damage))
        return code != STORE_EXIT_OK ? code : STORE_EXIT_DAMAGED;
    lf_output_flush(&tool->output);
    code = store_tool_open(tool);
    if (code != STORE_EXIT_OK)
        return code;
    uint64_t *groups = calloc(tool->store->group_count + 1, sizeof *groups);
    size_t count = 0;
    code = groups ? store_subject_groups(tool, groups, &count) : store_tool_failed(tool, LF_NO_MEMORY, "");
    for (size_t i = 0; i < count; i++) {
        verify_group(&verify, groups[i]);
        lf_output_flush(&tool->output);
    }
    free(groups);
    if (code != STORE_EXIT_OK || verify.damages == 0)
        return code;
    store_say(tool, "%" PRIu64 " %s damaged", verify.damages, verify.damages == 1 ? "place is" : "places are");
    return STORE_EXIT_DAMAGED;
}
