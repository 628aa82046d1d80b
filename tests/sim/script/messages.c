/** Messages in flight: told apart by link, kind and place among those that match, or kept aside under a name. */
#include "script.h"

#include <stdlib.h>
#include <string.h>

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

static _Noreturn void none_such(struct script *script, const char *what) {
    char text[256];
    if (script->options.outcomes_only)
        script_absent(script, "%s", what);
    fprintf(stderr, "in flight are:%s\n", script->message_count == 0 ? " none" : "");
    for (size_t i = 0; i < script->message_count; i++) {
        describe_at(script, i, text, sizeof text);
        fprintf(stderr, "    %s\n", text);
    }
    script_failed(script, "no such message: %s", what);
}

/** Position of the message, or message_count when there is none. */
static size_t find(const struct script *script, const struct script_pattern *pattern) {
    size_t found = script->message_count, seen = 0;
    for (size_t i = 0; i < script->message_count; i++) {
        if (!script_matches(pattern, &script->messages[i]))
            continue;
        seen++;
        if (pattern->place == 0 || seen == pattern->place)
            found = i;
    }
    return found;
}

/** The one message the script names. */
static size_t find_one(struct script *script, const struct script_pattern *pattern) {
    size_t found = find(script, pattern);
    if (found == script->message_count)
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
    for (size_t i = 0; word && !script_is_link(word) && i < script->message_count; i++) {
        if (strcmp(script->messages[i].name, word) != 0)
            continue;
        script->next_word++;
        act(script, i);
        return;
    }
    bool all = script_take(script, "all");
    if (!all && word && !script_is_link(word)) {
        script->next_word++;
        none_such(script, word);
    }
    struct script_pattern pattern = {.place = 1};
    if (!all || script_is_link(script_peek(script)))
        pattern = script_pattern(script);
    if (!all) {
        act(script, find_one(script, &pattern));
        return;
    }
    size_t left = 0;
    for (size_t i = 0; i < script->message_count; i++)
        left += script_matches(&pattern, &script->messages[i]);
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
static void put_last(struct script *script, size_t position) {
    struct sim_message *message = script_remove_message(script, position);
    script_add_message(script, message, "");
}

void script_reorder(struct script *script) { for_messages(script, put_last); }
void script_duplicate(struct script *script) { for_messages(script, duplicate_plainly); }

static size_t named(struct script *script, char name[SCRIPT_WORD_BYTES]) {
    snprintf(name, SCRIPT_WORD_BYTES, "%s", script_word(script, "a name"));
    if (script_is_link(name))
        script_bad(script, "a name comes first: keep NAME %s", name);
    struct script_pattern pattern = script_pattern(script);
    return find_one(script, &pattern);
}

void script_keep(struct script *script) {
    char name[SCRIPT_WORD_BYTES];
    size_t position = named(script, name);
    snprintf(script->messages[position].name, SCRIPT_WORD_BYTES, "%s", name);
}

void script_copy(struct script *script) {
    char name[SCRIPT_WORD_BYTES];
    duplicate_at(script, named(script, name), name);
}

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
    struct script_pattern pattern = script_pattern(script);
    size_t count = 0;
    for (size_t i = 0; i < script->message_count; i++)
        count += script_matches(&pattern, &script->messages[i]);
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
