/* A track going out: numbers of its own, extensions written, retransmission on request. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define RESEND_INTERVAL_S 0.015 /* the same packet is not sent again sooner: two requests crossed */
#define RESENDS_PER_INTERVAL 150
#define MAX_KEEP 4096
#define CHOKED_S 3.0 /* a key frame may be one we can't tell */
#define MAX_PADDING 255  /* bytes, as one byte counts them */
#define WORTH_A_COPY 500 /* bytes a probe lacks: less is padding alone */
#define PADS_AT_ONCE 64

/* At the end: sinks are served in the order they came. */
static void join(bs_sink *sink, bs_source *source) {
    bs_sink **at = &source->sinks;
    while (*at) at = &(*at)->next_of_source;
    *at = sink;
    sink->next_of_source = NULL;
    sink->source = source;
    sink->figures.source = source->id;
}

static void leave(bs_sink *sink) {
    if (!sink->source) return;
    bs_sink **at = &sink->source->sinks;
    while (*at && *at != sink) at = &(*at)->next_of_source;
    if (*at) *at = sink->next_of_source;
    sink->source = NULL;
    sink->figures.source = 0;
}

/* Go nowhere. */
static void stay(bs_sink *sink) {
    if (!sink->target) return;
    bs_sink **at = &sink->target->entering;
    while (*at && *at != sink) at = &(*at)->next_entering;
    if (*at) *at = sink->next_entering;
    sink->next_entering = NULL;
    sink->target = NULL;
    sink->figures.target = 0;
}

bs_sink *bs_sink_new(bs_source *source, bs_link *link, uint32_t ssrc, uint32_t first_sequence) {
    bs_sink *sink = calloc(1, sizeof *sink);
    if (!sink) return NULL;
    sink->link = link;
    sink->ssrc = ssrc;
    sink->next = (int64_t)first_sequence + 65536;
    sink->left = sink->next;
    sink->rtx_sequence = first_sequence;
    sink->rtx_type = -1;
    sink->resync = 1;
    sink->base = -1;
    sink->interval_at = -BS_INTERVAL_S;
    sink->aim_spatial = sink->aim_temporal = BS_TARGETS; /* all */
    join(sink, source);
    sink->next_of_link = link->sinks;
    link->sinks = sink;
    return sink;
}

static void forget_ciphertexts(bs_sink *sink) {
    for (uint32_t index = 0; index < sink->keep; index++) free(sink->ciphertexts[index].data);
    free(sink->ciphertexts);
    sink->ciphertexts = NULL;
    sink->keep = 0;
}

void bs_sink_free(bs_sink *sink) {
    stay(sink);
    leave(sink);
    if (sink->link) {
        bs_sink **at = &sink->link->sinks;
        while (*at && *at != sink) at = &(*at)->next_of_link;
        if (*at) *at = sink->next_of_link;
    }
    if (sink->link) bs_pace_forget(sink->link, sink);
    forget_ciphertexts(sink);
    free(sink->resent);
    free(sink->selection);
    free(sink);
}

bs_sink_figures *bs_sink_read(bs_sink *sink) { return &sink->figures; }

void bs_sink_resync(bs_sink *sink) { sink->resync = 1; }

void bs_sink_wait(bs_sink *sink, double now) { sink->choked_until = now + CHOKED_S; }

void bs_sink_aim(bs_sink *sink, int spatial, int temporal) {
    sink->aim_spatial = spatial;
    sink->aim_temporal = temporal;
    if (sink->selection) sink->selection->version = -1;
}

int bs_sink_aiming(const bs_sink *sink) {
    return sink->selection && sink->selection->current != sink->selection->wanted;
}

void bs_sink_switch(bs_sink *sink, bs_source *target) {
    stay(sink);
    if (!sink->source || target == sink->source) return;
    bs_sink **at = &target->entering;
    while (*at) at = &(*at)->next_entering;
    *at = sink;
    sink->target = target;
    sink->figures.target = target->id;
}

/* What to add to the source's timestamps from this one on: by its clock, or by arrival where that is unknown. */
static uint32_t aligned(bs_sink *sink, const bs_source *source, uint32_t timestamp, int64_t elapsed) {
    uint32_t last = sink->last_timestamp, shift;
    int known = source->figures.shift >= 0;
    if (known && sink->base >= 0) {
        shift = (uint32_t)sink->base + (uint32_t)source->figures.shift;
        int64_t ahead = (int32_t)(timestamp + shift - last), most = source->clock / 2;
        if (ahead > 0 && ahead <= elapsed + most) return shift;
        /* The other encoding was ahead of this one: the same picture, or the next. */
        if (ahead <= 0 && ahead > -most) return last + 1 - timestamp;
    }
    shift = last + (uint32_t)(elapsed > 1 ? elapsed : 1) - timestamp;
    if (known) sink->base = (uint32_t)(shift - (uint32_t)source->figures.shift);
    return shift;
}

