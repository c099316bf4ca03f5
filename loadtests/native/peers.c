/* The benchmark's peers, packet by packet: write, encrypt, send; receive, decrypt, count.
 *
 * In C because the peers share a small machine with the server they measure: in Python they needed more
 * of a core than the server, and their own waiting was in every figure. Decisions (when to send, what to
 * ask for again, reports) are made in Python: loadtests/media_peers.py, which mirrors these structures.
 * libsrtp's functions are handed in: they come with pylibsrtp.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 32
#define DATAGRAM 2048
#define KEPT 256
#define CIPHERTEXT 192
#define WINDOW 4096
#define STAMP_AT 11 /* after what a VP8 key frame begins with; sound carries it at the same place */
#define FRAME 8     /* packets at most */

typedef int (*srtp_function)(void *session, void *packet, int *length);

struct counts { /* between two moments of the wall clock, in Unix seconds */
    double begin, end;
    uint64_t published, sent, sent_sound, received, received_sound, datagrams, octets, retransmitted, unsent;
    float *latencies; /* seconds */
    uint64_t latency_count, latency_space;
};

struct link {
    void *outgoing, *incoming; /* SRTP sessions */
    int32_t descriptor;
    uint32_t chance; /* state of the dice */
    uint32_t lost_below; /* of 2^32: what the network loses, each way */
    uint16_t transport_number;
    uint16_t transport_id; /* of the numbers that come in, 0 without */
    uint32_t arrived_count;
    uint16_t arrived[1024]; /* transport-wide numbers since they were last read */
    double arrived_at[1024];
};

struct kept {
    double stamp;
    uint32_t timestamp;
    int32_t length; /* of the ciphertext, 0 where the payload is written again */
    uint16_t sequence;
    uint8_t marker, kind, used;
    uint8_t ciphertext[CIPHERTEXT];
};

struct track {
    struct link *link;
    uint32_t ssrc, rtx_ssrc, timestamp, packets, octets, size;
    uint16_t sequence, rtx_sequence;
    uint8_t type, rtx_type, video, mid, acknowledged, wants_keyframe;
    uint8_t rid;     /* of one encoding among several, 0 without */
    uint8_t counted; /* should reach every receiver */
    double last; /* wall clock of the newest timestamp */
    struct kept kept[KEPT];
};

struct stream {
    uint32_t ssrc, rtx_ssrc;
    double clock_rate, last_transit, jitter;
    int64_t base, highest, received;
    uint64_t seen[WINDOW / 64];
};

struct event { /* a packet that did not follow its predecessor */
    int64_t expected, sequence;
    int32_t stream, unused;
};

static srtp_function protect_rtp, unprotect_rtp;
static uint8_t filling[DATAGRAM];
static struct counts *counts;

static double wall(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + now.tv_nsec * 1e-9;
}

static double monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + now.tv_nsec * 1e-9;
}

static int lost(struct link *link) {
    if (!link->lost_below) return 0;
    uint32_t x = link->chance; /* xorshift32 */
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    link->chance = x;
    return x < link->lost_below;
}

void prepare(void *protect, void *unprotect, struct counts *shared) {
    protect_rtp = (srtp_function)protect;
    unprotect_rtp = (srtp_function)unprotect;
    counts = shared;
    uint32_t x = 2463534242u; /* one pattern for all: servers don't look inside */
    for (int i = 0; i < DATAGRAM; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        filling[i] = (uint8_t)x;
    }
}

static void put16(uint8_t *at, uint16_t value) { value = htons(value); memcpy(at, &value, 2); }
static void put32(uint8_t *at, uint32_t value) { value = htonl(value); memcpy(at, &value, 4); }
static uint16_t get16(const uint8_t *at) { uint16_t value; memcpy(&value, at, 2); return ntohs(value); }
static uint32_t get32(const uint8_t *at) { uint32_t value; memcpy(&value, at, 4); return ntohl(value); }

/* kind: 0 goes on, 1 begins a key frame, 2 another frame, 3 sound */
static int payload(uint8_t *at, uint8_t kind, double stamp, int size) {
    static const uint8_t key[STAMP_AT] = {0x10, 0x50, 0, 0, 0x9d, 0x01, 0x2a, 0, 5, 0xd0, 2};
    static const uint8_t inter[STAMP_AT] = {0x10, 0x51};
    static const uint8_t onward[STAMP_AT] = {0};
    memcpy(at, kind == 1 ? key : kind == 2 ? inter : kind == 3 ? filling : onward, STAMP_AT);
    uint64_t bits;
    memcpy(&bits, &stamp, 8);
    put32(at + STAMP_AT, bits >> 32);
    put32(at + STAMP_AT + 4, (uint32_t)bits);
    memcpy(at + STAMP_AT + 8, filling, size - STAMP_AT - 8);
    return size;
}

