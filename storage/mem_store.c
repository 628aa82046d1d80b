/** The store in memory: the contract on virtual time. One commit is under way at a time, as on the real store's one
 *  writer thread; reads are carried out when they are due, so they may see more than when they were handed over. */
#include "mem_store.h"
#include "log_completion.h"
#include "log_identity.h"
#include "mem_disk.h"
#include "mem_rewrite.h"
#include "mem_stage.h"

#include "lf_check.h"

#include <inttypes.h>
#include <stdlib.h>

#define READS_MAX 1024u

struct pending_read {
    struct log_store_read read;
    bool load;
    uint64_t due_ms;
    struct pending_read *next;
};

struct mem_store {
    struct log_store store; /* first */
    struct mem_disk *disk;
    uint64_t now_ms;
    struct mem_image image; /* what reads see: every completed write */
    struct commit_queue waiting;
    struct commit under_way;
    uint64_t due_ms;      /* of the commit under way */
    bool fails;           /* the commit under way will fail */
    size_t bytes;         /* submitted and not completed */
    uint32_t write_count; /* the same in writes */
    struct log_store_stats stats;
    struct lf_error final; /* S6: code LF_OK while all is well */
    struct pending_read *reads;
    uint32_t read_count;
    struct mem_stages stages;
    struct mem_rewrites rewrites;
    struct log_store_completion *done;
    struct log_store_completion **done_end;
};

static struct mem_store *of(struct log_store *store) { return (struct mem_store *)store; }

static void complete(struct mem_store *mem, struct log_store_completion *completion) {
    *mem->done_end = completion;
    mem->done_end = &completion->next;
}

static void complete_write(struct mem_store *mem, const struct log_store_write *write, enum lf_status status,
                           const struct lf_error *error) {
    if (write->stages) {
        if (mem_rewrites_written(&mem->rewrites, write->token, status, error))
            return;
        mem_stages_written(&mem->stages, write->token, status == LF_INVALID ? LF_NOT_FOUND : status, error);
        return;
    }
    struct log_store_completion *completion = log_completion_new(LOG_STORE_DONE_WRITE, write->group, write->token);
    lf_check(completion != NULL); /* the simulator does not run out of memory */
    completion->status = status;
    if (status != LF_OK)
        completion->error = *error;
    mem->bytes -= write->bytes;
    mem->write_count--;
    mem_rewrites_count_write(&mem->rewrites);
    lf_histogram_observe(&mem->stats.write_us, 1000 * mem->now_ms - write->submitted_us);
    complete(mem, completion);
}

static void start_commit(struct mem_store *mem) {
    const struct mem_disk_faults *faults = &mem->disk->faults;
    if (mem->under_way.count > 0 || mem->final.code != LF_OK)
        return;
    if (!commit_queue_take(&mem->waiting, LOG_STORE_COMMIT_BYTES_MAX_DEFAULT, &mem->under_way))
        return;
    uint32_t delay_ms = mem_disk_between(mem->disk, faults->write_delay_ms_min, faults->write_delay_ms_max);
    if (mem_disk_happens(mem->disk, faults->stall_per_million)) {
        delay_ms = faults->stall_ms;
        mem->disk->counts.stalled++;
    }
    mem->fails = mem_disk_happens(mem->disk, faults->fail_per_million);
    mem->due_ms = mem->now_ms + delay_ms;
    enum mem_disk_fate fate = mem_disk_begin_commit(mem->disk);
    if (fate == MEM_DISK_FAIL)
        mem->fails = true;
    else if (fate != 0)
        mem->due_ms = UINT64_MAX;
    mem->disk->counts.commits++;
    mem->stats.commits++;
    mem->stats.writes += mem->under_way.count;
    mem->stats.bytes_written += mem->under_way.bytes;
    mem->stats.syncs += mem->under_way.sync;
    if (mem->under_way.sync)
        lf_histogram_observe(&mem->stats.sync_us, 1000 * (uint64_t)delay_ms);
}

static void wait_for_commit(struct mem_store *mem, struct log_store_write **write) {
    (*write)->submitted_us = 1000 * mem->now_ms;
    commit_queue_push(&mem->waiting, write);
}

