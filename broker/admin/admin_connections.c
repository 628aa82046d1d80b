/** How long a connection may take in all. libmicrohttpd ends silent ones; a client that sends or reads one byte at a
 * time is never silent, and would keep its place for ever. */
#include "admin_internal.h"

#include <stdlib.h>
#include <sys/socket.h>

struct admin_connection {
    int fd;
    uint64_t deadline_ms;
    struct admin_connection *next;
};

static void begin(struct admin *admin, struct MHD_Connection *connection, void **context) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct admin_connection *known = info ? calloc(1, sizeof *known) : NULL;
    if (!known)
        return; /* then only silence ends it */
    known->fd = info->connect_fd;
    known->deadline_ms = admin_now_ms() + admin->options.lifetime_ms;
    known->next = admin->connections;
    admin->connections = known;
    *context = known;
}

static void end(struct admin *admin, void **context) {
    struct admin_connection *known = *context;
    *context = NULL;
    for (struct admin_connection **at = &admin->connections; *at; at = &(*at)->next)
        if (*at == known) {
            *at = known->next;
            break;
        }
    free(known);
}

void admin_connections_notify(void *argument, struct MHD_Connection *connection, void **context,
                              enum MHD_ConnectionNotificationCode code) {
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        begin(argument, connection, context);
    else
        end(argument, context);
}

void admin_connections_expire(struct admin *admin) {
    uint64_t now_ms = admin_now_ms();
    for (struct admin_connection *known = admin->connections; known; known = known->next)
        if (known->deadline_ms <= now_ms) {
            shutdown(known->fd, SHUT_RDWR); /* the daemon sees its end and lets it go */
            known->deadline_ms = UINT64_MAX;
        }
}
