"""Counts of a load: frozen values that add (over workers) and subtract (over time). No I/O.

`now - before` is an interval, `sum` over workers is the run. Only this module uses `hdrh`, the HDR interchange format.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from loadgen.algebra import Addable, by_name, counted, state
from loadgen.command import APART, COMMANDS, READING
from loadgen.engine._histogram import Histogram as Histogram  # part of a snapshot, for its readers


def _earlier(a: int, b: int) -> int:
    """Return the earlier of two times, of which 0 is none."""
    return min(a, b) if a and b else a or b


EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tally(Addable):
    """The requests of one command by their end: each planned request ends in exactly one of six places."""

    planned: int = counted(0)
    ok: int = counted(0)
    errors: int = counted(0)
    """Answered by an error reply."""
    timeouts: int = counted(0)
    lost: int = counted(0)
    """In flight, or waiting to be written, when the connection ended."""
    corrupt: int = counted(0)
    """Answered by bytes that are no reply to it."""
    unfinished: int = counted(0)
    """Still open when the drain ended."""
    hits: int = counted(0)
    """The part of `ok` that was found (GET), stored (SET), deleted (DELETE), answered (PING); of an MGET, every key."""
    misses: int = counted(0)
    """The part of `ok` that was not found (GET, DELETE, INCR; some key of an MGET) or not stored (SET)."""
    keys: int = counted(0)
    """The keys of the requests in `ok`, of a command of several keys; 0 for any other."""
    keys_found: int = counted(0)
    """The part of `keys` that was found (MGET) or stored (MSET)."""
    late: int = counted(0)
    """The part of `timeouts` whose reply came after all, and was dropped."""
    unsent: int = counted(0)
    """The part of `timeouts`, `lost` and `unfinished` whose last byte never went to the kernel."""

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
        """Requests that ended badly. A request still open when the drain ended did not end."""
        return self.errors + self.timeouts + self.lost + self.corrupt

    @property
    def not_ok(self) -> int:
        """Requests without a good reply: those that failed, and the unfinished."""
        return self.failed + self.unfinished

    @property
    def ended(self) -> int:
        """Requests whose end is known."""
        return self.ok + self.failed

    @property
    def balance(self) -> int:
        """`planned` minus the requests in every place: 0, or the number of requests that are still in flight."""
        return self.planned - self.ok - self.not_ok


@dataclass(frozen=True, slots=True)
class ConnectionCounts(Addable):
    """Counts of connection events, and in `active` the number of connections that are ready now."""

    opened: int = counted(0)
    failed: int = counted(0)
    """Attempts that did not become ready: refused, timed out, or turned away in the greeting."""
    closed: int = counted(0)
    """Ready connections that were lost: ended by the server, or by us for what the server did."""
    reconnects: int = counted(0)
    """Connections opened in place of others that were lost."""
    active: int = state(0, operator.add)
    resumed: int = counted(0)
    """TLS handshakes that went on with the session of an earlier connection."""
    recycled: int = counted(0)
    """Connections opened in place of others that we closed: as planned, or as another node of a cluster serves instead.
    Not in `closed` and `reconnects`."""
    resets: int = counted(0)
    """Connections that were kept and begun anew by RESET, as planned."""
    idle: int = state(0, operator.add)
    """Connections that are only there, and are so now; not in `active`."""
    idle_closed: int = counted(0)
    """The part of `closed` that were idle connections."""


@dataclass(frozen=True, slots=True)
class NodeCounts(Addable):
    """What became of one server: requests of the measure window by their end, without those left out of totals, and
    connections. Of a moment of the window, or of a phase. Times are monotonic, in ns."""

    ok: int = counted(0)
    errors: int = counted(0)
    timeouts: int = counted(0)
    lost: int = counted(0)
    corrupt: int = counted(0)
    unfinished: int = counted(0)
    refused: int = counted(0)
    """Attempts to open a connection that failed, or that the server turned away."""
    first_failed_ns: int = state(0, _earlier)
    """Of a moment, the time of the first request that failed, or of the first failed attempt; 0 for none."""
    last_failed_ns: int = state(0, max)
    response: Histogram = counted(factory=Histogram)
    """Response time of requests that were answered well."""
    bad: Histogram = counted(factory=Histogram)
    """Response time of error replies; of timeouts and unfinished requests, the age."""
    hits: int = counted(0)
    """Keys that reads found."""
    misses: int = counted(0)
    unsent: int = counted(0)
    """Requests without a reply whose last byte never went to the kernel."""
    answered_in_time: int = counted(0)
    """Replies that came before the window closed."""
    opened: int = counted(0)
    """Of a phase, the connections that became ready."""
    closed: int = counted(0)
    """Of a phase, ready connections that ended, from either side."""
    ready: int = state(0, operator.add)
    """Of a phase, the connections that are ready now."""
    wanted: int = state(0, operator.add)
    """Of a phase, the connections that there are to be."""
    share: float = state(0.0, operator.add)
    """Of a phase, the server's intended share of the load."""

    @property
    def requests(self) -> int:
        """Requests whose end is known, and those that were open when the drain ended."""
        return self.ok + self.not_ok

    @property
    def failed(self) -> int:
        """Requests that ended badly."""
        return self.errors + self.timeouts + self.lost + self.corrupt

    @property
    def not_ok(self) -> int:
        """Requests without a good reply: those that failed, and the unfinished."""
        return self.failed + self.unfinished

    @property
    def answered(self) -> int:
        """Replies that came before the timeout."""
        return self.ok + self.errors + self.corrupt

    @property
    def sent(self) -> int:
        """Requests whose last byte went to the kernel."""
        return self.requests - self.unsent

    @property
    def hit_rate(self) -> float | None:
        """The fraction of the keys of well-answered reads that were found; None when there was none."""
        return self.hits / (self.hits + self.misses) if self.hits + self.misses else None

    @property
    def latency(self) -> Histogram:
        """Response time of all requests, as in `Snapshot.response`."""
        return self.response + self.bad


