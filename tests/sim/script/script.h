/** Scenarios as text: the shipped consensus core under a scripted network, disk and clock.
 *
 *  A file is a title (its first comment), commands, and under each command, indented, the trace that it has to give.
 *  docs/simulation.md has the language. Nothing happens by itself: no message arrives, no write completes and no time
 *  passes unless a command says so.
 *
 *  The hosts, the network's messages and every safety check are the ones of tests/sim/raft. What is replaced is what
 *  decides there: where that simulator draws when something happens (sim_at), a scenario keeps it until it is told.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include "../raft/sim.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

/** Words of one command line. */
#define SCRIPT_WORDS_MAX 64
/** Characters of a word, NUL included. */
#define SCRIPT_WORD_BYTES 48
/** Images one scenario may make. */
#define SCRIPT_IMAGES_MAX 64
/** Reads one scenario may ask. */
#define SCRIPT_READS_MAX 4096

struct script_message {
    struct sim_message *message;
    char name[SCRIPT_WORD_BYTES]; /**< not empty: kept aside under it, out of flight */
};

struct script_image {
    char name[SCRIPT_WORD_BYTES];
    uint64_t number; /**< in the world */
};

enum script_read_state { SCRIPT_READ_WAITS, SCRIPT_READ_ANSWERED, SCRIPT_READ_FAILED };

struct script_read {
    enum script_read_state state;
    uint64_t host;
    uint64_t floor; /**< highest commit anywhere when it began */
    uint64_t index;
};

/** What a scenario knows of a host besides the simulator's own. */
struct script_host {
    size_t written;      /**< the first writes on their way that are on the disk, with completions still to come */
    bool disk_held;      /**< `settle` completes none of its writes */
    enum lf_status told; /**< how its core answered the last proposal, read, transfer or change */
};

struct script_options {
    bool rewrite;
    bool show; /**< print commands and traces as they come */
    bool outcomes_only;
};

struct script {
    struct sim_world world; /**< first: the simulator's functions hand this one back */
    struct script_options options;
    const char *path;
    size_t line; /**< of the command under way, from 1 */
    char words[SCRIPT_WORDS_MAX][SCRIPT_WORD_BYTES];
    size_t word_count;
    size_t next_word;
    FILE *trace; /**< of the command under way */
    bool brief;  /**< only decisions, not every message and write */
    bool silent;
    struct script_host hosts[SIM_HOSTS_MAX];
    struct script_message *messages; /**< in the order they were sent */
    size_t message_count;
    size_t message_capacity;
    bool held[SIM_HOSTS_MAX][SIM_HOSTS_MAX];    /**< [from - 1][to - 1]: `settle` leaves this link alone */
    struct script_read reads[SCRIPT_READS_MAX]; /**< read N is reads[N - 1] */
    size_t read_count;
    struct script_image images[SCRIPT_IMAGES_MAX];
    size_t image_count;
    bool made;    /**< `nodes` was there */
    jmp_buf skip; /**< out of a command that cannot be carried out */
};

static inline struct script *script_of(const struct sim_world *world) { return (struct script *)(void *)world; }
static inline unsigned long long script_u(uint64_t value) { return value; }

/* file.c */
/** Runs the file; with options->rewrite puts the trace it gave into it. Returns whether it went as written. */
bool script_run_file(const char *path, const struct script_options *options);

