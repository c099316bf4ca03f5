/* The socket: reading batches, telling datagrams apart (RFC 7983), and what Python is told of. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "internal.h"

#define SHED_AFTER_S 0.2 /* behind for longer than this: pictures that wait are dropped, not forwarded late */
#define SHED_SOUND_AFTER_S 1.0 /* for so long although they are dropped: so is everything */

typedef union {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
} any_address;

bs_path *bs_path_new(uintptr_t protect, uintptr_t unprotect, uintptr_t protect_rtcp, uintptr_t unprotect_rtcp,
                     uint32_t seed) {
    bs_path *path = calloc(1, sizeof *path);
    if (!path) return NULL;
    path->protect = (bs_srtp)protect;
    path->unprotect = (bs_srtp)unprotect;
    path->protect_rtcp = (bs_srtp)protect_rtcp;
    path->unprotect_rtcp = (bs_srtp)unprotect_rtcp;
    path->seed = seed;
    path->descriptor = path->ticker = -1;
    path->segmentation = 1;
    path->behind_since = -1;
    return path;
}

void bs_path_free(bs_path *path) {
    if (path->ticker >= 0) close(path->ticker);
    free(path);
}

int bs_path_ticker(bs_path *path) {
    if (path->ticker < 0) path->ticker = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return path->ticker;
}

void bs_path_beat(bs_path *path, uint32_t microseconds) {
    struct timespec period = {0, (long)(microseconds % 1000000) * 1000};
    struct itimerspec beat = {period, period};
    if (path->ticker < 0) return;
    timerfd_settime(path->ticker, 0, &beat, NULL);
    path->beating = microseconds != 0;
}

bs_path_figures *bs_path_read(bs_path *path) { return &path->figures; }

bs_event *bs_path_events(bs_path *path) { return path->events; }

const uint8_t *bs_path_streamed(bs_path *path) { return path->streamed; }

void bs_path_attach(bs_path *path, int descriptor, int six) {
    path->descriptor = descriptor;
    path->six = six;
}

bs_event *bs_note(bs_path *path, uint32_t kind, uint32_t owner) {
    if (path->figures.events == BS_MAX_EVENTS) return NULL;
    bs_event *event = &path->events[path->figures.events++];
    memset(event, 0, sizeof *event);
    event->kind = kind;
    event->owner = owner;
    return event;
}

static int from_socket(const any_address *from, socklen_t length, bs_address *to) {
    memset(to, 0, sizeof *to);
    if (length >= sizeof from->four && from->any.sa_family == AF_INET) {
        to->family = 4;
        to->port = ntohs(from->four.sin_port);
        memcpy(to->host, &from->four.sin_addr, 4);
        return 1;
    }
    if (length >= sizeof from->six && from->any.sa_family == AF_INET6) {
        to->family = 6;
        to->port = ntohs(from->six.sin6_port);
        to->scope = from->six.sin6_scope_id;
        memcpy(to->host, &from->six.sin6_addr, 16);
        return 1;
    }
    return 0;
}

/* `shed`: 1 drops media but sound, 2 all of it. */
static void datagram(bs_path *path, uint8_t *data, uint32_t size, const bs_address *from, double now, int shed) {
    uint64_t *drops = path->figures.drops;
    uint8_t first = data[0];
    if (first > 127 && first < 192) {
        bs_link *link = bs_link_find(path, from);
        if (!link)
            drops[BS_DROP_STRANGER]++;
        else if (shed > 1 || (shed && !bs_link_is_sound(link, data, size)))
            drops[BS_DROP_OVERLOAD]++;
        else
            bs_link_media(link, data, size, now);
    } else if (first < 4 || (first > 19 && first < 64 && bs_link_find(path, from))) {
        bs_event *event = bs_note(path, BS_EVENT_DATAGRAM, 0);
        if (!event) return;
        event->data = data;
        event->size = size;
        event->peer = *from;
        event->now = now;
    } else {
        drops[BS_DROP_UNKNOWN]++;
    }
}

void bs_path_receive(bs_path *path, const uint8_t *data, uint32_t size, const bs_address *from, double now) {
    if (size < 1 || size > BS_DATAGRAM) return;
    memcpy(path->injected, data, size);
    datagram(path, path->injected, size, from, now, 0);
}

int bs_path_poll(bs_path *path, double now) {
    static struct mmsghdr messages[BS_BATCH]; /* one thread */
    static struct iovec vectors[BS_BATCH];
    static any_address addresses[BS_BATCH];
    uint64_t beats;
    path->figures.events = 0;
    if (path->beating && read(path->ticker, &beats, sizeof beats) < 0) beats = 0; /* none since the last poll */
    for (uint32_t index = 0; index < BS_BATCH; index++) {
        messages[index].msg_hdr.msg_namelen = sizeof addresses[index];
        if (vectors[index].iov_base == path->in[index]) continue; /* as the last poll left it */
        vectors[index] = (struct iovec){path->in[index], BS_DATAGRAM};
        struct msghdr *header = &messages[index].msg_hdr;
        memset(header, 0, sizeof *header);
        header->msg_name = &addresses[index];
        header->msg_namelen = sizeof addresses[index];
        header->msg_iov = &vectors[index];
        header->msg_iovlen = 1;
    }
    int count = recvmmsg(path->descriptor, messages, BS_BATCH, MSG_DONTWAIT, NULL);
    if (count < 0) {
        int nothing = errno == EAGAIN || errno == EWOULDBLOCK;
        if (nothing) path->behind_since = -1;
        if (path->first_paced) {
            bs_path_pace(path, now);
            bs_path_flush(path);
        }
        return !nothing; /* 1: an ICMP error of an earlier send */
    }
    double late = path->behind_since >= 0 ? now - path->behind_since : 0;
    int shed = (late > SHED_AFTER_S) + (late > SHED_SOUND_AFTER_S);
    for (int index = 0; index < count; index++) {
        bs_address from;
        uint32_t size = messages[index].msg_len;
        if (size < 1 || size > BS_DATAGRAM) continue;
        if (!from_socket(&addresses[index], messages[index].msg_hdr.msg_namelen, &from)) continue;
        datagram(path, path->in[index], size, &from, now, shed);
    }
    if (count < BS_BATCH)
        path->behind_since = -1;
    else if (path->behind_since < 0)
        path->behind_since = now;
    if (path->first_paced) bs_path_pace(path, now);
    bs_path_flush(path);
    return count;
}
