/* The least CPU that a closed-loop generator can spend on this machine: what `loadgen` is divided by in `make bench`.
 *
 *   floor PORT CONNECTIONS DEPTH REQUESTS [resp|memcache]            80 % GET, 20 % SET, 64-byte values
 *   floor PORT CONNECTIONS DEPTH REQUESTS recv|discard VALUE_BYTES   RESP GETs of large values
 *
 * It keeps DEPTH requests in flight on each connection to 127.0.0.1 and prints one line of JSON. Keys are 16 decimal digits,
 * 0 … 9999 (large values: 0 … 9). `resp` and `memcache` parse every reply and record its latency. `recv` copies the bytes
 * out of the kernel into a buffer of 256 KiB and only counts them; `discard` has the kernel drop them (Linux's MSG_TRUNC).
 * Nothing that goes wrong is survived: it says so and exits with 1. There is no timeout and no reconnect.
 *
 * CPU time is that of the process from the first request to the last reply; connecting is not part of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_BUFFER = 256 * 1024, KEYS = 10000, LARGE_KEYS = 10, KEY = 16, VALUE = 64, LONGEST_REQUEST = 128, READY = 256 };

/* A reply that a read cut off is kept until the next; so is, of a large value, how much is still to come. */
enum { KEEP = 256 };

enum mode { RESP, MEMCACHE, RECV, DISCARD };

struct connection {
    int fd;
    unsigned oldest, newest, kept;
    size_t to_come;
    uint64_t *sent_ns; /* of the requests in flight: a ring of `slots` */
    char keep[KEEP];
};

static struct {
    enum mode mode;
    unsigned depth, slots;
    size_t large_reply; /* bytes of a whole reply with a large value */
    uint64_t replies, bytes, random;
    uint32_t latency[64 << 7];
    char *in, *out;
} run = {.random = 0x853c49e6748fea9b};

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A 64-bit linear congruential generator (Knuth's MMIX constants); its upper half is good enough to pick keys by. */
static uint32_t draw(uint32_t below) {
    run.random = run.random * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(((run.random >> 32) * below) >> 32);
}

/* 128 counters to each power of two. */
static void record(uint64_t ns) {
    int magnitude = 63 - __builtin_clzll(ns | 128);
    run.latency[((magnitude - 7) << 7) + ((ns >> (magnitude - 7)) & 127)]++;
}

static char *put(char *at, const char *text, size_t length) {
    memcpy(at, text, length);
    return at + length;
}

#define PUT(at, text) put(at, text, sizeof(text) - 1)

static char *put_key(char *at, uint32_t id) {
    memset(at, '0', KEY);
    for (char *digit = at + KEY; id; id /= 10) *--digit = '0' + id % 10;
    return at + KEY;
}

static char *put_value(char *at) {
    memset(at, 'v', VALUE);
    return PUT(at + VALUE, "\r\n");
}

static char *encode(char *at) {
    if (run.mode >= RECV) return PUT(put_key(PUT(at, "*2\r\n$3\r\nGET\r\n$16\r\n"), draw(LARGE_KEYS)), "\r\n");
    int is_get = draw(100) < 80;
    uint32_t id = draw(KEYS);
    if (run.mode == RESP) {
        if (is_get) return PUT(put_key(PUT(at, "*2\r\n$3\r\nGET\r\n$16\r\n"), id), "\r\n");
        return put_value(PUT(put_key(PUT(at, "*3\r\n$3\r\nSET\r\n$16\r\n"), id), "\r\n$64\r\n"));
    }
    if (is_get) return PUT(put_key(PUT(at, "get "), id), "\r\n");
    return put_value(PUT(put_key(PUT(at, "set "), id), " 0 0 64\r\n"));
}

static void send_requests(struct connection *c, unsigned count) {
    uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    char *end = run.out;
    while (count--) {
        end = encode(end);
        c->sent_ns[c->newest++ & (run.slots - 1)] = now_ns;
    }
    for (char *at = run.out; at < end;) {
        ssize_t n = send(c->fd, at, end - at, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) fail("send");
        if (n > 0) at += n;
    }
}

/* The length of the whole reply at `at`; 0 where its end is not there yet. */
static size_t reply_length(const char *at, const char *end) {
    const char *newline = memchr(at, '\n', end - at);
    if (!newline) return 0;
    size_t length = newline + 1 - at, body = 0;
    if (run.mode == RESP) {
        if (*at == '$' && at[1] != '-') {
            for (const char *digit = at + 1; *digit != '\r'; digit++) body = body * 10 + (*digit - '0');
            length += body + 2;
        } else if (*at == '-') {
            fprintf(stderr, "error reply: %.*s\n", (int)(length - 2), at);
            exit(1);
        }
    } else if (*at == 'V') {
        /* VALUE <key> <flags> <bytes>: the last word is the one that counts; "END\r\n" follows the body. */
        const char *digit = newline - 1;
        for (size_t unit = 1; *--digit != ' '; unit *= 10) body += unit * (*digit - '0');
        length += body + 2 + 5;
    } else if (*at != 'S' && *at != 'E') {
        fprintf(stderr, "unexpected reply: %.*s\n", (int)(length - 2), at);
        exit(1);
    }
    return length <= (size_t)(end - at) ? length : 0;
}

static unsigned take_replies(struct connection *c, size_t received) {
    uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    const char *at = run.in, *end = run.in + c->kept + received;
    unsigned replies = 0;
    for (size_t length; at < end && (length = reply_length(at, end)); at += length, replies++)
        record(now_ns - c->sent_ns[c->oldest++ & (run.slots - 1)]);
    c->kept = end - at;
    if (c->kept > KEEP) {
        fprintf(stderr, "a reply of more than %d bytes\n", KEEP);
        exit(1);
    }
    memcpy(c->keep, at, c->kept);
    return replies;
}

static unsigned count_bytes(struct connection *c, size_t received) {
    unsigned replies = 0;
    for (; received >= c->to_come; c->to_come = run.large_reply, replies++) received -= c->to_come;
    c->to_come -= received;
    return replies;
}

static unsigned receive(struct connection *c) {
    ssize_t n;
    if (run.mode == DISCARD)
        n = recv(c->fd, NULL, c->to_come, MSG_TRUNC);
    else {
        memcpy(run.in, c->keep, c->kept);
        n = recv(c->fd, run.in + c->kept, READ_BUFFER - c->kept, 0);
    }
    if (n == 0) {
        fprintf(stderr, "the server closed the connection\n");
        exit(1);
    }
    if (n < 0) {
        if (errno != EAGAIN) fail("recv");
        return 0;
    }
    run.bytes += n;
    unsigned replies = run.mode >= RECV ? count_bytes(c, n) : take_replies(c, n);
    run.replies += replies;
    return replies;
}

static void open_connection(struct connection *c, int port, int epoll) {
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    /* Closing by a reset leaves no port in TIME_WAIT for whoever is measured next. */
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0) fail("socket");
    if (connect(c->fd, (struct sockaddr *)&server, sizeof server)) fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event)) fail("epoll_ctl");
    c->sent_ns = malloc(run.slots * sizeof *c->sent_ns);
    c->to_come = run.large_reply;
}

