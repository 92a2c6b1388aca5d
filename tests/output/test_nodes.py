"""The servers that are shown to people, where there are too many to show all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from constructed_events import latencies

from loadgen.output.paper.grid import fitting
from loadgen.output.paper.layout import at
from loadgen.output.words import nodes
from loadgen.snapshot import NodeCounts, Snapshot


def counts(place: int, **others: int) -> NodeCounts:
    known = {"ok": 10, "hits": 5, "misses": 5, "ready": 4, "wanted": 4, **others}
    return NodeCounts(response=latencies(10, place, 10_000.0 * (1 + place)), share=0.1, **known)


def of(*found: NodeCounts) -> list[nodes.Node]:
    return nodes.nodes(Snapshot(nodes={f"10.0.0.{n}:6379": each for n, each in enumerate(found)}))


def names(found: list[nodes.Node]) -> list[int]:
    return [int(node.name.split(":")[0].rpartition(".")[2]) for node in found]


def test_all_of_sixteen_servers_are_shown_in_their_order() -> None:
    found = of(*(counts(n) for n in range(16)))
    assert nodes.shown(found) == found
    assert nodes.hidden(found, nodes.shown(found)) == ""


def test_of_more_servers_the_failing_the_slowest_and_the_fastest_are_shown() -> None:
    found = of(*(counts(n, errors=n) if n in (5, 7) else counts(n, ready=3 if n == 9 else 4) for n in range(40)))
    seen = nodes.shown(found)
    assert len(seen) == nodes.MOST
    slowest = sorted(range(40), key=lambda n: -found[n].p99_ns)
    assert {5, 7, 9, *slowest[:12], slowest[-1]} == {*names(seen)}
    assert names(seen) == sorted(names(seen))
    assert nodes.hidden(found, seen).startswith("and 24 more endpoints, with 0 errors in all")


def test_where_most_servers_fail_half_of_what_is_shown_are_the_worst() -> None:
    found = of(*(counts(n, errors=n) for n in range(40)))
    seen = names(nodes.shown(found))
    assert {*range(32, 40)} <= {*seen}
    assert names(sorted(found, key=lambda node: node.p99_ns)[:1])[0] in seen
    assert "errors in all" in nodes.hidden(found, nodes.shown(found))


@pytest.mark.parametrize(("share", "left_out"), [(0.1, "intended"), (0.3, "hit%")])
def test_a_narrow_table_leaves_out_the_intended_share_unless_it_was_missed(share: float, left_out: str) -> None:
    found = of(replace(counts(1, ready=3), share=share), counts(2), counts(3))
    rows = [nodes.cells(node, 1_000_000_000) for node in found]
    with at(80):
        seen = [nodes.HEADINGS[place] for place in fitting(nodes.HEADINGS, rows, nodes.left_out(found))]
        assert left_out not in seen
        assert {"endpoint", "req/s", "share", "errors", "p99", "max", "up"} <= {*seen}
    with at(120):
        assert len(fitting(nodes.HEADINGS, rows, nodes.left_out(found))) == len(nodes.HEADINGS)


def test_a_line_of_an_interval_says_only_what_is_wrong() -> None:
    measured = Snapshot(nodes={"a:1": counts(1), "b:1": counts(2, errors=2, ready=3)})
    (calm, calm_fails), (bad, bad_fails) = nodes.interval(measured, 1_000_000_000, 5)
    assert "error" not in calm
    assert not calm_fails
    assert bad.endswith("2 errors, 3/4 up")
    assert bad_fails


def test_redirects_are_said_by_reason_and_only_when_there_are_any() -> None:
    assert nodes.redirects({}) == nodes.redirects({"moved": 0, "redirected": 0}) == ""
    assert (
        nodes.redirects({"moved": 1200, "ask": 3, "redirected": 1201})
        == "1,201 requests redirected: moved 1,200, ask 3"
    )
