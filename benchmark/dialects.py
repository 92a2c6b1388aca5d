"""The cost of gets on memcached by text and meta commands and by the binary protocol, with replies and quiet: CPU per
request of loadgen and of the server. All gets hit."""

from __future__ import annotations

from pathlib import Path

import servers
from peers import KEYS, ROOT, VALUE_BYTES, Shape, every_key, loadgen_result
from sections import Report, Settings, ratios, rotated, say
from servers import Server
from table import Goal, spread, table

TEXT = "text"
FORMS = {
    TEXT: ("memcache", False),
    "meta": ("memcache-meta", False),
    "meta quiet": ("memcache-meta", True),
    "binary": ("memcache-binary", False),
    "binary quiet": ("memcache-binary", True),
}
DEPTHS = (8, 32)
"""Of the shapes that are measured."""

HOLDS = {"client_us": "loadgen's CPU per request", "server_us": "memcached's CPU per request"}


def dialects(settings: Settings) -> Report:
    """All forms at every shape with one of these depths, in turn."""
    shapes = [shape for shape in settings.shapes if shape.depth in DEPTHS]
    measured: dict[tuple[Shape, str], list[dict[str, float]]] = {}
    with servers.started("memcached", settings.server_cpu) as server:
        server.fill(dict.fromkeys(every_key()), VALUE_BYTES)
        for turn in range(settings.rounds):
            for shape in shapes:
                say(f"dialects: round {turn + 1} of {settings.rounds}, {shape}")
                for form in rotated(tuple(FORMS), turn):
                    measured.setdefault((shape, form), []).append(figures(settings, server, shape, form))
    rows, goals = [], []
    for shape in shapes:
        by_form = {form: {name: [one[name] for one in measured[shape, form]] for name in HOLDS} for form in FORMS}
        rows += [(f"{shape} {form}", *map(spread, by_name.values())) for form, by_name in by_form.items()]
        for form in FORMS:
            if form == TEXT:
                continue
            for name, words in HOLDS.items():
                limit = 1.0 if form == "meta" and name == "client_us" else None
                values = ratios(by_form[form][name], by_form[TEXT][name])
                goals.append(Goal(f"{shape} {form} ÷ text: {words}", values, limit))
    columns = ("", "loadgen CPU µs", "memcached CPU µs")
    plain = {f"{shape} {form}": rounds for (shape, form), rounds in measured.items()}
    return Report((table("Gets on memcached by dialect", columns, rows),), tuple(goals), plain)


def figures(settings: Settings, server: Server, shape: Shape, form: str) -> dict[str, float]:
    protocol, quiet = FORMS[form]
    options = ["-c", str(shape.connections), "-P", str(shape.depth), "--mix", "get=1", "--keys", str(KEYS)]
    options += ["--value-length", str(VALUE_BYTES), *(["--set", "target.memcache.quiet=true"] if quiet else [])]
    before = spent(server)
    result, _ = loadgen_result(server, settings.generator_cpu, ROOT / "src", settings.seconds, options, protocol)
    after = spent(server)
    return {
        "client_us": result["client"]["cpu_us_per_request"],
        "server_us": (after[1] - before[1]) / (after[0] - before[0]) / 1e3,
    }


def spent(server: Server) -> tuple[int, int]:
    """The gets that memcached has carried out, and the CPU time of all its threads, in ns."""
    pid = servers.counter(server.port, b"stats\r\n", b"STAT pid ")
    gets = servers.counter(server.port, b"stats\r\n", b"STAT cmd_get ")
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return gets, sum(int(task.read_text().split()[0]) for task in tasks)
