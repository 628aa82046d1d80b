/** Entries that a leader makes by itself: its no-op and configurations. */
#include "raft_internal.h"

bool raft_append_own(struct raft *raft, const struct raft_configuration *configuration) {
    struct raft_effects *effects = raft->effects;
    if (effects->has_persist && effects->persist.count > 0)
        return false; /* one stretch of entries a step */
    const struct raft_entry entry = {.bytes = configuration ? RAFT_CONFIGURATION_BYTES_MAX : RAFT_NOOP_BYTES,
                                     .configuration = configuration};
    enum lf_status status = raft_log_reserve(&raft->log, &entry, 1, raft->term, raft->commit);
    if (status == LF_FULL)
        raft_fail(raft, "more term changes or configurations in the log than its bounds");
    if (status != LF_OK)
        return false;
    struct raft_persist *persist = raft_persist(raft);
    raft_log_append(&raft->log, raft->term, entry.bytes, configuration);
    persist->first_index = raft->log.last_index;
    persist->count = 1;
    effects->own_index = raft->log.last_index;
    if (configuration)
        effects->own_configuration = raft_configuration(raft); /* the log's own copy */
    return true;
}
