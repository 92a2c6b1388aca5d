"""The events of a run, from its records: `config`, `phase`, `sample` and `result`. No I/O."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from loadgen.command import APART, MIXED
from loadgen.events import Configured, PhaseBegan, PhaseCounted, Result, Sample, TopologyChanged
from loadgen.faults.report import Outage
from loadgen.judge.judging import Judging
from loadgen.overload import Overload
from loadgen.phase import Phase
from loadgen.plan import (
    Endpoint,
    Keyspace,
    Load,
    LoadPhase,
    Plan,
    Segment,
    Target,
    TlsPlan,
    Weights,
    Wire,
    WorkerPlan,
    Workload,
)
from loadgen.protocol import PROTOCOLS
from loadgen.record.read import hosts, nodes
from loadgen.record.read.accounts import (
    check,
    checked,
    checks,
    commands,
    connections,
    errors,
    examples,
    history,
    others,
    turnover,
)
from loadgen.record.read.fields import Fields
from loadgen.record.read.latency import shown, shown_in_us, whole
from loadgen.record.read.monitors import monitors
from loadgen.record.read.reasons import reasons, without
from loadgen.record.read.search import quantile_limits
from loadgen.record.read.trial import fault, report
from loadgen.severity import Severity
from loadgen.signs import Ceiling, HostSigns, PauseAccount, Signs, WorkerSigns
from loadgen.slo import Objective, Unit
from loadgen.snapshot import Backlog, Histogram, Snapshot, Tally
from loadgen.stats.search import SearchSettings
from loadgen.units import MAX_DURATION_NS, NS_PER_S, NS_PER_US
from loadgen.usage import ServerReport, Usage

MOST_WORKERS = 10_000

_PROTOCOLS = {protocol.record_name: protocol.name for protocol in PROTOCOLS.values()}


def configured(record: Fields) -> Configured:
    search = record.may("search")
    return Configured(
        plan=plan(record),
        judging=Judging(
            tuple(map(objective, record.parts("slo"))),
            tuple(map(check, record.parts("checks"))) if "checks" in record else (),
        ),
        version=record.text("version"),
        warnings=reasons(record, "warnings"),
        embedded=bool(record.get("embedded", False)),
        server=record.text(record.named("identity", "server")),
        search=None if search is None else SearchSettings(limits=quantile_limits(record.parts("search"))),
        host=record.text("host"),
        faults=tuple(map(fault, record.parts("faults"))) if "faults" in record else (),
        agents=hosts.in_config(record),
        dry_run=bool(record.may("dry_run", False)),
        wall_s=record.wall_s(),
    )


def plan(record: Fields) -> Plan:
    """Return the plan of a `config` record. Parts that no output shows, such as a password, are empty."""
    weights = record.part("weights")
    return Plan(
        target=Target(
            protocol=_PROTOCOLS.get(record.text("protocol"), record.text("protocol").lower() or "resp"),
            endpoints=tuple(_endpoint(words) for words in record.text("target").split(",") if words),
            sharding=str(record.may("sharding", "ketama")),
            database=int(record.may("database", 0)),
            tls=TlsPlan() if record.get("tls", False) else None,
        ),
        wire=Wire(
            connections=record.count("conns"),
            pipeline_depth=record.count("pipeline"),
            batch_size=record.count("batch_size"),
            connect_timeout_ns=0,
            request_timeout_ns=record.ns("request_timeout_secs"),
            request_distribution=record.text("request_distribution"),
            refill=str(record.may("refill", "slot")),
            spin=bool(record.get("spin", False)),
        ),
        workload=Workload(
            keyspace=Keyspace(
                count=record.count("keyspace"),
                length=record.count("key_size"),
                distribution=record.text("key_distribution"),
                zipf_exponent=float(record.may("zipf_exponent", 0.0)),
                prefix=str(record.may("key_prefix", "")),
                counters=int(record.may("counters", 0)),
            ),
            weights=Weights(**{name: int(weights.may(name, 0)) for name in MIXED}),
            value_bytes=record.count("value_size"),
            keys_per_request=int(record.may("keys_per_request", 1)),
            ttl_ns=record.ns("ttl_secs") if record.may("ttl_secs") else 0,
            prefill=bool(record.get("prefill", False)),
            backfill_on_miss=bool(record.get("backfill_on_miss", False)),
        ),
        load=Load(
            warmup_ns=record.ns("warmup_secs"),
            duration_ns=record.ns("duration_secs") if record.may("duration_secs") else 0,
            interval_ns=record.ns("interval_secs"),
            profile=tuple(map(_segment, record.parts("profile"))),
            arrival=record.text("arrival"),
            requests=int(record.may("request_limit") or 0),
        ),
        seed=record.count("seed"),
        workers=_workers(record.count("threads"), str(record.may("cpu_list", ""))),
        test=str(record.may("test", "")),
    )


def _endpoint(words: str) -> Endpoint:
    if words.startswith("unix:"):
        return Endpoint.at_path(words.removeprefix("unix:"))
    host, _, port = words.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    return Endpoint(host, int(port), host)


def _segment(record: Fields) -> Segment:
    ends = record.number("from_per_s"), record.number("to_per_s")
    length_ns = record.ns("for_secs") if record.may("for_secs") is not None else MAX_DURATION_NS
    return Segment(length_ns, *ends, round(float(record.may("period_secs", 0)) * NS_PER_S))


def _workers(count: int, cpu_list: str) -> tuple[WorkerPlan, ...]:
    """Return `count` workers on these CPUs, with equal shares: their true shares of the load are not recorded."""
    if count > MOST_WORKERS:
        raise ValueError(f"{count} workers are more than any machine has CPUs")
    cpus = [int(cpu) for cpu in cpu_list.split(",") if cpu]
    return tuple(WorkerPlan(0, cpus[n % len(cpus)] if cpus else None, (), 1 / count, 0, 0) for n in range(count))


def objective(record: Fields) -> Objective:
    command = record.text("command")
    return Objective(
        record.text("metric"), record.number("limit"), Unit(record.text("unit")), "" if command == "all" else command
    )


def phase(record: Fields) -> PhaseBegan:
    return PhaseBegan(record.text("phase"), record.wall_s())


def topology(record: Fields) -> TopologyChanged:
    """Return the event of a record. Its monotonic time, which is in no record, is 0."""
    return TopologyChanged(0, record.wall_s(), record.texts("changes"))


def sample(record: Fields) -> Sample:
    interval_ns = record.ns("interval_secs") or NS_PER_S
    tallies = commands(record) if "commands" in record else _rates(record, interval_ns)
    total = Snapshot(tallies=tallies).total
    latency = record.part("latency").part("all") if "latency" in record else None
    response = shown(latency.part("response")) if latency else shown_in_us(record, total.answered)
    return Sample(
        phase=Phase.MEASURE,
        wall_s=record.wall_s(),
        interval_ns=interval_ns,
        interval=Snapshot(
            tallies=tallies,
            response={_first(tallies): response} if response.count else {},
            backlog=_backlog(record.part("backlog")) if record.may("backlog") else Backlog(),
            lag_ours=shown_in_us(record.part("lag_ours"), total.answered) if record.may("lag_ours") else Histogram(),
            nodes=nodes.in_sample(record),
            **turnover(record),
        ),
        server=usage(record.part("server"), interval_ns) if record.may("server") else None,
        offered=round(float(record.may("offered_s", 0)) * interval_ns / NS_PER_S),
        growing=bool(record.part("backlog").get("growing", False)) if record.may("backlog") else False,
        hosts=hosts.in_sample(record),
    )


def _backlog(record: Fields) -> Backlog:
    return Backlog(record.count("requests"), record.count("age_ns"))


def _overload(record: Fields) -> Overload:
    return Overload(
        offered_per_s=record.number("offered_per_s"),
        served_per_s=record.number("served_per_s"),
        backlog=_backlog(record.part("backlog")),
        growing=bool(record.get("growing", False)),
        only_grew=bool(record.get("only_grew", False)),
        left_by_warmup=record.count("left_by_warmup"),
        named=bool(record.get("named", False)),
    )


def _first(tallies: dict[str, Tally]) -> str:
    """Return a command of the mix, under which the latency of all commands is stored."""
    return next((command for command in tallies if command not in APART), "all")


def _rates(record: Fields, interval_ns: int) -> dict[str, Tally]:
    """Return tallies in whole requests for a row of an older loadgen, which has rates only."""
    record.get("commands", None)
    answered = round(record.number("req_s") * interval_ns / NS_PER_S)
    failed = round(record.number("err_s") * interval_ns / NS_PER_S)
    hits = round(answered * float(record.may("hit_pct", 0)) / 100)
    misses = answered - hits if record.may("hit_pct") is not None else 0
    return {"get": Tally(planned=answered + failed, ok=answered, unfinished=failed, hits=hits, misses=misses)}


def usage(record: Fields, interval_ns: int) -> Usage:
    cpu_s = record.may("cpu_s")
    cpu_ns = record.number("cpu_share") * interval_ns if cpu_s is None else float(cpu_s) * NS_PER_S
    counts = (record.count(name) for name in ("rss_bytes", "threads", "fds"))
    return Usage(interval_ns, round(cpu_ns), *counts)


def result(record: Fields, plan: Plan) -> Result:
    """Return the Result of a run of this plan."""
    measured = _measured(record)
    verdict = record.part("verdict")
    ended = Result(
        plan=plan,
        measured=measured,
        duration_ns=record.ns("duration_secs"),
        phases={"others": others(record, measured), Phase.MEASURE: measured},
        max_rss_bytes=record.part("client").count("max_rss_bytes"),
        embedded=bool(record.get("embedded", False)),
        interrupted=bool(record.get("interrupted", False)),
        reasons=reasons(verdict, "failed_because", Severity.FAILED),
        notes=reasons(verdict, "warnings"),
        examples=examples(record),
        signs=_signs(record),
        overload=_overload(record.part("overload")) if record.may("overload") else None,
        checks=checks(record, objective),
        checked=tuple(map(checked, record.parts("checks"))) if "checks" in record else (),
        server=_server(record.part("server")) if record.may("server") else None,
        faults=tuple(map(report, record.parts("faults"))) if "faults" in record else (),
        outages=tuple(map(_outage, record.parts("outages"))) if "outages" in record else (),
        changes=tuple(map(_change, record.parts("changes"))) if "changes" in record else (),
        hosts=hosts.in_result(record),
        by_phase=tuple(map(_phase, record.parts("phases"))) if "phases" in record else (),
        history=history(record),
        monitors=monitors(record),
        wall_s=record.wall_s(),
    )
    # `invalid_because` derives some reasons from the counts, so the record's copies of those are dropped.
    said = without(reasons(verdict, "reasons", Severity.INVALID), ended.invalid_because)
    return replace(ended, reasons=(*ended.reasons, *said))


def _outage(record: Fields) -> Outage:
    """Return an outage whose times count from the start of the window, as in the record."""

    def at_ns(name: str) -> int | None:
        return None if record.may(name) is None else record.ns(name)

    return Outage(
        node=record.count("node"),
        began_ns=record.ns("began_secs"),
        ended_ns=at_ns("ended_secs"),
        first_failed_ns=at_ns("first_failed_secs"),
        last_failed_ns=at_ns("last_failed_secs"),
        back_ns=at_ns("back_secs"),
        failed=record.count("failed"),
        refused=record.count("refused"),
        has_baseline=bool(record.get("has_baseline", True)),
        is_planned=bool(record.get("planned", True)),
        name=str(record.may("name", "")),
    )


def _change(record: Fields) -> TopologyChanged:
    """Return a change whose time counts from the start of the window, as in the record."""
    return TopologyChanged(record.ns("at_secs"), 0.0, record.texts("words"))


def _phase(record: Fields) -> PhaseCounted:
    ends = record.number("from_per_s"), record.number("to_per_s")
    phase = LoadPhase(record.text("shape"), record.ns("for_secs"), *ends, record.number("due"))
    tallies, response = commands(record), shown(record.part("latency").part("all").part("response"))
    counted = Snapshot(tallies=tallies, response={_first(tallies): response} if response.count else {})
    return PhaseCounted(phase, record.ns("counted_secs"), counted)


def _measured(record: Fields) -> Snapshot:
    tallies = commands(record)
    latency, payloads = record.part("latency"), record.part("histograms").values
    lag = record.part("lag") if "lag" in record else None
    clocks: dict[str, dict[str, Histogram]] = {"response": {}, "service": {}}
    for clock, histograms in clocks.items():
        for command in tallies:
            payload = payloads.get(command, {}).get(clock)
            if command in latency and (clock == "response" or lag is not None):
                histograms[command] = whole(payload, latency.part(command).part(clock))
    return Snapshot(
        tallies=tallies,
        response=clocks["response"],
        service=clocks["service"],
        **(_lags(record, lag) if lag is not None else {}),
        errors=errors(record),
        nodes=nodes.in_result(record),
        redirects=dict(record.may("redirects", {})),
        **connections(record, active=record.count("conns_active")),
        rx_bytes=record.count("rx_bytes"),
        tx_bytes=record.count("tx_bytes"),
        answered_in_time=_in_time(record),
        cpu_ns=round(record.part("client").number("cpu_s") * NS_PER_S),
        ok_in_time=round(record.number("ok_per_s") * record.number("duration_secs")),
    )


def _in_time(record: Fields) -> int:
    """Return the replies within the window; for an older record, from the throughput in whole requests per second."""
    if "responses_in_time" in record:
        return record.count("responses_in_time")
    record.get("responses_in_time", None)
    return round(record.number("throughput") * record.number("duration_secs"))


def _lags(record: Fields, lag: Fields) -> dict[str, Any]:
    payloads = record.part("lag_histograms").values
    parts = {"lag": lag, "lag_ours": lag.part("ours"), "lag_backpressure": lag.part("backpressure")}
    lags = {name: whole(payloads.get(name), said) for name, said in parts.items()}
    if (most := lag.may("ours_at_most")) and most != lag.get("ours", {}):
        # A record does not say of which requests the lag is uncertain, so all of `lag_ours` is taken as uncertain.
        lags |= {"lag_unsure": lags["lag_ours"], "lag_unsure_most": whole(None, lag.part("ours_at_most"))}
    return lags


def _signs(record: Fields) -> Signs:
    signs, standing = record.part("signs"), record.may("standing")
    host = HostSigns(signs.may("steal_share"), str(signs.may("clock_source", "")))
    ceiling = None if standing is None else _ceiling(record.part("standing"))
    return Signs(tuple(map(_worker, signs.parts("workers"))), host, ceiling=ceiling)


def _ceiling(record: Fields) -> Ceiling:
    floors = record.count("floor_p50_ns"), record.count("floor_p99_ns")
    return Ceiling(record.number("ceiling_per_s"), *floors, record.text("taken"))


def _worker(record: Fields) -> WorkerSigns:
    """Return one worker's signs. The record has shares of time only, so they become parts of one second."""
    paused, share = record.part("paused"), record.may("queue_share")
    parts = (paused.count(name) for name in ("busy_ns", "queued_ns", "stopped_ns"))
    return WorkerSigns(
        index=record.count("index"),
        wall_ns=NS_PER_S,
        cpu_ns=round(float(record.may("cpu_share", 0)) * NS_PER_S),
        queued_ns=None if share is None else round(float(share) * NS_PER_S),
        pauses=PauseAccount(paused.count(paused.named("pauses", "count")), record.count("longest_pause_ns"), *parts),
        overdue=record.count("overdue"),
        throttled=record.may("throttled"),
        quota_cpus=record.may("quota_cpus"),
        host=str(record.may("agent", "")),
    )


def _server(record: Fields) -> ServerReport:
    cpu_ns = round(record.number("cpu_s") * NS_PER_S)
    share, per_request = record.number("cpu_share"), record.may("cpu_us_per_request")
    watched_ns = record.ns("secs") if "secs" in record else round(cpu_ns / share) if share else 0
    requests = record.count("requests") if "requests" in record else 0
    if not requests and per_request:
        requests = round(cpu_ns / NS_PER_US / per_request)
    rss, threads, fds = (record.count(f"max_{name}") for name in ("rss_bytes", "threads", "fds"))
    return ServerReport(
        name=record.text("name"),
        used=Usage(watched_ns, cpu_ns, rss, threads, fds),
        requests=requests,
        max_rss_bytes=rss,
        max_threads=threads,
        max_fds=fds,
        exit_report=str(record.may("fate", "")),
        log_errors=record.texts("complaints"),
    )
