/* Does this payload begin a key frame? By the payload descriptors alone, as media/rtp/keyframe.py. */
#include "internal.h"

static int vp8(const uint8_t *payload, uint32_t size) {
    if (size < 2) return 0;
    if (!(payload[0] & 0x10) || payload[0] & 0x07) return 0; /* not the start of the first partition */
    uint32_t at = 1;
    if (payload[0] & 0x80) { /* X */
        uint8_t flags = payload[1];
        at = 2;
        if (flags & 0x80) { /* I: picture id, of one or two bytes */
            if (at >= size) return 0;
            at += payload[at] & 0x80 ? 2 : 1;
        }
        if (flags & 0x40) at++; /* L */
        if (flags & 0x30) at++; /* T or K */
    }
    return at < size && !(payload[at] & 0x01);
}

static int begins_picture(uint8_t kind) { return (kind & 0x1F) == 5 || (kind & 0x1F) == 7; }

static int h264(const uint8_t *payload, uint32_t size) {
    if (size == 0) return 0;
    uint8_t kind = payload[0] & 0x1F;
    if (begins_picture(kind)) return 1;
    if (kind == 24) { /* STAP-A */
        uint32_t at = 1;
        while (at + 2 < size) {
            if (begins_picture(payload[at + 2])) return 1;
            at += 2 + bs_get16(payload + at);
        }
        return 0;
    }
    if (kind == 28 && size > 1) return payload[1] & 0x80 && begins_picture(payload[1]); /* FU-A */
    return 0;
}

int bs_is_keyframe(int codec, const uint8_t *payload, uint32_t size) {
    switch (codec) {
    case BS_CODEC_VP8:
        return vp8(payload, size);
    case BS_CODEC_H264:
        return h264(payload, size);
    case BS_CODEC_VP9: /* begins a frame that is not predicted from another */
        return size && payload[0] & 0x08 && !(payload[0] & 0x40);
    case BS_CODEC_AV1: /* a new coded video sequence begins */
        return size && payload[0] & 0x08;
    default:
        return 0;
    }
}
