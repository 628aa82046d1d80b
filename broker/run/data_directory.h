/** The data directory: DATA/store (RocksDB), DATA/incarnation. What is there decides what a start may do. */
#ifndef DATA_DIRECTORY_H
#define DATA_DIRECTORY_H

#include "config.h"

enum data_start {
    DATA_OPEN,      /**< a store must be there */
    DATA_BOOTSTRAP, /**< none may be there: found a cluster */
    DATA_DEV,       /**< whichever: found one if there is none */
    DATA_JOIN,      /**< whichever: a new store is made to join a cluster */
};

/** Judges before anything is touched; *create says whether the store is to be made. LF_OK; LF_INVALID with what the
 *  operator should do; LF_IO. */
enum lf_status data_directory_judge(const char *data, enum data_start start, bool *create, struct lf_error *error);
/** Opens the store, or makes directory and store, and gives this start its incarnation. The store's errors pass. */
enum lf_status data_directory_open(const struct config *config, enum data_start start, bool create,
                                   struct log_store **store, uint64_t *incarnation, struct lf_error *error);

#endif
