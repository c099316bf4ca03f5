/* Shared by the files of the native path. Everything is used from one thread. */
#ifndef BS_INTERNAL_H
#define BS_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "path.h"

#define BS_BATCH 64
#define BS_DATAGRAM 2048
#define BS_MAX_EVENTS 256 /* a datagram makes three at most */
#define BS_MAX_RTP 1500
#define BS_TRAILER 164 /* libsrtp's largest tag, key identifier and SRTCP index */
#define BS_QUEUE 256
#define BS_STREAM 1 /* the family of addresses that are TCP connections */
#define BS_STREAMED (512 * 1024)
#define BS_BUCKETS 1024
#define BS_ROUTES 64
#define BS_MAX_MISSING 256
#define BS_MAX_BLOCK 64
#define BS_REMEMBERED 2048
#define BS_UDP_IP 28 /* bytes around a datagram on its way */
#define BS_RESENT 512
#define BS_MAPPINGS 8
#define BS_INTERVAL_S 0.1
#define BS_KEEP_S 2.0
#define BS_TEMPLATES 64
#define BS_TARGETS 32
#define BS_WINDOW 64    /* frames back that are remembered */
#define BS_SELECTED 512 /* packets back that are remembered; a power of two */

typedef int (*bs_srtp)(void *session, void *packet, int *size);

/* Sequence numbers without end (media/rtp/sequence.py). */
typedef struct {
    int64_t highest; /* -1 before the first */
} bs_unwrapper;

static inline int64_t bs_peek(const bs_unwrapper *unwrapper, uint16_t number) {
    if (unwrapper->highest < 0) return (int64_t)number + 65536;
    int64_t delta = (uint16_t)(number - (uint16_t)unwrapper->highest);
    return unwrapper->highest + (delta < 32768 ? delta : delta - 65536);
}

/* A parsed RTP packet. */
typedef struct {
    uint8_t first, second;
    uint16_t number;
    uint32_t timestamp, ssrc;
    uint32_t start;  /* of the payload */
    int level;       /* the byte, or -1 */
    int transport;   /* the transport-wide number, or -1 */
    uint32_t descriptor, descriptor_size; /* where the dependency descriptor is; no size: there is none */
} bs_rtp;

/* What a dependency descriptor's templates mean (dependency.c). Masks have a bit for each decode target. */
typedef struct {
    uint32_t offset, templates, targets, chains, sizes;
    uint32_t present[BS_TEMPLATES], switching[BS_TEMPLATES];
    uint64_t needs[BS_TEMPLATES]; /* bit d: the frame d before */
    uint32_t lines[4];
    uint8_t spatial[BS_TEMPLATES];
    uint8_t target_spatial[BS_TARGETS], target_temporal[BS_TARGETS];
} bs_structure;

/* The frame of a packet. */
typedef struct {
    int64_t number;
    uint16_t wire;
    int end, far;          /* its last packet; it needs a frame beyond the window */
    int brings, tells;     /* a structure; what is active */
    uint32_t active, template, spatial, present, switching;
    uint64_t needs;
} bs_frame;

/* Where a payload says which picture it belongs to (picture.c). */
typedef struct {
    uint32_t at;       /* of the picture id; 0: it does not say */
    int wide;          /* 15 bits, not 7 */
    uint32_t picture;
    uint32_t index_at; /* of TL0PICIDX, 0 without */
    uint32_t index;
} bs_place;

/* What a source is given. */
typedef struct {
    uint16_t number;
    uint32_t timestamp;
    uint8_t marker, padding; /* 0x80 or 0, 0x20 or 0 */
    int level;
    const uint8_t *payload;
    uint32_t size;
    bs_place place; /* where its source has siblings */
    int key;        /* begins a key frame */
    const uint8_t *descriptor; /* of layers, or NULL */
    uint32_t descriptor_size;
    const bs_frame *frame; /* what it says, or NULL */
} bs_packet;

/* A packet kept (history.c). */
typedef struct {
    int64_t sequence; /* -1: empty */
    double kept_at;
    uint8_t *payload; /* NULL once it is too old to be sent again */
    uint32_t timestamp;
    uint16_t size;
    uint8_t marker, padding;
    uint8_t descriptor_size; /* bytes behind the payload */
} bs_kept;

