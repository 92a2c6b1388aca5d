"""The kinds of faults, a row each: its layer, parameters, needs, what it does, and what proves that it did. No I/O.

A kind has one name in configurations, scenarios, command lines and reports, whoever carries it out. Where a kind is
upstream's by another name, `aliases` has that name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum

from loadgen.faults.fault import Layer, Value


class Need(StrEnum):
    """What the machine must offer for a kind of fault. `needs.missing` finds out what is not there."""

    ROOT = "root"
    """The rights of root, which mounting a file system and limiting a process take."""
    NETNS = "netns"
    """Network namespaces: `ip`, and the right to make one."""
    NFT = "nft"
    """The command `nft`."""
    NFQUEUE = "nfqueue"
    """iptables' target NFQUEUE, and a netlink socket to it."""
    TBF = "tbf"
    """The traffic control discipline `tbf`, and the command `tc`."""
    TMPFS = "tmpfs"
    """The right to mount a tmpfs."""
    CGROUP = "cgroup"
    """A control group hierarchy with the `cpu` and `memory` controllers that can be written to."""
    PRELOAD = "preload"
    """A C compiler, and a server that is dynamically linked, into which a library can be loaded."""


class Measure(StrEnum):
    """What the value of a parameter is."""

    DURATION = "duration"
    SHARE = "share"
    """A probability or a fraction, between 0 and 1."""
    RATE = "rate"
    """Bytes per second."""
    SIZE = "size"
    COUNT = "count"
    WORD = "word"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a kind of fault."""

    name: str
    measure: Measure
    default: Value
    means: str
    """What the parameter says, as a noun phrase."""
    words: tuple[str, ...] = ()
    """The values that a WORD may have."""
    least: Value = 0
    """The least value of a number."""


class Judged(StrEnum):
    """Who is judged while a fault of the kind lasts."""

    CLIENT = "client"
    SERVER = "server"
    """The server's acknowledged writes, which are held against what it has after a restart."""


class Fires(Enum):
    """When a fault of the kind takes effect, and so which of its spells must have had one."""

    EACH = "each"
    """On its own, in each spell."""
    MET = "met"
    """When a client uses the node. Clients stay away from a node that has failed: one spell on each node must have had
    an effect."""
    CHANCE = "chance"
    """At random, or when something comes that a client may not do in that time: any of its spells must have had one."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault."""

    name: str
    layer: Layer
    does: str
    """What happens, as a clause without a subject: "drops packets at random"."""
    counts: str
    """What the counter of the fault counts, as a plural noun: "packets dropped"."""
    parameters: tuple[Parameter, ...] = ()
    needs: tuple[Need, ...] = ()
    judged: Judged = Judged.CLIENT
    least: int = 1
    """The least count with which the fault has had an effect."""
    fires: Fires = Fires.CHANCE
    aliases: tuple[str, ...] = ()
    refuses: bool = False
    """True where the node refuses or resets connections as long as the fault lasts, so that an operation on it can fail
    at once. Where a node hangs, its client has to wait to find that out."""

    def defaults(self) -> dict[str, Value]:
        """Return the default of each parameter."""
        return {parameter.name: parameter.default for parameter in self.parameters}


_MS = 1_000_000
_S = 1_000 * _MS

_STREAM = Parameter(
    "stream",
    Measure.WORD,
    "downstream",
    "the direction: downstream is from server to client",
    ("downstream", "upstream"),
)
_TOXICITY = Parameter("toxicity", Measure.SHARE, 1.0, "the share of connections that the fault is on")
_DIRECTION = Parameter(
    "direction", Measure.WORD, "both", "the direction of the packets: in is towards the server", ("both", "in", "out")
)
_DELAY = Parameter("delay", Measure.DURATION, 100 * _MS, "the time that is added")
_JITTER = Parameter("jitter", Measure.DURATION, 0, "the most that the added time differs from `delay`, either way")
_PROBABILITY = Parameter("probability", Measure.SHARE, 0.05, "the share of packets")
_PACKETS = (Need.ROOT, Need.NETNS, Need.NFT)
_QUEUED = (Need.ROOT, Need.NETNS, Need.NFQUEUE)
_RELOADED = (Need.PRELOAD,)


def _toxic(name: str, does: str, counts: str, *parameters: Parameter, fires: Fires = Fires.MET) -> Kind:
    return Kind(name, Layer.PROXY, does, counts, (*parameters, _STREAM, _TOXICITY), fires=fires)


