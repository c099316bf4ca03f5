/* What is missing and when to ask for it (media/rtp/nack.py); reception statistics (RFC 3550, A.3 and A.8). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define MAX_TRIES 10
#define MIN_RETRY_S 0.04

void bs_loss_reset(bs_loss *loss) {
    loss->expected = -1;
    loss->count = 0;
}

static void drop(bs_loss *loss, uint32_t index) {
    loss->count--;
    memmove(loss->missing + index, loss->missing + index + 1, (loss->count - index) * sizeof *loss->missing);
}

static void arrived_late(bs_loss *loss, int64_t sequence) {
    for (uint32_t index = 0; index < loss->count; index++) {
        if (loss->missing[index].sequence == sequence) {
            drop(loss, index);
            return;
        }
    }
}

int bs_loss_received(bs_loss *loss, int64_t sequence, double now) {
    if (loss->expected < 0 || sequence == loss->expected) {
        loss->expected = sequence + 1;
        return 0;
    }
    if (sequence < loss->expected) {
        arrived_late(loss, sequence);
        return 0;
    }
    int64_t start = loss->expected, gap = sequence - start;
    loss->expected = sequence + 1;
    if (!loss->missing) loss->missing = calloc(BS_MAX_MISSING, sizeof *loss->missing);
    if (!loss->missing || gap + loss->count > BS_MAX_MISSING) {
        loss->count = 0;
        return 1;
    }
    for (int64_t number = start; number < sequence; number++)
        loss->missing[loss->count++] = (bs_missing){number, now, now, 0};
    return 0;
}

uint32_t bs_source_due(bs_source *source, double now, double round_trip, int64_t *numbers, uint32_t room) {
    bs_loss *loss = &source->loss;
    double wait = round_trip * 1.2 > MIN_RETRY_S ? round_trip * 1.2 : MIN_RETRY_S;
    uint32_t found = 0, index = 0;
    while (index < loss->count) {
        bs_missing *missing = &loss->missing[index];
        if (now - missing->missed_at > loss->max_age || missing->tries >= MAX_TRIES) {
            drop(loss, index);
            continue;
        }
        if (now >= missing->next_at && found < room) {
            missing->next_at = now + wait;
            missing->tries++;
            numbers[found++] = missing->sequence;
        }
        index++;
    }
    source->figures.missing = loss->count;
    return found;
}

void bs_statistics_reset(bs_source *source) {
    bs_source_figures *figures = &source->figures;
    figures->received = figures->octets = 0;
    figures->base = figures->highest = -1;
    figures->jitter = figures->fraction = 0.0;
    memset(&source->statistics, 0, sizeof source->statistics);
}

void bs_statistics_packet(bs_source *source, int64_t sequence, const bs_packet *packet, double now) {
    bs_source_figures *figures = &source->figures;
    bs_statistics *statistics = &source->statistics;
    figures->received++;
    figures->octets += packet->size;
    if (sequence <= figures->highest) return;
    if (figures->base < 0) figures->base = sequence;
    figures->highest = sequence;
    double transit = now * source->clock - packet->timestamp;
    if (statistics->has_transit) {
        double change = fabs(transit - statistics->last_transit);
        if (change < source->clock * 10.0) /* a jump of the timestamp is not jitter */
            figures->jitter += (change - figures->jitter) / 16;
    }
    statistics->last_transit = transit;
    statistics->has_transit = 1;
}

void bs_source_report(bs_source *source, bs_report *report) {
    bs_source_figures *figures = &source->figures;
    bs_statistics *statistics = &source->statistics;
    memset(report, 0, sizeof *report);
    if (figures->base < 0) return;
    int64_t expected = figures->highest - figures->base + 1;
    int64_t received = (int64_t)figures->received;
    int64_t in_interval = expected - statistics->expected;
    int64_t lost = in_interval - (received - statistics->received);
    statistics->expected = expected;
    statistics->received = received;
    figures->fraction = in_interval > 0 && lost > 0 ? (double)lost / (double)in_interval : 0.0;
    uint32_t share = (uint32_t)(figures->fraction * 256);
    report->fraction = share < 255 ? share : 255;
    report->lost = expected > received ? expected - received : 0;
    /* Unwrapped numbers begin one cycle up; on the wire the first cycle is 0. */
    report->highest = (uint32_t)(figures->highest - 65536);
    report->jitter = (uint32_t)figures->jitter;
}
