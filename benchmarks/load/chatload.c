/*
 * chatload - load generator for IRC servers and for tcpchat's native protocol (-N).  One file, one thread, epoll.
 *
 *   cc -O2 -Wall -Wextra -o chatload chatload.c
 *
 *   chatload fanout  -n 200 -s 1 -w 64 -p SERVERPID   one channel, S senders, everybody else receives
 *   chatload dm      -n 200 -w 8  -p SERVERPID        clients 2k and 2k+1 write to each other
 *   chatload idle    -n 5000 -t 10 -p SERVERPID       hold N registered connections
 *   chatload connect -n 2000 -g 64 -p SERVERPID       connections per second, registration included
 *
 * Every message carries "~SENDER SEQ STAMP": each receiver checks that it gets every sender's
 * sequence without gap, repeat or stray, and the time from the stamp to the arrival is the latency.
 * A sender keeps at most W messages outstanding; a message is outstanding until its last receiver has it.
 * With -R the messages leave on a fixed schedule instead, and the stamp is the scheduled time, so a
 * server (or generator) that falls behind pays for it in the latency.
 *
 * With -N the clients speak JSON lines: they number their messages, confirm what they read once per read (as the
 * clients of tcpchat do), and the time from a message to its `accepted` is reported as "ack".
 *
 * Phases: connect, settle (wait until the JOIN traffic is over), warm up (-u), measure (-t), drain.
 * Server CPU is utime+stime of the -p processes over the measured phase only.
 * The result is one JSON object on stdout; exit status 0 = ran, nothing lost, repeated or misrouted.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS 1000000000ULL
#define CARRY 65536             /* longest partial line kept between two reads */
#define RXBUF (256 * 1024)
#define TXBUF (64 * 1024)
#define MAXEV 512
#define MAXPID 16
#define STAMPS 256              /* more than the server lets a device have unanswered */

enum mode { FANOUT, DM, IDLE, CONNECT };
enum state { UNUSED, CONNECTING, CAPS, REGISTERING, JOINING, READY, DEAD };
static const char *mode_names[] = { "fanout", "dm", "idle", "connect" };

/* ---- settings ---- */
static struct {
    enum mode mode;
    const char *host, *channel, *label;
    int port, clients, senders, channels, bytes, window, gate, npids, pids[MAXPID];
    double rate, warm, seconds;
    bool echo, join, native;
} cfg = { .host = "127.0.0.1", .channel = "#load", .label = "", .port = 6667, .clients = 100,
          .channels = 1, .bytes = 100, .window = 8, .gate = 64, .warm = 1, .seconds = 5 };

/* ---- histogram (1.6 % wide buckets) ---- */
#define SUB 64
typedef struct { uint64_t n, max, sum, bucket[SUB * 60]; } Hist;

static void hist_add(Hist *h, uint64_t v)
{
    unsigned i = (unsigned)v;
    if (v >= SUB) {
        int shift = 63 - __builtin_clzll(v) - 6;
        i = (unsigned)(SUB * (shift + 1)) + (unsigned)((v >> shift) & (SUB - 1));
    }
    h->bucket[i]++;
    h->n++;
    h->sum += v;
    if (v > h->max)
        h->max = v;
}

static double hist_us(const Hist *h, double q)          /* quantile, in microseconds */
{
    uint64_t want = (uint64_t)(q * (double)(h->n - 1)) + 1, seen = 0;
    for (unsigned i = 0; i < SUB * 60; i++)
        if ((seen += h->bucket[i]) >= want) {
            if (i < SUB)
                return i / 1e3;
            int shift = (int)(i / SUB) - 1;
            return ((double)((uint64_t)(SUB + i % SUB) << shift) + (double)(1ULL << shift) / 2) / 1e3;
        }
    return 0;
}

/* ---- state ---- */
typedef struct { uint64_t user, sys, own, machine; } Cpu;   /* microseconds: server, server, this program, all */

