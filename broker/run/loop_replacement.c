/** The replacement of a lost store is over once the new one holds its part of the metadata durably: from then on a
 * start that finds no store must not take the old permission for a new one. */
#include "loop_internal.h"

#include "store_replacement.h"

void loop_end_replacement(struct loop *loop) {
    if (!loop->options.replacing_in || !node_holds_metadata(loop->options.node))
        return;
    struct lf_error error = {0};
    if (store_replacement_end(loop->options.replacing_in, &error) == LF_OK)
        log_line(loop->options.log, LOG_INFO, "the new store holds its part of the metadata: the replacement is done");
    else
        log_line(loop->options.log, LOG_WARN, "%s; the next start tries again", error.text);
    loop->options.replacing_in = NULL;
}
