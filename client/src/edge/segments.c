/** A partition's segments, and where its log begins. */
#include "client.pb-c.h"
#include "edge.h"

#include <stdlib.h>

static enum lf_status nonsense(struct lf_error *error) {
    return lf_error_set(error, LF_MALFORMED, "the broker's answer makes no sense");
}

enum lf_status lf_partition_offset_at(struct lf_client *client, const char *topic, int32_t partition,
                                      int64_t timestamp_ms, int64_t *offset, struct lf_error *error) {
    *offset = -1;
    if (partition < 0)
        return lf_error_set(error, LF_INVALID, "partition %d", partition);
    Lf__ClientReply *reply;
    struct lf_core_call what = {.type = LF_CALL_PARTITION_OFFSET_AT,
                                .topic = topic,
                                .partitions = (uint32_t)partition,
                                .timestamp_ms = timestamp_ms};
    enum lf_status status = lf_ask(client, what, &reply, error);
    if (status != LF_OK)
        return status;
    const Lf__Position *position = reply->offsets_lookup->position;
    if (position)
        *offset = position->offset;
    lf__client_reply__free_unpacked(reply, NULL);
    return *offset >= 0 ? LF_OK : nonsense(error);
}

enum lf_status lf_partition_trim(struct lf_client *client, const char *topic, int32_t partition, int64_t before_offset,
                                 bool dry_run, struct lf_trim *trim, struct lf_error *error) {
    if (partition < 0)
        return lf_error_set(error, LF_INVALID, "partition %d", partition);
    Lf__ClientReply *reply;
    struct lf_core_call what = {.type = LF_CALL_PARTITION_TRIM,
                                .topic = topic,
                                .partitions = (uint32_t)partition,
                                .offset = before_offset,
                                .dry_run = dry_run};
    enum lf_status status = lf_ask(client, what, &reply, error);
    if (status != LF_OK)
        return status;
    const Lf__TrimPartitionReply *said = reply->trim_partition;
    if (trim)
        *trim = (struct lf_trim){.old_log_start = said->old_log_start_offset,
                                 .log_start = said->log_start_offset,
                                 .high_watermark = said->high_watermark,
                                 .segments = said->segments,
                                 .bytes = said->bytes};
    lf__client_reply__free_unpacked(reply, NULL);
    return LF_OK;
}

/* ---- list -------------------------------------------------------------------------------------------------------- */

void lf_segments_free(struct lf_segments *segments) {
    free(segments->segments);
    segments->segments = NULL;
    segments->count = 0;
}

static void segment_fill(struct lf_segment *segment, const Lf__SegmentDescription *said) {
    *segment = (struct lf_segment){.first_index = said->first_index,
                                   .last_index = said->last_index,
                                   .last_term = said->last_term,
                                   .base_offset = said->base_offset,
                                   .end_offset = said->end_offset,
                                   .entries = said->entries,
                                   .bytes = said->bytes,
                                   .command_bytes = said->command_bytes,
                                   .first_log_time_ms = (int64_t)said->first_log_time_ms,
                                   .last_log_time_ms = (int64_t)said->last_log_time_ms,
                                   .max_timestamp_ms = said->max_timestamp_ms,
                                   .checksum = said->open ? 0 : said->checksum,
                                   .rewrites = said->rewrites,
                                   .open = said->open};
}

/* One page more. LF_OK with *from the index of the next one; 0: that was the last. */
static enum lf_status page_add(struct lf_segments *segments, const Lf__ListSegmentsReply *said, uint64_t *from,
                               struct lf_error *error) {
    struct lf_segment *grown =
        realloc(segments->segments, (segments->count + said->n_segments + 1) * sizeof *segments->segments);
    if (!grown)
        return lf_error_set(error, LF_NO_MEMORY, "out of memory");
    segments->segments = grown;
    for (size_t i = 0; i < said->n_segments; i++)
        segment_fill(&grown[segments->count++], said->segments[i]);
    segments->node = said->node_id;
    segments->log_start = said->log_start_offset;
    segments->high_watermark = said->high_watermark;
    if (said->next_index != 0 && (said->next_index <= *from || said->n_segments == 0))
        return nonsense(error);
    *from = said->next_index;
    return LF_OK;
}

enum lf_status lf_partition_segments(struct lf_client *client, const char *topic, int32_t partition, uint64_t node,
                                     struct lf_segments *segments, struct lf_error *error) {
    *segments = (struct lf_segments){0};
    if (partition < 0)
        return lf_error_set(error, LF_INVALID, "partition %d", partition);
    enum lf_status status;
    uint64_t from = 0;
    do {
        Lf__ClientReply *reply;
        struct lf_core_call what = {.type = LF_CALL_PARTITION_SEGMENTS,
                                    .topic = topic,
                                    .partitions = (uint32_t)partition,
                                    .node = node,
                                    .from_index = from};
        status = lf_ask(client, what, &reply, error);
        if (status != LF_OK)
            break;
        status = page_add(segments, reply->list_segments, &from, error);
        lf__client_reply__free_unpacked(reply, NULL);
    } while (status == LF_OK && from != 0);
    if (status != LF_OK)
        lf_segments_free(segments);
    return status;
}