typedef struct {
    int fd;
    enum state st;
    unsigned id;
    uint64_t born;
    size_t carry_len, out_len, out_cap;
    uint64_t seq;               /* native: last seq seen and not yet confirmed */
    char *out, carry[CARRY];    /* out: bytes that the socket would not take yet */
} Client;

typedef struct {
    uint32_t next, base;        /* next sequence to send; oldest one still outstanding */
    uint32_t *left;             /* receivers still to come, by sequence modulo the window */
    bool dirty;                 /* room has opened in the window */
    uint64_t stamp[STAMPS];     /* native: when each number left, until its `accepted` comes */
} Sender;

static Client *cl;
static Sender *sd;
static uint32_t *last_seq;      /* fanout: [receiver][sender], dm: [receiver] */
static int ep, n_opened, n_pending, n_ready, n_dead;
static uint64_t now, t_run, t_last_rx;
static uint64_t sent, deliveries, gaps, repeats, strays, expected, pings, rx_calls, rx_bytes;
static Hist lat, ack_lat, reg_lat;
static bool sending;
static double connect_s;
static char first_error[256];

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static void *need(void *p)
{
    if (!p)
        errx(2, "out of memory");
    return p;
}

/* ---- the server's processes ---- */
static char *proc_file(int pid, const char *name)        /* whole text of /proc/PID/NAME, or of /proc/NAME */
{
    static char buf[4096];
    char path[64];
    snprintf(path, sizeof path, pid ? "/proc/%2$d/%1$s" : "/proc/%s", name, pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf - 1);
    if (n <= 0)
        errx(2, "cannot read %s: has the server gone?", path);
    close(fd);
    buf[n] = 0;
    return buf;
}

