/** All configurations that a world has seen, by number: entries and messages name them, and they stay. */
#include "sim.h"

#include <stdlib.h>

uint32_t sim_configuration_add(struct sim_world *world, const struct raft_configuration *configuration) {
    world->configurations = sim_grown(world->configurations, &world->configuration_capacity,
                                      world->configuration_count + 1, sizeof *world->configurations);
    struct raft_configuration *kept = malloc(sizeof *kept);
    if (!kept)
        sim_fail(world, "no memory");
    *kept = *configuration;
    world->configurations[world->configuration_count++] = kept;
    return (uint32_t)world->configuration_count;
}

const struct raft_configuration *sim_configuration(const struct sim_world *world, uint32_t number) {
    return world->configurations[number - 1];
}

void sim_configurations_found(struct sim_world *world) {
    struct raft_configuration founding = {.epoch = 1, .voter_count = world->options.nodes};
    for (uint32_t i = 0; i < world->options.nodes; i++)
        founding.voters[i] = i + 1;
    sim_configuration_add(world, &founding);
}

void sim_configurations_free(struct sim_world *world) {
    for (size_t i = 0; i < world->configuration_count; i++)
        free(world->configurations[i]);
    free(world->configurations);
}
