#include "file_reaper.h"
#include "lf_check.h"
#include "rocks_writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/** How often files are looked at that still have a name. */
#define LOOK_US 200000u

struct held {
    int fd;
    uint64_t since_us;
};

struct file_reaper {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct held held[FILE_REAPER_HELD_MAX]; /**< oldest first */
    size_t count;
    bool stopping;
};

static bool has_name(int fd, off_t *bytes) {
    struct stat about = {0};
    bool known = fstat(fd, &about) == 0;
    *bytes = about.st_size;
    return known && about.st_nlink > 0;
}

/* Returns whether it still is to be held. */
static bool step(const struct held *held, bool *worked) {
    off_t bytes;
    if (has_name(held->fd, &bytes))
        return rocks_clock_us() - held->since_us < FILE_REAPER_PATIENCE_US;
    *worked = true;
    off_t left = bytes > FILE_REAPER_STEP_BYTES ? bytes - FILE_REAPER_STEP_BYTES : 0;
    return ftruncate(held->fd, left) == 0 && left > 0;
}

/* One step of the oldest file that has no name. The lock is not held while the disk is asked: whoever brings a file
 * must not wait for it. Only this thread takes any out. */
static bool step_one(struct file_reaper *reaper) {
    bool worked = false;
    for (size_t i = 0; i < reaper->count && !worked; i++) {
        struct held held = reaper->held[i];
        pthread_mutex_unlock(&reaper->lock);
        bool keep = step(&held, &worked);
        if (!keep)
            close(held.fd);
        pthread_mutex_lock(&reaper->lock);
        if (keep)
            continue;
        memmove(&reaper->held[i], &reaper->held[i + 1], (--reaper->count - i) * sizeof held);
        i--;
    }
    return worked;
}

static void wait_us(struct file_reaper *reaper, uint32_t us) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)us * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&reaper->changed, &reaper->lock, &until);
}

static void *reaper_main(void *argument) {
    struct file_reaper *reaper = argument;
    pthread_mutex_lock(&reaper->lock);
    while (!reaper->stopping) {
        if (reaper->count == 0)
            pthread_cond_wait(&reaper->changed, &reaper->lock);
        else
            wait_us(reaper, step_one(reaper) ? FILE_REAPER_STEP_GAP_US : LOOK_US);
    }
    pthread_mutex_unlock(&reaper->lock);
    return NULL;
}

struct file_reaper *file_reaper_new(struct lf_error *error) {
    struct file_reaper *reaper = calloc(1, sizeof *reaper);
    if (!reaper) {
        lf_error_set(error, LF_NO_MEMORY, "no memory for the file reaper");
        return NULL;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&reaper->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&reaper->lock, NULL);
    int failed = rocks_thread_start(&reaper->thread, reaper_main, reaper);
    if (!failed)
        return reaper;
    lf_error_set(error, LF_IO, "start the file reaper: %s", strerror(failed));
    pthread_cond_destroy(&reaper->changed);
    pthread_mutex_destroy(&reaper->lock);
    free(reaper);
    return NULL;
}

void file_reaper_take(struct file_reaper *reaper, int fd) {
    off_t bytes;
    bool taken = false;
    if (fd < 0)
        return;
    if (reaper && has_name(fd, &bytes)) {
        pthread_mutex_lock(&reaper->lock);
        taken = reaper->count < FILE_REAPER_HELD_MAX;
        if (taken)
            reaper->held[reaper->count++] = (struct held){.fd = fd, .since_us = rocks_clock_us()};
        pthread_cond_signal(&reaper->changed);
        pthread_mutex_unlock(&reaper->lock);
    }
    if (!taken)
        close(fd);
}

size_t file_reaper_places(struct file_reaper *reaper) {
    if (!reaper)
        return 0;
    pthread_mutex_lock(&reaper->lock);
    size_t places = FILE_REAPER_HELD_MAX - reaper->count;
    pthread_mutex_unlock(&reaper->lock);
    return places;
}

void file_reaper_destroy(struct file_reaper **pointer) {
    struct file_reaper *reaper = *pointer;
    *pointer = NULL;
    if (!reaper)
        return;
    pthread_mutex_lock(&reaper->lock);
    reaper->stopping = true;
    pthread_cond_signal(&reaper->changed);
    pthread_mutex_unlock(&reaper->lock);
    pthread_join(reaper->thread, NULL);
    for (size_t i = 0; i < reaper->count; i++)
        close(reaper->held[i].fd);
    pthread_cond_destroy(&reaper->changed);
    pthread_mutex_destroy(&reaper->lock);
    free(reaper);
}