/* A packet with its extensions, encrypted: its length, or -1. */
static int write_packet(struct track *t, uint8_t *out, struct kept *kept, int retransmission) {
    struct link *link = t->link;
    out[0] = 0x90;
    out[1] = kept->marker | (retransmission ? t->rtx_type : t->type);
    put16(out + 2, retransmission ? ++t->rtx_sequence : kept->sequence);
    put32(out + 4, kept->timestamp);
    put32(out + 8, retransmission ? t->rtx_ssrc : t->ssrc);
    uint8_t *at = out + 16;
    *at++ = 0x31;
    put16(at, ++link->transport_number);
    at += 2;
    if (t->video) {
        uint32_t sent = (uint32_t)((uint64_t)(monotonic() * 262144.0) & 0xFFFFFF);
        *at++ = 0x22;
        *at++ = sent >> 16;
        *at++ = sent >> 8;
        *at++ = sent;
    } else {
        *at++ = 0x10;
        *at++ = 0xa0; /* voice at -32 dBov */
    }
    if (!t->acknowledged) {
        *at++ = 0x40;
        *at++ = t->mid;
        if (t->rid) {
            *at++ = retransmission ? 0xb0 : 0xa0;
            *at++ = t->rid;
        }
    }
    while ((at - out) % 4) *at++ = 0;
    put16(out + 12, 0xBEDE);
    put16(out + 14, (at - out - 16) / 4);
    if (retransmission) {
        put16(at, kept->sequence);
        at += 2;
    }
    at += payload(at, kept->kind, kept->stamp, t->size);
    int length = at - out;
    return protect_rtp(link->outgoing, out, &length) ? -1 : length;
}

/* New packets of one frame, at once. */
void send_frame(struct track *t, int count, uint32_t step) {
    static uint8_t buffers[FRAME][DATAGRAM];
    struct iovec vectors[FRAME];
    struct mmsghdr messages[FRAME];
    int ready = 0;
    memset(messages, 0, sizeof messages);
    t->timestamp += step;
    t->last = wall();
    for (int i = 0; i < count && i < FRAME; i++) {
        struct kept *kept = &t->kept[++t->sequence % KEPT];
        kept->sequence = t->sequence;
        kept->timestamp = t->timestamp;
        kept->marker = t->video && i == count - 1 ? 0x80 : 0;
        kept->kind = !t->video ? 3 : i ? 0 : t->wants_keyframe ? 1 : 2;
        kept->stamp = wall();
        kept->used = 1;
        kept->length = 0;
        int length = write_packet(t, buffers[ready], kept, 0);
        if (length < 0) continue;
        if (!t->rtx_type && length <= CIPHERTEXT) { /* without RTX the identical ciphertext is sent again */
            memcpy(kept->ciphertext, buffers[ready], length);
            kept->length = length;
        }
        t->packets++;
        t->octets += t->size;
        if (kept->stamp >= counts->begin && kept->stamp < counts->end) {
            counts->published++;
            counts->sent += t->counted;
            counts->sent_sound += !t->video;
        }
        if (lost(t->link)) continue;
        vectors[ready].iov_base = buffers[ready];
        vectors[ready].iov_len = length;
        messages[ready].msg_hdr.msg_iov = &vectors[ready];
        messages[ready].msg_hdr.msg_iovlen = 1;
        ready++;
    }
    t->wants_keyframe = 0;
    int sent = ready ? sendmmsg(t->link->descriptor, messages, ready, MSG_DONTWAIT) : 0;
    counts->unsent += ready - (sent < 0 ? 0 : sent);
}

/* The answer to a NACK. */
void send_again(struct track *t, uint16_t sequence) {
    static uint8_t buffer[DATAGRAM];
    struct kept *kept = &t->kept[sequence % KEPT];
    if (!kept->used || kept->sequence != sequence) return;
    int length = kept->length;
    const uint8_t *data = kept->ciphertext;
    if (t->rtx_type) {
        length = write_packet(t, buffer, kept, 1);
        data = buffer;
    }
    if (length > 0 && !lost(t->link)) send(t->link->descriptor, data, length, MSG_DONTWAIT);
}

static int64_t unwrap(const struct stream *s, uint16_t number) {
    if (s->highest < 0) return number + 65536;
    return s->highest + (int16_t)(number - (uint16_t)s->highest);
}

/* False for a packet that came before. */
static int first_time(struct stream *s, int64_t full) {
    if (s->highest >= 0 && full <= s->highest - WINDOW) return 0;
    if (full > s->highest) {
        int64_t from = s->highest < 0 || full - s->highest > WINDOW ? full - WINDOW + 1 : s->highest + 1;
        for (int64_t n = from; n <= full; n++) s->seen[n % WINDOW / 64] &= ~(1ull << n % 64);
    }
    uint64_t bit = 1ull << full % 64, *word = &s->seen[full % WINDOW / 64];
    if (*word & bit) return 0;
    *word |= bit;
    return 1;
}

