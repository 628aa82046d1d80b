/** A node as protobuf messages carry it, judged. */
#ifndef METADATA_NODE_H
#define METADATA_NODE_H

#include "metadata_internal.h"

#include "metadata.pb-c.h"

/** LF_OK, or LF_INVALID in words: an id, a host, a port or a store UUID that cannot be. */
enum lf_status metadata_node_take(const Lf__MetadataNode *message, struct metadata_node *node, struct lf_error *error);
/** Exactly 16 bytes and not all zeroes. */
bool metadata_id_valid(ProtobufCBinaryData bytes);

#endif
