/* Which picture a payload belongs to, and how large a key frame is, as media/rtp/picture.py. */
#include "internal.h"

static bs_place place(const uint8_t *payload, uint32_t size, uint32_t at, int indexed, uint32_t between) {
    bs_place found = {0};
    int wide = payload[at] >> 7;
    uint32_t end = at + (wide ? 2 : 1), index_at = indexed ? end + between : 0;
    if (end > size || index_at + 1 > size) return found;
    found.at = at;
    found.wide = wide;
    found.picture = wide ? (uint32_t)(payload[at] & 0x7F) << 8 | payload[at + 1] : payload[at];
    found.index_at = index_at;
    found.index = indexed ? payload[index_at] : 0;
    return found;
}

bs_place bs_picture_place(int codec, const uint8_t *payload, uint32_t size) {
    bs_place none = {0};
    if (codec == BS_CODEC_VP8) {
        if (size < 3 || !(payload[0] & 0x80) || !(payload[1] & 0x80)) return none;
        return place(payload, size, 2, payload[1] & 0x40, 0);
    }
    if (codec == BS_CODEC_VP9) {
        if (size < 2 || !(payload[0] & 0x80)) return none;
        return place(payload, size, 1, payload[0] & 0x20 && !(payload[0] & 0x10), 1);
    }
    return none;
}

void bs_picture_rewrite(uint8_t *payload, const bs_place *place, uint32_t picture, uint32_t index) {
    uint32_t number = place->picture + picture;
    if (place->wide) {
        payload[place->at] = (uint8_t)(0x80 | (number >> 8 & 0x7F));
        payload[place->at + 1] = (uint8_t)number;
    } else {
        payload[place->at] = (uint8_t)(number & 0x7F);
    }
    if (place->index_at) payload[place->index_at] = (uint8_t)(place->index + index);
}

uint32_t bs_picture_lines(int codec, const uint8_t *payload, uint32_t size) {
    if (codec != BS_CODEC_VP8 || !size) return 0;
    uint32_t at = 1;
    if (payload[0] & 0x80) {
        if (size < 3) return 0;
        uint8_t flags = payload[1];
        at = 2;
        if (flags & 0x80) at += payload[at] & 0x80 ? 2 : 1;
        at += (flags & 0x40 ? 1 : 0) + (flags & 0x30 ? 1 : 0);
    }
    if (size < at + 10 || payload[at + 3] != 0x9D || payload[at + 4] != 0x01 || payload[at + 5] != 0x2A) return 0;
    return ((uint32_t)payload[at + 9] << 8 | payload[at + 8]) & 0x3FFF;
}