static Cpu cpu_now(void)
{
    Cpu c = { 0 };
    struct rusage r;
    uint64_t tick = 1000000ULL / (uint64_t)sysconf(_SC_CLK_TCK), v[8] = { 0 };
    for (int i = 0; i < cfg.npids; i++) {
        unsigned long u = 0, s = 0;
        char *p = strrchr(proc_file(cfg.pids[i], "stat"), ')');
        if (!p || sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &u, &s) != 2)
            errx(2, "cannot parse /proc/%d/stat", cfg.pids[i]);
        c.user += u * tick;
        c.sys += s * tick;
    }
    getrusage(RUSAGE_SELF, &r);
    c.own = (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000ULL + (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
    sscanf(proc_file(0, "stat"), "cpu %lu %lu %lu %lu %lu %lu %lu %lu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]);
    c.machine = (v[0] + v[1] + v[2] + v[5] + v[6] + v[7]) * tick;   /* user nice system irq softirq steal */
    return c;
}

static Cpu cpu_since(Cpu a)
{
    Cpu b = cpu_now();
    return (Cpu){ b.user - a.user, b.sys - a.sys, b.own - a.own, b.machine - a.machine };
}

static long rss_kib(void)
{
    long total = 0, pages;
    for (int i = 0; i < cfg.npids; i++)
        if (sscanf(proc_file(cfg.pids[i], "statm"), "%*d %ld", &pages) == 1)
            total += pages * (sysconf(_SC_PAGESIZE) / 1024);
    return total;
}

/* ---- connections ---- */
static void watch(Client *c, int op, uint32_t events)
{
    struct epoll_event e = { .events = events, .data.u32 = c->id };
    if (epoll_ctl(ep, op, c->fd, &e) < 0)
        err(2, "epoll_ctl");
}

static void drop(Client *c, const char *why)
{
    if (!first_error[0])
        snprintf(first_error, sizeof first_error, "client %u: %s", c->id, why);
    *(c->st == READY ? &n_ready : &n_pending) -= 1;
    n_dead++;
    c->st = DEAD;
    close(c->fd);
}

static void tx(Client *c, const char *p, size_t n)
{
    if (c->st == DEAD)
        return;
    if (!c->out_len) {
        ssize_t k = send(c->fd, p, n, MSG_NOSIGNAL);
        if (k < 0 && errno != EAGAIN) {
            drop(c, strerror(errno));
            return;
        }
        p += k > 0 ? k : 0;
        n -= k > 0 ? (size_t)k : 0;
        if (!n)
            return;
        watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
    if (c->out_len + n > c->out_cap) {
        c->out_cap = (c->out_len + n) * 2;
        c->out = need(realloc(c->out, c->out_cap));
    }
    memcpy(c->out + c->out_len, p, n);
    c->out_len += n;
}

#define txf(c, ...) do { char b_[1024]; tx(c, b_, (size_t)snprintf(b_, sizeof b_, __VA_ARGS__)); } while (0)

static void flush_out(Client *c)
{
    ssize_t k = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL);
    if (k < 0) {
        if (errno != EAGAIN)
            drop(c, strerror(errno));
        return;
    }
    c->out_len -= (size_t)k;
    memmove(c->out, c->out + k, c->out_len);
    if (!c->out_len)
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
}

static void open_client(unsigned id)
{
    Client *c = &cl[id];
    c->id = id;
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)cfg.port) };
    int one = 1;
    if (inet_pton(AF_INET, cfg.host, &to.sin_addr) != 1)
        errx(2, "not an IPv4 address: %s", cfg.host);
    if ((c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0)
        err(2, "socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));     /* no TIME_WAIT */
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        err(2, "connect");
    c->st = CONNECTING;
    c->born = now;
    n_opened++;
    n_pending++;
    watch(c, EPOLL_CTL_ADD, EPOLLOUT);
}

static void hello(Client *c)
{
    int err = 0;
    socklen_t n = sizeof err;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &n);
    if (err) {
        drop(c, strerror(err));
        return;
    }
    watch(c, EPOLL_CTL_MOD, EPOLLIN);
    if (cfg.native) {
        c->st = REGISTERING;
        txf(c, "{\"t\":\"hello\",\"login\":\"u%u\",\"device\":\"load-%d-%u\"}\n", c->id, (int)getpid(), c->id);
        return;
    }
    c->st = cfg.echo ? CAPS : REGISTERING;
    txf(c, "%sNICK u%u\r\nUSER u%u 0 * :load\r\n", cfg.echo ? "CAP REQ :echo-message\r\n" : "", c->id, c->id);
}

static void ready(Client *c)
{
    c->st = READY;
    n_pending--;
    n_ready++;
    hist_add(&reg_lat, now - c->born);
}

/* ---- messages ---- */
static size_t format_msg(char *buf, unsigned id, uint64_t stamp)
{
    Sender *s = &sd[id];
    unsigned chans = (unsigned)cfg.channels, ch = id % chans, fan = 1;
    int n, k;
    if (cfg.native) {
        s->stamp[(s->next + 1) % STAMPS] = stamp;
        if (cfg.mode == DM)
            n = sprintf(buf, "{\"t\":\"say\",\"n\":%u,\"to\":\"@u%u\",\"text\":\"", s->next + 1, id ^ 1u);
        else
            n = sprintf(buf, "{\"t\":\"say\",\"n\":%u,\"to\":\"%s%u\",\"text\":\"", s->next + 1, cfg.channel, ch);
        if (cfg.mode != DM)
            fan = ((unsigned)cfg.clients - ch + chans - 1) / chans - 1;
    } else if (cfg.mode == DM) {
        n = sprintf(buf, "PRIVMSG u%u :", id ^ 1u);
    } else {
        n = sprintf(buf, "PRIVMSG %s%u :", cfg.channel, ch);
        fan = ((unsigned)cfg.clients - ch + chans - 1) / chans - 1;     /* all members but the sender */
    }
    s->left[s->next % (unsigned)cfg.window] = fan;
    k = sprintf(buf + n, "~%u %u %llu ", id, s->next + 1, (unsigned long long)stamp);
    for (; k < cfg.bytes; k++)
        buf[n + k] = 'x';
    n += k;
    n += sprintf(buf + n, "%s", cfg.native ? "\"}\n" : "\r\n");
    s->next++;
    sent++;
    expected += fan;
    return (size_t)n;
}

