/** Requests and answers, on libmicrohttpd driven by our own thread: it has no thread, timer or lock that we wait for.
 *
 *  A page made of figures: 1. the request is noted and its connection suspended; 2. the thread asks the loop; 3. the
 *  answer makes each page that is waited for once, and the connections go on with it. */
#include "admin_internal.h"

#include "metrics_text.h"
#include "process_figures.h"
#include "ready.h"
#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLAIN "text/plain; charset=utf-8"

static void set_headers(struct MHD_Response *response, const char *type) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
}

static enum MHD_Result reply_words(struct MHD_Connection *connection, unsigned status, const char *words) {
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(words), (void *)(uintptr_t)words, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    set_headers(response, PLAIN);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result reply_health(const struct admin *admin, struct MHD_Connection *connection) {
    char words[128];
    uint64_t turned_ms = atomic_load_explicit(&admin->link.turned_ms, memory_order_relaxed), now_ms = admin_now_ms();
    uint64_t silent_ms = now_ms > turned_ms ? now_ms - turned_ms : 0;
    if (turned_ms == 0)
        return reply_words(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "not healthy: the loop has not begun\n");
    if (silent_ms <= admin->options.stuck_ms)
        return reply_words(connection, MHD_HTTP_OK, "healthy\n");
    snprintf(words, sizeof words, "not healthy: the loop has not turned for %" PRIu64 " ms\n", silent_ms);
    return reply_words(connection, MHD_HTTP_SERVICE_UNAVAILABLE, words);
}

static enum MHD_Result reply_page(const struct admin *admin, const struct admin_request *request) {
    char words[128];
    const struct admin_page *page = &admin->pages[request->route];
    if (request->late) {
        snprintf(words, sizeof words, "%s\n",
                 admin->stopping ? "this broker is stopping" : "the loop gave no figures in time; see /healthz");
        return reply_words(request->connection, MHD_HTTP_SERVICE_UNAVAILABLE, words);
    }
    if (!page->response)
        return reply_words(request->connection, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for this page\n");
    return MHD_queue_response(request->connection, page->status, page->response);
}

/** Note it and wait. */
static enum MHD_Result wait_for_figures(struct admin *admin, struct MHD_Connection *connection, enum route route,
                                        void **context) {
    struct admin_request *request = calloc(1, sizeof *request);
    if (!request)
        return MHD_NO;
    request->route = route;
    request->connection = connection;
    request->deadline_ms = admin_now_ms() + ADMIN_ANSWER_MS_MAX;
    request->next = admin->waiting;
    admin->waiting = request;
    *context = request;
    MHD_suspend_connection(connection);
    return MHD_YES;
}

static enum MHD_Result on_request(void *argument, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *body, size_t *body_size,
                                  void **context) {
    struct admin *admin = argument;
    struct admin_request *request = *context;
    (void)version, (void)body;
    if (request) {
        if (*body_size > 0) { /* nobody asked for it */
            *body_size = 0;
            return MHD_YES;
        }
        return request->answered || request->late ? reply_page(admin, request) : MHD_YES;
    }
    switch (route_of(method, path)) {
    case ROUTE_METRICS:
        return wait_for_figures(admin, connection, ROUTE_METRICS, context);
    case ROUTE_READY:
        return wait_for_figures(admin, connection, ROUTE_READY, context);
    case ROUTE_STATUS:
        return wait_for_figures(admin, connection, ROUTE_STATUS, context);
    case ROUTE_HEALTH:
        return reply_health(admin, connection);
    case ROUTE_METHOD:
        return reply_words(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n");
    case ROUTE_UNKNOWN:
        break;
    }
    return reply_words(connection, MHD_HTTP_NOT_FOUND,
                       "no such page; there are /metrics, /healthz, /readyz and /status\n");
}

static void unlink_request(struct admin *admin, const struct admin_request *request) {
    for (struct admin_request **at = &admin->waiting; *at; at = &(*at)->next)
        if (*at == request) {
            *at = request->next;
            return;
        }
}

static void on_completed(void *argument, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code) {
    (void)connection, (void)code;
    struct admin_request *request = *context;
    *context = NULL;
    if (!request)
        return;
    unlink_request(argument, request);
    free(request);
}

static void drop_page(struct admin_page *page) {
    if (page->response)
        MHD_destroy_response(page->response); /* those being sent keep it */
    *page = (struct admin_page){0};
}

/** Takes the text. */
static void set_page(struct admin *admin, enum route route, struct text *text, unsigned status, const char *type) {
    struct admin_page *page = &admin->pages[route];
    page->status = status;
    if (!text->failed)
        page->response = MHD_create_response_from_buffer_with_free_callback(text->size, text->data, free);
    if (!page->response) {
        text_deinit(text);
        return;
    }
    *text = (struct text){0};
    set_headers(page->response, type);
}

static void make_page(struct admin *admin, enum route route) {
    struct text text = {0};
    const struct admin_snapshot *snapshot = admin->snapshot;
    drop_page(&admin->pages[route]);
    if (route == ROUTE_METRICS) {
        struct log_store_engine_stats engine = {0};
        if (admin->store)
            log_store_engine_stats(admin->store, &engine);
        process_figures_read(&admin->process);
        append_rate_see(&admin->rate, snapshot);
        const struct metrics_page page = {.snapshot = snapshot,
                                          .engine = &engine,
                                          .rate = &admin->rate,
                                          .process = &admin->process,
                                          .version = admin->options.version,
                                          .groups_max = admin->options.groups_max};
        metrics_write(&text, &page);
        set_page(admin, route, &text, MHD_HTTP_OK, METRICS_CONTENT_TYPE);
    } else if (route == ROUTE_READY) {
        bool ready = ready_judge(&snapshot->node, &text);
        set_page(admin, route, &text, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, PLAIN);
    } else {
        status_write(&text, snapshot, admin->options.version);
        set_page(admin, route, &text, MHD_HTTP_OK, "application/json");
    }
}

static void let_go_on(struct admin *admin, struct admin_request *request) {
    unlink_request(admin, request);
    MHD_resume_connection(request->connection);
}

void admin_http_answer(struct admin *admin) {
    bool made[ROUTE_PAGES] = {false};
    while (admin->waiting) {
        struct admin_request *request = admin->waiting;
        if (admin->snapshot->status != LF_OK)
            drop_page(&admin->pages[request->route]);
        else if (!made[request->route])
            make_page(admin, request->route);
        made[request->route] = true;
        request->answered = true;
        let_go_on(admin, request);
    }
    MHD_run(admin->daemon);
}

void admin_http_expire(struct admin *admin) {
    uint64_t now_ms = admin_now_ms();
    struct admin_request *next;
    bool some = false;
    for (struct admin_request *request = admin->waiting; request; request = next) {
        next = request->next;
        if (request->deadline_ms > now_ms && !admin->stopping)
            continue;
        request->late = some = true;
        let_go_on(admin, request);
    }
    if (some)
        MHD_run(admin->daemon);
}

uint64_t admin_http_deadline(const struct admin *admin) {
    uint64_t deadline_ms = UINT64_MAX;
    for (const struct admin_request *request = admin->waiting; request; request = request->next)
        if (request->deadline_ms < deadline_ms)
            deadline_ms = request->deadline_ms;
    return deadline_ms;
}

enum lf_status admin_http_start(struct admin *admin, struct lf_error *error) {
    const struct admin_options *options = &admin->options;
    unsigned timeout_s = options->timeout_ms < 1000 ? 1 : options->timeout_ms / 1000;
    admin->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, admin, MHD_OPTION_LISTEN_SOCKET,
        admin->listen_fd, MHD_OPTION_CONNECTION_LIMIT, options->connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
        timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)ADMIN_CONNECTION_BYTES_MAX, MHD_OPTION_STRICT_FOR_CLIENT,
        1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_NOTIFY_COMPLETED, on_completed, admin,
        MHD_OPTION_NOTIFY_CONNECTION, admin_connections_notify, admin, MHD_OPTION_END);
    if (!admin->daemon)
        return lf_error_set(error, LF_IO, "the admin listener does not start");
    admin->listen_fd = -1; /* the daemon closes it */
    return LF_OK;
}

void admin_http_stop(struct admin *admin) {
    if (admin->daemon)
        MHD_stop_daemon(admin->daemon);
    admin->daemon = NULL;
    for (size_t i = 0; i < ROUTE_PAGES; i++)
        drop_page(&admin->pages[i]);
}
