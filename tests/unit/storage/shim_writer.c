/** What test_disk_shim.c runs under the shim: known bytes, some synced and some not, then the process kills itself.
 *
 *  shim_writer DIRECTORY cut      the pattern of files that test_disk_shim.c checks
 *  shim_writer DIRECTORY calls    ten rounds of write, fdatasync; prints each result
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char bytes[1 << 17];

static void check(int good, const char *what) {
    if (good)
        return;
    perror(what);
    _exit(9);
}

static int create(const char *name) {
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
    check(fd >= 0, name);
    return fd;
}

static void put(int fd, char fill, size_t size) {
    memset(bytes, fill, size);
    check(write(fd, bytes, size) == (ssize_t)size, "write");
}

static void sync_directory(void) {
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    check(fd >= 0 && fsync(fd) == 0, "sync directory");
    close(fd);
}

static void make_synced_files(void) {
    static const char *const names[] = {"overwritten", "removed", "target", "source", "shortened"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int fd = create(names[i]);
        put(fd, 'a', 8192);
        check(fdatasync(fd) == 0, "sync");
        close(fd);
    }
    int fd = create("appended");
    put(fd, 'a', 50000);
    check(fdatasync(fd) == 0, "sync");
    close(fd);
    sync_directory();
}

static void change_without_sync(void) {
    int fd = open("overwritten", O_RDWR);
    memset(bytes, 'b', 4000);
    check(pwrite(fd, bytes, 4000, 1000) == 4000, "pwrite");
    memset(bytes, 'c', 4000);
    check(pwrite(fd, bytes, 1000, 1500) == 1000, "pwrite");
    close(fd);
    check(unlink("removed") == 0, "unlink");
    fd = open("source", O_RDWR);
    put(fd, 's', 8192);
    check(fdatasync(fd) == 0, "sync");
    close(fd);
    check(rename("source", "target") == 0, "rename");
    check(truncate("nothing", 0) != 0, "truncate");
    fd = open("shortened", O_RDWR);
    check(ftruncate(fd, 100) == 0, "ftruncate");
    close(fd);
    fd = open("appended", O_RDWR | O_APPEND);
    put(fd, 'b', 20000);
    put(fd, 'b', 30000);
    close(fd);
    fd = create("fresh"); /* its bytes are synced, its name is not */
    put(fd, 'f', 3000);
    check(fsync(fd) == 0, "sync");
    close(fd);
}

static void report_calls(void) {
    int fd = create("calls");
    for (int i = 1; i <= 10; i++) {
        errno = 0;
        ssize_t wrote = write(fd, bytes, 100);
        printf("write %zd %d\n", wrote, wrote < 0 ? errno : 0);
        int synced = fdatasync(fd);
        printf("fdatasync %d %d\n", synced, synced < 0 ? errno : 0);
        fflush(stdout);
    }
}

/* Two files are closed through streams; a pipe gets their numbers. */
static void report_pipe(void) {
    int first = create("first"), second = create("second"), ends[2];
    check(fclose(fdopen(first, "r+")) == 0 && fclose(fdopen(second, "r+")) == 0, "fclose");
    check(pipe(ends) == 0 && ends[1] == second, "pipe");
    printf("write %zd\n", write(ends[1], bytes, 100));
}

int main(int count, char **arguments) {
    check(count == 3 && chdir(arguments[1]) == 0, "usage: shim_writer DIRECTORY cut|calls|pipe");
    if (strcmp(arguments[2], "pipe") == 0) {
        report_pipe();
        return 0;
    }
    if (strcmp(arguments[2], "calls") == 0) {
        report_calls();
        return 0;
    }
    make_synced_files();
    change_without_sync();
    kill(getpid(), SIGKILL);
    return 0;
}
