/** A file's lines: commands with the trace they have to give indented under them; everything else is left as it is. */
#include "script.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** One line of the file, or a command with its trace. */
struct part {
    char *text; /**< the line without its end */
    bool command;
    size_t line;
    char *wanted; /**< trace in the file, lines with their ends and without indentation */
    char *given;
};

struct parts {
    struct part *items;
    size_t count;
    size_t capacity;
};

static const struct script *current;

/** A check inside the core aborts: say where the scenario was. */
static void on_abort(int number) {
    char line[512];
    int used = snprintf(line, sizeof line, "%s:%zu: FAILED: a check in the core\n", current->path, current->line);
    (void)!write(STDERR_FILENO, line, (size_t)used);
    (void)number;
    _exit(1);
}

static char *joined(char *text, const char *line) {
    size_t before = text ? strlen(text) : 0, bytes = before + strlen(line) + 2;
    char *grown = realloc(text, bytes);
    if (!grown)
        exit(2);
    snprintf(grown + before, bytes - before, "%s\n", line);
    return grown;
}

static bool is_blank(const char *line) { return line[strspn(line, " \t")] == '\0'; }

static void add_line(const struct script *script, struct parts *parts, const char *line, size_t number) {
    if ((line[0] == ' ' || line[0] == '\t') && !is_blank(line)) {
        if (parts->count == 0 || !parts->items[parts->count - 1].command)
            script_bad(script, "indented lines are a trace and belong under a command; comments begin with #");
        struct part *command = &parts->items[parts->count - 1];
        command->wanted = joined(command->wanted, line + strspn(line, " \t"));
        return;
    }
    parts->items = sim_grown(parts->items, &parts->capacity, parts->count + 1, sizeof *parts->items);
    parts->items[parts->count++] =
        (struct part){.text = strdup(line), .command = !is_blank(line) && line[0] != '#', .line = number};
}

static void read_parts(struct script *script, struct parts *parts) {
    FILE *file = fopen(script->path, "r");
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    if (!file)
        script_bad(script, "cannot read: %s", strerror(errno));
    while ((length = getline(&line, &capacity, file)) >= 0) {
        script->line++;
        if (length > 0 && line[length - 1] == '\n')
            line[length - 1] = '\0';
        add_line(script, parts, line, script->line);
    }
    free(line);
    fclose(file);
}

static void write_parts(const struct script *script, const struct parts *parts) {
    FILE *file = fopen(script->path, "w");
    if (!file)
        script_bad(script, "cannot write: %s", strerror(errno));
    for (size_t i = 0; i < parts->count; i++) {
        fprintf(file, "%s\n", parts->items[i].text);
        for (char *line = parts->items[i].given; line && *line != '\0'; line = strchr(line, '\n') + 1)
            fprintf(file, "    %.*s\n", (int)strcspn(line, "\n"), line);
    }
    if (fclose(file) != 0)
        script_bad(script, "cannot write: %s", strerror(errno));
}

/** The first line at which two traces differ, of both. */
static void print_difference(const struct script *script, const char *wanted, const char *given) {
    while (*wanted != '\0' && *given != '\0') {
        size_t a = strcspn(wanted, "\n"), b = strcspn(given, "\n");
        if (a != b || memcmp(wanted, given, a) != 0)
            break;
        wanted += a + 1;
        given += b + 1;
    }
    fprintf(stderr, "%s:%zu: FAILED: another trace than written here\n    wanted: %.*s\n    got:    %.*s\n",
            script->path, script->line, *wanted ? (int)strcspn(wanted, "\n") : 9, *wanted ? wanted : "(nothing)",
            *given ? (int)strcspn(given, "\n") : 9, *given ? given : "(nothing)");
}

static bool run_part(struct script *script, struct part *part) {
    size_t bytes;
    script->line = part->line;
    script->trace = open_memstream(&part->given, &bytes);
    if (!script->trace)
        exit(2);
    if (script->options.show)
        printf("%s\n", part->text);
    script_split(script, part->text);
    if (setjmp(script->skip) == 0)
        script_command(script);
    fclose(script->trace);
    if (script->options.rewrite || script->options.outcomes_only)
        return true;
    const char *wanted = part->wanted ? part->wanted : "";
    if (strcmp(wanted, part->given) == 0)
        return true;
    print_difference(script, wanted, part->given);
    return false;
}

bool script_run_file(const char *path, const struct script_options *options) {
    struct script *script = calloc(1, sizeof *script);
    struct parts parts = {0};
    bool clean = true;
    if (!script)
        exit(2);
    script->path = path;
    script->options = *options;
    script->world.options.outcomes_only = options->outcomes_only;
    current = script;
    signal(SIGABRT, on_abort);
    read_parts(script, &parts);
    if (parts.count == 0 || strncmp(parts.items[0].text, "# ", 2) != 0)
        script_bad(script, "the first line is the title: '# ENTRY: the fact that this scenario shows'");
    for (size_t i = 0; i < parts.count && clean; i++)
        if (parts.items[i].command)
            clean = run_part(script, &parts.items[i]);
    if (options->rewrite)
        write_parts(script, &parts);
    script_deinit(script);
    for (size_t i = 0; i < parts.count; i++) {
        free(parts.items[i].text);
        free(parts.items[i].wanted);
        free(parts.items[i].given);
    }
    free(parts.items);
    free(script);
    return clean;
}
