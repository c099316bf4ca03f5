/* Dependency descriptors and what one receiver is sent of a track's layers, as media/rtp/dependency.py and
 * media/path/python_layers.py. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define FAR_BEHIND 1000
#define MAX_SPATIAL 3
#define MAX_TEMPORAL 7
#define SWITCH 2

typedef struct {
    const uint8_t *data;
    uint64_t at, end; /* bits */
    int failed;
} reader;

static uint32_t take(reader *bits, uint32_t count) {
    uint32_t value = 0;
    if (bits->failed || bits->at + count > bits->end) {
        bits->failed = 1;
        return 0;
    }
    for (; count; count--, bits->at++) value = value << 1 | (bits->data[bits->at >> 3] >> (7 - (bits->at & 7)) & 1);
    return value;
}

static void skip(reader *bits, uint64_t count) {
    if (bits->failed || bits->at + count > bits->end)
        bits->failed = 1;
    else
        bits->at += count;
}

/* A number under `limit`, in as few bits as that takes. */
static uint32_t below(reader *bits, uint32_t limit) {
    uint32_t width = 0;
    while (limit >> width) width++;
    uint32_t few = (1u << width) - limit, value = take(bits, width - 1);
    return value < few ? value : (value << 1) - few + take(bits, 1);
}

static void indications(reader *bits, uint32_t targets, uint32_t *present, uint32_t *switching) {
    *present = *switching = 0;
    for (uint32_t target = 0; target < targets; target++) {
        uint32_t indication = take(bits, 2);
        if (indication) *present |= 1u << target;
        if (indication == SWITCH) *switching |= 1u << target;
    }
}

static void read_layers(reader *bits, bs_structure *out, uint8_t *temporals) {
    uint32_t spatial = 0, temporal = 0, step;
    out->templates = 1;
    while (!bits->failed && (step = take(bits, 2)) != 3) {
        if (step == 1) {
            temporal++;
        } else if (step == 2) {
            spatial++;
            temporal = 0;
        }
        if (out->templates == BS_TEMPLATES || spatial > MAX_SPATIAL || temporal > MAX_TEMPORAL) {
            bits->failed = 1;
            return;
        }
        out->spatial[out->templates] = (uint8_t)spatial;
        temporals[out->templates++] = (uint8_t)temporal;
    }
}

static void read_structure(reader *bits, bs_structure *out) {
    uint8_t temporals[BS_TEMPLATES] = {0};
    memset(out, 0, sizeof *out); /* compared as a whole */
    out->offset = take(bits, 6);
    out->targets = take(bits, 5) + 1;
    read_layers(bits, out, temporals);
    for (uint32_t at = 0; at < out->templates; at++)
        indications(bits, out->targets, &out->present[at], &out->switching[at]);
    for (uint32_t at = 0; at < out->templates; at++)
        while (take(bits, 1)) out->needs[at] |= 1ull << (take(bits, 4) + 1);
    out->chains = below(bits, out->targets + 1);
    if (out->chains && !bits->failed) {
        for (uint32_t target = 0; target < out->targets; target++) below(bits, out->chains);
        skip(bits, 4ull * out->chains * out->templates);
    }
    for (uint32_t target = 0; target < out->targets; target++) {
        for (uint32_t at = 0; at < out->templates; at++) {
            if (!(out->present[at] >> target & 1)) continue;
            if (out->spatial[at] > out->target_spatial[target]) out->target_spatial[target] = out->spatial[at];
            if (temporals[at] > out->target_temporal[target]) out->target_temporal[target] = temporals[at];
        }
    }
    if (take(bits, 1)) {
        out->sizes = out->spatial[out->templates - 1] + 1u;
        for (uint32_t at = 0; at < out->sizes; at++) {
            take(bits, 16);
            out->lines[at] = take(bits, 16) + 1;
        }
    }
}

static void custom_needs(reader *bits, bs_frame *frame) {
    uint32_t size;
    frame->needs = 0;
    while ((size = take(bits, 2)) != 0) {
        uint32_t before = take(bits, 4 * size) + 1;
        if (before < BS_WINDOW)
            frame->needs |= 1ull << before;
        else
            frame->far = 1;
    }
}