void bs_sink_enter(bs_sink *sink, bs_source *source, const bs_packet *packet, double now) {
    bs_source *former = sink->source;
    sink->target = NULL;
    sink->figures.target = 0;
    if (former && sink->base < 0 && former->figures.shift >= 0)
        sink->base = (uint32_t)(sink->figures.shift - (uint32_t)former->figures.shift);
    leave(sink);
    join(sink, source);
    sink->resync = 1;
    if (!sink->has_last) {
        sink->figures.shift = 0;
        return;
    }
    int64_t elapsed = (int64_t)((now - sink->last_at) * source->clock);
    sink->figures.shift = aligned(sink, source, packet->timestamp, elapsed);
    if (packet->place.at && sink->last_place.at) {
        sink->picture = (sink->last_place.picture + 1 - packet->place.picture) & 0x7FFF;
        sink->index = (sink->last_place.index + 1 - packet->place.index) & 0xFF;
    }
}

int bs_sink_configure(bs_sink *sink, int payload_type, int rtx_type, uint32_t rtx_ssrc, const uint8_t *block,
                      uint32_t block_size, const bs_changes *changes, uint32_t keep, int priority) {
    if (block_size > BS_MAX_BLOCK || keep & (keep - 1) || keep > MAX_KEEP) return -1;
    if (changes->level && changes->level >= block_size) return -1;
    if (changes->send_time && changes->send_time + 3 > block_size) return -1;
    if (changes->number && changes->number + 2 > block_size) return -1;
    if (changes->descriptor > 255 || (changes->descriptor && block_size < 4)) return -1;
    if (priority < 0 || priority >= BS_PRIORITIES) return -1;
    if (keep != sink->keep) {
        forget_ciphertexts(sink);
        if (keep) {
            sink->ciphertexts = calloc(keep, sizeof *sink->ciphertexts);
            if (!sink->ciphertexts) return -1;
            for (uint32_t index = 0; index < keep; index++) sink->ciphertexts[index].number = -1;
            sink->keep = keep;
        }
    }
    sink->payload_type = payload_type;
    sink->rtx_type = rtx_type;
    sink->rtx_ssrc = rtx_ssrc;
    if (block_size) memcpy(sink->block, block, block_size);
    sink->block_size = block_size;
    sink->changes = *changes;
    sink->priority = priority;
    sink->figures.active = 1;
    return 0;
}

static bs_resent *resent_place(bs_sink *sink, int64_t number) {
    if (!sink->resent) {
        sink->resent = calloc(BS_RESENT, sizeof *sink->resent);
        if (!sink->resent) return NULL;
        for (uint32_t index = 0; index < BS_RESENT; index++) sink->resent[index].number = -1;
    }
    return &sink->resent[number % BS_RESENT];
}

/* The packet's own descriptor is the last element of an open block, which gets its length. */
static void close_block(uint8_t *at, const bs_sink *sink, const bs_packet *packet, uint32_t size) {
    uint32_t end = sink->block_size;
    if (packet->descriptor_size) {
        at[end] = (uint8_t)sink->changes.descriptor;
        at[end + 1] = (uint8_t)packet->descriptor_size;
        memcpy(at + end + 2, packet->descriptor, packet->descriptor_size);
        end += 2 + packet->descriptor_size;
    }
    memset(at + end, 0, size - end);
    bs_put16(at + 2, size / 4 - 1);
}

/* Header, extensions, payload (after an RTX's original number, -1 for none). NULL when it can't be. */
static bs_queued *compose(bs_sink *sink, const bs_packet *packet, const bs_mapping *as, int type, int64_t number,
                          uint32_t ssrc, int64_t original) {
    bs_link *link = sink->link;
    if (!link || !link->outgoing || !link->address.family) return NULL;
    bs_path *path = link->path;
    uint32_t block = sink->block_size;
    if (sink->changes.descriptor) {
        if (packet->descriptor_size) block += 2 + packet->descriptor_size;
        block = (block + 3) & ~3u;
    }
    uint32_t size = 12 + block + (original >= 0 ? 2 : 0) + packet->size;
    if (size > BS_MAX_RTP) {
        path->figures.drops[BS_DROP_PROTECT]++;
        return NULL;
    }
    bs_queued *place = bs_queue_place(path);
    uint8_t *at = place->data;
    at[0] = (uint8_t)((sink->block_size ? 0x90 : 0x80) | packet->padding);
    at[1] = (uint8_t)(packet->marker | type);
    bs_put16(at + 2, (uint32_t)number & 0xFFFF);
    bs_put32(at + 4, packet->timestamp + as->shift);
    bs_put32(at + 8, ssrc);
    at += 12;
    memcpy(at, sink->block, sink->block_size);
    if (sink->changes.level) at[sink->changes.level] = (uint8_t)(packet->level >= 0 ? packet->level : 127);
    if (sink->changes.descriptor) close_block(at, sink, packet, block);
    at += block;
    if (original >= 0) {
        bs_put16(at, (uint32_t)original & 0xFFFF);
        at += 2;
    }
    if (packet->size) memcpy(at, packet->payload, packet->size);
    if (packet->place.at && (as->picture || as->index)) bs_picture_rewrite(at, &packet->place, as->picture, as->index);
    place->size = size;
    place->time_at = sink->changes.send_time ? (uint16_t)(12 + sink->changes.send_time) : 0;
    place->number_at = sink->changes.number ? (uint16_t)(12 + sink->changes.number) : 0;
    return place;
}

