/** What has to be so, whatever the trace says: --rewrite does not touch it. */
#include "script.h"

#include <stdlib.h>
#include <string.h>

static void demand(struct script *script, const char *what, uint64_t wanted, uint64_t is) {
    if (wanted != is)
        script_failed(script, "%s is %llu, not %llu", what, script_u(is), script_u(wanted));
}

static void expect_number(struct script *script, const char *what, uint64_t is) {
    demand(script, what, script_number(script, what), is);
}

static const char *role_of(const struct sim_host *host) {
    return host->raft ? raft_role_name(raft_role(host->raft)) : "down";
}

static bool is_role(const char *word) {
    static const char *const roles[] = {"down", "follower", "pre-candidate", "candidate", "leader"};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(roles[i], word) == 0)
            return true;
    return false;
}

static void expect_log(struct script *script, const struct sim_log *log, const char *what) {
    size_t at = 0;
    const char *words = script_peek(script);
    struct sim_log wanted = {0};
    if (script_take(script, "empty")) {
        demand(script, what, 0, log->count);
        return;
    }
    if (script_runs(script, &wanted) == 0)
        script_bad(script, "a log is runs of entries as TERMxCOUNT, such as 1x3 2x1, or 'empty'");
    for (; at < wanted.count && at < log->count; at++)
        if (wanted.entries[at].term != log->entries[at].term)
            break;
    bool same = at == wanted.count && at == log->count;
    size_t count = wanted.count;
    uint64_t term = at < log->count ? log->entries[at].term : 0;
    free(wanted.entries);
    if (!same)
        script_failed(script, "%s is not %s ...: %zu entries, not %zu; the first that differs is %zu^%llu", what, words,
                      log->count, count, at + 1, script_u(term));
}

static void expect_disk(struct script *script, const struct sim_host *host) {
    if (script_take(script, "term"))
        expect_number(script, "the term on its disk", host->disk.term);
    else if (script_take(script, "vote"))
        expect_number(script, "the vote on its disk", host->disk.vote);
    else if (script_take(script, "begins"))
        expect_number(script, "the index after which the log on its disk begins", host->disk.log.previous);
    else if (script_take(script, "log"))
        expect_log(script, &host->disk.log, "the log on its disk");
    else
        script_bad(script, "of a disk: term, vote, begins or log");
}

static void expect_peer(struct script *script, const struct sim_host *host) {
    struct raft_peer_view peers[64];
    size_t count = raft_peers(host->raft, peers, sizeof peers / sizeof peers[0]);
    uint64_t id = script_number(script, "a peer");
    const struct raft_peer_view *peer = NULL;
    for (size_t i = 0; i < count; i++)
        if (peers[i].replica == id)
            peer = &peers[i];
    if (!peer)
        script_failed(script, "node %llu has no peer %llu", script_u(host->id), script_u(id));
    while (script_peek(script)) {
        if (script_take(script, "match"))
            expect_number(script, "its match", peer->match);
        else if (script_take(script, "next"))
            expect_number(script, "its next", peer->next);
        else if (script_take(script, "inflight"))
            expect_number(script, "its inflight", peer->inflight);
        else if (script_take(script, "replicating"))
            demand(script, "whether it replicates", 1, peer->replicating);
        else if (script_take(script, "probing"))
            demand(script, "whether it probes", 1, !peer->replicating && !peer->needs_image);
        else if (script_take(script, "needs-image"))
            demand(script, "whether it needs an image", 1, peer->needs_image);
        else
            return;
    }
}

/** One fact of a node. */
static void expect_fact(struct script *script, struct sim_host *host) {
    const char *fact = script_word(script, "a role or a fact");
    if (is_role(fact)) {
        if (strcmp(role_of(host), fact) != 0)
            script_failed(script, "node %llu is %s, not %s", script_u(host->id), role_of(host), fact);
        return;
    }
    if (strcmp(fact, "disk") == 0) {
        expect_disk(script, host);
        return;
    }
    if (!host->raft)
        script_failed(script, "node %llu is down", script_u(host->id));
    if (strcmp(fact, "term") == 0)
        expect_number(script, "its term", raft_term(host->raft));
    else if (strcmp(fact, "vote") == 0)
        expect_number(script, "its vote", raft_vote(host->raft));
    else if (strcmp(fact, "commit") == 0)
        expect_number(script, "its commit", raft_commit(host->raft));
    else if (strcmp(fact, "last") == 0)
        expect_number(script, "its log end", raft_last_index(host->raft));
    else if (strcmp(fact, "begins") == 0)
        expect_number(script, "the index after which its log begins", raft_previous_index(host->raft));
    else if (strcmp(fact, "durable") == 0)
        expect_number(script, "its durable log end", raft_durable_index(host->raft));
    else if (strcmp(fact, "follows") == 0)
        expect_number(script, "its leader", raft_leader(host->raft));
    else if (strcmp(fact, "uncommitted") == 0)
        expect_number(script, "its uncommitted bytes", raft_uncommitted_bytes(host->raft));
    else if (strcmp(fact, "log") == 0)
        expect_log(script, &host->log, "its log");
    else if (strcmp(fact, "members") == 0)
        script_expect_members(script, host);
    else if (strcmp(fact, "peer") == 0)
        expect_peer(script, host);
    else if (strcmp(fact, "told") == 0) {
        const char *wanted = script_word(script, "a status"), *is = lf_status_name(script_host(host)->told);
        if (strcmp(wanted, is) != 0)
            script_failed(script, "node %llu answered %s, not %s", script_u(host->id), is, wanted);
    } else
        script_bad(script,
                   "no fact '%s': there are a role (follower, pre-candidate, candidate, leader, down), term, vote, "
                   "commit, begins, last, durable, follows, uncommitted, log, members, peer, told and disk",
                   fact);
}

static void expect_read(struct script *script) {
    uint64_t number = script_number(script, "a read");
    if (number < 1 || number > script->read_count)
        script_bad(script, "no read %llu: %zu were asked", script_u(number), script->read_count);
    const struct script_read *read = &script->reads[number - 1];
    if (script_take(script, "waits"))
        demand(script, "the state of the read", SCRIPT_READ_WAITS, read->state);
    else if (script_take(script, "failed"))
        demand(script, "the state of the read", SCRIPT_READ_FAILED, read->state);
    else if (script_take(script, "index")) {
        demand(script, "the state of the read", SCRIPT_READ_ANSWERED, read->state);
        expect_number(script, "its index", read->index);
    } else
        script_bad(script, "of a read: waits, failed or index N");
}

/** Somebody leads whose own-term entry is committed, so that clients are served. */
static void expect_leader(struct script *script) {
    const struct sim_host *leader = sim_leader(&script->world);
    if (!leader || !raft_leads_fully(leader->raft))
        script_failed(script, "nobody leads and takes proposals");
}

void script_expect(struct script *script) {
    if (script_take(script, "leader")) {
        expect_leader(script);
        return;
    }
    if (script_take(script, "read")) {
        expect_read(script);
        return;
    }
    if (script_next_is_number(script)) {
        struct sim_host *host = script_node(script);
        do
            expect_fact(script, host);
        while (script_peek(script));
        return;
    }
    bool none = script_take(script, "no");
    if (!script_peek(script))
        script_bad(script, "expect what? A node and its facts, a message (1->2 append), 'read N ...' or 'leader'");
    size_t count = script_count_messages(script);
    if (none && count > 0)
        script_failed(script, "there is such a message in flight");
    if (!none && count == 0)
        script_failed(script, "no such message in flight");
}