/* -1: malformed, or of a structure that is not known. `told` is written where the frame brings one. */
static int parse(const uint8_t *data, uint32_t size, const bs_structure *structure, bs_structure *told,
                 bs_frame *frame) {
    reader bits = {data, 0, 8ull * size, 0};
    uint32_t flags = 0;
    memset(frame, 0, sizeof *frame);
    take(&bits, 1);
    frame->end = (int)take(&bits, 1);
    uint32_t template = take(&bits, 6);
    frame->wire = (uint16_t)take(&bits, 16);
    if (size > 3) {
        flags = take(&bits, 5);
        if (flags & 0x10) {
            read_structure(&bits, told);
            if (bits.failed) return -1;
            structure = told;
            frame->brings = frame->tells = 1;
            frame->active = (uint32_t)((1ull << told->targets) - 1);
        }
        if (flags & 0x08 && structure) {
            frame->tells = 1;
            frame->active = take(&bits, structure->targets);
        }
    }
    if (!structure || bits.failed) return -1;
    frame->template = (template - structure->offset) & 63;
    if (frame->template >= structure->templates) return -1;
    frame->spatial = structure->spatial[frame->template];
    frame->present = structure->present[frame->template];
    frame->switching = structure->switching[frame->template];
    frame->needs = structure->needs[frame->template];
    if (flags & 0x04) indications(&bits, structure->targets, &frame->present, &frame->switching);
    if (flags & 0x02) custom_needs(&bits, frame);
    if (flags & 0x01) skip(&bits, 8ull * structure->chains);
    return bits.failed ? -1 : 0;
}

/* 0: of a structure that is no longer the present one. */
static int tell(bs_layers *layers, const bs_frame *frame, const bs_structure *told) {
    int same = !frame->brings || (layers->known && !memcmp(told, &layers->structure, sizeof *told));
    if (frame->number < layers->told_at) return same;
    layers->told_at = frame->number;
    if (!same) {
        layers->structure = *told;
        layers->known = 1;
        memset(layers->octets, 0, sizeof layers->octets);
        layers->structures++;
    } else if (frame->active == layers->active) {
        return 1;
    }
    layers->active = frame->active;
    layers->version++;
    return 1;
}

int bs_layers_read(bs_source *source, const bs_packet *packet, bs_frame *frame) {
    static bs_structure told; /* one thread */
    if (!source->layers) {
        source->layers = calloc(1, sizeof *source->layers);
        if (!source->layers) return 0;
        source->layers->unwrapper.highest = source->layers->told_at = -1;
    }
    bs_layers *layers = source->layers;
    if (parse(packet->descriptor, packet->descriptor_size, layers->known ? &layers->structure : NULL, &told, frame))
        return 0;
    frame->number = bs_peek(&layers->unwrapper, frame->wire);
    if (frame->brings && frame->number < layers->unwrapper.highest - FAR_BEHIND) {
        layers->unwrapper.highest = layers->told_at = -1; /* the sender began its numbering anew */
        frame->number = bs_peek(&layers->unwrapper, frame->wire);
    }
    if (frame->number > layers->unwrapper.highest) layers->unwrapper.highest = frame->number;
    if (frame->tells && !tell(layers, frame, &told)) return 0;
    return 1;
}

uint32_t bs_source_targets(bs_source *source, bs_target *out) {
    const bs_layers *layers = source->layers;
    uint32_t count = 0;
    if (!layers || !layers->known) return 0;
    const bs_structure *structure = &layers->structure;
    for (uint32_t target = 0; target < structure->targets; target++) {
        if (!(layers->active >> target & 1)) continue;
        bs_target *found = &out[count++];
        found->spatial = structure->target_spatial[target];
        found->temporal = structure->target_temporal[target];
        found->lines = found->spatial < structure->sizes ? structure->lines[found->spatial] : 0;
        found->octets = 0;
        for (uint32_t at = 0; at < structure->templates; at++)
            if (structure->present[at] >> target & 1) found->octets += layers->octets[at];
    }
    return count;
}

/* What one receiver is sent */

/* The largest active target within the aim; where all are larger, the smallest; -1 where none is active. */
static int best(const bs_structure *structure, uint32_t active, const bs_sink *sink) {
    int fitting = -1, smallest = -1, fits = -1, least = 1 << 16;
    for (uint32_t target = 0; target < structure->targets; target++) {
        if (!(active >> target & 1)) continue;
        int spatial = structure->target_spatial[target], temporal = structure->target_temporal[target];
        int size = spatial << 8 | temporal;
        if (spatial <= sink->aim_spatial && temporal <= sink->aim_temporal && size >= fits) {
            fits = size;
            fitting = (int)target;
        }
        if (size < least) {
            least = size;
            smallest = (int)target;
        }
    }
    return fitting >= 0 ? fitting : smallest;
}

