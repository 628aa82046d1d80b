#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/** Connections the kernel holds until they are accepted. */
#define BACKLOG 16

static enum lf_status make_address(const char *host, uint32_t port, struct sockaddr_storage *out, socklen_t *size,
                                   struct lf_error *error) {
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (strcmp(host, "*") == 0)
        host = "0.0.0.0";
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        *size = sizeof *four;
        return LF_OK;
    }
    if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)port);
        *size = sizeof *six;
        return LF_OK;
    }
    return lf_error_set(error, LF_INVALID, "admin.bind: %.100s is no numeric address", host);
}

enum lf_status listen_on(const char *host, uint32_t port, int *fd, struct lf_error *error) {
    struct sockaddr_storage address;
    socklen_t size = 0;
    int on = 1;
    enum lf_status status = make_address(host, port, &address, &size, error);
    if (status != LF_OK)
        return status;
    *fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd >= 0 && setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(*fd, (struct sockaddr *)&address, size) == 0 && listen(*fd, BACKLOG) == 0)
        return LF_OK;
    status = lf_error_set(error, LF_IO, "cannot listen on http://%.100s:%u (admin): %s", host, port, strerror(errno));
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return status;
}
