#include "script.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void script_bad(const struct script *script, const char *format, ...) {
    va_list args;
    fflush(stdout);
    fprintf(stderr, "%s:%zu: ", script->path, script->line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

void script_failed(const struct script *script, const char *format, ...) {
    va_list args;
    fflush(stdout);
    fprintf(stderr, "%s:%zu: FAILED: ", script->path, script->line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

void script_absent(struct script *script, const char *format, ...) {
    va_list args;
    if (script->options.outcomes_only)
        longjmp(script->skip, 1);
    fflush(stdout);
    fprintf(stderr, "%s:%zu: FAILED: ", script->path, script->line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

void script_split(struct script *script, const char *line) {
    script->word_count = 0;
    script->next_word = 0;
    while (*line != '\0' && *line != '#') {
        size_t length = strcspn(line, " \t");
        if (length > 0) {
            if (script->word_count == SCRIPT_WORDS_MAX)
                script_bad(script, "more than %d words", SCRIPT_WORDS_MAX);
            if (length >= SCRIPT_WORD_BYTES)
                script_bad(script, "a word of more than %d characters", SCRIPT_WORD_BYTES - 1);
            char *word = script->words[script->word_count++];
            memcpy(word, line, length);
            word[length] = '\0';
        }
        line += length;
        line += strspn(line, " \t");
    }
}

const char *script_peek(const struct script *script) {
    return script->next_word < script->word_count ? script->words[script->next_word] : NULL;
}

bool script_take(struct script *script, const char *word) {
    const char *next = script_peek(script);
    if (!next || strcmp(next, word) != 0)
        return false;
    script->next_word++;
    return true;
}

const char *script_word(struct script *script, const char *wanted) {
    if (!script_peek(script))
        script_bad(script, "the line ends where %s is wanted", wanted);
    return script->words[script->next_word++];
}

static bool is_number(const char *word) {
    if (!word || *word == '\0')
        return false;
    for (; *word != '\0'; word++)
        if (!isdigit((unsigned char)*word))
            return false;
    return true;
}

bool script_next_is_number(const struct script *script) { return is_number(script_peek(script)); }

uint64_t script_number(struct script *script, const char *wanted) {
    const char *word = script_word(script, wanted);
    if (!is_number(word))
        script_bad(script, "'%s' where %s, a number, is wanted", word, wanted);
    return strtoull(word, NULL, 10);
}

struct sim_host *script_node(struct script *script) {
    uint64_t id = script_number(script, "a node");
    if (!script->made)
        script_bad(script, "there are no nodes yet: begin with 'nodes 3'");
    if (id < 1 || id > script->world.options.nodes)
        script_bad(script, "no node %llu: there are 1 ... %u", script_u(id), script->world.options.nodes);
    return sim_host(&script->world, id);
}

struct sim_host *script_node_up(struct script *script) {
    struct sim_host *host = script_node(script);
    if (!host->raft)
        script_absent(script, "node %llu is down: 'start %llu' first", script_u(host->id), script_u(host->id));
    return host;
}

/** Two numbers with a sign between them. */
static bool pair(const char *word, char sign, uint64_t *first, uint64_t *second) {
    char *end;
    if (!word || !isdigit((unsigned char)*word))
        return false;
    *first = strtoull(word, &end, 10);
    if (*end != sign || !isdigit((unsigned char)end[1]))
        return false;
    *second = strtoull(end + 1, &end, 10);
    return *end == '\0';
}

void script_entry_id(struct script *script, uint64_t *index, uint64_t *term) {
    const char *word = script_word(script, "INDEX^TERM");
    if (!pair(word, '^', index, term))
        script_bad(script, "'%s' where an entry as INDEX^TERM, such as 3^1, is wanted", word);
}

size_t script_runs(struct script *script, struct sim_log *log) {
    uint64_t term, count, before = 0;
    log->count = 0;
    while (pair(script_peek(script), 'x', &term, &count)) {
        if (term < before || term == 0 || count > 100000)
            script_bad(script, "'%s': terms rise from 1 on, and at most 100000 entries", script_peek(script));
        for (uint64_t i = 0; i < count; i++) /* the same term at the same index is the same entry, whoever holds it */
            sim_log_push(log, &(struct sim_entry){
                                  .term = term, .value = (log->count + 1) << 20 | term | 1ull << 62, .bytes = 64});
        before = term;
        script->next_word++;
    }
    return log->count;
}

void script_end_of_line(struct script *script) {
    if (script_peek(script))
        script_bad(script, "'%s' is too much on this line", script_peek(script));
}
