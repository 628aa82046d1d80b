#include "peer_message.h"

#include "lf_check.h"

#include <stdlib.h>

#define MESSAGES_AT_FIRST 8

struct peer_envelope *peer_envelope_new(void) {
    return calloc(1, sizeof(struct peer_envelope));
}

static void message_drop_entries(struct peer_message *message) {
    if (!message->entries)
        return;
    for (uint32_t i = 0; i < message->raft.append_request.count; i++)
        lf_buf_unref(&message->entries[i]);
    free(message->entries);
    message->entries = NULL;
}

void peer_envelope_destroy(struct peer_envelope **where) {
    struct peer_envelope *envelope = *where;
    *where = NULL;
    if (!envelope)
        return;
    for (size_t i = 0; i < envelope->message_count; i++)
        message_drop_entries(&envelope->messages[i]);
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
    size_t entries = message->entries ? message->raft.append_request.count : 0;
    lf_check(entries == 0 || message->raft.type == RAFT_APPEND_REQUEST);
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
