#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct raft_configuration voters(uint32_t count) {
    struct raft_configuration configuration = {.epoch = 1, .voter_count = count};
    for (uint32_t i = 0; i < count; i++)
        configuration.voters[i] = i + 1;
    return configuration;
}

static void keep_line(void *context, const char *line) {
    struct core *core = context;
    size_t used = strlen(core->trace);
    snprintf(core->trace + used, sizeof core->trace - used, "%s\n", line);
}

void core_start_from(struct core *core, const struct raft_start *start, const struct raft_limits *limits) {
    struct lf_error error = {0};
    *core = (struct core){.limits = limits ? *limits : (struct raft_limits){0}, .now = start->now_ms};
    assert_int_equal(raft_effects_init(&core->effects, &core->limits), LF_OK);
    if (raft_new(start, &core->limits, &core->raft, &error) != LF_OK)
        fail_msg("%s", error.text);
    raft_set_trace(core->raft, keep_line, core);
    raft_check_invariants(core->raft, NULL);
}

void core_start(struct core *core, uint64_t self, uint32_t voter_count, uint64_t term, uint64_t vote,
                const struct log_of *log, const struct raft_limits *limits) {
    struct raft_run runs[64];
    struct raft_configuration_at at = {.index = 0, .configuration = voters(voter_count)};
    struct raft_start start = {.self = self,
                               .seed = self * 7919,
                               .now_ms = 1000,
                               .term = term,
                               .vote = vote,
                               .runs = runs,
                               .configurations = &at,
                               .configuration_count = 1};
    for (; log && log->terms[start.last_index] != 0; start.last_index++)
        if (start.last_index == 0 || log->terms[start.last_index] != log->terms[start.last_index - 1])
            runs[start.run_count++] =
                (struct raft_run){.first_index = start.last_index + 1, .term = log->terms[start.last_index]};
    core_start_from(core, &start, limits);
}

void core_stop(struct core *core) {
    raft_destroy(&core->raft);
    raft_destroy(&core->before);
    raft_effects_deinit(&core->effects);
}

void core_restart(struct core *core, uint32_t voter_count, uint64_t term, uint64_t vote, const struct log_of *log) {
    uint64_t self = raft_self(core->raft);
    struct raft_limits limits = core->limits;
    core_stop(core);
    core_start(core, self, voter_count, term, vote, log, &limits);
}

void core_step(struct core *core, const struct raft_event *event) {
    struct raft_event now = *event;
    now.now_ms = core->now;
    raft_destroy(&core->before);
    core->before = raft_clone(core->raft);
    core->trace[0] = '\0';
    core->status = raft_step(core->raft, &now, &core->effects);
    raft_check_invariants(core->raft, core->before);
}

void core_tick(struct core *core, uint64_t by_ms) {
    core->now += by_ms;
    core_step(core, &(struct raft_event){.type = RAFT_EVENT_TICK});
}

void core_tick_until_role(struct core *core, enum raft_role role) {
    for (int i = 0; i < 60000; i++) {
        core_tick(core, 1);
        if (raft_role(core->raft) == role)
            return;
    }
    fail_msg("not %s within a minute", raft_role_name(role));
}

void core_message(struct core *core, const struct raft_message *message) {
    core_step(core, &(struct raft_event){.type = RAFT_EVENT_MESSAGE, .message = message});
}

void core_wrote(struct core *core, uint64_t token) {
    core_step(core, &(struct raft_event){.type = RAFT_EVENT_WROTE, .wrote = {.token = token, .status = LF_OK}});
}

void core_wrote_failed(struct core *core, uint64_t token) {
    core_step(core, &(struct raft_event){.type = RAFT_EVENT_WROTE, .wrote = {.token = token, .status = LF_IO}});
}

void core_wrote_last(struct core *core) {
    if (core->effects.has_persist)
        core_wrote(core, core->effects.persist.token);
}

enum lf_status core_propose(struct core *core, uint32_t count, uint32_t bytes) {
    struct raft_entry entries[512] = {0};
    assert_true(count <= 512);
    for (uint32_t i = 0; i < count; i++)
        entries[i].bytes = bytes;
    core_step(core, &(struct raft_event){.type = RAFT_EVENT_PROPOSE, .propose = {.entries = entries, .count = count}});
    return core->status;
}

enum lf_status core_change(struct core *core, const struct raft_configuration *target) {
    core_step(core, &(struct raft_event){.type = RAFT_EVENT_CHANGE, .change = target});
    return core->status;
}

enum lf_status core_read(struct core *core, uint64_t id) {
    core_step(core, &(struct raft_event){.type = RAFT_EVENT_READ, .read = {.id = id}});
    return core->status;
}

enum lf_status core_transfer(struct core *core, uint64_t to) {
    core_step(core, &(struct raft_event){.type = RAFT_EVENT_TRANSFER, .transfer = {.to = to}});
    return core->status;
}

static void give_votes(struct core *core, enum raft_role while_role) {
    const struct raft_configuration *configuration = raft_configuration(core->raft);
    uint64_t term = raft_term(core->raft);
    for (uint32_t i = 0; i < configuration->voter_count && raft_role(core->raft) == while_role; i++) {
        uint64_t voter = configuration->voters[i];
        if (voter == raft_self(core->raft))
            continue;
        struct raft_message reply = while_role == RAFT_PRE_CANDIDATE ? pre_vote_reply(core, voter, term, term + 1, true)
                                                                     : vote_reply(core, voter, term, true);
        core_message(core, &reply);
    }
}

