#include "replay.h"

#include <stdlib.h>
#include <string.h>

void sim_replay_sent(struct sim_replay *replay, struct sim_message *message) {
    uint64_t from = message->message.from - 1, to = message->message.to - 1;
    size_t *count = &replay->sent_count[from][to];
    replay->sent[from][to] =
        sim_grown(replay->sent[from][to], &replay->sent_capacity[from][to], *count + 1, sizeof *replay->sent[0][0]);
    replay->sent[from][to][(*count)++] = message;
}

/** Two messages that say the same; entries are as good as their number and what comes before them. */
static bool says_the_same(const struct raft_message *a, const struct raft_message *b) {
    struct raft_message x = *a, y = *b;
    if (x.type == RAFT_APPEND_REQUEST)
        x.append_request.entries = NULL;
    if (y.type == RAFT_APPEND_REQUEST)
        y.append_request.entries = NULL;
    return memcmp(&x, &y, sizeof x) == 0;
}

/** Where the message is in flight; count when it is not. */
static size_t find(const struct sim_replay *replay, const struct sim_op *op) {
    uint64_t from = op->message.from - 1, to = op->message.to - 1;
    size_t count = replay->sent_count[from][to];
    for (size_t i = 0; i < count; i++)
        if (says_the_same(&replay->sent[from][to][i]->message, &op->message))
            return i;
    /* The newest of its kind, then: what was lost on the way is still there, and older. */
    for (size_t i = count; i > 0; i--) {
        const struct raft_message *message = &replay->sent[from][to][i - 1]->message;
        if (message->type == op->message.type && message->term == op->message.term)
            return i - 1;
    }
    return count;
}

static bool deliver(struct sim_replay *replay, struct sim_world *world, const struct sim_op *op) {
    uint64_t from = op->message.from - 1, to = op->message.to - 1;
    size_t place = find(replay, op);
    if (place == replay->sent_count[from][to] || !sim_host(world, op->host)->raft)
        return false;
    struct sim_message *message = replay->sent[from][to][place];
    bool again = op->number != 0;
    if (replay->script)
        sim_script_op(replay, world, op, message, place, again);
    if (again) {
        message->references++;
    } else {
        size_t left = --replay->sent_count[from][to] - place;
        memmove(&replay->sent[from][to][place], &replay->sent[from][to][place + 1],
                left * sizeof *replay->sent[from][to]);
    }
    struct sim_event event = {.kind = SIM_DELIVER, .host = op->host, .message = message};
    sim_deliver(world, &event);
    return true;
}

static bool possible(struct sim_world *world, const struct sim_op *op) {
    if (op->kind == SIM_OP_ADD)
        return true;
    if (op->host > world->options.nodes)
        return false; /* it was not added this time */
    const struct sim_host *host = sim_host(world, op->host);
    switch (op->kind) {
    case SIM_OP_START:
        return !host->raft;
    case SIM_OP_JUMP:
        return true;
    case SIM_OP_WROTE:
    case SIM_OP_WRITE_FAILED:
        return host->raft && host->disk.write_count > 0;
    default:
        return host->raft != NULL;
    }
}

/** Under the number it had; one that is not made this time stays 0. */
static void make_image(struct sim_host *host, uint64_t number) {
    struct sim_world *world = host->world;
    while (world->image_count < number - 1) {
        world->images = sim_grown(world->images, &world->image_capacity, world->image_count + 1, sizeof *world->images);
        world->images[world->image_count++] = (struct sim_image){0};
    }
    if (world->image_count == number - 1)
        sim_image_make(host);
}

static void carry_out(struct sim_world *world, const struct sim_op *op) {
    struct sim_host *host = op->kind == SIM_OP_ADD ? NULL : sim_host(world, op->host);
    switch (op->kind) {
    case SIM_OP_ADD:
        sim_host_add(world)->clock_base_ms = op->number;
        return;
    case SIM_OP_START:
        host->start_seed = op->number;
        sim_host_start(host);
        return;
    case SIM_OP_CRASH:
        sim_host_end(host, op->number < host->disk.write_count ? op->number : host->disk.write_count);
        return;
    case SIM_OP_TICK:
        sim_host_tick(host, op->number);
        return;
    case SIM_OP_WROTE:
        sim_disk_complete(host, LF_OK, true);
        return;
    case SIM_OP_WRITE_FAILED:
        sim_disk_complete(host, LF_IO, op->number != 0);
        return;
    case SIM_OP_PROPOSE:
        sim_propose_at(host, op->bytes, (uint32_t)op->number);
        return;
    case SIM_OP_READ:
        sim_read_at(host);
        return;
    case SIM_OP_TRANSFER:
        sim_transfer_at(host, op->number);
        return;
    case SIM_OP_CHANGE:
        sim_change_at(host, &op->target);
        return;
    case SIM_OP_PREFER:
        sim_prefer_at(host, op->number);
        return;
    case SIM_OP_COMPACT:
        sim_compact_at(host, op->number);
        return;
    case SIM_OP_IMAGE:
        make_image(host, op->number);
        return;
    case SIM_OP_INSTALL:
        sim_install_at(host, op->number);
        return;
    case SIM_OP_OFFER:
        sim_offer_at(host, op->number);
        return;
    case SIM_OP_JUMP:
        host->clock_base_ms += op->number;
        return;
    case SIM_OP_DELIVER:
        return;
    }
}

static void forget(struct sim_replay *replay, struct sim_world *world) {
    for (uint32_t from = 0; from < SIM_HOSTS_MAX; from++)
        for (uint32_t to = 0; to < SIM_HOSTS_MAX; to++) {
            for (size_t i = 0; i < replay->sent_count[from][to]; i++)
                sim_message_release(&replay->sent[from][to][i]);
            free(replay->sent[from][to]);
        }
    sim_world_deinit(world);
    free(world);
}

void sim_replay_run(struct sim_replay *replay, const struct sim_options *options) {
    struct sim_world *world = malloc(sizeof *world);
    if (!world)
        exit(2);
    sim_world_init(world, options);
    world->replay = replay;
    world->calm = true; /* the network neither drops nor duplicates by itself */
    if (replay->script)
        sim_script_begin(replay, world, replay->title);
    for (size_t i = 0; i < replay->recording->count; i++) {
        const struct sim_op *op = &replay->recording->ops[i];
        if (replay->chosen && !replay->chosen[i])
            continue;
        world->now = op->at;
        if (op->kind == SIM_OP_DELIVER) {
            replay->used += op->host <= world->options.nodes && op->message.from <= world->options.nodes &&
                            deliver(replay, world, op);
            continue;
        }
        if (!possible(world, op))
            continue;
        replay->used++;
        if (replay->script)
            sim_script_op(replay, world, op, NULL, 0, false);
        carry_out(world, op);
    }
    forget(replay, world);
}
