"""Causes that may have held the generator up, from the machine's signs: each in words, with its cost and its remedy.

Pure functions. They do not know whether anything was late: `verdict` does, and chooses among the causes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from loadgen.hosts import HostPart
from loadgen.reason import Code
from loadgen.signs import HostSigns, Signs, WorkerSigns
from loadgen.units import percent, span

OWN_LATENCY = "part of this latency is the generator's own"
OWN_LIMIT = "the generator, not the server, may be the limit"
MORE_WORKERS = "use more workers (general.threads)"
LESS_LOAD = f"{MORE_WORKERS} or a lower rate"
_MACHINES_LATENCY = "part of this latency is the machine's"

CLOCK_SOURCES = {"tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page"}
"""Clock sources that Linux reads without a system call. `xen` is not one of them: on EC2 it takes one, and is slow."""

# More workers than this are counted, and not named one by one.
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that kept the generator from sending in time, or may have."""

    words: str
    """The event and its size."""
    effect: str
    """The effect on the numbers of a run that is valid all the same."""
    remedy: str
    cost_ns: float
    """The time that it took from all workers together; 0 where that is not known."""
    is_sign: bool
    """True when it is beyond its limit, so that it is reported even where nothing was late."""
    code: Code
    """The code of the reason when the cause is reported by itself."""


def causes(
    signs: Signs,
    *,
    cpu_share: float,
    queue_share: float,
    steal_share: float,
    pause_ns: int,
    open_loop: bool,
    hosts: Sequence[HostPart] = (),
) -> tuple[Cause, ...]:
    """Return at most one cause of each kind, over all workers. A cause beyond its limit of `[verdict]` is a sign.

    `hosts`: the machines' parts, where several sent the load. What the leader's machine did to itself is then no cause.
    """
    workers = [worker for worker in signs.workers if worker.wall_ns > 0]
    throttled = [worker for worker in workers if _is_throttled(worker)]
    machines = {part.name: part.host for part in hosts if part.host is not None} if hosts else {"": signs.host}
    return (
        *_busy(workers, cpu_share, pause_ns, open_loop),
        *_throttled(throttled),
        *_queued([worker for worker in workers if worker not in throttled], queue_share, pause_ns),
        *_stopped([worker for worker in workers if worker not in throttled], pause_ns),
        *_stolen(workers, machines, steal_share),
        *_slow_clock(machines),
    )


def _busy(workers: Sequence[WorkerSigns], cpu_share: float, pause_ns: int, open_loop: bool) -> Iterator[Cause]:
    full = [worker for worker in workers if worker.cpu_ns > cpu_share * worker.wall_ns]
    if full:
        share = percent(max(worker.cpu_ns / worker.wall_ns for worker in full))
        used = f"used {share} of its CPU" if len(full) == 1 else f"used up to {share} of a CPU each"
        effect, remedy = (OWN_LATENCY, LESS_LOAD) if open_loop else (OWN_LIMIT, MORE_WORKERS)
        yield Cause(
            f"{_names(full)} {used}", effect, remedy, sum(worker.cpu_ns for worker in full), True, Code.CPU_BUSY
        )
        return
    late = _most(workers, lambda worker: worker.pauses.busy_ns)
    if late:
        cost_ns = sum(worker.pauses.busy_ns for worker in workers)
        words = f"{_names(late)} had too much work at once, and fell behind by {span(cost_ns)} in total"
        is_sign = any(_stood_still(worker, worker.pauses.busy_ns, pause_ns) for worker in workers)
        yield Cause(words, OWN_LATENCY, LESS_LOAD if open_loop else MORE_WORKERS, cost_ns, is_sign, Code.CPU_BUSY)


def _queued(workers: Sequence[WorkerSigns], queue_share: float, pause_ns: int) -> Iterator[Cause]:
    beyond = [
        worker
        for worker in workers
        if _queued_ns(worker) > queue_share * worker.wall_ns or _stood_still(worker, worker.pauses.queued_ns, pause_ns)
    ]
    named = beyond or _most(workers, _queued_ns)
    if named:
        share = percent(max(_queued_ns(worker) / worker.wall_ns for worker in named))
        up_to = "" if len(named) == 1 else "up to "
        # A quota that was never used up kept no worker waiting.
        whose = "other programs" if all(worker.throttled == 0 for worker in named) else "other programs or a CPU quota"
        yield Cause(
            f"{_names(named)} waited for a CPU {up_to}{share} of the time ({whose})",
            _MACHINES_LATENCY,
            "reserve CPUs for the workers (general.cpu_list)",
            sum(map(_queued_ns, workers)),
            bool(beyond),
            Code.CPU_AWAITED,
        )


def _stopped(workers: Sequence[WorkerSigns], pause_ns: int) -> Iterator[Cause]:
    named = _most(workers, lambda worker: worker.pauses.stopped_ns)
    if named:
        longest = span(max(worker.pauses.stopped_ns for worker in named))
        stopped = f"was stopped for {longest}" if len(named) == 1 else f"were stopped for up to {longest}"
        yield Cause(
            f"{_names(named)} {stopped} (SIGSTOP, a debugger, swapping, a suspended machine)",
            _MACHINES_LATENCY,
            "repeat the run undisturbed",
            sum(worker.pauses.stopped_ns for worker in workers),
            any(_stood_still(worker, worker.pauses.stopped_ns, pause_ns) for worker in workers),
            Code.WORKER_STOPPED,
        )


