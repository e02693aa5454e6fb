/* A disk that lies, for `python -m benchmarks.powercut`: preloaded into a server.
 *
 *     cc -shared -fPIC -O2 -o lyingdisk.so lyingdisk.c -ldl -lpthread
 *     LYING_ROOT=/data LYING_RECORD=/record LYING_CONTROL=/control LD_PRELOAD=./lyingdisk.so tcpchat serve ...
 *
 * Everything that the process does to files below LYING_ROOT, and every byte that it reads from and writes to TCP
 * sockets, is appended to LYING_RECORD in the one order in which it happened: what had been told when a byte reached the
 * disk, or did not, can be seen from it alone. fsync and fdatasync wait a moment and do nothing (whether the bytes have
 * reached the disk is decided afterwards, see powercut.py); LYING_CONTROL is mapped and says which of them, and which
 * writes, fail: five numbers of 32 bits for syncs (let pass, fail: -1 = all, errno, and counted here: seen, failed) and
 * five for writes.
 *
 * Memory-mapped writes are not seen: SQLite maps only its -shm file, which no start after a power cut believes.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FDS 65536                /* descriptors looked after */
#define SYNC_NANOSECONDS 1500000 /* what a sync takes on a quick disk: others write meanwhile */

enum { UNKNOWN, FILE_OF_OURS, SOCKET, OTHER };

struct head { /* of a record; then the path, then the data */
    uint8_t op;
    uint8_t pad;
    uint16_t path;
    uint32_t pid;
    int64_t number; /* inode, or descriptor of a socket */
    int64_t offset; /* or flags, length, errno */
    uint64_t data;
};

struct faults {
    int32_t pass, fail, error, seen, failed;
};