static void fail_all(struct mem_store *mem, const struct log_store_write *first) {
    for (const struct log_store_write *write = first; write; write = write->next)
        complete_write(mem, write, mem->final.code, &mem->final);
}

static void fail_waiting(struct mem_store *mem) {
    fail_all(mem, mem->waiting.head);
    commit_queue_deinit(&mem->waiting);
}

/* The disk said no: the commit stays under way for ever, since a crash may still find it, torn or whole. */
static void finish_failed(struct mem_store *mem) {
    mem->disk->counts.failed++;
    lf_error_set(&mem->final, LF_IO, "the disk failed a commit of %" PRIu32 " writes", mem->under_way.count);
    fail_all(mem, mem->under_way.writes);
    fail_waiting(mem);
}

static void finish_commit(struct mem_store *mem) {
    for (const struct log_store_write *write = mem->under_way.writes; write; write = write->next) {
        struct lf_error error = mem->final;
        enum lf_status status = mem->final.code;
        if (status == LF_OK)
            status = mem_image_apply(&mem->image, write, &error);
        if (status != LF_OK && status != LF_INVALID)
            mem->final = error;
        if (status == LF_OK && (write->install || write->unstage || write->destroy))
            mem_stages_forget(&mem->stages, write->group);
        complete_write(mem, write, status, &error);
    }
    memcpy(mem->store.identity.cluster_id, mem->image.identity.cluster_id, LOG_STORE_ID_BYTES);
    lf_check(mem_disk_hand_over(mem->disk, &mem->under_way, mem->under_way.sync) == LF_OK);
    if (mem->final.code != LF_OK)
        fail_waiting(mem);
}

static bool commit_is_due(const struct mem_store *mem) {
    return mem->under_way.count > 0 && mem->final.code == LF_OK && mem->due_ms <= mem->now_ms;
}

static void finish_due_reads(struct mem_store *mem) {
    struct pending_read **at = &mem->reads;
    while (*at) {
        struct pending_read *pending = *at;
        if (pending->due_ms > mem->now_ms) {
            at = &pending->next;
            continue;
        }
        struct log_store_completion *completion =
            pending->load ? mem_image_load(&mem->image, pending->read.group, pending->read.request)
                          : mem_image_read(&mem->image, &pending->read);
        lf_check(completion != NULL);
        complete(mem, completion);
        *at = pending->next;
        mem->read_count--;
        free(pending);
    }
}

static void finish_due_pieces(struct mem_store *mem) {
    for (struct log_store_completion *completion; (completion = mem_stages_take(&mem->stages, mem->now_ms)) != NULL;)
        complete(mem, completion);
}

/* What waits for nothing begins; what is due is made; what is over is told. */
static void go_on_with_rewrites(struct mem_store *mem) {
    if (mem->final.code != LF_OK)
        mem_rewrites_fail(&mem->rewrites, &mem->final);
    for (struct mem_rewrite *rewrite; (rewrite = mem_rewrites_ready(&mem->rewrites)) != NULL;)
        mem_rewrite_begin(rewrite, &mem->image,
                          mem->now_ms + mem_disk_between(mem->disk, 0, mem->disk->faults.rewrite_delay_ms_max));
    for (struct log_store_write *write;
         (write = mem_rewrites_make(&mem->rewrites, &mem->image, mem->now_ms, mem->stages.serial + 1)) != NULL;) {
        mem->stages.serial++;
        wait_for_commit(mem, &write);
    }
    start_commit(mem);
    for (struct log_store_completion *completion; (completion = mem_rewrites_take(&mem->rewrites)) != NULL;)
        complete(mem, completion);
}

/* Step by step through the moments at which commits are due, so that a late call sees the same order as many early. */
void mem_store_advance(struct log_store *store, uint64_t now_ms) {
    struct mem_store *mem = of(store);
    uint64_t target_ms = now_ms > mem->now_ms ? now_ms : mem->now_ms;
    for (;;) {
        uint64_t next_ms = mem_store_deadline(store);
        if (next_ms > target_ms)
            break;
        if (next_ms > mem->now_ms)
            mem->now_ms = next_ms;
        if (commit_is_due(mem)) {
            if (mem->fails)
                finish_failed(mem);
            else
                finish_commit(mem);
            start_commit(mem);
        }
        finish_due_reads(mem);
        finish_due_pieces(mem);
        go_on_with_rewrites(mem);
    }
    mem->now_ms = target_ms;
}

