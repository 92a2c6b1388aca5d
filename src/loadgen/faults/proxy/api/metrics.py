"""The metrics of proxies and of this process as Prometheus' text format, under the names of Toxiproxy. No I/O.

The format is that of prometheus.io/docs/instrumenting/exposition_formats.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from loadgen.faults.proxy.api.proxy import Proxy
from loadgen.faults.proxy.chain.toxic import STREAMS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"


def of_proxies(proxies: Iterable[Proxy]) -> str:
    """Return `toxiproxy_proxy_received_bytes_total` and `…_sent_bytes_total`, by direction and proxy.

    Living connections are counted too; Toxiproxy counts a connection at its end.
    """
    read = [(proxy, stream, proxy.bytes_of(stream)) for proxy in proxies for stream in STREAMS]
    lines: list[str] = []
    for index, what in enumerate(("received", "sent")):
        name = f"toxiproxy_proxy_{what}_bytes_total"
        rows = [(proxy, stream, found[index]) for proxy, stream, found in read if found[index]]
        lines += [f"# HELP {name} ", f"# TYPE {name} counter"] if rows else []
        for proxy, stream, count in rows:
            labels = {
                "direction": stream,
                "listener": proxy.listen,
                "proxy": proxy.name,
                "upstream": proxy.upstream,
            }
            lines.append(f"{name}{_labels(labels)} {count}")
    return "".join(f"{line}\n" for line in lines)


def of_process(usage: Mapping[str, float]) -> str:
    """Return one gauge for each reading of this process, by its name."""
    return "".join(f"# HELP {name} \n# TYPE {name} gauge\n{name} {value:g}\n" for name, value in usage.items())


def _labels(labels: Mapping[str, str]) -> str:
    def escaped(value: str) -> str:
        return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")

    return "{" + ",".join(f'{name}="{escaped(value)}"' for name, value in labels.items()) + "}"
