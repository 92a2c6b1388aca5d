"""Events as JSON records, one line of NDJSON each. The one door to orjson. No I/O.

`Configured` → `config` · a phase begins → `phase` · each interval → `sample` · the end → `result`; of a search, each
rate → `step` · the end → `saturation`. `docs/RESULTS.md` says what each field means, `record_schema` what it may hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson

from loadgen.events import Configured, Event, PhaseBegan, Result, Sample, SearchEnded, StepTaken, per_s
from loadgen.plan import Plan, Segment
from loadgen.signs import Signs
from loadgen.slo import Check, Objective
from loadgen.snapshot import Histogram, Snapshot, Tally, encode_v2, has_few_samples
from loadgen.stats.search import Answer
from loadgen.stats.trial import NO_LIMIT_NS, Limit
from loadgen.units import NS_PER_S, NS_PER_US

SCHEMA_VERSION = 1
"""Raised when a field of a record goes, or changes its name, unit or meaning; not when one is added."""


def percent(part: float | None) -> float | None:
    """A fraction as a percentage of at most four decimals, so that no reader sees 33.33333333333333."""
    return None if part is None else round(100.0 * part, 4)


def encode(event: Event) -> bytes:
    """One line of NDJSON, or nothing for an event that has no record."""
    record = to_record(event)
    return b"" if record is None else orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def to_record(event: Event) -> dict[str, Any] | None:
    """The event as plain values for JSON, or None: progress and the samples of the warm-up are not part of a result.

    What cannot be known (a percentile of no request, a hit rate without a GET) is None, never 0 and never NaN.
    """
    match event:
        case Configured():
            return _config(event)
        case PhaseBegan():
            return {"type": "phase", "ts": _timestamp(event.wall_s), "phase": event.phase}
        case Sample(phase="measure"):
            return _sample(event)
        case Result():
            return _result(event)
        case StepTaken():
            return _step(event)
        case SearchEnded():
            return _saturation(event)
        case _:
            return None


# The enum names of crucible's benchmark.
_PROTOCOL_NAMES = {"resp": "Resp", "resp3": "Resp3", "memcache": "Memcache", "ping": "Ping"}

_QUANTILES = (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999), ("p9999", 0.9999))


def _config(event: Configured) -> dict[str, Any]:
    plan = event.plan
    cpus = sorted({worker.cpu for worker in plan.workers if worker.cpu is not None})
    return {
        "type": "config",
        "schema_version": SCHEMA_VERSION,
        "ts": _timestamp(event.wall_s),
        "version": event.version,
        "target": ",".join(str(endpoint) for endpoint in plan.endpoints),
        "server": event.server or None,
        "embedded": event.embedded,
        "protocol": _PROTOCOL_NAMES[plan.protocol],
        "tls": False,
        "threads": len(plan.workers),
        "conns": plan.connections,
        "pipeline": plan.pipeline_depth,
        "batch_size": plan.batch_size,
        "keyspace": plan.keyspace.count,
        "key_size": plan.keyspace.length,
        "key_distribution": plan.keyspace.distribution,
        "value_size": plan.value_bytes,
        "weights": asdict(plan.weights),
        "prefill": plan.prefill,
        "backfill_on_miss": plan.backfill_on_miss,
        "engine": "uvloop",
        "loop": "open" if event.search is not None else _loop(plan),
        "search": [_limit(limit) for limit in event.search.limits] if event.search is not None else None,
        **({"ratelimit": _number(plan.rate_per_s)} if plan.open_loop else {}),
        "arrival": plan.arrival,
        "profile": [_segment(segment) for segment in plan.profile],
        "request_distribution": plan.request_distribution,
        "spin": plan.spin,
        "warmup_secs": _secs(plan.warmup_ns),
        "duration_secs": _secs(plan.duration_ns),
        "interval_secs": _secs(plan.interval_ns),
        "request_timeout_secs": _secs(plan.request_timeout_ns),
        **({"cpu_list": ",".join(map(str, cpus))} if cpus else {}),
        "seed": plan.seed,
        "slo": [_objective(objective) for objective in plan.slo],
        "verdict_limits": asdict(plan.verdict),
        "warnings": _texts(event.warnings),
    }


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "for_secs": _secs(segment.length_ns),
        "from_per_s": _number(segment.from_per_s),
        "to_per_s": _number(segment.to_per_s),
        **({"period_secs": _secs(segment.period_ns)} if segment.period_ns else {}),
    }


def _objective(objective: Objective) -> dict[str, Any]:
    return {
        "metric": objective.metric,
        "command": objective.command or "all",
        "limit": _number(objective.limit),
        "unit": str(objective.unit),
    }


def _sample(event: Sample) -> dict[str, Any]:
    interval, total = event.interval, event.interval.total
    scheduled = interval.service or interval.lag.count
    return {
        "type": "sample",
        "ts": _timestamp(event.wall_s),
        "req_s": int(per_s(total.answered, event.interval_ns)),
        "err_s": round(per_s(total.failed, event.interval_ns), 3),
        "hit_pct": percent(interval.hit_rate),
        **_in_us(interval.latency()),
        **({"service": _in_us(interval.latency(clock="service")), "lag": _in_us(interval.lag)} if scheduled else {}),
    }


def _result(event: Result) -> dict[str, Any]:
    measured, overall, total = event.measured, event.overall, event.measured.total
    get = measured.tallies.get("get", Tally())
    return {
        "type": "result",
        "ts": _timestamp(event.wall_s),
        "duration_secs": _secs(event.duration_ns),
        "interrupted": event.interrupted,
        "embedded": event.embedded,
        "loop": _loop(event.plan),
        "requests": total.planned,
        "responses": total.answered,
        "errors": total.failed,
        "err_pct": percent(total.failed / total.planned if total.planned else None),
        "hits": get.hits,
        "misses": get.misses,
        "hit_pct": percent(measured.hit_rate),
        "throughput": int(event.throughput_per_s),
        "rx_bytes": measured.rx_bytes,
        "tx_bytes": measured.tx_bytes,
        "rx_bps": int(per_s(8 * measured.rx_bytes, event.duration_ns)),
        "tx_bps": int(per_s(8 * measured.tx_bytes, event.duration_ns)),
        "get": _command(measured, "get"),
        "set": _command(measured, "set"),
        **({"delete": _command(measured, "delete")} if "delete" in measured.commands else {}),
        **({"backfill_set": _command(measured, "backfill")} if "backfill" in measured.commands else {}),
        "conns_active": measured.connections.active,
        "conns_failed": overall.connections.failed,
        "latency": {
            command: {clock: _in_ns(measured.latency(command, clock)) for clock in ("response", "service")}
            for command in ("all", *measured.commands)
        },
        **({"lag": _lag(measured)} if event.plan.open_loop else {}),
        "counts": {**_counts(total), "errors": _tallied(measured.errors)},
        "commands": {command: _counts(measured.tallies[command]) for command in measured.commands},
        "totals": _totals(overall),
        "connections": _connections(overall),
        "client": {
            "cpu_s": measured.cpu_ns / NS_PER_S,
            "cpu_us_per_request": event.cpu_us_per_request,
            "max_rss_bytes": event.max_rss_bytes,
            "workers": len(event.plan.workers),
        },
        "verdict": _verdict(event),
        **({"slo": [_check(check) for check in event.checks]} if event.checks else {}),
        "signs": _signs(event.signs),
        "standing": _standing(event),
        "error_examples": _examples(event),
        "seed": event.plan.seed,
        "histograms": _histograms(measured),
    }


def _step(event: StepTaken) -> dict[str, Any]:
    step = event.step
    return {
        "type": "step",
        "ts": _timestamp(event.wall_s),
        "number": event.number,
        "purpose": str(step.purpose),
        "rate_per_s": _number(step.rate_per_s),
        "length_secs": _number(round(step.length_s, 3)),
        "offered_per_s": _number(round(step.offered_per_s, 3)),
        "achieved_per_s": _number(round(step.achieved_per_s, 3)),
        "verdict": str(step.judgement.verdict),
        "passed": step.passed,
        "why": _text(step.judgement.why),
        "limits": [
            {
                **_limit(exceedance.limit),
                "x_ns": x_ns,
                "exceed_ratio": exceedance.ratio,
                "exceed_low": exceedance.low,
                "exceed_high": exceedance.high,
                "allowed": round(exceedance.allowed, 12),
            }
            for exceedance, x_ns in zip(step.judgement.exceedances, step.x_ns, strict=True)
        ],
    }


def _saturation(event: SearchEnded) -> dict[str, Any]:
    answer, measured, overall = event.answer, event.measured, event.overall
    return {
        "type": "saturation",
        "ts": _timestamp(event.wall_s),
        "interrupted": event.interrupted,
        "embedded": event.embedded,
        "failure": _text(event.failure) or None,
        "limits": [_limit(limit) for limit in event.limits],
        **(_answer(answer) if answer is not None else dict.fromkeys(_ANSWER)),
        "counts": {**_counts(measured.total), "errors": _tallied(measured.errors)},
        "commands": {command: _counts(measured.tallies[command]) for command in measured.commands},
        "totals": _totals(overall),
        "unaccounted": event.unaccounted,
        "connections": _connections(overall),
        "verdict": _verdict(event),
        "error_examples": _examples(event),
        "seed": event.plan.seed,
    }


_ANSWER = ("outcome", "reason", "lo_per_s", "hi_per_s", "confirmed", "capacity_per_s", "spent_secs", "steps")


def _answer(answer: Answer) -> dict[str, Any]:
    values = (
        str(answer.outcome),
        _text(answer.reason),
        _number(answer.lo_per_s),
        None if answer.hi_per_s is None else _number(answer.hi_per_s),
        answer.confirmed,
        _number(answer.capacity_per_s) or None,
        _number(round(answer.spent_s, 3)),
        len(answer.steps),
    )
    return dict(zip(_ANSWER, values, strict=True))


def _limit(limit: Limit) -> dict[str, Any]:
    """A quantile's limit; null where the quantile is only looked at."""
    return {
        "metric": f"p{limit.quantile * 100:.10g}".replace(".", ""),
        "quantile": limit.quantile,
        "command": limit.command or "all",
        "limit_ns": None if limit.limit_ns == NO_LIMIT_NS else limit.limit_ns,
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        **_objective(check.objective),
        "measured": None if check.measured is None else _number(check.measured),
        "answer": str(check.answer),
        "lower_bound": check.is_lower_bound,
        "few_samples": check.has_few_samples,
    }


