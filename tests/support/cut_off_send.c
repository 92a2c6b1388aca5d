/* A send(2) that, of anything large, sends a part and then says that the connection was reset. To be preloaded. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

#define LARGE 100000

static int cut_off = -1;

ssize_t send(int fd, const void *bytes, size_t n, int flags) {
    ssize_t (*real)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");
    if (fd == cut_off) {
        cut_off = -1;
        errno = ECONNRESET;
        return -1;
    }
    if (n >= LARGE) {
        cut_off = fd;
        n /= 2;
    }
    return real(fd, bytes, n, flags);
}
