"""A candidate of a comparison, read from a result file: the metrics of each run, and the conditions of the runs.

A result file was written by `--format json`. The file has `result` records of runs, any number of them, or `comparison`
records, of which the candidate, B, is taken. This file reads, and judges nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loadgen.compare.candidate import Candidate
from loadgen.compare.metric import METRICS
from loadgen.compare.shape import Shape
from loadgen.errors import UsageError
from loadgen.record import ndjson
from loadgen.record.read.metrics import metrics, rate_per_s


@dataclass(frozen=True, slots=True)
class Stored:
    """A candidate with stored results."""

    candidate: Candidate
    values: tuple[Mapping[str, float], ...]
    """The metrics of each run or round, in the units of `metric.METRICS`."""
    rate_per_s: float = 0.0
    """The offered rate at which latency was measured; 0 when latency was not."""


def read(path: Path) -> Stored:
    """Return the results in a file. Raises UsageError, in a sentence, when no result can be used."""
    stored = Stored(Candidate(path.stem, "results"), ())
    rates: set[float] = set()
    names: set[str] = set()
    config: Mapping[str, Any] = {}
    try:
        for record in ndjson.read(str(path)):
            match record["type"]:
                case "config":
                    config = {"identity": record.get("server"), **record, "shape": Shape.read(record)}
                case "result":
                    if len({part[end] for part in config.get("profile", ()) for end in ("from_per_s", "to_per_s")}) > 1:
                        raise UsageError(f"{path}: has a result whose rate changed; latency is compared at one rate.")
                    rate = float(rate_per_s(record, config))
                    rates |= {rate} if rate else set()
                    stored = _with(stored, [_of_result(record)], config, str(record["ts"]))
                case "comparison":
                    rates |= {float(record["rate_per_s"])} if record["rate_per_s"] else set()
                    own = [_numbers(both["b"]) for both in record["rounds"]]
                    names.add(str(record["b"]["name"]))
                    about = {
                        "host": record["host"],
                        "identity": record["b"]["identity"],
                        "shape": Shape.read(record["b"].get("load") or {}),
                    }
                    stored = _with(stored, own, about, str(record["ts"]))
    except (ArithmeticError, KeyError, TypeError, ValueError, AttributeError):
        raise UsageError(f"{path}: has a record that is not as loadgen writes it; take the results anew.") from None
    if not stored.values:
        raise UsageError(
            f"{path}: has no result; write one with `loadgen run … --format json -o {path.name}`, one for each round."
        )
    if len(names) > 1:
        raise UsageError(f"{path}: has comparisons of {' and '.join(sorted(names))}: keep those of one candidate.")
    if len(rates) > 1:
        listed = ", ".join(f"{rate:g}" for rate in sorted(rates))
        raise UsageError(f"{path}: has results at different rates ({listed}/s), which are not of one thing.")
    return replace(stored, rate_per_s=rates.pop() if rates else 0.0)


def _with(stored: Stored, values: list[dict[str, float]], about: Mapping[str, Any], taken: str) -> Stored:
    host, identity = str(about.get("host") or ""), str(about.get("identity") or "")
    known, shape = stored.candidate, about.get("shape", Shape())
    if known.host and host and host != known.host:
        raise UsageError(f"{known.name}: has results of two machines ({known.host}; {host}): keep those of one.")
    if known.identity and identity and identity != known.identity:
        raise UsageError(f"{known.name}: has results of two servers ({known.identity}; {identity}): keep those of one.")
    if found := known.shape.differences(shape):
        raise UsageError(f"{known.name}: has results of two loads ({'; '.join(found)}): keep those of one.")
    shape = known.shape.or_else(shape)
    known = replace(known, host=known.host or host, identity=known.identity or identity, shape=shape)
    return replace(stored, candidate=replace(known, taken=taken), values=(*stored.values, *values))


def _of_result(record: Mapping[str, Any]) -> dict[str, float]:
    if not record["verdict"]["valid"]:
        return {}
    if record["loop"] == "closed":
        # Rounds take the CPU per request of an open loop; a closed loop keeps the server busier.
        return _numbers({"throughput": record["throughput"]})
    return _numbers({name: value for name, value in metrics(record).items() if name not in ("throughput", "rss")})


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Return the values that are metrics and above 0, and so have a ratio to another value."""
    return {name: float(value) for name, value in values.items() if name in METRICS and value is not None and value > 0}
