#include "peer_beats.h"

#include <stdlib.h>

enum { COLUMN_GROUP, COLUMN_FROM, COLUMN_TO, COLUMN_TERM, COLUMN_COMMIT, COLUMN_SEQUENCE, COLUMN_COUNT };

/** One beat as a row. */
static void row_of(const struct peer_message *message, uint64_t row[COLUMN_COUNT]) {
    row[COLUMN_GROUP] = message->group;
    row[COLUMN_FROM] = message->raft.from;
    row[COLUMN_TO] = message->raft.to;
    row[COLUMN_TERM] = message->raft.term;
    row[COLUMN_COMMIT] = message->raft.heartbeat.commit;
    row[COLUMN_SEQUENCE] = message->raft.heartbeat.sequence;
}

static size_t count_of(const struct peer_envelope *envelope, enum raft_message_type type) {
    size_t count = 0;
    for (size_t i = 0; i < envelope->message_count; i++)
        count += envelope->messages[i].raft.type == type;
    return count;
}

bool beat_columns_form(struct beat_columns *columns, const struct peer_envelope *envelope,
                       enum raft_message_type type) {
    lf__beats__init(&columns->wire);
    columns->count = count_of(envelope, type);
    if (columns->count == 0)
        return true;
    columns->numbers = malloc(columns->count * COLUMN_COUNT * sizeof *columns->numbers);
    if (!columns->numbers)
        return false;
    int64_t *of[COLUMN_COUNT];
    for (size_t column = 0; column < COLUMN_COUNT; column++)
        of[column] = columns->numbers + column * columns->count;
    uint64_t before[COLUMN_COUNT] = {0};
    size_t at = 0;
    for (size_t i = 0; i < envelope->message_count; i++) {
        if (envelope->messages[i].raft.type != type)
            continue;
        uint64_t row[COLUMN_COUNT];
        row_of(&envelope->messages[i], row);
        for (size_t column = 0; column < COLUMN_COUNT; column++) {
            of[column][at] = (int64_t)(row[column] - before[column]);
            before[column] = row[column];
        }
        at++;
    }
    Lf__Beats *wire = &columns->wire;
    wire->group = of[COLUMN_GROUP], wire->from_replica = of[COLUMN_FROM], wire->to_replica = of[COLUMN_TO];
    wire->term = of[COLUMN_TERM], wire->commit = of[COLUMN_COMMIT], wire->sequence = of[COLUMN_SEQUENCE];
    wire->n_group = wire->n_from_replica = wire->n_to_replica = columns->count;
    wire->n_term = wire->n_commit = wire->n_sequence = columns->count;
    return true;
}

void beat_columns_deinit(struct beat_columns *columns) {
    free(columns->numbers);
    *columns = (struct beat_columns){.count = 0};
}

static bool equally_long(const Lf__Beats *wire) {
    size_t count = wire->n_group;
    return wire->n_from_replica == count && wire->n_to_replica == count && wire->n_term == count &&
           wire->n_commit == count && wire->n_sequence == count;
}

static bool row_is_legal(const uint64_t row[COLUMN_COUNT]) {
    return row[COLUMN_FROM] != 0 && row[COLUMN_TO] != 0 && row[COLUMN_TERM] < PEER_CODEC_NUMBER_LIMIT &&
           row[COLUMN_COMMIT] < PEER_CODEC_NUMBER_LIMIT && row[COLUMN_SEQUENCE] < PEER_CODEC_NUMBER_LIMIT;
}

static enum lf_status take_row(const uint64_t row[COLUMN_COUNT], enum raft_message_type type,
                               struct peer_envelope *envelope, struct lf_error *error) {
    if (!row_is_legal(row))
        return lf_error_set(error, LF_MALFORMED, "peer message: a heartbeat's number is out of bounds");
    const struct peer_message message = {
        .group = row[COLUMN_GROUP],
        .raft = {.type = type,
                 .from = row[COLUMN_FROM],
                 .to = row[COLUMN_TO],
                 .term = row[COLUMN_TERM],
                 .heartbeat = {.commit = row[COLUMN_COMMIT], .sequence = row[COLUMN_SEQUENCE]}}};
    enum lf_status status = peer_envelope_add(envelope, &message);
    if (status == LF_OK)
        return LF_OK;
    return lf_error_set(error, status == LF_FULL ? LF_TOO_LARGE : status, "peer message: %s",
                        status == LF_FULL ? "too many messages" : "no memory");
}

enum lf_status peer_beats_take(const Lf__Beats *wire, enum raft_message_type type, struct peer_envelope *envelope,
                               struct lf_error *error) {
    if (!equally_long(wire))
        return lf_error_set(error, LF_MALFORMED, "peer message: columns of heartbeats are not equally long");
    uint64_t row[COLUMN_COUNT] = {0};
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < wire->n_group; i++) {
        row[COLUMN_GROUP] += (uint64_t)wire->group[i];
        row[COLUMN_FROM] += (uint64_t)wire->from_replica[i];
        row[COLUMN_TO] += (uint64_t)wire->to_replica[i];
        row[COLUMN_TERM] += (uint64_t)wire->term[i];
        row[COLUMN_COMMIT] += (uint64_t)wire->commit[i];
        row[COLUMN_SEQUENCE] += (uint64_t)wire->sequence[i];
        status = take_row(row, type, envelope, error);
    }
    return status;
}
