/** logflume partition segments: what a replica's log is made of. */
#include "cli.h"

#include <inttypes.h>
#include <jansson.h>

static json_t *segment_json(const struct lf_segment *segment) {
    char checksum[17];
    snprintf(checksum, sizeof checksum, "%08" PRIx64, segment->checksum);
    json_t *json =
        json_pack("{s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "open", (int)segment->open, "first_index",
                  (json_int_t)segment->first_index, "last_index", (json_int_t)segment->last_index, "last_term",
                  (json_int_t)segment->last_term, "base_offset", (json_int_t)segment->base_offset, "end_offset",
                  (json_int_t)segment->end_offset, "entries", (json_int_t)segment->entries, "bytes",
                  (json_int_t)segment->bytes, "command_bytes", (json_int_t)segment->command_bytes, "first_log_time_ms",
                  (json_int_t)segment->first_log_time_ms, "last_log_time_ms", (json_int_t)segment->last_log_time_ms,
                  "max_timestamp_ms", (json_int_t)segment->max_timestamp_ms, "rewrites", (json_int_t)segment->rewrites);
    if (json && !segment->open)
        json_object_set_new(json, "checksum", json_string(checksum));
    return json;
}

static int print_json(const struct lf_segments *said) {
    json_t *array = json_array();
    for (size_t i = 0; i < said->count; i++)
        json_array_append_new(array, segment_json(&said->segments[i]));
    json_t *all =
        json_pack("{s:I,s:I,s:I,s:o}", "node", (json_int_t)said->node, "log_start", (json_int_t)said->log_start,
                  "high_watermark", (json_int_t)said->high_watermark, "segments", array);
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
    return CLI_OK;
}

static void print_segment(const struct lf_segment *segment) {
    char bytes[32], from[40], to[40];
    cli_bytes_words(segment->bytes, bytes, sizeof bytes);
    cli_time_words(segment->first_log_time_ms, from, sizeof from);
    cli_time_words(segment->last_log_time_ms, to, sizeof to);
    printf("offsets %lld to %lld\tindexes %llu to %llu\t%llu entries\t%s\t%s to %s\t", (long long)segment->base_offset,
           (long long)segment->end_offset, (unsigned long long)segment->first_index,
           (unsigned long long)segment->last_index, (unsigned long long)segment->entries, bytes, from, to);
    if (segment->open)
        printf("open\n");
    else
        printf("checksum %08" PRIx64 "%s", segment->checksum, segment->rewrites ? "" : "\n");
    if (!segment->open && segment->rewrites)
        printf("\trewritten %llu times\n", (unsigned long long)segment->rewrites);
}

int cli_partition_segments(struct cli_change *change) {
    char topic[256], bytes[32];
    int32_t partition;
    struct lf_error error = {0};
    struct lf_segments said;
    uint64_t sum = 0;
    cli_topic_partition(change->operands[0], topic, &partition);
    cli_change_connect(change);
    enum lf_status status = lf_partition_segments(change->client, topic, partition, change->node, &said, &error);
    if (status != LF_OK)
        return cli_failed(change->operands[0], status, error.text);
    for (size_t i = 0; i < said.count; i++) {
        sum += said.segments[i].bytes;
        if (!change->common.json)
            print_segment(&said.segments[i]);
    }
    cli_bytes_words(sum, bytes, sizeof bytes);
    if (change->common.json)
        print_json(&said);
    else if (!change->common.quiet)
        fprintf(stderr, "%s on node %llu: offsets %lld to %lld, %zu segments, %s\n", change->operands[0],
                (unsigned long long)said.node, (long long)said.log_start, (long long)said.high_watermark, said.count,
                bytes);
    lf_segments_free(&said);
    return CLI_OK;
}
