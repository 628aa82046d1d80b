#include "pause_meter.h"

void pause_meter_init(struct pause_meter *meter, uint64_t now_ms) {
    *meter = (struct pause_meter){.awake_since_ms = now_ms, .due_ms = now_ms};
}

void pause_meter_sleep(struct pause_meter *meter, uint64_t now_ms, uint64_t timeout_ms) {
    meter->busy_ms = now_ms - meter->awake_since_ms;
    meter->due_ms = now_ms + timeout_ms;
}

uint64_t pause_meter_wake(struct pause_meter *meter, uint64_t now_ms) {
    uint64_t late_ms = now_ms > meter->due_ms ? now_ms - meter->due_ms : 0;
    uint64_t pause_ms = meter->busy_ms + late_ms;
    meter->awake_since_ms = now_ms;
    lf_histogram_observe(&meter->pauses_us, 1000 * pause_ms);
    if (pause_ms > meter->longest_ever_ms)
        meter->longest_ever_ms = pause_ms;
    if (pause_ms > meter->longest_ms)
        meter->longest_ms = pause_ms;
    return pause_ms > PAUSE_METER_NORMAL_MS ? pause_ms : 0;
}

uint64_t pause_meter_take_longest(struct pause_meter *meter) {
    uint64_t longest_ms = meter->longest_ms;
    meter->longest_ms = 0;
    return longest_ms;
}
