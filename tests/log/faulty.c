/* Preloaded by tests/log/test_lying_disks.py: notes what becomes of a write-ahead log, and has its fsync fail on demand.
   FAULTY names a folder. In it: "seen" gets a letter for each write (w), sync (s) and failed sync (f) of a file that ends
   in -wal; as long as "fail" has bytes, each sync fails and takes one of them away; the byte '*' stays for good. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *folder(const char *name) {
    static __thread char path[4096];
    snprintf(path, sizeof path, "%s/%s", getenv("FAULTY"), name);
    return path;
}

static int is_wal(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path);
    return getenv("FAULTY") && size > 4 && !memcmp(path + size - 4, "-wal", 4);
}

static void note(char what) {
    int file = open(folder("seen"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (write(file, &what, 1) != 1) abort();
    close(file);
}

static int fails(void) {
    struct stat found;
    char kind = 0;
    int file = open(folder("fail"), O_RDWR);
    if (file < 0) return 0;
    int some = fstat(file, &found) == 0 && found.st_size > 0;
    if (some && pread(file, &kind, 1, 0) == 1 && kind != '*' && ftruncate(file, found.st_size - 1)) abort();
    close(file);
    return some;
}

static int sync_one(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (!is_wal(fd)) return real(fd);
    if (fails()) {
        note('f');
        errno = EIO;
        return -1;
    }
    note('s');
    return real(fd);
}

int fsync(int fd) { return sync_one("fsync", fd); }
int fdatasync(int fd) { return sync_one("fdatasync", fd); }

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t place) {
    ssize_t (*real)(int, const void *, size_t, off64_t) = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    if (is_wal(fd)) note('w');
    return real(fd, data, size, place);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t place) { return pwrite64(fd, data, size, place); }