/* The numbers of what was dropped are used again: the receiver sees a pause, not loss. */
void bs_sink_choke(bs_sink *sink, double now) {
    sink->figures.choked++;
    sink->choked_until = now + CHOKED_S;
    sink->next = sink->left;
    sink->resync = 1;
}

void bs_sink_emitted(bs_sink *sink, int64_t number, int64_t transport, const bs_queued *sent) {
    if (number >= sink->left) sink->left = number + 1;
    if (!sink->keep) return;
    bs_ciphertext *kept = &sink->ciphertexts[number & (sink->keep - 1)];
    if (kept->room < sent->size) {
        free(kept->data);
        kept->data = malloc(sent->size);
        kept->room = kept->data ? sent->size : 0;
    }
    kept->number = kept->data ? number : -1;
    if (!kept->data) return;
    kept->transport = transport;
    kept->size = sent->size;
    memcpy(kept->data, sent->data, sent->size);
}

static void remember(bs_sink *sink, const bs_packet *packet, const bs_mapping *as, double now) {
    sink->has_last = 1;
    sink->last_timestamp = packet->timestamp + as->shift;
    sink->last_at = now;
    if (!packet->place.at) return;
    sink->last_place = packet->place;
    sink->last_place.picture += as->picture;
    sink->last_place.index += as->index;
}

void bs_sink_forward(bs_sink *sink, int64_t sequence, const bs_packet *packet, double now) {
    bs_link *link = sink->link;
    if (!sink->figures.active || sink->figures.paused || !link) return;
    if (sink->choked_until > 0) {
        if (!packet->key && now < sink->choked_until) return;
        sink->choked_until = 0;
    }
    if (packet->frame && !sink->selection) {
        sink->selection = bs_selection_new(sink->next);
        sink->resync = 1;
    }
    if (sink->resync) {
        if (!link->outgoing || !link->address.family) return;
        sink->resync = 0;
        sink->offset = sink->next - sequence;
        sink->floor = sequence;
        sink->mappings[sink->mapped++ % BS_MAPPINGS] = (bs_mapping){
            sink->figures.source, sequence, sink->offset, sink->figures.shift, sink->picture, sink->index};
        if (sink->selection) bs_selection_reset(sink->selection, sequence);
    }
    if (sequence < sink->floor) return; /* from before the source was switched on */
    int64_t number = sequence + sink->offset;
    const bs_mapping *as = &sink->mappings[(sink->mapped - 1) % BS_MAPPINGS];
    bs_packet selected;
    if (sink->selection) {
        selected = *packet;
        packet = &selected;
        number = bs_select(sink, sequence, as, &selected);
        if (number < 0) return;
    }
    bs_queued *place = compose(sink, packet, as, sink->payload_type, number, sink->ssrc, -1);
    if (!place || !bs_pace_send(link, place, sink->priority, sink, number, now)) return;
    if (number >= sink->next) {
        sink->next = number + 1;
        if (sink->source->figures.layered) remember(sink, packet, as, now);
    } else {
        /* Late: the receiver asked for it while it was under way. Those requests are answered by this. */
        bs_resent *resent = resent_place(sink, number);
        if (resent) *resent = (bs_resent){number, now};
    }
    sink->figures.packets++;
    sink->figures.octets += packet->size;
}

/* As it is, at once: it is small, or the receiver is one of the few without RTX. */
static int resend_ciphertext(bs_sink *sink, int64_t number, double now) {
    bs_ciphertext *kept = &sink->ciphertexts[number & (sink->keep - 1)];
    bs_link *link = sink->link;
    if (kept->number != number || !link || !link->address.family) return 0;
    bs_queued *place = bs_queue_place(link->path);
    memcpy(place->data, kept->data, kept->size);
    place->size = kept->size;
    bs_sent_repeated(link, kept->transport);
    bs_queue_commit(link, place);
    link->figures.packets_out++;
    link->figures.bytes_out += place->size;
    bs_pace_spent(link, place->size + BS_UDP_IP, now);
    return 1;
}

