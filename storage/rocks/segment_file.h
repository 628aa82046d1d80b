/** One segment on its way to become a table file: a file of its own beside RocksDB's, entries added in order, finished
 *  and synced, then ingested (which gives it RocksDB's name) or abandoned. One thread at a time. */
#ifndef SEGMENT_FILE_H
#define SEGMENT_FILE_H

#include "rocks_db.h"

/** "segment-ID.building": what a crash leaves is removed at opening. */
#define SEGMENT_FILE_PREFIX "segment-"
#define SEGMENT_FILE_SUFFIX ".building"

/** Zero-initialise; id 0: none begun. */
struct segment_file {
    uint64_t id;
    struct log_segment running; /**< of the entries added; begun by the owner */
    rocksdb_sstfilewriter_t *writer;
    rocksdb_envoptions_t *environment;
    const char *directory; /**< borrowed for its lifetime */
};

/** Path of the file of this id: returns a text that the caller frees; NULL without memory. */
char *segment_file_path(const char *directory, uint64_t id);

/** Begins the file; `running` begins the descriptor (log_segment_begin). LF_IO, LF_NO_SPACE, LF_NO_MEMORY. */
enum lf_status segment_file_begin(struct segment_file *file, const struct rocks_db *db, const char *directory,
                                  uint64_t id, const struct log_segment *running, struct lf_error *error);
/** The next entry, checked by the caller. */
enum lf_status segment_file_add(struct segment_file *file, uint64_t index, struct lf_bytes entry,
                                struct lf_error *error);
/** Writes what is left and syncs; the file stays, `file` is as after initialisation. A segment without entries has no
 *  file: nothing is left then. On failure it is abandoned. */
enum lf_status segment_file_finish(struct segment_file *file, struct lf_error *error);
/** Closes and removes it. Fine when none is begun. */
void segment_file_abandon(struct segment_file *file);
/** Removes a finished file that nobody wants. */
void segment_file_remove(const char *directory, uint64_t id);

#endif
