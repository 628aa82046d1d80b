#include "backup_thread.h"

#include "clock.h"

#include "lf_check.h"
#include "lf_ring.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKUPS_FOLDER "backups"
#define STORE_FOLDER "store"

struct backup_thread {
    struct backup_thread_options options;
    char directory[PATH_MAX], store_path[PATH_MAX];
    struct backup_place place;
    struct lf_ring *wishes;  /* struct backup_answer; itself: stop */
    struct lf_ring *answers; /* the same, done */
    atomic_bool stopping;
    pthread_t thread;
    bool running;
};

void backup_answer_destroy(struct backup_answer **where) {
    struct backup_answer *answer = *where;
    *where = NULL;
    if (!answer)
        return;
    backup_list_free(answer->list, answer->count);
    free(answer->backups);
    free(answer);
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

static enum lf_status make(struct backup_thread *thread, struct backup_answer *answer) {
    answer->list = calloc(1, sizeof answer->list[0]);
    if (!answer->list)
        return LF_NO_MEMORY;
    answer->count = 1;
    struct backup_about *about = &answer->list[0];
    *about = (struct backup_about){.made_ms = clock_wall_ms(), .node_id = answer->identity.node_id};
    memcpy(about->name, answer->wish.name, sizeof about->name);
    snprintf(about->cluster_name, sizeof about->cluster_name, "%s", thread->options.cluster_name);
    memcpy(about->cluster_id, answer->identity.cluster_id, sizeof about->cluster_id);
    memcpy(about->store_uuid, answer->identity.store_uuid, sizeof about->store_uuid);
    return backup_make(&thread->place, thread->options.store, about, &answer->error);
}

static enum lf_status carry_out(struct backup_thread *thread, struct backup_answer *answer) {
    switch (answer->wish.action) {
    case NODE_BACKUP_CREATE:
        return make(thread, answer);
    case NODE_BACKUP_DELETE:
        return backup_delete(&thread->place, answer->wish.name, &answer->error);
    default:
        return backup_list(&thread->place, &answer->list, &answer->count, &answer->error);
    }
}

/* As the node tells it on. */
static void put_into_words(struct backup_answer *answer, enum lf_status status) {
    struct node_backup_done *done = &answer->done;
    size_t count = status == LF_OK ? answer->count : 0;
    *done = (struct node_backup_done){.wish = answer->wish, .status = status, .text = answer->error.text};
    answer->backups = calloc(count + 1, sizeof answer->backups[0]);
    lf_check(answer->backups != NULL);
    for (size_t i = 0; i < count; i++)
        answer->backups[i] = (struct node_backup){.name = answer->list[i].name,
                                                  .made_ms = answer->list[i].made_ms,
                                                  .files = answer->list[i].file_count,
                                                  .bytes = backup_about_bytes(&answer->list[i])};
    done->backups = answer->backups;
    done->count = count;
}

static void *thread_main(void *argument) {
    struct backup_thread *thread = argument;
    for (;;) {
        void *item = lf_ring_pop(thread->wishes);
        if (item == thread)
            return NULL;
        if (!item) {
            struct pollfd waited = {.fd = lf_ring_fd(thread->wishes), .events = POLLIN};
            if (lf_ring_sleep(thread->wishes)) {
                poll(&waited, 1, -1);
                lf_ring_wake(thread->wishes);
            }
            continue;
        }
        struct backup_answer *answer = item;
        bool stopping = atomic_load(&thread->stopping);
        uint64_t began_ms = clock_now_ms();
        put_into_words(answer, stopping ? LF_SHUTTING_DOWN : carry_out(thread, answer));
        answer->took_ms = clock_now_ms() - began_ms;
        bool pushed = lf_ring_push(thread->answers, answer);
        lf_check(pushed); /* there is room for all that are under way */
    }
}

static int start(struct backup_thread *thread) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread->thread, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

/* ---- the loop's side --------------------------------------------------------------------------------------------- */

static enum lf_status name_directories(struct backup_thread *thread, struct lf_error *error) {
    const struct backup_thread_options *options = &thread->options;
    int used = options->directory[0] ? snprintf(thread->directory, PATH_MAX, "%s", options->directory)
                                     : snprintf(thread->directory, PATH_MAX, "%s/" BACKUPS_FOLDER, options->data);
    int store_used = snprintf(thread->store_path, PATH_MAX, "%s/" STORE_FOLDER, options->data);
    if (used >= PATH_MAX || store_used >= PATH_MAX)
        return lf_error_set(error, LF_INVALID, "the directory's name is too long");
    thread->place = (struct backup_place){
        .directory = thread->directory, .store = thread->store_path, .backups_max = options->backups_max};
    return LF_OK;
}

enum lf_status backup_thread_new(const struct backup_thread_options *options, struct backup_thread **out,
                                 struct lf_error *error) {
    struct lf_error detail = {0};
    struct backup_thread *thread = calloc(1, sizeof *thread);
    *out = thread;
    if (!thread)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for backups");
    thread->options = *options;
    enum lf_status status = name_directories(thread, error);
    if (status != LF_OK)
        return status;
    if (backup_clean(&thread->place, &detail) != LF_OK)
        log_line(options->log, LOG_WARN, "what is left of a backup cannot be removed: %s", detail.text);
    thread->wishes = lf_ring_new(NODE_BACKUPS_MAX + 1);
    thread->answers = lf_ring_new(NODE_BACKUPS_MAX);
    if (!thread->wishes || !thread->answers)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for backups");
    int failed = start(thread);
    thread->running = failed == 0;
    return failed ? lf_error_set(error, LF_IO, "start the backup thread: %s", strerror(failed)) : LF_OK;
}

static void drain(struct lf_ring **ring) {
    for (void *item; *ring && (item = lf_ring_pop(*ring)) != NULL;) {
        struct backup_answer *answer = item;
        backup_answer_destroy(&answer);
    }
    lf_ring_destroy(ring);
}

void backup_thread_destroy(struct backup_thread **where) {
    struct backup_thread *thread = *where;
    *where = NULL;
    if (!thread)
        return;
    if (thread->running) {
        atomic_store(&thread->stopping, true);
        bool pushed = lf_ring_push(thread->wishes, thread);
        lf_check(pushed);
        pthread_join(thread->thread, NULL);
    }
    drain(&thread->wishes);
    drain(&thread->answers);
    free(thread);
}

void backup_thread_ask(struct backup_thread *thread, const struct node_backup_wish *wish) {
    struct backup_answer *answer = calloc(1, sizeof *answer);
    lf_check(answer != NULL);
    answer->wish = *wish;
    answer->identity = thread->options.store->identity;
    bool pushed = lf_ring_push(thread->wishes, answer);
    lf_check(pushed); /* the node keeps to NODE_BACKUPS_MAX */
}

struct backup_answer *backup_thread_poll(struct backup_thread *thread) {
    return lf_ring_pop(thread->answers);
}
int backup_thread_fd(const struct backup_thread *thread) { return lf_ring_fd(thread->answers); }
bool backup_thread_sleep(struct backup_thread *thread) { return lf_ring_sleep(thread->answers); }
void backup_thread_wake(struct backup_thread *thread) { lf_ring_wake(thread->answers); }
