/** Messages in flight: told apart by link, kind and place among those that match, or kept aside under a name. */
#include "script.h"

#include <stdlib.h>
#include <string.h>

struct pattern {
    uint64_t from; /**< 0: any */
    uint64_t to;
    const char *kind; /**< NULL: any */
    uint64_t place;   /**< N-th that matches, from 1; 0: the last */
    bool all;
};

static bool link_end(const char *word, uint64_t *id) {
    char *end;
    if (strcmp(word, "*") == 0) {
        *id = 0;
        return true;
    }
    *id = strtoull(word, &end, 10);
    return end != word && *end == '\0' && *id > 0;
}

static bool is_link(const char *word) { return word && strstr(word, "->"); }

static void read_link(struct script *script, uint64_t *from, uint64_t *to) {
    const char *word = script_word(script, "a link such as 1->2");
    const char *arrow = strstr(word, "->");
    char left[SCRIPT_WORD_BYTES] = "";
    if (arrow)
        memcpy(left, word, (size_t)(arrow - word));
    if (!arrow || !link_end(left, from) || !link_end(arrow + 2, to))
        script_bad(script, "'%s' where a link is wanted, such as 1->2, 3->* or *->*", word);
}

static void check_kind(const struct script *script, const char *kind) {
    for (int type = RAFT_PRE_VOTE_REQUEST; type <= RAFT_READ_REPLY; type++)
        if (strcmp(script_kind_name((enum raft_message_type)type), kind) == 0)
            return;
    fprintf(stderr, "%s:%zu: no kind of message '%s'; there are:", script->path, script->line, kind);
    for (int type = RAFT_PRE_VOTE_REQUEST; type <= RAFT_READ_REPLY; type++)
        fprintf(stderr, " %s", script_kind_name((enum raft_message_type)type));
    script_bad(script, "use one of these");
}

static struct pattern read_pattern(struct script *script) {
    struct pattern pattern = {.place = 1};
    read_link(script, &pattern.from, &pattern.to);
    const char *word = script_peek(script);
    if (word && word[0] != '#' && word[0] != '.' && strcmp(word, "last") != 0) {
        pattern.kind = script_word(script, "a kind");
        check_kind(script, pattern.kind);
    }
    if (script_take(script, "last"))
        pattern.place = 0;
    word = script_peek(script);
    if (word && word[0] == '.')
        pattern.place = strtoull(script_word(script, "a place") + 1, NULL, 10);
    return pattern;
}

static bool matches(const struct pattern *pattern, const struct script_message *candidate) {
    const struct raft_message *message = &candidate->message->message;
    return candidate->name[0] == '\0' && (pattern->from == 0 || pattern->from == message->from) &&
           (pattern->to == 0 || pattern->to == message->to) &&
           (!pattern->kind || strcmp(pattern->kind, script_kind_name(message->type)) == 0);
}

static void describe_at(const struct script *script, size_t position, char *text, size_t bytes) {
    FILE *out = fmemopen(text, bytes, "w");
    const char *name = script->messages[position].name;
    if (!out)
        exit(2);
    script_describe(out, &script->messages[position].message->message);
    if (name[0] != '\0')
        fprintf(out, " (kept as %s)", name);
    fclose(out);
}

static _Noreturn void none_such(const struct script *script, const char *what) {
    char text[256];
    fprintf(stderr, "in flight are:%s\n", script->message_count == 0 ? " none" : "");
    for (size_t i = 0; i < script->message_count; i++) {
        describe_at(script, i, text, sizeof text);
        fprintf(stderr, "    %s\n", text);
    }
    script_failed(script, "no such message: %s", what);
}

/** Position of the message, or message_count when there is none. */
static size_t find(const struct script *script, const struct pattern *pattern) {
    size_t found = script->message_count, seen = 0;
    for (size_t i = 0; i < script->message_count; i++) {
        if (!matches(pattern, &script->messages[i]))
            continue;
        seen++;
        if (pattern->place == 0 || seen == pattern->place)
            found = i;
    }
    return found;
}

/** The one message the script names; message_count, with outcomes only, when a changed core did not send it. */
static size_t find_one(struct script *script, const struct pattern *pattern) {
    size_t found = find(script, pattern);
    if (found == script->message_count && !script->options.outcomes_only)
        none_such(script, script->words[script->next_word - 1]);
    return found;
}

static void deliver_at(struct script *script, size_t position) {
    struct sim_event event = {.kind = SIM_DELIVER};
    event.host = script->messages[position].message->message.to;
    event.message = script_remove_message(script, position);
    sim_deliver(&script->world, &event);
}

static void drop_at(struct script *script, size_t position) {
    struct sim_message *message = script_remove_message(script, position);
    sim_message_release(&message);
}

static void duplicate_at(struct script *script, size_t position, const char *name) {
    struct sim_message *message = script->messages[position].message;
    message->references++;
    script_add_message(script, message, name);
}

