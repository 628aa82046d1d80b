/** The data directory: DATA/store (RocksDB), DATA/incarnation. What is there decides what a start may do. */
#ifndef DATA_DIRECTORY_H
#define DATA_DIRECTORY_H

#include "config.h"
#include "log.h"

enum data_start {
    DATA_OPEN,      /**< a store must be there */
    DATA_BOOTSTRAP, /**< none may be there: found a cluster */
    DATA_DEV,       /**< whichever: found one if there is none */
    DATA_JOIN,      /**< whichever: a new store is made to join a cluster */
};

/** What becomes of a store that is lost as a whole (store_replacement.h). A replacement that is under way goes on in
 * any case. */
enum data_replace {
    DATA_REPLACE_NEVER,
    DATA_REPLACE_DAMAGED, /**< one that is found damaged is replaced; one that is not there is not: it may be on a disk
                               that is not there yet */
    DATA_REPLACE_LOST,    /**< one that is not there as well: the operator says so, for this start */
};

struct data_opened {
    struct log_store *store;
    uint64_t incarnation;
    bool replaces; /**< the store takes a lost one's place, and the cluster may not know it yet */
};

/** Judges before anything is touched; *create says whether the store is to be made. LF_OK; LF_INVALID with what the
 *  operator should do; LF_DAMAGED, LF_IO. */
enum lf_status data_directory_judge(const struct config *config, enum data_start start, enum data_replace replace,
                                    bool *create, struct lf_error *error);
/** Opens the store, makes directory and store, or replaces a store that is lost, saying so on the log; and gives this
 *  start its incarnation. The store's errors pass. */
enum lf_status data_directory_open(const struct config *config, enum data_start start, enum data_replace replace,
                                   bool create, struct log *log, struct data_opened *opened, struct lf_error *error);
/** The store, closed by now, was found damaged while it ran: no later start takes it for whole. LF_IO. */
enum lf_status data_directory_condemn(const char *data, const char *words, struct lf_error *error);

#endif
