/* A track coming in: numbers made endless, duplicates dropped, loss noticed, handed to its sinks. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define RESTART_AFTER 50 /* packets in a row from far behind: the sender began its numbering anew */
#define FAR_BEHIND 1000

bs_source *bs_source_new(bs_link *link, uint32_t id, uint32_t history, double nack_age, int codec, uint32_t clock) {
    bs_source *source = calloc(1, sizeof *source);
    if (!source) return NULL;
    if (history == 0 || history & (history - 1) || bs_history_open(&source->history, history)) {
        free(source);
        return NULL;
    }
    source->link = link;
    source->path = link->path;
    source->id = id;
    source->codec = codec;
    source->clock = clock;
    source->payload_type = source->rtx_type = source->other_type = source->block_type = -1;
    source->loss.max_age = nack_age;
    source->unwrapper.highest = -1;
    source->figures.level = 127.0;
    source->figures.shift = -1;
    bs_loss_reset(&source->loss);
    bs_statistics_reset(source);
    source->next_of_link = link->sources;
    link->sources = source;
    return source;
}

static void leave_link(bs_source *source) {
    bs_link *link = source->link;
    if (!link) return;
    for (uint32_t index = link->routes; index-- > 0;)
        if (link->route[index].source == source) bs_link_unroute(link, link->route[index].ssrc);
    for (bs_source **at = &link->sources; *at; at = &(*at)->next_of_link) {
        if (*at == source) {
            *at = source->next_of_link;
            break;
        }
    }
}

void bs_source_free(bs_source *source) {
    leave_link(source);
    for (bs_sink *sink = source->sinks; sink; sink = sink->next_of_source) {
        sink->source = NULL;
        sink->figures.source = 0;
    }
    for (bs_sink *sink = source->entering; sink; sink = sink->next_entering) {
        sink->target = NULL;
        sink->figures.target = 0;
    }
    bs_history_close(&source->history);
    free(source->loss.missing);
    free(source->layers);
    free(source);
}

bs_source_figures *bs_source_read(bs_source *source) { return &source->figures; }

void bs_source_types(bs_source *source, int payload_type, int rtx_type) {
    source->payload_type = payload_type;
    source->rtx_type = rtx_type;
}

void bs_source_convert(bs_source *source, int other_type, int block_type) {
    source->other_type = other_type;
    source->block_type = block_type;
}

void bs_source_resync(bs_source *source) {
    for (bs_sink *sink = source->sinks; sink; sink = sink->next_of_source) sink->resync = 1;
}

void bs_source_restart(bs_source *source) {
    source->unwrapper.highest = -1;
    source->behind = 0;
    bs_loss_reset(&source->loss);
    source->figures.missing = 0;
    bs_history_clear(&source->history);
    bs_statistics_reset(source);
    free(source->layers);
    source->layers = NULL;
    bs_source_resync(source);
}

static void notice_loss(bs_source *source, int64_t sequence, double now) {
    uint32_t before = source->loss.count;
    int gap = bs_loss_received(&source->loss, sequence, now);
    source->figures.missing = source->loss.count;
    if (gap)
        bs_note(source->path, BS_EVENT_GAP, source->id);
    else if (source->loss.count && !before)
        bs_note(source->path, BS_EVENT_ATTENTION, source->id);
}

static void tap(bs_source *source, int64_t sequence, const bs_packet *packet, double now) {
    uint32_t size = packet->size;
    if (packet->padding) {
        uint32_t padding = size ? packet->payload[size - 1] : 0;
        if (padding == 0 || padding > size) return;
        size -= padding;
    }
    bs_event *event = bs_note(source->path, BS_EVENT_TAP, source->id);
    if (!event) return;
    event->sequence = sequence;
    event->timestamp = packet->timestamp;
    event->marker = packet->marker;
    event->data = packet->payload;
    event->size = size;
    event->now = now;
}

/* Its key frame begins: those who waited for it come over, in the order they asked. */
static void enter(bs_source *source, const bs_packet *packet, double now) {
    bs_packet first = *packet;
    first.place = bs_picture_place(source->codec, packet->payload, packet->size);
    while (source->entering) {
        bs_sink *sink = source->entering;
        source->entering = sink->next_entering;
        sink->next_entering = NULL;
        bs_sink_enter(sink, source, &first, now);
    }
}

void bs_source_receive(bs_source *source, bs_packet *packet, double now) {
    bs_source_figures *figures = &source->figures;
    int64_t sequence = bs_peek(&source->unwrapper, packet->number);
    if (sequence < source->unwrapper.highest - FAR_BEHIND) {
        if (++source->behind < RESTART_AFTER) return;
        bs_source_restart(source);
        bs_note(source->path, BS_EVENT_RESTARTED, source->id);
        sequence = bs_peek(&source->unwrapper, packet->number);
    }
    source->behind = 0;
    bs_frame frame;
    if (packet->descriptor_size && source->codec != BS_CODEC_OTHER && bs_layers_read(source, packet, &frame))
        packet->frame = &frame;
    else
        packet->descriptor_size = 0;
    int kept = bs_history_add(&source->history, sequence, packet, now);
    if (kept <= 0) {
        figures->duplicates++;
        return;
    }
    if (sequence > source->unwrapper.highest) source->unwrapper.highest = sequence;
    bs_statistics_packet(source, sequence, packet, now);
    if (sequence == source->loss.expected)
        source->loss.expected++;
    else
        notice_loss(source, sequence, now);
    if (packet->level >= 0)
        figures->level += ((packet->level & 0x7F) - figures->level) * 0.1;
    else if (bs_is_keyframe(source->codec, packet->payload, packet->size)) {
        uint32_t lines = bs_picture_lines(source->codec, packet->payload, packet->size);
        packet->key = 1;
        figures->keyframes++;
        if (lines) figures->lines = lines;
        if (source->entering && sequence == source->unwrapper.highest && !figures->muted) enter(source, packet, now);
    }
    if (packet->frame) source->layers->octets[frame.template] += packet->size;
    if (figures->tapped) tap(source, sequence, packet, now);
    if (figures->muted) return;
    if (figures->layered) packet->place = bs_picture_place(source->codec, packet->payload, packet->size);
    for (bs_sink *sink = source->sinks; sink; sink = sink->next_of_source) bs_sink_forward(sink, sequence, packet, now);
}
