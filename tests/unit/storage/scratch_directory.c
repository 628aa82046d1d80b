#include "scratch_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
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

static void copy_file(const char *from, const char *to) {
    static char buffer[1 << 16];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (in < 0 || out < 0)
        die("copy", from);
    for (ssize_t got; (got = read(in, buffer, sizeof buffer)) != 0;)
        if (got < 0 || write(out, buffer, (size_t)got) != got)
            die("copy", from);
    close(in);
    close(out);
}

void scratch_directory_copy(const char *from, const char *to) {
    DIR *stream = opendir(from);
    if (!stream || mkdir(to, 0755) != 0)
        die("copy", from);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        char source[PATH_MAX], target[PATH_MAX];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(source, sizeof source, "%s/%s", from, entry->d_name);
        snprintf(target, sizeof target, "%s/%s", to, entry->d_name);
        copy_file(source, target);
    }
    closedir(stream);
}
