"""A track going out to one receiver: what was agreed, what it reports. Each packet is its ``track``'s work."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from media.path import api, limits
from media.rtp import rtcp
from media.rtp.dependency import MAX_SPATIAL, MAX_TEMPORAL
from media.rtp.packet import extension_block, open_block
from media.sdp import ABS_SEND_TIME, AUDIO_LEVEL, DEPENDENCY, MID, TRANSPORT_CC, Chosen

if TYPE_CHECKING:
    from media.connection import Connection
    from media.layer import Layer, Option
    from media.producer import Producer

CIPHERTEXTS_AUDIO = 128
CIPHERTEXTS_VIDEO = 512  # only for the rare receiver without RTX
GUARD_OF_ROUND_TRIP = 0.8  # a request that comes sooner than this after an answer crossed it
CONGESTED_LOSS = 0.04
CONGESTED_DELAY_S = 0.15  # over the lowest round trip seen
REPORT_MAX_AGE_S = 3.0
AIM_PATIENCE_S = 0.3  # then a frame is asked for that other layers can be begun with
AIM_TRIES = 5
SR_MEMORY = 8  # sender reports a receiver's answer can refer to

ALL_LAYERS = MAX_SPATIAL, MAX_TEMPORAL
PRIORITIES = {"camera": limits.CAMERA, "screen": limits.SCREEN}


def extensions(mid: str, numbers: Mapping[str, int]) -> api.Extensions:
    """The block of a track's packets, from the numbers agreed on by name."""
    values = {MID: mid.encode(), AUDIO_LEVEL: bytes(1), ABS_SEND_TIME: bytes(3), TRANSPORT_CC: bytes(2)}
    elements = [(numbers[name], value) for name, value in values.items() if name in numbers]
    described = numbers.get(DEPENDENCY, 0)
    block, head = extension_block(elements), 1
    if described:  # may be long, and comes last
        block, head = open_block(elements), 2
    at, places = 4, {}
    for identifier, value in elements:
        places[identifier] = at + head
        at += head + len(value)

    def place(name: str) -> int:
        return places.get(numbers.get(name, 0), 0)

    return api.Extensions(block, place(AUDIO_LEVEL), place(ABS_SEND_TIME), place(TRANSPORT_CC), described)


class Receiver(Protocol):
    """The connection side a consumer belongs to."""

    @property
    def connection(self) -> Connection: ...
    def share(self, now: float) -> int | None:
        """Bits a second the receiver's estimate leaves for one video; None without an estimate."""
        ...

    def remove(self, consumer: Consumer) -> None:
        """The consumer ended."""
        ...