uint64_t mem_store_deadline(const struct log_store *store) {
    const struct mem_store *mem = (const struct mem_store *)store;
    uint64_t deadline_ms = UINT64_MAX;
    if (mem->under_way.count > 0 && mem->final.code == LF_OK)
        deadline_ms = mem->due_ms;
    for (const struct pending_read *read = mem->reads; read; read = read->next)
        if (read->due_ms < deadline_ms)
            deadline_ms = read->due_ms;
    uint64_t piece_ms = mem_stages_deadline(&mem->stages), rewrite_ms = mem_rewrites_deadline(&mem->rewrites);
    if (piece_ms < deadline_ms)
        deadline_ms = piece_ms;
    return rewrite_ms < deadline_ms ? rewrite_ms : deadline_ms;
}

static enum lf_status mem_submit(struct log_store *store, struct log_store_write **write) {
    struct mem_store *mem = of(store);
    if (mem->bytes > 0 && mem->bytes + (*write)->bytes > LOG_STORE_SUBMIT_BYTES_MAX_DEFAULT)
        return LF_FULL;
    mem->bytes += (*write)->bytes;
    mem->write_count++;
    wait_for_commit(mem, write);
    if (mem->final.code != LF_OK)
        fail_waiting(mem);
    start_commit(mem);
    return LF_OK;
}

static enum lf_status add_read(struct mem_store *mem, const struct log_store_read *read, bool load) {
    if (mem->read_count >= READS_MAX)
        return LF_FULL;
    struct pending_read *pending = malloc(sizeof *pending);
    if (!pending)
        return LF_NO_MEMORY;
    uint32_t delay_ms = mem_disk_between(mem->disk, 0, mem->disk->faults.read_delay_ms_max);
    *pending = (struct pending_read){.read = *read, .load = load, .due_ms = mem->now_ms + delay_ms};
    struct pending_read **end = &mem->reads;
    while (*end)
        end = &(*end)->next;
    *end = pending;
    mem->read_count++;
    mem->stats.reads++;
    return LF_OK;
}

static enum lf_status mem_read(struct log_store *store, const struct log_store_read *read) {
    return add_read(of(store), read, false);
}

static enum lf_status mem_load(struct log_store *store, uint64_t group, uint64_t request) {
    return add_read(of(store), &(struct log_store_read){.group = group, .request = request}, true);
}

static struct log_store_completion *mem_poll(struct log_store *store) {
    struct mem_store *mem = of(store);
    struct log_store_completion *completion = mem->done;
    if (!completion)
        return NULL;
    mem->done = completion->next;
    if (!mem->done)
        mem->done_end = &mem->done;
    completion->next = NULL;
    return completion;
}

static int mem_fd(const struct log_store *store) {
    (void)store;
    return -1;
}

static void destroy(struct mem_store *mem) {
    mem->disk->open = false;
    commit_queue_deinit(&mem->waiting);
    commit_deinit(&mem->under_way);
    while (mem->reads) {
        struct pending_read *next = mem->reads->next;
        free(mem->reads);
        mem->reads = next;
    }
    for (struct log_store_completion *done; (done = mem_poll(&mem->store)) != NULL;)
        log_store_completion_destroy(&done);
    mem_stages_deinit(&mem->stages);
    mem_rewrites_deinit(&mem->rewrites);
    mem_image_deinit(&mem->image);
    free(mem->store.groups);
    free(mem);
}

static void mem_close(struct log_store *store) {
    struct mem_store *mem = of(store);
    while (commit_is_due(mem) || (mem->under_way.count > 0 && mem->final.code == LF_OK))
        mem_store_advance(store, mem->due_ms);
    destroy(mem);
}