static bool room(const Sender *s)
{
    return s->next - s->base < (unsigned)cfg.window;
}

static void pump(unsigned id)                           /* send all that the window allows */
{
    char buf[TXBUF];
    size_t n = 0;
    while (room(&sd[id]) && n + 1024 < sizeof buf)
        n += format_msg(buf + n, id, now);
    if (n)
        tx(&cl[id], buf, n);
    sd[id].dirty = room(&sd[id]);
}

static uint64_t pace(void)                              /* -R: send what is due; ns until the next one */
{
    static uint64_t done;
    static unsigned turn;
    char buf[1024];
    for (;;) {
        uint64_t due = t_run + (uint64_t)((double)done * (double)NS / cfg.rate);
        if (due > now)
            return due - now;
        unsigned tried = 0;
        for (; tried < (unsigned)cfg.senders && !room(&sd[turn]); tried++)
            turn = (turn + 1) % (unsigned)cfg.senders;
        if (tried == (unsigned)cfg.senders)
            return NS / 1000;                           /* every window is full: the schedule slips */
        tx(&cl[turn], buf, format_msg(buf, turn, due));
        turn = (turn + 1) % (unsigned)cfg.senders;
        done++;
    }
}

static void received(Client *c, const char *p)          /* p points at "~SENDER SEQ STAMP" */
{
    char *q;
    unsigned id = (unsigned)strtoul(p + 1, &q, 10);
    uint32_t seq = (uint32_t)strtoul(q, &q, 10);
    uint64_t stamp = strtoull(q, &q, 10);
    if (id == c->id) {                                  /* echo-message */
        hist_add(&ack_lat, now - stamp);
        return;
    }
    if (id >= (unsigned)cfg.senders
        || (cfg.mode == DM ? id != (c->id ^ 1u) : id % (unsigned)cfg.channels != c->id % (unsigned)cfg.channels)) {
        strays++;
        return;
    }
    uint32_t *last = cfg.mode == DM ? &last_seq[c->id] : &last_seq[c->id * (unsigned)cfg.senders + id];
    if (seq <= *last) {
        repeats++;
        return;
    }
    gaps += seq - *last - 1;
    *last = seq;
    deliveries++;
    hist_add(&lat, now - stamp);
    Sender *s = &sd[id];
    if (seq - 1 - s->base < (unsigned)cfg.window && --s->left[(seq - 1) % (unsigned)cfg.window] == 0) {
        while (s->base != s->next && s->left[s->base % (unsigned)cfg.window] == 0)
            s->base++;
        s->dirty = true;
    }
}

static bool says(const char *p, const char *tag)        /* is this {"t":"TAG"...? */
{
    size_t n = strlen(tag);
    return !strncmp(p, "{\"t\":\"", 6) && !strncmp(p + 6, tag, n) && p[6 + n] == '"';
}

