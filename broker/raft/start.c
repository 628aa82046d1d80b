#include "raft_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static enum lf_status refuse(struct lf_error *error, enum lf_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum lf_status refuse(struct lf_error *error, enum lf_status status, const char *format, ...) {
    if (error) {
        va_list args;
        va_start(args, format);
        error->code = status;
        vsnprintf(error->text, sizeof error->text, format, args);
        va_end(args);
    }
    return status;
}

static enum lf_status check_runs(const struct raft_start *start, struct lf_error *error) {
    uint64_t expected = start->previous_index + 1, term = start->previous_term;
    if (start->last_index < start->previous_index)
        return refuse(error, LF_INVALID, "log end %llu before its beginning %llu", raft_u(start->last_index),
                      raft_u(start->previous_index));
    if ((start->run_count == 0) != (start->last_index == start->previous_index))
        return refuse(error, LF_INVALID, "%zu runs of terms for entries up to %llu", start->run_count,
                      raft_u(start->last_index));
    for (size_t i = 0; i < start->run_count; i++) {
        const struct raft_run *run = &start->runs[i];
        bool first_fits = i == 0 ? run->first_index == expected : run->first_index >= expected;
        bool term_fits = run->term > 0 && (i == 0 ? run->term >= term : run->term > term);
        if (!first_fits || !term_fits || run->first_index > start->last_index)
            return refuse(error, LF_INVALID, "run %zu of terms (%llu^%llu) does not follow the one before", i,
                          raft_u(run->first_index), raft_u(run->term));
        expected = run->first_index + 1;
        term = run->term;
    }
    if (term > start->term)
        return refuse(error, LF_INVALID, "entries of term %llu above the durable term %llu", raft_u(term),
                      raft_u(start->term));
    return LF_OK;
}

static enum lf_status check_configurations(const struct raft_start *start, struct lf_error *error) {
    if (start->configuration_count == 0)
        return refuse(error, LF_INVALID, "no configuration");
    for (size_t i = 0; i < start->configuration_count; i++) {
        const struct raft_configuration_at *at = &start->configurations[i];
        if (!raft_configuration_is_valid(&at->configuration))
            return refuse(error, LF_INVALID, "configuration of entry %llu names 0, one twice, none or too many members",
                          raft_u(at->index));
        if (at->index > start->last_index || (i > 0 && at->index <= start->configurations[i - 1].index))
            return refuse(error, LF_INVALID, "configuration of entry %llu is out of order", raft_u(at->index));
    }
    return LF_OK;
}

static enum lf_status check_start(const struct raft_start *start, const struct raft_limits *limits,
                                  struct lf_error *error) {
    if (start->self == 0)
        return refuse(error, LF_INVALID, "replica id 0");
    if (!raft_limits_are_valid(limits))
        return refuse(error, LF_INVALID, "limits: heartbeat below election timeout, timeout from min to max, bounds");
    if (start->commit > start->last_index)
        return refuse(error, LF_INVALID, "commit %llu beyond the log end %llu", raft_u(start->commit),
                      raft_u(start->last_index));
    if (start->run_count > limits->log_runs_max || start->configuration_count > RAFT_CONFIGURATIONS_MAX)
        return refuse(error, LF_INVALID, "more term changes or configurations than the bound");
    enum lf_status status = check_runs(start, error);
    return status == LF_OK ? check_configurations(start, error) : status;
}

enum lf_status raft_new(const struct raft_start *start, const struct raft_limits *limits, struct raft **where,
                        struct lf_error *error) {
    struct raft_limits full = raft_limits_with_defaults(limits);
    *where = NULL;
    enum lf_status status = check_start(start, &full, error);
    if (status != LF_OK)
        return status;
    struct raft *raft = calloc(1, sizeof *raft);
    if (!raft)
        return refuse(error, LF_NO_MEMORY, "no memory for a group");
    raft->self = start->self;
    raft->random = start->seed ^ start->self * 0x9e3779b97f4a7c15u;
    raft->limits = full;
    raft->vote_disabled = start->vote_disabled;
    raft->term = start->term;
    raft->vote = start->vote;
    raft->commit = start->commit > start->previous_index ? start->commit : start->previous_index; /* B13 */
    raft->now_ms = start->now_ms;
    raft->next_question = raft_random(raft);
    raft->preferred = (struct raft_preference){.ready_ms = UINT64_MAX, .tried_ms = UINT64_MAX};
    raft->writes.next_token = 1;
    raft->writes.durable_index = start->last_index;
    raft->writes.durable_term = start->term;
    raft->writes.durable_vote = start->vote;
    status = raft_log_init(&raft->log, start, &full);
    if (status != LF_OK) {
        raft_destroy(&raft);
        return refuse(error, status, "no memory for a log of %zu terms", start->run_count);
    }
    raft_log_committed(&raft->log, raft->commit);
    raft->peers_configuration = raft_log_configuration(&raft->log)->index;
    raft_reset_election_timer(raft);
    *where = raft;
    return LF_OK;
}

void raft_destroy(struct raft **where) {
    struct raft *raft = *where;
    *where = NULL;
    if (!raft)
        return;
    raft_log_deinit(&raft->log);
    free(raft->reads);
    free(raft);
}
