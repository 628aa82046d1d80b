/** What cores decide: the list that a run is compared with. */
#include "../coverage.h"

const struct sim_decision sim_decisions[] = {
    SIM_CORE_DECISIONS,
    {"log begins later", "log begins after", "", 2},
    {"image offered", "offer an image", "", 3},
    {"image needed", "needs an image", "", 3},
    {"image installed", "install image", "", 3},
    {"offer dropped: malformed", "drop malformed offer", "", SIM_NEVER_SEEN},
    {"joint configuration left", "leave the joint configuration", "", 3},
    {"joint configuration in force", "configuration of", " 1 outgoing", 0},
    {"joint configuration in force", "configuration of", " 2 outgoing", 2},
    {"configuration in force", "configuration of", " 0 outgoing", 2},
    {"joint configuration in force, of more", "configuration of", " outgoing", 3},
};

const size_t sim_decision_count = sizeof sim_decisions / sizeof *sim_decisions;

_Static_assert(sizeof sim_decisions / sizeof *sim_decisions <= SIM_DECISIONS_MAX, "counters are enough");