ROWS = (
    # The proxy: the toxics of Toxiproxy under its names, and what is done to the proxy itself.
    _toxic("latency", "delays what passes, in order", "chunks delayed", _DELAY, _JITTER),
    _toxic(
        "bandwidth",
        "limits the rate of bytes; a rate of 0 stalls the connection for ever",
        "chunks held back",
        Parameter("rate", Measure.RATE, 0, "bytes per second, in steps of 1,000"),
    ),
    _toxic("slow_close", "delays the close of a connection", "closes delayed", _DELAY, fires=Fires.CHANCE),
    _toxic(
        "timeout",
        "drops what passes, and closes the connection after a time without data; 0: never",
        "chunks dropped",
        Parameter("timeout", Measure.DURATION, 0, "the time without data after which the connection is closed"),
    ),
    _toxic(
        "reset_peer",
        "resets a connection (TCP RST) a time after its first data",
        "connections reset",
        Parameter("timeout", Measure.DURATION, 0, "the time from the first data to the reset"),
    ),
    _toxic(
        "slicer",
        "cuts what passes into small pieces",
        "chunks cut",
        Parameter("average_size", Measure.SIZE, 64, "the mean length of a piece", least=1),
        Parameter("size_variation", Measure.SIZE, 16, "the most that a length differs from the mean"),
        Parameter("delay", Measure.DURATION, 10_000, "the time between two pieces, in whole µs"),
    ),
    _toxic(
        "limit_data",
        "closes a connection after a number of bytes",
        "connections closed",
        Parameter("bytes", Measure.SIZE, 1_000, "the bytes that pass on each connection"),
        fires=Fires.CHANCE,
    ),
    Kind(
        "down",
        Layer.PROXY,
        "closes every connection and refuses new ones",
        "connections closed or refused",
        aliases=("disabled",),
        refuses=True,
        fires=Fires.MET,
    ),
    Kind(
        "cut",
        Layer.PROXY,
        "closes a connection at a byte that is drawn for it",
        "connections cut",
        (
            Parameter("bytes", Measure.SIZE, 4_096, "the mean of the byte's number", least=1),
            _STREAM,
            _TOXICITY,
        ),
        aliases=("connection_drop",),
    ),
    # The network: packets, in the server's own namespace.
    Kind(
        "loss",
        Layer.NET,
        "drops packets at random, or every nth",
        "packets dropped",
        (
            _PROBABILITY,
            Parameter("nth", Measure.COUNT, 0, "drop each packet whose number is a multiple of this; 0: at random"),
            _DIRECTION,
        ),
        _PACKETS,
        aliases=("packet_loss",),
    ),
    Kind(
        "burst_loss",
        Layer.NET,
        "drops packets in bursts, by a Gilbert–Elliott chain of two states",
        "packets dropped",
        (
            Parameter("enter", Measure.SHARE, 0.01, "the probability with which a burst begins at a packet"),
            Parameter("leave", Measure.SHARE, 0.25, "the probability with which a burst ends at a packet"),
            Parameter("drop", Measure.SHARE, 1.0, "the share of packets dropped in a burst"),
            _DIRECTION,
        ),
        _QUEUED,
    ),
    Kind(
        "delay", Layer.NET, "delays packets", "packets delayed", (_DELAY, _JITTER, _DIRECTION), _QUEUED, fires=Fires.MET
    ),
    Kind(
        "reorder",
        Layer.NET,
        "holds some packets back, so that later ones overtake them",
        "packets held back",
        (_PROBABILITY, _DELAY, _DIRECTION),
        _QUEUED,
    ),
    Kind("duplicate", Layer.NET, "sends some packets twice", "packets sent twice", (_PROBABILITY, _DIRECTION), _QUEUED),
    Kind("black_hole", Layer.NET, "drops every packet", "packets dropped", (_DIRECTION,), _PACKETS, fires=Fires.MET),
    Kind(
        "syn_drop",
        Layer.NET,
        "drops packets that open a connection",
        "packets dropped",
        (Parameter("probability", Measure.SHARE, 1.0, "the share of such packets"),),
        _PACKETS,
        aliases=("connect_timeout",),
    ),
    Kind("refuse", Layer.NET, "refuses new connections by a reset", "connections refused", (), _PACKETS, refuses=True),
    Kind(
        "rst",
        Layer.NET,
        "resets every connection at its next packet",
        "resets sent",
        (),
        _PACKETS,
        fires=Fires.MET,
        refuses=True,
    ),
    Kind(
        "throttle",
        Layer.NET,
        "limits the rate of bytes that the server sends",
        "packets held back or dropped",
        (
            Parameter("rate", Measure.RATE, 125_000, "bytes per second", least=1_000),
            Parameter("burst", Measure.SIZE, 16_384, "the bytes that pass at once", least=1_600),
        ),
        (Need.ROOT, Need.NETNS, Need.TBF),
    ),
    Kind(
        "link_down",
        Layer.NET,
        "takes the server's network link down",
        "changes of the link",
        (),
        (Need.ROOT, Need.NETNS),
        fires=Fires.EACH,
    ),
    # The process.
    Kind(
        "kill",
        Layer.PROCESS,
        "kills the server (SIGKILL), and starts it again at the end",
        "processes killed",
        (Parameter("data", Measure.WORD, "kept", "the server's files at the new start", ("kept", "gone")),),
        aliases=("crash",),
        refuses=True,
        fires=Fires.EACH,
    ),
    Kind(
        "pause",
        Layer.PROCESS,
        "stops the server (SIGSTOP), and resumes it at the end",
        "processes stopped",
        fires=Fires.EACH,
    ),
    Kind(
        "cpu_quota",
        Layer.PROCESS,
        "limits the CPU time of the server",
        "periods in which the server was throttled",
        (Parameter("share", Measure.SHARE, 0.1, "the share of one CPU", least=0.01),),
        (Need.ROOT, Need.CGROUP),
    ),
    Kind(
        "oom",
        Layer.PROCESS,
        "limits the memory of the server below what it has, so that the kernel kills it; starts it again at the end",
        "kills by the kernel",
        (),
        (Need.ROOT, Need.CGROUP),
        aliases=("oom_killed",),
        fires=Fires.EACH,
    ),
    Kind(
        "fd_limit",
        Layer.PROCESS,
        "limits the descriptors of the server, so that it can accept no further connection, also when one closes",
        "connections that could not be accepted",
        (
            Parameter(
                "spare",
                Measure.COUNT,
                0,
                "the descriptors that are left for connections, those that are open among them",
            ),
        ),
    ),
    Kind(
        "memory_pressure",
        Layer.PROCESS,
        "lets redis have no more memory than it has (`maxmemory`), and evict nothing",
        "writes refused",
        (Parameter("spare", Measure.SIZE, 0, "the bytes that it may still take"),),
        (),
        Judged.SERVER,
    ),
    Kind(
        "clock_jump",
        Layer.PROCESS,
        "shifts the clock of the day that the server reads; the monotonic clock goes on as it is",
        "readings of the clock shifted",
        (
            Parameter("jump", Measure.DURATION, 3_600 * _S, "how far the clock jumps"),
            Parameter("towards", Measure.WORD, "ahead", "where the clock jumps", ("ahead", "back")),
        ),
        _RELOADED,
        Judged.SERVER,
        fires=Fires.EACH,
    ),
    # The disk. These are judged on a server's acknowledged writes.
    Kind(
        "disk_full",
        Layer.DISK,
        "fills the server's disk",
        "writes refused",
        (Parameter("spare", Measure.SIZE, 0, "the bytes that can still be written"),),
        (Need.ROOT, Need.TMPFS, Need.PRELOAD),
        Judged.SERVER,
    ),
    Kind(
        "read_only",
        Layer.DISK,
        "lets writes, and opens of files for writing, fail with EROFS, as on a disk that became read-only",
        "calls refused",
        (),
        _RELOADED,
        Judged.SERVER,
    ),
    Kind(
        "slow_fsync",
        Layer.DISK,
        "delays each fsync",
        "fsyncs delayed",
        (_DELAY,),
        _RELOADED,
        Judged.SERVER,
        aliases=("slow_write",),
    ),
    Kind(
        "io_error",
        Layer.DISK,
        "lets writes and fsyncs fail with EIO",
        "calls that failed",
        (Parameter("probability", Measure.SHARE, 1.0, "the share of calls that fail"),),
        _RELOADED,
        Judged.SERVER,
    ),
    Kind(
        "power_cut",
        Layer.DISK,
        "kills the server, and cuts its files off at the last fsync, as a power cut does; starts it again at the end",
        "files held to their last fsync",
        (),
        _RELOADED,
        Judged.SERVER,
        fires=Fires.EACH,
    ),
    Kind(
        "torn_tail",
        Layer.DISK,
        "kills the server, and cuts the last bytes off its newest file; starts it again",
        "bytes cut off",
        (Parameter("bytes", Measure.SIZE, 5, "the bytes that are cut off", least=1),),
        (),
        Judged.SERVER,
        fires=Fires.EACH,
    ),
    Kind(
        "bit_flip",
        Layer.DISK,
        "kills the server, and changes a bit of a file; starts it again",
        "bits changed",
        (),
        (),
        Judged.SERVER,
        aliases=("corrupt_read", "corrupt_write"),
        fires=Fires.EACH,
    ),
    Kind(
        "crash_mid_write",
        Layer.DISK,
        "kills the server in the middle of a pipeline of writes",
        "processes killed",
        (),
        (),
        Judged.SERVER,
        fires=Fires.EACH,
    ),
)
"""Every kind."""

KINDS = {row.name: row for row in ROWS}

_OF_SERVERS = frozenset(("crash", "disk_full_rewrite"))
"""The names by which a fault is one for servers, though its kind is one for clients."""

_NAMED = KINDS | {alias: row for row in ROWS for alias in row.aliases}


def kind_named(name: str) -> Kind | None:
    """Return the kind with this name or alias, written with hyphens or underscores; None when there is none."""
    return _NAMED.get(name.replace("-", "_"))


def judged(name: str) -> Judged:
    """Return who is judged under a fault of this name or alias, where the user names nobody."""
    kind = kind_named(name)
    if name.replace("-", "_") in _OF_SERVERS:
        return Judged.SERVER
    return Judged.CLIENT if kind is None else kind.judged


def needs_of(kinds: Iterable[str]) -> tuple[Need, ...]:
    """Return all that these kinds need, each need once, in the order of `Need`."""
    needed = {need for name in kinds for need in KINDS[name].needs}
    return tuple(need for need in Need if need in needed)
