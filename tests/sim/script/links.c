/** Links that are left alone, and links that lose what is sent on them. */
#include "script.h"

#include <string.h>

/** Sets a flag of every link that matches. */
static void set_links(struct script *script, bool flags[SIM_HOSTS_MAX][SIM_HOSTS_MAX], uint64_t from, uint64_t to,
                      bool value) {
    for (uint32_t i = 0; i < script->world.options.nodes; i++)
        for (uint32_t k = 0; k < script->world.options.nodes; k++)
            if (i != k && (from == 0 || from == i + 1) && (to == 0 || to == k + 1))
                flags[i][k] = value;
}

static void hold(struct script *script, bool value) {
    uint64_t from, to;
    script_link(script, &from, &to);
    set_links(script, script->held, from, to, value);
}

void script_hold(struct script *script) { hold(script, true); }
void script_release(struct script *script) { hold(script, false); }

void script_cut(struct script *script) {
    uint64_t from, to;
    do {
        if (script_next_is_number(script)) {
            uint64_t id = script_node(script)->id;
            set_links(script, script->world.blocked, id, 0, true);
            set_links(script, script->world.blocked, 0, id, true);
        } else {
            script_link(script, &from, &to);
            set_links(script, script->world.blocked, from, to, true);
        }
    } while (script_peek(script));
}

void script_heal(struct script *script) { memset(script->world.blocked, 0, sizeof script->world.blocked); }
