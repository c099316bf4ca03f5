/* One connection: where it is, its keys, its limits, which SSRC is whose; what happens to a packet of it. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define MAX_UNKNOWN_PER_INTERVAL 60

/* Addresses */

static uint32_t bucket(const bs_path *path, const bs_address *address) {
    uint32_t hash = path->seed ^ 2166136261u;
    for (uint32_t index = 0; index < 16; index++) hash = (hash ^ address->host[index]) * 16777619u;
    hash = (hash ^ (address->port & 0xFF)) * 16777619u;
    hash = (hash ^ (address->port >> 8)) * 16777619u;
    hash = (hash ^ address->scope) * 16777619u;
    return (hash ^ hash >> 15) % BS_BUCKETS;
}

static int same(const bs_address *one, const bs_address *other) {
    return one->port == other->port && one->family == other->family && one->scope == other->scope &&
           memcmp(one->host, other->host, sizeof one->host) == 0;
}

bs_link *bs_link_find(bs_path *path, const bs_address *address) {
    bs_link *link = path->buckets[bucket(path, address)];
    while (link && !same(&link->address, address)) link = link->next_in_bucket;
    return link;
}

void bs_link_move(bs_link *link, const bs_address *address) {
    bs_path *path = link->path;
    if (link->address.family) {
        bs_path_flush(path); /* what is queued goes to where the peer was when it was written */
        bs_link **at = &path->buckets[bucket(path, &link->address)];
        while (*at && *at != link) at = &(*at)->next_in_bucket;
        if (*at) *at = link->next_in_bucket;
        link->next_in_bucket = NULL;
        link->address.family = 0;
    }
    if (!address || !address->family) return;
    bs_link *former = bs_link_find(path, address);
    if (former) bs_link_move(former, NULL);
    link->address = *address;
    uint32_t place = bucket(path, address);
    link->next_in_bucket = path->buckets[place];
    path->buckets[place] = link;
}

/* Life */

bs_link *bs_link_new(bs_path *path, uint32_t id) {
    bs_link *link = calloc(1, sizeof *link);
    if (!link) return NULL;
    link->path = path;
    link->id = id;
    link->interval_at = -BS_INTERVAL_S;
    link->level_id = link->twcc_id = link->dependency_id = -1;
    bs_twcc_reset(&link->twcc);
    return link;
}

void bs_link_free(bs_link *link) {
    bs_path_flush(link->path);
    bs_link_move(link, NULL);
    bs_pace_forget(link, NULL);
    free(link->sent);
    for (bs_source *source = link->sources; source; source = source->next_of_link) source->link = NULL;
    for (bs_sink *sink = link->sinks; sink; sink = sink->next_of_link) sink->link = NULL;
    bs_twcc_close(&link->twcc);
    free(link);
}

bs_link_figures *bs_link_read(bs_link *link) { return &link->figures; }

void bs_link_use(bs_link *link, uintptr_t incoming, uintptr_t outgoing) {
    link->incoming = (void *)incoming;
    link->outgoing = (void *)outgoing;
}

void bs_link_limit(bs_link *link, uint32_t bytes, uint32_t packets) {
    link->most_bytes = bytes;
    link->most_packets = packets;
}

void bs_link_listen(bs_link *link, int level_id, int twcc_id, int dependency_id) {
    link->listening = 1;
    link->level_id = level_id;
    link->twcc_id = twcc_id;
    link->dependency_id = dependency_id;
}

/* Routes */

static bs_route *find_route(bs_link *link, uint32_t ssrc) {
    for (uint32_t index = 0; index < link->routes; index++)
        if (link->route[index].ssrc == ssrc) return &link->route[index];
    return NULL;
}

int bs_link_route(bs_link *link, uint32_t ssrc, bs_source *source, int retransmission) {
    if (source->link != link) return -1; /* a source tells only its own link that it ends */
    bs_route *route = find_route(link, ssrc);
    if (!route) {
        if (link->routes == BS_ROUTES) return -1;
        route = &link->route[link->routes++];
    }
    *route = (bs_route){ssrc, retransmission, source};
    return 0;
}

