/* What Python sees of the native path. Read by cffi: declarations alone, one concern a struct.
 *
 * Objects are opaque; what Python reads or sets directly is in a *_figures struct of each. Times are
 * seconds of one monotonic clock. Behaviour is that of media/path/python_*.py, byte for byte. */

enum {
    BS_EVENT_DATAGRAM = 0, /* not SRTP: peer, data */
    BS_EVENT_RTCP,         /* owner: link; data decrypted */
    BS_EVENT_UNKNOWN,      /* owner: link; a decrypted RTP packet without a route */
    BS_EVENT_TAP,          /* owner: source; sequence, timestamp, marker, data */
    BS_EVENT_ATTENTION,    /* owner: source; packets are missing */
    BS_EVENT_GAP,          /* owner: source; too many are */
    BS_EVENT_RESTARTED     /* owner: source; numbered anew */
};

enum {
    BS_DROP_STRANGER = 0,
    BS_DROP_UNKNOWN,
    BS_DROP_OVER_RATE,
    BS_DROP_BEFORE_DTLS,
    BS_DROP_SRTP,
    BS_DROP_SRTCP,
    BS_DROP_RTP_MALFORMED,
    BS_DROP_UNROUTED,
    BS_DROP_PROTECT,
    BS_DROP_SEND_FAILED,
    BS_DROP_SEND_BUFFER_FULL,
    BS_DROP_OVERLOAD,
    BS_DROP_PACED,
    BS_DROPS
};

enum { BS_CODEC_OTHER = 0, BS_CODEC_VP8, BS_CODEC_H264, BS_CODEC_VP9, BS_CODEC_AV1 };
enum { BS_SOUND = 0, BS_AGAIN, BS_CAMERA, BS_SCREEN, BS_PADDING, BS_PRIORITIES };

typedef struct bs_path bs_path;
typedef struct bs_link bs_link;
typedef struct bs_source bs_source;
typedef struct bs_sink bs_sink;

typedef struct {
    uint8_t host[16]; /* four bytes used by IPv4 */
    uint32_t scope;
    uint16_t port;   /* host order */
    uint16_t family; /* 4, 6, 1 for a TCP connection (its number is the scope), or 0 for none */
} bs_address;

typedef struct {
    uint32_t kind;
    uint32_t owner;
    uint32_t size;
    uint32_t timestamp;
    uint32_t marker;
    int64_t sequence;
    double now;
    const uint8_t *data; /* good until the next poll, or the end of the inject that made it */
    bs_address peer;
} bs_event;

typedef struct {
    uint64_t drops[BS_DROPS];
    uint64_t sends; /* datagrams handed to the kernel */
    uint64_t runs;  /* messages they were handed over in */
    uint32_t events;
    uint32_t streamed; /* bytes at bs_path_streamed, for whoever takes them to set to 0 */
    uint32_t pacing; /* links on which something waits */
} bs_path_figures;

typedef struct {
    uint64_t packets_in;
    uint64_t bytes_in;
    uint64_t packets_out;
    uint64_t bytes_out;
    uint32_t paced_packets; /* that wait now */
    uint32_t paced_bytes;
    uint32_t choked; /* of all its sinks */
} bs_link_figures;

/* Packets that left together, as feedback told of them. */
typedef struct {
    double sent;    /* the last of them, by our clock */
    double arrived; /* the last of them, by the receiver's */
    uint32_t size;
} bs_group;

enum { BS_GROUPS = 128 };

typedef struct {
    bs_group group[BS_GROUPS];
    uint32_t groups;
    uint32_t received;
    int32_t lost;
    uint32_t feedbacks;
    uint64_t octets;
} bs_told;

/* Where in a block of extensions something changes with each packet; 0: it is not there. */
typedef struct {
    uint32_t level;     /* one byte */
    uint32_t send_time; /* three */
    uint32_t number;    /* two: the transport-wide number */
    uint32_t descriptor; /* the number as which a packet's own descriptor ends the block, which is open then */
} bs_changes;

typedef struct {
    uint64_t received;
    uint64_t octets;
    uint64_t duplicates;
    uint64_t recovered;
    uint64_t keyframes;
    int64_t base;    /* -1 before the first packet */
    int64_t highest;
    double jitter;   /* in timestamp units */
    double fraction; /* loss in the last report's interval */
    double level;    /* -dBov, smoothed */
    uint32_t missing;
    uint32_t muted;
    uint32_t tapped;
    uint32_t layered; /* it has siblings */
    uint32_t lines;   /* height of the newest key frame, 0 where unknown */
    int64_t shift;    /* from its timestamps to a clock its siblings share; -1 while unknown */
} bs_source_figures;

typedef struct {
    uint64_t packets;
    uint64_t octets;
    uint64_t resent;
    uint64_t resend_misses;
    uint32_t active;
    uint32_t paused;
    uint32_t source; /* the id of what it forwards now, 0 for none */
    uint32_t target; /* of what it goes over to */
    uint32_t shift;  /* added to timestamps */
    uint32_t choked; /* times all that waited was dropped: from then on it waits for a key frame */
} bs_sink_figures;

