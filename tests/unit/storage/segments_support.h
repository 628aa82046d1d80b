/** Groups made of segments for tests: the entry at index i is contract_entry(group, i, 1, i, payload_bytes). */
#ifndef SEGMENTS_SUPPORT_H
#define SEGMENTS_SUPPORT_H

#include "contract.h"

/** The descriptor of these entries. */
struct log_segment segments_describe(uint64_t group, uint64_t first_index, uint64_t last_index, size_t payload_bytes);

/** Creates the group with `count` sealed segments of `entries` entries each, one write per segment. */
void segments_make(struct contract *contract, uint64_t group, uint32_t count, uint32_t entries, size_t payload_bytes);
/** The same behind what the group has, all of which is sealed. */
void segments_make_more(struct contract *contract, uint64_t group, uint32_t count, uint32_t entries,
                        size_t payload_bytes);
/** Appends and applies entries. */
void segments_append(struct contract *contract, uint64_t group, uint32_t entries, size_t payload_bytes);
/** Seals all that is applied and in no segment, of entries that segments_append made. */
void segments_seal(struct contract *contract, uint64_t group);
void segments_drop(struct contract *contract, uint64_t group, uint64_t before);
/** Stages these entries in pieces of 30. */
void segments_stage(struct contract *contract, uint64_t group, uint64_t first_index, uint64_t last_index,
                    size_t payload_bytes);
/** The staged segment takes the place of the one that is held. */
void segments_replace(struct contract *contract, uint64_t group, uint64_t first_index, uint64_t last_index,
                      size_t payload_bytes);
/** A read from first_index on gives exactly these. */
void segments_expect(struct contract *contract, uint64_t group, uint64_t first_index, uint32_t count,
                     size_t payload_bytes);

#endif
