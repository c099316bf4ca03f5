/* Bursts towards a slow receiver are spread: what does not fit its rate waits, by priority, as
 * media/path/python_pacer.py. A receiver whose rate suffices costs two comparisons a packet. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define PACED_PACKETS 512
#define PACED_WAIT_S 1.5
#define DEBT_S 1.0
#define BURST_S 0.04
#define BURST_BYTES 4000.0

void bs_link_pace(bs_link *link, double rate) { link->pacer.rate = rate; }

static void refill(bs_link *link, double now) {
    bs_pacer *pacer = &link->pacer;
    double elapsed = now - pacer->at;
    if (elapsed <= 0) return;
    double most = pacer->rate * BURST_S > BURST_BYTES ? pacer->rate * BURST_S : BURST_BYTES;
    pacer->at = now;
    pacer->credit += pacer->rate * elapsed;
    if (pacer->credit > most) pacer->credit = most;
}

static void spend(bs_pacer *pacer, uint32_t size) {
    double least = -pacer->rate * DEBT_S;
    pacer->credit -= size;
    if (pacer->credit < least) pacer->credit = least;
}

void bs_pace_spent(bs_link *link, uint32_t size, double now) {
    if (link->pacer.rate <= 0 || !size) return;
    refill(link, now);
    spend(&link->pacer, size);
}

/* The list of links on which something waits */

static void enlist(bs_link *link) {
    bs_path *path = link->path;
    link->next_paced = NULL;
    if (path->last_paced)
        path->last_paced->next_paced = link;
    else
        path->first_paced = link;
    path->last_paced = link;
    path->figures.pacing++;
}

static void delist(bs_link *link) {
    bs_path *path = link->path;
    bs_link *before = NULL;
    for (bs_link *at = path->first_paced; at && at != link; at = at->next_paced) before = at;
    if (before)
        before->next_paced = link->next_paced;
    else
        path->first_paced = link->next_paced;
    if (path->last_paced == link) path->last_paced = before;
    path->figures.pacing--;
}

/* What waits */

static bs_paced *take(bs_link *link, int priority) {
    bs_pacer *pacer = &link->pacer;
    bs_paced *taken = pacer->first[priority];
    pacer->first[priority] = taken->next;
    if (!taken->next) pacer->last[priority] = NULL;
    link->figures.paced_packets--;
    link->figures.paced_bytes -= taken->size;
    return taken;
}

static void forget(bs_link *link, const bs_sink *sink);

/* Drop the oldest of a priority. A track that lost a part of its pictures may as well lose them all until the next
 * key frame: the rest would only keep that waiting. */
static void drop_oldest(bs_link *link, int priority, double now) {
    bs_sink *sink = link->pacer.first[priority]->sink;
    uint32_t before = link->figures.paced_packets;
    if (sink) {
        forget(link, sink);
        link->figures.choked++;
        bs_sink_choke(sink, now);
    } else {
        free(take(link, priority));
    }
    link->path->figures.drops[BS_DROP_PACED] += before - link->figures.paced_packets;
}

/* Of what matters least, the newcomer among it. 0: nothing matters less. */
static int make_room(bs_link *link, int priority, double now) {
    for (int least = BS_PRIORITIES - 1; least >= priority; least--) {
        if (!link->pacer.first[least]) continue;
        drop_oldest(link, least, now);
        return 1;
    }
    return 0;
}

static int hold(bs_link *link, const bs_queued *place, int priority, bs_sink *sink, int64_t number, double now) {
    bs_pacer *pacer = &link->pacer;
    bs_paced *held = NULL;
    if (!link->figures.paced_packets) enlist(link);
    int room = link->figures.paced_packets < PACED_PACKETS || make_room(link, priority, now);
    if (room && !(sink && sink->choked_until > 0)) /* else its number is no longer its own */
        held = malloc(sizeof *held + place->size);
    if (!held) {
        link->path->figures.drops[BS_DROP_PACED]++;
        if (!link->figures.paced_packets) delist(link);
        return 0;
    }
    held->next = NULL;
    held->sink = sink;
    held->number = number;
    held->since = now;
    held->size = place->size;
    held->time_at = place->time_at;
    held->number_at = place->number_at;
    memcpy(held->data, place->data, place->size);
    if (pacer->last[priority])
        pacer->last[priority]->next = held;
    else
        pacer->first[priority] = held;
    pacer->last[priority] = held;
    link->figures.paced_packets++;
    link->figures.paced_bytes += held->size;
    return 1;
}

int bs_pace_send(bs_link *link, bs_queued *place, int priority, bs_sink *sink, int64_t number, double now) {
    bs_pacer *pacer = &link->pacer;
    if (pacer->rate > 0) {
        refill(link, now);
        if (priority != BS_SOUND && (link->figures.paced_packets || pacer->credit <= 0))
            return hold(link, place, priority, sink, number, now);
    }
    uint32_t size = bs_link_emit(link, place, sink, number, now);
    if (size && pacer->rate > 0) spend(pacer, size);
    return size != 0;
}

/* What waited too long is of no use, and would only make the rest late. */
static void drop_stale(bs_link *link, double now) {
    for (int priority = 0; priority < BS_PRIORITIES; priority++) {
        while (link->pacer.first[priority] && now - link->pacer.first[priority]->since > PACED_WAIT_S) {
            drop_oldest(link, priority, now);
        }
    }
}

static void release(bs_link *link, double now) {
    bs_pacer *pacer = &link->pacer;
    drop_stale(link, now);
    if (pacer->rate > 0) refill(link, now);
    while (link->figures.paced_packets && (pacer->rate <= 0 || pacer->credit > 0)) {
        int priority = 0;
        while (!pacer->first[priority]) priority++;
        bs_paced *held = take(link, priority);
        bs_queued *place = bs_queue_place(link->path);
        place->size = held->size;
        place->time_at = held->time_at;
        place->number_at = held->number_at;
        memcpy(place->data, held->data, held->size);
        uint32_t size = bs_link_emit(link, place, held->sink, held->number, now);
        if (size && pacer->rate > 0) spend(pacer, size);
        free(held);
    }
}

void bs_path_pace(bs_path *path, double now) {
    bs_link *next;
    for (bs_link *link = path->first_paced; link; link = next) {
        next = link->next_paced;
        release(link, now);
        if (!link->figures.paced_packets) delist(link);
    }
}

static void forget(bs_link *link, const bs_sink *sink) {
    for (int priority = 0; priority < BS_PRIORITIES; priority++) {
        bs_paced *at = link->pacer.first[priority];
        link->pacer.first[priority] = link->pacer.last[priority] = NULL;
        while (at) {
            bs_paced *next = at->next;
            at->next = NULL;
            if (!sink || at->sink == sink) {
                link->figures.paced_packets--;
                link->figures.paced_bytes -= at->size;
                free(at);
            } else {
                if (link->pacer.last[priority])
                    link->pacer.last[priority]->next = at;
                else
                    link->pacer.first[priority] = at;
                link->pacer.last[priority] = at;
            }
            at = next;
        }
    }
}

void bs_pace_forget(bs_link *link, const bs_sink *sink) {
    if (!link->figures.paced_packets) return;
    forget(link, sink);
    if (!link->figures.paced_packets) delist(link);
}
