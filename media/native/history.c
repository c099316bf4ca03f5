/* The last packets of one source, by unwrapped number: answers requests, tells duplicates.
 *
 * A slot keeps its number until another takes its place; its payload, exactly sized, only as long as
 * somebody may ask for it. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static void forget(bs_kept *kept) {
    free(kept->payload);
    kept->payload = NULL;
}

int bs_history_open(bs_history *history, uint32_t size) {
    history->slots = calloc(size, sizeof *history->slots);
    if (!history->slots) return -1;
    history->mask = size - 1;
    for (uint32_t index = 0; index < size; index++) history->slots[index].sequence = -1;
    return 0;
}

/* Let go of payloads nobody asks for any more. Moves forward only, each number once. */
static void sweep(bs_history *history, int64_t sequence, double now) {
    int64_t oldest = sequence - (int64_t)history->mask;
    if (history->swept < oldest) history->swept = oldest;
    while (history->swept < sequence) {
        bs_kept *kept = &history->slots[history->swept & history->mask];
        if (kept->sequence == history->swept && kept->payload) {
            if (now - kept->kept_at <= BS_KEEP_S) return;
            forget(kept);
        }
        history->swept++;
    }
}

int bs_history_add(bs_history *history, int64_t sequence, const bs_packet *packet, double now) {
    bs_kept *kept = &history->slots[sequence & history->mask];
    if (kept->sequence >= sequence) return 0;
    uint8_t *payload = malloc(packet->size + packet->descriptor_size + 1);
    if (!payload) return -1;
    memcpy(payload, packet->payload, packet->size);
    if (packet->descriptor_size) memcpy(payload + packet->size, packet->descriptor, packet->descriptor_size);
    free(kept->payload);
    kept->sequence = sequence;
    kept->kept_at = now;
    kept->payload = payload;
    kept->timestamp = packet->timestamp;
    kept->size = (uint16_t)packet->size;
    kept->marker = packet->marker;
    kept->padding = packet->padding;
    kept->descriptor_size = (uint8_t)packet->descriptor_size;
    sweep(history, sequence, now);
    return 1;
}

const bs_kept *bs_history_get(const bs_history *history, int64_t sequence, double now) {
    if (sequence < 0) return NULL;
    const bs_kept *kept = &history->slots[sequence & history->mask];
    if (kept->sequence != sequence || !kept->payload || now - kept->kept_at > BS_KEEP_S) return NULL;
    return kept;
}

void bs_history_clear(bs_history *history) {
    for (uint32_t index = 0; index <= history->mask; index++) {
        forget(&history->slots[index]);
        history->slots[index].sequence = -1;
    }
    history->swept = 0;
}

void bs_history_close(bs_history *history) {
    if (history->slots) bs_history_clear(history);
    free(history->slots);
    history->slots = NULL;
}
