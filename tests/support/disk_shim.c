/** A disk that can lose power: preloaded into a program, it notes what of the watched directory tree was synced.
 *
 *  LD_PRELOAD=disk_shim.so
 *  DISK_SHIM_ROOT=DIR    the tree watched
 *  DISK_SHIM_STATE=DIR   the side directory (made when absent), on the same filesystem, outside of ROOT
 *  DISK_SHIM_FAIL=RULE[,RULE...]   RULE is CALL:N:WHAT, about the N-th (from 1; "N+" from then on) such call on ROOT
 *      CALL  write pwrite writev pwritev fdatasync fsync open rename unlink link mkdir ftruncate fallocate
 *      WHAT  EIO ENOSPC EDQUOT EROFS ...  the call fails so, nothing done
 *            short     half is written, the call returns that
 *            torn      half is written, the call fails with EIO
 *            delay=MS  the call takes that much longer
 *            kill      the process ends there by SIGKILL, before the call
 *  DISK_SHIM_REAL_SYNC=1  also really sync (slow, and not needed: the page cache outlives a killed process)
 *
 *  Power cut: kill -9 the process, then `disk_cut STATE SEED`, which leaves what was synced and a random part of the
 *  rest: 512-byte sectors and names. See disk_shim_state.h for what is noted.
 *
 *  How: writes go to the real files. A file's slot holds its size at its last sync, so bytes appended since then need
 *  no note at all; old bytes are copied aside before they are overwritten or cut; a removed file stays as a hard link.
 *  So the cost per write is one lseek, per sync one fstat. Not watched: mmap, fopen (RocksDB's info log), dup.
 */
#include "disk_shim_state.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define FD_MAX 65536
#define RULES_MAX 16
#define UNDO_COPY_BYTES (1u << 20)