/* A commit under way has one of three fates: all of it reached the disk, some of it (cut off at opening), none. */
static void decide_fate(struct mem_disk *disk, struct commit *under_way, enum mem_disk_fate fate) {
    switch (fate) {
    case MEM_DISK_KEEP:
        lf_check(mem_disk_hand_over(disk, under_way, false) == LF_OK);
        disk->counts.kept++;
        break;
    case MEM_DISK_TEAR:
        disk->counts.torn++;
        break;
    default:
        disk->counts.lost++;
    }
}

void mem_store_crash(struct log_store **store, enum mem_disk_crash how) {
    struct mem_store *mem = of(*store);
    struct mem_disk *disk = mem->disk;
    const enum mem_disk_fate fates[] = {MEM_DISK_KEEP, MEM_DISK_TEAR, MEM_DISK_LOSE};
    bool chosen = disk->broken != 0 && disk->broken != MEM_DISK_FAIL;
    *store = NULL;
    if (mem->under_way.count > 0 && chosen) {
        decide_fate(disk, &mem->under_way, disk->broken);
        lf_check(disk->broken != MEM_DISK_KEEP || mem_disk_sync(disk) == LF_OK);
    } else if (mem->under_way.count > 0 && how == MEM_DISK_KILL)
        decide_fate(disk, &mem->under_way, fates[mem_disk_between(disk, 0, 2)]);
    else if (mem->under_way.count > 0)
        lf_check(mem_disk_hand_over(disk, &mem->under_way, false) == LF_OK);
    disk->broken = 0;
    destroy(mem);
    if (how == MEM_DISK_POWER)
        mem_disk_power_cut(disk);
}

/** Puts the damaged copy in place of the entry, if that is what stands there. */
static void put_damaged(struct mem_image *image, uint64_t id, uint64_t index, const struct lf_buf *whole,
                        struct lf_buf *damaged) {
    const struct mem_group *group = mem_image_find(image, id);
    uint64_t found = 0;
    struct lf_buf **at = group ? mem_group_next(group, index, &found) : NULL;
    if (!at || *at != whole)
        return;
    lf_buf_unref(at);
    *at = lf_buf_ref(damaged);
}

static bool has_entries(const struct mem_group *group) {
    uint64_t found;
    return mem_group_next(group, 0, &found) != NULL;
}

static void turn_a_bit(struct mem_disk *disk, struct log_store *store, uint64_t group, uint64_t index,
                       struct lf_buf *entry) {
    struct lf_buf *whole = lf_buf_ref(entry);
    struct lf_buf *damaged = lf_buf_copy(lf_buf_bytes(whole));
    lf_check(damaged != NULL);
    damaged->data[mem_disk_between(disk, 0, damaged->size - 1)] ^= (uint8_t)(1u << mem_disk_between(disk, 0, 7));
    put_damaged(&disk->synced, group, index, whole, damaged);
    if (store)
        put_damaged(&of(store)->image, group, index, whole, damaged);
    lf_buf_unref(&whole);
    lf_buf_unref(&damaged);
}

bool mem_store_damage_entry(struct mem_disk *disk, struct log_store *store, uint64_t group, uint64_t *index) {
    const struct mem_group *at = mem_image_find(&disk->synced, group);
    struct lf_buf **entry = at ? mem_group_next(at, *index, index) : NULL;
    if (entry)
        turn_a_bit(disk, store, group, *index, *entry);
    return entry != NULL;
}

bool mem_store_damage(struct mem_disk *disk, struct log_store *store, uint64_t *group, uint64_t *index) {
    const struct mem_group *at = NULL;
    uint32_t count = (uint32_t)disk->synced.group_count, first = count > 0 ? mem_disk_between(disk, 0, count - 1) : 0;
    for (uint32_t i = 0; i < count && !at; i++)
        if (has_entries(disk->synced.groups[(first + i) % count]))
            at = disk->synced.groups[(first + i) % count];
    if (!at)
        return false;
    *group = at->log.id;
    uint64_t wanted = mem_disk_between(disk, (uint32_t)log_group_first_index(&at->log), (uint32_t)at->log.last_index);
    struct lf_buf **entry = mem_group_next(at, wanted, index);
    if (!entry) /* the log ends with a hole */
        entry = mem_group_next(at, 0, index);
    turn_a_bit(disk, store, *group, *index, *entry);
    return true;
}