/** Carries `act` out for the message named, or for all there are now that match. */
static void for_messages(struct script *script, void (*act)(struct script *script, size_t position)) {
    const char *word = script_peek(script);
    for (size_t i = 0; word && !is_link(word) && i < script->message_count; i++) {
        if (strcmp(script->messages[i].name, word) != 0)
            continue;
        script->next_word++;
        act(script, i);
        return;
    }
    bool all = script_take(script, "all");
    if (!all && word && !is_link(word)) {
        script->next_word++;
        if (script->options.outcomes_only)
            return;
        none_such(script, word);
    }
    struct pattern pattern = {.place = 1};
    if (!all || is_link(script_peek(script)))
        pattern = read_pattern(script);
    if (!all) {
        size_t position = find_one(script, &pattern);
        if (position < script->message_count)
            act(script, position);
        return;
    }
    size_t left = 0;
    for (size_t i = 0; i < script->message_count; i++)
        left += matches(&pattern, &script->messages[i]);
    for (pattern.place = 1; left > 0; left--) { /* what comes of it is behind them */
        size_t before = script->message_count, position = find(script, &pattern);
        if (position == before)
            return;
        act(script, position);
        if (script->message_count > before)
            pattern.place++; /* a duplicate: the original is still there */
    }
}

static void duplicate_plainly(struct script *script, size_t position) { duplicate_at(script, position, ""); }

void script_deliver(struct script *script) { for_messages(script, deliver_at); }
void script_drop(struct script *script) { for_messages(script, drop_at); }
void script_duplicate(struct script *script) { for_messages(script, duplicate_plainly); }

static size_t named(struct script *script, char name[SCRIPT_WORD_BYTES]) {
    snprintf(name, SCRIPT_WORD_BYTES, "%s", script_word(script, "a name"));
    if (is_link(name))
        script_bad(script, "a name comes first: keep NAME %s", name);
    struct pattern pattern = read_pattern(script);
    return find_one(script, &pattern);
}

void script_keep(struct script *script) {
    char name[SCRIPT_WORD_BYTES];
    size_t position = named(script, name);
    if (position < script->message_count)
        snprintf(script->messages[position].name, SCRIPT_WORD_BYTES, "%s", name);
}

void script_copy(struct script *script) {
    char name[SCRIPT_WORD_BYTES];
    size_t position = named(script, name);
    if (position < script->message_count)
        duplicate_at(script, position, name);
}

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
    read_link(script, &from, &to);
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
            read_link(script, &from, &to);
            set_links(script, script->world.blocked, from, to, true);
        }
    } while (script_peek(script));
}

void script_heal(struct script *script) { memset(script->world.blocked, 0, sizeof script->world.blocked); }

static bool is_about_elections(const struct raft_message *message) {
    return message->type == RAFT_PRE_VOTE_REQUEST || message->type == RAFT_PRE_VOTE_REPLY ||
           message->type == RAFT_VOTE_REQUEST || message->type == RAFT_VOTE_REPLY;
}

bool script_deliver_election(struct script *script, const bool among[SIM_HOSTS_MAX]) {
    for (size_t i = 0; i < script->message_count; i++) {
        const struct raft_message *message = &script->messages[i].message->message;
        if (script->messages[i].name[0] != '\0' || !is_about_elections(message) || !among[message->from - 1] ||
            !among[message->to - 1])
            continue;
        deliver_at(script, i);
        return true;
    }
    return false;
}

void script_drop_election(struct script *script, uint64_t from) {
    for (size_t i = script->message_count; i > 0; i--) {
        const struct script_message *candidate = &script->messages[i - 1];
        if (candidate->name[0] == '\0' && candidate->message->message.from == from &&
            is_about_elections(&candidate->message->message))
            drop_at(script, i - 1);
    }
}

bool script_deliver_next(struct script *script) {
    for (size_t i = 0; i < script->message_count; i++) {
        const struct raft_message *message = &script->messages[i].message->message;
        if (script->messages[i].name[0] != '\0' || script->held[message->from - 1][message->to - 1])
            continue;
        deliver_at(script, i);
        return true;
    }
    return false;
}

size_t script_count_messages(struct script *script) {
    struct pattern pattern = read_pattern(script);
    size_t count = 0;
    for (size_t i = 0; i < script->message_count; i++)
        count += matches(&pattern, &script->messages[i]);
    return count;
}

void script_list(struct script *script) {
    char text[256];
    for (size_t i = 0; i < script->message_count; i++) {
        describe_at(script, i, text, sizeof text);
        script_say(script, false, "%s", text);
    }
    for (uint32_t i = 0; i < script->world.options.nodes; i++) {
        const struct sim_disk *disk = &script->world.hosts[i].disk;
        for (size_t k = 0; k < disk->write_count; k++)
            script_say(script, false, "node=%u write %llu under way", i + 1, script_u(disk->writes[k].token));
    }
}