/* The real functions, looked up on first use: other libraries' constructors may run before ours. */
#define REAL(name)                                                                                                     \
    ({                                                                                                                 \
        static __typeof__(&(name)) real_;                                                                              \
        if (!real_)                                                                                                    \
            real_ = (__typeof__(&(name)))dlsym(RTLD_NEXT, #name);                                                      \
        real_;                                                                                                         \
    })

struct rule {
    char call[16];
    unsigned long from;
    bool onwards;
    enum { RULE_FAIL, RULE_SHORT, RULE_TORN, RULE_DELAY, RULE_KILL } what;
    long value; /* errno, or ms */
    atomic_ulong seen;
};

/* A change of a directory that is not durable. */
struct pending {
    char kind;
    char *kept; /* file in STATE, or NULL */
    char *path; /* the name the directory of which must be synced */
    struct pending *next;
};

enum fd_mark { FD_OTHER = 0, FD_DIRECTORY = -1 }; /* else slot + 1 */

static struct {
    bool on;
    char root[PATH_MAX], state[PATH_MAX];
    size_t root_bytes;
    struct disk_shim_table *table;
    int names_fd;
    bool real_sync;
    pthread_mutex_t mutex;
    struct pending *pending;
    struct rule rules[RULES_MAX];
    unsigned rule_count;
    atomic_int fds[FD_MAX];
} shim = {.mutex = PTHREAD_MUTEX_INITIALIZER, .names_fd = -1};

static void die(const char *doing) {
    fprintf(stderr, "disk_shim: %s: %s\n", doing, strerror(errno));
    abort();
}

/* ---- rules ---- */

static void parse_what(struct rule *rule, const char *what) {
    static const struct {
        const char *name;
        int number;
    } errors[] = {{"EIO", EIO},     {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS},
                  {"EINTR", EINTR}, {"EACCES", EACCES}, {"EMFILE", EMFILE}};
    rule->what = RULE_FAIL;
    rule->value = EIO;
    if (strcmp(what, "short") == 0)
        rule->what = RULE_SHORT;
    else if (strcmp(what, "torn") == 0)
        rule->what = RULE_TORN;
    else if (strcmp(what, "kill") == 0)
        rule->what = RULE_KILL;
    else if (strncmp(what, "delay=", 6) == 0) {
        rule->what = RULE_DELAY;
        rule->value = atol(what + 6);
    } else {
        rule->value = 0;
        for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
            if (strcmp(what, errors[i].name) == 0)
                rule->value = errors[i].number;
        if (rule->value == 0) {
            fprintf(stderr, "disk_shim: DISK_SHIM_FAIL: unknown %s\n", what);
            abort();
        }
    }
}

static void parse_rules(const char *text) {
    char *copy = strdup(text), *rest = copy;
    for (char *part; (part = strsep(&rest, ",")) != NULL && shim.rule_count < RULES_MAX;) {
        struct rule *rule = &shim.rules[shim.rule_count++];
        char *call = strsep(&part, ":"), *number = strsep(&part, ":");
        if (!number || !part) {
            fprintf(stderr, "disk_shim: DISK_SHIM_FAIL: %s is not CALL:N:WHAT\n", call);
            abort();
        }
        snprintf(rule->call, sizeof rule->call, "%s", call);
        char *plus;
        rule->from = strtoul(number, &plus, 10);
        rule->onwards = *plus == '+';
        parse_what(rule, part);
    }
    free(copy);
}

/* The rule that holds for this call, or NULL. Delays and kills are carried out here. */
static const struct rule *judge(const char *call) {
    const struct rule *found = NULL;
    for (unsigned i = 0; i < shim.rule_count; i++) {
        struct rule *rule = &shim.rules[i];
        if (strcmp(rule->call, call) != 0)
            continue;
        unsigned long count = atomic_fetch_add(&rule->seen, 1) + 1;
        if (count != rule->from && !(rule->onwards && count > rule->from))
            continue;
        if (rule->what == RULE_KILL)
            kill(getpid(), SIGKILL);
        if (rule->what == RULE_DELAY) {
            struct timespec wait = {.tv_sec = rule->value / 1000, .tv_nsec = rule->value % 1000 * 1000000};
            nanosleep(&wait, NULL);
            continue;
        }
        found = rule;
    }
    return found;
}

static bool fails(const char *call) {
    const struct rule *rule = judge(call);
    if (!rule)
        return false;
    errno = rule->what == RULE_FAIL ? (int)rule->value : EIO;
    return true;
}

/* ---- paths ---- */

/* Absolute, without "//", "/./" and "/../". False when it is not below ROOT (or is the ROOT itself: then *is_root). */
static bool watched_path(int directory, const char *path, char out[PATH_MAX]) {
    char whole[2 * PATH_MAX], base[PATH_MAX];
    if (!shim.on || !path)
        return false;
    if (path[0] == '/') {
        snprintf(whole, sizeof whole, "%s", path);
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
        ssize_t length = directory == AT_FDCWD ? (getcwd(base, sizeof base) ? (ssize_t)strlen(base) : -1)
                                               : readlink(link, base, sizeof base - 1);
        if (length < 0)
            return false;
        base[length] = '\0';
        snprintf(whole, sizeof whole, "%s/%s", base, path);
    }
    size_t size = 0;
    char *rest = whole;
    for (char *part; (part = strsep(&rest, "/")) != NULL;) {
        if (part[0] == '\0' || strcmp(part, ".") == 0)
            continue;
        if (strcmp(part, "..") == 0) {
            while (size > 0 && out[--size] != '/')
                ;
            continue;
        }
        int length = snprintf(out + size, PATH_MAX - size, "/%s", part);
        if (length < 0 || (size_t)length >= PATH_MAX - size)
            return false;
        size += (size_t)length;
    }
    out[size] = '\0';
    return strncmp(out, shim.root, shim.root_bytes) == 0 && (out[shim.root_bytes] == '/' || out[shim.root_bytes] == 0);
}

static void state_path(char out[PATH_MAX], const char *name) {
    if (snprintf(out, PATH_MAX, "%s/%s", shim.state, name) >= PATH_MAX)
        die("STATE is too long");
}

/* ---- names that are not durable ---- */

static void names_write(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void names_write(const char *format, ...) {
    char line[3 * PATH_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof line || REAL(write)(shim.names_fd, line, (size_t)length) != length)
        die("write names");
}

static void pending_add(char kind, const char *kept, const char *path) {
    struct pending *pending = malloc(sizeof *pending);
    if (!pending)
        die("no memory");
    *pending = (struct pending){.kind = kind, .kept = kept ? strdup(kept) : NULL, .path = strdup(path)};
    pending->next = shim.pending;
    shim.pending = pending;
}

static bool lies_in(const char *path, const char *directory) {
    const char *slash = strrchr(path, '/');
    size_t length = strlen(directory);
    return slash && (size_t)(slash - path) == length && strncmp(path, directory, length) == 0;
}

static void pending_free(struct pending *pending) {
    if (pending->kept) {
        char path[PATH_MAX];
        state_path(path, pending->kept);
        REAL(unlink)(path);
    }
    free(pending->kept);
    free(pending->path);
    free(pending);
}

static void directory_synced(const char *directory) {
    pthread_mutex_lock(&shim.mutex);
    names_write("S %s\n", directory);
    for (struct pending **at = &shim.pending; *at;) {
        struct pending *pending = *at;
        if (!lies_in(pending->path, directory)) {
            at = &pending->next;
            continue;
        }
        *at = pending->next;
        pending_free(pending);
    }
    if (!shim.pending && REAL(ftruncate)(shim.names_fd, 0) != 0)
        die("cut names");
    pthread_mutex_unlock(&shim.mutex);
}

/* Keeps a hard link to what `path` names now. False when there is nothing. */
static bool keep_link(const char *path, char kept[32]) {
    char where[PATH_MAX];
    snprintf(kept, 32, "kept-%" PRIu64, atomic_fetch_add(&shim.table->kept_next, 1));
    state_path(where, kept);
    return REAL(link)(path, where) == 0;
}

static void load_names(void) {
    char path[PATH_MAX], line[3 * PATH_MAX];
    state_path(path, "names");
    FILE *in = fopen(path, "r");
    while (in && fgets(line, sizeof line, in)) {
        char kept[PATH_MAX] = "", one[PATH_MAX] = "", two[PATH_MAX] = "";
        char kind = line[0];
        if (kind == 'S' && sscanf(line + 1, "%4095s", one) == 1) {
            for (struct pending **at = &shim.pending; *at;) {
                struct pending *pending = *at;
                if (!lies_in(pending->path, one)) {
                    at = &pending->next;
                    continue;
                }
                *at = pending->next;
                pending_free(pending);
            }
        } else if (kind == 'U' && sscanf(line + 1, "%4095s %4095s", kept, one) == 2) {
            pending_add('U', kept, one);
        } else if (kind == 'R' && sscanf(line + 1, "%4095s %4095s %4095s", kept, one, two) == 3) {
            pending_add('R', strcmp(kept, "-") == 0 ? NULL : kept, two);
        } else if (sscanf(line + 1, "%4095s", one) == 1) {
            pending_add(kind, NULL, one);
        }
    }
    if (in)
        fclose(in);
}

/* ---- files ---- */

static struct disk_shim_slot *slot_of_fd(int fd) {
    int mark = fd >= 0 && fd < FD_MAX ? atomic_load_explicit(&shim.fds[fd], memory_order_acquire) : 0;
    return mark > 0 ? &shim.table->slots[mark - 1] : NULL;
}

static void slot_undo_path(const struct disk_shim_slot *slot, char path[PATH_MAX]) {
    char name[32];
    snprintf(name, sizeof name, "undo-%u", (unsigned)(slot - shim.table->slots));
    state_path(path, name);
}

static void slot_forget_undo(struct disk_shim_slot *slot) {
    char path[PATH_MAX];
    if (!atomic_load(&slot->has_undo))
        return;
    slot_undo_path(slot, path);
    REAL(unlink)(path);
    atomic_store(&slot->has_undo, 0);
}

/* The file's slot; a file met for the first time counts as synced as it is, a new one as empty. */
static void watch_fd(int fd, bool fresh) {
    struct stat about;
    if (fd < 0 || fd >= FD_MAX || fstat(fd, &about) != 0)
        return;
    if (S_ISDIR(about.st_mode)) {
        atomic_store(&shim.fds[fd], FD_DIRECTORY);
        return;
    }
    if (!S_ISREG(about.st_mode))
        return;
    pthread_mutex_lock(&shim.mutex);
    uint32_t at = disk_shim_find(shim.table, about.st_ino);
    if (at == DISK_SHIM_SLOTS)
        die("the table of files is full");
    struct disk_shim_slot *slot = &shim.table->slots[at];
    bool known = atomic_load(&slot->ino) != 0;
    if (fresh || !known) {
        slot_forget_undo(slot);
        atomic_store(&slot->synced_bytes, fresh ? 0 : (uint64_t)about.st_size);
        atomic_store(&slot->ino, about.st_ino);
    }
    pthread_mutex_unlock(&shim.mutex);
    atomic_store_explicit(&shim.fds[fd], (int)at + 1, memory_order_release);
}

/* Copies the synced bytes of [from, to) aside before they change. */
static void save_old_bytes(struct disk_shim_slot *slot, int fd, uint64_t from, uint64_t to) {
    uint64_t synced = atomic_load(&slot->synced_bytes);
    char path[PATH_MAX], own[64];
    if (to > synced)
        to = synced;
    if (from >= to)
        return;
    pthread_mutex_lock(&shim.mutex);
    atomic_store(&slot->has_undo, 1);
    slot_undo_path(slot, path);
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    int in = REAL(open)(own, O_RDONLY | O_CLOEXEC),
        out = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    uint8_t *buffer = malloc(16 + UNDO_COPY_BYTES);
    if (in < 0 || out < 0 || !buffer)
        die("keep old bytes");
    while (from < to) {
        size_t size = to - from < UNDO_COPY_BYTES ? (size_t)(to - from) : UNDO_COPY_BYTES;
        ssize_t got = pread(in, buffer + 16, size, (off_t)from);
        if (got <= 0)
            break;
        uint64_t head[2] = {from, (uint64_t)got};
        memcpy(buffer, head, sizeof head);
        if (REAL(write)(out, buffer, 16 + (size_t)got) != 16 + got)
            die("keep old bytes");
        from += (uint64_t)got;
    }
    free(buffer);
    REAL(close)(in);
    REAL(close)(out);
    pthread_mutex_unlock(&shim.mutex);
}

static void before_write(struct disk_shim_slot *slot, int fd, int64_t offset, size_t size) {
    uint64_t synced = atomic_load_explicit(&slot->synced_bytes, memory_order_relaxed);
    if (synced == 0)
        return;
    if (offset < 0) {
        if (fcntl(fd, F_GETFL) & O_APPEND)
            return;
        offset = lseek(fd, 0, SEEK_CUR);
    }
    if (offset >= 0 && (uint64_t)offset < synced)
        save_old_bytes(slot, fd, (uint64_t)offset, (uint64_t)offset + size);
}

/* How much of `size` to write, by the rules; *after: what to answer instead (0: nothing special, else an errno). */
static size_t part_to_write(const char *call, size_t size, int *after) {
    const struct rule *rule = judge(call);
    *after = 0;
    if (!rule)
        return size;
    if (rule->what == RULE_SHORT)
        return size > 1 ? size / 2 : size;
    *after = rule->what == RULE_TORN ? EIO : (int)rule->value;
    return rule->what == RULE_TORN ? size / 2 : 0;
}

/* ---- start ---- */

static bool absolute(const char *name, char out[PATH_MAX]) {
    const char *value = getenv(name);
    if (!value || !value[0])
        return false;
    REAL(mkdir)(value, 0755);
    if (!realpath(value, out))
        die(name);
    return true;
}

static void map_table(void) {
    char path[PATH_MAX];
    state_path(path, "table");
    int fd = REAL(open)(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || REAL(ftruncate)(fd, sizeof *shim.table) != 0)
        die("make the table");
    shim.table = mmap(NULL, sizeof *shim.table, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shim.table == MAP_FAILED)
        die("map the table");
    REAL(close)(fd);
    shim.table->magic = DISK_SHIM_MAGIC;
    snprintf(shim.table->root, sizeof shim.table->root, "%s", shim.root);
    state_path(path, "names");
    shim.names_fd = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (shim.names_fd < 0)
        die("make names");
}

__attribute__((constructor)) static void start(void) {
    const char *real_sync = getenv("DISK_SHIM_REAL_SYNC"), *rules = getenv("DISK_SHIM_FAIL");
    if (!absolute("DISK_SHIM_ROOT", shim.root) || !absolute("DISK_SHIM_STATE", shim.state))
        return;
    shim.root_bytes = strlen(shim.root);
    shim.real_sync = real_sync && real_sync[0] == '1';
    if (rules && rules[0])
        parse_rules(rules);
    map_table();
    load_names();
    shim.on = true;
}

/* ---- the calls ---- */

static int open_watched(int directory, const char *given, int flags, mode_t mode) {
    char path[PATH_MAX];
    struct stat about;
    if (!watched_path(directory, given, path)) {
        int fd = REAL(openat)(directory, given, flags, mode);
        if (fd >= 0 && fd < FD_MAX)
            atomic_store(&shim.fds[fd], FD_OTHER);
        return fd;
    }
    if (fails("open"))
        return -1;
    bool fresh = (flags & O_CREAT) && stat(path, &about) != 0;
    bool cut = !fresh && (flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY;
    if (fresh) {
        pthread_mutex_lock(&shim.mutex);
        names_write("C %s\n", path);
        pending_add('C', NULL, path);
        pthread_mutex_unlock(&shim.mutex);
    }
    int fd = REAL(openat)(directory, given, cut ? flags & ~O_TRUNC : flags, mode);
    if (fd < 0)
        return fd;
    watch_fd(fd, fresh);
    struct disk_shim_slot *slot = slot_of_fd(fd);
    if (cut && slot) {
        save_old_bytes(slot, fd, 0, UINT64_MAX);
        if (REAL(ftruncate)(fd, 0) != 0)
            die("cut a file");
    }
    return fd;
}

static mode_t mode_of(int flags, va_list arguments) {
    return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(arguments, int) : 0;
}

#define DEFINE_OPEN(name)                                                                                              \
    EXPORT int name(const char *path, int flags, ...) {                                                                \
        va_list arguments;                                                                                             \
        va_start(arguments, flags);                                                                                    \
        mode_t mode = mode_of(flags, arguments);                                                                       \
        va_end(arguments);                                                                                             \
        return open_watched(AT_FDCWD, path, flags, mode);                                                              \
    }
#define DEFINE_OPENAT(name)                                                                                            \
    EXPORT int name(int directory, const char *path, int flags, ...) {                                                 \
        va_list arguments;                                                                                             \
        va_start(arguments, flags);                                                                                    \
        mode_t mode = mode_of(flags, arguments);                                                                       \
        va_end(arguments);                                                                                             \
        return open_watched(directory, path, flags, mode);                                                             \
    }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

EXPORT int creat(const char *path, mode_t mode) {
    return open_watched(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

EXPORT int close(int fd) {
    if (fd >= 0 && fd < FD_MAX)
        atomic_store(&shim.fds[fd], FD_OTHER);
    return REAL(close)(fd);
}

/* RocksDB reads files in order through streams: the number of one that is closed may be a socket's next. */
EXPORT int fclose(FILE *stream) {
    int fd = fileno(stream);
    if (fd >= 0 && fd < FD_MAX)
        atomic_store(&shim.fds[fd], FD_OTHER);
    return REAL(fclose)(stream);
}

static ssize_t answer(ssize_t written, int after) {
    if (after == 0)
        return written;
    errno = after;
    return -1;
}

EXPORT ssize_t write(int fd, const void *bytes, size_t size) {
    struct disk_shim_slot *slot = slot_of_fd(fd);
    int after = 0;
    if (slot) {
        before_write(slot, fd, -1, size);
        size = part_to_write("write", size, &after);
    }
    return answer(after && size == 0 ? 0 : REAL(write)(fd, bytes, size), after);
}

static ssize_t pwrite_watched(int fd, const void *bytes, size_t size, off_t offset) {
    struct disk_shim_slot *slot = slot_of_fd(fd);
    int after = 0;
    if (slot) {
        before_write(slot, fd, offset, size);
        size = part_to_write("pwrite", size, &after);
    }
    return answer(after && size == 0 ? 0 : REAL(pwrite)(fd, bytes, size, offset), after);
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) {
    return pwrite_watched(fd, bytes, size, offset);
}
EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset) {
    return pwrite_watched(fd, bytes, size, offset);
}

static size_t vector_bytes(const struct iovec *vector, int count) {
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += vector[i].iov_len;
    return size;
}

EXPORT ssize_t writev(int fd, const struct iovec *vector, int count) {
    struct disk_shim_slot *slot = slot_of_fd(fd);
    int after = 0;
    if (slot) {
        size_t size = vector_bytes(vector, count);
        before_write(slot, fd, -1, size);
        if (part_to_write("writev", size, &after) < size) /* a vector is cut to its first part */
            return answer(REAL(write)(fd, vector[0].iov_base, vector[0].iov_len / 2), after);
    }
    return REAL(writev)(fd, vector, count);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *vector, int count, off_t offset) {
    struct disk_shim_slot *slot = slot_of_fd(fd);
    int after = 0;
    if (slot) {
        size_t size = vector_bytes(vector, count);
        before_write(slot, fd, offset, size);
        if (part_to_write("pwritev", size, &after) < size)
            return answer(REAL(pwrite)(fd, vector[0].iov_base, vector[0].iov_len / 2, offset), after);
    }
    return REAL(pwritev)(fd, vector, count, offset);
}

static int sync_directory(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return -1;
    path[length] = '\0';
    directory_synced(path);
    return 0;
}

/* What was written before the sync began is durable; what another thread writes meanwhile need not be. */
static int sync_watched(int fd, const char *call, int (*real)(int)) {
    struct disk_shim_slot *slot = slot_of_fd(fd);
    bool directory = fd >= 0 && fd < FD_MAX && atomic_load(&shim.fds[fd]) == FD_DIRECTORY;
    struct stat about;
    if (!slot && !directory)
        return real(fd);
    if (fails(call))
        return -1;
    if (slot && fstat(fd, &about) != 0)
        return -1;
    if (shim.real_sync && real(fd) != 0)
        return -1;
    if (directory)
        return sync_directory(fd);
    pthread_mutex_lock(&shim.mutex);
    atomic_store(&slot->synced_bytes, (uint64_t)about.st_size);
    slot_forget_undo(slot);
    pthread_mutex_unlock(&shim.mutex);
    return 0;
}

EXPORT int fsync(int fd) { return sync_watched(fd, "fsync", REAL(fsync)); }
EXPORT int fdatasync(int fd) { return sync_watched(fd, "fdatasync", REAL(fdatasync)); }

/* It starts writing out; it promises nothing. */
EXPORT int sync_file_range(int fd, off64_t offset, off64_t size, unsigned flags) {
    return slot_of_fd(fd) && !shim.real_sync ? 0 : REAL(sync_file_range)(fd, offset, size, flags);
}

static int ftruncate_watched(int fd, off_t size) {
    struct disk_shim_slot *slot = slot_of_fd(fd);
    if (slot && fails("ftruncate"))
        return -1;
    if (slot)
        save_old_bytes(slot, fd, (uint64_t)size, UINT64_MAX);
    return REAL(ftruncate)(fd, size);
}

EXPORT int ftruncate(int fd, off_t size) { return ftruncate_watched(fd, size); }
EXPORT int ftruncate64(int fd, off64_t size) { return ftruncate_watched(fd, size); }

static int fallocate_watched(int fd, int mode, off_t offset, off_t size) {
    struct disk_shim_slot *slot = slot_of_fd(fd);
    if (slot && fails("fallocate"))
        return -1;
    if (slot && mode & ~FALLOC_FL_KEEP_SIZE) /* holes and zeroes change bytes */
        save_old_bytes(slot, fd, (uint64_t)offset, (uint64_t)offset + (uint64_t)size);
    return REAL(fallocate)(fd, mode, offset, size);
}

EXPORT int fallocate(int fd, int mode, off_t offset, off_t size) { return fallocate_watched(fd, mode, offset, size); }
EXPORT int fallocate64(int fd, int mode, off64_t offset, off64_t size) {
    return fallocate_watched(fd, mode, offset, size);
}
EXPORT int posix_fallocate(int fd, off_t offset, off_t size) {
    return slot_of_fd(fd) && fails("fallocate") ? errno : REAL(posix_fallocate)(fd, offset, size);
}

EXPORT int mkdir(const char *given, mode_t mode) {
    char path[PATH_MAX];
    if (!watched_path(AT_FDCWD, given, path))
        return REAL(mkdir)(given, mode);
    if (fails("mkdir"))
        return -1;
    int result = REAL(mkdir)(given, mode);
    if (result != 0 || strcmp(path, shim.root) == 0)
        return result;
    pthread_mutex_lock(&shim.mutex);
    names_write("M %s\n", path);
    pending_add('M', NULL, path);
    pthread_mutex_unlock(&shim.mutex);
    return 0;
}

EXPORT int rmdir(const char *given) {
    char path[PATH_MAX];
    int result = REAL(rmdir)(given);
    if (result != 0 || !watched_path(AT_FDCWD, given, path))
        return result;
    pthread_mutex_lock(&shim.mutex);
    names_write("D %s\n", path);
    pending_add('D', NULL, path);
    pthread_mutex_unlock(&shim.mutex);
    return 0;
}

EXPORT int unlink(const char *given) {
    char path[PATH_MAX], kept[32];
    if (!watched_path(AT_FDCWD, given, path))
        return REAL(unlink)(given);
    if (fails("unlink"))
        return -1;
    pthread_mutex_lock(&shim.mutex);
    if (keep_link(path, kept)) {
        names_write("U %s %s\n", kept, path);
        pending_add('U', kept, path);
    }
    int result = REAL(unlink)(given);
    pthread_mutex_unlock(&shim.mutex);
    return result;
}

EXPORT int link(const char *from, const char *to) {
    char path[PATH_MAX];
    if (!watched_path(AT_FDCWD, to, path))
        return REAL(link)(from, to);
    if (fails("link"))
        return -1;
    pthread_mutex_lock(&shim.mutex);
    int result = REAL(link)(from, to);
    if (result == 0) {
        names_write("L %s\n", path);
        pending_add('L', NULL, path);
    }
    pthread_mutex_unlock(&shim.mutex);
    return result;
}

EXPORT int rename(const char *from, const char *to) {
    char old_path[PATH_MAX], new_path[PATH_MAX], kept[32];
    bool watched = watched_path(AT_FDCWD, from, old_path);
    if (!watched_path(AT_FDCWD, to, new_path) || !watched)
        return REAL(rename)(from, to);
    if (fails("rename"))
        return -1;
    pthread_mutex_lock(&shim.mutex);
    bool replaces = keep_link(new_path, kept);
    names_write("R %s %s %s\n", replaces ? kept : "-", old_path, new_path);
    pending_add('R', replaces ? kept : NULL, new_path);
    int result = REAL(rename)(from, to);
    pthread_mutex_unlock(&shim.mutex);
    return result;
}
