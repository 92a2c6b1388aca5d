"""Run the built-in server in this process until a signal or a client's SHUTDOWN stops the server."""

from __future__ import annotations

from loadgen.cli.options import Given, Option, OptionGroup, Syntax
from loadgen.cli.options.kind import PORT_OR_ANY, SHARE, TEXT, TIME_NS, ValueKind, choice, whole
from loadgen.errors import ExitCode, UsageError
from loadgen.protocol import Wire
from loadgen.server.builtin import EVICTION_POLICIES, LOOPS, BuiltinServer, Faults
from loadgen.units import parse_size, shown

_DEFAULT = BuiltinServer()

ABOUT_FAULTS = (
    "Faults can be combined. They affect data commands: GET, SET and all others on keys, and PING, except a PING that "
    "opens a conversation. Greetings and questions about the server are answered as usual."
)


def _bytes(word: str) -> int:
    size = parse_size(word)
    if not 0 < size < 1 << 62:
        raise ValueError(f"{shown(word)} is out of range; write a size such as 256mb")
    return size


BYTES = ValueKind("SIZE", _bytes)
MANY = whole("N", 1, (1 << 62) - 1)

SYNTAX = Syntax(
    (
        OptionGroup(
            "server",
            (
                Option(
                    ("-p", "--port"),
                    "port to listen on; 0 takes a free one (default: 6379, or 11211 for memcache)",
                    PORT_OR_ANY,
                ),
                Option(("-h", "--host"), "address to listen on", TEXT, "HOST", default=_DEFAULT.host),
                Option(("--protocol",), "protocol of the server", choice(sorted(Wire)), default=_DEFAULT.protocol),
                Option(
                    ("--max-memory",),
                    "maximum size of all items, such as 1GiB or, as in redis.conf, 256mb (default: 256MiB)",
                    BYTES,
                    default=_DEFAULT.max_memory_bytes,
                ),
                Option(
                    ("--eviction",),
                    "item to remove when the memory is full: the least recently used (lru), the first inserted (fifo), "
                    "or none, so that writes are refused (noeviction)",
                    choice(EVICTION_POLICIES),
                    default=_DEFAULT.eviction,
                ),
                Option(
                    ("--max-item-size",),
                    "memcache: maximum size of one item, as memcached counts it (default: 1MiB)",
                    BYTES,
                    default=_DEFAULT.max_item_bytes,
                ),
                Option(("--loop",), "event loop", choice(LOOPS), default=_DEFAULT.loop),
                Option(
                    ("--stop-at-eof",),
                    "stop at the end of standard input, a pipe: for programs that start this server and may die",
                ),
                Option(
                    ("--null",),
                    "answer GET, SET, DELETE and PING as fast as possible, without a store; every GET returns 64 bytes",
                ),
            ),
        ),
        OptionGroup(
            "planted faults",
            (
                Option(("--stall",), "freeze the whole server for this long; needs --every", TIME_NS, default=0),
                Option(("--every",), "time from the beginning of one stall to that of the next", TIME_NS, default=0),
                Option(("--delay",), "service time of a command, such as 200us", TIME_NS, default=0),
                Option(("--jitter",), "additional service time, uniform from 0 to this", TIME_NS, default=0),
                Option(
                    ("--blackhole",),
                    "read, but answer neither the first data command of a connection nor any command after it",
                ),
                Option(
                    ("--error-rate",), "share of data commands that are refused, such as 1% or 0.01", SHARE, default=0.0
                ),
                Option(("--close-after",), "close a connection after N answers to data commands", MANY, default=0),
                Option(
                    ("--slow-read",), "maximum number of bytes read from a connection in one second", BYTES, default=0
                ),
                Option(("--seed",), "seed of jitter and errors (default: 0)", whole("N", 0, (1 << 64) - 1), default=0),
            ),
            ABOUT_FAULTS,
        ),
    )
)


def _faults_of(args: Given) -> Faults | None:
    """Return the faults that the options plant; None for none. Raises UsageError when options contradict each other."""
    if bool(args.stall) != bool(args.every):
        raise UsageError("--stall and --every need each other: for how long, and how often.")
    if args.stall and args.stall >= args.every:
        raise UsageError("--stall must be shorter than --every, or the server would do nothing else.")
    answered = {
        "--delay": args.delay,
        "--jitter": args.jitter,
        "--error-rate": args.error_rate,
        "--close-after": args.close_after,
    }
    moot = [option for option, amount in answered.items() if amount]
    if args.blackhole and moot:
        raise UsageError(f"--blackhole answers no data command, so there is nothing for {' and '.join(moot)} to do.")
    if not (args.stall or args.slow_read or args.blackhole or moot):
        return None
    return Faults(
        stall_ns=args.stall,
        every_ns=args.every,
        delay_ns=args.delay,
        jitter_ns=args.jitter,
        blackhole=args.blackhole,
        error_rate=args.error_rate,
        close_after=args.close_after,
        read_bytes_per_s=args.slow_read,
        seed=args.seed,
    )


def run(args: Given) -> int:
    """Serve until SIGINT, SIGTERM, SIGHUP or a client's SHUTDOWN. Raises TargetError when it cannot listen."""
    BuiltinServer(
        protocol=args.protocol,
        host=args.host,
        port=args.port,
        max_memory_bytes=args.max_memory,
        eviction=args.eviction,
        max_item_bytes=args.max_item_size,
        loop=args.loop,
        stop_at_eof=args.stop_at_eof,
        null=args.null,
        faults=_faults_of(args),
    ).run()
    return ExitCode.YES
