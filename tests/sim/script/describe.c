#include "script.h"

static const char *const kinds[] = {
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

const char *script_kind_name(enum raft_message_type type) { return kinds[type]; }

static void describe_append(FILE *out, const struct raft_message *message) {
    uint64_t first = message->append_request.prev_index + 1;
    uint32_t count = message->append_request.count;
    fprintf(out, " after %llu^%llu", script_u(first - 1), script_u(message->append_request.prev_term));
    for (uint32_t i = 0; i < count; i++) {
        const struct raft_entry *entry = &message->append_request.entries[i];
        if (i == 3 && count > 5) {
            fprintf(out, " ...");
            i = count - 1;
            entry = &message->append_request.entries[i];
        }
        fprintf(out, " %llu^%llu%s", script_u(first + i), script_u(entry->term), entry->configuration ? "(conf)" : "");
    }
    fprintf(out, "%s commit %llu", count == 0 ? " nothing," : ",", script_u(message->append_request.commit));
}

static void describe_append_reply(FILE *out, const struct raft_message *message) {
    if (message->append_reply.accepted)
        fprintf(out, " durable %llu received %llu%s", script_u(message->append_reply.durable),
                script_u(message->append_reply.received), message->append_reply.sequence == 0 ? " (disk done)" : "");
    else if (message->append_reply.sequence == 0)
        fprintf(out, " old term");
    else
        fprintf(out, " refused after %llu, hint %llu^%llu", script_u(message->append_reply.prev_index),
                script_u(message->append_reply.hint_index), script_u(message->append_reply.hint_term));
}

void script_describe(FILE *out, const struct raft_message *message) {
    fprintf(out, "%llu->%llu %s term=%llu", script_u(message->from), script_u(message->to), kinds[message->type],
            script_u(message->term));
    switch (message->type) {
    case RAFT_PRE_VOTE_REQUEST:
    case RAFT_VOTE_REQUEST:
        fprintf(out, " log end %llu^%llu%s", script_u(message->vote_request.last_index),
                script_u(message->vote_request.last_term), message->vote_request.transfer ? " (transfer)" : "");
        break;
    case RAFT_PRE_VOTE_REPLY:
    case RAFT_VOTE_REPLY:
        fprintf(out, " %s for %llu", message->vote_reply.granted ? "granted" : "refused",
                script_u(message->vote_reply.campaign_term));
        break;
    case RAFT_APPEND_REQUEST:
        describe_append(out, message);
        break;
    case RAFT_APPEND_REPLY:
        describe_append_reply(out, message);
        break;
    case RAFT_HEARTBEAT_REQUEST:
        fprintf(out, " round %llu commit %llu", script_u(message->heartbeat.sequence),
                script_u(message->heartbeat.commit));
        break;
    case RAFT_HEARTBEAT_REPLY:
        fprintf(out, " round %llu durable %llu", script_u(message->heartbeat.sequence),
                script_u(message->heartbeat.commit));
        break;
    case RAFT_TIMEOUT_NOW:
        fprintf(out, " at %llu^%llu", script_u(message->timeout_now.index), script_u(message->timeout_now.entry_term));
        break;
    case RAFT_READ_REPLY:
        fprintf(out, " %s index %llu", lf_status_name(message->read.status), script_u(message->read.index));
        break;
    case RAFT_IMAGE_OFFER:
        fprintf(out, " of %llu^%llu or later, commit %llu", script_u(message->image_offer.index),
                script_u(message->image_offer.entry_term), script_u(message->image_offer.commit));
        break;
    case RAFT_READ_REQUEST:
        break;
    }
}
