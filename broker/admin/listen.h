/** A listening TCP socket on a numeric address. */
#ifndef LISTEN_H
#define LISTEN_H

#include "lf_status.h"

#include <stdint.h>

/** host: numeric IPv4 or IPv6, or "*" (all IPv4 interfaces). LF_OK with *fd (caller closes), LF_INVALID, LF_IO in
 *  words. */
enum lf_status listen_on(const char *host, uint32_t port, int *fd, struct lf_error *error);

#endif
