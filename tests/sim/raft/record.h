/** What cores were fed, one by one: enough to feed them the same again, or a part of it.
 *
 *  Operations are noted just before they are carried out, by whoever carries them out. What follows from an operation
 *  by itself (a message sent, a write handed over, a process that ends over a failed write) is none. */
#ifndef SIM_RECORD_H
#define SIM_RECORD_H

#include "sim.h"

enum sim_op_kind {
    SIM_OP_ADD,          /**< a new host; number: what its clock shows at world time 0 */
    SIM_OP_START,        /**< number: seed */
    SIM_OP_CRASH,        /**< number: writes that reached the disk */
    SIM_OP_TICK,         /**< number: ms of absence */
    SIM_OP_DELIVER,      /**< message; number: it may arrive once more */
    SIM_OP_WROTE,        /**< the oldest write is done */
    SIM_OP_WRITE_FAILED, /**< number: it is on the disk all the same */
    SIM_OP_PROPOSE,      /**< number of entries, bytes of each */
    SIM_OP_READ,
    SIM_OP_TRANSFER, /**< number: to */
    SIM_OP_CHANGE,   /**< target */
    SIM_OP_PREFER,   /**< number: replica */
    SIM_OP_COMPACT,  /**< number: index */
    SIM_OP_IMAGE,    /**< of its state; number: the image's */
    SIM_OP_INSTALL,  /**< number: the image's */
    SIM_OP_OFFER,    /**< number: replica */
    SIM_OP_JUMP,     /**< number: ms by which its clock goes ahead */
};

struct sim_op {
    enum sim_op_kind kind;
    uint64_t at; /**< world time in us */
    uint64_t host;
    uint64_t number;
    uint32_t bytes[SIM_PROPOSED_MAX];
    struct raft_message message;
    struct raft_configuration target;
};

static inline void sim_record_op(struct sim_world *world, const struct sim_op *op) {
    if (world->on_op)
        world->on_op(world, op);
}

static inline void sim_record(struct sim_host *host, enum sim_op_kind kind, uint64_t number) {
    if (!host->world->on_op)
        return;
    struct sim_op op = {.kind = kind, .at = host->world->now, .host = host->id, .number = number};
    sim_record_op(host->world, &op);
}

static inline void sim_record_propose(struct sim_host *host, const uint32_t *bytes, uint32_t count) {
    if (!host->world->on_op)
        return;
    struct sim_op op = {.kind = SIM_OP_PROPOSE, .at = host->world->now, .host = host->id, .number = count};
    for (uint32_t i = 0; i < count; i++)
        op.bytes[i] = bytes[i];
    sim_record_op(host->world, &op);
}

static inline void sim_record_change(struct sim_host *host, const struct raft_configuration *target) {
    struct sim_op op = {.kind = SIM_OP_CHANGE, .at = host->world->now, .host = host->id, .target = *target};
    sim_record_op(host->world, &op);
}

static inline void sim_record_deliver(struct sim_host *host, const struct sim_message *message) {
    struct sim_op op = {.kind = SIM_OP_DELIVER,
                        .at = host->world->now,
                        .host = host->id,
                        .number = message->references > 1,
                        .message = message->message};
    sim_record_op(host->world, &op);
}

/** A list of operations. */
struct sim_recording {
    struct sim_op *ops;
    size_t count, capacity;
};

#endif
