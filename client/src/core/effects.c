#include "core_state.h"

#include <stddef.h>
#include <stdlib.h>

bool lf_effects_reserve(struct lf_core_effects *effects, size_t count) {
    size_t wanted = effects->count + count;
    if (wanted <= effects->capacity)
        return true;
    size_t capacity = effects->capacity ? effects->capacity * 2 : 64;
    if (capacity < wanted)
        capacity = wanted;
    struct lf_core_effect *items = realloc(effects->items, capacity * sizeof *items);
    if (!items)
        return false;
    effects->items = items;
    effects->capacity = capacity;
    return true;
}

struct lf_core_effect *lf_effect_add(struct lf_core *core, enum lf_core_effect_type type) {
    struct lf_core_effects *effects = core->effects;
    if (!lf_effects_reserve(effects, 1))
        return NULL;
    struct lf_core_effect *effect = &effects->items[effects->count++];
    /* All but the two texts: a message's outcome is one effect, and there are many messages. */
    char *bytes = (char *)effect;
    size_t host = offsetof(struct lf_core_effect, host), port = offsetof(struct lf_core_effect, port);
    size_t text = offsetof(struct lf_core_effect, text), reply = offsetof(struct lf_core_effect, reply);
    memset(bytes, 0, host);
    memset(bytes + port, 0, text - port);
    memset(bytes + reply, 0, sizeof *effect - reply);
    effect->host[0] = '\0';
    effect->text[0] = '\0';
    effect->type = type;
    return effect;
}

void lf_effect_delivered(struct lf_core *core, lf_delivery_callback *callback, void *context, const char *topic,
                         int32_t partition, enum lf_status status, int64_t offset, const char *text, char *owned) {
    struct lf_core_effect *effect = lf_effect_add(core, LF_CORE_DELIVERED);
    if (!effect) {
        free(owned);
        return;
    }
    effect->callback = callback;
    effect->delivery = (struct lf_delivery){.status = status,
                                            .error_text = text ? text : lf_status_text(status),
                                            .topic = topic,
                                            .partition = partition,
                                            .offset = offset,
                                            .context = context};
    effect->status = status;
    effect->owned_text = owned;
}

static void effect_drop(struct lf_core_effect *effect) {
    for (size_t i = 0; i < effect->frame_count; i++)
        lf_buf_unref(&effect->frames[i].buf);
    free(effect->frames);
    lf_buf_unref(&effect->batch);
    free(effect->owned_text);
    if (effect->reply)
        lf__client_reply__free_unpacked(effect->reply, NULL);
}

void lf_core_effects_clear(struct lf_core_effects *effects) {
    for (size_t i = 0; i < effects->count; i++)
        effect_drop(&effects->items[i]);
    effects->count = 0;
}

void lf_core_effects_deinit(struct lf_core_effects *effects) {
    lf_core_effects_clear(effects);
    free(effects->items);
    *effects = (struct lf_core_effects){0};
}
