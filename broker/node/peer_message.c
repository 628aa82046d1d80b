#include "peer_message.h"

#include "lf_check.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGES_AT_FIRST 8

struct peer_envelope *peer_envelope_new(void) {
    return calloc(1, sizeof(struct peer_envelope));
}

struct image_message *peer_image_new(enum image_kind kind) {
    struct image_message *image = calloc(1, sizeof *image);
    if (image)
        image->kind = kind;
    return image;
}

void peer_image_destroy(struct image_message **where) {
    struct image_message *image = *where;
    *where = NULL;
    if (!image)
        return;
    if (image->kind == IMAGE_PAGE) {
        free(image->page.segments);
        free(image->page.rows);
        free(image->page.row_bytes);
    }
    free(image);
}

enum lf_status peer_image_fill_page(struct image_message *page, const struct log_segment *segments,
                                    size_t segment_count, const struct log_store_row *rows, size_t row_count) {
    size_t bytes = 0;
    lf_check(page->kind == IMAGE_PAGE && !page->page.segments && !page->page.rows);
    for (size_t i = 0; i < row_count; i++)
        bytes += rows[i].key.size + rows[i].value.size;
    page->page.segments = malloc((segment_count + 1) * sizeof *segments);
    page->page.rows = malloc((row_count + 1) * sizeof *rows);
    uint8_t *at = page->page.row_bytes = malloc(bytes + 1);
    if (!page->page.segments || !page->page.rows || !at)
        return LF_NO_MEMORY;
    if (segment_count > 0)
        memcpy(page->page.segments, segments, segment_count * sizeof *segments);
    page->page.segment_count = segment_count;
    for (size_t i = 0; i < row_count; i++) {
        struct log_store_row *row = &page->page.rows[i];
        memcpy(at, rows[i].key.data, rows[i].key.size);
        row->key = lf_bytes(at, rows[i].key.size);
        at += rows[i].key.size;
        if (rows[i].value.size > 0)
            memcpy(at, rows[i].value.data, rows[i].value.size);
        row->value = lf_bytes(at, rows[i].value.size);
        at += rows[i].value.size;
    }
    page->page.row_count = row_count;
    return LF_OK;
}

uint32_t peer_message_entries(const struct peer_message *message) {
    if (message->image)
        return message->image->kind == IMAGE_PIECE ? message->image->piece.count : 0;
    return message->raft.type == RAFT_APPEND_REQUEST ? message->raft.append_request.count : 0;
}

void peer_message_deinit(struct peer_message *message) {
    uint32_t count = peer_message_entries(message);
    for (uint32_t i = 0; message->entries && i < count; i++)
        lf_buf_unref(&message->entries[i]);
    free(message->entries);
    message->entries = NULL;
    peer_image_destroy(&message->image);
}

void peer_envelope_destroy(struct peer_envelope **where) {
    struct peer_envelope *envelope = *where;
    *where = NULL;
    if (!envelope)
        return;
    for (size_t i = 0; i < envelope->message_count; i++)
        peer_message_deinit(&envelope->messages[i]);
    free(envelope->messages);
    free(envelope->greeting);
    free(envelope->reports);
    free(envelope);
}

static bool make_room(struct peer_envelope *envelope) {
    if (envelope->message_count < envelope->message_capacity)
        return true;
    size_t capacity = envelope->message_capacity ? envelope->message_capacity * 2 : MESSAGES_AT_FIRST;
    struct peer_message *messages = realloc(envelope->messages, capacity * sizeof *messages);
    if (!messages)
        return false;
    envelope->messages = messages;
    envelope->message_capacity = capacity;
    return true;
}

enum lf_status peer_envelope_add(struct peer_envelope *envelope, const struct peer_message *message) {
    size_t entries = message->entries ? peer_message_entries(message) : 0;
    if (envelope->message_count == PEER_ENVELOPE_MESSAGES_MAX ||
        entries > PEER_ENVELOPE_ENTRIES_MAX - envelope->entry_count)
        return LF_FULL;
    if (!make_room(envelope))
        return LF_NO_MEMORY;
    envelope->messages[envelope->message_count++] = *message;
    envelope->entry_count += entries;
    return LF_OK;
}

enum lf_status peer_envelope_add_report(struct peer_envelope *envelope, const struct peer_report *report) {
    if (envelope->report_count == PEER_REPORTS_MAX)
        return LF_FULL;
    struct peer_report *reports = realloc(envelope->reports, (envelope->report_count + 1) * sizeof *reports);
    if (!reports)
        return LF_NO_MEMORY;
    envelope->reports = reports;
    envelope->reports[envelope->report_count++] = *report;
    return LF_OK;
}