uint64_t core_lead(struct core *core, bool durable) {
    core_tick_until_role(core, raft_configuration(core->raft)->voter_count > 1 ? RAFT_PRE_CANDIDATE : RAFT_CANDIDATE);
    give_votes(core, RAFT_PRE_CANDIDATE);
    assert_int_equal(raft_role(core->raft), RAFT_CANDIDATE);
    core_wrote_last(core);
    give_votes(core, RAFT_CANDIDATE);
    assert_int_equal(raft_role(core->raft), RAFT_LEADER);
    uint64_t noop = core->effects.own_index;
    assert_int_not_equal(noop, 0);
    assert_int_equal(core->effects.persist.first_index, noop);
    if (durable)
        core_wrote_last(core);
    return noop;
}

const struct raft_message *core_sent_nth(const struct core *core, enum raft_message_type type, uint64_t to, size_t n) {
    for (size_t i = 0; i < core->effects.message_count; i++) {
        const struct raft_message *message = &core->effects.messages[i];
        if (message->type == type && (to == 0 || message->to == to) && n-- == 0)
            return message;
    }
    return NULL;
}

const struct raft_message *core_sent(const struct core *core, enum raft_message_type type, uint64_t to) {
    return core_sent_nth(core, type, to, 0);
}

size_t core_sent_count(const struct core *core, enum raft_message_type type) {
    size_t count = 0;
    while (core_sent_nth(core, type, 0, count))
        count++;
    return count;
}

struct raft_peer_view core_peer(const struct core *core, uint64_t replica) {
    struct raft_peer_view peers[RAFT_VOTERS_MAX];
    size_t count = raft_peers(core->raft, peers, RAFT_VOTERS_MAX);
    for (size_t i = 0; i < count; i++)
        if (peers[i].replica == replica)
            return peers[i];
    fail_msg("no peer %llu", (unsigned long long)replica);
    return (struct raft_peer_view){0};
}

static struct raft_message from(const struct core *core, enum raft_message_type type, uint64_t sender, uint64_t term) {
    return (struct raft_message){.type = type, .from = sender, .to = raft_self(core->raft), .term = term};
}

struct raft_message vote_request(const struct core *core, uint64_t sender, uint64_t term, uint64_t last_index,
                                 uint64_t last_term) {
    struct raft_message message = from(core, RAFT_VOTE_REQUEST, sender, term);
    message.vote_request.last_index = last_index;
    message.vote_request.last_term = last_term;
    return message;
}

struct raft_message pre_vote_request(const struct core *core, uint64_t sender, uint64_t term, uint64_t last_index,
                                     uint64_t last_term) {
    struct raft_message message = vote_request(core, sender, term, last_index, last_term);
    message.type = RAFT_PRE_VOTE_REQUEST;
    return message;
}

struct raft_message vote_reply(const struct core *core, uint64_t sender, uint64_t term, bool granted) {
    struct raft_message message = from(core, RAFT_VOTE_REPLY, sender, term);
    message.vote_reply.granted = granted;
    message.vote_reply.campaign_term = term;
    return message;
}

struct raft_message pre_vote_reply(const struct core *core, uint64_t sender, uint64_t term, uint64_t campaign_term,
                                   bool granted) {
    struct raft_message message = from(core, RAFT_PRE_VOTE_REPLY, sender, term);
    message.vote_reply.granted = granted;
    message.vote_reply.campaign_term = campaign_term;
    return message;
}

struct raft_message append(const struct core *core, uint64_t sender, uint64_t term, uint64_t prev_index,
                           uint64_t prev_term, const struct raft_entry *entries, uint32_t count, uint64_t commit) {
    static uint64_t sequence; /* a test's peers number all their appends */
    struct raft_message message = from(core, RAFT_APPEND_REQUEST, sender, term);
    message.append_request.prev_index = prev_index;
    message.append_request.prev_term = prev_term;
    message.append_request.entries = entries;
    message.append_request.count = count;
    message.append_request.commit = commit;
    message.append_request.sequence = ++sequence;
    return message;
}

struct raft_message append_ok(const struct core *core, uint64_t sender, uint64_t sequence, uint64_t durable,
                              uint64_t received) {
    struct raft_message message = from(core, RAFT_APPEND_REPLY, sender, raft_term(core->raft));
    message.append_reply.accepted = true;
    message.append_reply.sequence = sequence;
    message.append_reply.durable = durable;
    message.append_reply.received = received;
    message.append_reply.last_index = received;
    return message;
}

struct raft_message append_refused(const struct core *core, uint64_t sender, uint64_t sequence, uint64_t prev_index,
                                   uint64_t last_index, uint64_t hint_index, uint64_t hint_term) {
    struct raft_message message = from(core, RAFT_APPEND_REPLY, sender, raft_term(core->raft));
    message.append_reply.sequence = sequence;
    message.append_reply.prev_index = prev_index;
    message.append_reply.last_index = last_index;
    message.append_reply.hint_index = hint_index;
    message.append_reply.hint_term = hint_term;
    return message;
}

struct raft_message heartbeat(const struct core *core, uint64_t sender, uint64_t term, uint64_t commit,
                              uint64_t sequence) {
    struct raft_message message = from(core, RAFT_HEARTBEAT_REQUEST, sender, term);
    message.heartbeat.commit = commit;
    message.heartbeat.sequence = sequence;
    return message;
}

struct raft_message heartbeat_ok(const struct core *core, uint64_t sender, uint64_t sequence, uint64_t durable) {
    struct raft_message message = heartbeat(core, sender, raft_term(core->raft), durable, sequence);
    message.type = RAFT_HEARTBEAT_REPLY;
    return message;
}
