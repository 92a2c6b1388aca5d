"""What TLS costs: CPU time per request, beside that of other generators over TLS and of loadgen in plain text."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import servers
from peers import VALUE_BYTES as SIZE
from peers import Loadgen, Memtier, Peer, RedisBenchmark, Shape, every_key, installed_peers
from sections import Report, Settings, ratios, rotated, say
from servers import Server
from table import Goal, spread, table

SHAPES = (Shape(50, 1), Shape(16, 32))
MOST = 1.3
"""The most CPU time per request over TLS, as a multiple of another generator's over TLS."""

_CERTIFICATE = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost "
    "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out certificate.pem"
)


def tls(settings: Settings) -> Report:
    """Every generator in turn, on one redis-server that has a port for TLS and one for plain text."""
    shapes = [shape for shape in settings.shapes if shape in SHAPES] or settings.shapes[:1]
    measured: dict[tuple[str, Shape], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="loadgen-bench-") as name:
        folder, port = Path(name), servers.free_port()
        subprocess.run(_CERTIFICATE.split(), cwd=folder, check=True, capture_output=True)
        authority = str(folder / "certificate.pem")
        own = ["--tls-port", str(port), "--tls-cert-file", authority, "--tls-key-file", str(folder / "key.pem")]
        own += ["--tls-ca-cert-file", authority, "--tls-auth-clients", "no"]
        others = [peer for peer in (encrypted(peer, authority) for peer in installed_peers()) if peer is not None]
        with servers.started("redis", settings.server_cpu, own) as plain:
            plain.fill(every_key(), SIZE)
            over_tls = Server("redis", port)
            ours = (Loadgen("loadgen", more=("--tls", "--cacert", authority)), over_tls)
            parties: list[tuple[Peer, Server]] = [ours, (Loadgen("plain text"), plain)]
            parties += [(peer, over_tls) for peer in others]
            for turn in range(settings.rounds):
                for shape in shapes:
                    say(f"tls: round {turn + 1} of {settings.rounds}, {shape}")
                    for peer, server in rotated(parties, turn):
                        figures = peer.measure(server, shape, settings.seconds, settings.generator_cpu)
                        measured.setdefault((peer.name, shape), []).append(figures.cpu_us_per_request)
    names = [peer.name for peer, _ in parties]
    rows = [(str(shape), *(spread(measured[name, shape]) for name in names)) for shape in shapes]
    return Report(
        (table("CPU µs per request over TLS, and loadgen's in plain text", ("", *names), rows),),
        tuple(goals(measured, names, shapes)),
        {" ".join(map(str, key)): values for key, values in measured.items()},
    )


def goals(measured: dict[tuple[str, Shape], list[float]], names: Sequence[str], shapes: Sequence[Shape]) -> list[Goal]:
    ours, plain, *others = names
    found = []
    for shape in shapes:
        for other in others:
            ratio = ratios(measured[ours, shape], measured[other, shape])
            found.append(Goal(f"TLS {shape}: CPU ÷ {other} --tls", ratio, MOST))
        found.append(Goal(f"TLS {shape}: CPU ÷ plain text", ratios(measured[ours, shape], measured[plain, shape])))
    return found


def encrypted(peer: Peer, authority: str) -> Peer | None:
    """The same generator over TLS; None for one that has none."""
    if isinstance(peer, RedisBenchmark | Memtier):
        peer.more = ("--tls", "--cacert", authority)
        return peer
    return None
