"""`loadgen serve`: runs the built-in server in this process until it is told to stop."""

from __future__ import annotations

import argparse
import re

from loadgen import units
from loadgen.errors import ExitCode
from loadgen.target.builtin import DEFAULT_PORTS, EVICTION_POLICIES, LOOPS, BuiltinServer

_DEFAULT = BuiltinServer()
_REDIS_SIZE = re.compile(r"([0-9]+)(kb|mb|gb)")
_REDIS_UNITS = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}


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
    ).run()
    return ExitCode.YES
