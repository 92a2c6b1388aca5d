"""`loadgen serve`: runs the built-in server in this process until it is told to stop."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

from loadgen import units
from loadgen.errors import ExitCode, UsageError
from loadgen.target.builtin import DEFAULT_PORTS, EVICTION_POLICIES, LOOPS, BuiltinServer, Trouble

_DEFAULT = BuiltinServer()
_REDIS_SIZE = re.compile(r"([0-9]+)(kb|mb|gb)")
_REDIS_UNITS = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}

TROUBLE = (
    "Options may be combined. They concern data commands: GET, SET and all others that work on keys, and PING but for "
    "the one that opens a conversation. Greetings and questions about the server are answered as ever."
)


def _size(text: str) -> int:
    """The bytes of a size: as everywhere in `loadgen`, and redis.conf's kb, mb and gb, which are powers of 1024."""
    match = _REDIS_SIZE.fullmatch(text)
    try:
        size = int(match[1]) * _REDIS_UNITS[match[2]] if match else units.parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not 0 < size < 1 << 62:
        raise argparse.ArgumentTypeError(f'"{text}" is out of range')
    return size


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 5 or int(text) > 65535:
        raise argparse.ArgumentTypeError(f'"{text}" is not a port: 0 to 65535')
    return int(text)


def _duration(text: str) -> int:
    try:
        ns = units.parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if ns == 0:
        raise argparse.ArgumentTypeError(f'"{text}" is no time at all; leave the option out to plant nothing')
    return ns


def _share(text: str) -> float:
    """A share such as 1% or 0.01."""
    number, per = (text[:-1], 100) if text.endswith("%") else (text, 1)
    try:
        share = float(number) / per
    except ValueError:
        share = 0.0
    if not 0.0 < share <= 1.0:
        raise argparse.ArgumentTypeError(f'"{text}" is no share; write one above 0 and up to 1, such as 1% or 0.01')
    return share


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:20]) < 1 << 62:
        raise argparse.ArgumentTypeError(f'"{text}" is no count; write a whole number from 1 up')
    return int(text)


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:21]) >= 1 << 64:
        raise argparse.ArgumentTypeError(f'"{text}" is no seed; write a whole number from 0 to 2^64 - 1')
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--port", type=_port, help="0 takes a free one (default: 6379, or 11211 for memcache)")
    add("--host", default=_DEFAULT.host, help="the address to listen on (default: %(default)s)")
    add("--protocol", choices=sorted(DEFAULT_PORTS), default=_DEFAULT.protocol, help="(default: %(default)s)")
    add(
        "--max-memory",
        type=_size,
        default=_DEFAULT.max_memory_bytes,
        metavar="SIZE",
        help="bound on the items, such as 1GiB or, as in redis.conf, 256mb (default: 256MiB)",
    )
    add(
        "--eviction",
        choices=EVICTION_POLICIES,
        default=_DEFAULT.eviction,
        help="what goes when the memory is full: the least recently used, the first inserted, or nothing, and writes "
        "are refused (default: %(default)s)",
    )
    add(
        "--max-item-size",
        type=_size,
        default=_DEFAULT.max_item_bytes,
        metavar="SIZE",
        help="memcache: the largest item, as memcached counts it (default: 1MiB)",
    )
    add("--loop", choices=LOOPS, default=_DEFAULT.loop, help="the event loop (default: %(default)s)")
    add(
        "--stop-at-eof",
        action="store_true",
        help="stop when standard input, a pipe, ends: for programs that start this server and may die",
    )
    add(
        "--null",
        action="store_true",
        help="answer GET, SET, DELETE and PING as fast as can be without a store; a GET finds 64 bytes",
    )
    _add_trouble(parser.add_argument_group("trouble planted on purpose", TROUBLE).add_argument)


def _add_trouble(add: Callable[..., argparse.Action]) -> None:
    add(
        "--stall",
        type=_duration,
        default=0,
        metavar="TIME",
        help="freeze the whole server for this long; needs --every",
    )
    add(
        "--every", type=_duration, default=0, metavar="TIME", help="from the beginning of one stall to that of the next"
    )
    add("--delay", type=_duration, default=0, metavar="TIME", help="service time of a command, such as 200us")
    add("--jitter", type=_duration, default=0, metavar="TIME", help="a further service time, uniform from 0 to this")
    add("--blackhole", action="store_true", help="read, and answer neither a first data command nor what follows it")
    add("--error-rate", type=_share, default=0.0, metavar="SHARE", help="share that is refused, such as 1%% or 0.01")
    add("--close-after", type=_count, default=0, metavar="N", help="close a connection that has had so many answers")
    add("--slow-read", type=_size, default=0, metavar="SIZE", help="the most to read from a connection in one second")
    add("--seed", type=_seed, default=0, help="of jitter and errors (default: %(default)s)")


def _trouble(args: argparse.Namespace) -> Trouble | None:
    """What the options plant; None for nothing. Raises UsageError where they contradict each other."""
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
    return Trouble(
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


def run(args: argparse.Namespace) -> int:
    """Serves until SIGINT, SIGTERM or a client's SHUTDOWN. Raises TargetError when it cannot listen."""
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
        trouble=_trouble(args),
    ).run()
    return ExitCode.YES