/* A sibling of the present source, or that itself; NULL once it is gone. */
static const bs_source *find_source(const bs_sink *sink, uint32_t id) {
    if (sink->source->id == id) return sink->source;
    const bs_source *source = sink->source->link ? sink->source->link->sources : NULL;
    while (source && source->id != id) source = source->next_of_link;
    return source;
}

static bs_queued *compose_kept(bs_sink *sink, int64_t number, const bs_mapping *as, int64_t sequence, int marker,
                               double now) {
    const bs_source *source = find_source(sink, as->source);
    const bs_kept *kept = source ? bs_history_get(&source->history, sequence, now) : NULL;
    if (!kept) return NULL;
    bs_packet packet = {0, kept->timestamp, kept->marker, kept->padding, -1, kept->payload, kept->size, {0}};
    if (marker >= 0) packet.marker = (uint8_t)marker;
    packet.descriptor = kept->payload + kept->size;
    packet.descriptor_size = kept->descriptor_size;
    if (as->picture || as->index) packet.place = bs_picture_place(source->codec, kept->payload, kept->size);
    sink->rtx_sequence++;
    return compose(sink, &packet, as, sink->rtx_type, sink->rtx_sequence, sink->rtx_ssrc, number & 0xFFFF);
}

/* As RTX; NULL where it is no longer there. */
static bs_queued *compose_again(bs_sink *sink, int64_t number, double now) {
    if (sink->selection && number >= sink->selection->first) {
        const bs_selected *sent = &sink->selection->sent[number & (BS_SELECTED - 1)];
        if (sent->number != number || sent->sequence < 0) return NULL;
        return compose_kept(sink, number, &sent->as, sent->sequence, sent->marker, now);
    }
    uint32_t known = sink->mapped < BS_MAPPINGS ? sink->mapped : BS_MAPPINGS;
    for (uint32_t back = 1; back <= known; back++) {
        const bs_mapping *as = &sink->mappings[(sink->mapped - back) % BS_MAPPINGS];
        if (number - as->offset >= as->first) return compose_kept(sink, number, as, number - as->offset, -1, now);
    }
    return NULL;
}

static bs_queued *compose_padding(bs_sink *sink, uint32_t size) {
    uint8_t padding[MAX_PADDING] = {0};
    if (size > MAX_PADDING) size = MAX_PADDING;
    padding[size - 1] = (uint8_t)size;
    bs_packet packet = {0, 0, 0, 0x20, -1, padding, size, {0}};
    bs_mapping as = {0};
    sink->rtx_sequence++;
    return compose(sink, &packet, &as, sink->rtx_type, sink->rtx_sequence, sink->rtx_ssrc, -1);
}

uint32_t bs_sink_pad(bs_sink *sink, uint32_t size, double now) {
    uint32_t sent = 0;
    if (!sink->figures.active || !sink->source || sink->rtx_type < 0 || sink->keep) return 0;
    for (int packets = 0; sent < size && packets < PADS_AT_ONCE; packets++) {
        bs_queued *place = size - sent >= WORTH_A_COPY ? compose_again(sink, sink->next - 1, now) : NULL;
        if (!place) place = compose_padding(sink, size - sent);
        uint32_t gone = place ? bs_link_emit(sink->link, place, NULL, -1, now) : 0;
        if (!gone) break;
        bs_pace_spent(sink->link, gone, now);
        sent += gone;
    }
    return sent;
}

static int resend_one(bs_sink *sink, int64_t number, double now) {
    if (sink->keep) return resend_ciphertext(sink, number, now);
    if (sink->rtx_type < 0) return 0;
    bs_queued *place = compose_again(sink, number, now);
    return place && bs_pace_send(sink->link, place, BS_AGAIN, NULL, -1, now);
}

void bs_sink_resend(bs_sink *sink, const uint16_t *numbers, uint32_t count, double now, double guard) {
    if (!sink->figures.active || !sink->source) return;
    if (guard < RESEND_INTERVAL_S) guard = RESEND_INTERVAL_S;
    if (now - sink->interval_at >= BS_INTERVAL_S) {
        sink->interval_at = now;
        sink->budget = RESENDS_PER_INTERVAL;
    }
    bs_unwrapper unwrapper = {sink->next - 1};
    for (uint32_t index = 0; index < count && sink->budget > 0; index++) {
        int64_t number = bs_peek(&unwrapper, numbers[index]);
        bs_resent *resent = resent_place(sink, number);
        if (!resent) return;
        if (resent->number == number && now - resent->at < guard) continue;
        if (!resend_one(sink, number, now)) {
            sink->figures.resend_misses++; /* lost upstream too: mended there, it is forwarded late */
            continue;
        }
        sink->budget--;
        sink->figures.resent++;
        *resent = (bs_resent){number, now};
    }
}
