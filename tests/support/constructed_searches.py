"""Constructed saturation searches: events with invented numbers. See `constructed_events`."""

from __future__ import annotations

from collections.abc import Callable

from constructed_events import START_S, S, before, counted, good, phases, plan

from loadgen.events import Configured, Event, HistoryKept, PhaseBegan, Progress, SearchEnded, StepTaken
from loadgen.plan import KeptHistory
from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.snapshot import HistoryCounts, Tally
from loadgen.stats.search import Outcome, Purpose, SearchAnswer, SearchSettings, Step
from loadgen.stats.trial import NO_LIMIT_NS, Exceedance, Judgement, Limit, RateVerdict

P99, P999 = Limit(0.99, 1_000_000), Limit(0.999, 5_000_000, "delete")


def step(
    number: int,
    rate_per_s: float,
    verdict: RateVerdict,
    purpose: Purpose = Purpose.CLIMB,
    *,
    limits: tuple[Limit, ...] = (P99, P999),
    x_ns: int = 812_000,
    passed: bool | None = None,
    why: str = "",
) -> StepTaken:
    """A step at which every limit's quantile is `x_ns`."""
    open_still = verdict is RateVerdict.INCONCLUSIVE
    shares = {limit: limit_share(limit, x_ns > limit.limit_ns, open_still) for limit in limits}
    exceedances = tuple(Exceedance(limit, share, share * 0.9, share * 1.1) for limit, share in shares.items())
    judgement = Judgement(verdict, exceedances, why or "; ".join(map(str, exceedances)))
    side = verdict is RateVerdict.PASS if passed is None else passed
    taken = Step(purpose, rate_per_s, 2.0, rate_per_s + 0.25, rate_per_s - 1.5, judgement, (x_ns,) * len(limits), side)
    return StepTaken(number, taken, START_S + 6 + number)


def limit_share(limit: Limit, exceeded: bool, open_still: bool) -> float:
    """The share of requests beyond a limit: near the one allowed when it is open, else far from it."""
    return (1 - limit.quantile) * (1.01 if open_still else 5 if exceeded else 0.01)


def searched(taken: list[StepTaken], ended: SearchEnded) -> list[Event]:
    """What a search says from its beginning to its end."""
    return [
        Configured(
            ended.plan, "0.1.0", server="redis 7.0.15", search=SearchSettings(limits=ended.limits), wall_s=START_S
        ),
        *phases("connect", "precheck", "prefill"),
        PhaseBegan("search", START_S + 5),
        Progress("climb 152,000/s", S, 2 * S, S),
        *taken,
        *phases("drain"),
        ended,
    ]


def answer(
    outcome: Outcome, lo: float, hi: float | None, confirmed: bool, taken: list[StepTaken], why: str
) -> SearchAnswer:
    return SearchAnswer(outcome, lo, hi, confirmed, why, tuple(s.step for s in taken), 251_234.5, 92.3456)


def found() -> list[Event]:
    taken = [
        step(1, 150_740.7, RateVerdict.PASS),
        step(2, 201_234.0, RateVerdict.FAIL, x_ns=1_001_500),
        step(
            3,
            174_000.0,
            RateVerdict.FAIL,
            Purpose.REFINE,
            why="p99: 31 % of requests exceed the limit, and the step ends early above 20 %",
        ),
        step(4, 158_000.0, RateVerdict.INCONCLUSIVE, Purpose.REFINE, x_ns=1_000_100),
        step(5, 152_000.0, RateVerdict.INCONCLUSIVE, Purpose.REFINE, passed=True),
        step(6, 152_000.0, RateVerdict.PASS, Purpose.CONFIRM),
        step(7, 152_000.0, RateVerdict.PASS, Purpose.CONFIRM),
    ]
    why = "152,000 req/s passed 2 of 3 fresh trials, and 158,000 req/s is too high"
    ended = answer(Outcome.FOUND, 152_000.4, 158_000.0, True, taken, why)
    measured = counted({"get": Tally(planned=9000, ok=8990, timeouts=10, hits=8990)}, 40, open_loop=True)
    return searched(taken, SearchEnded(plan(), (P99, P999), ended, phases=before(measured), wall_s=START_S + 99))


def generator_limited() -> list[Event]:
    spoilt = "2.1 % of the plan was not sent in time, for a reason of the generator's, as its worker 1 had no CPU."
    taken = [
        step(
            1,
            100.0,
            RateVerdict.FAIL,
            x_ns=900_000,
            why="73.10 % of the offered rate was achieved, and 95 % is the least that passes",
        ),
        step(2, 123_456_789.0, RateVerdict.PASS),
        step(3, 400_000_000.0, RateVerdict.GENERATOR_LIMITED, x_ns=0, why=spoilt),
    ]
    why = f"the generator reached its limit at 400,000,000 req/s: {spoilt}"
    ended = answer(Outcome.GENERATOR_LIMITED, 123_456_789.0, None, True, taken, why)
    measured = counted(good(800, 200), 41, open_loop=True)
    notes = (Reason(Code.CPU_AWAITED, "A core was shared."),)
    return searched(
        taken,
        SearchEnded(plan(), (P99,), ended, phases=before(measured), embedded=True, notes=notes, wall_s=START_S + 99),
    )


def knee() -> list[Event]:
    """A knee, found by a search whose accounts do not add up."""
    limit = (Limit(0.99, 2_469_135),)
    taken = [
        step(1, 75_000.0, RateVerdict.PASS, Purpose.BASE, limits=(Limit(0.99, NO_LIMIT_NS),), x_ns=823_045),
        step(2, 150_000.0, RateVerdict.PASS, limits=limit),
    ]
    ended = answer(
        Outcome.WIDE,
        150_000.0,
        190_000.0,
        False,
        taken,
        "max_bisect_steps (1) ran out before the interval was narrow enough",
    )
    measured = counted({"get": Tally(planned=1000, ok=990, hits=990)}, 42, open_loop=True)
    kept = HistoryKept(KeptHistory("/tmp/run.lghist", 1.0, 0), HistoryCounts(records=1, ok=1), whole=True)
    return searched(taken, SearchEnded(plan(), (), ended, phases=before(measured), history=kept, wall_s=START_S + 99))


def interrupted() -> list[Event]:
    measured = counted(good(800, 200), 43, open_loop=True)
    ended = SearchEnded(plan(), (P99,), None, phases=before(measured), interrupted=True, wall_s=START_S + 99)
    return searched([step(1, 150_000.0, RateVerdict.PASS, limits=(P99,))], ended)


def failed() -> list[Event]:
    """The server died before the first rate was judged."""
    ended = SearchEnded(
        plan(),
        (P99,),
        None,
        reasons=(Reason(Code.SERVER_GONE, "127.0.0.1:6379 closed all 50 connections.", Severity.COULD_NOT_RUN),),
        examples={"eof": "closed by the server"},
        wall_s=START_S + 99,
    )
    return searched([], ended)


SEARCHES: dict[str, Callable[[], list[Event]]] = {
    f"search_{search.__name__}": search for search in (found, generator_limited, knee, interrupted, failed)
}