/* words.c: all of them end the program, with file, line and what would be right, when the word is not there */
/** Cuts the line into words. */
void script_split(struct script *script, const char *line);
/** The next word, or NULL. */
const char *script_peek(const struct script *script);
bool script_take(struct script *script, const char *word);
const char *script_word(struct script *script, const char *wanted);
uint64_t script_number(struct script *script, const char *wanted);
/** A node that exists; with `up` one that runs. */
struct sim_host *script_node(struct script *script);
struct sim_host *script_node_up(struct script *script);
bool script_next_is_number(const struct script *script);
/** `2^1`: index and term. */
void script_entry_id(struct script *script, uint64_t *index, uint64_t *term);
/** `1x3 2x1`: runs of entries, as many as follow. */
size_t script_runs(struct script *script, struct sim_log *log);
void script_end_of_line(struct script *script);
/** The script is wrong at this line. Ends the program with 2. */
_Noreturn void script_bad(const struct script *script, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** What the scenario demands is not so. Ends the program with 1. */
_Noreturn void script_failed(const struct script *script, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** What the command is about is not there (a node that is down, a message that was not sent). Ends the program with 1;
 *  with outcomes only, where a changed core need not do the same, only the command. */
_Noreturn void script_absent(struct script *script, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* commands.c */
void script_command(struct script *script);

/* setup.c */
void script_nodes(struct script *script);
void script_limit(struct script *script);
void script_clock(struct script *script);
void script_seed(struct script *script);
void script_jump(struct script *script);
void script_disk_holds(struct script *script);
void script_start(struct script *script);
void script_deinit(struct script *script);

/* trace.c */
/** A line of the trace of this command. `detail`: left out where only decisions are shown. */
void script_say(struct script *script, bool detail, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* schedule.c */
static inline struct script_host *script_host(const struct sim_host *host) {
    return &script_of(host->world)->hosts[host->id - 1];
}
void script_tick_host(struct sim_host *host, uint64_t absent_ms);
void script_tick(struct script *script);
void script_elapse(struct script *script);
/** Puts a message into flight. */
void script_add_message(struct script *script, struct sim_message *message, const char *name);
struct sim_message *script_remove_message(struct script *script, size_t position);

/* pattern.c */
struct script_pattern {
    uint64_t from; /**< 0: any */
    uint64_t to;
    const char *kind; /**< NULL: any */
    uint64_t place;   /**< N-th that matches, from 1; 0: the last */
};
static inline bool script_is_link(const char *word) { return word && strstr(word, "->"); }
/** `1->2`, `3->*`; 0: any. */
void script_link(struct script *script, uint64_t *from, uint64_t *to);
void script_check_kind(const struct script *script, const char *kind);
/** `1->2 append .3`. */
struct script_pattern script_pattern(struct script *script);
/** Is it in flight, on that link, of that kind? */
bool script_matches(const struct script_pattern *pattern, const struct script_message *candidate);

/* links.c */
void script_hold(struct script *script);
void script_release(struct script *script);
void script_cut(struct script *script);
void script_heal(struct script *script);

/* messages.c */
void script_deliver(struct script *script);
void script_drop(struct script *script);
void script_duplicate(struct script *script);
void script_reorder(struct script *script);
void script_keep(struct script *script);
void script_copy(struct script *script);
void script_list(struct script *script);
/** Delivers the oldest message on a link that is not held. False: none. */
bool script_deliver_next(struct script *script);
/** Delivers the oldest message about elections between nodes of this set. False: none. */
bool script_deliver_election(struct script *script, const bool among[SIM_HOSTS_MAX]);
void script_drop_election(struct script *script, uint64_t from);
/** How many messages in flight match the words that follow (`1->2 append`). */
size_t script_count_messages(struct script *script);

/* describe.c */
void script_describe(FILE *out, const struct raft_message *message);
const char *script_kind_name(enum raft_message_type type);

/* disk.c */
void script_wrote(struct script *script);
void script_fail_write(struct script *script);
void script_stall(struct script *script);
void script_unstall(struct script *script);
void script_crash(struct script *script);
/** Completes the oldest write of this host. False: there is none. */
bool script_write_next(struct sim_host *host);

/* clients.c */
void script_propose(struct script *script);
void script_read(struct script *script);
void script_transfer(struct script *script);

/** What a core answered to the command under way. */
void script_told(struct script *script, struct sim_host *host, const char *what, enum lf_status status);

/* members.c */
void script_change(struct script *script);
void script_prefer(struct script *script);
/** `voters 1 2 outgoing 3 learners 4 epoch 5`, as much of it as there is. Returns whether there was any. */
bool script_members(struct script *script, struct raft_configuration *configuration);
void script_expect_members(struct script *script, const struct sim_host *host);

/* image.c */
void script_compact(struct script *script);
void script_image(struct script *script);
void script_install(struct script *script);
void script_offer(struct script *script);

/* run.c */
void script_settle(struct script *script);
void script_campaign(struct script *script);
void script_elect(struct script *script);
void script_run(struct script *script);

/* expect.c */
void script_expect(struct script *script);

#endif
