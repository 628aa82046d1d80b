/** Clocks of a node: one that only goes on, at its own rate, and one on the wall that is stepped. */
#include "host.h"

#define PPM 1000000ull

static uint64_t clock_us(const struct sim_host *host) {
    return host->clock_us + (host->world->now - host->clock_since) * host->clock_ppm / PPM;
}

uint64_t sim_host_clock_ms(const struct sim_host *host) { return clock_us(host) / SIM_MS; }

int64_t sim_host_wall_ms(const struct sim_host *host) {
    return SIM_WALL_START_MS + (int64_t)(host->world->now / SIM_MS) + host->wall_offset_ms;
}

uint64_t sim_host_clock_reaches(const struct sim_host *host, uint64_t clock_ms) {
    if (clock_ms >= UINT64_MAX / SIM_MS)
        return SIM_NEVER;
    uint64_t wanted = clock_ms * SIM_MS, since = host->clock_since;
    if (wanted <= host->clock_us)
        return since;
    return since + ((wanted - host->clock_us) * PPM + host->clock_ppm - 1) / host->clock_ppm;
}

void sim_host_clock_rate(struct sim_host *host, uint64_t ppm) {
    host->clock_us = clock_us(host);
    host->clock_since = host->world->now;
    host->clock_ppm = ppm;
}

void sim_host_clock_boot(struct sim_host *host) {
    static const uint64_t edges_ms[] = {20000, 1ull << 31, 1ull << 32, 1ull << 40};
    uint64_t edge = edges_ms[sim_between(host->world, 0, 3)];
    host->clock_us = (edge - sim_between(host->world, 0, 15000)) * SIM_MS;
    host->clock_since = host->world->now;
}