typedef struct {
    bs_kept *slots;
    uint32_t mask;
    int64_t swept; /* below this, payloads that are too old were let go */
} bs_history;

/* Loss (loss.c). */
typedef struct {
    int64_t sequence;
    double missed_at, next_at;
    uint32_t tries;
} bs_missing;

typedef struct {
    int64_t expected;
    double max_age;
    bs_missing *missing; /* ascending; room for BS_MAX_MISSING, made when first needed */
    uint32_t count;
} bs_loss;

typedef struct {
    int64_t expected, received; /* at the last report */
    double last_transit;
    int has_transit;
} bs_statistics;

/* Transport-wide arrivals (twcc.c). */
typedef struct {
    int64_t number;
    int64_t ticks;
} bs_arrival;

typedef struct {
    bs_unwrapper unwrapper;
    bs_arrival *arrivals;
    uint32_t count, room;
    int64_t next;
    uint32_t packets;
} bs_twcc;

/* What left by transport-wide number, and what feedback told of it (sent.c). */
typedef struct {
    double at[BS_REMEMBERED];
    uint16_t size[BS_REMEMBERED];
    uint8_t state[BS_REMEMBERED];
    int64_t next, reference;
    uint32_t grouped; /* bytes of the group that is not complete; 0: there is none */
    double first_sent, last_sent;
    int64_t first_arrived, last_arrived;
    bs_told told;
} bs_sent;

/* What a source's descriptors told. */
typedef struct {
    bs_structure structure;
    int known;
    uint32_t active;
    int64_t structures, version;
    uint64_t octets[BS_TEMPLATES];
    bs_unwrapper unwrapper;
    int64_t told_at;
} bs_layers;

/* A packet that waits for its turn, not encrypted yet (pace.c). */
typedef struct bs_paced {
    struct bs_paced *next; /* of the same priority */
    bs_sink *sink;
    int64_t number;
    double since;
    uint32_t size;
    uint16_t time_at, number_at;
    uint8_t data[];
} bs_paced;

typedef struct {
    double rate; /* bytes a second; 0: as it comes */
    double credit, at;
    bs_paced *first[BS_PRIORITIES], *last[BS_PRIORITIES];
} bs_pacer;

/* A datagram waiting to be sent (send.c). Until it is sealed a plain packet, with places to stamp or 0. */
typedef struct bs_queued {
    struct bs_queued *next; /* to the same link */
    uint32_t size;
    uint16_t time_at, number_at;
    uint8_t data[BS_MAX_RTP + BS_TRAILER];
} bs_queued;

typedef struct {
    uint32_t ssrc;
    int retransmission;
    bs_source *source;
} bs_route;

struct bs_link {
    bs_link_figures figures;
    bs_path *path;
    uint32_t id;
    bs_address address;
    bs_link *next_in_bucket;
    void *incoming, *outgoing; /* libsrtp's sessions */
    double interval_at;
    uint32_t most_bytes, most_packets;       /* of an interval */
    uint32_t bytes, packets, unknown;        /* of this one */
    int listening, level_id, twcc_id, dependency_id;
    uint32_t routes;
    bs_route route[BS_ROUTES];
    bs_twcc twcc;
    bs_queued *first_queued, *last_queued;
    bs_link *next_queued;
    bs_sent *sent; /* made with the first number */
    bs_pacer pacer;
    bs_link *next_paced; /* of those on which something waits */
    bs_sink *sinks;     /* that send here */
    bs_source *sources; /* that were made here */
};

struct bs_source {
    bs_source_figures figures;
    bs_link *link; /* NULL once that is gone */
    bs_path *path;
    bs_source *next_of_link;
    uint32_t id;
    int payload_type, rtx_type, other_type, block_type, codec;
    uint32_t clock;
    uint32_t behind;
    bs_unwrapper unwrapper;
    bs_history history;
    bs_loss loss;
    bs_statistics statistics;
    bs_layers *layers; /* made with the first descriptor */
    bs_sink *sinks;
    bs_sink *entering; /* go over to this at its next key frame */
};

