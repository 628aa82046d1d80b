#include "scratch_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void die(const char *doing, const char *path) {
    perror(doing);
    fprintf(stderr, "%s %s\n", doing, path);
    exit(99);
}

char *scratch_directory_new(void) {
    char *directory = strdup("store-XXXXXX");
    if (!directory || !mkdtemp(directory))
        die("mkdtemp", "store-XXXXXX");
    return directory;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where) {
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

void scratch_directory_remove(const char *directory) { nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

/* Names and sizes of all files, in one text. */
static char *contents_of(const char *directory) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct dirent **entries;
    int count = scandir(directory, &entries, NULL, alphasort);
    if (!out || count < 0)
        die("list", directory);
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        struct stat about = {0};
        snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
        stat(path, &about);
        if (S_ISREG(about.st_mode))
            fprintf(out, "%s %lld\n", entries[i]->d_name, (long long)about.st_size);
        free(entries[i]);
    }
    free(entries);
    fclose(out);
    return text;
}

static bool copy_file(const char *from, const char *to) {
    static char buffer[1 << 16];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (out < 0)
        die("copy", to);
    ssize_t got = in < 0 ? -1 : 1;
    while (got > 0) {
        got = read(in, buffer, sizeof buffer);
        if (got > 0 && write(out, buffer, (size_t)got) != got)
            die("copy", to);
    }
    close(in);
    close(out);
    return got == 0;
}

static bool copy_all(const char *from, const char *to) {
    DIR *stream = opendir(from);
    bool whole = true;
    if (!stream || mkdir(to, 0755) != 0)
        die("copy", from);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        char source[PATH_MAX], target[PATH_MAX];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(source, sizeof source, "%s/%s", from, entry->d_name);
        snprintf(target, sizeof target, "%s/%s", to, entry->d_name);
        whole = copy_file(source, target) && whole;
    }
    closedir(stream);
    return whole;
}

/* Again until nothing changed meanwhile: RocksDB's threads may be at work. */
void scratch_directory_copy(const char *from, const char *to) {
    for (bool same = false; !same;) {
        char *before = contents_of(from);
        scratch_directory_remove(to);
        bool whole = copy_all(from, to);
        char *after = contents_of(from);
        same = whole && strcmp(before, after) == 0;
        free(before);
        free(after);
    }
}