_SHOWN_ORDER = tuple(command.name for command in COMMANDS)


@dataclass(frozen=True, slots=True)
class HistoryCounts(Addable):
    """The requests in a history, over all phases but the precheck."""

    records: int = counted(0)
    """Records in the file."""
    ok: int = counted(0)
    """Records of requests that did what they asked."""
    miss: int = counted(0)
    """Records of requests that found nothing."""
    not_done: int = counted(0)
    """Records of requests that changed nothing for certain: refused, or never sent as a whole."""
    unknown: int = counted(0)
    """Records of requests that may take effect at any later time, or never."""
    undrawn: int = counted(0)
    """Requests that were due and never made. They have no key and no record."""


@dataclass(frozen=True, slots=True)
class Backlog(Addable):
    """The requests of a schedule that were due at some time and not yet sent."""

    requests: int = counted(0)
    """For a Poisson stream the expected number, because the due times of unsent requests have not been drawn."""
    age_ns: int = state(0, max)
    """The time since the oldest was due."""


@dataclass(frozen=True, slots=True)
class Snapshot(Addable):
    """All counts of one worker, or of all workers, in one phase up to `at_ns`.

    `now - earlier` has the counts in between; `connections.active` and `backlog` keep their later values.
    """

    at_ns: int = state(0, max)
    """Monotonic time at which the snapshot was taken."""
    tallies: Mapping[str, Tally] = by_name()
    """By command: get, set, delete, ping, backfill; hello and auth in the precheck."""
    response: Mapping[str, Histogram] = by_name()
    """By command: reply minus intended time."""
    service: Mapping[str, Histogram] = by_name()
    """By command: reply minus send time. Empty in a closed loop, where it equals the response time."""
    lag: Histogram = counted(factory=Histogram)
    """Send minus intended time, all commands. Empty in a closed loop."""
    errors: Mapping[str, int] = by_name()
    """Error replies by class, the first word of the reply: ERR, OOM, LOADING, SERVER_ERROR …"""
    redirects: Mapping[str, int] = by_name()
    """Answers of a cluster's nodes after which a request was sent again, by their first word in lower case: moved, ask,
    tryagain, clusterdown, loading, readonly; and in `redirected` the requests that had at least one."""
    failures: Mapping[str, int] = by_name()
    """Failed and closed connections by reason, one of `phase.Failure`."""
    connections: ConnectionCounts = counted(ConnectionCounts())
    connect: Histogram = counted(factory=Histogram)
    """Time of the transport to connect, before any handshake, of each attempt that succeeded in the phase."""
    handshake: Histogram = counted(factory=Histogram)
    """Time of the handshake after that. Empty where the transport has none."""
    pushes: Mapping[str, int] = by_name()
    """RESP3's pushes by what they say, one of `phase.Push`; keys are counted apart."""
    rx_bytes: int = counted(0)
    tx_bytes: int = counted(0)
    answered_in_time: int = counted(0)
    """Replies of the measure phase that came before the window closed, backfills left out."""
    cpu_ns: int = counted(0)
    """User and system time of the worker processes."""
    lag_ours: Histogram = counted(factory=Histogram)
    """The part of each send's lag in which a connection had room and its socket took bytes: the generator was late."""
    lag_backpressure: Histogram = counted(factory=Histogram)
    """The rest of the lag, the busy server's: all pipelines full, the socket took no bytes, or no connection was up."""
    lag_unsure: Histogram = counted(factory=Histogram)
    """The part in `lag_ours` of the sends whose lag may be the generator's in a larger part."""
    lag_unsure_most: Histogram = counted(factory=Histogram)
    """The largest part of the same sends' lag that may be the generator's."""
    failed: Mapping[str, Histogram] = by_name()
    """By command, the part of `response` without a good reply: error replies, and timeouts at their age."""
    ok_in_time: int = counted(0)
    """The good replies in `answered_in_time`."""
    nodes: Mapping[str, NodeCounts] = by_name()
    """By server, named by its endpoint as the user wrote it, in the order of the configuration; empty for a single
    server. Requests are those of the measure phase."""
    backlog: Backlog = state(Backlog(), operator.add)
    """The backlog of the phase's requests, at `at_ns` or, when the phase was over by then, at its end."""

    @property
    def lag_ours_at_most(self) -> Histogram:
        """The most that may be the generator's part of each send's lag; `lag_ours` when no part is in doubt."""
        if not self.lag_unsure_most.count:
            return self.lag_ours
        return self.lag_ours - self.lag_unsure + self.lag_unsure_most

    @property
    def total(self) -> Tally:
        """The sum over all commands of the configured mix, without backfills."""
        return sum((t for command, t in self.tallies.items() if command not in APART), Tally())

    @property
    def sent(self) -> int:
        """Requests of all commands, backfills too, whose last byte went to the kernel."""
        return sum(tally.sent for tally in self.tallies.values())

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands with any request, in the order of outputs."""
        present = [command for command, tally in self.tallies.items() if tally.planned]
        return tuple(sorted(present, key=lambda c: _SHOWN_ORDER.index(c) if c in _SHOWN_ORDER else len(_SHOWN_ORDER)))

    @property
    def hit_rate(self) -> float | None:
        """The fraction of the keys of well-answered reads that were found; None when there was none."""
        hits, misses = self.lookups
        return hits / (hits + misses) if hits + misses else None

    @property
    def lookups(self) -> tuple[int, int]:
        """The keys that well-answered reads found, and those that they did not find."""
        reads = [self.tallies[command] for command in READING if command in self.tallies]
        found = sum(read.keys_found if read.keys else read.hits for read in reads)
        return found, sum(read.keys - read.keys_found if read.keys else read.misses for read in reads)

    def latency(self, command: str = "all", clock: str = "response") -> Histogram:
        """Return the latency of one command, or of all in the configured mix; `clock` is `response` or `service`."""
        histograms = self.service if clock == "service" and self.service else self.response
        return _of(histograms, command)

    def good_latency(self, command: str = "all") -> Histogram:
        """Return the response time of requests that did not fail; unfinished ones are in it at their age."""
        return _of(self.response, command) - _of(self.failed, command)

    def tally(self, command: str = "all") -> Tally:
        """Return the tally of one command, or of all in the configured mix."""
        return self.total if command == "all" else self.tallies.get(command, Tally())


def _of(histograms: Mapping[str, Histogram], command: str) -> Histogram:
    """Return the histogram of one command, or the sum over the configured mix."""
    if command != "all":
        return histograms.get(command, Histogram())
    return sum((h for c, h in histograms.items() if c not in APART), Histogram())


LEAST_BEYOND = 100
"""With fewer samples than this beyond a percentile, the next run may well contradict it."""


def has_few_samples(histogram: Histogram, q: float) -> bool:
    """True when too few samples lie beyond a quantile to rely on it; False for the maximum, which is exact."""
    return 0 < q < 1 and histogram.count > 0 and histogram.beyond(q) < LEAST_BEYOND


def encode_v2(histogram: Histogram) -> str:
    """Return the counts as a base64 HdrHistogram V2 payload (lowest 1, highest 2**36 - 1, 3 digits), as in `.hlog`.

    The exact min, max and sum, and the samples in overflow, are not part of that format.
    """
    from hdrh.histogram import HdrHistogram

    hdr = HdrHistogram(1, 2**36 - 1, 3)
    for value, count in histogram.buckets():
        hdr.record_value(value, count)
    return str(hdr.encode().decode("ascii"))


def decode_v2(payload: str) -> Histogram:
    """Return the histogram of a base64 V2 payload written with 3 digits; min, max and sum are those of its counters."""
    from hdrh.histogram import HdrHistogram

    hdr = HdrHistogram.decode(payload.encode("ascii"))
    histogram = Histogram()
    # The library's own iterator takes a third of a second for a histogram.
    for index, count in enumerate(hdr.counts):
        if count:
            histogram.record_many(hdr.get_highest_equivalent_value(hdr.get_value_from_index(index)), count)
    return histogram
