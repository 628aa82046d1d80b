/** Every record ever published with what its publisher was told, and what readers saw where. */
#ifndef SIM_LEDGER_H
#define SIM_LEDGER_H

#include "lf_record_batch.h"
#include "logflume.h"
#include "sim.h"

#define SIM_PARTITIONS_MAX 6
#define SIM_VALUE_BYTES_MAX 65536
#define SIM_KEYS 23 /* two digits at most */

/** What is in one partition, as readers saw it, and what publishers were promised. */
struct sim_partition {
    uint64_t *ids; /**< ids[offset]; 0: not seen yet */
    size_t count, capacity;
    int64_t acked_end;                     /**< offset after the last acknowledged one */
    int64_t log_start;                     /**< the highest that any replica ever applied */
    uint64_t last_outcome[SIM_ACTORS_MAX]; /**< record, by publisher: outcomes come in order */
};

enum sim_topic_state { SIM_TOPIC_CREATING, SIM_TOPIC_LIVE, SIM_TOPIC_DELETING, SIM_TOPIC_GONE, SIM_TOPIC_UNSURE };

/** A name. Topics that are made again keep it; then only what was promised of the last one can be checked. */
struct sim_topic {
    char name[24];
    uint32_t partition_count, replicas;
    bool main; /**< lives for ever */
    bool delete_asked;
    bool retains;  /**< it was asked, once, to keep less than all */
    bool compacts; /**< ... of each key the last record */
    enum sim_topic_state state;
    struct sim_partition partitions[SIM_PARTITIONS_MAX];
};

enum sim_outcome { SIM_PENDING, SIM_ACKED, SIM_NOT_DONE, SIM_UNKNOWN };

struct sim_record {
    struct sim_world *world;
    uint64_t id;
    uint32_t publisher; /**< actor number */
    uint64_t life;
    struct sim_topic *topic;
    int32_t asked_partition; /**< -1: the client chooses */
    bool keyed;
    bool tombstone; /**< its value is null; a header says which record it is */
    uint32_t value_bytes;
    enum sim_outcome outcome;
    enum lf_status status;
    int32_t partition; /**< as told */
    int64_t offset;
    uint64_t published_at;
    /* by the readers at the end: */
    uint32_t found;
    int32_t found_partition;
    int64_t found_offset;
};

struct sim_topic *sim_topic_add(struct sim_world *world, const char *name, uint32_t partitions, uint32_t replicas,
                                bool main);
struct sim_topic *sim_topic_find(struct sim_world *world, const char *name);
/** A new record of that publisher; fill in topic and the rest. */
struct sim_record *sim_record_new(struct sim_world *world, uint32_t publisher, uint64_t life);
/** Its bytes, made from its id. Returns how many. */
size_t sim_record_value(const struct sim_record *record, uint8_t bytes[SIM_VALUE_BYTES_MAX]);
size_t sim_record_key(const struct sim_record *record, char key[16]);
/** Which of SIM_KEYS; -1: none. */
int sim_record_key_number(const struct sim_record *record);
/** The last of a key in a partition, as far as readers and publishers know; -1: none. */
struct sim_key {
    int64_t seen;           /**< by a reader */
    int64_t acked;          /**< offset that its publisher was told */
    bool seen_tombstone;    /**< what was seen last is one */
    bool unknown_tombstone; /**< one whose outcome is not known: it may have come last, and be gone */
};
void sim_ledger_keys(const struct sim_world *world, const struct sim_topic *topic, uint32_t partition,
                     struct sim_key keys[SIM_KEYS]);
/** That of a record as it was read; 0: it says none. */
uint64_t sim_record_id(const struct lf_record *read);
/** The client told what became of it (lf_delivery_callback; context is the record). */
void sim_record_outcome(const struct lf_delivery *delivery);
/** Never heard of again: its client is no more. */
void sim_record_abandon(struct sim_record *record);
/** Somebody read this: the same as everybody else at this offset, byte for byte as published. */
struct sim_record *sim_ledger_read(struct sim_world *world, struct sim_topic *topic, int32_t partition,
                                   const struct lf_record *read, const char *reader);
/** At the end, with everything seen: exactly once, in order, at its offset; at most once; never. */
void sim_ledger_verify(struct sim_world *world);
void sim_ledger_deinit(struct sim_world *world);

#endif
