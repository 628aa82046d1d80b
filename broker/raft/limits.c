#include "raft_internal.h"

static uint32_t or_default(uint32_t value, uint32_t standard) { return value != 0 ? value : standard; }

struct raft_limits raft_limits_with_defaults(const struct raft_limits *limits) {
    struct raft_limits given = limits ? *limits : (struct raft_limits){0};
    return (struct raft_limits){
        .election_timeout_ms_min = or_default(given.election_timeout_ms_min, 150),
        .election_timeout_ms_max = or_default(given.election_timeout_ms_max, 300),
        .heartbeat_ms = or_default(given.heartbeat_ms, 50),
        .inflight_messages_max = or_default(given.inflight_messages_max, 64),
        .inflight_bytes_max = or_default(given.inflight_bytes_max, 8u << 20),
        .pipeline_messages = or_default(given.pipeline_messages, 4),
        .append_entries_max = or_default(given.append_entries_max, 256),
        .append_bytes_max = or_default(given.append_bytes_max, 1u << 20),
        .uncommitted_bytes_max = or_default(given.uncommitted_bytes_max, 16u << 20),
        .reads_max = or_default(given.reads_max, 1024),
        .sized_entries_max = or_default(given.sized_entries_max, 65536),
        .unsized_entries_max = or_default(given.unsized_entries_max, 16),
        .log_runs_max = or_default(given.log_runs_max, 65536),
        .disk_stall_ms = or_default(given.disk_stall_ms, 1000),
        .prefer_after_ms = or_default(given.prefer_after_ms, 5000),
    };
}

bool raft_limits_are_valid(const struct raft_limits *limits) {
    return limits->election_timeout_ms_min <= limits->election_timeout_ms_max &&
           limits->heartbeat_ms < limits->election_timeout_ms_min && limits->inflight_messages_max <= 65536 &&
           limits->reads_max <= 1u << 20 && limits->sized_entries_max <= 1u << 24 && limits->log_runs_max <= 1u << 24;
}
