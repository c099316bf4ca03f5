/* What left by transport-wide number, and what feedback tells of it, as media/rtp/sent.py. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define FIRST 65536
#define TICK_S 0.00025
#define REFERENCE_TICKS 256
#define MAX_TOLD 4096
#define BURST_S 0.005
#define BURST_TICKS 20
#define LONGEST_BURST_TICKS 400

enum { TOLD_RECEIVED = 0, UNTOLD, TOLD_LOST };

int64_t bs_sent_next(const bs_link *link) { return link->sent ? link->sent->next : FIRST; }

int64_t bs_sent_left(bs_link *link, uint32_t size, double now) {
    bs_sent *sent = link->sent;
    if (!sent) {
        sent = link->sent = calloc(1, sizeof *sent);
        if (!sent) return -1;
        sent->next = FIRST;
        sent->reference = -1;
    }
    int64_t number = sent->next++;
    uint32_t place = (uint32_t)number & (BS_REMEMBERED - 1);
    sent->at[place] = now;
    sent->size[place] = (uint16_t)size;
    sent->state[place] = UNTOLD;
    return number;
}

void bs_sent_repeated(bs_link *link, int64_t number) {
    bs_sent *sent = link->sent;
    if (sent && number >= 0 && number >= sent->next - BS_REMEMBERED)
        sent->size[(uint32_t)number & (BS_REMEMBERED - 1)] = 0;
}

static void group(bs_sent *sent, double at, int64_t ticks, uint32_t size) {
    bs_told *told = &sent->told;
    if (sent->grouped) {
        if (at < sent->first_sent) return; /* of a group that is complete */
        int64_t since = ticks - sent->last_arrived;
        int close = since <= BURST_TICKS && ticks - sent->first_arrived < LONGEST_BURST_TICKS;
        if (at - sent->first_sent <= BURST_S || (close && (double)since * TICK_S < at - sent->last_sent)) {
            sent->grouped += size;
            if (at > sent->last_sent) sent->last_sent = at;
            if (ticks > sent->last_arrived) sent->last_arrived = ticks;
            return;
        }
        if (told->groups < BS_GROUPS)
            told->group[told->groups++] =
                (bs_group){sent->last_sent, (double)sent->last_arrived * TICK_S, sent->grouped};
    }
    sent->grouped = size;
    sent->first_sent = sent->last_sent = at;
    sent->first_arrived = sent->last_arrived = ticks;
}

static void one(bs_sent *sent, uint32_t place, int received, int64_t ticks) {
    bs_told *told = &sent->told;
    uint8_t state = sent->state[place];
    if (!received) {
        if (state == UNTOLD) {
            sent->state[place] = TOLD_LOST;
            told->lost++;
        }
        return;
    }
    if (state == TOLD_RECEIVED) return;
    if (state == TOLD_LOST) told->lost--;
    sent->state[place] = TOLD_RECEIVED;
    told->received++;
    if (sent->size[place]) {
        told->octets += sent->size[place];
        group(sent, sent->at[place], ticks, sent->size[place]);
    }
}

/* The statuses a feedback has room for, one by one. -1: malformed. */
static int read_statuses(const uint8_t *body, uint32_t size, uint8_t *statuses, uint32_t count, uint32_t *end) {
    uint32_t at = 8, found = 0;
    while (found < count) {
        if (at + 2 > size) return -1;
        uint32_t chunk = bs_get16(body + at);
        at += 2;
        if (!(chunk & 0x8000)) {
            uint32_t run = chunk & 0x1FFF;
            if (!run) return -1;
            while (run-- && found < count) statuses[found++] = (uint8_t)(chunk >> 13);
        } else if (chunk & 0x4000) {
            for (int shift = 12; shift >= 0 && found < count; shift -= 2) statuses[found++] = chunk >> shift & 3;
        } else {
            for (int shift = 13; shift >= 0 && found < count; shift--) statuses[found++] = chunk >> shift & 1;
        }
    }
    *end = at;
    return 0;
}

int bs_link_acknowledge(bs_link *link, const uint8_t *body, uint32_t size) {
    static uint8_t statuses[MAX_TOLD]; /* one thread */
    bs_sent *sent = link->sent;
    uint32_t deltas, need = 0;
    if (size < 8) return -1;
    uint32_t count = bs_get16(body + 2);
    if (count == 0 || count > MAX_TOLD || read_statuses(body, size, statuses, count, &deltas)) return -1;
    for (uint32_t index = 0; index < count; index++) {
        if (statuses[index] > 2) return -1;
        need += statuses[index]; /* as many bytes as its value */
    }
    if (deltas + need > size) return -1;
    if (!sent) return 0;
    sent->told.feedbacks++;
    int64_t newest = sent->next - 1, oldest = sent->next - BS_REMEMBERED;
    int64_t number = newest + ((int64_t)((bs_get16(body) - (uint32_t)newest + 32768) & 0xFFFF) - 32768);
    int64_t reference = (int64_t)(bs_get32(body + 4) >> 8);
    if (sent->reference < 0) {
        sent->reference = reference;
    } else {
        int64_t step = ((reference - sent->reference + 0x800000) & 0xFFFFFF) - 0x800000;
        sent->reference = sent->reference + step > 0 ? sent->reference + step : 0;
    }
    int64_t ticks = sent->reference * REFERENCE_TICKS;
    const uint8_t *at = body + deltas;
    for (uint32_t index = 0; index < count; index++, number++) {
        if (statuses[index] == 1) {
            ticks += *at++;
        } else if (statuses[index] == 2) {
            ticks += (int16_t)bs_get16(at);
            at += 2;
        }
        if (number >= oldest && number <= newest)
            one(sent, (uint32_t)number & (BS_REMEMBERED - 1), statuses[index] != 0, ticks);
    }
    return 0;
}

void bs_link_told(bs_link *link, bs_told *told) {
    if (!link->sent) {
        memset(told, 0, sizeof *told);
        return;
    }
    *told = link->sent->told;
    memset(&link->sent->told, 0, sizeof link->sent->told);
}
