/** The operators' HTTP listener: /metrics, /healthz, /readyz, /status. One thread of its own; only GET and HEAD.
 *
 *  Bounds: connections_max at a time, 16 KiB of memory each (so that no request head is larger), timeout_ms of silence
 *  and lifetime_ms in all, ADMIN_ANSWER_MS_MAX for an answer of the loop. Nothing a client does here holds up the loop:
 *  it hands out a copy of its figures when asked, one at a time, and all who wait get the same.
 */
#ifndef ADMIN_H
#define ADMIN_H

#include "admin_link.h"

/** A page whose figures the loop did not give by then is answered with 503, in ms. */
#define ADMIN_ANSWER_MS_MAX 1000
/** Memory of one connection; a longer request head is refused (431). */
#define ADMIN_CONNECTION_BYTES_MAX (16u * 1024)

struct admin_options {
    const char *bind; /**< numeric address or "*"; borrowed for admin_new */
    uint32_t port;
    uint32_t connections_max;
    uint32_t timeout_ms;  /**< silence that ends a connection; whole seconds count, at least one */
    uint32_t lifetime_ms; /**< a connection ends after so long, whatever comes and goes on it */
    uint32_t groups_max;  /**< groups with series of their own */
    uint32_t stuck_ms;    /**< a loop that did not turn for longer is not healthy */
    const char *version;  /**< static */
};

struct admin;

/** Listens; nobody is answered before admin_start. LF_OK with *admin (caller destroys); LF_IO (address in use, ...) and
 *  LF_INVALID in words, LF_NO_MEMORY. */
enum lf_status admin_new(const struct admin_options *options, struct admin **admin, struct lf_error *error);
/** For the loop; owned by admin. */
struct admin_link *admin_link(struct admin *admin);
/** Starts the thread, with all signals blocked. `store` is borrowed until admin_destroy. LF_IO in words. */
enum lf_status admin_start(struct admin *admin, const struct log_store *store, struct lf_error *error);
/** Ends the thread and every connection. The loop must not touch the link any more. NULL inside is fine; leaves NULL.
 */
void admin_destroy(struct admin **admin);

#endif
