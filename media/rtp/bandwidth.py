"""How much fits the way to one receiver, from its transport-wide feedback. Pure: no clock, no I/O.

The delay decides first (``delay.py``), by additive increase and multiplicative decrease from what really
arrived (draft-ietf-rmcat-gcc-02, 5.5). Loss decides where there is no queue to see: only loss that came with
a higher rate counts, since radio loses a share whatever is sent. A sender that has nothing more to send
learns of room by probes: short trains at a higher rate, of padding or repetition.

Rates are bits a second on the wire, headers and all.
"""

from __future__ import annotations

from collections import deque
from math import sqrt

from media.rtp.delay import Delay
from media.rtp.sent import Group, Told

START = 1_000_000
FLOOR = 50_000
CEILING = 20_000_000
BACK_OFF = 0.85  # of what arrived
DEEPEST_STEP = 0.5  # of what was in use: less that arrives is a moment's
USUAL_S = 1.0  # what is in use, smoothed over
SPARE = 1.05  # a little more than is in use is known to have fitted
DECREASE_S = 0.25  # between two decreases, besides a round trip
GROWTH = 1.08  # a second, far from the last limit
NEAR_GROWTH = 1.03
NEAR = 0.25  # of the last limit
LIMIT_S = 30.0  # that long a limit is remembered
AHEAD = 1.5  # more than this over what arrives is not known to fit
THROUGHPUT_S = 0.5
FULL_QUEUE_S = 0.1  # a queue that stays: decrease whatever its trend
SHRINKING_S = 0.003  # between two looks
STUBBORN = 4  # decreases after which a queue that did not shrink is the way's own length

PACING = 1.5  # times the estimate: frames leave soon, key frames are spread
SLOWEST = 0.5

LOSS_S = 0.5
LOSS_PACKETS = 20
HARMLESS_LOSS = 0.12
MORE_LOSS = 0.08  # over what the way loses anyway
LOSS_SMOOTHING = 0.8
LESS_SENT = 0.9  # than before: enough to tell what the loss depends on

SILENT_S = 1.5  # without feedback although packets left
SILENT_STEP = 0.7
SILENT_FLOOR = 0.25  # of the rate before

PROBE_S = 0.08
PROBE_FACTOR = 2.0
FIRST_PROBE_FACTOR = 3.0
LEAST_PROBE_GROUPS = 4
PROBE_FITS = 0.8  # of the rate it was sent at
PROBE_TRUST = 0.9
PROBE_ANSWER_S = 0.5  # besides a round trip
CALM_S = 0.6  # after a probe its own queue says nothing
AGAIN_S, LONGEST_AGAIN_S = 1.0, 4.0  # after a probe that did not fit
ON_S = 0.15  # after one that did
WORTH = 1.1  # what is wanted over the estimate, for a probe


