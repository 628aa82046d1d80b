/** The thread: waits for connections, answers of the loop and the word to stop; asks the loop when a page needs it. */
#include "admin.h"

#include "admin_internal.h"
#include "lf_check.h"
#include "listen.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/** Longest sleep, in ms. */
#define SLEEP_MS_MAX 1000

enum { ITEM_HTTP, ITEM_ANSWERS, ITEM_STOP, ITEM_COUNT };

uint64_t admin_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

enum lf_status admin_new(const struct admin_options *options, struct admin **out, struct lf_error *error) {
    *out = NULL;
    struct admin *admin = calloc(1, sizeof *admin);
    if (!admin)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for the admin listener");
    admin->options = *options;
    admin->options.bind = NULL;
    admin->listen_fd = -1;
    admin->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    admin->snapshot = admin_snapshot_new();
    admin->process.start_time_s = (uint64_t)time(NULL);
    enum lf_status status = admin_link_init(&admin->link);
    if (status != LF_OK || !admin->snapshot || admin->stop_fd < 0)
        status = lf_error_set(error, LF_NO_MEMORY, "no memory for the admin listener");
    else
        status = listen_on(options->bind, options->port, &admin->listen_fd, error);
    if (status != LF_OK)
        admin_destroy(&admin);
    *out = admin;
    return status;
}

struct admin_link *admin_link(struct admin *admin) {
    return &admin->link;
}

static void ask_if_wanted(struct admin *admin) {
    if (!admin->waiting || !admin->snapshot)
        return;
    bool pushed = lf_ring_push(admin->link.questions, admin->snapshot);
    lf_check(pushed); /* one is under way at most */
    admin->snapshot = NULL;
}

static void take_answer(struct admin *admin) {
    struct admin_snapshot *answer = lf_ring_pop(admin->link.answers);
    if (!answer)
        return;
    lf_check(admin->snapshot == NULL);
    admin->snapshot = answer;
    admin_http_answer(admin);
}

static int timeout_ms(const struct admin *admin) {
    MHD_UNSIGNED_LONG_LONG http_ms;
    uint64_t now_ms = admin_now_ms(), due_ms = admin_http_deadline(admin), sleep_ms = SLEEP_MS_MAX;
    if (MHD_get_timeout(admin->daemon, &http_ms) == MHD_YES && http_ms < sleep_ms)
        sleep_ms = http_ms;
    if (due_ms <= now_ms)
        return 0;
    return (int)(due_ms - now_ms < sleep_ms ? due_ms - now_ms : sleep_ms);
}

/** False: stop. */
static bool wait_for_work(struct admin *admin, struct pollfd items[ITEM_COUNT]) {
    bool asleep = lf_ring_sleep(admin->link.answers);
    int ready = poll(items, ITEM_COUNT, asleep ? timeout_ms(admin) : 0);
    lf_checkf(ready >= 0 || errno == EINTR, "poll: %s", strerror(errno));
    if (asleep)
        lf_ring_wake(admin->link.answers);
    return ready < 0 || items[ITEM_STOP].revents == 0;
}

static void *admin_main(void *argument) {
    struct admin *admin = argument;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(admin->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    lf_check(info != NULL);
    struct pollfd items[ITEM_COUNT] = {
        [ITEM_HTTP] = {.fd = info->epoll_fd, .events = POLLIN},
        [ITEM_ANSWERS] = {.fd = lf_ring_fd(admin->link.answers), .events = POLLIN},
        [ITEM_STOP] = {.fd = admin->stop_fd, .events = POLLIN},
    };
    do {
        MHD_run(admin->daemon);
        take_answer(admin);
        admin_http_expire(admin);
        admin_connections_expire(admin);
        ask_if_wanted(admin); /* last: all of the above may have let a new request in */
    } while (wait_for_work(admin, items));
    admin->stopping = true;
    admin_http_expire(admin);
    admin_http_stop(admin);
    return NULL;
}

enum lf_status admin_start(struct admin *admin, const struct log_store *store, struct lf_error *error) {
    sigset_t all, before;
    admin->store = store;
    enum lf_status status = admin_http_start(admin, error);
    if (status != LF_OK)
        return status;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&admin->thread, NULL, admin_main, admin);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    admin->running = !failed;
    if (!failed)
        return LF_OK;
    admin_http_stop(admin);
    return lf_error_set(error, LF_IO, "start the admin thread: %s", strerror(failed));
}

void admin_destroy(struct admin **where) {
    struct admin *admin = *where;
    *where = NULL;
    if (!admin)
        return;
    if (admin->running) {
        uint64_t one = 1;
        ssize_t written = write(admin->stop_fd, &one, sizeof one);
        lf_check(written == (ssize_t)sizeof one);
        pthread_join(admin->thread, NULL);
    }
    admin_link_deinit(&admin->link);
    admin_snapshot_destroy(&admin->snapshot);
    if (admin->listen_fd >= 0)
        close(admin->listen_fd);
    if (admin->stop_fd >= 0)
        close(admin->stop_fd);
    free(admin);
}