typedef struct {
    uint32_t fraction;
    uint32_t highest;
    uint32_t jitter;
    int64_t lost;
} bs_report;

/* A set of layers that can be sent without the others. */
typedef struct {
    uint32_t spatial, temporal, lines;
    uint64_t octets;
} bs_target;

/* The functions of libsrtp; a seed for the table of addresses. NULL without memory. */
bs_path *bs_path_new(uintptr_t protect, uintptr_t unprotect, uintptr_t protect_rtcp, uintptr_t unprotect_rtcp,
                     uint32_t seed);
void bs_path_free(bs_path *path); /* after every link and source */
bs_path_figures *bs_path_read(bs_path *path);
void bs_path_attach(bs_path *path, int descriptor, int six);
int bs_path_poll(bs_path *path, double now);
void bs_path_receive(bs_path *path, const uint8_t *data, uint32_t size, const bs_address *from, double now);
/* What flushes had for TCP connections: number (32 bits), size (16 bits), the packet; in the machine's byte order. */
const uint8_t *bs_path_streamed(bs_path *path);
bs_event *bs_path_events(bs_path *path); /* of the last poll or inject; figures->events of them */
int bs_path_ticker(bs_path *path); /* a descriptor that is readable at each beat; -1: there is none */
void bs_path_beat(bs_path *path, uint32_t microseconds); /* 0: no more */
void bs_path_flush(bs_path *path);
void bs_path_pace(bs_path *path, double now); /* what waits and may go by now */
void bs_path_send(bs_path *path, const uint8_t *data, uint32_t size, const bs_address *to);

bs_link *bs_link_new(bs_path *path, uint32_t id);
void bs_link_free(bs_link *link);
bs_link_figures *bs_link_read(bs_link *link);
void bs_link_move(bs_link *link, const bs_address *address); /* NULL: nowhere */
void bs_link_use(bs_link *link, uintptr_t incoming, uintptr_t outgoing); /* 0: no keys */
void bs_link_limit(bs_link *link, uint32_t bytes, uint32_t packets); /* per interval of 100 ms */
void bs_link_listen(bs_link *link, int level_id, int twcc_id, int dependency_id); /* of extensions; -1: none */
int bs_link_route(bs_link *link, uint32_t ssrc, bs_source *source, int retransmission); /* -1: can't */
void bs_link_unroute(bs_link *link, uint32_t ssrc);
void bs_link_inject(bs_link *link, const uint8_t *data, uint32_t size, double now);
void bs_link_send_rtcp(bs_link *link, const uint8_t *data, uint32_t size);
void bs_link_feedback(bs_link *link, uint32_t media_ssrc);
int bs_link_acknowledge(bs_link *link, const uint8_t *body, uint32_t size); /* -1: malformed */
void bs_link_told(bs_link *link, bs_told *told); /* since the last call */
void bs_link_pace(bs_link *link, double rate); /* bytes a second; 0: as it comes */

bs_source *bs_source_new(bs_link *link, uint32_t id, uint32_t history, double nack_age, int codec, uint32_t clock);
void bs_source_free(bs_source *source);
bs_source_figures *bs_source_read(bs_source *source);
void bs_source_types(bs_source *source, int payload_type, int rtx_type);
/* A second payload type, -1 for none: RED whose own block goes on, or with a block type (-1: none) to be wrapped. */
void bs_source_convert(bs_source *source, int other_type, int block_type);
void bs_source_restart(bs_source *source);
void bs_source_resync(bs_source *source);
uint32_t bs_source_due(bs_source *source, double now, double round_trip, int64_t *numbers, uint32_t room);
void bs_source_report(bs_source *source, bs_report *report);

uint32_t bs_source_targets(bs_source *source, bs_target *out); /* room for 32; how many */

bs_sink *bs_sink_new(bs_source *source, bs_link *link, uint32_t ssrc, uint32_t first_sequence);
void bs_sink_free(bs_sink *sink);
bs_sink_figures *bs_sink_read(bs_sink *sink);
/* -1: can't. `block` is the extension block of every packet, in which `changes` says what changes. */
int bs_sink_configure(bs_sink *sink, int payload_type, int rtx_type, uint32_t rtx_ssrc, const uint8_t *block,
                      uint32_t block_size, const bs_changes *changes, uint32_t keep, int priority);
uint32_t bs_sink_pad(bs_sink *sink, uint32_t size, double now); /* the bytes sent */
void bs_sink_resync(bs_sink *sink);
void bs_sink_wait(bs_sink *sink, double now); /* for a key frame; for some seconds at most */
void bs_sink_aim(bs_sink *sink, int spatial, int temporal); /* no layers above these */
int bs_sink_aiming(const bs_sink *sink); /* waits for a frame that can begin */
/* Go over to a sibling of its source at the next key frame of that; to its own source: stay. */
void bs_sink_switch(bs_sink *sink, bs_source *target);
void bs_sink_resend(bs_sink *sink, const uint16_t *numbers, uint32_t count, double now, double guard);