def _signs(signs: Signs) -> dict[str, Any]:
    return {
        "workers": [
            {
                "index": worker.index,
                "cpu_share": _share(worker.cpu_ns, worker.wall_ns),
                "queue_share": _share(worker.queued_ns, worker.wall_ns),
                "longest_pause_ns": worker.pauses.longest_ns,
                "paused": {
                    "count": worker.pauses.count,
                    "busy_ns": worker.pauses.busy_ns,
                    "queued_ns": worker.pauses.queued_ns,
                    "stopped_ns": worker.pauses.stopped_ns,
                },
                "overdue": worker.overdue,
            }
            for worker in signs.workers
        ],
        "steal_share": None if signs.host.steal_share is None else round(signs.host.steal_share, 6),
        "clock_source": signs.host.clock_source or None,
    }


def _standing(event: Result) -> dict[str, Any] | None:
    ceiling, part = event.signs.ceiling, event.share_of_ceiling
    if ceiling is None or part is None:
        return None
    return {
        "ceiling_per_s": _number(ceiling.throughput_per_s),
        "share": round(part, 6),
        "floor_p50_ns": ceiling.floor_p50_ns,
        "floor_p99_ns": ceiling.floor_p99_ns,
        "taken": _text(ceiling.taken),
    }


def _verdict(event: Result | SearchEnded) -> dict[str, Any]:
    return {
        "valid": event.valid,
        "reasons": _texts(event.invalid_because),
        "warnings": _texts(event.warnings),
    }


