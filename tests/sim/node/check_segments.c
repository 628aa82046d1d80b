/** Segments as the logs have them: SG. What is sealed is what the entries say, equal on all replicas; what goes lies
 *  below the log start; an image is of what is committed. The checkers keep all entries themselves. */
#include "check.h"

#include "lf_crc32c.h"
#include "lf_entry.h"
#include "partition.h"

typedef unsigned long long ull;

/** What the descriptor of these entries of the replica's log is. */
static struct log_segment true_descriptor(struct sim_host *host, const struct sim_log *log, uint64_t first,
                                          uint64_t last) {
    struct sim_group *group = log->of;
    struct log_segment segment = {.first_index = first, .last_index = last, .max_timestamp_ms = -1};
    for (uint64_t index = first > 1 ? first - 1 : first; index <= last; index++) {
        const struct sim_known *known = sim_known_entry(sim_group_index(group, index), log->entries[index - 1].term);
        if (!known)
            sim_fail(host->world, "node %u group %llu seals an entry that nobody wrote, %llu", host->id,
                     (ull)log->group, (ull)index);
        uint64_t bytes = LF_ENTRY_HEADER_BYTES + (uint64_t)lf_get_le32(known->header + 8);
        uint64_t log_time_ms = lf_get_le64(known->header + 32), end_offset = lf_get_le64(known->header + 40);
        segment.end_offset = end_offset;
        if (index < first) {
            segment.base_offset = end_offset;
            continue;
        }
        if (index == first)
            segment.first_log_time_ms = log_time_ms;
        segment.last_log_time_ms = log_time_ms;
        segment.last_term = known->term;
        segment.entry_count++;
        segment.bytes += bytes;
        if (known->header[5] != LF_ENTRY_BATCH)
            segment.command_bytes += bytes;
        else if (known->max_timestamp_ms > segment.max_timestamp_ms)
            segment.max_timestamp_ms = known->max_timestamp_ms;
        segment.checksum = lf_crc32c((uint32_t)segment.checksum, known->header, sizeof known->header);
    }
    return segment;
}

/** The first that anybody had with these borders, as often rewritten; all later ones are equal to it. */
static void check_equal(struct sim_host *host, struct sim_group *group, const struct log_segment *segment) {
    for (size_t i = 0; i < group->segment_count; i++) {
        const struct log_segment *known = &group->segments[i];
        bool same_seal = known->rewrites == 0 && segment->rewrites == 0 && known->first_index == segment->first_index;
        bool same_rewrite = known->rewrites == segment->rewrites && known->first_index == segment->first_index &&
                            known->last_index == segment->last_index;
        if (!same_seal && !same_rewrite)
            continue;
        if (!log_segment_equal(known, segment))
            sim_fail(host->world,
                     "SG: node %u group %llu has a segment %llu-%llu (rewritten %llu times, %llu entries), another "
                     "replica %llu-%llu (%llu entries)",
                     host->id, (ull)group->id, (ull)segment->first_index, (ull)segment->last_index,
                     (ull)segment->rewrites, (ull)segment->entry_count, (ull)known->first_index, (ull)known->last_index,
                     (ull)known->entry_count);
        return;
    }
    group->segments =
        sim_grown(group->segments, &group->segment_capacity, group->segment_count + 1, sizeof *group->segments);
    group->segments[group->segment_count++] = *segment;
}

static void check_seal(struct sim_host *host, const struct sim_log *log, const struct log_segment *seal) {
    struct sim_world *world = host->world;
    if (seal->first_index == 0 || seal->last_index > log->last)
        sim_fail(world, "SG: node %u group %llu seals %llu-%llu of a log that ends at %zu", host->id, (ull)log->group,
                 (ull)seal->first_index, (ull)seal->last_index, log->last);
    const struct raft *raft = node_group_raft(host->node, log->group);
    if (!raft || seal->last_index > raft_commit(raft))
        sim_fail(world, "SG: node %u group %llu seals up to %llu, which is not committed", host->id, (ull)log->group,
                 (ull)seal->last_index);
    struct log_segment wanted = true_descriptor(host, log, seal->first_index, seal->last_index);
    if (!log_segment_equal(seal, &wanted))
        sim_fail(world, "SG: node %u group %llu seals %llu-%llu with a descriptor that is not its entries'", host->id,
                 (ull)log->group, (ull)seal->first_index, (ull)seal->last_index);
    check_equal(host, log->of, seal);
}

/** Nothing goes that a reader might still ask for. */
static void check_drop(struct sim_host *host, const struct sim_log *log, uint64_t drop_before) {
    struct sim_world *world = host->world;
    const struct partition *partition = node_group_partition(host->node, log->group);
    if (drop_before < 2 || drop_before > log->last + 1 || !partition)
        sim_fail(world, "SG: node %u group %llu drops what is before %llu of a log that ends at %zu", host->id,
                 (ull)log->group, (ull)drop_before, log->last);
    const struct sim_known *known =
        sim_known_entry(sim_group_index(log->of, drop_before - 1), log->entries[drop_before - 2].term);
    int64_t start = partition_log_start_offset(partition);
    if (!known || lf_get_le64(known->header + 40) > (uint64_t)start)
        sim_fail(world, "SG: node %u group %llu drops what is before entry %llu, its log starts at offset %lld",
                 host->id, (ull)log->group, (ull)drop_before, (long long)start);
}

