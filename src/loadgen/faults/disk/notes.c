/* A library for LD_PRELOAD that stands between a server and its files: it takes notes, and fails what it is told to.
 * It also stands between the server and the clock of the day, which it shifts when it is told to.
 *
 * The notes are a file in shared memory, whose path is in LOADGEN_NOTES: 16 numbers of 64 bits, and a table of the files
 * that the server has written, each with the size up to which fsync(2) has made it durable. loadgen reads the counters,
 * and writes the orders, while the server runs. Layout and names are those of notes.py.
 *
 * What a file had before it was written over, and not synced since, is kept in a second file, the undo log, whose path is
 * in LOADGEN_UNDO: without one, only what is behind the durable size of a file is lost at a power cut. Any number of
 * processes share both files.
 *
 * Only regular files are concerned, and never standard input, output and error. What the C library writes by itself,
 * from the buffer of a stream, does not pass here; fwrite(3), fflush(3) and fsync(2) of the stream's file do.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    LOADED, FSYNC_DELAY_NS, FAIL_SHARE, READ_ONLY, SEED, DELAYED, FAILED, REFUSED, WRITES, FSYNCS, DRAWS, CLOCK_SHIFT_NS,
    CLOCK_READ, UNDO_SEQUENCE, UNDO_OPEN, UNDO_LOST, NUMBERS = 16
};
enum { FILES = 4096 };

/* A file, by its device and inode. `inode` is 0 for a free place; a place is never given up.
 * `undo` is the number of the newest record in the undo log that no sync has made needless; 0: none. loadgen sets `full`
 * of a file that cannot grow, as its disk is full. */
typedef struct {
    _Atomic uint64_t inode, device, durable, known, undo, full;
} File;

/* The head of a record in the undo log. `length` bytes follow, which the file had at `at`; a length of SYNCED says that
 * all records of the file up to this number are needless. */
typedef struct {
    uint64_t number, device, inode, at, length;
} Record;
#define SYNCED UINT64_MAX

typedef struct {
    _Atomic uint64_t number[NUMBERS];
    File file[FILES];
} Notes;