static void mem_stats(const struct log_store *store, struct log_store_stats *out) {
    const struct mem_store *mem = (const struct mem_store *)store;
    *out = mem->stats;
    out->writes_waiting = mem->write_count;
    out->bytes_waiting = mem->bytes;
    out->bytes_waiting_max = LOG_STORE_SUBMIT_BYTES_MAX_DEFAULT;
    out->reads_waiting = mem->read_count;
    out->reads_waiting_max = READS_MAX;
    if (mem->under_way.count > 0 && mem->final.code == LF_OK)
        out->oldest_write_us = 1000 * mem->now_ms - mem->under_way.writes->submitted_us;
}

static void mem_engine_stats(const struct log_store *store, struct log_store_engine_stats *out) {
    (void)store; /* there is none below */
    (void)out;
}

static enum lf_status mem_stage(struct log_store *store, const struct log_store_stage *stage) {
    struct mem_store *mem = of(store);
    struct log_store_write *write;
    uint64_t due_ms = mem->now_ms + mem_disk_between(mem->disk, 0, mem->disk->faults.read_delay_ms_max);
    enum lf_status status = mem_stages_add(&mem->stages, stage, due_ms, &write);
    if (status != LF_OK)
        return status;
    if (mem->final.code != LF_OK)
        mem_stages_refuse(&mem->stages, mem->final.code, mem->final.text);
    else if (!mem_image_find(&mem->image, stage->group))
        mem_stages_refuse(&mem->stages, LF_NOT_FOUND, "the segment's group is not in this store");
    else if (write)
        wait_for_commit(mem, &write);
    log_store_write_destroy(&write);
    start_commit(mem);
    return LF_OK;
}

static enum lf_status mem_rewrite(struct log_store *store, const struct log_store_rewrite *rewrite) {
    struct mem_store *mem = of(store);
    return mem_rewrites_add(&mem->rewrites, rewrite, mem->write_count);
}

static const struct log_store_ops mem_ops = {.submit = mem_submit,
                                             .read = mem_read,
                                             .load = mem_load,
                                             .stage = mem_stage,
                                             .rewrite = mem_rewrite,
                                             .poll = mem_poll,
                                             .fd = mem_fd,
                                             .stats = mem_stats,
                                             .engine_stats = mem_engine_stats,
                                             .close = mem_close};

static enum lf_status list_groups(struct mem_store *mem) {
    mem->store.groups = calloc(mem->image.group_count + 1, sizeof mem->store.groups[0]);
    if (!mem->store.groups)
        return LF_NO_MEMORY;
    for (size_t i = 0; i < mem->image.group_count; i++)
        mem->store.groups[i] = mem->image.groups[i]->log.id;
    mem->store.group_count = mem->image.group_count;
    return LF_OK;
}

enum lf_status mem_store_open(struct mem_disk *disk, const struct log_store_identity *identity, uint64_t now_ms,
                              struct log_store **store, struct lf_error *error) {
    lf_check(!disk->open);
    if (!disk->synced.created) {
        disk->synced.identity = *identity;
        disk->synced.created = true;
    }
    enum lf_status status = log_identity_check(&disk->synced.identity, identity, error);
    if (status != LF_OK)
        return status;
    struct mem_store *mem = calloc(1, sizeof *mem);
    if (!mem || mem_disk_sync(disk) != LF_OK || mem_image_copy(&disk->synced, &mem->image) != LF_OK ||
        list_groups(mem) != LF_OK) {
        if (mem)
            mem_image_deinit(&mem->image);
        free(mem);
        return lf_error_set(error, LF_NO_MEMORY, "no memory to open the store");
    }
    mem->store.ops = &mem_ops;
    mem->store.identity = disk->synced.identity;
    mem->disk = disk;
    mem->now_ms = now_ms;
    mem->done_end = &mem->done;
    disk->open = true;
    *store = &mem->store;
    return LF_OK;
}
