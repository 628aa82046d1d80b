/** Rows of applied state as owned copies: one allocation holds key and value, freed through the key. */
#ifndef LOG_ROW_H
#define LOG_ROW_H

#include "log_store.h"

/** Copies key and value (data NULL stays NULL) into *row. LF_NO_MEMORY. */
enum lf_status log_row_init(struct log_store_row *row, struct lf_bytes key, struct lf_bytes value);
/** The value, of the same size, becomes another one. */
void log_row_overwrite(struct log_store_row *row, struct lf_bytes value);
void log_row_deinit(struct log_store_row *row);
/** Order of keys: bytes, then length. <0, 0, >0. */
int log_row_compare(struct lf_bytes a, struct lf_bytes b);

/** Room for one more item in *items (a pointer to the array pointer). LF_NO_MEMORY leaves all as it was. */
enum lf_status log_array_reserve(void *items, size_t *capacity, size_t count, size_t item_bytes);

#endif
