#include "raft_internal.h"

#include <stdlib.h>
#include <string.h>

enum lf_status raft_effects_init(struct raft_effects *effects, const struct raft_limits *limits) {
    struct raft_limits full = raft_limits_with_defaults(limits);
    *effects = (struct raft_effects){.message_capacity = raft_messages_max(&full), .read_capacity = full.reads_max + 1};
    effects->messages = calloc(effects->message_capacity, sizeof *effects->messages);
    effects->reads = calloc(effects->read_capacity, sizeof *effects->reads);
    if (effects->messages && effects->reads)
        return LF_OK;
    raft_effects_deinit(effects);
    return LF_NO_MEMORY;
}

void raft_effects_deinit(struct raft_effects *effects) {
    free(effects->messages);
    free(effects->reads);
    *effects = (struct raft_effects){0};
}

static void effects_clear(struct raft_effects *effects) {
    *effects = (struct raft_effects){.messages = effects->messages,
                                     .message_capacity = effects->message_capacity,
                                     .reads = effects->reads,
                                     .read_capacity = effects->read_capacity};
}

/** Whoever leads or asks for a vote may be a member that our log does not name yet: a voter that missed some changes
 * still has to help elect who knows them, and the logs are compared anyway. Everybody else has to be one. */
static bool is_for_us(const struct raft *raft, const struct raft_message *message) {
    if (message->to != raft->self || message->from == raft->self || message->from == 0)
        return false;
    switch (message->type) {
    case RAFT_PRE_VOTE_REQUEST:
    case RAFT_VOTE_REQUEST:
    case RAFT_APPEND_REQUEST:
    case RAFT_HEARTBEAT_REQUEST:
    case RAFT_TIMEOUT_NOW:
    case RAFT_IMAGE_OFFER:
        return true;
    default:
        return raft_configuration_has(raft_configuration(raft), message->from);
    }
}

/** A sender whose term we have to take up before anything else, or whose message is too old to count. Requests of votes
 *  and of leaders judge terms themselves. False: nothing more to do. */
static bool settle_term(struct raft *raft, const struct raft_message *message) {
    switch (message->type) {
    case RAFT_APPEND_REPLY:
    case RAFT_HEARTBEAT_REPLY:
    case RAFT_READ_REQUEST:
    case RAFT_READ_REPLY:
        break;
    default:
        return true;
    }
    if (message->term > raft->term)
        raft_become_follower(raft, message->term, 0);
    return message->term == raft->term || message->type == RAFT_READ_REQUEST || message->type == RAFT_READ_REPLY;
}

static void on_message(struct raft *raft, const struct raft_message *message) {
    if (!is_for_us(raft, message) || !settle_term(raft, message))
        return;
    switch (message->type) {
    case RAFT_PRE_VOTE_REQUEST:
        raft_on_pre_vote_request(raft, message);
        break;
    case RAFT_PRE_VOTE_REPLY:
        raft_on_pre_vote_reply(raft, message);
        break;
    case RAFT_VOTE_REQUEST:
        raft_on_vote_request(raft, message);
        break;
    case RAFT_VOTE_REPLY:
        raft_on_vote_reply(raft, message);
        break;
    case RAFT_APPEND_REQUEST:
        raft_on_append_request(raft, message);
        break;
    case RAFT_APPEND_REPLY:
        raft_on_append_reply(raft, message);
        break;
    case RAFT_HEARTBEAT_REQUEST:
        raft_on_heartbeat_request(raft, message);
        break;
    case RAFT_HEARTBEAT_REPLY:
        raft_on_heartbeat_reply(raft, message);
        break;
    case RAFT_TIMEOUT_NOW:
        raft_on_timeout_now(raft, message);
        break;
    case RAFT_READ_REQUEST:
        raft_on_read_request(raft, message);
        break;
    case RAFT_READ_REPLY:
        raft_on_read_reply(raft, message);
        break;
    case RAFT_IMAGE_OFFER:
        raft_on_image_offer(raft, message);
        break;
    }
}

static enum lf_status dispatch(struct raft *raft, const struct raft_event *event) {
    switch (event->type) {
    case RAFT_EVENT_TICK:
        raft_tick(raft, event->tick.absent_ms);
        return LF_OK;
    case RAFT_EVENT_MESSAGE:
        on_message(raft, event->message);
        return LF_OK;
    case RAFT_EVENT_WROTE:
        raft_on_wrote(raft, event->wrote.token, event->wrote.status);
        return LF_OK;
    case RAFT_EVENT_PROPOSE:
        return raft_propose(raft, event->propose.entries, event->propose.count);
    case RAFT_EVENT_READ:
        return raft_read(raft, event->read.id);
    case RAFT_EVENT_TRANSFER:
        return raft_transfer(raft, event->transfer.to);
    case RAFT_EVENT_CHANGE:
        return raft_change(raft, event->change);
    case RAFT_EVENT_PREFER:
        raft_prefer(raft, event->prefer.replica);
        return LF_OK;
    case RAFT_EVENT_COMPACTED:
        return raft_compacted(raft, event->compacted.index);
    case RAFT_EVENT_INSTALL:
        return raft_install(raft, event);
    case RAFT_EVENT_OFFER:
        return raft_offer(raft, event->offer.replica, event->offer.index);
    }
    return LF_INVALID;
}

/** After the event: release what the disk allows by now, look again at what rests on durable positions, close the
 *  step's write. */
static void settle(struct raft *raft) {
    struct raft_effects *effects = raft->effects;
    if (!raft->failed) {
        raft_follow_configuration(raft);
        raft_release_held(raft);
        raft_advance_commit(raft);
        raft_reads_advance(raft);
        raft_change_advance(raft);
        raft_transfer_advance(raft);
    }
    if (raft->failed) {
        effects->has_persist = false;
        effects->message_count = 0;
        effects->own_index = 0;
        effects->own_configuration = NULL;
        effects->failed = true;
    }
    raft_writes_seal(raft);
    effects->commit = raft->commit;
    effects->deadline_ms = raft_deadline(raft);
}

enum lf_status raft_step(struct raft *raft, const struct raft_event *event, struct raft_effects *effects) {
    enum raft_role role = raft->role;
    uint64_t term = raft->term, leader = raft->leader, commit = raft->commit;
    effects_clear(effects);
    raft->effects = effects;
    if (event->now_ms > raft->now_ms)
        raft->now_ms = event->now_ms;

    enum lf_status status = LF_OK;
    if (!raft->failed)
        status = dispatch(raft, event);
    else if (event->type >= RAFT_EVENT_PROPOSE && event->type != RAFT_EVENT_PREFER &&
             event->type != RAFT_EVENT_COMPACTED)
        status = LF_NOT_LEADER;
    settle(raft);

    effects->role_changed = role != raft->role || term != raft->term || leader != raft->leader;
    raft->effects = NULL;
    lf_check(raft->term >= term);
    lf_check(raft->commit >= commit);
    lf_check(raft->commit <= raft->log.last_index);
    lf_check(raft->commit >= raft->log.previous_index);
    return status;
}
