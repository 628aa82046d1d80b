/** The power goes: after the process was killed, what was not synced is lost, or not, by chance.
 *
 *  disk_cut STATE SEED     STATE is the shim's side directory (disk_shim.c); no shimmed process may run
 *
 *  Prints one line: names kept and lost, files with unsynced bytes, sectors kept and lost. The same state and seed give
 *  the same result. Afterwards the tree is as a disk would have it, and STATE is empty: what is there counts as synced.
 *
 *  Names: each change that no sync of its directory covers is undone or not. Files: bytes beyond the last sync, and old
 *  bytes overwritten since, by 512-byte sectors; the new size is the old one, the synced one, or between. Each file
 *  meets one of: all lost; all kept; a prefix kept; every sector by itself.
 */
#include "disk_shim_state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR_BYTES 512u
#define CHANGES_MAX 200000

enum fate { FATE_LOST, FATE_KEPT, FATE_PREFIX, FATE_SECTORS };

struct change {
    char kind;
    bool durable;
    char *kept, *from, *path;
};

static uint64_t random_state;
static struct disk_shim_table *table;
static const char *state;
static struct change changes[CHANGES_MAX];
static size_t change_count;
static uint64_t names_kept, names_lost, files_cut, sectors_kept, sectors_lost;

static void die(const char *doing, const char *what) {
    fprintf(stderr, "disk_cut: %s %s: %s\n", doing, what, strerror(errno));
    exit(1);
}

static uint64_t dice(uint64_t sides) {
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % sides;
}

static enum fate choose_fate(void) {
    static const enum fate fates[] = {FATE_LOST,   FATE_LOST,    FATE_KEPT,    FATE_PREFIX,
                                      FATE_PREFIX, FATE_SECTORS, FATE_SECTORS, FATE_SECTORS};
    return fates[dice(8)];
}

static char *in_state(const char *name) {
    char *path;
    if (asprintf(&path, "%s/%s", state, name) < 0)
        die("name", name);
    return path;
}

static void load_table(void) {
    char *path = in_state("table");
    FILE *in = fopen(path, "rb");
    table = calloc(1, sizeof *table);
    if (!in || !table || fread(table, sizeof *table, 1, in) != 1 || table->magic != DISK_SHIM_MAGIC)
        die("read", path);
    fclose(in);
    free(path);
}

static bool lies_in(const char *path, const char *directory) {
    size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && path[length] == '/' && !strchr(path + length + 1, '/');
}

static void take_line(char *line) {
    char *rest = line + 2;
    char kind = line[0];
    rest[strcspn(rest, "\n")] = '\0';
    if (kind == 'S') {
        for (size_t i = 0; i < change_count; i++)
            changes[i].durable = changes[i].durable || lies_in(changes[i].path, rest);
        return;
    }
    if (change_count == CHANGES_MAX)
        die("too many", "names");
    struct change *change = &changes[change_count++];
    *change = (struct change){.kind = kind};
    if (kind == 'U' || kind == 'R')
        change->kept = strdup(strsep(&rest, " "));
    if (kind == 'R')
        change->from = strdup(strsep(&rest, " "));
    change->path = strdup(rest);
}

static void load_names(void) {
    char *path = in_state("names"), *line = NULL;
    size_t capacity = 0;
    FILE *in = fopen(path, "r");
    while (in && getline(&line, &capacity, in) > 2)
        take_line(line);
    if (in)
        fclose(in);
    free(line);
    free(path);
}

static bool exists(const char *path) {
    struct stat about;
    return lstat(path, &about) == 0;
}

static void link_back(const char *kept, const char *path) {
    char *from = in_state(kept);
    if (!exists(path) && link(from, path) != 0 && errno != ENOENT)
        die("put back", path);
    free(from);
}

static void undo(const struct change *change) {
    switch (change->kind) {
    case 'C':
    case 'L':
        unlink(change->path);
        break;
    case 'U':
        link_back(change->kept, change->path);
        break;
    case 'R':
        if (exists(change->path) && !exists(change->from)) {
            if (rename(change->path, change->from) != 0)
                die("rename back", change->path);
            if (strcmp(change->kept, "-") != 0)
                link_back(change->kept, change->path);
        }
        break;
    case 'M':
        rmdir(change->path);
        break;
    default:
        mkdir(change->path, 0755);
    }
}

static void cut_names(void) {
    enum fate fate = choose_fate();
    size_t point = change_count ? dice(change_count + 1) : 0;
    for (size_t i = change_count; i-- > 0;) {
        bool lost = fate == FATE_LOST || (fate == FATE_PREFIX && i >= point) || (fate == FATE_SECTORS && dice(2) == 0);
        if (changes[i].durable)
            continue;
        names_lost += lost;
        names_kept += !lost;
        if (lost)
            undo(&changes[i]);
    }
}

static bool sector_lost(enum fate fate, bool before_point) {
    bool lost = fate == FATE_LOST || (fate == FATE_PREFIX && !before_point) || (fate == FATE_SECTORS && dice(2) == 0);
    sectors_lost += lost;
    sectors_kept += !lost;
    return lost;
}