class Bandwidth:
    """One receiver's. ``update`` about ten times a second."""

    def __init__(self, now: float, start: float = START) -> None:
        self.rate = float(start)
        self.known = False
        """Whether feedback has come at all."""
        self.round_trip = 0.1
        self.probes = 0
        self.delay = Delay()
        self._arrivals: deque[tuple[float, int]] = deque()  # (arrived, size)
        self._arrived_bytes = 0
        self._updated_at = now
        self._decreased_at = -10.0
        self._limit: tuple[float, float] | None = None  # (rate, when): it did not fit more
        self._stubborn: list[float] = []  # standing queues at decreases in a row
        self._heard_at = now
        self._packets = 0
        self._silent_floor = float(FLOOR)
        self._usual: float | None = None  # bits a second that arrived, over a longer while
        self._before_silence: float | None = None
        self._received = self._lost = 0
        self._loss_at = now
        self._usual_loss = 0.0
        self._loss_before: tuple[float, float, float] | None = None  # at a decrease: (sent, arrived, rate)
        self._probe: tuple[float, float, float] | None = None  # (rate, begins, ends)
        self._probe_groups: list[Group] = []
        self._probe_at = now
        self._again_s = AGAIN_S
        self._calm_until = 0.0

    @property
    def pressed(self) -> bool:
        """Whether a queue stands now."""
        return self.delay.standing > FULL_QUEUE_S / 3

    @property
    def pace(self) -> float:
        """The rate at which what is there should leave: frames soon, but a queue on the way must empty."""
        standing = self.delay.standing
        if standing > FULL_QUEUE_S:
            return self.rate * max(SLOWEST, 1 - standing)
        return self.rate * (1.0 if self.pressed else PACING)

    def update(self, told: Told, packets: int, now: float) -> None:
        """What feedback told since the last call; how many packets have left in all."""
        elapsed, self._updated_at = min(1.0, now - self._updated_at), now
        if not told.feedbacks:
            self._silence(packets, elapsed, now)
            return
        self.known = True
        self._heard_at, self._packets = now, packets
        if self._before_silence is not None:
            # Nothing came through, so nothing is known to be full: the picture that begins anew is a large one.
            self.rate = max(self.rate, min(self._before_silence, START))
            self._before_silence = None
            self.delay.forget_trend()
        self._received += told.received
        self._lost += told.lost
        for group in told.groups:
            self._group(group)
        self._finish_probe(now)
        self._use(elapsed)
        if now >= self._calm_until:
            self._by_delay(elapsed, now)
        self._by_loss(now)
        self.rate = min(CEILING, max(FLOOR, self.rate))

    def _group(self, group: Group) -> None:
        self._arrivals.append((group.arrived, group.size))
        self._arrived_bytes += group.size
        probe = self._probe
        if probe is not None and probe[1] <= group.sent <= probe[2]:
            self._probe_groups.append(group)
        else:
            self.delay.add(group)
        arrivals = self._arrivals
        newest = group.arrived
        while arrivals[0][0] < newest - THROUGHPUT_S or arrivals[0][0] > newest + 1:
            self._arrived_bytes -= arrivals.popleft()[1]

    @property
    def throughput(self) -> float | None:
        """Bits a second that arrived lately; None before there is enough to tell."""
        arrivals = self._arrivals
        if len(arrivals) < 2:
            return None
        span = arrivals[-1][0] - arrivals[0][0]
        if span < THROUGHPUT_S * 0.4:
            return None
        return (self._arrived_bytes - arrivals[0][1]) * 8 / span

    def _use(self, elapsed: float) -> None:
        throughput = self.throughput
        if throughput is not None:
            usual = throughput if self._usual is None else self._usual
            self._usual = usual + (throughput - usual) * min(1.0, elapsed / USUAL_S)

    # Delay

    def _by_delay(self, elapsed: float, now: float) -> None:
        throughput = self.throughput
        standing = self.delay.standing
        if throughput is not None and (self.delay.over or standing > FULL_QUEUE_S):
            shrinks = not self.delay.over and bool(self._stubborn) and standing < self._stubborn[-1] - SHRINKING_S
            if shrinks:
                self._stubborn[-1] = standing
            elif now - self._decreased_at >= DECREASE_S + self.round_trip:
                self._decrease(throughput, standing, now)
            return
        if standing < FULL_QUEUE_S / 3:
            self._stubborn.clear()
        if self.delay.under or self.pressed or now - self._decreased_at < DECREASE_S + self.round_trip:
            return
        growth = NEAR_GROWTH if self._near(now) else GROWTH
        grown = self.rate * growth**elapsed
        if throughput is not None and grown > self.rate:
            grown = max(self.rate, min(grown, throughput * AHEAD))
        self.rate = grown

    def _near(self, now: float) -> bool:
        """Close to a rate that did not fit."""
        if self._limit is None or now - self._limit[1] > LIMIT_S:
            return False
        if self.rate > self._limit[0] * (1 + NEAR):
            self._limit = None  # it fits now
            return False
        return self.rate > self._limit[0] * (1 - NEAR)

    def _decrease(self, throughput: float, standing: float, now: float) -> None:
        self._stubborn.append(standing)
        if len(self._stubborn) > STUBBORN and standing > self._stubborn[-1 - STUBBORN] - FULL_QUEUE_S / 3:
            if standing < self._stubborn[-1 - STUBBORN] + FULL_QUEUE_S / 3:
                # Less was sent, and the queue is as long as before: there is none, the way itself got longer.
                self.delay.rebase()
            self._stubborn.clear()
            return
        self._limit = (throughput, now)
        used = self.rate if self._usual is None else min(self.rate, self._usual * SPARE)
        self.rate = min(self.rate, max(throughput * BACK_OFF, used * DEEPEST_STEP))
        self._decreased_at = now

    # Loss

    def _by_loss(self, now: float) -> None:
        packets = self._received + self._lost
        if now - self._loss_at < LOSS_S or packets < LOSS_PACKETS:
            return
        loss = min(0.99, max(0.0, self._lost / packets))
        self._received = self._lost = 0
        self._loss_at = now
        arrived = self.throughput or self.rate * (1 - loss)
        sent = arrived / (1 - loss)
        before = self._loss_before
        if before is not None and sent < before[0] * LESS_SENT:
            # A link that is full delivers as much as before; one that loses a share, as much less as was sent less.
            self._loss_before = None
            if arrived < before[1] * (1 + sent / before[0]) / 2:
                self._usual_loss = max(self._usual_loss, loss)
                self.rate = max(self.rate, before[2] * BACK_OFF)
        surely = loss - 2 * sqrt(loss * (1 - loss) / packets)
        if surely <= max(HARMLESS_LOSS, self._usual_loss + MORE_LOSS):
            self._usual_loss = LOSS_SMOOTHING * self._usual_loss + (1 - LOSS_SMOOTHING) * loss
            return
        if now - self._decreased_at < LOSS_S:
            return  # for the same
        if self._loss_before is None:
            self._loss_before = (sent, arrived, self.rate)
        self._limit = (arrived, now)
        self.rate = min(self.rate, max(arrived * BACK_OFF, self.rate * DEEPEST_STEP))
        self._decreased_at = now

    # No feedback

    def _silence(self, packets: int, elapsed: float, now: float) -> None:
        if now - self._heard_at < SILENT_S or packets - self._packets < LOSS_PACKETS:
            self._silent_floor = max(float(FLOOR), self.rate * SILENT_FLOOR)
            return
        if self.known:
            if self._before_silence is None:
                self._before_silence = self.rate
            self.rate = min(self.rate, max(self._silent_floor, self.rate * SILENT_STEP ** (elapsed * 2)))

    # Probes

    def probe(self, wanted: float, now: float) -> float | None:
        """The rate (bits a second) at which all that leaves within PROBE_S from now should leave; None: no probe."""
        busy = self._probe is not None or now < self._probe_at or not self.known
        if busy or wanted < self.rate * WORTH or self.delay.over or self.pressed:
            return None
        if now - self._decreased_at < DECREASE_S + 2 * self.round_trip + AGAIN_S / 2:
            return None
        factor = PROBE_FACTOR if self.probes else FIRST_PROBE_FACTOR
        rate = min(CEILING, self.rate * factor, max(wanted * WORTH, self.rate * 1.3))
        self.probes += 1
        self._probe = (rate, now, now + PROBE_S)
        self._probe_groups = []
        self._calm_until = now + PROBE_S + self.round_trip + CALM_S
        return rate

    def _finish_probe(self, now: float) -> None:
        if self._probe is None:
            return
        rate, _, ends = self._probe
        if now < ends + self.round_trip + PROBE_ANSWER_S:
            return
        groups, self._probe, self._probe_groups = self._probe_groups, None, []
        self.delay.forget_trend()
        fits = self._fits(groups)
        if fits is None or fits < rate * PROBE_FITS:
            self._again_s = min(LONGEST_AGAIN_S, self._again_s * 2)
            self._probe_at = now + self._again_s
        else:
            self._again_s = AGAIN_S
            self._probe_at = now + ON_S
        if fits is not None and fits * PROBE_TRUST > self.rate:
            self.rate = fits * PROBE_TRUST
            self._limit = None

    @staticmethod
    def _fits(groups: list[Group]) -> float | None:
        """What a train's arrival says; None where it says nothing."""
        if len(groups) < LEAST_PROBE_GROUPS:
            return None
        # Of time over bytes: jitter is in the times, and a line through all of them evens it out.
        sent, arrived = (_seconds_a_byte(groups, which) for which in (0, 1))
        slowest = max(sent, arrived)
        return 8 / slowest if slowest > 0 else None


def _seconds_a_byte(groups: list[Group], which: int) -> float:
    """The slope of when each group had left (0) or arrived (1), over the bytes until then; by least squares."""
    count = len(groups)
    octets = sum_x = sum_y = sum_xx = sum_xy = 0.0
    first = groups[0][which]
    for group in groups:
        octets += group.size
        at = group[which] - first
        sum_x += octets
        sum_y += at
        sum_xx += octets * octets
        sum_xy += octets * at
    spread = count * sum_xx - sum_x * sum_x
    return (count * sum_xy - sum_x * sum_y) / spread if spread > 0 else 0.0