static Notes *notes;
static int undo_log = -1;
static pthread_mutex_t undo_mutex = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("LOADGEN_NOTES");
    if (path == NULL) return;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return;
    if (ftruncate(fd, sizeof(Notes)) == 0) {
        void *mapped = mmap(NULL, sizeof(Notes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (mapped != MAP_FAILED) {
            notes = mapped;
            notes->number[LOADED]++;
        }
    }
    close(fd);
    const char *undo = getenv("LOADGEN_UNDO");
    if (undo != NULL) undo_log = open(undo, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

/* The C library's own function of a name, looked up once. */
#define REAL(name)                                                          \
    ({                                                                      \
        static __typeof__(&name) found;                                     \
        if (found == NULL) found = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
        found;                                                              \
    })

/* The file of a descriptor, with its size now; NULL for what is no regular file, or when the table is full. */
static File *file_of(int fd, uint64_t *size) {
    struct stat found;
    if (notes == NULL || fd <= 2 || fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) return NULL;
    *size = (uint64_t)found.st_size;
    for (int n = 0; n < FILES; n++) {
        File *file = &notes->file[((uint64_t)found.st_ino + (uint64_t)n) % FILES];
        uint64_t nobody = 0;
        if (atomic_compare_exchange_strong(&file->inode, &nobody, (uint64_t)found.st_ino)) {
            file->device = (uint64_t)found.st_dev;
            file->durable = *size; /* A file that was there before is taken to be on the disk. */
            file->known = 1;
            return file;
        }
        if (nobody != (uint64_t)found.st_ino) continue;
        while (!file->known) { /* Another thread is about to fill the place in. */
        }
        if (file->device == (uint64_t)found.st_dev) return file;
    }
    return NULL;
}

/* Locks the undo log, against the threads of this process and against other processes: the kernel takes a lock of a
 * process that dies. */
static void lock_undo(void) {
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    pthread_mutex_lock(&undo_mutex);
    while (fcntl(undo_log, F_SETLKW, &all) != 0 && errno == EINTR) {
    }
}

static void unlock_undo(void) {
    struct flock all = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    fcntl(undo_log, F_SETLK, &all);
    pthread_mutex_unlock(&undo_mutex);
}

static void append_undo(Record *record, const void *bytes, size_t length) {
    struct iovec parts[2] = {{record, sizeof(*record)}, {(void *)bytes, length}};
    if (REAL(writev)(undo_log, parts, length ? 2 : 1) != (ssize_t)(sizeof(*record) + length)) notes->number[UNDO_LOST]++;
}

/* The records of a file up to a number are needless. The log is emptied when all records of all files are. */
static void forget_undo(File *file, uint64_t number) {
    if (undo_log < 0 || number == 0) return;
    int reason = errno;
    lock_undo();
    if (file->undo == number) {
        file->undo = 0;
        notes->number[UNDO_OPEN]--;
    }
    if (notes->number[UNDO_OPEN] == 0) {
        if (REAL(ftruncate)(undo_log, 0) != 0) notes->number[UNDO_LOST]++;
    } else {
        Record record = {number, file->device, file->inode, 0, SYNCED};
        append_undo(&record, NULL, 0);
    }
    unlock_undo();
    errno = reason;
}

/* Keeps what a write is about to replace, as far as it is durable: what is behind that is lost by the size. */
static void keep_undo(File *file, int fd, uint64_t at, size_t count) {
    if (undo_log < 0 || at >= file->durable) return;
    int reason = errno;
    uint64_t length = file->durable - at < count ? file->durable - at : count;
    void *before = malloc(length);
    lock_undo();
    ssize_t had = before == NULL ? -1 : pread(fd, before, length, (off_t)at);
    if (had < 0) notes->number[UNDO_LOST]++;
    if (had > 0) {
        Record record = {++notes->number[UNDO_SEQUENCE], file->device, file->inode, at, (uint64_t)had};
        append_undo(&record, before, (size_t)had);
        if (file->undo == 0) notes->number[UNDO_OPEN]++;
        file->undo = record.number;
    }
    unlock_undo();
    free(before);
    errno = reason;
}

/* True for the share of calls that are to fail: splitmix64 (Steele, Lea and Flood 2014) of the seed and a count. */
static int drawn(void) {
    uint64_t share = notes->number[FAIL_SHARE];
    if (share == 0) return 0;
    uint64_t z = notes->number[SEED] + 0x9e3779b97f4a7c15u * ++notes->number[DRAWS];
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return ((z ^ (z >> 31)) >> 32) < share;
}

/* The errno with which a change of a file is to fail; 0: none. */
static int refusal(void) {
    if (notes->number[READ_ONLY]) {
        notes->number[REFUSED]++;
        return EROFS;
    }
    if (drawn()) {
        notes->number[FAILED]++;
        return EIO;
    }
    return 0;
}

enum { HERE = -1 };

/* The errno with which a write of so many bytes at a place, or at the descriptor's own (HERE), is to fail, before it is
 * done; 0: none. */
static int on_write(int fd, off_t at, size_t count) {
    uint64_t size;
    File *file = file_of(fd, &size);
    if (file == NULL) return 0;
    notes->number[WRITES]++;
    if (size < file->durable) file->durable = size;
    int reason = refusal();
    if (reason || (undo_log < 0 && !file->full)) return reason;
    if (at == HERE) at = fcntl(fd, F_GETFL) & O_APPEND ? (off_t)size : lseek(fd, 0, SEEK_CUR);
    if (file->full && (uint64_t)at + count > size) {
        notes->number[REFUSED]++;
        return ENOSPC;
    }
    keep_undo(file, fd, (uint64_t)at, count);
    return 0;
}

static size_t total(const struct iovec *parts, int count) {
    size_t bytes = 0;
    for (int n = 0; n < count; n++) bytes += parts[n].iov_len;
    return bytes;
}

/* Counts the kernel's own refusals. */
static void on_written(int fd, ssize_t done) {
    int reason = errno;
    uint64_t size;
    if (done < 0 && (reason == ENOSPC || reason == EROFS || reason == EDQUOT) && file_of(fd, &size) != NULL)
        notes->number[REFUSED]++;
    errno = reason;
}

#define WRITING(call, fd, at, count)      \
    int reason = on_write(fd, at, count); \
    if (reason) {                         \
        errno = reason;                   \
        return -1;                        \
    }                                     \
    ssize_t done = (call);                \
    on_written(fd, done);                 \
    return done

ssize_t write(int fd, const void *bytes, size_t count) {
    WRITING(REAL(write)(fd, bytes, count), fd, HERE, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    WRITING(REAL(writev)(fd, parts, count), fd, HERE, total(parts, count));
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    WRITING(REAL(pwrite)(fd, bytes, count, at), fd, at, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    WRITING(REAL(pwrite64)(fd, bytes, count, at), fd, at, count);
}

size_t fwrite(const void *bytes, size_t size, size_t count, FILE *stream) {
    uint64_t length;
    int ordered = notes != NULL && (notes->number[FAIL_SHARE] || notes->number[READ_ONLY]);
    if (ordered && file_of(fileno(stream), &length) != NULL) {
        int reason = refusal();
        if (reason) {
            errno = reason;
            return 0;
        }
    }
    size_t done = REAL(fwrite)(bytes, size, count, stream);
    if (notes != NULL && done < count) on_written(fileno(stream), -1);
    return done;
}

int fflush(FILE *stream) {
    uint64_t size;
    if (stream == NULL || file_of(fileno(stream), &size) == NULL) return REAL(fflush)(stream);
    notes->number[WRITES]++;
    int reason = refusal();
    if (reason) {
        errno = reason;
        return EOF;
    }
    int done = REAL(fflush)(stream);
    on_written(fileno(stream), done);
    return done;
}

static int syncing(int fd, int (*call)(int)) {
    uint64_t size;
    File *file = file_of(fd, &size);
    if (file == NULL) return call(fd);
    notes->number[FSYNCS]++;
    uint64_t delay_ns = notes->number[FSYNC_DELAY_NS];
    if (delay_ns) {
        struct timespec left = {(time_t)(delay_ns / 1000000000u), (long)(delay_ns % 1000000000u)};
        while (nanosleep(&left, &left) != 0 && errno == EINTR) {
        }
        notes->number[DELAYED]++;
    }
    if (drawn()) {
        notes->number[FAILED]++;
        errno = EIO;
        return -1;
    }
    /* The size and the records from before the call: what is written meanwhile need not be durable. */
    uint64_t undo = file->undo;
    int done = call(fd);
    if (done == 0) {
        file->durable = size;
        forget_undo(file, undo);
    }
    return done;
}

int fsync(int fd) {
    return syncing(fd, REAL(fsync));
}

int fdatasync(int fd) {
    return syncing(fd, REAL(fdatasync));
}

/* True when a path may not be changed: the disk is read-only, and the path is one of a disk. */
static int closed_off(const char *path) {
    if (notes == NULL || !notes->number[READ_ONLY]) return 0;
    if (strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0) return 0;
    notes->number[REFUSED]++;
    errno = EROFS;
    return 1;
}

static int writes(int flags) {
    return (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
}

#define OPENING(call)                                 \
    mode_t mode = 0;                                  \
    if (flags & (O_CREAT | __O_TMPFILE)) {            \
        va_list rest;                                 \
        va_start(rest, flags);                        \
        mode = va_arg(rest, mode_t);                  \
        va_end(rest);                                 \
    }                                                 \
    if (writes(flags) && closed_off(path)) return -1; \
    return call

int open(const char *path, int flags, ...) {
    OPENING(REAL(open)(path, flags, mode));
}

int open64(const char *path, int flags, ...) {
    OPENING(REAL(open64)(path, flags, mode));
}

int openat(int folder, const char *path, int flags, ...) {
    OPENING(REAL(openat)(folder, path, flags, mode));
}

int openat64(int folder, const char *path, int flags, ...) {
    OPENING(REAL(openat64)(folder, path, flags, mode));
}

FILE *fopen(const char *path, const char *mode) {
    return strpbrk(mode, "wa+") && closed_off(path) ? NULL : REAL(fopen)(path, mode);
}

FILE *fopen64(const char *path, const char *mode) {
    return strpbrk(mode, "wa+") && closed_off(path) ? NULL : REAL(fopen64)(path, mode);
}

int rename(const char *from, const char *to) {
    return closed_off(to) ? -1 : REAL(rename)(from, to);
}

int unlink(const char *path) {
    return closed_off(path) ? -1 : REAL(unlink)(path);
}

/* The shift of the clock of the day, in ns; a reading that is shifted is counted. */
static int64_t clock_shift(void) {
    if (notes == NULL) return 0;
    int64_t shift = (int64_t)notes->number[CLOCK_SHIFT_NS];
    if (shift) notes->number[CLOCK_READ]++;
    return shift;
}

enum { NS_PER_S = 1000000000, NS_PER_US = 1000 };

static int64_t shifted(int64_t seconds, int64_t nanoseconds) {
    return seconds * NS_PER_S + nanoseconds + clock_shift();
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int done = REAL(clock_gettime)(clock, now);
    if (done == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ns = shifted(now->tv_sec, now->tv_nsec);
        now->tv_sec = ns / NS_PER_S;
        now->tv_nsec = ns % NS_PER_S;
    }
    return done;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int done = REAL(gettimeofday)(now, zone);
    if (done == 0 && now != NULL) {
        int64_t ns = shifted(now->tv_sec, (int64_t)now->tv_usec * NS_PER_US);
        now->tv_sec = ns / NS_PER_S;
        now->tv_usec = ns % NS_PER_S / NS_PER_US;
    }
    return done;
}

time_t time(time_t *at) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
    if (at != NULL) *at = now.tv_sec;
    return now.tv_sec;
}
