/** The rows that group 0's applied state is kept as: protobuf values (protocol/metadata.proto), keys that sort.
 *
 *  "c"                   configuration: u8 version 1, u64 index (little-endian), then the entry's payload
 *  "m"                   MetadataCounters
 *  "n" u64 node          MetadataNode
 *  "t" u64 topic u32 k   MetadataTopic with partitions k*N ... k*N+N-1 only (N: METADATA_ROW_PARTITIONS), since a
 *                        row has a hard limit; name, replicas, deleted and settings are in row 0
 *
 *  Numbers in keys are big-endian. Decoders take nothing on trust.
 */
#ifndef METADATA_ROWS_H
#define METADATA_ROWS_H

#include "metadata_internal.h"

#define METADATA_ROW_VERSION 1
#define METADATA_ROW_PARTITIONS 1000u
#define METADATA_CONFIGURATION_ROW_FIXED_BYTES 9
#define METADATA_KEY_BYTES_MAX 13

/** Who takes rows: key and value are borrowed for the call. Anything but LF_OK ends the walk. */
typedef enum lf_status metadata_row_sink(void *context, struct lf_bytes key, struct lf_bytes value);

/** Give one thing's rows to the sink. The sink's status, or LF_NO_MEMORY. */
enum lf_status metadata_rows_counters(const struct metadata *metadata, metadata_row_sink *sink, void *context);
enum lf_status metadata_rows_node(const struct metadata_node *node, metadata_row_sink *sink, void *context);
enum lf_status metadata_rows_topic(const struct metadata_topic *topic, metadata_row_sink *sink, void *context);
/** Only the row that holds this partition. */
enum lf_status metadata_rows_topic_one(const struct metadata_topic *topic, uint32_t partition, metadata_row_sink *sink,
                                       void *context);
enum lf_status metadata_rows_configuration(const struct metadata *metadata, metadata_row_sink *sink, void *context);
/** All rows, in key order. */
enum lf_status metadata_rows_all(const struct metadata *metadata, metadata_row_sink *sink, void *context);

#endif
