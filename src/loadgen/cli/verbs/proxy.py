"""Run a fault-injecting TCP proxy with Toxiproxy's HTTP API until a signal stops the proxy."""

from __future__ import annotations

import json
from difflib import get_close_matches
from pathlib import Path

from loadgen.cli.options import Given, Option, OptionGroup, Syntax
from loadgen.cli.options.kind import FILE, PORT_OR_ANY, TEXT, ValueKind, whole
from loadgen.errors import ConfigError, ExitCode, UsageError
from loadgen.escape import printable
from loadgen.faults.proxy.api import address
from loadgen.faults.proxy.api.routes import VERSION, ApiError, populating
from loadgen.faults.proxy.chain.toxic import STREAMS
from loadgen.faults.proxy.chain.toxics import TYPES
from loadgen.faults.proxy.server import DEFAULT_HOST, DEFAULT_PORT, ProxyServer, Wanted
from loadgen.units import shown

ABOUT_TOXICS = (
    "A toxic is TYPE or TYPE:KEY=VALUE,…, such as latency:latency=100,jitter=10. Besides the type's attributes, KEY is "
    "name, stream (downstream, which is from server to client, or upstream) or toxicity (the share of connections)."
)


def _address(word: str) -> str:
    try:
        host, port = address.split(word)
    except address.AddressError:
        raise ValueError(f"{shown(word)} is not an address; write one such as 127.0.0.1:21211") from None
    return address.joined(host, port)


def _toxic(word: str) -> bytes:
    """Return a toxic of the command line as the API's body."""
    kind, _, rest = word.partition(":")
    if kind not in TYPES:
        near = get_close_matches(kind.lower().replace("-", "_")[:40], TYPES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(TYPES)}"
        raise ValueError(f"there is no toxic {shown(kind)}; {hint}")
    attributes: dict[str, int] = {}
    body: dict[str, object] = {"type": kind, "attributes": attributes}
    known = [attribute.name for attribute in TYPES[kind].takes]
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"{shown(part)} of {kind} has no value; write KEY=VALUE")
        if key in known:
            attributes[key] = _whole(key, value)
        elif key == "toxicity":
            body[key] = _share(value)
        elif key == "stream" and value not in STREAMS:
            raise ValueError(f"stream must be one of {', '.join(STREAMS)}, not {shown(value)}")
        elif key in ("name", "stream"):
            body[key] = value
        else:
            near = get_close_matches(key.lower()[:40], [*known, "name", "stream", "toxicity"], n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}"
            raise ValueError(f"{kind} has no attribute {shown(key)}; {hint}")
    return json.dumps(body).encode()


def _whole(key: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise ValueError(f"{key} must be a whole number, not {shown(value)}")
    return int(value)


def _share(value: str) -> float:
    try:
        share = float(value) if len(value) <= 40 else -1.0
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"toxicity must be a share from 0 to 1, not {shown(value)}")
    return share


ADDRESS = ValueKind("HOST:PORT", _address)
SEED = whole("N", 0, (1 << 63) - 1)

SYNTAX = Syntax(
    (
        OptionGroup(
            "proxy",
            (
                Option(("--listen",), "address on which clients connect; port 0 takes a free one", ADDRESS),
                Option(("--upstream",), "address of the server to which connections go", ADDRESS),
                Option(("--name",), "name of the proxy of --listen and --upstream", TEXT, "NAME", default="proxy"),
                Option(
                    ("--toxic",),
                    "toxic on that proxy from the start; may be repeated",
                    ValueKind("TOXIC", _toxic),
                    many=True,
                    default=[],
                ),
                Option(("--config",), "JSON file with proxies to make, in Toxiproxy's format", FILE, also=("-config",)),
            ),
            ABOUT_TOXICS,
        ),
        OptionGroup(
            "API",
            (
                Option(
                    ("--host",), "address that the API listens on", TEXT, "HOST", default=DEFAULT_HOST, also=("-host",)
                ),
                Option(
                    ("--port",),
                    f"port of the API; 0 takes a free one (default: {DEFAULT_PORT})",
                    PORT_OR_ANY,
                    default=DEFAULT_PORT,
                    also=("-port",),
                ),
                Option(("--proxy-metrics",), "offer /metrics with the bytes of each proxy", also=("-proxy-metrics",)),
                Option(
                    ("--runtime-metrics",),
                    "offer /metrics with the resource use of this process",
                    also=("-runtime-metrics",),
                ),
                Option(("--version",), "print the version of the API and exit", also=("-version",)),
            ),
        ),
        OptionGroup(
            "draws and events",
            (
                Option(("--seed",), "seed of all draws (default: a random one, printed)", SEED, also=("-seed",)),
                Option(("--log-draws",), "file that receives each draw as a line of JSON", FILE),
                Option(("--verbose",), "print a line for each connection and each change"),
            ),
        ),
    )
)


def _proxies(args: Given) -> list[Wanted]:
    """Return the proxies that flags and the file ask for. Raises UsageError, ConfigError."""
    wanted = _from_file(args.config) if args.config is not None else []
    if (args.listen is None) != (args.upstream is None):
        raise UsageError("--listen and --upstream need each other: where clients connect, and where they are led.")
    if args.listen is not None:
        wanted.append((args.name, args.listen, args.upstream, True))
    elif args.toxic:
        raise UsageError("--toxic is for the proxy of --listen and --upstream, which are missing.")
    return wanted


def _from_file(path: Path) -> list[Wanted]:
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ConfigError([f"{printable(str(path))} cannot be read ({error.strerror}): correct --config."]) from None
    try:
        return populating(body)
    except ApiError as error:
        raise ConfigError([f"{printable(str(path))}: {error}; it must be a JSON list of proxies."]) from None


def run(args: Given) -> int:
    """Relay until SIGINT, SIGTERM or SIGHUP. Raises TargetError when an address cannot be listened on."""
    if args.version:
        print(f"loadgen proxy version {VERSION}")
        return ExitCode.YES
    ProxyServer(
        host=args.host,
        port=args.port,
        proxies=tuple(_proxies(args)),
        toxics=tuple((args.name, body) for body in args.toxic),
        seed=args.seed,
        draws_to=args.log_draws,
        proxy_metrics=bool(args.proxy_metrics),
        runtime_metrics=bool(args.runtime_metrics),
        verbose=bool(args.verbose),
    ).run()
    return ExitCode.YES
