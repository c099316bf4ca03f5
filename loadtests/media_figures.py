"""Figures of one run of the media benchmark, whether they may be believed, and tables of them."""

from __future__ import annotations

import statistics
from array import array
from dataclasses import dataclass, field

LATE_P99_MS = 5.0  # of the peers' own timers: later, the figures show the peers and not the server
SENT_SHARE = 0.98  # of what the peers should have sent


def percentile(values: array[float], share: float) -> float:
    """In the values' unit; NaN of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


@dataclass
class Result:
    """One run."""

    server: str
    calls: int
    people: int
    network_loss: float
    cpu_us: float  # of the server, per packet it sent
    core_share: float  # of one core, in the interval
    packets_in_s: float
    packets_out_s: float
    loss: float  # of what was published, not received in the end
    sound_loss: float
    p50_ms: float
    p99_ms: float
    memory_kb: float  # per participant
    setup_ms: float  # server CPU per participant
    lateness_p99_ms: float  # of the peers' own timers
    peers_core_share: float  # of one core, the busiest process of peers
    retransmitted: int
    feedback: int
    nacks: int
    unsent: int  # by the peers: their socket was full
    overflowed: int  # at the peers: they did not read in time
    sent_share: float  # of what the peers should have sent
    agreed: dict[str, list[str]] = field(default_factory=dict)

    @property
    def faults(self) -> list[str]:
        """Why this run says more about the peers than about the server; nothing if it may be believed."""
        found = []
        if self.lateness_p99_ms > LATE_P99_MS:
            found.append(f"peers {self.lateness_p99_ms:.0f} ms late")
        if self.unsent:
            found.append(f"peers could not send {self.unsent}")
        if self.overflowed:
            found.append(f"peers did not read {self.overflowed} in time")
        if self.sent_share < SENT_SHARE:
            found.append(f"peers sent {self.sent_share:.0%} of what they should")
        return found


COLUMNS = (
    ("CPU µs/packet", "cpu_us", "{:.1f}"),
    ("range", "", ""),
    ("packets out/s", "packets_out_s", "{:.0f}"),
    ("lost", "loss", "{:.3%}"),
    ("p50 ms", "p50_ms", "{:.2f}"),
    ("p99 ms", "p99_ms", "{:.2f}"),
    ("KB/person", "memory_kb", "{:.0f}"),
    ("set-up ms/person", "setup_ms", "{:.1f}"),
    ("peers late p99 ms", "lateness_p99_ms", "{:.1f}"),
)


def table(results: list[Result]) -> str:
    """Medians of the valid runs, the range of the cost, and the ratio to Janus."""
    lines = ["| load | server | " + " | ".join(title for title, _, _ in COLUMNS) + " | runs | ÷ Janus |"]
    lines.append("|" + "---|" * (len(COLUMNS) + 4))
    for calls, people in dict.fromkeys((one.calls, one.people) for one in results):
        here = [one for one in results if (one.calls, one.people) == (calls, people)]
        valid = [one for one in here if not one.faults]
        costs = {
            name: statistics.median(one.cpu_us for one in valid if one.server == name)
            for name in dict.fromkeys(one.server for one in valid)
        }
        for name in dict.fromkeys(one.server for one in here):
            runs = [one for one in valid if one.server == name]
            invalid = [one for one in here if one.server == name and one.faults]
            if not runs:
                why = "; ".join(invalid[0].faults)
                lines.append(f"| {calls} × {people} | {name} | not valid: {why} |{' |' * (len(COLUMNS) + 1)}")
                continue
            cells = [
                form.format(statistics.median(getattr(one, name_) for one in runs))
                if name_
                else f"{min(one.cpu_us for one in runs):.1f}–{max(one.cpu_us for one in runs):.1f}"
                for _, name_, form in COLUMNS
            ]
            count = f"{len(runs)}" + (f", {len(invalid)} not valid" if invalid else "")
            ratio = f"{costs[name] / costs['janus']:.2f}" if "janus" in costs and name != "janus" else ""
            lines.append(f"| {calls} × {people} | {name} | {' | '.join(cells)} | {count} | {ratio} |")
    return "\n".join(lines)


def agreed(results: list[Result]) -> str:
    """What the servers agreed to, one line each and direction."""
    lines = []
    for name in dict.fromkeys(one.server for one in results):
        for direction in ("publish", "subscribe"):
            found = sorted({feature for one in results if one.server == name for feature in one.agreed[direction]})
            lines.append(f"- {name}, {direction}: " + ", ".join(found))
    return "\n".join(lines)
