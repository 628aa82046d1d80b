/** Who is behind a session number: the ROUTER's 5-byte routing ids <-> session numbers, which are never reused; and how
 *  much waits for each connection to read it. Pure.
 *
 *  Clients do not choose routing ids (one that reconnects under its own id can be ignored for good), so an id is always
 *  a zero byte and 4 bytes the ROUTER gave. Others are refused.
 *
 *  A connection outlives its sessions: ZeroMQ cannot be told to end it. So what waits for it is counted beyond the end
 *  of a session, and one that has not read it gets no new session.
 */
#ifndef SESSION_TABLE_H
#define SESSION_TABLE_H

#include "lf_bytes.h"
#include "lf_map.h"
#include "unsent.h"

#define SESSION_ROUTING_ID_BYTES 5
/** A connection whose session was closed gets another one once no more than this waits for it, in bytes. */
#define SESSION_REOPEN_BYTES (64u * 1024)

struct session_table {
    struct lf_map by_routing; /**< key: the 4 bytes, plus 1; also connections whose session was closed */
    struct lf_map by_number;
    uint64_t next_number;
    size_t sessions_max;
    struct unsent *sum; /**< over all connections */
};

/** False without memory. */
bool session_table_init(struct session_table *table, size_t sessions_max);
void session_table_deinit(struct session_table *table);
/** The session of this routing id, opened if need be. 0: a chosen routing id, a closed session's answers still wait to
 *  be read, the table is full, or no memory. */
uint64_t session_table_open(struct session_table *table, struct lf_bytes routing_id);
/** Fills in the routing id. False: no such session (any more). */
bool session_table_find(const struct session_table *table, uint64_t session,
                        uint8_t routing_id[SESSION_ROUTING_ID_BYTES]);
/** What waits for its connection; NULL: no such session (any more). Borrowed until the next call. */
struct unsent *session_table_unsent(const struct session_table *table, uint64_t session);
/** Forgets; unknown ones are fine. What its client sends later is a new session. */
void session_table_close(struct session_table *table, uint64_t session);

#endif