class Consumer:
    """Forwards one producer to one connection."""

    def __init__(
        self, producer: Producer, receiver: Receiver, mid: str, ssrc: int, rtx_ssrc: int, first_sequence: int
    ) -> None:
        self.producer: Producer | None = producer
        self.receiver: Receiver | None = receiver
        self.connection = receiver.connection
        self.track = producer.best.track.sink(receiver.connection.link, ssrc, first_sequence)
        self.mid = mid
        self.ssrc = ssrc
        self.rtx_ssrc = rtx_ssrc
        self.max_height: int | None = None
        """Lines the receiver shows it in; None where it has not said."""
        self.owner = ""
        """Whose track it is."""
        self.unwanted = False
        """The receiver said that it does not show it."""
        self.held = False
        """There is no room for it on the way to the receiver, or too many are shown."""
        self.aim: tuple[int, int] | None = None
        """The highest layers it gets; None: all."""
        self._aiming = 0.0, 0  # since when it waits for them, and how often that was asked for
        self.reported = False
        self.fraction_lost = 0.0
        self.lost = 0
        self.jitter = 0
        self.round_trip = 0.0
        self._lowest_round_trip = 10.0
        self._reported_at = -REPORT_MAX_AGE_S
        self._resent_told = 0
        self._choked = 0
        self.takes_red = False
        self.refused = False
        """The receiver's browser can't take what was offered: nothing is sent."""
        self._agreed: Chosen | None = None
        self._red = False
        if producer.kind != "audio":
            self.connection.pictures.update((ssrc, rtx_ssrc))
        self._reports: deque[tuple[int, float]] = deque(maxlen=SR_MEMORY)  # (middle of NTP, sent at)

    @property
    def active(self) -> bool:
        """Whether an answer accepted it."""
        return self.track.active

    def refuse(self) -> None:
        """The receiver did not take it."""
        self.track.active = False
        self.refused = True
        if self.producer is not None:
            self.producer.settle_red()

    @property
    def paused(self) -> bool:
        return self.track.paused

    @property
    def repeats(self) -> bool:
        """Whether it can send again, or padding, as RTX."""
        return self.active and self._agreed is not None and self._agreed.rtx is not None

    @property
    def packets(self) -> int:
        return self.track.packets

    @property
    def resent(self) -> int:
        return self.track.resent

    def choked(self) -> bool:
        """Whether what waited of it was dropped since the last call: it goes on at a key frame."""
        before, self._choked = self._choked, self.track.choked
        return self._choked != before

    def news(self) -> int:
        """Packets sent again since the last call."""
        new, self._resent_told = self.resent - self._resent_told, self.resent
        return new

    def accept(self, chosen: Chosen) -> None:
        """What the receiver agreed to: payload types and extension ids."""
        self._agreed, self.refused = chosen, False
        self.takes_red = chosen.red is not None
        self._configure(chosen)
        if self.producer is not None:
            self.producer.settle_red()

    def carry(self, red: bool) -> None:
        """What the source's packets are from now on: RED, or the codec alone."""
        if red != self._red and self._agreed is not None:
            self._red = red
            self._configure(self._agreed)

    def _configure(self, chosen: Chosen) -> None:
        producer = self.producer
        keep = 0
        if chosen.rtx is None:
            video = producer is not None and producer.kind == "video"
            keep = CIPHERTEXTS_VIDEO if video else CIPHERTEXTS_AUDIO
        number = chosen.codec.payload_type if chosen.red is None or not self._red else chosen.red.payload_type
        priority = limits.SOUND if producer is None or producer.kind == "audio" else PRIORITIES[producer.source]
        written = extensions(self.mid, chosen.extensions)
        self.track.configure(number, chosen.rtx, self.rtx_ssrc, written, keep, priority)

    def resync(self) -> None:
        """The next packet continues our numbering, whatever its own number is."""
        self.track.resync()

    @property
    def layer(self) -> Layer | None:
        """Which encoding goes out; None once closed."""
        return self.producer.layer_of(self.track.source) if self.producer is not None else None

    @property
    def sends(self) -> Layer | None:
        """Which encoding goes out, or is about to; None for none."""
        if self.producer is None or self.paused:
            return None
        return self.producer.layer_of(self.track.target or self.track.source)

    @property
    def has_choice(self) -> bool:
        """Whether there is anything to decide about it while all fits."""
        return self.held or self.aim is not None or (self.producer is not None and self.producer.scalable)

    def set_paused(self, paused: bool, now: float) -> None:
        """The receiver's wish: stop or go on."""
        self.unwanted = paused
        self._settle(now)

    def choose(self, option: Option | None, now: float) -> None:
        """Send this encoding from its next key frame on, which is asked for; None: nothing for now.

        Other layers begin with the next frame that they can begin with.
        """
        layer = option.layer if option is not None else None
        self.held = layer is None
        if option is not None:
            self._take_aim(option, now)
        if layer is not None and layer.track is not self.track.source:
            if self.track.target is not layer.track:
                self.track.switch(layer.track)
            if not layer.awaits_keyframe and self.active:
                layer.request_keyframe(now, newcomer=not self.packets)
        elif self.track.target is not None and self.track.source is not None:
            self.track.switch(self.track.source)
        self._settle(now)

    def _take_aim(self, option: Option, now: float) -> None:
        if option.aim != self.aim:
            self.aim, self._aiming = option.aim, (0.0, 0)
            self.track.aim(*(option.aim or ALL_LAYERS))
        since, tries = self._aiming
        if self.paused or self.track.source is not option.layer.track or not self.track.aiming:
            self._aiming = 0.0, 0
        elif not since:
            self._aiming = now, 0
        elif tries < AIM_TRIES and now - since >= AIM_PATIENCE_S * (tries + 1):
            self._aiming = since, tries + 1
            option.layer.request_keyframe(now)

    def _settle(self, now: float) -> None:
        """Going on begins at a key frame that is asked for."""
        paused = self.unwanted or self.held
        if paused == self.paused:
            return
        self.track.paused = paused
        if not paused:
            self.track.resync()
            self.begin(now)
            self.request_keyframe(now)

    def begin(self, now: float) -> None:
        """Nothing of it has gone out, or not for a while: where there is a choice, it begins with a key frame.

        What came before would be of an encoding nobody has chosen, perhaps one that does not fit at all.
        """
        if self.producer is not None and self.producer.layered:
            self.track.wait_for_key(now)

    def request_keyframe(self, now: float, *, newcomer: bool = False) -> None:
        """The receiver needs one, of the encoding it gets or is about to get."""
        if self.producer is None:
            return
        layer = self.producer.layer_of(self.track.target or self.track.source)
        if layer is not None:
            layer.request_keyframe(now, newcomer=newcomer)

    def resend(self, numbers: list[int], now: float) -> None:
        """Answer a NACK: by RTX where agreed, else by the identical ciphertext."""
        guard = min(self.round_trip * GUARD_OF_ROUND_TRIP, limits.LONGEST_GUARD_S)
        self.track.resend(numbers, now, guard)

    def send_report(self, now: float) -> None:
        """A sender report in the source's own clock: all its tracks share it, so lips match sound."""
        layer, packets = self.layer, self.track.packets
        if layer is None or layer.producer is None or layer.sender_report is None or not packets:
            return
        report, arrived = layer.sender_report
        elapsed = now - arrived
        ntp = (report.ntp + int(elapsed * 4294967296)) & 0xFFFFFFFFFFFFFFFF
        moved = int(elapsed * layer.producer.chosen.codec.clock_rate)
        timestamp = (report.timestamp + self.track.shift + moved) & 0xFFFFFFFF
        self._reports.append((ntp >> 16 & 0xFFFFFFFF, now))
        self.reported = True
        mine = rtcp.SenderReport(self.ssrc, ntp, timestamp, packets & 0xFFFFFFFF, self.track.octets & 0xFFFFFFFF)
        self.connection.send_rtcp(rtcp.sender_report(mine) + rtcp.cname(self.ssrc, "bedside"))

    def on_report(self, block: rtcp.ReportBlock, now: float) -> None:
        """What the receiver says: loss, jitter, and the round trip by our own clock."""
        self.fraction_lost = block.fraction_lost / 256
        self.lost = block.lost
        self.jitter = block.jitter
        self._reported_at = now
        for middle, sent in self._reports:
            if block.last_sr and middle == block.last_sr:
                measured = now - sent - block.delay / 65536
                if 0 <= measured < 10:
                    self._lowest_round_trip = min(self._lowest_round_trip, measured)
                    self.round_trip = measured if not self.round_trip else self.round_trip * 0.75 + measured * 0.25

    def congested(self, now: float) -> bool:
        """Whether the last report shows loss, or a round trip far over the lowest."""
        if now - self._reported_at > REPORT_MAX_AGE_S:
            return False
        return self.fraction_lost > CONGESTED_LOSS or self.round_trip > self._lowest_round_trip + CONGESTED_DELAY_S

    def ceiling(self, now: float) -> int | None:
        """Its share of the receiver's bandwidth estimate, in bit/s."""
        if not self.active or self.paused or self.receiver is None:
            return None
        return self.receiver.share(now)

    def close(self) -> None:
        """Leave producer and connection."""
        producer, self.producer = self.producer, None
        receiver, self.receiver = self.receiver, None
        self.track.close()
        self.connection.pictures.difference_update((self.ssrc, self.rtx_ssrc))
        if producer is not None and self in producer.consumers:
            producer.consumers.remove(self)
            producer.settle_red()
        if receiver is not None:
            receiver.remove(self)
