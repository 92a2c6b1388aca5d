"""Acceptance by figures: rows of one trial each, and what the trial's record must say.

The numbers of the rows are those of the acceptance table of issue 11. Every row demands the verdict PASS of the
built-in client besides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from one_trial import Finding, Record, at, changes, chaos, check_of, counted, passes, phases, spell_of, was_late

BOUND_99 = 2.576
"""The 99.5 % quantile of the normal distribution: both ends of a 99 % interval."""

STAMPEDE_CALLERS = 200

MOST_WON = 1.1
"""The most loads per expiry where the server gives one caller the right to load: a winner's value may come too late."""

LEAST_LOST = 10
"""The least loads per expiry where every caller loads that misses: 1,000 gets a second come, and a load takes 50 ms."""

HALF_OPEN = Path(__file__).parent / "scenarios" / "stopped-while-half-open.toml"


@dataclass(frozen=True)
class Row:
    """One acceptance: the words of its command, and what the record must say besides PASS."""

    name: str
    words: tuple[str, ...]
    judge: Callable[[Record], Iterator[Finding]]
    is_ours: bool = True
    """True for the built-in client: verdicts on other people's clients are findings."""

    def attempt(self) -> tuple[list[Finding], bool]:
        """Run the row once. Return its lines, and whether the machine was late."""
        before = retransmitted()
        _, [trial] = chaos(*self.words)
        trial["retransmitted"] = retransmitted() - before
        if trial["could_not_run"]:
            return [*passes(trial)], False
        verdict = passes(trial) if self.is_ours else [(f"verdict: {trial['verdict']}", True)]
        return [*verdict, *self.judge(trial)], was_late(trial)


def retransmitted() -> int:
    """Return how many TCP segments this host has sent again since it was started."""
    names, numbers = re.findall(r"^Tcp: (.*)$", Path("/proc/net/snmp").read_text(), re.MULTILINE)
    return int(dict(zip(names.split(), numbers.split(), strict=True))["RetransSegs"])


def loss(trial: Record) -> Iterator[Finding]:
    """4.3: as many packets are dropped as the share says, TCP repeats them after 200 ms, and nothing else is seen."""
    [report] = trial["faults"]
    dropped, seen = report["effects"], report["seen"]
    bound = BOUND_99 * math.sqrt(seen * 0.05 * 0.95)
    yield (
        f"dropped {dropped} of {seen} packets: 5 % is {seen / 20:.0f} ± {bound:.0f}",
        abs(dropped - seen / 20) <= bound,
    )
    yield f"segments that the host's TCP sent again: {trial['retransmitted']}", trial["retransmitted"] > 0
    latency = at(trial, "fault", 1)["latency"]
    below, mode, above = (counted(latency, ms, ms + 25) for ms in (175, 200, 225))
    yield f"response times of 175–200, 200–225, 225–250 ms: {below}, {mode}, {above}", mode > max(below, above)
    closed = trial["phases"]["recovery"]["states"]["1"]["closed"]
    yield f"connections closed on node 1: {closed}", closed == 0


def delayed(trial: Record) -> Iterator[Finding]:
    """4.4: replies come as much later as the fault says, and at once after it."""
    p50_ms = at(trial, "fault", 1)["latency"]["p50_ns"] / 1e6
    yield f"p50 on the node: {p50_ms:.2f} ms", 100.0 <= p50_ms <= 103.0
    yield from _back(trial, 1.0)


def killed(trial: Record) -> Iterator[Finding]:
    """4.6: the breaker opens within 2 s, nobody waits while it is open, and it closes within 6 s of the restart."""
    spell, states = spell_of(trial), changes(trial, 1)
    opened = min((each["at_secs"] for each in states if each["after"] == "open"), default=math.inf)
    yield f"open {opened - spell['began_secs']:.2f} s after the kill", opened - spell["began_secs"] <= 2.0
    closed = [each["at_secs"] for each in states if each["after"] == "closed"] or [math.inf]
    yield f"closed {closed[-1] - spell['ended_secs']:.2f} s after the restart", closed[-1] - spell["ended_secs"] <= 6.0
    refusals = check_of(trial, "refusals fast")
    yield f"refusals: {refusals['found']} (limit: {refusals['limit']})", refusals["passed"] is True
    probed = sum(each["after"] == "half-open" for each in states)
    timeouts = sum(at(trial, name, 1)["errors"].get("timeout", 0) for name in ("fault", "recovery"))
    yield f"timeouts on node 1: {timeouts}, of 3 probes at each of {probed} half-openings", timeouts <= 3 * probed
    by_time = math.floor((closed[-1] - opened) / 5.0)
    yield f"half-openings: {probed}, one each 5 s at most", probed <= max(1, by_time)


