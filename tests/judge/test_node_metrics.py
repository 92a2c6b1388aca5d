"""The values of single nodes that checks of a run are held against: `p99[node 1]`, `every node`, `share`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from constructed_events import S, counted, good, plan

from loadgen.events import Result, Sample
from loadgen.judge.check import Check, Checked, judge
from loadgen.judge.expression.parser import parse
from loadgen.judge.expression.syntax import text
from loadgen.judge.node_metrics import BY_NODE
from loadgen.judge.run_metrics import RunMetrics, vocabulary_of
from loadgen.plan import Discovery
from loadgen.snapshot import Histogram, NodeCounts, Snapshot

MS = 1_000_000


def node(ok: int, response_ns: int, share: float = 1 / 3, failed: int = 0, unfinished: int = 0) -> NodeCounts:
    response = Histogram()
    response.record_many(response_ns, ok)
    counts = NodeCounts(ok=ok, errors=failed, unfinished=unfinished, response=response, share=share)
    return replace(counts, hits=ok, answered_in_time=ok + failed)


THREE = {"a:1": node(1000, MS), "b:2": node(990, 2 * MS, failed=10), "c:3": node(1100, 3 * MS)}


def of(nodes: dict[str, NodeCounts]) -> Snapshot:
    return replace(counted(good(2400, 700), 1), nodes=nodes)


def answered(check: str, nodes: dict[str, NodeCounts], *intervals: dict[str, NodeCounts]) -> Checked:
    """The answer to a check of a run on these nodes, with these intervals, each of which is a second long."""
    its = plan(endpoints=len(nodes) or 1)
    names = vocabulary_of(its, has_faults=False)
    metrics = RunMetrics([Check(check)], its, names)
    for number, interval in enumerate(intervals):
        metrics.add(Sample("measure", 0.0, S, of(interval)), number * S)
    [found] = judge([Check(check)], names, metrics.of(Result(its, of(nodes), 2 * S)))
    return found


@pytest.mark.parametrize(
    ("check", "passed", "found"),
    [
        ("p50[node 2] < 2.1ms", True, "p50[node 2] = 2 ms"),
        ("p50[node 3] < 2.1ms", False, "p50[node 3] = 3 ms"),
        ("p50[every node] < 5ms", True, "p50[every node] = 1 to 3 ms"),
        ("p50[every node] < 2.1ms", False, "p50[every node] = 1 to 3 ms; p50[node 3] = 3 ms"),
        # Of the second node a request in a hundred has failed, and exceeds every limit.
        ("p999[every node] < 5ms", False, "p999[node 2] = above any limit"),
        ("not p50[every node] > 2ms", True, "p50[every node] = 1 to 3 ms; p50[node 1] = 1 ms; p50[node 2] = 2 ms"),
        ("errors[every node] / requests[every node] <= 1 %", True,
         "errors[every node] / requests[every node] = 0 to 1 %"),
        ("errors[every node] == 0", False, "errors[every node] = 0 to 10; errors[node 2] = 10"),
        ("throughput[node 1] == 500/s and hit_rate[node 1] == 100 %", True,
         "throughput[node 1] = 500/s; hit_rate[node 1] = 100 %"),
        ("share[node 3] > 35 % and share == 100 %", True, "share[node 3] = 35 %; share = 100 %"),
        # The shares are 32.3, 32.3 and 35.5 %, and were to be 33.3 %.
        ("unevenness < 10 %", True, "unevenness = 6.5 %"),
        ("unevenness < 5 %", False, "unevenness = 6.5 %"),
        ("unevenness[every node] < 5 %", False, "unevenness[every node] = 3.2 to 6.5 %; unevenness[node 3] = 6.5 %"),
        ("p50[every node] < 3ms < p50[every node]", False, None),
    ],
)  # fmt: skip
def test_values_are_those_of_nodes(check: str, passed: bool, found: str | None) -> None:
    one = answered(check, THREE)
    assert one.passed is passed
    assert found is None or one.found == found
    assert parse(text(parse(check))) == parse(check)


def test_a_series_of_every_node_has_the_nodes_of_its_intervals() -> None:
    later = {**THREE, "c:3": node(100, 9 * MS)}
    assert answered("max(p50[every node]) < 10ms", THREE, THREE, later).passed
    one = answered("max(p50[every node]) < 5ms", THREE, THREE, later)
    assert (one.passed, one.found) == (
        False, "max(p50[every node]) = 1 to 9 ms; max(p50[node 3]) = 9 ms"
    )  # fmt: skip
    assert answered("rate(ok[node 3]) == 600/s", THREE, THREE, later).passed


def test_only_some_of_many_nodes_are_named() -> None:
    many = {f"n:{number}": node(100, 9 * MS, share=0.1) for number in range(10)}
    one = answered("p50[every node] < 5ms", many)
    assert (one.passed, one.found.count("node "), one.found.endswith("and 7 more")) == (False, 3, True)


def test_a_single_server_is_a_node() -> None:
    one = answered("p50[every node] < 1s and ok[node 1] == 3100 and unevenness == 0", {})
    assert one.passed, one.found
    assert answered("max(ok[every node]) == 3100", {}, {}).passed


def test_open_requests_may_rank_anywhere() -> None:
    nodes = {"a:1": node(90, MS, unfinished=10), "b:2": node(100, MS)}
    assert answered("p50[every node] < 2ms", nodes).passed
    one = answered("p95[every node] < 2ms", nodes)
    assert (one.passed, "may be greater" in one.found) == (None, True)


@pytest.mark.parametrize("name", BY_NODE)
def test_every_name_has_a_value_of_a_node(name: str) -> None:
    assert answered(f"{name}[every node] >= 0 and last({name}[node 1]) >= 0", THREE, THREE).passed


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("p99[node 4] < 1s", "there is no node 4; they are 1 to 3"),
        ("p99[get, node 1] < 1s", "p99 takes one selector here: a node, or a command"),
        ("p99[every node, get] < 1s", "p99 takes one selector here: a command, or a node"),
        ("p99[every get] < 1s", '"every get" names nothing here; write one get'),
        ("misses[node 1] < 1", 'misses has no selector "node 1"'),
        ("p99[every] < 1s", 'p99 has no selector "every"'),
    ],
)
def test_what_is_wrong_is_said(check: str, said: str) -> None:
    [answer] = [answered(check, THREE)]
    assert answer.passed is None or not answer.passed
    assert said in answer.found


def test_the_nodes_of_a_cluster_are_not_known_beforehand() -> None:
    its = plan()
    its = replace(its, target=replace(its.target, discovery=Discovery()))
    names = vocabulary_of(its, has_faults=False)
    metrics = RunMetrics([], its, names).of(Result(its, of(THREE), 2 * S))
    [second, fourth] = judge([Check("p50[node 2] < 3ms"), Check("p50[node 4] < 3ms")], names, metrics)
    assert second.passed
    assert (fourth.passed, fourth.found) == (None, "cannot tell: there is no node 4: there are 3")