/* How packets of a source were numbered from some packet on. */
typedef struct {
    uint32_t source; /* its id */
    int64_t first, offset;
    uint32_t shift, picture, index;
} bs_mapping;

typedef struct {
    int64_t number; /* -1: none */
    double at;
} bs_resent;

typedef struct {
    int64_t source, number; /* its own and ours; -1: none */
} bs_numbered;

typedef struct {
    int64_t number, sequence; /* ours, -1: none; its own, -1: a filler */
    bs_mapping as;
    uint8_t marker;
} bs_selected;

/* Which layers a sink is sent: the target, the frames it got, how its packets are numbered. */
typedef struct {
    int64_t first; /* number that was given here */
    int current, wanted;
    int64_t highest; /* of the source's numbers */
    int64_t version, structures, frame;
    uint64_t seen, forwarded; /* bit d: the frame d before the newest */
    bs_numbered numbers[BS_SELECTED]; /* by place of the source's number */
    bs_selected sent[BS_SELECTED];    /* by place of ours */
} bs_selection;

typedef struct {
    int64_t number;    /* -1: none */
    int64_t transport; /* its transport-wide number; -1: none */
    uint32_t size, room;
    uint8_t *data;
} bs_ciphertext;

struct bs_sink {
    bs_sink_figures figures;
    bs_source *source; /* NULL once that is gone */
    bs_link *link;     /* the same */
    bs_source *target; /* what it goes over to, or NULL */
    bs_sink *next_of_source, *next_of_link, *next_entering;
    uint32_t ssrc, rtx_ssrc;
    int payload_type, rtx_type, priority, resync;
    uint32_t block_size;
    uint8_t block[BS_MAX_BLOCK];
    bs_changes changes;
    int64_t next, rtx_sequence, offset, floor;
    int64_t left;        /* after the highest number that went out */
    double choked_until; /* 0: not; else a key frame is awaited, until then at most */
    int64_t base; /* what turns the clock that siblings share into ours; -1 while unknown */
    uint32_t picture, index; /* added to picture ids and TL0PICIDX */
    int has_last;
    uint32_t last_timestamp; /* of the newest packet, as sent */
    double last_at;
    bs_place last_place;
    bs_mapping mappings[BS_MAPPINGS];
    uint32_t mapped; /* how many there have been */
    bs_ciphertext *ciphertexts;
    uint32_t keep;
    bs_resent *resent; /* BS_RESENT of them, made when first needed */
    bs_selection *selection; /* made with the first packet that is described */
    int aim_spatial, aim_temporal;
    double interval_at;
    int budget;
};

struct bs_path {
    bs_path_figures figures;
    bs_srtp protect, unprotect, protect_rtcp, unprotect_rtcp;
    uint32_t seed;
    int descriptor, six, segmentation;
    int ticker, beating;
    double behind_since; /* -1: not */
    bs_link *buckets[BS_BUCKETS];
    bs_event events[BS_MAX_EVENTS];
    uint8_t in[BS_BATCH][BS_DATAGRAM];
    uint8_t injected[BS_DATAGRAM];
    bs_queued queue[BS_QUEUE];
    uint32_t queued;
    bs_link *first_waiting, *last_waiting; /* links with something queued */
    uint8_t streamed[BS_STREAMED];
    bs_link *first_paced, *last_paced;     /* links on which something waits for its turn */
};

/* rtp.c: 0, or -1 for a malformed packet. */
int bs_rtp_parse(const uint8_t *data, uint32_t size, const bs_link *link, bs_rtp *out);
int bs_rtp_payload_end(const uint8_t *data, uint32_t size, uint32_t start, uint32_t *end);

/* Where the own block of a RED payload (RFC 2198) begins; -1 where its headers lie about lengths. */
int bs_red_primary(const uint8_t *payload, uint32_t size, uint32_t *at);

/* keyframe.c */
int bs_is_keyframe(int codec, const uint8_t *payload, uint32_t size);

