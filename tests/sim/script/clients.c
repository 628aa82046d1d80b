#include "script.h"

void script_told(struct script *script, struct sim_host *host, const char *what, enum lf_status status) {
    script_host(host)->told = status;
    if (status != LF_OK)
        script_say(script, false, "node=%llu answers %s: %s", script_u(host->id), what, lf_status_name(status));
}

void script_propose(struct script *script) {
    struct sim_host *host = script_node_up(script);
    struct sim_entry entries[256];
    struct raft_entry wanted[256] = {0};
    uint64_t count = script_next_is_number(script) ? script_number(script, "how many") : 1;
    uint64_t bytes = script_take(script, "bytes") ? script_number(script, "bytes") : 100;
    if (count < 1 || count > 256)
        script_bad(script, "%llu entries: 1 ... 256 at once", script_u(count));
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0 && script_next_is_number(script)) /* else as large as the one before */
            bytes = script_number(script, "bytes");
        entries[i] = (struct sim_entry){.value = script->world.next_value++, .bytes = (uint32_t)bytes};
        wanted[i].bytes = (uint32_t)bytes;
    }
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE, .propose = {.entries = wanted, .count = (uint32_t)count}};
    script_told(script, host, "the proposal", sim_host_step(host, &event, entries));
}

/** Every read is answered at most once, by the process that asked, and with an index not below any commit that existed
 *  when it began. */
void sim_reads_answered(struct sim_host *host, const struct raft_effects *effects) {
    struct script *script = script_of(host->world);
    for (size_t i = 0; i < effects->read_count; i++) {
        const struct raft_read_answer *answer = &effects->reads[i];
        struct script_read *read = &script->reads[answer->id - 1];
        if (answer->id == 0 || answer->id > script->read_count || read->host != host->id ||
            read->state != SCRIPT_READ_WAITS)
            script_failed(script, "node %llu answers read %llu, which it was not asked", script_u(host->id),
                          script_u(answer->id));
        read->state = answer->status == LF_OK ? SCRIPT_READ_ANSWERED : SCRIPT_READ_FAILED;
        read->index = answer->index;
        script_say(script, false, "node=%llu read %llu: %s index %llu", script_u(host->id), script_u(answer->id),
                   lf_status_name(answer->status), script_u(answer->index));
        if (answer->status == LF_OK && answer->index < read->floor)
            script_failed(script, "read %llu began when %llu was committed and got index %llu", script_u(answer->id),
                          script_u(read->floor), script_u(answer->index));
    }
}

void sim_reads_abandoned(struct sim_host *host) {
    struct script *script = script_of(host->world);
    for (size_t i = 0; i < script->read_count; i++)
        if (script->reads[i].host == host->id && script->reads[i].state == SCRIPT_READ_WAITS)
            script->reads[i].state = SCRIPT_READ_FAILED;
}

/** Acknowledgements are the commits that the checks look at. */
void sim_proposals_settle(struct sim_host *host) { (void)host; }

void script_read(struct script *script) {
    struct sim_host *host = script_node_up(script);
    if (script->read_count == SCRIPT_READS_MAX)
        script_bad(script, "more than %d reads", SCRIPT_READS_MAX);
    struct script_read *read = &script->reads[script->read_count++];
    *read = (struct script_read){.host = host->id, .floor = script->world.committed};
    struct raft_event event = {.type = RAFT_EVENT_READ, .read = {.id = script->read_count}};
    script_say(script, true, "node=%llu read %zu begins", script_u(host->id), script->read_count);
    enum lf_status status = sim_host_step(host, &event, NULL);
    if (status != LF_OK)
        read->state = SCRIPT_READ_FAILED;
    script_told(script, host, "the read", status);
}

void script_transfer(struct script *script) {
    struct sim_host *host = script_node_up(script);
    struct raft_event event = {.type = RAFT_EVENT_TRANSFER};
    if (script_take(script, "to"))
        event.transfer.to = script_number(script, "a node");
    script_told(script, host, "the transfer", sim_host_step(host, &event, NULL));
}
