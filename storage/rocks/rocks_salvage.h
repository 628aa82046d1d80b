/** Opening a store of which a segment's table cannot be opened: RocksDB opens some tables at once, and nothing at all
 *  when one of them has a damaged footer or index. A segment is repaired from a peer; the store is not lost with it. */
#ifndef ROCKS_SALVAGE_H
#define ROCKS_SALVAGE_H

#include "rocks_db.h"

/** Copies of damaged tables kept beside, by another name of the file (NUMBER.sst.torn.ID). */
#define ROCKS_SALVAGE_KEPT_MAX 8u

/** After opening failed with LF_DAMAGED: looks, without writing anything, for tables of segments that cannot be opened.
 *  Those are taken out of the store unread: their segments then lack their entries, which reads and scrubs say.
 *  LF_OK: some were, try to open again. LF_NOT_FOUND: it is not that. LF_IO, LF_NO_SPACE, LF_NO_MEMORY. */
enum lf_status rocks_salvage(const struct rocks_store_options *options, uint64_t node_id, struct lf_error *error);

#endif