/* picture.c */
bs_place bs_picture_place(int codec, const uint8_t *payload, uint32_t size);
void bs_picture_rewrite(uint8_t *payload, const bs_place *place, uint32_t picture, uint32_t index);
uint32_t bs_picture_lines(int codec, const uint8_t *payload, uint32_t size);

/* dependency.c: 1 where something can be told of the packet's frame. */
int bs_layers_read(bs_source *source, const bs_packet *packet, bs_frame *frame);
bs_selection *bs_selection_new(int64_t first);
void bs_selection_reset(bs_selection *selection, int64_t sequence);
/* Our number of a packet of layers, -1 where it is not sent; the packet becomes what is sent. */
int64_t bs_select(bs_sink *sink, int64_t sequence, const bs_mapping *as, bs_packet *packet);

/* history.c: 1 kept, 0 for a duplicate, -1 without memory. */
int bs_history_open(bs_history *history, uint32_t size);
int bs_history_add(bs_history *history, int64_t sequence, const bs_packet *packet, double now);
const bs_kept *bs_history_get(const bs_history *history, int64_t sequence, double now);
void bs_history_clear(bs_history *history);
void bs_history_close(bs_history *history);

/* loss.c */
void bs_loss_reset(bs_loss *loss);
int bs_loss_received(bs_loss *loss, int64_t sequence, double now); /* 1: too much is missing */
void bs_statistics_reset(bs_source *source);
void bs_statistics_packet(bs_source *source, int64_t sequence, const bs_packet *packet, double now);

/* source.c, sink.c */
void bs_source_receive(bs_source *source, bs_packet *packet, double now); /* fills in the packet's place */
void bs_sink_forward(bs_sink *sink, int64_t sequence, const bs_packet *packet, double now);
void bs_sink_enter(bs_sink *sink, bs_source *source, const bs_packet *packet, double now);

/* link.c */
void bs_link_media(bs_link *link, uint8_t *data, uint32_t size, double now);
int bs_link_is_sound(bs_link *link, const uint8_t *data, uint32_t size); /* an encrypted packet, by its header */
bs_link *bs_link_find(bs_path *path, const bs_address *address);

/* twcc.c */
void bs_twcc_reset(bs_twcc *twcc);
void bs_twcc_arrived(bs_twcc *twcc, uint16_t number, double now);
void bs_twcc_close(bs_twcc *twcc);

/* sent.c */
int64_t bs_sent_left(bs_link *link, uint32_t size, double now); /* its number; -1 without memory */
int64_t bs_sent_next(const bs_link *link);
void bs_sent_repeated(bs_link *link, int64_t number);

/* pace.c: send a composed packet now or when its turn comes; `sink` may be NULL, `number` is its own or -1.
 * 0: it was dropped. */
int bs_pace_send(bs_link *link, bs_queued *place, int priority, bs_sink *sink, int64_t number, double now);
void bs_pace_spent(bs_link *link, uint32_t size, double now); /* something went past the queue */
void bs_pace_forget(bs_link *link, const bs_sink *sink); /* what waits of a sink; NULL: all */

/* link.c: stamp, encrypt and commit. The bytes on the way, 0: it was dropped. */
uint32_t bs_link_emit(bs_link *link, bs_queued *place, bs_sink *sink, int64_t number, double now);
void bs_sink_choke(bs_sink *sink, double now); /* what waited of it is dropped: go on at a key frame */
void bs_sink_emitted(bs_sink *sink, int64_t number, int64_t transport, const bs_queued *sent);

/* send.c: a place to write a datagram for a link, and its commitment: the last step before the wire. */
bs_queued *bs_queue_place(bs_path *path);
void bs_queue_commit(bs_link *link, bs_queued *place);

/* path.c: note an event; NULL when there is no room. */
bs_event *bs_note(bs_path *path, uint32_t kind, uint32_t owner);

static inline void bs_put16(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void bs_put32(uint8_t *at, uint32_t value) {
    bs_put16(at, value >> 16);
    bs_put16(at + 2, value);
}

static inline uint32_t bs_get16(const uint8_t *at) { return (uint32_t)at[0] << 8 | at[1]; }

static inline uint32_t bs_get32(const uint8_t *at) { return bs_get16(at) << 16 | bs_get16(at + 2); }

#endif
