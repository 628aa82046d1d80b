/** Making completions: what the stores have in common. */
#ifndef LOG_COMPLETION_H
#define LOG_COMPLETION_H

#include "log_store.h"

/** Returns (caller destroys) an empty completion with status LF_OK, or NULL without memory. */
struct log_store_completion *log_completion_new(enum log_store_done kind, uint64_t group, uint64_t id);

#endif
