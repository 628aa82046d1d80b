/** A replayed list of operations in the words of tests/sim/script. */
#include "replay.h"

#include <string.h>

typedef unsigned long long ull;

/** What a scenario's world shows when it begins, in ms. */
#define SCRIPT_BEGINS_MS 1000

static const char *kind_name(enum raft_message_type type) {
    static const char *const names[] = {
        [RAFT_PRE_VOTE_REQUEST] = "pre-vote-request",
        [RAFT_PRE_VOTE_REPLY] = "pre-vote-reply",
        [RAFT_VOTE_REQUEST] = "vote-request",
        [RAFT_VOTE_REPLY] = "vote-reply",
        [RAFT_APPEND_REQUEST] = "append",
        [RAFT_APPEND_REPLY] = "append-reply",
        [RAFT_HEARTBEAT_REQUEST] = "heartbeat",
        [RAFT_HEARTBEAT_REPLY] = "heartbeat-reply",
        [RAFT_TIMEOUT_NOW] = "timeout-now",
        [RAFT_READ_REQUEST] = "read-request",
        [RAFT_READ_REPLY] = "read-reply",
        [RAFT_IMAGE_OFFER] = "image-offer",
    };
    return names[type];
}

/** Founders, and those that come later. */
static uint32_t all_hosts(const struct sim_replay *replay, const struct sim_world *world) {
    uint32_t count = world->options.nodes;
    for (size_t i = 0; i < replay->recording->count; i++)
        count += replay->recording->ops[i].kind == SIM_OP_ADD && (!replay->chosen || replay->chosen[i]);
    return count;
}

static uint64_t base_of(const struct sim_replay *replay, const struct sim_world *world, uint32_t id) {
    uint32_t added = world->options.nodes;
    for (size_t i = 0; i < replay->recording->count; i++) {
        const struct sim_op *op = &replay->recording->ops[i];
        if (op->kind == SIM_OP_ADD && (!replay->chosen || replay->chosen[i]) && ++added == id)
            return op->number;
    }
    return world->hosts[id - 1].clock_base_ms;
}

