#include "script.h"

#include <string.h>

struct command {
    const char *name;
    void (*carry_out)(struct script *script);
    bool brief; /**< shows decisions only */
    const char *usage;
};

static const struct command commands[] = {
    {"nodes", script_nodes, false, "nodes COUNT [voters NODE...] [learners NODE...]"},
    {"limit", script_limit, false, "limit NAME VALUE    (a field of raft_limits; before the first start)"},
    {"clock", script_clock, false,
     "clock NODE MS       (what its clock shows at the beginning; before its first start)"},
    {"seed", script_seed, false, "seed NODE NUMBER    (its election timeouts, from its next start on)"},
    {"jump", script_jump, false, "jump NODE MS        (its clock goes ahead)"},
    {"disk", script_disk_holds, false,
     "disk NODE [empty | ends I] [term T] [vote V] [commit C] [log TERMxCOUNT...]    (what it holds; while the node is "
     "down)"},
    {"start", script_start, false, "start [NODE...]     (all that are down, when none is named)"},
    {"crash", script_crash, false, "crash NODE [keeping COUNT | keeping all]    (loses its unfinished writes, or not)"},
    {"tick", script_tick, false, "tick NODE... | all [absent MS]"},
    {"elapse", script_elapse, false, "elapse MS           (time goes on; nobody ticks)"},
    {"deliver", script_deliver, false, "deliver [all] FROM->TO [KIND] [.N | last] | deliver NAME"},
    {"drop", script_drop, false, "drop [all] FROM->TO [KIND] [.N | last] | drop NAME"},
    {"duplicate", script_duplicate, false, "duplicate [all] FROM->TO [KIND] [.N | last]"},
    {"reorder", script_reorder, false, "reorder [all] FROM->TO [KIND] [.N | last]    (behind all others)"},
    {"keep", script_keep, false, "keep NAME FROM->TO [KIND] [.N | last]    (takes it out of flight)"},
    {"copy", script_copy, false, "copy NAME FROM->TO [KIND] [.N | last]    (keeps a copy)"},
    {"hold", script_hold, false, "hold FROM->TO       (settle and run leave the link alone)"},
    {"release", script_release, false, "release FROM->TO"},
    {"cut", script_cut, false, "cut FROM->TO | cut NODE    (loses what is sent; NODE: both ways)"},
    {"heal", script_heal, false, "heal"},
    {"wrote", script_wrote, false, "wrote NODE [.N | all]    (its oldest write completes, its N-th, or all)"},
    {"fail-write", script_fail_write, false, "fail-write NODE [.N] [kept]    (kept: it is on the disk all the same)"},
    {"stall", script_stall, false, "stall NODE          (settle and run complete none of its writes)"},
    {"unstall", script_unstall, false, "unstall NODE"},
    {"propose", script_propose, false, "propose NODE [COUNT] [bytes B...]"},
    {"read", script_read, false, "read NODE"},
    {"transfer", script_transfer, false, "transfer NODE [to NODE]"},
    {"change", script_change, false, "change NODE voters NODE... [learners NODE...] [epoch E]"},
    {"prefer", script_prefer, false, "prefer NODE NODE    (who should lead; 0: nobody special)"},
    {"compact", script_compact, false, "compact NODE INDEX    (its log begins after INDEX from now on)"},
    {"image", script_image, false, "image NAME NODE     (of what its state machine is at its commit)"},
    {"install", script_install, false, "install NODE NAME   (that image was staged there: in the place of its log)"},
    {"offer", script_offer, false, "offer NODE to NODE [index INDEX]    (an image, although the log would do)"},
    {"settle", script_settle, true, "settle [within N]   (delivers and completes until nothing is left to do)"},
    {"campaign", script_campaign, false, "campaign NODE       (time goes on to its election timeout, and it ticks)"},
    {"elect", script_elect, true,
     "elect NODE [with NODE...]    (campaign, settle, and it has to lead; 'with': votes of these only, its no-op in "
     "flight)"},
    {"run", script_run, true, "run MS              (time goes on, who is due ticks, settle)"},
    {"list", script_list, false, "list                (messages in flight and writes under way)"},
    {"expect", script_expect, false,
     "expect NODE ROLE | FACT VALUE ... | expect [no] FROM->TO [KIND] | expect read N ... | expect leader"},
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static _Noreturn void unknown(const struct script *script, const char *name) {
    fprintf(stderr, "%s:%zu: no command '%s'; there are:\n", script->path, script->line, name);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(stderr, "    %s\n", commands[i].usage);
    script_bad(script, "use one of these");
}

void script_command(struct script *script) {
    script->silent = script_take(script, "quiet");
    bool loud = script_take(script, "loud");
    const char *name = script_word(script, "a command");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        script->brief = commands[i].brief && !loud;
        commands[i].carry_out(script);
        if (script_peek(script))
            script_bad(script, "'%s' is too much; usage: %s", script_peek(script), commands[i].usage);
        return;
    }
    unknown(script, name);
}