bs_selection *bs_selection_new(int64_t first) {
    bs_selection *selection = malloc(sizeof *selection);
    if (!selection) return NULL;
    selection->first = first;
    for (uint32_t at = 0; at < BS_SELECTED; at++) selection->sent[at].number = -1;
    bs_selection_reset(selection, 0);
    return selection;
}

void bs_selection_reset(bs_selection *selection, int64_t sequence) {
    selection->highest = sequence - 1;
    selection->current = selection->wanted = -1;
    selection->version = selection->structures = selection->frame = -1;
    selection->seen = selection->forwarded = 0;
    for (uint32_t at = 0; at < BS_SELECTED; at++) selection->numbers[at].source = -1;
}

static void settle(bs_selection *selection, const bs_layers *layers, const bs_sink *sink) {
    selection->version = layers->version;
    if (layers->known) selection->wanted = best(&layers->structure, layers->active, sink);
    if (selection->structures != layers->structures) {
        selection->structures = layers->structures;
        selection->current = selection->wanted; /* what comes with a structure can be begun with */
    }
}

static int begins(const bs_selection *selection, const bs_frame *frame) {
    if (selection->wanted < 0) return 1;
    return frame->switching >> selection->wanted & 1 && !frame->far && !(frame->needs & ~selection->forwarded);
}

static int admit(bs_selection *selection, const bs_layers *layers, const bs_sink *sink, const bs_frame *frame) {
    if (selection->version != layers->version) settle(selection, layers, sink);
    int64_t back = selection->frame - frame->number;
    if (back < 0 || back > FAR_BEHIND) {
        int whole = back > 0 || -back >= BS_WINDOW;
        selection->seen = (whole ? 0 : selection->seen << -back) | 1;
        selection->forwarded = whole ? 0 : selection->forwarded << -back;
        selection->frame = frame->number;
        if (selection->wanted != selection->current && begins(selection, frame)) selection->current = selection->wanted;
        back = 0;
    } else if (back >= BS_WINDOW) {
        return 0;
    } else if (selection->seen >> back & 1) {
        return (int)(selection->forwarded >> back & 1);
    }
    int admitted = selection->current < 0 || (frame->present >> selection->current & 1);
    selection->seen |= 1ull << back;
    selection->forwarded |= (uint64_t)admitted << back;
    return admitted;
}

static int ends(const bs_selection *selection, const bs_structure *structure, const bs_frame *frame) {
    int current = selection->current;
    if (current < 0 || current >= (int)structure->targets) return 0;
    return frame->end && frame->spatial == structure->target_spatial[current];
}

/* Our number of the packet, -1 for none. What is missing before it keeps a number each. */
static int64_t number_of(bs_selection *selection, int64_t sequence, int64_t offset, int admitted) {
    const int64_t mask = BS_SELECTED - 1;
    if (sequence <= selection->highest) {
        const bs_numbered *known = &selection->numbers[sequence & mask];
        return known->source == sequence ? known->number : -1;
    }
    int64_t missing = selection->highest + 1;
    if (missing < sequence - mask) missing = sequence - mask;
    for (; missing < sequence; missing++)
        selection->numbers[missing & mask] = (bs_numbered){missing, missing + offset};
    selection->highest = sequence;
    int64_t number = admitted ? sequence + offset : -1;
    selection->numbers[sequence & mask] = (bs_numbered){sequence, number};
    return number;
}

int64_t bs_select(bs_sink *sink, int64_t sequence, const bs_mapping *as, bs_packet *packet) {
    static const uint8_t filler[1] = {1};
    bs_selection *selection = sink->selection;
    const bs_layers *layers = sink->source->layers;
    int admitted = 1;
    if (packet->frame && layers) {
        admitted = admit(selection, layers, sink, packet->frame);
        if (admitted && ends(selection, &layers->structure, packet->frame)) packet->marker = 0x80;
    }
    int newest = sequence > selection->highest;
    int64_t number = number_of(selection, sequence, sink->offset, admitted);
    if (newest && !admitted) sink->offset--;
    if (number < 0) return number;
    if (!admitted) { /* its number has been left for it, so something must have it */
        packet->marker = 0;
        packet->padding = 0x20;
        packet->payload = filler;
        packet->size = 1;
        packet->descriptor_size = 0;
        packet->place.at = 0;
    }
    selection->sent[number & (BS_SELECTED - 1)] =
        (bs_selected){number, admitted ? sequence : -1, *as, packet->marker};
    return number;
}