/** D11: the image is of something committed; D6: never of something older than what was applied. */
uint64_t sim_check_install(struct sim_host *host, struct sim_log *log, const struct log_store_write *write,
                           uint64_t number) {
    struct sim_world *world = host->world;
    struct sim_group *group = log->of;
    uint64_t base = write->install_index, end = base + write->entry_count, same = 0;
    if (!group->condemned && (base > group->committed || group->indexes[base - 1].term != write->install_term))
        sim_fail(world, "SG: node %u group %llu installs an image of %llu^%llu, which is not committed", host->id,
                 (ull)log->group, (ull)base, (ull)write->install_term);
    if (!group->condemned && (end <= log->applied || end > group->committed))
        sim_fail(world, "SG: node %u group %llu installs an image of %llu, applied %llu", host->id, (ull)log->group,
                 (ull)end, (ull)log->applied);
    while (same < end && same < log->last && log->entries[same].term == sim_group_index(group, same + 1)->term)
        same++;
    uint64_t durable = log->durable < same ? log->durable : same;
    log->kept = same;
    log->entries = sim_grown(log->entries, &log->capacity, base, sizeof *log->entries);
    for (log->last = same < base ? same : base; log->last < base; log->last++) {
        const struct sim_index *committed = sim_group_index(group, log->last + 1);
        log->entries[log->last] = (struct sim_entry){committed->term, committed->sum, number};
    }
    world->totals.installs++;
    return durable;
}

static void note_rewritten(struct sim_host *host, struct sim_log *log, const struct log_segment *segments,
                           uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        check_equal(host, log->of, &segments[i]);
        if (segments[i].rewrites > 0 && segments[i].last_index > log->rewritten)
            log->rewritten = segments[i].last_index;
    }
}

static bool lets_go(const struct log_store_write *write, const struct log_segment *staged) {
    const struct log_segment *new = write->replacements;
    return write->install || write->unstage || write->destroy ||
           (write->replacement_count > 0 && staged->first_index >= new[0].first_index &&
            staged->last_index <= new[write->replacement_count - 1].last_index);
}

/** From when on they may be gone, also those whose last piece is on its way to the disk. */
static void forget_staged(struct sim_host *host, struct sim_log *log, const struct log_store_write *write) {
    size_t kept = 0;
    for (size_t i = 0; i < log->staged_count; i++)
        if (!lets_go(write, &log->staged[i]))
            log->staged[kept++] = log->staged[i];
    log->staged_count = kept;
    for (size_t i = host->stage_head; i < host->stage_count; i++)
        if (host->stages[i].group == log->group && lets_go(write, &host->stages[i].segment))
            host->stages[i].taken_back = true;
}

void sim_check_segments(struct sim_host *host, struct sim_log *log, const struct log_store_write *write) {
    forget_staged(host, log, write);
    if (log->of->condemned)
        return;
    for (uint32_t i = 0; i < write->seal_count; i++)
        check_seal(host, log, &write->seals[i]);
    note_rewritten(host, log, write->replacements, write->replacement_count);
    note_rewritten(host, log, write->install_segments, write->install_count);
    if (write->drop_before != 0)
        check_drop(host, log, write->drop_before);
}

/* ---- what survives a restart --------------------------------------------------------------------------------------
 */

static bool is_in(const struct log_segment *segments, size_t count, const struct log_segment *wanted) {
    for (size_t i = 0; i < count; i++)
        if (log_segment_equal(&segments[i], wanted))
            return true;
    return false;
}

void sim_check_staged(struct sim_host *host, uint64_t group, const struct log_segment *segment) {
    struct sim_log *log = sim_log(host, group, true);
    if (is_in(log->staged, log->staged_count, segment))
        return;
    log->staged = sim_grown(log->staged, &log->staged_capacity, log->staged_count + 1, sizeof *log->staged);
    log->staged[log->staged_count++] = *segment;
}

void sim_check_loaded(struct sim_host *host, const struct log_store_completion *completion) {
    struct sim_world *world = host->world;
    const struct log_store_loaded *loaded = completion->loaded;
    struct sim_group *group = sim_group(world, completion->group);
    const struct sim_log *log = sim_log(host, completion->group, false);
    if (!loaded || !loaded->exists || group->condemned)
        return;
    for (size_t i = 0; i < loaded->segment_count; i++)
        if (!is_in(group->segments, group->segment_count, &loaded->segments[i]))
            sim_fail(world, "SG: node %u group %llu holds a segment %llu-%llu that nobody made", host->id,
                     (ull)group->id, (ull)loaded->segments[i].first_index, (ull)loaded->segments[i].last_index);
    if (!log || log->replica != loaded->replica_id)
        return;
    if (loaded->first_index < log->first_durable)
        sim_fail(world, "SG: node %u group %llu has its log from %llu on again, it had dropped what is before %llu",
                 host->id, (ull)group->id, (ull)loaded->first_index, (ull)log->first_durable);
    for (size_t i = 0; i < log->staged_count; i++)
        if (!is_in(loaded->staged, loaded->staged_count, &log->staged[i]))
            sim_fail(world, "SG: node %u group %llu lost a segment that was staged, %llu-%llu", host->id,
                     (ull)group->id, (ull)log->staged[i].first_index, (ull)log->staged[i].last_index);
}
