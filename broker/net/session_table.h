/** Who is behind a session number: the ROUTER's 5-byte routing ids <-> session numbers, which are never reused. Pure.
 *
 *  Clients do not choose routing ids (one that reconnects under its own id can be ignored for good), so an id is always
 *  a zero byte and 4 bytes the ROUTER gave. Others are refused.
 */
#ifndef SESSION_TABLE_H
#define SESSION_TABLE_H

#include "lf_bytes.h"
#include "lf_map.h"

#define SESSION_ROUTING_ID_BYTES 5

struct session_table {
    struct lf_map by_routing; /**< key: the 4 bytes, plus 1 */
    struct lf_map by_number;
    uint64_t next_number;
    size_t sessions_max;
};

void session_table_init(struct session_table *table, size_t sessions_max);
void session_table_deinit(struct session_table *table);
/** The session of this routing id, opened if need be. 0: a chosen routing id, the table is full, or no memory. */
uint64_t session_table_open(struct session_table *table, struct lf_bytes routing_id);
/** Fills in the routing id. False: no such session (any more). */
bool session_table_find(const struct session_table *table, uint64_t session,
                        uint8_t routing_id[SESSION_ROUTING_ID_BYTES]);
/** Forgets; unknown ones are fine. What its client sends later is a new session. */
void session_table_close(struct session_table *table, uint64_t session);

#endif