static void put_bytes(int fd, const uint8_t *bytes, uint64_t from, uint64_t to) {
    if (pwrite(fd, bytes, to - from, (off_t)from) != (ssize_t)(to - from))
        die("write", "a sector");
}

/* Old bytes come back: the first record about a byte holds what was there at the last sync, so go backwards. */
static void cut_overwritten(int fd, uint32_t slot, enum fate fate) {
    char name[32];
    snprintf(name, sizeof name, "undo-%u", slot);
    char *path = in_state(name);
    FILE *in = fopen(path, "rb");
    uint64_t head[2];
    long places[4096];
    size_t count = 0;
    while (in && count < 4096 && fread(head, sizeof head, 1, in) == 1) {
        places[count++] = ftell(in) - (long)sizeof head;
        fseek(in, (long)head[1], SEEK_CUR);
    }
    while (in && count-- > 0) {
        fseek(in, places[count], SEEK_SET);
        uint8_t *bytes = NULL;
        if (fread(head, sizeof head, 1, in) == 1 && (bytes = malloc(head[1] + 1)) && fread(bytes, 1, head[1], in) > 0)
            for (uint64_t at = head[0]; at < head[0] + head[1];) {
                uint64_t end = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
                if (end > head[0] + head[1])
                    end = head[0] + head[1];
                if (sector_lost(fate == FATE_PREFIX ? FATE_SECTORS : fate, true))
                    put_bytes(fd, bytes + (at - head[0]), at, end);
                at = end;
            }
        free(bytes);
    }
    if (in)
        fclose(in);
    free(path);
}

static uint64_t choose_size(enum fate fate, uint64_t synced, uint64_t live) {
    if (fate == FATE_KEPT)
        return live;
    if (fate == FATE_LOST)
        return dice(2) || live < synced ? synced : live; /* lost bytes, yet perhaps a size that counts them: zeroes */
    if (live < synced)
        return dice(2) ? synced : live;
    return dice(2) ? live : synced + dice(live - synced + 1);
}

static void cut_appended(int fd, uint64_t synced, uint64_t size, enum fate fate) {
    static const uint8_t zeroes[SECTOR_BYTES];
    uint64_t point = synced + (size > synced ? dice(size - synced + 1) : 0);
    for (uint64_t at = synced; at < size;) {
        uint64_t end = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
        if (end > size)
            end = size;
        if (sector_lost(fate, end <= point))
            put_bytes(fd, zeroes, at, end);
        at = end;
    }
}

static void cut_file(const char *path, const struct stat *about) {
    uint32_t at = disk_shim_find(table, about->st_ino);
    if (at == DISK_SHIM_SLOTS || table->slots[at].ino == 0)
        return;
    uint64_t synced = table->slots[at].synced_bytes, live = (uint64_t)about->st_size;
    if (synced == live && !table->slots[at].has_undo)
        return;
    int fd = open(path, O_RDWR);
    if (fd < 0)
        die("open", path);
    enum fate fate = choose_fate();
    uint64_t size = choose_size(fate, synced, live);
    files_cut++;
    if (ftruncate(fd, (off_t)size) != 0)
        die("cut", path);
    if (table->slots[at].has_undo)
        cut_overwritten(fd, at, live < synced && size == synced ? FATE_LOST : fate);
    cut_appended(fd, synced, size, fate);
    if (ftruncate(fd, (off_t)size) != 0) /* old bytes behind a kept cut */
        die("cut", path);
    close(fd);
}

/* In the order of names, so that the seed alone decides. */
static void cut_tree(const char *directory) {
    struct dirent **entries;
    int count = scandir(directory, &entries, NULL, alphasort);
    if (count < 0)
        die("list", directory);
    for (int i = 0; i < count; i++) {
        char *path;
        struct stat about;
        const char *name = entries[i]->d_name;
        if (asprintf(&path, "%s/%s", directory, name) < 0)
            die("name", name);
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && lstat(path, &about) == 0) {
            if (S_ISDIR(about.st_mode))
                cut_tree(path);
            else if (S_ISREG(about.st_mode))
                cut_file(path, &about);
        }
        free(path);
        free(entries[i]);
    }
    free(entries);
}

static void empty_state(void) {
    DIR *stream = opendir(state);
    if (!stream)
        die("list", state);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        char *path = in_state(entry->d_name);
        unlink(path);
        free(path);
    }
    closedir(stream);
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: disk_cut STATE SEED\n");
        return 2;
    }
    state = arguments[1];
    random_state = strtoull(arguments[2], NULL, 10);
    load_table();
    load_names();
    cut_names();
    cut_tree(table->root);
    empty_state();
    printf("disk_cut: names kept %" PRIu64 " lost %" PRIu64 ", files %" PRIu64 ", sectors kept %" PRIu64
           " lost %" PRIu64 "\n",
           names_kept, names_lost, files_cut, sectors_kept, sectors_lost);
    return 0;
}
