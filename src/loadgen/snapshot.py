"""What was counted: frozen values that add (over workers) and subtract (over time). No I/O.

`now - before` is an interval, `sum` over workers is the run. The one door to `hdrh`, the HDR interchange format.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Self

from loadgen.engine._histogram import Histogram as Histogram  # part of what a snapshot is, for those who read one

EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Counters:
    """Whole numbers that add and subtract field by field."""

    def _each(self, other: Self, op: Callable[[int, int], int]) -> Self:
        return type(self)(*(op(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)))

    def __add__(self, other: Self) -> Self:
        return self._each(other, operator.add)

    def __sub__(self, other: Self) -> Self:
        return self._each(other, operator.sub)


@dataclass(frozen=True, slots=True)
class Tally(_Counters):
    """What became of the requests of one command: each planned one ends in exactly one of the six places."""

    planned: int = 0
    ok: int = 0
    errors: int = 0
    """Answered by an error reply."""
    timeouts: int = 0
    lost: int = 0
    """In flight, or waiting to be written, when the connection went."""
    corrupt: int = 0
    """Answered by bytes that are no reply to it."""
    unfinished: int = 0
    """Still open when the drain ended."""
    hits: int = 0
    """Of ok: found (GET), stored (SET), deleted (DELETE), answered (PING)."""
    misses: int = 0
    """Of ok: not found (GET, DELETE), not stored (SET)."""
    late: int = 0
    """Of timeouts: the reply came after all, and was dropped."""
    unsent: int = 0
    """Of timeouts, lost and unfinished: its last byte never went to the kernel."""

    @property
    def sent(self) -> int:
        """Requests whose last byte went to the kernel."""
        return self.planned - self.unsent

    @property
    def received(self) -> int:
        """Replies that came, late and corrupt ones too."""
        return self.ok + self.errors + self.late + self.corrupt

    @property
    def answered(self) -> int:
        """Replies that came before the timeout."""
        return self.ok + self.errors + self.corrupt

    @property
    def failed(self) -> int:
        """Requests that ended badly. What was still open when the drain ended did not end."""
        return self.errors + self.timeouts + self.lost + self.corrupt

    @property
    def not_ok(self) -> int:
        """Requests without a good reply: those that failed, and the unfinished."""
        return self.failed + self.unfinished

    @property
    def ended(self) -> int:
        """Requests of which it is known how they ended."""
        return self.ok + self.failed

    @property
    def balance(self) -> int:
        """planned minus every place where a request can end: 0, or the requests that are still in flight."""
        return self.planned - self.ok - self.not_ok


@dataclass(frozen=True, slots=True)
class ConnectionCounts(_Counters):
    """`active` is how many are ready now; the others count events."""

    opened: int = 0
    failed: int = 0
    """Attempts that did not become ready: refused, timed out, or turned away in the greeting."""
    closed: int = 0
    """Ready connections that went, from either side."""
    reconnects: int = 0
    active: int = 0


def _merge(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    return {**a, **{k: a[k] + v if k in a else v for k, v in b.items()}}


def _difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v - b[k] if k in b else v for k, v in a.items()}


_SHOWN_ORDER = ("get", "set", "delete", "ping", "backfill")


@dataclass(frozen=True, slots=True)
class Backlog:
    """What was due by a schedule at a time, and had not been sent."""

    requests: int = 0
    """Of a Poisson stream, as many as can be expected: those that have not been sent have not been drawn."""
    age_ns: int = 0
    """How long the oldest had been due."""

    def __add__(self, other: Backlog) -> Backlog:
        return Backlog(self.requests + other.requests, max(self.age_ns, other.age_ns))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything one worker, or all of them, counted in one phase up to `at_ns`."""

    at_ns: int = 0
    """Monotonic time at which it was taken."""
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    """By command: get, set, delete, ping, backfill; hello and auth in the precheck."""
    response: Mapping[str, Histogram] = field(default_factory=dict)
    """By command: reply minus intended time."""
    service: Mapping[str, Histogram] = field(default_factory=dict)
    """By command: reply minus send time. Empty in a closed loop, where it is the response time."""
    lag: Histogram = field(default_factory=Histogram)
    """Send minus intended time, all commands. Empty in a closed loop."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """Error replies by class, the first word of the reply: ERR, OOM, LOADING, SERVER_ERROR …"""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failed and closed connections by reason: refused, connect timeout, eof, reset, protocol, stalled …"""
    connections: ConnectionCounts = ConnectionCounts()
    rx_bytes: int = 0
    tx_bytes: int = 0
    answered_in_time: int = 0
    """Of the measure phase: replies that came before the window closed, backfills left out."""
    cpu_ns: int = 0
    """User and system time of the worker processes."""
    lag_ours: Histogram = field(default_factory=Histogram)
    """The part of each send's lag in which a connection had room and its socket took bytes: the generator was late."""
    lag_backpressure: Histogram = field(default_factory=Histogram)
    """The rest: every pipeline was full, the socket took no more, or no connection was up, and the server was busy."""
    lag_unsure: Histogram = field(default_factory=Histogram)
    """Of the sends of which more may be the generator's: the part in `lag_ours`."""
    lag_unsure_most: Histogram = field(default_factory=Histogram)
    """And the most that it can be."""
    failed: Mapping[str, Histogram] = field(default_factory=dict)
    """By command, those of `response` that are no good replies: error replies, and timeouts at their age."""
    ok_in_time: int = 0
    """Of `answered_in_time`: good replies."""
    backlog: Backlog = Backlog()
    """Of the phase's requests, at `at_ns` or, when the phase was over by then, at its end."""

    def __add__(self, other: Snapshot) -> Snapshot:
        return Snapshot(
            max(self.at_ns, other.at_ns),
            _merge(self.tallies, other.tallies),
            _merge(self.response, other.response),
            _merge(self.service, other.service),
            self.lag + other.lag,
            _merge(self.errors, other.errors),
            _merge(self.failures, other.failures),
            self.connections + other.connections,
            self.rx_bytes + other.rx_bytes,
            self.tx_bytes + other.tx_bytes,
            self.answered_in_time + other.answered_in_time,
            self.cpu_ns + other.cpu_ns,
            self.lag_ours + other.lag_ours,
            self.lag_backpressure + other.lag_backpressure,
            self.lag_unsure + other.lag_unsure,
            self.lag_unsure_most + other.lag_unsure_most,
            _merge(self.failed, other.failed),
            self.ok_in_time + other.ok_in_time,
            self.backlog + other.backlog,
        )

    def __sub__(self, earlier: Snapshot) -> Snapshot:
        """What happened since `earlier`; `connections.active` and `backlog` stay what they are now."""
        since = self.connections - earlier.connections
        return Snapshot(
            self.at_ns,
            _difference(self.tallies, earlier.tallies),
            _difference(self.response, earlier.response),
            _difference(self.service, earlier.service),
            self.lag - earlier.lag,
            _difference(self.errors, earlier.errors),
            _difference(self.failures, earlier.failures),
            ConnectionCounts(since.opened, since.failed, since.closed, since.reconnects, self.connections.active),
            self.rx_bytes - earlier.rx_bytes,
            self.tx_bytes - earlier.tx_bytes,
            self.answered_in_time - earlier.answered_in_time,
            self.cpu_ns - earlier.cpu_ns,
            self.lag_ours - earlier.lag_ours,
            self.lag_backpressure - earlier.lag_backpressure,
            self.lag_unsure - earlier.lag_unsure,
            self.lag_unsure_most - earlier.lag_unsure_most,
            _difference(self.failed, earlier.failed),
            self.ok_in_time - earlier.ok_in_time,
            self.backlog,
        )

    @property
    def lag_ours_at_most(self) -> Histogram:
        """The generator's part of each send's lag if all that is in doubt was its own; `lag_ours` when nothing is."""
        if not self.lag_unsure_most.count:
            return self.lag_ours
        return self.lag_ours - self.lag_unsure + self.lag_unsure_most

    @property
    def total(self) -> Tally:
        """All commands of the configured mix; backfills stand apart."""
        return sum((t for command, t in self.tallies.items() if command != "backfill"), Tally())

    @property
    def sent(self) -> int:
        """Requests of all commands, backfills too, whose last byte went to the kernel."""
        return sum(tally.sent for tally in self.tallies.values())

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands of which there was any request, in the order in which they are shown."""
        present = [command for command, tally in self.tallies.items() if tally.planned]
        return tuple(sorted(present, key=lambda c: _SHOWN_ORDER.index(c) if c in _SHOWN_ORDER else len(_SHOWN_ORDER)))

    @property
    def hit_rate(self) -> float | None:
        """Of the GETs that were answered well, the fraction that found their key; None when there was none."""
        get = self.tallies.get("get", Tally())
        return get.hits / (get.hits + get.misses) if get.hits + get.misses else None

    def latency(self, command: str = "all", clock: str = "response") -> Histogram:
        """The latency of one command, or of all in the configured mix; `clock` is `response` or `service`."""
        histograms = self.service if clock == "service" and self.service else self.response
        return _of(histograms, command)

    def good_latency(self, command: str = "all") -> Histogram:
        """The response time of requests that did not fail; the unfinished are in it at their age."""
        return _of(self.response, command) - _of(self.failed, command)

    def tally(self, command: str = "all") -> Tally:
        """The tally of one command, or of all in the configured mix."""
        return self.total if command == "all" else self.tallies.get(command, Tally())


def _of(histograms: Mapping[str, Histogram], command: str) -> Histogram:
    """One command's, or the sum over the configured mix."""
    if command != "all":
        return histograms.get(command, Histogram())
    return sum((h for c, h in histograms.items() if c != "backfill"), Histogram())


