/** What whole nodes and clients decide: the list that a run is compared with. */
#include "../coverage.h"

const struct sim_decision sim_decisions[] = {
    SIM_CORE_DECISIONS,
    {"replica loaded", "runs: term", "", 1},
    {"replica destroyed with its topic", "destroyed: its topic was deleted", "", 1},
    {"image of a partition made", "image of", "rows,", 3},
    {"image installed", "image of", ": installed", 3},
    {"image not needed any more", "image of", "not needed", 0},
    {"image begun anew", "image of", "begins anew", 0},
    {"image waits for nobody", "pulls no image any more", "", 0},
    {"a group stopped: replicas disagree", "stopped:", "", SIM_NEVER_SEEN},
    {"damaged segment repaired", "segment", "repaired from", 0},
    {"damaged segment comes rewritten", "segments", "come rewritten from", 0},
    {"a client's reader goes on elsewhere", "again:", "", 1},
    {"a client renumbers after an unknown outcome", "raise to", "", 0},
    {"a client's connection ends", "gone", "", 1},
};

const size_t sim_decision_count = sizeof sim_decisions / sizeof *sim_decisions;

_Static_assert(sizeof sim_decisions / sizeof *sim_decisions <= SIM_DECISIONS_MAX, "counters are enough");
