/** Shared by admin.c (the thread, the questions) and admin_http.c (requests and answers). */
#ifndef ADMIN_INTERNAL_H
#define ADMIN_INTERNAL_H

#include "admin.h"
#include "metrics.h"
#include "route.h"

#include <microhttpd.h>

/** A request that waits for figures; its connection is suspended. */
struct admin_request {
    enum route route;
    struct MHD_Connection *connection;
    uint64_t deadline_ms;
    bool answered; /**< pages[route] is for it */
    bool late;     /**< the loop gave nothing in time */
    struct admin_request *next;
};

struct admin_page {
    struct MHD_Response *response; /**< NULL: none was made */
    unsigned status;
};

struct admin {
    struct admin_options options;
    struct admin_link link;
    int listen_fd, stop_fd;
    pthread_t thread;
    bool running;
    struct MHD_Daemon *daemon;
    const struct log_store *store;
    struct admin_snapshot *snapshot; /**< NULL while the loop has it */
    struct admin_request *waiting;
    struct admin_connection *connections;
    struct append_rate rate;
    struct metrics_process process;
    struct admin_page pages[ROUTE_PAGES]; /**< made of the last snapshot, for those who waited */
    bool stopping;
};

uint64_t admin_now_ms(void);

/* admin_connections.c */
void admin_connections_notify(void *argument, struct MHD_Connection *connection, void **context,
                              enum MHD_ConnectionNotificationCode code);
/** Ends those that take longer than lifetime_ms. */
void admin_connections_expire(struct admin *admin);

/* admin_http.c */
enum lf_status admin_http_start(struct admin *admin, struct lf_error *error);
void admin_http_stop(struct admin *admin);
/** The snapshot is filled: makes the pages that are waited for and lets the waiting go on. */
void admin_http_answer(struct admin *admin);
/** Those whose time is over (all of them when stopping) go on without. */
void admin_http_expire(struct admin *admin);
/** When admin_http_expire has something to do; UINT64_MAX: never. */
uint64_t admin_http_deadline(const struct admin *admin);

#endif