def paused(trial: Record) -> Iterator[Finding]:
    """4.7: deadlines hold on a node that is stopped, others keep their rate, and no late reply is matched."""
    slowest_ms = 1e3 * max(trial["phases"][name]["slowest_secs"] for name in ("fault", "recovery"))
    yield f"the slowest operation took {slowest_ms:.0f} ms", slowest_ms <= 300.0
    for node in (2, 3):
        before, kept = at(trial, "baseline", node)["ok_per_s"], at(trial, "fault", node)["ok_per_s"]
        yield f"node {node} kept {100 * kept / before:.0f} % of its rate", kept >= 0.9 * before
    timeouts = at(trial, "fault", 1)["errors"].get("timeout", 0)
    yield f"operations whose reply came after SIGCONT: {timeouts}, and no answer was wrong", timeouts > 0


def stopped_while_half_open(trial: Record) -> Iterator[Finding]:
    """4.8: SIGSTOP comes while a probe is under way; the breaker closes within 6 s of SIGCONT."""
    pause = next(report for report in trial["faults"] if report["fault"]["kind"] == "pause")["spells"][0]
    began, ended, states = pause["began_secs"], pause["ended_secs"], changes(trial, 1)
    before = [each for each in states if each["at_secs"] < began]
    found = before[-1]["after"] if before else "closed"
    yield (
        f"the breaker at SIGSTOP: {found}, for {began - (before[-1]['at_secs'] if before else 0):.2f} s",
        (found == "half-open"),
    )
    closed = [each["at_secs"] for each in states if each["after"] == "closed" and each["at_secs"] > began]
    at_s = min(closed, default=math.inf)
    yield f"closed {at_s - ended:.2f} s after SIGCONT", at_s - ended <= 6.0
    told = ", ".join(f"{each['after']} {each['at_secs'] - began:+.2f} s" for each in states)
    yield f"changes around SIGSTOP: {told}", True


def spiky(trial: Record) -> Iterator[Finding]:
    """4.9: operations time out; their replies come to connections that were given up, and so to nobody."""
    timeouts = at(trial, "fault", 1)["errors"].get("timeout", 0)
    yield f"timeouts: {timeouts}", timeouts >= 1
    late = trial["phases"]["recovery"]["states"]["1"]["abandoned"]
    yield f"late replies, by the connections given up while a reply was outstanding: {late}", late >= 1


def served(least: float, most: float) -> Callable[[Record], Iterator[Finding]]:
    """4.12: the share of operations that succeed while nodes are down."""

    def judge(trial: Record) -> Iterator[Finding]:
        everything = at(trial, "fault")
        share = everything["success"]
        words = f"successes: {100 * share:.1f} % ({100 * least:.0f} to {100 * most:.0f})"
        yield words, least <= share <= most
        yield from _mapped(trial)

    return judge


def failed_over(trial: Record) -> Iterator[Finding]:
    """4.12 with failover: nearly all succeed, and the keys of live nodes are found where they were written."""
    share = at(trial, "fault")["success"]
    yield f"successes: {100 * share:.1f} % (above 95)", share > 0.95
    yield from _mapped(trial)
    for node in (2, 3):
        missed = [at(trial, name, node)["misses"] for name in ("baseline", "fault", "recovery")]
        yield f"keys of node {node} that were not found before, in and after the fault: {missed}", not any(missed)
    moved = at(trial, "fault", 1)["misses"]
    yield f"keys of node 1 that were not found in the fault, as other nodes were asked: {moved}", moved > 0