static uint64_t number(const char *p, const char *key)
{
    const char *at = strstr(p, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static void native_line(Client *c, char *p)             /* one JSON line of the native protocol */
{
    if (says(p, "message")) {
        char *text = strstr(p, "\"text\":\"~");
        c->seq = number(p, "\"seq\":");
        if (text)
            received(c, text + 8);
    } else if (says(p, "accepted")) {
        if (c->id < (unsigned)cfg.senders)
            hist_add(&ack_lat, now - sd[c->id].stamp[number(p, "\"n\":") % STAMPS]);
    } else if (says(p, "ping")) {
        pings++;
        txf(c, "{\"t\":\"pong%s\n", p + 10);
    } else if (c->st == REGISTERING && says(p, "welcome")) {
        c->st = JOINING;
        if (cfg.join)
            txf(c, "{\"t\":\"join\",\"room\":\"%s%u\",\"ref\":1}\n", cfg.channel, c->id % (unsigned)cfg.channels);
        else
            ready(c);
    } else if (c->st == JOINING && (says(p, "done") || strstr(p, "\"already_member\""))) {
        ready(c);
    } else if (says(p, "refused") || says(p, "bye")) {
        drop(c, p);
    }
}

static void line(Client *c, char *p, char *end)         /* one line, CR LF cut off, NUL at end */
{
    char *whole = p;
    if (*p == '@' && (p = memchr(p, ' ', (size_t)(end - p))))
        p++;
    if (p && *p == ':' && (p = memchr(p, ' ', (size_t)(end - p))))
        p++;
    if (!p)
        return;
    if (!strncmp(p, "PRIVMSG ", 8)) {
        char *text = strstr(p, " :~");
        if (text)
            received(c, text + 2);
        return;
    }
    if (!strncmp(p, "PING", 4)) {
        pings++;
        txf(c, "PONG%s\r\n", p + 4);
        return;
    }
    if (c->st == READY) {
        if (!strncmp(p, "ERROR", 5))
            drop(c, whole);
        return;
    }
    if (c->st == CAPS && !strncmp(p, "CAP ", 4)) {
        c->st = REGISTERING;
        txf(c, "CAP END\r\n");
        if (strstr(p, " NAK "))
            drop(c, "the server refuses echo-message");
    } else if (c->st == REGISTERING && (!strncmp(p, "376 ", 4) || !strncmp(p, "422 ", 4))) {
        c->st = JOINING;
        if (cfg.join)
            txf(c, "JOIN %s%u\r\n", cfg.channel, c->id % (unsigned)cfg.channels);
        else
            ready(c);
    } else if (c->st == JOINING && !strncmp(p, "366 ", 4)) {
        ready(c);
    } else if (!strncmp(p, "ERROR", 5) || ((*p == '4' || *p == '5') && p[3] == ' ' && strncmp(p, "422", 3))) {
        drop(c, whole);
    }
}

static void readable(Client *c)
{
    static char buf[CARRY + RXBUF + 1];
    memcpy(buf, c->carry, c->carry_len);
    ssize_t k = recv(c->fd, buf + c->carry_len, RXBUF, 0);
    if (k <= 0) {
        if (k == 0 || errno != EAGAIN)
            drop(c, k ? strerror(errno) : "closed by the server");
        return;
    }
    now = t_last_rx = clock_ns();
    rx_calls++;
    rx_bytes += (uint64_t)k;
    char *p = buf, *end = buf + c->carry_len + k, *nl;
    *end = 0;
    while (p < end && c->st != DEAD && (nl = memchr(p, '\n', (size_t)(end - p)))) {
        char *e = nl > p && nl[-1] == '\r' ? nl - 1 : nl;
        *e = 0;
        if (cfg.native)
            native_line(c, p);
        else
            line(c, p, e);
        p = nl + 1;
    }
    if (c->seq && c->st != DEAD) {
        txf(c, "{\"t\":\"confirm\",\"seq\":%llu}\n", (unsigned long long)c->seq);
        c->seq = 0;
    }
    c->carry_len = (size_t)(end - p);
    if (c->carry_len > CARRY)
        errx(2, "a line longer than %d bytes", CARRY);
    memcpy(c->carry, p, c->carry_len);
}

/* ---- one turn of the loop ---- */
static void turn(uint64_t max_wait)
{
    struct epoll_event ev[MAXEV];
    if (sending && cfg.rate > 0) {
        uint64_t wait = pace();
        if (wait < max_wait)
            max_wait = wait;
    } else if (sending) {
        for (unsigned i = 0; i < (unsigned)cfg.senders; i++)
            if (sd[i].dirty) {
                pump(i);
                if (sd[i].dirty)
                    max_wait = 0;
            }
    }
    struct timespec ts = { .tv_sec = (time_t)(max_wait / NS), .tv_nsec = (long)(max_wait % NS) };
    int n = epoll_pwait2(ep, ev, MAXEV, &ts, NULL);
    now = clock_ns();
    for (int i = 0; i < n; i++) {
        Client *c = &cl[ev[i].data.u32];
        if (c->st == DEAD)
            continue;
        if (c->st == CONNECTING)
            hello(c);
        else if (ev[i].events & EPOLLOUT && c->out_len)
            flush_out(c);
        if (c->st != DEAD && ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            readable(c);
    }
    now = clock_ns();
}

static bool connect_all(void)
{
    uint64_t start = now = clock_ns(), moved = now;
    int had = 0;
    while (n_ready + n_dead < cfg.clients) {
        while (n_opened < cfg.clients && n_pending < cfg.gate)
            open_client((unsigned)n_opened);
        turn(NS / 10);
        if (n_ready + n_dead != had) {
            had = n_ready + n_dead;
            moved = now;
        }
        if (now - moved > 20 * NS) {
            snprintf(first_error, sizeof first_error, "stuck: %d of %d ready, no progress for 20 s", n_ready, cfg.clients);
            break;
        }
    }
    connect_s = (double)(now - start) / 1e9;
    return n_ready == cfg.clients;
}

static void settle(void)                                /* until 0.5 s pass without input, 60 s at most */
{
    uint64_t start = now;
    t_last_rx = now;
    while (now - t_last_rx < NS / 2 && now - start < 60 * NS)
        turn(NS / 10);
}

static void run_until(uint64_t end)
{
    while (now < end)
        turn(end - now < NS / 10 ? end - now : NS / 10);
}

/* ---- report ---- */
static void jstr(const char *s)
{
    putchar('"');
    for (; *s; s++)
        if ((unsigned char)*s >= ' ')
            printf(*s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
    putchar('"');
}

static void report_hist(const char *name, const Hist *h)
{
    printf(", \"%s\": {\"n\": %llu, \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f, \"mean_us\": %.1f}",
           name, (unsigned long long)h->n, hist_us(h, .5), hist_us(h, .9), hist_us(h, .99), hist_us(h, .999),
           (double)h->max / 1e3, h->n ? (double)h->sum / (double)h->n / 1e3 : 0.0);
}

static void report_head(void)
{
    printf("{\"tool\": \"chatload\", \"label\": ");
    jstr(cfg.label);
    printf(", \"mode\": \"%s\", \"clients\": %d, \"ready\": %d, \"gate\": %d, \"connect_s\": %.3f, \"connections_per_s\": %.0f",
           mode_names[cfg.mode], cfg.clients, n_ready, cfg.gate, connect_s, connect_s > 0 ? n_ready / connect_s : 0);
}

static void report_tail(void)
{
    printf(", \"pings\": %llu, \"disconnects\": %d, \"error\": ", (unsigned long long)pings, n_dead);
    jstr(first_error);
    printf("}\n");
}

static int load(long rss0)
{
    settle();
    long rss_idle = rss_kib();
    now = t_run = clock_ns();
    sending = true;
    for (int i = 0; i < cfg.senders; i++)
        sd[i].dirty = true;
    run_until(t_run + (uint64_t)(cfg.warm * 1e9));

    memset(&lat, 0, sizeof lat);
    memset(&ack_lat, 0, sizeof ack_lat);
    uint64_t t0 = now, d0 = deliveries, m0 = sent, r0 = rx_calls, b0 = rx_bytes;
    Cpu before = cpu_now();
    run_until(t0 + (uint64_t)(cfg.seconds * 1e9));
    Cpu cpu = cpu_since(before);
    double secs = (double)(now - t0) / 1e9, d = (double)(deliveries - d0), m = (double)(sent - m0);
    double srv = (double)(cpu.user + cpu.sys), calls = (double)(rx_calls - r0), bytes = (double)(rx_bytes - b0);
    long rss_run = rss_kib();
    Hist shown = lat, shown_ack = ack_lat;

    sending = false;                                    /* drain: until all is there or nothing comes for 5 s */
    t_last_rx = now;
    while (deliveries < expected && now - t_last_rx < 5 * NS)
        turn(NS / 10);
    uint64_t lost = expected > deliveries ? expected - deliveries : 0;

    report_head();
    printf(", \"senders\": %d, \"channels\": %d, \"bytes\": %d, \"window\": %d, \"rate\": %.0f, \"seconds\": %.3f",
           cfg.senders, cfg.channels, cfg.bytes, cfg.window, cfg.rate, secs);
    printf(", \"deliveries_per_s\": %.0f, \"sent_per_s\": %.0f", d / secs, m / secs);
    report_hist("latency", &shown);
    if (cfg.echo || cfg.native)
        report_hist("ack", &shown_ack);
    if (cfg.npids)
        printf(", \"server_cpu_us_per_delivery\": %.3f, \"server_cpu_us_per_message\": %.3f, \"server_cpu_cores\": %.3f, \"server_sys_share\": %.2f"
               ", \"rss_start_kib\": %ld, \"rss_idle_kib\": %ld, \"rss_run_kib\": %ld",
               d > 0 ? srv / d : 0, m > 0 ? srv / m : 0, srv / 1e6 / secs, srv > 0 ? (double)cpu.sys / srv : 0, rss0, rss_idle, rss_run);
    printf(", \"gen_cpu_cores\": %.3f, \"other_cpu_cores\": %.3f, \"deliveries_per_read\": %.2f, \"bytes_per_delivery\": %.0f",
           (double)cpu.own / 1e6 / secs, ((double)cpu.machine - (double)cpu.own - srv) / 1e6 / secs, calls > 0 ? d / calls : 0, d > 0 ? bytes / d : 0);
    printf(", \"expected\": %llu, \"delivered\": %llu, \"lost\": %llu, \"gaps\": %llu, \"repeats_or_reordered\": %llu, \"strays\": %llu",
           (unsigned long long)expected, (unsigned long long)deliveries, (unsigned long long)lost, (unsigned long long)gaps,
           (unsigned long long)repeats, (unsigned long long)strays);
    report_tail();
    return lost || gaps || repeats || strays || n_dead;
}

static int hold(long rss0, Cpu spent)
{
    settle();
    Cpu before = cpu_now();
    uint64_t t0 = now;
    if (cfg.mode == IDLE)
        run_until(now + (uint64_t)(cfg.seconds * 1e9));
    Cpu idle = cpu_since(before);
    long rss = rss_kib();
    report_head();
    report_hist("registration", &reg_lat);
    if (cfg.npids && n_ready)
        printf(", \"server_cpu_us_per_connection\": %.1f, \"rss_start_kib\": %ld, \"rss_kib\": %ld, \"rss_kib_per_connection\": %.2f",
               (double)(spent.user + spent.sys) / n_ready, rss0, rss, (double)(rss - rss0) / n_ready);
    if (cfg.npids && cfg.mode == IDLE)
        printf(", \"held_s\": %.1f, \"idle_cpu_us_per_s\": %.0f", (double)(now - t0) / 1e9,
               (double)(idle.user + idle.sys) / ((double)(now - t0) / 1e9));
    report_tail();
    return n_ready != cfg.clients;
}

/* ---- main ---- */
static void usage(void)
{
    fprintf(stderr,
        "usage: chatload fanout|dm|idle|connect [options]\n"
        "  -H ADDR   server, IPv4 (127.0.0.1)        -P PORT   (6667)\n"
        "  -n N      clients (100)                   -s S      senders (fanout 1, dm all)\n"
        "  -b B      bytes of text (100)             -w W      outstanding messages per sender (8)\n"
        "  -R RATE   messages/s in all, on schedule  -c C      channels (1); client i joins channel i mod C\n"
        "  -u SEC    warm-up (1)                     -t SEC    measured, or held in idle (5)\n"
        "  -g G      registrations at once (64)      -p PID,.. server processes to account\n"
        "  -e        ask for echo-message: time from a message to its echo\n"
        "  -N        speak tcpchat's native protocol instead of IRC\n"
        "  -j        idle, connect: join the channel too\n"
        "  -C NAME   channel name stem (#load)       -l LABEL  copied into the report\n");
    exit(2);
}

static void options(int argc, char **argv)
{
    static const char int_opts[] = "Pnsbwcg";
    int *ints[] = { &cfg.port, &cfg.clients, &cfg.senders, &cfg.bytes, &cfg.window, &cfg.channels, &cfg.gate };
    int o, m;
    if (argc < 2)
        usage();
    for (m = 0; m < 4 && strcmp(argv[1], mode_names[m]); m++)
        ;
    if (m == 4)
        usage();
    cfg.mode = (enum mode)m;
    optind = 2;
    while ((o = getopt(argc, argv, "H:P:n:s:b:w:R:c:u:t:g:p:C:l:ejN")) != -1)
        switch (o) {
        case 'e': cfg.echo = true; break;
        case 'j': cfg.join = true; break;
        case 'N': cfg.native = true; break;
        case 'R': cfg.rate = atof(optarg); break;
        case 'u': cfg.warm = atof(optarg); break;
        case 't': cfg.seconds = atof(optarg); break;
        case 'H': cfg.host = optarg; break;
        case 'C': cfg.channel = optarg; break;
        case 'l': cfg.label = optarg; break;
        case 'p':
            for (char *p = strtok(optarg, ","); p && cfg.npids < MAXPID; p = strtok(NULL, ","))
                cfg.pids[cfg.npids++] = atoi(p);
            break;
        default:
            if (o == '?')
                usage();
            *ints[strchr(int_opts, o) - int_opts] = atoi(optarg);
        }
    if (cfg.mode == FANOUT || cfg.mode == DM)
        cfg.join = cfg.mode == FANOUT;
    if (!cfg.senders)
        cfg.senders = cfg.mode == DM ? cfg.clients : 1;
    if (cfg.clients < 1 || cfg.senders > cfg.clients || cfg.channels < 1 || cfg.window < 1
        || cfg.gate < 1 || cfg.bytes < 1 || cfg.bytes > 400 || strlen(cfg.channel) > 64
        || (cfg.mode == DM && cfg.clients % 2) || (cfg.mode == FANOUT && cfg.clients < 2 * cfg.channels)
        || strncmp(cfg.host, "127.", 4))
        usage();
}

int main(int argc, char **argv)
{
    options(argc, argv);
    cl = need(calloc((size_t)cfg.clients, sizeof *cl));
    sd = need(calloc((size_t)cfg.senders, sizeof *sd));
    last_seq = need(calloc((size_t)cfg.clients * (cfg.mode == FANOUT ? (size_t)cfg.senders : 1), sizeof *last_seq));
    for (int i = 0; i < cfg.senders; i++)
        sd[i].left = need(calloc((size_t)cfg.window, sizeof *sd[i].left));
    if ((ep = epoll_create1(EPOLL_CLOEXEC)) < 0)
        err(2, "epoll_create1");

    long rss0 = rss_kib();
    Cpu before = cpu_now();
    bool ok = connect_all();
    Cpu spent = cpu_since(before);
    if (cfg.mode == IDLE || cfg.mode == CONNECT)
        return hold(rss0, spent);
    if (ok)
        return load(rss0);
    report_head();
    report_tail();
    return 1;
}