void bs_link_unroute(bs_link *link, uint32_t ssrc) {
    bs_route *route = find_route(link, ssrc);
    if (route) *route = link->route[--link->routes];
}

int bs_link_is_sound(bs_link *link, const uint8_t *data, uint32_t size) {
    const bs_route *route = size >= 12 ? find_route(link, bs_get32(data + 8)) : NULL;
    return route && route->source->codec == BS_CODEC_OTHER;
}

/* The path of a packet */

static void unknown(bs_link *link, const uint8_t *data, uint32_t size, double now, int first_time) {
    link->unknown++;
    if (!first_time || !link->listening || link->unknown > MAX_UNKNOWN_PER_INTERVAL) {
        link->path->figures.drops[BS_DROP_UNROUTED]++;
        return;
    }
    bs_event *event = bs_note(link->path, BS_EVENT_UNKNOWN, link->id);
    if (!event) return;
    event->data = data;
    event->size = size;
    event->now = now;
}

/* RFC 4588: the original number, then the payload. 1: nothing in it; -1: malformed. */
static int retransmitted(const uint8_t *data, uint32_t size, uint32_t start, bs_packet *packet) {
    uint32_t end;
    if (bs_rtp_payload_end(data, size, start, &end)) return -1;
    if (end <= start + 2) return 1; /* a probe of padding alone */
    packet->number = (uint16_t)bs_get16(packet->payload);
    packet->payload += 2;
    packet->size = end - start - 2;
    packet->padding = 0;
    return 0;
}

/* A packet of the second type as one of the first (media/rtp/red.py). -1: malformed. */
static int converted(const bs_source *source, uint8_t *data, uint32_t size, uint32_t start, bs_packet *packet) {
    uint32_t end, at;
    if (bs_rtp_payload_end(data, size, start, &end)) return -1;
    packet->padding = 0;
    if (source->block_type >= 0) {
        data[start - 1] = (uint8_t)source->block_type; /* the header before it has been read */
        packet->payload = data + start - 1;
        packet->size = end - start + 1;
        return 0;
    }
    if (bs_red_primary(data + start, end - start, &at)) return -1;
    packet->payload = data + start + at;
    packet->size = end - start - at;
    return 0;
}

static void rtp(bs_link *link, uint8_t *data, uint32_t size, double now, int first_time) {
    uint64_t *drops = link->path->figures.drops;
    bs_rtp read;
    if (bs_rtp_parse(data, size, link, &read)) {
        drops[BS_DROP_RTP_MALFORMED]++;
        return;
    }
    /* Before the SSRC is looked up: probes count too. */
    if (read.transport >= 0 && first_time) bs_twcc_arrived(&link->twcc, (uint16_t)read.transport, now);
    bs_route *route = find_route(link, read.ssrc);
    if (!route) {
        unknown(link, data, size, now, first_time);
        return;
    }
    bs_source *source = route->source;
    int type = read.second & 0x7F, wrong = 0;
    bs_packet packet = {read.number, read.timestamp,    read.second & 0x80, read.first & 0x20,
                        read.level,  data + read.start, size - read.start,  {0}};
    if (read.descriptor_size) {
        packet.descriptor = data + read.descriptor;
        packet.descriptor_size = read.descriptor_size;
    }
    if (route->retransmission) {
        if (type != source->rtx_type) {
            drops[BS_DROP_UNROUTED]++;
            return;
        }
        wrong = retransmitted(data, size, read.start, &packet);
        if (!wrong) source->figures.recovered++;
    } else if (type != source->payload_type) {
        if (type != source->other_type) {
            drops[BS_DROP_UNROUTED]++;
            return;
        }
        packet.descriptor_size = 0;
        wrong = converted(source, data, size, read.start, &packet);
    }
    if (wrong < 0) drops[BS_DROP_RTP_MALFORMED]++;
    if (!wrong) bs_source_receive(source, &packet, now);
}

