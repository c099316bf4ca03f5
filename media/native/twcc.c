/* Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1), as media/rtp/twcc.py. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define TICK_S 0.00025
#define REFERENCE_TICKS 256
#define MAX_STATUSES 400
#define MAX_PENDING 4096
#define MAX_GAP 2000

enum { NOT_RECEIVED = 0, SMALL = 1, LARGE = 2 };

void bs_twcc_reset(bs_twcc *twcc) {
    memset(twcc, 0, sizeof *twcc);
    twcc->unwrapper.highest = -1;
    twcc->next = -1;
}

void bs_twcc_close(bs_twcc *twcc) {
    free(twcc->arrivals);
    bs_twcc_reset(twcc);
}

void bs_twcc_arrived(bs_twcc *twcc, uint16_t number, double now) {
    int64_t full = bs_peek(&twcc->unwrapper, number);
    if (full > twcc->unwrapper.highest) twcc->unwrapper.highest = full;
    if (twcc->count >= MAX_PENDING) return;
    if (twcc->count == twcc->room) {
        uint32_t room = twcc->room ? 2 * twcc->room : 64;
        bs_arrival *arrivals = realloc(twcc->arrivals, room * sizeof *arrivals);
        if (!arrivals) return;
        twcc->arrivals = arrivals;
        twcc->room = room;
    }
    twcc->arrivals[twcc->count++] = (bs_arrival){full, (int64_t)(now / TICK_S)};
}

static int by_number(const void *one, const void *other) {
    const bs_arrival *a = one, *b = other;
    if (a->number != b->number) return a->number < b->number ? -1 : 1;
    return a->ticks < b->ticks ? -1 : a->ticks > b->ticks;
}

/* In order of number, each once: the first arrival counts. */
static uint32_t ordered(bs_twcc *twcc) {
    int sorted = 1;
    for (uint32_t index = 1; index < twcc->count && sorted; index++)
        sorted = twcc->arrivals[index - 1].number < twcc->arrivals[index].number;
    if (sorted) return twcc->count;
    qsort(twcc->arrivals, twcc->count, sizeof *twcc->arrivals, by_number);
    uint32_t kept = 1;
    for (uint32_t index = 1; index < twcc->count; index++)
        if (twcc->arrivals[index].number != twcc->arrivals[kept - 1].number) twcc->arrivals[kept++] = twcc->arrivals[index];
    return kept;
}

/* Run-length chunks for long runs, two-bit vectors of seven otherwise. */
static uint8_t *chunks(uint8_t *at, const uint8_t *statuses, uint32_t count) {
    uint32_t index = 0;
    while (index < count) {
        uint32_t end = index + 1;
        while (end < count && statuses[end] == statuses[index]) end++;
        if (end - index >= 7 || end == count) {
            bs_put16(at, (uint32_t)statuses[index] << 13 | (end - index));
            index = end;
        } else {
            uint32_t vector = 0xC000;
            for (uint32_t place = 0; place < 7 && index + place < count; place++)
                vector |= (uint32_t)statuses[index + place] << (12 - 2 * place);
            bs_put16(at, vector);
            index += 7;
        }
        at += 2;
    }
    return at;
}

/* A compound packet: an empty receiver report, then the feedback. At most 28 + 116 + 800 + 3 bytes. */
static void write(bs_link *link, uint32_t media_ssrc, int64_t base, int64_t reference, const uint8_t *statuses,
                  uint32_t count, const uint8_t *deltas, uint32_t deltas_size) {
    uint8_t packet[1100];
    bs_put32(packet, 0x80C90001);
    bs_put32(packet + 4, 1);
    uint8_t *feedback = packet + 8, *at = feedback + 12;
    bs_put16(at, (uint32_t)base & 0xFFFF);
    bs_put16(at + 2, count);
    at[4] = (uint8_t)(reference >> 16);
    bs_put16(at + 5, (uint32_t)reference & 0xFFFF);
    at[7] = (uint8_t)link->twcc.packets++;
    at = chunks(at + 8, statuses, count);
    memcpy(at, deltas, deltas_size);
    at += deltas_size;
    uint32_t padding = (uint32_t)(feedback - at) & 3;
    for (uint32_t index = 0; index < padding; index++) *at++ = index + 1 == padding ? (uint8_t)padding : 0;
    feedback[0] = 0x80 | 15 | (padding ? 0x20 : 0);
    feedback[1] = 205;
    bs_put16(feedback + 2, (uint32_t)(at - feedback) / 4 - 1);
    bs_put32(feedback + 4, 1);
    bs_put32(feedback + 8, media_ssrc);
    bs_link_send_rtcp(link, packet, (uint32_t)(at - packet));
}

void bs_link_feedback(bs_link *link, uint32_t media_ssrc) {
    bs_twcc *twcc = &link->twcc;
    if (!twcc->count) return;
    uint32_t count = ordered(twcc), at = 0;
    const bs_arrival *arrivals = twcc->arrivals;
    if (twcc->next < 0 || arrivals[count - 1].number - twcc->next > MAX_GAP ||
        arrivals[0].number < twcc->next - MAX_GAP)
        twcc->next = arrivals[0].number;
    /* A number before the last feedback's end is told again, from where it belongs: it was late. */
    int64_t base = twcc->next < arrivals[0].number ? twcc->next : arrivals[0].number;
    while (at < count) {
        uint8_t statuses[MAX_STATUSES], deltas[2 * MAX_STATUSES];
        uint32_t told = 0, size = 0;
        if (base < arrivals[at].number - MAX_STATUSES + 1) base = arrivals[at].number - MAX_STATUSES + 1;
        int64_t reference = arrivals[at].ticks / REFERENCE_TICKS, last = reference * REFERENCE_TICKS;
        while (at < count && told < MAX_STATUSES) {
            if (base + told != arrivals[at].number) {
                statuses[told++] = NOT_RECEIVED;
                continue;
            }
            int64_t delta = arrivals[at].ticks - last;
            if (delta >= 0 && delta <= 255) {
                statuses[told++] = SMALL;
                deltas[size++] = (uint8_t)delta;
            } else if (delta >= -32768 && delta <= 32767) {
                statuses[told++] = LARGE;
                bs_put16(deltas + size, (uint32_t)delta & 0xFFFF);
                size += 2;
            } else {
                break; /* too far from its neighbour for a delta: the next packet begins here */
            }
            last += delta;
            at++;
        }
        if (size) write(link, media_ssrc, base, reference, statuses, told, deltas, size);
        base += told;
    }
    if (base > twcc->next) twcc->next = base;
    twcc->count = 0;
}
