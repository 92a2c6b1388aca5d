"""Constructed comparisons: events with invented numbers. See `constructed_events`."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from constructed_events import START_S

from loadgen.compare.answers import Compared, NoiseFound, Row
from loadgen.compare.candidate import Candidate
from loadgen.compare.metric import METRICS
from loadgen.compare.round import Round, RoundEnded
from loadgen.compare.settings import ComparisonSettings
from loadgen.events import Event
from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.stats.sequential import Shift

REDIS = Candidate("redis", "server", "redis 7.0.15")
VALKEY = Candidate("valkey", "server", "valkey 8.1.1")
STORED = Candidate("main", "results", "redis 7.0.14", "4 CPUs of a kind, Linux 6.1", "2026-11-20T08:00:00.000000Z")
HOSTILE = Candidate("a|b`c\x1b[2J<script>&\n::error::%\ud800", "endpoint", "[x](http://y) <!-- * -->")

THRESHOLDS = {"throughput": 0.05, "p99": 0.1, "server_cpu": 0.05}
GATE, COMPARE = (ComparisonSettings(THRESHOLDS, one_sided) for one_sided in (True, False))

TYPICAL = {
    "throughput": 152_340.5,
    "p50": 45_300.0,
    "p99": 1_234_567.0,
    "p999": 2e6,
    "server_cpu": 4_712.3,
    "rss": 12.3e6,
}


def rounds(
    count: int, change: Mapping[str, float], *, others: int = 1, doubts: int = 0, gate: bool = False
) -> list[RoundEnded]:
    """Rounds in which B and the like differ from A by these shares, and by 2 % of noise; the same each time."""
    drawn = random.Random(count)
    candidates = (REDIS, VALKEY, *(Candidate(f"other-{n}", "endpoint") for n in range(others - 1)))
    ended = []
    for number in range(1, count + 1):
        sides = [
            {
                name: value * (1 + place * change.get(name, 0.0)) * drawn.gauss(1, 0.02)
                for name, value in TYPICAL.items()
            }
            for place in range(len(candidates))
        ]
        forth = [*range(len(candidates))] if number % 2 else [*reversed(range(len(candidates)))]
        words = "valkey: the generator had no CPU for 12 ms of a slice"
        doubt = (Reason(Code.GENERATOR_LATE, words, Severity.INVALID),) if number <= doubts else ()
        late = ((), ("p99",)) if doubt else ()
        taken = Round(number, (*forth, *reversed(forth)), tuple(sides), doubt, late, repeated=len(doubt), took_s=7.0)
        ended.append(RoundEnded(taken, candidates, 20, gate, START_S + 10 * number))
    return ended


def row(
    metric: str,
    answer: Shift,
    effect: float | None,
    low: float | None,
    high: float | None,
    *,
    more: int | None = None,
    why: str = "",
) -> Row:
    a = TYPICAL[metric]
    return Row(
        metric,
        answer,
        effect,
        low,
        high,
        p=None if effect is None else 0.00390625,
        rounds=0 if effect is None else 8,
        threshold=THRESHOLDS.get(metric, 0.05),
        a=a,
        b=None if effect is None else a * (1 + effect),
        noise=None if effect is None else 0.0213,
        more_rounds=more,
        why=why,
        level=0.0067 if answer is Shift.UNCLEAR and effect is not None else None,
        took_s=56.5,
    )


WORSE = row("throughput", Shift.WORSE, -0.0512, -0.0561, -0.0474)
BETTER = row("throughput", Shift.BETTER, 0.0834, 0.071, 0.0951)
SAME = row("server_cpu", Shift.SAME, 0.0003, -0.0121, 0.0133)
UNCLEAR = row("p99", Shift.UNCLEAR, 0.0412, -0.0213, 0.1324, more=12)
DOUBTFUL = row("p99", Shift.UNCLEAR, None, None, None, why="the generator ran late in 5 of 8 rounds")
OPEN = row("p99", Shift.UNCLEAR, 0.31, None, 2.5, more=3)


CPUS = "the load runs on CPU 0, servers run on CPU 1; to change that, set general.cpu_list and the server's cpu_list"


def ended_early(words: str) -> Reason:
    return Reason(Code.COULD_NOT_RUN, words, Severity.COULD_NOT_RUN)


def noisy(words: str) -> Reason:
    return Reason(Code.HOST_NOISY, words, Severity.UNKNOWN)


def compared(rows: tuple[Row, ...], settings: ComparisonSettings, ended: list[RoundEnded] | None = None) -> Compared:
    taken = [event.round for event in ended or []]
    return Compared(
        REDIS,
        VALKEY,
        rows,
        settings,
        confidence=0.9,
        paired=True,
        seed=42,
        rate_per_s=91_234.5,
        values=(tuple(r.values[0] for r in taken), tuple(r.values[1] for r in taken)),
        host="4 CPUs of a kind, Linux 6.1",
        version="0.1.0",
        notes=(Reason(Code.CPUS_SHARED_OUT, CPUS),),
        took_s=61.5,
        wall_s=START_S + 99,
    )


def gate_failed() -> list[Event]:
    ended = rounds(8, {"throughput": -0.05, "p99": 0.04}, gate=True)
    return [*ended, compared((WORSE, UNCLEAR, SAME), GATE, ended)]


def gate_passed() -> list[Event]:
    ended = rounds(30, {}, doubts=1, gate=True)
    return [*ended, compared((replace(SAME, metric="throughput"), SAME), GATE, ended)]


def gate_inconclusive() -> list[Event]:
    return [compared((replace(SAME, metric="throughput"), UNCLEAR, replace(DOUBTFUL, metric="p999")), GATE)]


def gate_refused() -> list[Event]:
    why = "throughput differs from round to round by σ = 12.1 % on this host (limit 8.0 %)"
    return [replace(compared((replace(UNCLEAR, metric="throughput", why=why), SAME), GATE), reasons=(noisy(why),))]


def gate_could_not_run() -> list[Event]:
    return [replace(compared((), GATE), reasons=(ended_early("valkey ended in round 1: killed by SIGSEGV"),))]


def better() -> list[Event]:
    ended = rounds(14, {"throughput": 0.08})
    return [*ended, compared((BETTER, SAME), COMPARE, ended)]


def three() -> list[Event]:
    """Two against the first, one of them with a name that nobody should have."""
    ended = rounds(2, {"p99": 0.2}, others=2)
    first = compared((replace(WORSE, metric="p50", effect=0.07, ci_low=0.05, ci_high=0.093), OPEN), COMPARE, ended)
    second = replace(compared((SAME, UNCLEAR), COMPARE, ended), b=HOSTILE)
    return [*ended, first, second]


def stored() -> list[Event]:
    """Against a result file, with more rounds on one side."""
    values = (({"throughput": 150_000.0},) * 3, ({"throughput": 151_000.0, "rss": 1e6},) * 5)
    one = replace(compared((replace(SAME, metric="throughput"),), COMPARE), a=STORED, paired=False, values=values)
    return [replace(one, rate_per_s=0.0)]


def interrupted() -> list[Event]:
    ended = rounds(2, {})
    return [*ended, replace(compared((), COMPARE, ended), interrupted=True)]


def noise() -> list[Event]:
    false_alarms = {"throughput": 0.012, "p99": 0.0, "any": 0.021}
    found = NoiseFound(REDIS, "4 CPUs of a kind, Linux 6.1", 20, {"throughput": 0.0213, "p99": 0.061}, false_alarms)
    return [*rounds(1, {}), replace(found, took_s=142.2, wall_s=START_S + 99)]


def noise_interrupted() -> list[Event]:
    found = NoiseFound(
        REDIS, "4 CPUs of a kind, Linux 6.1", 2, {}, {}, interrupted=True, reasons=(ended_early("redis ended"),)
    )
    return [replace(found, wall_s=START_S + 99)]


GATES: dict[str, Callable[[], list[Event]]] = {
    events.__name__: events
    for events in (gate_failed, gate_passed, gate_inconclusive, gate_refused, gate_could_not_run)
}
COMPARISONS: dict[str, Callable[[], list[Event]]] = {
    f"compare_{events.__name__}": events for events in (better, three, stored, interrupted, noise, noise_interrupted)
}


def anything(seed: int) -> Compared:
    """A comparison of any kind: metrics, answers and numbers as they may come, and as they may not."""
    chance = random.Random(seed)

    def maybe(value: float) -> float | None:
        return None if chance.random() < 0.2 else value

    rows = []
    for metric in sorted(chance.sample([*METRICS], chance.randint(0, len(METRICS))), key=[*METRICS].index):
        low, effect, high = sorted(chance.choice([0.02, 0.3, 40.0]) * chance.uniform(-1, 1) for _ in range(3))
        least = max(low, -0.99)
        rows.append(
            Row(
                metric,
                chance.choice([*Shift]),
                maybe(max(effect, least)),
                maybe(least),
                maybe(max(high, least)),
                maybe(chance.random()),
                chance.randint(0, 20),
                chance.choice([0.001, 0.05, 1.0]),
                maybe(chance.uniform(0, 1e12)),
                maybe(chance.uniform(0, 1e12)),
                maybe(chance.random()),
                chance.choice([None, 1, 12]),
                chance.choice(["", "because \x1b[2J"]),
            )
        )
    return replace(
        compared(tuple(rows), chance.choice([GATE, COMPARE])),
        b=chance.choice([VALKEY, HOSTILE, STORED]),
        paired=chance.random() < 0.5,
        rate_per_s=chance.choice([0.0, 1e5 / 3]),
        values=(({"p99": float("inf")},), ({"throughput": 1e9}, {})),
        reasons=(*chance.choice([(), (ended_early("it ended"),)]), *chance.choice([(), (noisy("too noisy"),)])),
        interrupted=chance.random() < 0.2,
    )
