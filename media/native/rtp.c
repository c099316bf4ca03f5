/* RTP headers (RFC 3550, 5.1) and header extensions (RFC 8285), as media/rtp/packet.py. */
#include "internal.h"

typedef struct {
    const bs_link *link;
    const uint8_t *data;
    bs_rtp *out;
} reading;

static void element(const reading *reading, int id, uint32_t begin, uint32_t end) {
    if (id == reading->link->twcc_id) {
        if (end - begin == 2) reading->out->transport = (int)bs_get16(reading->data + begin);
    } else if (id == reading->link->level_id) {
        if (end > begin) reading->out->level = reading->data[begin];
    } else if (id == reading->link->dependency_id) {
        reading->out->descriptor = begin;
        reading->out->descriptor_size = end - begin;
    }
}

static int one_byte(const reading *reading, uint32_t at, uint32_t end) {
    while (at < end) {
        uint8_t head = reading->data[at++];
        if (head == 0) continue; /* padding between elements */
        int id = head >> 4;
        if (id == 15) break; /* RFC 8285, 4.2: stop reading here */
        uint32_t stop = at + (head & 0x0F) + 1;
        if (stop > end) return -1;
        if (id) element(reading, id, at, stop);
        at = stop;
    }
    return 0;
}

static int two_byte(const reading *reading, uint32_t at, uint32_t end) {
    while (at < end) {
        int id = reading->data[at++];
        if (id == 0) continue;
        if (at >= end) return -1;
        uint32_t stop = at + 1 + reading->data[at];
        if (stop > end) return -1;
        element(reading, id, at + 1, stop);
        at = stop;
    }
    return 0;
}

int bs_rtp_parse(const uint8_t *data, uint32_t size, const bs_link *link, bs_rtp *out) {
    if (size < 12 || data[0] >> 6 != 2) return -1;
    out->first = data[0];
    out->second = data[1];
    out->number = (uint16_t)bs_get16(data + 2);
    out->timestamp = bs_get32(data + 4);
    out->ssrc = bs_get32(data + 8);
    out->level = out->transport = -1;
    out->descriptor_size = 0;
    uint32_t start = 12 + 4 * (uint32_t)(data[0] & 0x0F);
    if (!(data[0] & 0x10)) {
        if (start > size) return -1;
        out->start = start;
        return 0;
    }
    if (start + 4 > size) return -1;
    uint32_t profile = bs_get16(data + start);
    uint32_t end = start + 4 + 4 * bs_get16(data + start + 2);
    if (end > size) return -1;
    out->start = end;
    reading reading = {link, data, out};
    if (profile == 0xBEDE) return one_byte(&reading, start + 4, end);
    if ((profile & 0xFFF0) == 0x1000) return two_byte(&reading, start + 4, end);
    return 0; /* another profile: its content is not ours to read */
}

int bs_rtp_payload_end(const uint8_t *data, uint32_t size, uint32_t start, uint32_t *end) {
    *end = size;
    if (!(data[0] & 0x20)) return 0;
    uint32_t padding = data[size - 1];
    if (padding == 0 || start + padding > size) return -1;
    *end = size - padding;
    return 0;
}

int bs_red_primary(const uint8_t *payload, uint32_t size, uint32_t *at) {
    uint32_t place = 0, copies = 0;
    while (place < size && payload[place] & 0x80) { /* another block header follows */
        if (place + 4 > size) return -1;
        copies += bs_get16(payload + place + 2) & 0x03FF;
        place += 4;
    }
    place += 1 + copies;
    if (place > size) return -1;
    *at = place;
    return 0;
}
