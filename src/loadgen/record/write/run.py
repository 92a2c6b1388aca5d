"""The records of a run: `config`, `phase`, `sample` and `result`. No I/O."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from loadgen.command import MIXED
from loadgen.compare.shape import Shape
from loadgen.events import Configured, PhaseBegan, PhaseCounted, Result, Sample, TopologyChanged, per_s
from loadgen.faults.report import Outage
from loadgen.judge.check import Check, Checked
from loadgen.overload import Overload
from loadgen.plan import Plan, Segment
from loadgen.record.schema.result import ALWAYS_IN_RESULT
from loadgen.record.write import hosts, nodes
from loadgen.record.write.accounts import (
    all_counts,
    connections,
    counts,
    examples,
    history,
    pushes,
    totals,
    turnover,
    verdict,
)
from loadgen.record.write.latency import in_ns, in_us, lag_payloads, payloads
from loadgen.record.write.monitors import monitors
from loadgen.record.write.search import quantile_limit
from loadgen.record.write.spelling import codes, cpu_us, number, percent, secs, share, text, texts, timestamp, words
from loadgen.record.write.trial import fault, report
from loadgen.signs import Signs
from loadgen.slo import Evaluation, Objective
from loadgen.snapshot import Snapshot, Tally
from loadgen.units import MAX_DURATION_NS, NS_PER_S
from loadgen.usage import ServerReport, Usage

SCHEMA_VERSION = 2
"""Raised when a field of a record is removed or changes its name, unit or meaning; not when a field is added."""


def config(event: Configured) -> dict[str, Any]:
    plan, keyspace = event.plan, event.plan.workload.keyspace
    cpus = sorted({worker.cpu for worker in plan.workers if worker.cpu is not None})
    return {
        "type": "config",
        "schema_version": SCHEMA_VERSION,
        "ts": timestamp(event.wall_s),
        "version": event.version,
        "target": ",".join(str(endpoint) for endpoint in plan.target.endpoints),
        **({"sharding": plan.target.sharding} if len(plan.target.endpoints) > 1 else {}),
        **({"database": plan.target.database} if plan.target.database else {}),
        "identity": event.server or None,
        "embedded": event.embedded,
        "protocol": plan.target.speaks.record_name,
        "tls": plan.target.tls is not None,
        **Shape.of(plan).record(),
        **({"zipf_exponent": keyspace.zipf_exponent} if keyspace.distribution == "zipf" else {}),
        **({"key_prefix": keyspace.prefix} if keyspace.prefix else {}),
        "engine": "uvloop",
        "loop": "open" if event.search is not None else _loop(plan),
        "search": [quantile_limit(limit) for limit in event.search.limits] if event.search is not None else None,
        **({"ratelimit": number(plan.load.rate_per_s)} if plan.load.open_loop else {}),
        "profile": [_segment(segment) for segment in plan.load.profile],
        "request_distribution": plan.wire.request_distribution,
        "spin": plan.wire.spin,
        "warmup_secs": secs(plan.load.warmup_ns),
        "duration_secs": secs(plan.load.duration_ns) if plan.load.duration_ns else None,
        "request_limit": plan.load.requests or None,
        "interval_secs": secs(plan.load.interval_ns),
        "request_timeout_secs": secs(plan.wire.request_timeout_ns),
        **({"cpu_list": ",".join(map(str, cpus))} if cpus else {}),
        "seed": plan.seed,
        **({"test": plan.test} if plan.test else {}),
        **({"faults": [fault(each) for each in event.faults]} if event.faults else {}),
        **hosts.in_config(event),
        "slo": [_objective(objective) for objective in event.judging.slo],
        **({"checks": [_check(check) for check in event.judging.checks]} if event.judging.checks else {}),
        "verdict_limits": asdict(event.judging.limits),
        "warnings": words(event.warnings),
        "codes": {"warnings": codes(event.warnings)},
        "host": text(event.host) or None,
    }


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "for_secs": secs(segment.length_ns) if segment.length_ns < MAX_DURATION_NS else None,
        "from_per_s": number(segment.from_per_s),
        "to_per_s": number(segment.to_per_s),
        **({"period_secs": secs(segment.period_ns)} if segment.period_ns else {}),
    }


def _objective(objective: Objective) -> dict[str, Any]:
    return {
        "metric": objective.metric,
        "command": objective.command or "all",
        "limit": number(objective.limit),
        "unit": str(objective.unit),
    }


def phase(event: PhaseBegan) -> dict[str, Any]:
    return {"type": "phase", "ts": timestamp(event.wall_s), "phase": event.phase}


def topology(event: TopologyChanged) -> dict[str, Any]:
    return {"type": "topology", "ts": timestamp(event.wall_s), "changes": [text(words) for words in event.words]}


def sample(event: Sample) -> dict[str, Any]:
    interval, total = event.interval, event.interval.total
    scheduled = interval.service or interval.lag.count
    return {
        "type": "sample",
        "ts": timestamp(event.wall_s),
        "req_s": int(per_s(total.answered, event.interval_ns)),
        "ok_per_s": number(round(per_s(total.ok, event.interval_ns), 3)),
        "err_s": round(per_s(total.not_ok, event.interval_ns), 3),
        "hit_pct": percent(interval.hit_rate),
        **in_us(interval.latency()),
        "interval_secs": secs(event.interval_ns),
        "latency": {"all": {"response": in_ns(interval.latency())}},
        "commands": {command: counts(interval.tallies[command]) for command in interval.commands},
        **({"service": in_us(interval.latency(clock="service")), "lag": in_us(interval.lag)} if scheduled else {}),
        **(_strain(event) if scheduled or event.offered else {}),
        **turnover(interval),
        **pushes(interval),
        **nodes.in_sample(event),
        **hosts.in_sample(event),
        **({"server": _usage(event.server, interval.sent)} if event.server is not None else {}),
    }


def _strain(event: Sample) -> dict[str, Any]:
    """Return the causes of latency that is not the server's alone: offered rate, backlog, the generator's lag."""
    return {
        "offered_s": number(round(per_s(event.offered, event.interval_ns), 3)),
        "backlog": {**asdict(event.interval.backlog), "growing": event.growing},
        "lag_ours": in_us(event.interval.lag_ours),
    }


def _usage(used: Usage, sent: int) -> dict[str, Any]:
    return {
        "cpu_s": used.cpu_ns / NS_PER_S,
        "cpu_share": round(used.cpu_share, 6),
        "cpu_us_per_request": cpu_us(used.cpu_us_per_request(sent)),
        "rss_bytes": used.rss_bytes,
        "threads": used.threads,
        "fds": used.fds,
    }


def result(event: Result) -> dict[str, Any]:
    measured, overall, total = event.measured, event.overall, event.measured.total
    hits, misses = measured.lookups
    return {
        "type": "result",
        "ts": timestamp(event.wall_s),
        "duration_secs": secs(event.duration_ns),
        "interrupted": event.interrupted,
        "embedded": event.embedded,
        "loop": _loop(event.plan),
        "requests": total.planned,
        "responses": total.answered,
        "responses_in_time": measured.answered_in_time,
        "errors": total.not_ok,
        "err_pct": percent(total.not_ok / total.planned if total.planned else None),
        "hits": hits,
        "misses": misses,
        "hit_pct": percent(measured.hit_rate),
        "throughput": int(event.throughput_per_s),
        "ok_per_s": number(round(event.ok_per_s, 3)),
        "rx_bytes": measured.rx_bytes,
        "tx_bytes": measured.tx_bytes,
        "rx_bps": int(per_s(8 * measured.rx_bytes, event.duration_ns)),
        "tx_bps": int(per_s(8 * measured.tx_bytes, event.duration_ns)),
        **{name: _command(measured, name) for name in MIXED if name in measured.commands or name in ALWAYS_IN_RESULT},
        **({"backfill_set": _command(measured, "backfill")} if "backfill" in measured.commands else {}),
        "conns_active": measured.connections.active,
        "conns_failed": overall.connections.failed,
        "latency": {
            command: {clock: in_ns(measured.latency(command, clock)) for clock in ("response", "service")}
            for command in ("all", *measured.commands)
        },
        **({"lag": _lag(measured), "lag_histograms": lag_payloads(measured)} if event.plan.load.open_loop else {}),
        **({"overload": _overload(event.overload)} if event.overload is not None else {}),
        "counts": all_counts(measured),
        "commands": {command: counts(measured.tallies[command]) for command in measured.commands},
        "totals": totals(overall),
        "unaccounted": event.unaccounted,
        "connections": connections(overall, measured.connections.idle),
        **pushes(overall),
        "client": {
            "cpu_s": measured.cpu_ns / NS_PER_S,
            "cpu_us_per_request": event.cpu_us_per_request,
            "max_rss_bytes": event.max_rss_bytes,
            "workers": len(event.plan.workers),
        },
        **({"server": _server(event.server)} if event.server is not None else {}),
        "verdict": verdict(event),
        **({"slo": [_evaluation(check) for check in event.checks]} if event.checks else {}),
        **({"checks": [_checked(each) for each in event.checked]} if event.checked else {}),
        **({"faults": [report(each, event.began_ns) for each in event.faults]} if event.faults else {}),
        **({"outages": [_outage(each, event.began_ns) for each in event.outages]} if _has_outages(event) else {}),
        **({"changes": [_change(each, event.began_ns) for each in event.changes]} if event.changes else {}),
        **({"phases": [_phase(each) for each in event.by_phase]} if event.by_phase else {}),
        **nodes.in_result(event),
        **hosts.in_result(event),
        **history(event.history),
        **monitors(event.monitors),
        "signs": _signs(event.signs),
        "standing": _standing(event),
        "error_examples": examples(event),
        "seed": event.plan.seed,
        **({"test": event.plan.test} if event.plan.test else {}),
        "histograms": payloads(measured),
    }


def _has_outages(event: Result) -> bool:
    return bool(event.faults or event.outages)


def _change(change: TopologyChanged, since_ns: int) -> dict[str, Any]:
    return {"at_secs": secs(change.at_ns - since_ns), "words": texts(change.words)}


def _outage(outage: Outage, since_ns: int) -> dict[str, Any]:
    return {
        "node": outage.node,
        "name": text(outage.name) or None,
        "planned": outage.is_planned,
        **{
            name: None if at_ns is None else secs(at_ns - since_ns)
            for name, at_ns in (
                ("began_secs", outage.began_ns),
                ("ended_secs", outage.ended_ns),
                ("first_failed_secs", outage.first_failed_ns),
                ("last_failed_secs", outage.last_failed_ns),
                ("back_secs", outage.back_ns),
            )
        },
        "outage_secs": None if outage.lasted_ns is None else secs(outage.lasted_ns),
        "recovered_secs": None if outage.recovered_ns is None else secs(outage.recovered_ns),
        "failed": outage.failed,
        "refused": outage.refused,
        "has_baseline": outage.has_baseline,
    }


def _overload(account: Overload) -> dict[str, Any]:
    return {
        **asdict(account),
        "offered_per_s": number(round(account.offered_per_s, 3)),
        "served_per_s": number(round(account.served_per_s, 3)),
    }


def _phase(each: PhaseCounted) -> dict[str, Any]:
    return {
        "shape": each.phase.shape,
        "for_secs": secs(each.phase.length_ns),
        "from_per_s": number(each.phase.from_per_s),
        "to_per_s": number(each.phase.to_per_s),
        "due": each.phase.requests,
        "offered_per_s": each.phase.offered_per_s,
        "achieved_per_s": each.achieved_per_s,
        "counted_secs": secs(each.counted_ns),
        "latency": {"all": {"response": in_ns(each.counted.latency())}},
        "commands": {command: counts(each.counted.tallies[command]) for command in each.counted.commands},
    }


def _server(report: ServerReport) -> dict[str, Any]:
    return {
        "name": text(report.name),
        "secs": secs(report.used.at_ns),
        "requests": report.requests,
        "cpu_s": report.used.cpu_ns / NS_PER_S,
        "cpu_share": round(report.used.cpu_share, 6),
        "cpu_us_per_request": cpu_us(report.cpu_us_per_request),
        "max_rss_bytes": report.max_rss_bytes,
        "max_threads": report.max_threads,
        "max_fds": report.max_fds,
        "fate": text(report.exit_report) or None,
        "complaints": texts(report.log_errors),
    }


def _command(measured: Snapshot, command: str) -> dict[str, Any]:
    return {"count": measured.tallies.get(command, Tally()).answered, **in_us(measured.latency(command))}


def _lag(measured: Snapshot) -> dict[str, Any]:
    return {
        **in_ns(measured.lag),
        "ours": in_ns(measured.lag_ours),
        "backpressure": in_ns(measured.lag_backpressure),
        "ours_at_most": in_ns(measured.lag_ours_at_most),
    }


def _evaluation(check: Evaluation) -> dict[str, Any]:
    return {
        **_objective(check.objective),
        "measured": None if check.measured is None else number(check.measured),
        "answer": str(check.answer),
        "lower_bound": check.is_lower_bound,
        "few_samples": check.has_few_samples,
        "failed_share": round(check.failed, 6),
    }


def _check(check: Check) -> dict[str, Any]:
    return {"expr": text(check.expr), "level": str(check.level)}


def _checked(each: Checked) -> dict[str, Any]:
    return {**_check(each.check), "answer": str(each.verdict), "found": text(each.found)}


def _signs(signs: Signs) -> dict[str, Any]:
    return {
        "workers": [
            {
                "index": worker.index,
                **({"agent": text(worker.host)} if worker.host else {}),
                "cpu_share": share(worker.cpu_ns, worker.wall_ns),
                "queue_share": share(worker.queued_ns, worker.wall_ns),
                "longest_pause_ns": worker.pauses.longest_ns,
                "paused": {
                    "pauses": worker.pauses.count,
                    "busy_ns": worker.pauses.busy_ns,
                    "queued_ns": worker.pauses.queued_ns,
                    "stopped_ns": worker.pauses.stopped_ns,
                },
                "overdue": worker.overdue,
                "throttled": worker.throttled,
                "quota_cpus": worker.quota_cpus,
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
        "ceiling_per_s": number(ceiling.throughput_per_s),
        "share": round(part, 6),
        "floor_p50_ns": ceiling.floor_p50_ns,
        "floor_p99_ns": ceiling.floor_p99_ns,
        "taken": text(ceiling.taken),
    }


def _loop(plan: Plan) -> str:
    return "open" if plan.load.open_loop else "closed"
