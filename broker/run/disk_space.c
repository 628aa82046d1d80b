#include "disk_space.h"

#define WRITTEN_PER_BYTE 3

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

struct disk_space_limits disk_space_limits_complete(const struct disk_space_limits *configured, uint64_t total_bytes) {
    struct disk_space_limits limits = *configured;
    if (limits.soft_bytes == 0)
        limits.soft_bytes = least(total_bytes / 8, DISK_SPACE_SOFT_BYTES_MAX);
    if (limits.hard_bytes == 0 || limits.hard_bytes > limits.soft_bytes)
        limits.hard_bytes = limits.soft_bytes / 2;
    if (limits.ballast_bytes == 0)
        limits.ballast_bytes = limits.hard_bytes / 8;
    return limits;
}

struct disk_space_orders disk_space_judge(const struct disk_space_limits *limits,
                                          const struct disk_space_sample *sample) {
    uint64_t held = sample->ballast_bytes;
    uint64_t lacking = held < limits->ballast_bytes ? limits->ballast_bytes - held : 0;
    uint64_t room = sample->free_bytes > lacking ? sample->free_bytes - lacking : 0;
    uint64_t floor = limits->hard_bytes / DISK_SPACE_FLOOR_DIVISOR;
    struct disk_space_orders orders = {
        .space = {.room_bytes = room, .soft_bytes = limits->soft_bytes, .hard_bytes = limits->hard_bytes},
        .ballast = DISK_BALLAST_KEEP,
        .hold = sample->free_bytes < (sample->held ? 2 * floor : floor)};
    if (room < limits->hard_bytes && held > 0)
        orders.ballast = DISK_BALLAST_RELEASE;
    else if (room >= limits->hard_bytes + limits->hard_bytes / 4 && lacking > 0)
        orders.ballast = DISK_BALLAST_GROW;
    return orders;
}

uint64_t disk_space_written_max(const struct disk_space_orders *orders) {
    const struct node_space *space = &orders->space;
    uint64_t left = space->room_bytes > space->hard_bytes ? space->room_bytes - space->hard_bytes : 0;
    return left / 2 / WRITTEN_PER_BYTE;
}
