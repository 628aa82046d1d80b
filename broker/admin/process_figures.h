/** What the operating system says of this process. */
#ifndef PROCESS_FIGURES_H
#define PROCESS_FIGURES_H

#include "metrics.h"

/** What cannot be told stays 0. start_time_s is the caller's. */
void process_figures_read(struct metrics_process *process);

#endif
