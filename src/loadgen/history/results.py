"""The points of a result file, made from its records, which are plain JSON values. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from loadgen.escape import printable
from loadgen.history.point import Point, Setup, number_of, numbers_of, time_of, words_of
from loadgen.record.read import metrics
from loadgen.units import format_duration

_LONGEST_NAME = 80


def to_points(records: Iterable[Mapping[str, Any]], name: str = "", label: str = "") -> list[Point]:
    """Return the points of a result file's records, in their order; none when nothing was measured.

    `result`, `saturation` and `comparison` records become points; the last `config` record before them describes the
    load. Raises ValueError for records that are not as loadgen writes them.
    """
    points: list[Point] = []
    config: Mapping[str, Any] = {}
    try:
        for record in records:
            match record.get("type"):
                case "config":
                    config = {"identity": record.get("server"), **record}  # its name in schema version 1
                case "result":
                    points.append(_of_run(record, config, name, label))
                case "saturation":
                    points.append(_of_search(record, config, name, label))
                case "comparison":
                    points.append(_of_comparison(record, config, name, label))
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError("it has a record that is not as loadgen writes it") from error
    return points


def _of_run(record: Mapping[str, Any], config: Mapping[str, Any], name: str, label: str) -> Point:
    server = record.get("server") or {}
    rate = number_of(metrics.rate_per_s(record, config))
    group = _group(name or words_of(server.get("name") or ""), config, words_of(record["loop"]), rate)
    values, bounds = metrics.metrics(record), metrics.at_least(record)
    return _point(record, config, group, label, _is_valid(record), values, bounds)


def _of_search(record: Mapping[str, Any], config: Mapping[str, Any], name: str, label: str) -> Point:
    limits = [_limit(limit) for limit in record["limits"] if limit["limit_ns"] is not None]
    # A lower end of 0 means that no rate passed, not a capacity of 0.
    values = {"capacity": record["lo_per_s"] or None}
    group = _group(name, config, "search", 0.0, limits or ["knee"])
    return _point(record, config, group, label, _is_valid(record), values)


def _limit(limit: Mapping[str, Any]) -> str:
    """Return a limit such as "p99 <= 1ms", or "get p99 <= 1ms" for one command."""
    command = "" if limit["command"] == "all" else f"{limit['command']} "
    return f"{command}{limit['metric']} <= {format_duration(int(limit['limit_ns']))}"


def _of_comparison(record: Mapping[str, Any], config: Mapping[str, Any], name: str, label: str) -> Point:
    """Return the ratios B / A of servers that ran side by side: the state of the machine that night cancels out."""
    effects = {metric: row["effect"] for metric, row in record["metrics"].items()}
    values = {metric: None if effect is None else 1 + effect for metric, effect in effects.items()}
    both = f"{words_of(record['b']['name'])} / {words_of(record['a']['name'])}"
    # The offered rate follows from A's throughput, and differs every time, which hardly changes a ratio.
    asked = {**config, **(record["b"].get("load") or {}), "host": record["host"]}
    group = _group(name or both, asked, "rounds", 0.0)
    about = {"version": record["version"], "identity": record["b"]["identity"]}
    whole = not (record["failure"] or record["refused"] or record["interrupted"])
    return _point(record, about, group, label, whole, values)


def _point(
    record: Mapping[str, Any],
    about: Mapping[str, Any],
    group: Setup,
    label: str,
    valid: bool,
    values: Mapping[str, float | None],
    at_least: tuple[str, ...] = (),
) -> Point:
    known = numbers_of({metric: value for metric, value in values.items() if value is not None})
    version, server = words_of(about.get("version") or ""), words_of(about.get("identity") or "")
    seed = record.get("seed")
    return Point(
        time_of(record["ts"]),
        group,
        valid and bool(known),
        known,
        at_least,
        label,
        version,
        server,
        seed if isinstance(seed, int) else None,
    )


def _is_valid(record: Mapping[str, Any]) -> bool:
    """True for a valid result that was not cut short: an interrupted result measured a shorter time than the others."""
    return record["verdict"]["valid"] is True and not record["interrupted"]


def _group(name: str, config: Mapping[str, Any], loop: str, rate_per_s: float, also: Sequence[str] = ()) -> Setup:
    # Leave out the version: a history shows the versions of one server in one row.
    own_words = re.sub(r"\s+v?\d\S*$", "", words_of(config.get("identity") or ""))
    found = name or own_words or words_of(config.get("target") or "")
    load = ", ".join(filter(None, [_load(config), *also]))
    return Setup(printable(found, _LONGEST_NAME), words_of(config.get("host") or ""), loop, rate_per_s, load)


def _load(config: Mapping[str, Any]) -> str:
    """Return the load in words, as far as `config` describes it."""
    if "conns" not in config:
        return ""
    mix = ", ".join(f"{weight} {command}" for command, weight in config["weights"].items() if weight)
    profile, arrival = config.get("profile", ()), config.get("arrival")
    varies = len(profile) > 1 or any(part["from_per_s"] != part["to_per_s"] for part in profile)
    extras = {
        "prefilled": config["prefill"],
        "backfilled": config["backfill_on_miss"],
        f"{arrival} arrivals": bool(arrival) and config.get("loop") != "closed",
        f"a profile of {len(profile)}": varies,
    }
    parts = [
        config.get("protocol"),
        f"{config['threads']} workers",
        f"{config['conns']} connections × {config['pipeline']}",
        f"{config['keyspace']} {config['key_distribution']} keys of {config['key_size']} bytes",
        f"values of {config['value_size']} bytes",
        mix,
        *(words for words, holds in extras.items() if holds),
    ]
    return words_of(", ".join(filter(None, parts)))
