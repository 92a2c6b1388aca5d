/* The least CPU that a generator which sleeps between due times can spend on this machine, as `floor.c` is of a closed loop.
 *
 *   paced PORT CONNECTIONS DEPTH REQUESTS_PER_S SECONDS      RESP GETs of 64-byte values, Poisson
 *
 * One timerfd, armed for the next due time, and one epoll. What is due at a wake-up is sent, each request by a send of its own, on
 * the next connection round that has fewer than DEPTH in flight; if none has, it waits. Replies are counted by their bytes, so every key
 * (16 decimal digits, 0 … 9999) must exist. It prints one line of JSON: CPU time of the process per request, and the mean and greatest delay
 * of a send behind its due time. Nothing that goes wrong is survived. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { READ_BUFFER = 256 * 1024, KEYS = 10000, REPLY = 5 + 64 + 2, READY = 256 };

struct connection {
    int fd;
    unsigned in_flight, kept; /* bytes of a reply that a read cut off */
};

static uint64_t random_state = 0x853c49e6748fea9b;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* xorshift64 (Marsaglia 2003). */
static uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static double exponential(void) { return -log1p(-(double)(next_random() >> 11) / 9007199254740992.0); }

static int connected(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void send_get(struct connection *c) {
    char request[64];
    int size = snprintf(request, sizeof request, "*2\r\n$3\r\nGET\r\n$16\r\n%016u\r\n", (unsigned)(next_random() % KEYS));
    if (send(c->fd, request, size, MSG_NOSIGNAL) != size) fail("send");
    c->in_flight++;
}

static void receive(struct connection *c, char *buffer) {
    ssize_t size = recv(c->fd, buffer, READ_BUFFER, 0);
    if (size <= 0) fail("recv");
    c->in_flight -= (c->kept + size) / REPLY;
    c->kept = (c->kept + size) % REPLY;
}

static void arm(int timer, int64_t at_ns) {
    struct itimerspec at = {{0, 0}, {at_ns / 1000000000, at_ns % 1000000000}};
    if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, 0)) fail("timerfd_settime");
}

int main(int arguments, char **argument) {
    if (arguments != 6) {
        fprintf(stderr, "paced PORT CONNECTIONS DEPTH REQUESTS_PER_S SECONDS\n");
        return 2;
    }
    unsigned connections = atoi(argument[2]), depth = atoi(argument[3]), next = 0;
    double gap_ns = 1e9 / atof(argument[4]), seconds = atof(argument[5]);
    struct connection *all = calloc(connections, sizeof *all);
    char *buffer = malloc(READ_BUFFER);
    int epoll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET}, ready[READY];
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
    for (unsigned i = 0; i < connections; i++) {
        all[i].fd = connected(atoi(argument[1]));
        event = (struct epoll_event){.events = EPOLLIN, .data.ptr = &all[i]};
        epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &event);
    }
    int64_t cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID), now_ns = clock_ns(CLOCK_MONOTONIC), end_ns = now_ns + seconds * 1e9;
    double due_ns = now_ns, late_ns = 0, latest_ns = 0;
    uint64_t sent = 0;
    while (now_ns < end_ns) {
        int has_room = 1, woken = 0;
        while (due_ns <= now_ns && has_room) {
            has_room = 0;
            for (unsigned tried = 0; tried < connections && !has_room; tried++) {
                next = (next + 1) % connections;
                has_room = all[next].in_flight < depth;
            }
            if (!has_room) break;
            double behind_ns = clock_ns(CLOCK_MONOTONIC) - due_ns;
            send_get(&all[next]);
            late_ns += behind_ns;
            latest_ns = behind_ns > latest_ns ? behind_ns : latest_ns;
            due_ns += gap_ns * exponential();
            sent++;
        }
        if (has_room) arm(timer, due_ns);
        /* Until the timer fires or, where all were full, until somebody has room. */
        while (!woken) {
            int n = epoll_wait(epoll, ready, READY, -1);
            for (int i = 0; i < n; i++) {
                if (ready[i].data.ptr) receive(ready[i].data.ptr, buffer);
                woken |= !ready[i].data.ptr || !has_room;
            }
        }
        now_ns = clock_ns(CLOCK_MONOTONIC);
    }
    cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
    printf("{\"req_s\": %.0f, \"cpu_us_per_request\": %.4f, \"lag_mean_us\": %.2f, \"lag_max_us\": %.1f}\n", sent / seconds,
           cpu_ns / 1e3 / sent, late_ns / 1e3 / sent, latest_ns / 1e3);
    return 0;
}
