#include "unreliable.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct unreliable_options defaults = {
    .on = true, .seed = 1, .delay = 100000, .hold = 10000, .drop = 20000, .duplicate = 20000, .reorder = 20000};

static const struct {
    const char *name;
    size_t offset;
} chances[] = {
    {"delay", offsetof(struct unreliable_options, delay)},
    {"hold", offsetof(struct unreliable_options, hold)},
    {"drop", offsetof(struct unreliable_options, drop)},
    {"duplicate", offsetof(struct unreliable_options, duplicate)},
    {"reorder", offsetof(struct unreliable_options, reorder)},
};
#define CHANCE_COUNT (sizeof chances / sizeof *chances)

/** "0.02" -> 20000. By hand, since strtod depends on the locale. */
static bool parse_chance(const char *value, size_t size, uint32_t *chance) {
    uint32_t unit = UNRELIABLE_CERTAIN, digits = 0;
    *chance = 0;
    size_t i = 0;
    if (i < size && (value[i] == '0' || value[i] == '1'))
        *chance = (uint32_t)(value[i++] - '0') * unit, digits++;
    if (i < size && value[i] == '.')
        for (i++; i < size && isdigit((unsigned char)value[i]) && unit > 1; i++, digits++) {
            unit /= 10;
            *chance += (uint32_t)(value[i] - '0') * unit;
        }
    return i == size && digits > 0 && *chance <= UNRELIABLE_CERTAIN;
}

static bool parse_seed(const char *value, size_t size, uint64_t *seed) {
    *seed = 0;
    for (size_t i = 0; i < size; i++)
        if (!isdigit((unsigned char)value[i]) || __builtin_mul_overflow(*seed, 10u, seed) ||
            __builtin_add_overflow(*seed, (uint64_t)(value[i] - '0'), seed))
            return false;
    return size > 0;
}

/** One NAME=VALUE; *seen has a bit per name. */
static enum lf_status parse_term(const char *term, size_t size, struct unreliable_options *options, unsigned *seen,
                                 struct lf_error *error) {
    const char *equals = memchr(term, '=', size);
    size_t name_size = equals ? (size_t)(equals - term) : size;
    const char *value = equals ? equals + 1 : "";
    size_t value_size = equals ? size - name_size - 1 : 0;
    size_t at = 0;
    while (at < CHANCE_COUNT && !(strlen(chances[at].name) == name_size && !memcmp(chances[at].name, term, name_size)))
        at++;
    bool is_seed = name_size == 4 && memcmp(term, "seed", 4) == 0;
    if (!is_seed && at == CHANCE_COUNT)
        return lf_error_set(error, LF_INVALID,
                            "unknown term %.*s; right is seed=N,delay=P,hold=P,drop=P,duplicate=P,reorder=P, or 1",
                            (int)size, term);
    if (*seen & 1u << at)
        return lf_error_set(error, LF_INVALID, "%.*s is here twice", (int)name_size, term);
    *seen |= 1u << at;
    if (is_seed)
        return parse_seed(value, value_size, &options->seed)
                   ? LF_OK
                   : lf_error_set(error, LF_INVALID, "%.*s: the seed is a whole number", (int)size, term);
    uint32_t *chance = (uint32_t *)(void *)((char *)options + chances[at].offset);
    return parse_chance(value, value_size, chance)
               ? LF_OK
               : lf_error_set(error, LF_INVALID, "%.*s: a probability is a number from 0 to 1, as 0.02", (int)size,
                              term);
}

enum lf_status unreliable_parse(const char *text, struct unreliable_options *options, struct lf_error *error) {
    *options = (struct unreliable_options){0};
    if (strcmp(text, "") == 0 || strcmp(text, "0") == 0)
        return LF_OK;
    if (strcmp(text, "1") == 0) {
        *options = defaults;
        return LF_OK;
    }
    *options = (struct unreliable_options){.on = true, .seed = 1};
    unsigned seen = 0;
    for (;;) {
        size_t size = strcspn(text, ",");
        enum lf_status status = parse_term(text, size, options, &seen, error);
        if (status != LF_OK || !text[size])
            return status;
        text += size + 1;
    }
}

void unreliable_init(struct unreliable *unreliable, const struct unreliable_options *options) {
    unreliable->options = *options;
    unreliable->state = options->seed;
}

/** splitmix64 */
static uint64_t next(struct unreliable *unreliable) {
    uint64_t z = unreliable->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool happens(struct unreliable *unreliable, uint32_t chance) {
    return next(unreliable) % UNRELIABLE_CERTAIN < chance;
}

/** One fate at most, the rarest kind first. */
static struct unreliable_fate decide_one(struct unreliable *unreliable) {
    const struct unreliable_options *options = &unreliable->options;
    struct unreliable_fate fate = {0};
    if (happens(unreliable, options->drop)) {
        fate.drop = true;
    } else if (happens(unreliable, options->hold)) {
        fate.delay_ms = UNRELIABLE_HOLD_MS;
    } else if (happens(unreliable, options->reorder)) {
        fate.after_next = true;
        fate.delay_ms = UNRELIABLE_REORDER_MS_MAX;
    } else if (happens(unreliable, options->delay)) {
        fate.in_order = true;
        fate.delay_ms = UNRELIABLE_DELAY_MS_MIN +
                        (uint32_t)(next(unreliable) % (UNRELIABLE_DELAY_MS_MAX - UNRELIABLE_DELAY_MS_MIN + 1));
    }
    return fate;
}

int unreliable_decide(struct unreliable *unreliable, struct unreliable_fate fates[2]) {
    if (!unreliable->options.on) {
        fates[0] = (struct unreliable_fate){0};
        return 1;
    }
    int copies = happens(unreliable, unreliable->options.duplicate) ? 2 : 1;
    for (int i = 0; i < copies; i++)
        fates[i] = decide_one(unreliable);
    return copies;
}