static struct {
    uint8_t kind;
    uint64_t inode;
} fds[FDS];
static char root[PATH_MAX];
static size_t root_length;
static int record_fd = -1;
static struct faults *control; /* [0] syncs, [1] writes */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name, ...) static type (*real_##name)(__VA_ARGS__)
REAL(int, open, const char *, int, ...);
REAL(int, openat, int, const char *, int, ...);
REAL(int, close, int);
REAL(ssize_t, write, int, const void *, size_t);
REAL(ssize_t, writev, int, const struct iovec *, int);
REAL(ssize_t, pwrite64, int, const void *, size_t, off_t);
REAL(ssize_t, send, int, const void *, size_t, int);
REAL(ssize_t, sendmsg, int, const struct msghdr *, int);
REAL(ssize_t, read, int, void *, size_t);
REAL(ssize_t, recv, int, void *, size_t, int);
REAL(ssize_t, recvmsg, int, struct msghdr *, int);
REAL(int, ftruncate64, int, off_t);
REAL(int, rename, const char *, const char *);
REAL(int, unlink, const char *);
REAL(int, accept4, int, struct sockaddr *, socklen_t *, int);

__attribute__((constructor)) static void begin(void) {
    static int begun;
    if (begun++) return;
#define FIND(name) real_##name = dlsym(RTLD_NEXT, #name)
    FIND(open), FIND(openat), FIND(close), FIND(write), FIND(writev), FIND(pwrite64), FIND(send), FIND(sendmsg);
    FIND(read), FIND(recv), FIND(recvmsg), FIND(ftruncate64), FIND(rename), FIND(unlink), FIND(accept4);
    const char *where = getenv("LYING_ROOT"), *record = getenv("LYING_RECORD"), *faults = getenv("LYING_CONTROL");
    if (!where || !record || !faults) return;
    snprintf(root, sizeof root, "%s", where);
    root_length = strlen(root);
    int fd = real_open(faults, O_RDWR | O_CLOEXEC);
    control = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    real_close(fd);
    fd = real_open(record, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    record_fd = fcntl(fd, F_DUPFD_CLOEXEC, 1000); /* out of the way of a program that counts its descriptors */
    real_close(fd);
    if (control == MAP_FAILED || record_fd < 0) {
        fprintf(stderr, "lyingdisk: %s or %s cannot be used\n", record, faults);
        _exit(70);
    }
}

static void note(char op, const char *path, int64_t number, int64_t offset, const struct iovec *data, int count,
                 size_t length) {
    int kept = errno;
    struct head head = {(uint8_t)op, 0, (uint16_t)(path ? strlen(path) : 0), (uint32_t)getpid(), number, offset, length};
    char *whole = malloc(sizeof head + head.path + length), *at = whole;
    memcpy(at, &head, sizeof head), at += sizeof head;
    if (path) memcpy(at, path, head.path), at += head.path;
    for (int i = 0; i < count && length; i++) {
        size_t part = data[i].iov_len < length ? data[i].iov_len : length;
        memcpy(at, data[i].iov_base, part), at += part, length -= part;
    }
    for (char *from = whole; from < at;) { /* O_APPEND: one record, one piece */
        ssize_t done = syscall(SYS_write, record_fd, from, at - from);
        if (done <= 0) {
            fprintf(stderr, "lyingdisk: the record cannot be written\n");
            _exit(70);
        }
        from += done;
    }
    free(whole);
    errno = kept;
}

static int ours(const char *path) {
    return record_fd >= 0 && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

static const char *absolute(const char *path, char *buffer) {
    if (path[0] == '/') return path;
    char here[PATH_MAX];
    if (!getcwd(here, sizeof here) || snprintf(buffer, PATH_MAX, "%s/%s", here, path) >= PATH_MAX) return path;
    return buffer;
}

static int kind_of(int fd) {
    if (fd < 0 || fd >= FDS || record_fd < 0) return OTHER;
    if (fds[fd].kind == UNKNOWN) {
        int kept = errno;
        struct sockaddr_storage name;
        socklen_t length = sizeof name;
        int inet = !getpeername(fd, (struct sockaddr *)&name, &length) &&
                   (name.ss_family == AF_INET || name.ss_family == AF_INET6);
        fds[fd].kind = inet ? SOCKET : OTHER;
        errno = kept;
    }
    return fds[fd].kind;
}

/* Is this one to fail? Sets errno. */
static int fails(struct faults *which) {
    which->seen++;
    if (which->pass > 0) {
        which->pass--;
        return 0;
    }
    if (!which->fail) return 0;
    if (which->fail > 0) which->fail--;
    which->failed++;
    errno = which->error;
    return 1;
}

static int opened(int fd, int flags) {
    if (fd < 0 || fd >= FDS || record_fd < 0) return fd;
    int kept = errno;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    struct stat is;
    fds[fd].kind = OTHER;
    if (length > 0) {
        path[length] = 0;
        if (ours(path) && !fstat(fd, &is)) {
            fds[fd].kind = FILE_OF_OURS;
            fds[fd].inode = is.st_ino;
            if (S_ISREG(is.st_mode)) note('o', path, is.st_ino, flags, NULL, 0, 0);
        }
    }
    errno = kept;
    return fd;
}

#define MODE(flags, last)                           \
    mode_t mode = 0;                                \
    if ((flags) & (O_CREAT | O_TMPFILE)) {          \
        va_list list;                               \
        va_start(list, last);                       \
        mode = va_arg(list, mode_t);                \
        va_end(list);                               \
    }

int open(const char *path, int flags, ...) {
    MODE(flags, flags)
    begin();
    pthread_mutex_lock(&lock);
    int fd = opened(real_open(path, flags, mode), flags);
    pthread_mutex_unlock(&lock);
    return fd;
}

int openat(int folder, const char *path, int flags, ...) {
    MODE(flags, flags)
    begin();
    pthread_mutex_lock(&lock);
    int fd = opened(real_openat(folder, path, flags, mode), flags);
    pthread_mutex_unlock(&lock);
    return fd;
}

int open64(const char *path, int flags, ...) {
    MODE(flags, flags)
    return open(path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    MODE(flags, flags)
    return openat(folder, path, flags, mode);
}

int creat(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int fd) {
    begin();
    pthread_mutex_lock(&lock);
    if (fd >= 0 && fd < FDS) {
        if (fds[fd].kind == SOCKET) note('c', NULL, fd, 0, NULL, 0, 0);
        fds[fd].kind = UNKNOWN;
    }
    int done = real_close(fd);
    pthread_mutex_unlock(&lock);
    return done;
}

int accept4(int fd, struct sockaddr *name, socklen_t *length, int flags) {
    begin();
    int made = real_accept4(fd, name, length, flags);
    pthread_mutex_lock(&lock);
    if (made >= 0 && made < FDS) { /* the one before it may have been closed behind our back */
        fds[made].kind = UNKNOWN;
        if (kind_of(made) == SOCKET) note('c', NULL, made, 0, NULL, 0, 0);
    }
    pthread_mutex_unlock(&lock);
    return made;
}

int accept(int fd, struct sockaddr *name, socklen_t *length) { return accept4(fd, name, length, 0); }

/* A write at a place of a file of ours: fail, or do it and note what was done. The lock is held. */
static ssize_t placed(int fd, const struct iovec *data, int count, off_t offset) {
    if (fails(&control[1])) {
        note('e', NULL, fds[fd].inode, errno, NULL, 0, 0);
        return -1;
    }
    ssize_t done = pwritev(fd, data, count, offset);
    if (done >= 0) note('w', NULL, fds[fd].inode, offset, data, count, done);
    return done;
}

static ssize_t written(int fd, const struct iovec *data, int count) {
    int flags = fcntl(fd, F_GETFL);
    off_t offset = flags & O_APPEND ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
    ssize_t done = placed(fd, data, count, offset);
    if (done > 0) lseek(fd, offset + done, SEEK_SET);
    return done;
}

ssize_t writev(int fd, const struct iovec *data, int count) {
    begin();
    pthread_mutex_lock(&lock);
    ssize_t done;
    switch (kind_of(fd)) {
    case FILE_OF_OURS:
        done = written(fd, data, count);
        break;
    case SOCKET:
        done = real_writev(fd, data, count);
        if (done > 0) note('t', NULL, fd, 0, data, count, done);
        break;
    default:
        pthread_mutex_unlock(&lock);
        return real_writev(fd, data, count);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int fd, const void *data, size_t length) {
    begin();
    if (kind_of(fd) == OTHER) return real_write(fd, data, length);
    struct iovec one = {(void *)data, length};
    return writev(fd, &one, 1);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) {
    begin();
    if (kind_of(fd) != FILE_OF_OURS) return real_pwrite64(fd, data, length, offset);
    struct iovec one = {(void *)data, length};
    pthread_mutex_lock(&lock);
    ssize_t done = placed(fd, &one, 1, offset);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

#define TELL(call, data, count)                               \
    begin();                                                  \
    if (kind_of(fd) != SOCKET) return call;                   \
    pthread_mutex_lock(&lock);                                \
    ssize_t done = call;                                      \
    if (done > 0) note('t', NULL, fd, 0, data, count, done);  \
    pthread_mutex_unlock(&lock);                              \
    return done;

ssize_t send(int fd, const void *data, size_t length, int flags) {
    struct iovec one = {(void *)data, length};
    TELL(real_send(fd, data, length, flags), &one, 1)
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    TELL(real_sendmsg(fd, message, flags), message->msg_iov, (int)message->msg_iovlen)
}

#define HEAR(call, data, count)                               \
    begin();                                                  \
    if (kind_of(fd) != SOCKET) return call;                   \
    pthread_mutex_lock(&lock);                                \
    ssize_t done = call;                                      \
    if (done > 0) note('h', NULL, fd, 0, data, count, done);  \
    pthread_mutex_unlock(&lock);                              \
    return done;

ssize_t read(int fd, void *data, size_t length) {
    struct iovec one = {data, length};
    HEAR(real_read(fd, data, length), &one, 1)
}

ssize_t recv(int fd, void *data, size_t length, int flags) {
    struct iovec one = {data, length};
    if (flags & MSG_PEEK) return real_recv(fd, data, length, flags);
    HEAR(real_recv(fd, data, length, flags), &one, 1)
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    HEAR(real_recvmsg(fd, message, flags), message->msg_iov, (int)message->msg_iovlen)
}

/* What was written before 's' is on the disk at 'S', if that says 0. */
static int synced(int fd) {
    pthread_mutex_lock(&lock);
    note('s', NULL, fds[fd].inode, 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    struct timespec moment = {0, SYNC_NANOSECONDS};
    nanosleep(&moment, NULL);
    pthread_mutex_lock(&lock);
    int failed = fails(&control[0]);
    note('S', NULL, fds[fd].inode, failed ? errno : 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return failed ? -1 : 0;
}

int fsync(int fd) {
    begin();
    return kind_of(fd) == FILE_OF_OURS ? synced(fd) : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    begin();
    return kind_of(fd) == FILE_OF_OURS ? synced(fd) : (int)syscall(SYS_fdatasync, fd);
}

int ftruncate64(int fd, off_t length) {
    begin();
    if (kind_of(fd) != FILE_OF_OURS) return real_ftruncate64(fd, length);
    pthread_mutex_lock(&lock);
    int done = real_ftruncate64(fd, length);
    if (!done) note('f', NULL, fds[fd].inode, length, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int rename(const char *from, const char *to) {
    begin();
    char first[PATH_MAX], second[PATH_MAX], both[2 * PATH_MAX + 1];
    pthread_mutex_lock(&lock);
    int done = real_rename(from, to);
    from = absolute(from, first), to = absolute(to, second);
    if (!done && (ours(from) || ours(to))) {
        snprintf(both, sizeof both, "%s\n%s", from, to);
        note('r', both, 0, 0, NULL, 0, 0);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

int unlink(const char *path) {
    begin();
    char buffer[PATH_MAX];
    pthread_mutex_lock(&lock);
    int done = real_unlink(path);
    path = absolute(path, buffer);
    if (!done && ours(path)) note('u', path, 0, 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return done;
}