static void take(struct link *link, struct stream *streams, int stream_count, uint8_t *data, int size, double at,
                 struct event *events, int *event_count, int event_space) {
    int measured = at >= counts->begin && at < counts->end;
    if (measured) {
        counts->datagrams++;
        counts->octets += size;
    }
    if (lost(link) || !link->incoming || unprotect_rtp(link->incoming, data, &size)) return;
    int start = 12 + 4 * (data[0] & 15);
    if (data[0] & 0x10) {
        if (start + 4 > size) return;
        int end = start + 4 + 4 * get16(data + start + 2);
        if (end > size) return;
        int one_byte = get16(data + start) == 0xBEDE;
        for (int i = start + 4; one_byte && link->transport_id && i < end;) {
            uint8_t head = data[i++];
            if (!head) continue;
            int length = (head & 15) + 1;
            if (head >> 4 == link->transport_id && length == 2 && i + 2 <= end && link->arrived_count < 1024) {
                link->arrived[link->arrived_count] = get16(data + i);
                link->arrived_at[link->arrived_count++] = at;
            }
            i += length;
        }
        start = end;
    }
    uint16_t number = get16(data + 2);
    uint32_t timestamp = get32(data + 4), ssrc = get32(data + 8);
    int index = 0;
    for (; index < stream_count; index++) {
        if (streams[index].ssrc == ssrc) break;
        if (streams[index].rtx_ssrc && streams[index].rtx_ssrc == ssrc) {
            if (size - start <= 2) return;
            number = get16(data + start);
            start += 2;
            counts->retransmitted++;
            break;
        }
    }
    if (index == stream_count || size - start < STAMP_AT + 8) return;
    struct stream *s = &streams[index];
    int64_t full = unwrap(s, number), expected = s->highest + 1;
    if (!first_time(s, full)) return;
    if (s->base < 0) {
        s->base = full;
    } else if (full != expected && *event_count < event_space) {
        events[(*event_count)++] = (struct event){expected, full, index, 0};
    }
    s->received++;
    if (full > s->highest) {
        double transit = at * s->clock_rate - timestamp, change = transit - s->last_transit;
        if (change < 0) change = -change;
        if (s->highest >= 0 && change < s->clock_rate * 10) s->jitter += (change - s->jitter) / 16;
        s->last_transit = transit;
        s->highest = full;
    }
    uint64_t bits = (uint64_t)get32(data + start + STAMP_AT) << 32 | get32(data + start + STAMP_AT + 4);
    double stamp;
    memcpy(&stamp, &bits, 8);
    if (stamp >= counts->begin && stamp < counts->end) {
        counts->received++;
        counts->received_sound += s->clock_rate < 90000;
        if (counts->latency_count < counts->latency_space) counts->latencies[counts->latency_count++] = at - stamp;
    }
}

/* Take everything the socket holds. What is not RTP goes to `others`, each with its length in two bytes
 * before it: the bytes used there. */
int receive(struct link *link, struct stream *streams, int stream_count, uint8_t *others, int others_space,
            struct event *events, int *event_count, int event_space) {
    static uint8_t buffers[BATCH][DATAGRAM], controls[BATCH][64];
    struct iovec vectors[BATCH];
    struct mmsghdr messages[BATCH];
    int used = 0, got;
    *event_count = 0;
    do {
        memset(messages, 0, sizeof messages);
        for (int i = 0; i < BATCH; i++) {
            vectors[i] = (struct iovec){buffers[i], DATAGRAM};
            messages[i].msg_hdr.msg_iov = &vectors[i];
            messages[i].msg_hdr.msg_iovlen = 1;
            messages[i].msg_hdr.msg_control = controls[i];
            messages[i].msg_hdr.msg_controllen = sizeof controls[i];
        }
        got = recvmmsg(link->descriptor, messages, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < got; i++) {
            uint8_t *data = buffers[i];
            int size = messages[i].msg_len;
            struct cmsghdr *control = CMSG_FIRSTHDR(&messages[i].msg_hdr);
            if (size >= 12 && data[0] > 127 && data[0] < 192 && (data[1] < 192 || data[1] > 223) && control) {
                struct timespec when;
                memcpy(&when, CMSG_DATA(control), sizeof when);
                take(link, streams, stream_count, data, size, when.tv_sec + when.tv_nsec * 1e-9, events, event_count,
                     event_space);
            } else if (used + 2 + size <= others_space) {
                put16(others + used, size);
                memcpy(others + used + 2, data, size);
                used += 2 + size;
            }
        }
    } while (got == BATCH);
    return used;
}