def _throttled(workers: Sequence[WorkerSigns]) -> Iterator[Cause]:
    """Yield the cause for workers whose CPU quota was used up."""
    if not workers:
        return
    share = percent(max(_held_ns(worker) / worker.wall_ns for worker in workers))
    quota = min((worker.quota_cpus for worker in workers if worker.quota_cpus is not None), default=None)
    size = "" if quota is None else f" of {quota:.3g} CPUs"
    times = max(worker.throttled or 0 for worker in workers)
    held = "was held up" if len(workers) == 1 else "were held up for up to"
    yield Cause(
        f"{_names(workers)} {held} {share} of the time by a CPU quota{size}, which was used up {times:,} times",
        _MACHINES_LATENCY,
        "raise the quota of the control group (cpu.max), or use a lower rate or fewer workers (general.threads)",
        sum(map(_held_ns, workers)),
        True,
        Code.CPU_QUOTA,
    )


def _is_throttled(worker: WorkerSigns) -> bool:
    """True when the worker's CPU quota took at least half of the time in which it was kept from running."""
    return bool(worker.throttled) and worker.throttled_ns >= _held_ns(worker) / 2 > 0


def _held_ns(worker: WorkerSigns) -> int:
    """Return how long a worker was kept from running. Kernels count a quota's time as waiting for a CPU, or not."""
    return max(_queued_ns(worker), worker.pauses.stopped_ns)


def _queued_ns(worker: WorkerSigns) -> int:
    return worker.pauses.queued_ns if worker.queued_ns is None else worker.queued_ns


def _stolen(workers: Sequence[WorkerSigns], machines: Mapping[str, HostSigns], steal_share: float) -> Iterator[Cause]:
    shares = {name: host.steal_share for name, host in machines.items() if host.steal_share}
    if not shares:
        return
    beyond = [name for name, share in shares.items() if share > steal_share]
    named = beyond or [max(shares, key=lambda name: shares[name])]
    up_to = "" if len(named) == 1 else "up to "
    yield Cause(
        f"CPU steal{_on(named)} was {up_to}{percent(max(shares[name] for name in named))} (the hypervisor ran other "
        "machines)",
        _MACHINES_LATENCY,
        "use a machine with dedicated CPUs" if len(named) == 1 else "use machines with dedicated CPUs",
        sum(shares.get(worker.host, 0.0) * worker.wall_ns for worker in workers),
        bool(beyond),
        Code.CPU_STOLEN,
    )


def _slow_clock(machines: Mapping[str, HostSigns]) -> Iterator[Cause]:
    slow = {name: host.clock_source for name, host in machines.items()}
    slow = {name: source for name, source in slow.items() if source and source not in CLOCK_SOURCES}
    if slow:
        yield Cause(
            f"the kernel's clock source{_on([*slow])} is {_all(sorted(set(slow.values())))}, which takes a system call "
            "to read",
            OWN_LATENCY,
            "choose a faster clock source (/sys/devices/system/clocksource/clocksource0)",
            0,
            True,
            Code.SLOW_CLOCK,
        )


def _most(workers: Sequence[WorkerSigns], part_ns: Callable[[WorkerSigns], int]) -> list[WorkerSigns]:
    """Return the worker with the largest part, and those with at least half as much."""
    most_ns = max(map(part_ns, workers), default=0)
    return [worker for worker in workers if most_ns and part_ns(worker) >= most_ns / 2]


def _stood_still(worker: WorkerSigns, part_ns: int, pause_ns: int) -> bool:
    """True when a worker paused for too long, and `part_ns` is at least half of the largest part of its pauses."""
    pauses = worker.pauses
    return pauses.longest_ns > pause_ns and part_ns >= max(pauses.busy_ns, pauses.queued_ns, pauses.stopped_ns) / 2 > 0


def _names(workers: Sequence[WorkerSigns]) -> str:
    """Return names such as "worker 0", "workers 0, 1 and 3", "worker 2 (on db1)", "24 workers (on db1 and db2)"."""
    *others, last = (str(worker.index) for worker in workers)
    named = f"workers {_all([*others, last])}" if others else f"worker {last}"
    if len(workers) > _MOST_NAMED:
        named = f"{len(workers)} workers"
    on = _on(list(dict.fromkeys(worker.host for worker in workers)))
    return f"{named} ({on.strip()})" if on else named


def _on(machines: Sequence[str]) -> str:
    """Return " on db1 and db2", or " on 24 hosts"; empty for the leader's machine, whose name is empty."""
    named = [name for name in machines if name]
    if len(named) > _MOST_NAMED:
        return f" on {len(named)} hosts"
    return f" on {_all(named)}" if named else ""


def _all(words: Sequence[str]) -> str:
    """Return "a", "a and b", "a, b and c"."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