def stampeded(*, wins: bool) -> Callable[[Record], Iterator[Finding]]:
    """4.17: the loads of each expiry are those that the backend counted; one, where one of 200 callers wins."""

    def judge(trial: Record) -> Iterator[Finding]:
        callers = trial["plan"]["concurrency"]
        yield f"callers: {callers}", callers == STAMPEDE_CALLERS
        loads = sum(phase["backend_loads"] for phase in trial["phases"].values())
        served = trial["backend_served"]
        yield f"loads by the callers' count: {loads}, by the backend's own: {served}", 0 < loads == served
        sets = sum((server["operations"] or {}).get("set", 0) for server in trial["servers"])
        failed = sum(sum(phase["all"]["errors"].values()) for phase in trial["phases"].values())
        words = f"sets that the servers counted: {sets}, operations that failed: {failed}"
        yield words, 0 < sets <= loads <= sets + failed
        expiries = sum(phase["expiries"] for phase in trial["phases"].values())
        secs = sum(phase["secs"] for phase in trial["phases"].values())
        # A memcached's clock has whole seconds: a time to live of 2 s ends after 1 to 2 s.
        least, most = secs / 3, secs + 1
        yield f"expiries: {expiries} in {secs:.0f} s ({least:.0f} to {most:.0f})", least <= expiries <= most
        each = loads / max(1, expiries)
        yield f"loads per expiry: {each:.2f}", 1 <= each <= MOST_WON if wins else each > LEAST_LOST

    return judge


def _mapped(trial: Record) -> Iterator[Finding]:
    """Yield whether operations fell to the same nodes as before: selection does not shift when a node is down."""
    shares = [
        [at(trial, name, node)["begun"] / at(trial, name)["begun"] for node in (1, 2, 3)]
        for name in ("baseline", "fault")
    ]
    fewest = min(at(trial, name)["begun"] for name in ("baseline", "fault"))
    # Three times the standard deviation of the difference of two shares of a third.
    bound = 3 * math.sqrt(2 * 2 / 9 / fewest)
    apart = max(abs(before - now) for before, now in zip(*shares, strict=True))
    told = " → ".join("/".join(f"{100 * each:.1f}" for each in of) for of in shares)
    yield (
        f"share of operations by node before and in the fault: {told} %, apart at most {100 * bound:.1f}",
        apart <= bound,
    )


def _back(trial: Record, limit_s: float) -> Iterator[Finding]:
    back_s = next(each["recovered_secs"] for each in trial["nodes"] if each["faulted"])
    told = "never" if back_s is None else f"{back_s:.2f} s after the fault's end"
    yield f"back: {told}", back_s is not None and back_s <= limit_s


# The share of failures is one of a window of 30 s: what succeeded before the kill delays the opening, so that the
# baseline is short where the opening is timed.
_KILL = (
    *("--scenario", "kill-1-of-3", "--workload", "constant", "--set", "rate=1000", "--concurrency", "100"),
    *("--set", "client.breaker_consecutive_failures=0", "--set", "limits.refusal=1ms", "--duration", "12s"),
    *phases(settle="200ms", baseline="2s", recovery="10s"),
)
# Keys of each caller's own: 10,000 of them, so that the nodes' shares are a third each within 1 %.
_STAMPEDE = ("--scenario", "stampede", "--duration", "10s", *phases(recovery="9s"))
_EVEN = ("--workload", "set-heavy", "--set", "rate=600", *phases(recovery="9s"))

ROWS = (
    # No operation is given up: six losses of a packet in a row take 12 s.
    Row(
        "4.3 packet-loss-5-pct",
        ("--scenario", "packet-loss-5-pct", "--set", "timeout=12s", "--duration", "30s", *phases()),
        loss,
    ),
    Row("4.4 delay-100ms", ("--scenario", "delay-100ms", "--set", "rate=300", "--duration", "8s", *phases()), delayed),
    Row("4.6 kill", _KILL, killed),
    Row("4.7 pause", ("--scenario", "pause-1-of-3", "--duration", "8s", *phases()), paused),
    Row("4.8 stopped while half-open", ("--scenario", str(HALF_OPEN)), stopped_while_half_open),
    Row("4.9 latency spikes", ("--scenario", "latency-spikes", "--duration", "30s", *phases()), spiky),
    Row("4.12 one of 3 down", ("--scenario", "kill-1-of-3", "--duration", "15s", *_EVEN), served(0.64, 0.68)),
    Row("4.12 two of 3 down", ("--scenario", "kill-2-of-3", "--duration", "15s", *_EVEN), served(0.31, 0.35)),
    Row(
        "4.12 with failover",
        (
            *("--scenario", "kill-1-of-3", "--duration", "15s", "--workload", "get-heavy", "--set", "rate=600"),
            *("--set", "client.failover=true", *phases(recovery="9s")),
        ),
        failed_over,
    ),
    Row("4.17 stampede, one caller wins", _STAMPEDE, stampeded(wins=True)),
    Row("4.17 stampede", (*_STAMPEDE, "--client", "aiomcache"), stampeded(wins=False), is_ours=False),
)
