/** Which messages a command means: a link, a kind, a place among those that match. */
#include "script.h"

#include <stdlib.h>
#include <string.h>

static bool link_end(const char *word, uint64_t *id) {
    char *end;
    if (strcmp(word, "*") == 0) {
        *id = 0;
        return true;
    }
    *id = strtoull(word, &end, 10);
    return end != word && *end == '\0' && *id > 0;
}

void script_link(struct script *script, uint64_t *from, uint64_t *to) {
    const char *word = script_word(script, "a link such as 1->2");
    const char *arrow = strstr(word, "->");
    char left[SCRIPT_WORD_BYTES] = "";
    if (arrow)
        memcpy(left, word, (size_t)(arrow - word));
    if (!arrow || !link_end(left, from) || !link_end(arrow + 2, to))
        script_bad(script, "'%s' where a link is wanted, such as 1->2, 3->* or *->*", word);
}

void script_check_kind(const struct script *script, const char *kind) {
    for (int type = RAFT_PRE_VOTE_REQUEST; type <= RAFT_IMAGE_OFFER; type++)
        if (strcmp(script_kind_name((enum raft_message_type)type), kind) == 0)
            return;
    fprintf(stderr, "%s:%zu: no kind of message '%s'; there are:", script->path, script->line, kind);
    for (int type = RAFT_PRE_VOTE_REQUEST; type <= RAFT_IMAGE_OFFER; type++)
        fprintf(stderr, " %s", script_kind_name((enum raft_message_type)type));
    script_bad(script, "use one of these");
}

struct script_pattern script_pattern(struct script *script) {
    struct script_pattern pattern = {.place = 1};
    script_link(script, &pattern.from, &pattern.to);
    const char *word = script_peek(script);
    if (word && word[0] != '#' && word[0] != '.' && strcmp(word, "last") != 0) {
        pattern.kind = script_word(script, "a kind");
        script_check_kind(script, pattern.kind);
    }
    if (script_take(script, "last"))
        pattern.place = 0;
    word = script_peek(script);
    if (word && word[0] == '.')
        pattern.place = strtoull(script_word(script, "a place") + 1, NULL, 10);
    return pattern;
}

bool script_matches(const struct script_pattern *pattern, const struct script_message *candidate) {
    const struct raft_message *message = &candidate->message->message;
    return candidate->name[0] == '\0' && (pattern->from == 0 || pattern->from == message->from) &&
           (pattern->to == 0 || pattern->to == message->to) &&
           (!pattern->kind || strcmp(pattern->kind, script_kind_name(message->type)) == 0);
}