def _examples(event: Result | SearchEnded) -> dict[str, str]:
    return {_text(kind): _text(words) for kind, words in event.examples.items()}


def _connections(overall: Snapshot) -> dict[str, Any]:
    return {
        "opened": overall.connections.opened,
        "failed": overall.connections.failed,
        "closed": overall.connections.closed,
        "reconnects": overall.connections.reconnects,
        "failures": _tallied(overall.failures),
    }


def _loop(plan: Plan) -> str:
    return "open" if plan.open_loop else "closed"


def _command(measured: Snapshot, command: str) -> dict[str, Any]:
    return {"count": measured.tallies.get(command, Tally()).answered, **_in_us(measured.latency(command))}


def _in_us(histogram: Histogram) -> dict[str, Any]:
    """The names and the whole microseconds, cut off and not rounded, of crucible's benchmark."""
    quantiles = [(name, q) for name, q in _QUANTILES if name != "p95"] + [("max", 1.0)]
    cut = {f"{name}_us": histogram.quantile(q) // NS_PER_US if histogram.count else None for name, q in quantiles}
    return {
        **cut,
        "lower_bounds": [f"{name}_us" for name, q in quantiles if histogram.is_lower_bound(q)],
        "few_samples": [f"{name}_us" for name, q in quantiles if has_few_samples(histogram, q)],
    }


def _in_ns(histogram: Histogram) -> dict[str, Any]:
    quantiles = [*_QUANTILES, ("max", 1.0)]
    values: dict[str, float | None] = {
        "min_ns": histogram.min,
        "mean_ns": round(histogram.mean, 1),
        **{f"{name}_ns": histogram.quantile(q) for name, q in quantiles},
    }
    # The mean rests on every sample, so one that is a lower bound makes it one.
    bounds = ["mean_ns"] * bool(histogram.censored)
    bounds += [f"{name}_ns" for name, q in [("min", 0.0), *quantiles] if histogram.is_lower_bound(q)]
    return {
        "count": histogram.count,
        **(values if histogram.count else dict.fromkeys(values)),
        "overflow": histogram.overflow,
        "censored": histogram.censored,
        "lower_bounds": bounds,
        "few_samples": [f"{name}_ns" for name, q in quantiles if has_few_samples(histogram, q)],
    }


def _lag(measured: Snapshot) -> dict[str, Any]:
    return {
        **_in_ns(measured.lag),
        "ours": _in_ns(measured.lag_ours),
        "backpressure": _in_ns(measured.lag_backpressure),
    }


def _counts(tally: Tally) -> dict[str, Any]:
    """Every field of the tally; `errors` goes by the name of `error_replies`, as it is by class in `counts`."""
    counts = asdict(tally)
    return {"planned": counts.pop("planned"), "ok": counts.pop("ok"), "error_replies": counts.pop("errors"), **counts}


def _totals(overall: Snapshot) -> dict[str, Any]:
    return {
        "sent": sum(tally.sent for tally in overall.tallies.values()),
        "received": sum(tally.received for tally in overall.tallies.values()),
        "commands": {
            command: {"sent": overall.tallies[command].sent, "received": overall.tallies[command].received}
            for command in overall.commands
        },
    }


def _histograms(measured: Snapshot) -> dict[str, Any]:
    payloads: dict[str, dict[str, str]] = {}
    for clock, histograms in (("response", measured.response), ("service", measured.service)):
        for command in measured.commands:
            if command in histograms:
                payloads.setdefault(command, {})[clock] = encode_v2(histograms[command])
    return payloads


def _tallied(counts: Any) -> dict[str, int]:
    return {_text(name): count for name, count in counts.items()}


def _number(value: float) -> int | float:
    return int(value) if value == int(value) else value


def _share(part_ns: int | None, whole_ns: int) -> float | None:
    """A part of a length of time; None when either is not known."""
    return round(part_ns / whole_ns, 6) if part_ns is not None and whole_ns > 0 else None


def _secs(ns: int) -> int | float:
    return _number(ns / NS_PER_S)


def _timestamp(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _texts(sentences: Iterable[str]) -> list[str]:
    return [_text(sentence) for sentence in sentences]


def _text(words: str) -> str:
    """Words from a server, a kernel or a file name may hold half a surrogate pair, which no JSON can."""
    return words.encode("utf-8", "replace").decode("utf-8")
