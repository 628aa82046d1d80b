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

struct file_reaper {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int held[FILE_REAPER_HELD_MAX]; /**< oldest first */
    size_t count;
    bool stopping;
};

/* Returns whether it still is to be held. */
static bool step(int fd, bool *worked) {
    struct stat about;
    if (fstat(fd, &about) != 0)
        return false;
    if (about.st_nlink != 0)
        return true;
    *worked = true;
    off_t left = about.st_size > FILE_REAPER_STEP_BYTES ? about.st_size - FILE_REAPER_STEP_BYTES : 0;
    return ftruncate(fd, left) == 0 && left > 0;
}

static int take_out(struct file_reaper *reaper, size_t i) {
    int fd = reaper->held[i];
    memmove(&reaper->held[i], &reaper->held[i + 1], (--reaper->count - i) * sizeof fd);
    return fd;
}

/* One step of the oldest file that has no name. */
static bool step_one(struct file_reaper *reaper) {
    bool worked = false;
    for (size_t i = 0; i < reaper->count && !worked; i++) {
        int fd = reaper->held[i];
        if (step(fd, &worked))
            continue;
        close(take_out(reaper, i));
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
    int too_many = reaper ? -1 : fd;
    if (fd >= 0 && reaper) {
        pthread_mutex_lock(&reaper->lock);
        if (reaper->count == FILE_REAPER_HELD_MAX)
            too_many = take_out(reaper, 0);
        reaper->held[reaper->count++] = fd;
        pthread_cond_signal(&reaper->changed);
        pthread_mutex_unlock(&reaper->lock);
    }
    if (too_many >= 0)
        close(too_many);
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
        close(reaper->held[i]);
    pthread_cond_destroy(&reaper->changed);
    pthread_mutex_destroy(&reaper->lock);
    free(reaper);
}