void bs_link_inject(bs_link *link, const uint8_t *data, uint32_t size, double now) {
    uint8_t *copy = link->path->injected;
    if (size > BS_DATAGRAM) return;
    memcpy(copy, data, size);
    rtp(link, copy, size, now, 0);
}

static void control(bs_link *link, uint8_t *data, uint32_t size, double now) {
    int length = (int)size;
    if (size < 8 || link->path->unprotect_rtcp(link->incoming, data, &length) != 0 || length < 8 ||
        length > (int)size) {
        link->path->figures.drops[BS_DROP_SRTCP]++;
        return;
    }
    bs_event *event = bs_note(link->path, BS_EVENT_RTCP, link->id);
    if (!event) return;
    event->data = data;
    event->size = (uint32_t)length;
    event->now = now;
}

void bs_link_media(bs_link *link, uint8_t *data, uint32_t size, double now) {
    uint64_t *drops = link->path->figures.drops;
    if (now - link->interval_at >= BS_INTERVAL_S) {
        link->interval_at = now;
        link->bytes = link->packets = link->unknown = 0;
    }
    link->bytes += size;
    link->packets++;
    if (link->bytes > link->most_bytes || link->packets > link->most_packets) {
        drops[BS_DROP_OVER_RATE]++;
        return;
    }
    if (!link->incoming) {
        drops[BS_DROP_BEFORE_DTLS]++;
        return;
    }
    if (size > 1 && data[1] >= 192 && data[1] <= 223) {
        control(link, data, size, now);
        return;
    }
    int length = (int)size;
    if (size < 12 || link->path->unprotect(link->incoming, data, &length) != 0 || length < 12 || length > (int)size) {
        drops[BS_DROP_SRTP]++;
        return;
    }
    link->figures.packets_in++;
    link->figures.bytes_in += (uint64_t)length;
    rtp(link, data, (uint32_t)length, now, 1);
}

/* Out */

uint32_t bs_link_emit(bs_link *link, bs_queued *place, bs_sink *sink, int64_t number, double now) {
    bs_path *path = link->path;
    int64_t transport = -1;
    int length = (int)place->size;
    if (!link->outgoing || !link->address.family) return 0;
    if (place->time_at) {
        uint32_t time = (uint32_t)((int64_t)(now * 262144.0) & 0xFFFFFF); /* 6.18 fixed point */
        place->data[place->time_at] = (uint8_t)(time >> 16);
        bs_put16(place->data + place->time_at + 1, time);
    }
    if (place->number_at) bs_put16(place->data + place->number_at, (uint32_t)bs_sent_next(link) & 0xFFFF);
    if (path->protect(link->outgoing, place->data, &length) != 0 || length < (int)place->size ||
        length > (int)sizeof place->data) {
        path->figures.drops[BS_DROP_PROTECT]++;
        return 0;
    }
    place->size = (uint32_t)length;
    if (place->number_at) transport = bs_sent_left(link, place->size + BS_UDP_IP, now);
    if (sink && number >= 0) bs_sink_emitted(sink, number, transport, place);
    bs_queue_commit(link, place);
    link->figures.packets_out++;
    link->figures.bytes_out += place->size;
    return place->size + BS_UDP_IP;
}

void bs_link_send_rtcp(bs_link *link, const uint8_t *data, uint32_t size) {
    bs_path *path = link->path;
    if (!link->outgoing || !link->address.family || size < 8 || size > BS_MAX_RTP) return;
    bs_queued *place = bs_queue_place(path);
    memcpy(place->data, data, size);
    int length = (int)size;
    if (path->protect_rtcp(link->outgoing, place->data, &length) != 0 || length < (int)size ||
        length > (int)sizeof place->data)
        return;
    place->size = (uint32_t)length;
    bs_queue_commit(link, place);
}