LEAST_BEYOND = 100
"""A percentile that fewer samples than this lie beyond is one that the next run may well contradict."""


def has_few_samples(histogram: Histogram, q: float) -> bool:
    """Whether too few samples lie beyond the quantile for it to be relied on; never of the maximum, which is exact."""
    return 0 < q < 1 and histogram.count > 0 and histogram.beyond(q) < LEAST_BEYOND


def encode_v2(histogram: Histogram) -> str:
    """The counts as a base64 HdrHistogram V2 payload (lowest 1, highest 2**36 - 1, 3 digits), as in `.hlog` files.

    The exact min, max, sum and what lies in overflow are not part of that format.
    """
    from hdrh.histogram import HdrHistogram

    hdr = HdrHistogram(1, 2**36 - 1, 3)
    for value, count in histogram.buckets():
        hdr.record_value(value, count)
    return str(hdr.encode().decode("ascii"))


def decode_v2(payload: str) -> Histogram:
    """The histogram in a base64 V2 payload written with 3 digits; min, max and sum are those of its counters."""
    from hdrh.histogram import HdrHistogram

    hdr = HdrHistogram.decode(payload.encode("ascii"))
    histogram = Histogram()
    # The library's own iterator takes a third of a second for a histogram.
    for index, count in enumerate(hdr.counts):
        if count:
            histogram.record_many(hdr.get_highest_equivalent_value(hdr.get_value_from_index(index)), count)
    return histogram
