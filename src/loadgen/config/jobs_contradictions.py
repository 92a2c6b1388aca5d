"""What contradicts itself in a test of jobs: each with the key that is to change, and a sentence. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from loadgen.config.placement import is_loopback
from loadgen.config.tables.table import Path
from loadgen.faults.fault import Fault, Layer
from loadgen.jobs.load.plan import OURS, JobsPlan
from loadgen.jobs.url import SqliteUrl, parse
from loadgen.units import format_duration

DURABILITIES = {"sqlite": ("full", "normal"), "redis": ("always", "everysec", "none")}
"""By storage, how durable it can be asked to be."""

OF_WORKERS = ("kill", "pause")
"""The kinds of faults that can be on workers."""

OF_SQLITE = ("power_cut", "disk_full")
"""The kinds of faults that can be on a file of SQLite, which has no server."""

_OF_OURS = ("sweep", "max_deliveries", "result_ttl", "renews", "name")
"""The keys of [queue] that a library has no setting for, or its own."""

Found = Iterator[tuple[Path, str]]


def contradictions(plan: JobsPlan, tree: Mapping[str, Any]) -> Found:
    """Yield every contradiction of a plan. `tree` are the tables that it was read from."""
    if not (plan.publishing.kinds or plan.chains or plan.scheduling or "jobs" in tree):
        yield (), "there is nothing to do; add [[jobs]] with jobs = 1000, [chains] or [schedules]"
    yield from _of_the_storage(plan, _given(tree, "queue"))
    yield from _of_ours(plan, _given(tree, "queue"), tree) if plan.is_ours else _of_a_library(plan, tree)
    yield from _of_the_placement(plan)
    yield from _of_the_publishes(plan)
    yield from _of_the_faults(plan)
    yield from _of_the_monitors(plan)


def _given(tree: Mapping[str, Any], table: str) -> Mapping[str, Any]:
    found = tree.get(table)
    return found if isinstance(found, dict) else {}


# ── The queue ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_the_storage(plan: JobsPlan, given: Mapping[str, Any]) -> Found:
    url = parse(plan.storage) if plan.storage else None
    if url is not None and isinstance(url, SqliteUrl) != (plan.adapter == "sqlite"):
        its, other = ("a file of SQLite", "Redis") if plan.adapter == "sqlite" else ("Redis", "a file of SQLite")
        yield (
            ("queue", "storage"),
            f"the adapter {plan.adapter} keeps its jobs in {its}, and {url} is {other}; name another storage, or "
            "another adapter",
        )
    durability = plan.queue.durability
    if not durability or "durability" not in given:
        return
    known = DURABILITIES["sqlite" if plan.adapter == "sqlite" else "redis"]
    if durability not in known:
        yield ("queue", "durability"), f"must be one of {', '.join(known)} with {plan.adapter}, not {durability}"
    elif plan.adapter != "sqlite" and plan.storage:
        yield (
            ("queue", "durability"),
            "is set in a Redis that loadgen starts; leave it out, or leave out the storage",
        )


def _of_ours(plan: JobsPlan, given: Mapping[str, Any], tree: Mapping[str, Any]) -> Found:
    if "settings" in tree:
        yield ("settings",), f"are those of a library, and {plan.adapter} is a queue of loadgen's own; leave them out"
    if plan.is_ours and plan.queue.sweep_ns > plan.queue.lease_ns and {"sweep", "lease"} & {*given}:
        yield ("queue", "sweep"), "is the time between two sweeps, and longer than the lease; shorten it"


def _of_a_library(plan: JobsPlan, tree: Mapping[str, Any]) -> Found:
    for key in _OF_OURS:
        if key in _given(tree, "queue"):
            yield ("queue", key), f"is a setting of loadgen's own queues; leave it out with {plan.adapter}"
    for table, what in (("chains", "the value of a job"), ("schedules", "operations on schedules")):
        if table in tree:
            yield (table,), f"takes {what}, which no adapter of a library has; use one of {', '.join(OURS)}"
    for key in ("batch", "submissions"):
        if _given(tree, "publish").get(key, 1) != 1:
            yield ("publish", key), f"is for loadgen's own queues only; leave it out with {plan.adapter}"


# ── Placement ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_the_placement(plan: JobsPlan) -> Found:
    """Yield why workers in network namespaces cannot reach their queue."""
    if not plan.namespaces or plan.adapter == "sqlite":
        return
    reach = "write an address of this machine that the network namespaces of the workers reach"
    if not plan.storage:
        yield (
            ("placement", "workers"),
            "the Redis that loadgen starts is on loopback, where network namespaces do not reach it; start one that "
            "listens on their links, and name it by storage in [queue]",
        )
    elif is_loopback(getattr(parse(plan.storage), "host", "")):
        yield ("queue", "storage"), f"{parse(plan.storage)} is another host in each network namespace; {reach}"
    for index, each in enumerate(plan.faults):
        if not each.on_workers and each.fault.layer is Layer.PROXY:
            yield (
                ("fault", index, "kind"),
                f"{each.fault.kind} is done by a proxy on loopback, where network namespaces do not reach it; use a "
                "fault of the workers, or leave out [placement]",
            )


# ── Publishes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_the_publishes(plan: JobsPlan) -> Found:
    publishing = plan.publishing
    before = "publishes all jobs before the first worker starts"
    if publishing.before_workers and publishing.rate_per_s:
        yield ("publish", "before_workers"), f"{before}, so that a rate says nothing; leave out one of the two"
    if publishing.before_workers and publishing.bursts > 1:
        yield ("publish", "before_workers"), f"{before}, and bursts come later; leave out one of the two"
    if publishing.rate_per_s and publishing.bursts > 1:
        yield ("publish", "bursts"), "are published as fast as can be, and not at a rate; leave out one of the two"
    if publishing.rate_per_s and publishing.batch > 1:
        yield ("publish", "batch"), "publishes many jobs at once, and a rate one by one; leave out one of the two"
    if publishing.bursts > 1 and not publishing.pause_ns:
        yield ("publish", "bursts"), 'take a time from one to the next; add one, such as pause = "3s"'
    if publishing.bursts == 1 and publishing.pause_ns:
        yield ("publish", "pause"), "is the time from one burst to the next; add their number, such as bursts = 5"
    if publishing.kinds and publishing.bursts > publishing.jobs:
        yield ("publish", "bursts"), f"must be at most the number of jobs, {publishing.jobs:,}"


# ── Monitors ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_the_monitors(plan: JobsPlan) -> Found:
    """Yield each monitor that reads the server under load where there is none, or one of another protocol."""
    for index, each in enumerate(plan.monitors):
        if each.server is not None:
            continue
        if each.kind == "memcached":
            why = "reads the server under load, and no queue is in a memcached"
        elif plan.adapter == "sqlite" and (
            each.kind == "redis" or (each.kind == "proc" and not (each.pid or each.process))
        ):
            why = "reads the server under load, and SQLite has none"
        else:
            continue
        yield ("monitor", index, "kind"), f'{why}; write server = "HOST:PORT" in [[monitor]], or another kind'


# ── Faults ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_the_faults(plan: JobsPlan) -> Found:
    for index, each in enumerate(plan.faults):
        path: Path = ("fault", index)
        if each.at_share is not None and not plan.jobs:
            yield (*path, "at"), "is a share of the jobs, and this test has none; write a time"
        yield from (_of_workers if each.on_workers else _of_a_storage)(path, each.fault, plan)
    away_ns = plan.queue.lease_ns + plan.queue.sweep_ns
    if any(each.on_workers for each in plan.faults) and plan.is_ours and plan.patience_ns <= away_ns:
        yield (
            ("patience",),
            f"must be longer than lease and sweep together, {format_duration(away_ns)}: only then are the jobs of a "
            "worker under a fault another's",
        )


def _of_workers(path: Path, fault: Fault, plan: JobsPlan) -> Found:
    if fault.kind not in OF_WORKERS:
        yield (
            (*path, "kind"),
            f"must be one of {', '.join(OF_WORKERS)} on workers, not {fault.kind}; leave out workers to have the fault "
            "on the storage",
        )
    if fault.parameters.get("data") == "gone":
        yield (*path, "data"), "are the files of a server, and workers keep none; leave it out"
    if beyond := [number for number in fault.on if number > plan.workers]:
        there = f"the workers are 1 to {plan.workers}" if plan.workers > 1 else "there is one worker, 1"
        yield (*path, "workers"), f"there is no worker {beyond[0]}; {there}"


def _of_a_storage(path: Path, fault: Fault, plan: JobsPlan) -> Found:
    if beyond := [number for number in fault.on if number > 1]:
        yield (*path, "on"), f"there is no node {beyond[0]}; the storage is node 1, and workers are named by workers"
    if plan.adapter == "sqlite":
        if fault.kind not in OF_SQLITE:
            yield (
                (*path, "kind"),
                f"{fault.kind} is done to a server or its connections, and SQLite has neither; use "
                f"{' or '.join(OF_SQLITE)}, kill or pause with workers, or an adapter on Redis such as streams",
            )
    elif plan.storage and fault.layer is not Layer.PROXY:
        yield (
            (*path, "kind"),
            f"{fault.kind} is done to a server that loadgen has started, and {parse(plan.storage)} runs already; leave "
            "out the storage, or use a fault of the proxy such as latency",
        )
