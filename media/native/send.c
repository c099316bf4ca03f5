/* Datagrams waiting to be sent, and their sending: grouped by destination, runs of equal size in one message. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define MAX_RUN 40 /* segments of one message; with 1500 bytes each under the 64 KiB of a datagram */

typedef union {
    struct cmsghdr header; /* for its alignment */
    uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
} segment_control;

typedef union {
    struct sockaddr_in four;
    struct sockaddr_in6 six;
} any_address;

static socklen_t to_socket(const bs_address *from, any_address *to) {
    memset(to, 0, sizeof *to);
    if (from->family == 4) {
        to->four.sin_family = AF_INET;
        to->four.sin_port = htons(from->port);
        memcpy(&to->four.sin_addr, from->host, 4);
        return sizeof to->four;
    }
    to->six.sin6_family = AF_INET6;
    to->six.sin6_port = htons(from->port);
    to->six.sin6_scope_id = from->scope;
    memcpy(&to->six.sin6_addr, from->host, 16);
    return sizeof to->six;
}

static void count_failure(bs_path *path, uint32_t datagrams) {
    int full = errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS;
    path->figures.drops[full ? BS_DROP_SEND_BUFFER_FULL : BS_DROP_SEND_FAILED] += datagrams;
}

void bs_path_send(bs_path *path, const uint8_t *data, uint32_t size, const bs_address *to) {
    any_address address;
    socklen_t length = to_socket(to, &address);
    path->figures.sends++;
    path->figures.runs++;
    if (sendto(path->descriptor, data, size, MSG_DONTWAIT, (struct sockaddr *)&address, length) < 0)
        count_failure(path, 1);
}

bs_queued *bs_queue_place(bs_path *path) {
    if (path->queued == BS_QUEUE) bs_path_flush(path);
    return &path->queue[path->queued];
}

void bs_queue_commit(bs_link *link, bs_queued *place) {
    bs_path *path = link->path;
    path->queued++;
    place->next = NULL;
    if (link->last_queued) {
        link->last_queued->next = place;
    } else {
        link->first_queued = place;
        link->next_queued = NULL;
        if (path->last_waiting)
            path->last_waiting->next_queued = link;
        else
            path->first_waiting = link;
        path->last_waiting = link;
    }
    link->last_queued = place;
}

/* What one flush hands to the kernel. */
typedef struct {
    uint32_t messages, vectors;
    struct mmsghdr message[BS_QUEUE];
    struct iovec vector[BS_QUEUE];
    segment_control control[BS_QUEUE];
} batch;

/* How many datagrams from here make a run: one size, only the last one shorter. */
static uint32_t run_length(const bs_path *path, const bs_queued *first) {
    uint32_t count = 1;
    if (!path->segmentation) return count;
    for (const bs_queued *next = first->next; next && count < MAX_RUN && next->size <= first->size; next = next->next) {
        count++;
        if (next->size < first->size) break;
    }
    return count;
}

static void add_run(batch *batch, const bs_queued **at, uint32_t count, any_address *to, socklen_t length) {
    struct msghdr *header = &batch->message[batch->messages].msg_hdr;
    memset(header, 0, sizeof *header);
    header->msg_name = to;
    header->msg_namelen = length;
    header->msg_iov = &batch->vector[batch->vectors];
    header->msg_iovlen = count;
    if (count > 1) {
        segment_control *control = &batch->control[batch->messages];
        memset(control, 0, sizeof *control);
        header->msg_control = control->bytes;
        header->msg_controllen = sizeof control->bytes;
        struct cmsghdr *item = CMSG_FIRSTHDR(header);
        item->cmsg_level = SOL_UDP;
        item->cmsg_type = UDP_SEGMENT;
        item->cmsg_len = CMSG_LEN(sizeof(uint16_t));
        uint16_t size = (uint16_t)(*at)->size;
        memcpy(CMSG_DATA(item), &size, sizeof size);
    }
    for (uint32_t index = 0; index < count; index++, *at = (*at)->next) {
        batch->vector[batch->vectors].iov_base = (void *)(*at)->data;
        batch->vector[batch->vectors++].iov_len = (*at)->size;
    }
    batch->messages++;
}

/* A run that was not taken: one by one. How many went. */
static uint32_t send_singly(bs_path *path, const struct msghdr *run) {
    uint32_t sent = 0;
    for (size_t index = 0; index < run->msg_iovlen; index++) {
        const struct iovec *vector = &run->msg_iov[index];
        if (sendto(path->descriptor, vector->iov_base, vector->iov_len, MSG_DONTWAIT, run->msg_name, run->msg_namelen) < 0)
            count_failure(path, 1);
        else
            sent++;
    }
    return sent;
}

static void send_batch(bs_path *path, batch *batch) {
    uint32_t at = 0;
    while (at < batch->messages) {
        int sent = sendmmsg(path->descriptor, batch->message + at, batch->messages - at, MSG_DONTWAIT);
        if (sent > 0) {
            at += (uint32_t)sent;
            continue;
        }
        struct msghdr *failed = &batch->message[at++].msg_hdr;
        int why = errno;
        if (failed->msg_iovlen > 1 && (why == EIO || why == EINVAL || why == EMSGSIZE || why == ENOPROTOOPT)) {
            /* What goes singly but not as a run: the kernel or the device can't. A bad address says nothing of it. */
            if (send_singly(path, failed) && why != EMSGSIZE) path->segmentation = 0;
        } else {
            count_failure(path, (uint32_t)failed->msg_iovlen);
        }
    }
}

/* For a TCP connection, whoever writes to those. */
static void stream_out(bs_path *path, uint32_t stream, const bs_queued *packet) {
    uint16_t size = (uint16_t)packet->size;
    uint32_t used = path->figures.streamed;
    if (used + sizeof stream + sizeof size + size > BS_STREAMED) {
        path->figures.drops[BS_DROP_SEND_BUFFER_FULL]++;
        return;
    }
    memcpy(path->streamed + used, &stream, sizeof stream);
    memcpy(path->streamed + used + sizeof stream, &size, sizeof size);
    memcpy(path->streamed + used + sizeof stream + sizeof size, packet->data, size);
    path->figures.streamed = used + (uint32_t)(sizeof stream + sizeof size) + size;
    path->figures.sends++;
    path->figures.runs++;
}

void bs_path_flush(bs_path *path) {
    static batch batch; /* one thread; too large for a stack */
    static any_address addresses[BS_QUEUE];
    uint32_t links = 0;
    if (!path->queued) return;
    batch.messages = batch.vectors = 0;
    for (bs_link *link = path->first_waiting; link; link = link->next_queued) {
        const bs_queued *at = link->first_queued;
        link->first_queued = link->last_queued = NULL;
        if (!link->address.family) continue;
        if (link->address.family == BS_STREAM) {
            for (; at; at = at->next) stream_out(path, link->address.scope, at);
            continue;
        }
        any_address *to = &addresses[links++];
        socklen_t length = to_socket(&link->address, to);
        while (at) add_run(&batch, &at, run_length(path, at), to, length);
    }
    path->first_waiting = path->last_waiting = NULL;
    path->queued = 0;
    path->figures.sends += batch.vectors;
    path->figures.runs += batch.messages;
    send_batch(path, &batch);
}