static void write_limits(FILE *out, const struct raft_limits *limits) {
#define LIMIT(name)                                                                                                    \
    if (limits->name != 0)                                                                                             \
        fprintf(out, "limit " #name " %u\n", limits->name);
    LIMIT(election_timeout_ms_min)
    LIMIT(election_timeout_ms_max)
    LIMIT(heartbeat_ms)
    LIMIT(inflight_messages_max)
    LIMIT(inflight_bytes_max)
    LIMIT(pipeline_messages)
    LIMIT(append_entries_max)
    LIMIT(append_bytes_max)
    LIMIT(uncommitted_bytes_max)
    LIMIT(reads_max)
    LIMIT(sized_entries_max)
    LIMIT(unsized_entries_max)
    LIMIT(prefer_after_ms)
#undef LIMIT
}

void sim_script_begin(struct sim_replay *replay, const struct sim_world *world, const char *title) {
    FILE *out = replay->script;
    uint32_t count = all_hosts(replay, world);
    fprintf(out, "# %s\nnodes %u", title, count);
    if (count > world->options.nodes) {
        fputs(" voters", out);
        for (uint32_t id = 1; id <= world->options.nodes; id++)
            fprintf(out, " %u", id);
    }
    fputc('\n', out);
    write_limits(out, &world->limits);
    for (uint32_t id = 1; id <= count; id++)
        if (base_of(replay, world, id) > 0)
            fprintf(out, "clock %u %llu\n", id, (ull)base_of(replay, world, id));
    replay->written_ms = SCRIPT_BEGINS_MS;
}

static void write_members(FILE *out, const struct raft_configuration *target) {
    fputs(" voters", out);
    for (uint32_t i = 0; i < target->voter_count; i++)
        fprintf(out, " %llu", (ull)target->voters[i]);
    if (target->learner_count > 0)
        fputs(" learners", out);
    for (uint32_t i = 0; i < target->learner_count; i++)
        fprintf(out, " %llu", (ull)target->learners[i]);
    fprintf(out, " epoch %llu\n", (ull)target->epoch);
}

/** Place among the messages of this kind on the link, from 1. */
static size_t place_of_kind(const struct sim_replay *replay, const struct raft_message *message, size_t place) {
    size_t before = 0;
    for (size_t i = 0; i < place; i++)
        before += replay->sent[message->from - 1][message->to - 1][i]->message.type == message->type;
    return before + 1;
}

static void write_message(struct sim_replay *replay, const struct raft_message *message, size_t place, bool again) {
    FILE *out = replay->script;
    ull from = message->from, to = message->to;
    size_t of_kind = place_of_kind(replay, message, place);
    if (!again) {
        fprintf(out, "deliver %llu->%llu %s", from, to, kind_name(message->type));
        fprintf(out, of_kind > 1 ? " .%zu\n" : "\n", of_kind);
        return;
    }
    fprintf(out, "copy m%llu %llu->%llu %s .%zu\n", (ull)++replay->copies, from, to, kind_name(message->type), of_kind);
    fprintf(out, "deliver m%llu\n", (ull)replay->copies);
}

static void write_entries(FILE *out, const struct sim_op *op) {
    uint64_t sizes = op->number;
    while (sizes > 1 && op->bytes[sizes - 1] == op->bytes[sizes - 2])
        sizes--; /* the rest is as large as the one before */
    fprintf(out, "propose %llu %llu bytes", (ull)op->host, (ull)op->number);
    for (uint64_t i = 0; i < sizes; i++)
        fprintf(out, " %u", op->bytes[i]);
    fputc('\n', out);
}

void sim_script_op(struct sim_replay *replay, const struct sim_world *world, const struct sim_op *op,
                   const struct sim_message *message, size_t place, bool again) {
    FILE *out = replay->script;
    ull host = op->host, number = op->number;
    if (op->at / 1000 + SCRIPT_BEGINS_MS > replay->written_ms) {
        fprintf(out, "elapse %llu\n", (ull)(op->at / 1000 + SCRIPT_BEGINS_MS - replay->written_ms));
        replay->written_ms = op->at / 1000 + SCRIPT_BEGINS_MS;
    }
    switch (op->kind) {
    case SIM_OP_ADD:
        return;
    case SIM_OP_START:
        fprintf(out, "seed %llu %llu\nstart %llu\n", host, number, host);
        return;
    case SIM_OP_CRASH:
        fprintf(out, number > 0 ? "crash %llu keeping %llu\n" : "crash %llu\n", host, number);
        return;
    case SIM_OP_TICK:
        fprintf(out, number > 0 ? "tick %llu absent %llu\n" : "tick %llu\n", host, number);
        return;
    case SIM_OP_DELIVER:
        write_message(replay, &message->message, place, again);
        return;
    case SIM_OP_WROTE:
        fprintf(out, "wrote %llu\n", host);
        return;
    case SIM_OP_WRITE_FAILED:
        fprintf(out, "fail-write %llu%s\n", host, number ? " kept" : "");
        return;
    case SIM_OP_PROPOSE:
        write_entries(out, op);
        return;
    case SIM_OP_READ:
        fprintf(out, "read %llu\n", host);
        return;
    case SIM_OP_TRANSFER:
        fprintf(out, number > 0 ? "transfer %llu to %llu\n" : "transfer %llu\n", host, number);
        return;
    case SIM_OP_CHANGE:
        fprintf(out, "change %llu", host);
        write_members(out, &op->target);
        return;
    case SIM_OP_PREFER:
        fprintf(out, "prefer %llu %llu\n", host, number);
        return;
    case SIM_OP_COMPACT:
        fprintf(out, "compact %llu %llu\n", host, number);
        return;
    case SIM_OP_IMAGE:
        fprintf(out, "image i%llu %llu\n", number, host);
        return;
    case SIM_OP_INSTALL:
        fprintf(out, "install %llu i%llu\n", host, number);
        return;
    case SIM_OP_OFFER:
        fprintf(out, "offer %llu to %llu\n", host, number);
        return;
    case SIM_OP_JUMP:
        fprintf(out, "jump %llu %llu\n", host, number);
        return;
    }
    (void)world;
}
