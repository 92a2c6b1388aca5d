"""The network of a simulated case as values, drawn from its tape: what a seed's links are like."""

from __future__ import annotations

from dataclasses import dataclass, replace

from loadgen.units import NS_PER_MS, NS_PER_S, NS_PER_US
from loadgen.verify.tape import Tape
from loadgen.verify.world._network import Host, Network
from loadgen.verify.world.net import Link

RATES = ((6, 0), (1, 10_000_000), (1, 1_000_000), (1, 100_000))
"""The bytes/s of a link, with their weights; 0: no limit."""
BUFFERS = (1 << 20, 1 << 16, 1 << 12)
"""The bytes of each direction of a stream that wait to be read."""


def narrow_links(tape: Tape) -> Link:
    """Draw the links of a scenario, with a bandwidth and with buffers that may be small."""
    return replace(
        Link.drawn(tape),
        bytes_per_s=tape.weighted(RATES, "bytes/s of a link"),
        buffer_bytes=tape.choice(BUFFERS, "bytes of a stream's buffers"),
    )


@dataclass(frozen=True, slots=True)
class Weather:
    """One direction of every link between a client and servers, and the other."""

    latency_ns: int
    """Above 0: in a closed loop without latency no time passes."""
    jitter_ns: int
    bytes_per_s: int
    """0: no limit."""
    split: float
    loss: float
    buffer_bytes: int

    @classmethod
    def drawn(cls, tape: Tape) -> Weather:
        latency_ns = tape.choice((50 * NS_PER_US, NS_PER_US, NS_PER_MS, 20 * NS_PER_MS), "latency")
        return cls(
            latency_ns,
            latency_ns * tape.choice((0, 1, 10), "jitter, in latencies"),
            tape.weighted(RATES, "bytes/s of a link"),
            tape.choice((0.0, 0.1, 0.5), "share of segments split"),
            tape.weighted(((6, 0.0), (1, 0.001), (1, 0.05)), "share of segments lost"),
            tape.choice(BUFFERS, "bytes of a stream's buffers"),
        )

    @property
    def longest_ns(self) -> int:
        """The longest way of a segment that is not lost, on a link that is free."""
        return self.latency_ns + self.jitter_ns

    @property
    def stream_bytes_per_s(self) -> int:
        """The most that one direction of a stream carries: the link's rate, or a buffer in each round trip."""
        by_buffer = self.buffer_bytes * NS_PER_S // (2 * self.longest_ns)
        return min(self.bytes_per_s, by_buffer) if self.bytes_per_s else by_buffer

    @property
    def lost_ns(self) -> int:
        """About the time by which losses make a round trip longer, of up to four segments, one after the other."""
        return round(4 * self.loss * NS_PER_S)

    def over(self, network: Network, one: Host, other: Host) -> None:
        """Set the links between two hosts."""
        for from_host, to_host in ((one, other), (other, one)):
            network.set_link(
                from_host,
                to_host,
                latency_ns=self.latency_ns,
                jitter_ns=self.jitter_ns,
                bytes_per_s=self.bytes_per_s,
                split=self.split,
                loss=self.loss,
            )

    def __str__(self) -> str:
        rate = f", {self.bytes_per_s} bytes/s" if self.bytes_per_s else ""
        return (
            f"links of {self.latency_ns / NS_PER_US:g} µs + up to {self.jitter_ns / NS_PER_US:g} µs{rate}, "
            f"{self.split:.0%} split, {self.loss:.1%} lost, {self.buffer_bytes} bytes of buffers"
        )
