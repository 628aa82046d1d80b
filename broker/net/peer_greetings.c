#include "peer_greetings.h"

#include "lf_check.h"

#include <stdio.h>
#include <stdlib.h>

_Static_assert((int)PEER_REFUSAL_MAJORITY == (int)LF__PEER_REFUSAL__PEER_REFUSAL_MAJORITY, "the same numbers");

#define PORT_MAX 65535u

static char *text(const char *borrowed) { return (char *)(uintptr_t)borrowed; } /* protobuf-c knows no const */

static void form_member(Lf__PeerMember *wire, const struct peer_member *member) {
    lf__peer_member__init(wire);
    wire->node_id = member->node_id;
    wire->replica_id = member->replica_id;
    wire->host = text(member->host);
    wire->client_port = member->client_port;
    wire->peer_port = member->peer_port;
    if (member->pinned)
        wire->store_uuid =
            (ProtobufCBinaryData){.len = LOG_STORE_ID_BYTES, .data = (uint8_t *)(uintptr_t)member->store_uuid};
}

void greeting_form_form(struct greeting_form *form, const struct peer_greeting *greeting) {
    lf_check(greeting->member_count <= PEER_MEMBERS_MAX);
    lf_check(greeting->voter_count <= RAFT_VOTERS_MAX);
    lf__peer_greeting__init(&form->wire);
    form_member(&form->self, &greeting->self);
    form->wire.cluster_name = text(greeting->cluster_name);
    form->wire.self = &form->self;
    form->wire.metadata_index = greeting->metadata_index;
    form->wire.joining = greeting->joining;
    form->wire.replaces = greeting->replaces;
    form->wire.words = text(greeting->words);
    form->wire.refusal = (Lf__PeerRefusal)greeting->refusal;
    form->wire.from_controller = greeting->from_controller;
    form->wire.replica_id = greeting->replica_id;
    form->wire.n_voters = greeting->voter_count;
    form->wire.voters = (uint64_t *)(uintptr_t)greeting->voters;
    for (uint32_t i = 0; i < greeting->member_count; i++) {
        form_member(&form->members[i], &greeting->members[i]);
        form->pointers[i] = &form->members[i];
    }
    form->wire.n_members = greeting->member_count;
    form->wire.members = form->pointers;
}

bool report_forms_form(struct report_forms *forms, const struct peer_envelope *envelope) {
    lf_check(envelope->report_count <= PEER_REPORTS_MAX);
    if (envelope->report_count == 0)
        return true;
    forms->reports = malloc(envelope->report_count * sizeof *forms->reports);
    forms->pointers = malloc(envelope->report_count * sizeof(Lf__PeerReport *));
    if (!forms->reports || !forms->pointers)
        return false;
    for (size_t i = 0; i < envelope->report_count; i++) {
        const struct peer_report *report = &envelope->reports[i];
        Lf__PeerReport *wire = forms->pointers[i] = &forms->reports[i];
        lf__peer_report__init(wire);
        wire->group = report->group;
        if (report->kind == PEER_REPORT_DESTROYED) {
            wire->body_case = LF__PEER_REPORT__BODY_DESTROYED_REPLICA;
            wire->destroyed_replica = report->value;
        } else if (report->kind == PEER_REPORT_LOG_START) {
            wire->body_case = LF__PEER_REPORT__BODY_LOG_START;
            wire->log_start = report->value;
        } else {
            wire->body_case = LF__PEER_REPORT__BODY_REACHED_EPOCH;
            wire->reached_epoch = report->value;
        }
    }
    forms->count = envelope->report_count;
    return true;
}

void report_forms_deinit(struct report_forms *forms) {
    free(forms->reports);
    free(forms->pointers);
}

static bool take_member(const Lf__PeerMember *wire, struct peer_member *member) {
    size_t host = strlen(wire->host);
    if (wire->node_id == 0 || host == 0 || host >= PEER_HOST_BYTES_MAX || wire->client_port > PORT_MAX ||
        wire->peer_port == 0 || wire->peer_port > PORT_MAX || wire->replica_id >= PEER_CODEC_NUMBER_LIMIT ||
        (wire->store_uuid.len != 0 && wire->store_uuid.len != LOG_STORE_ID_BYTES))
        return false;
    *member = (struct peer_member){.node_id = wire->node_id,
                                   .replica_id = wire->replica_id,
                                   .client_port = wire->client_port,
                                   .peer_port = wire->peer_port};
    memcpy(member->host, wire->host, host);
    member->pinned = wire->store_uuid.len != 0;
    if (member->pinned)
        memcpy(member->store_uuid, wire->store_uuid.data, LOG_STORE_ID_BYTES);
    return true;
}

