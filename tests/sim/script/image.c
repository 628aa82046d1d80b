/** Logs that begin later, and images. */
#include "script.h"

void script_compact(struct script *script) {
    struct sim_host *host = script_node_up(script);
    uint64_t index = script_number(script, "an index");
    if (index > raft_commit(host->raft))
        script_absent(script, "node %llu has not committed %llu", script_u(host->id), script_u(index));
    sim_compact_at(host, index);
}

/** Images are numbered in the order they were made; names are looked up from the newest on. */
static uint64_t number_of(const struct script *script, const char *name) {
    for (size_t i = script->image_count; i > 0; i--)
        if (strcmp(script->images[i - 1].name, name) == 0)
            return script->images[i - 1].number;
    return 0;
}

void script_image(struct script *script) {
    char name[SCRIPT_WORD_BYTES];
    snprintf(name, sizeof name, "%s", script_word(script, "a name"));
    struct sim_host *host = script_node_up(script);
    if (script->image_count == SCRIPT_IMAGES_MAX)
        script_bad(script, "more than %d images", SCRIPT_IMAGES_MAX);
    if (raft_commit(host->raft) == 0)
        script_absent(script, "node %llu has committed nothing", script_u(host->id));
    struct script_image *image = &script->images[script->image_count++];
    image->number = sim_image_make(host);
    memcpy(image->name, name, sizeof name);
    const struct sim_image *made = &script->world.images[image->number - 1];
    script_say(script, false, "node=%llu image %s: %llu^%llu in term %llu", script_u(host->id), name,
               script_u(made->index), script_u(made->term), script_u(made->leader_term));
}

void script_install(struct script *script) {
    struct sim_host *host = script_node_up(script);
    const char *name = script_word(script, "an image");
    uint64_t number = number_of(script, name);
    if (number == 0)
        script_absent(script, "there is no image %s: 'image %s NODE' makes one", name, name);
    script_told(script, host, "the image", sim_install_at(host, number));
}

void script_offer(struct script *script) {
    struct sim_host *host = script_node_up(script);
    struct raft_event event = {.type = RAFT_EVENT_OFFER};
    if (!script_take(script, "to"))
        script_bad(script, "offer NODE to NODE [index INDEX]");
    event.offer.replica = script_number(script, "a node");
    event.offer.index = script_take(script, "index") ? script_number(script, "an index") : raft_commit(host->raft);
    script_told(script, host, "the offer", sim_host_step(host, &event, NULL));
}

/** What an owner would begin to fetch. */
void sim_offered(struct sim_host *host, uint64_t by, uint64_t index) {
    script_say(script_of(host->world), false, "node=%llu is offered an image of %llu or later by %llu",
               script_u(host->id), script_u(index), script_u(by));
}

/** What is staged a script knows by its name. */
void sim_staging_restarted(struct sim_host *host) { (void)host; }