static int usage(void) {
    fprintf(stderr, "usage: floor PORT CONNECTIONS DEPTH REQUESTS [resp|memcache|recv VALUE_BYTES|discard VALUE_BYTES]\n");
    return 2;
}

int main(int argc, char **argv) {
    static const char *const modes[] = {"resp", "memcache", "recv", "discard"};
    if (argc < 5) return usage();
    int port = atoi(argv[1]), connections = atoi(argv[2]), mode = 0;
    uint64_t wanted = strtoull(argv[4], NULL, 10);
    while (argc > 5 && mode < 4 && strcmp(argv[5], modes[mode])) mode++;
    if (mode == 4 || argc != (argc == 5 ? 5 : mode < RECV ? 6 : 7)) return usage();
    run.mode = mode;
    run.depth = atoi(argv[3]);
    if (connections < 1 || run.depth < 1) return usage();
    for (run.slots = 1; run.slots < run.depth;) run.slots *= 2;
    if (mode >= RECV) {
        char head[32];
        size_t value = strtoull(argv[6], NULL, 10);
        run.large_reply = snprintf(head, sizeof head, "$%zu\r\n", value) + value + 2;
    }

    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    int epoll = epoll_create1(0);
    struct connection *all = calloc(connections, sizeof *all);
    run.in = malloc(READ_BUFFER);
    run.out = malloc((size_t)run.depth * LONGEST_REQUEST);
    for (int i = 0; i < connections; i++) open_connection(&all[i], port, epoll);

    uint64_t cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID), start_ns = clock_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < connections; i++) send_requests(&all[i], run.depth);
    for (struct epoll_event ready[READY]; run.replies < wanted;) {
        int n = epoll_wait(epoll, ready, READY, -1);
        for (int i = 0; i < n; i++) {
            unsigned replies = receive(ready[i].data.ptr);
            if (replies) send_requests(ready[i].data.ptr, replies);
        }
    }
    double cpu_s = (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns) / 1e9;
    double seconds = (clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e9;
    printf("{\"requests\": %llu, \"bytes\": %llu, \"seconds\": %.6f, \"req_s\": %.0f, \"cpu_s\": %.6f, \"cpu_us_per_request\": %.4f}\n",
           (unsigned long long)run.replies, (unsigned long long)run.bytes, seconds, run.replies / seconds, cpu_s,
           cpu_s / run.replies * 1e6);
    return 0;
}