static bool take_membership(const Lf__PeerGreeting *wire, struct peer_greeting *greeting) {
    if (wire->n_members > PEER_MEMBERS_MAX || wire->n_voters > RAFT_VOTERS_MAX ||
        wire->replica_id >= PEER_CODEC_NUMBER_LIMIT)
        return false;
    for (size_t i = 0; i < wire->n_members; i++)
        if (!take_member(wire->members[i], &greeting->members[i]))
            return false;
    for (size_t i = 0; i < wire->n_voters; i++) {
        greeting->voters[i] = wire->voters[i];
        if (wire->voters[i] == 0 || wire->voters[i] >= PEER_CODEC_NUMBER_LIMIT)
            return false;
        for (size_t k = 0; k < i; k++)
            if (wire->voters[k] == wire->voters[i])
                return false;
    }
    greeting->member_count = (uint32_t)wire->n_members;
    greeting->voter_count = (uint32_t)wire->n_voters;
    greeting->replica_id = wire->replica_id;
    return true;
}

enum lf_status peer_greeting_take(const Lf__PeerGreeting *wire, struct peer_envelope *envelope,
                                  struct lf_error *error) {
    size_t name = strlen(wire->cluster_name);
    struct peer_greeting *greeting = envelope->greeting = calloc(1, sizeof *greeting);
    if (!greeting)
        return lf_error_set(error, LF_NO_MEMORY, "peer message: no memory for a greeting");
    if (name >= PEER_NAME_BYTES_MAX || !wire->self || !take_member(wire->self, &greeting->self) ||
        !take_membership(wire, greeting) || wire->metadata_index >= PEER_CODEC_NUMBER_LIMIT)
        return lf_error_set(error, LF_MALFORMED, "peer message: a greeting's name, address or members");
    if (greeting->self.node_id != envelope->from_node)
        return lf_error_set(error, LF_MALFORMED, "peer message: a greeting in another node's name");
    memcpy(greeting->cluster_name, wire->cluster_name, name);
    greeting->metadata_index = wire->metadata_index;
    greeting->joining = wire->joining;
    greeting->replaces = wire->replaces;
    snprintf(greeting->words, sizeof greeting->words, "%s", wire->words);
    greeting->from_controller = wire->from_controller;
    greeting->refusal =
        (unsigned)wire->refusal <= PEER_REFUSAL_MAJORITY ? (enum peer_refusal)wire->refusal : PEER_REFUSAL_NOT_ADDED;
    return LF_OK;
}

/** False: a kind that a newer version knows. */
static bool take_report(const Lf__PeerReport *wire, struct peer_report *report) {
    switch (wire->body_case) {
    case LF__PEER_REPORT__BODY_REACHED_EPOCH:
        *report = (struct peer_report){wire->group, PEER_REPORT_REACHED, wire->reached_epoch};
        return true;
    case LF__PEER_REPORT__BODY_DESTROYED_REPLICA:
        *report = (struct peer_report){wire->group, PEER_REPORT_DESTROYED, wire->destroyed_replica};
        return true;
    case LF__PEER_REPORT__BODY_LOG_START:
        *report = (struct peer_report){wire->group, PEER_REPORT_LOG_START, wire->log_start};
        return true;
    default:
        return false;
    }
}

enum lf_status peer_reports_take(const Lf__PeerEnvelope *wire, struct peer_envelope *envelope, struct lf_error *error) {
    if (wire->n_reports > PEER_REPORTS_MAX)
        return lf_error_set(error, LF_TOO_LARGE, "peer message: %zu reports", wire->n_reports);
    for (size_t i = 0; i < wire->n_reports; i++) {
        const Lf__PeerReport *from = wire->reports[i];
        struct peer_report report;
        if (!take_report(from, &report))
            continue;
        if (peer_envelope_add_report(envelope, &report) != LF_OK)
            return lf_error_set(error, LF_NO_MEMORY, "peer message: no memory for a report");
    }
    return LF_OK;
}
