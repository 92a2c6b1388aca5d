"""Each toxic in virtual time: exact times, exact bytes, exact effects, as Toxiproxy 2.12 has them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from places import SRC
from virtual_link import VirtualLink, times, toxic

from loadgen.faults.proxy.chain.chunk import NEVER
from loadgen.faults.proxy.chain.draws import DrawLog
from loadgen.faults.proxy.chain.toxics import TYPES

# ── latency ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_latency_delays_each_chunk_by_its_own_arrival() -> None:
    delay = toxic("latency", latency=100)
    link = VirtualLink(delay).arrive((0, b"a"), (10, b"b"), (90, b"c"), (500, b"d")).run_to(1000)
    assert link.sent == [(100, b"a"), (110, b"b"), (190, b"c"), (600, b"d")]
    assert delay.effects.count == 4


def test_latency_keeps_the_order_whatever_the_jitter() -> None:
    link = VirtualLink(toxic("latency", latency=100, jitter=90))
    link.arrive(*((number, b"%d" % number) for number in range(50))).run_to(1000)
    assert [data for _, data in link.sent] == [b"%d" % number for number in range(50)]
    assert times(link.sent) == sorted(times(link.sent))


def test_jitter_is_uniform_from_minus_to_plus_and_in_whole_milliseconds() -> None:
    link = VirtualLink(toxic("latency", latency=100, jitter=20))
    link.arrive(*((number * 1000, b"x") for number in range(2000))).run_to(3_000_000)
    delays = [at_ms % 1000 for at_ms in times(link.sent)]
    assert min(delays) == 80
    assert max(delays) == 119
    assert sum(delays) / len(delays) == pytest.approx(99.5, abs=1)
    assert all(delay == int(delay) for delay in delays)


def test_latency_reads_on_and_holds_1024_chunks_besides_the_one_that_waits() -> None:
    link = VirtualLink(toxic("latency", latency=1000)).arrive(*((0, b"x") for _ in range(1100))).run_to(1)
    # The entrance of the link holds one more.
    assert link.untaken == 1100 - 1024 - 1 - 1
    link.run_to(2000)
    assert len(link.sent) == 1100
    assert link.untaken == 0


def test_the_removal_of_latency_sends_at_once_what_waits() -> None:
    delay = toxic("latency", latency=1000)
    link = VirtualLink(delay).arrive((0, b"a"), (10, b"b")).run_to(50)
    link.link.remove(delay, link.now_ns)
    assert link.touched().sent == [(50, b"a"), (50, b"b")]
    assert link.link.clear
    assert link.arrive((60, b"c")).run_to(100).sent[-1] == (60, b"c")


def test_a_change_of_latency_sends_the_first_chunk_and_delays_the_others_anew() -> None:
    delay = toxic("latency", latency=1000)
    link = VirtualLink(delay).arrive((0, b"a"), (10, b"b")).run_to(50)
    delay.behaviour = delay.behaviour.changed({"latency": 100})
    link.link.update(delay, link.now_ns)
    assert link.touched().run_to(500).sent == [(50, b"a"), (110, b"b")]


def test_two_latencies_add_up_less_the_wait_behind_another_chunk() -> None:
    """The first moves a chunk's time on by its own wait only, so the second counts the rest as waited: Toxiproxy's."""
    delays = [toxic("latency", latency=100), toxic("latency", latency=50, name="two")]
    assert VirtualLink(*delays).arrive((0, b"a")).run_to(500).sent == [(150, b"a")]
    assert VirtualLink(*delays).arrive((0, b"a"), (20, b"b")).run_to(500).sent == [(150, b"a"), (150, b"b")]


def test_the_end_of_the_source_waits_behind_delayed_chunks() -> None:
    link = VirtualLink(toxic("latency", latency=100)).arrive((0, b"a")).finish_at(10).run_to(500)
    assert link.sent == [(100, b"a")]
    assert link.ended_ms == 100


# ── bandwidth ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_bandwidth_sends_a_thousand_bytes_per_second_and_kb() -> None:
    link = (
        VirtualLink(toxic("bandwidth", rate=10)).arrive((0, b"x" * 500), (0, b"y" * 500), (300, b"z" * 100)).run_to(999)
    )
    assert times(link.sent) == [50, 100, 310]


def test_bandwidth_sends_a_long_chunk_in_pieces_of_100_ms() -> None:
    slow = toxic("bandwidth", rate=10)
    link = VirtualLink(slow).arrive((0, b"x" * 2500)).run_to(999)
    assert [(at_ms, len(data)) for at_ms, data in link.sent] == [(100, 1000), (200, 1000), (250, 500)]
    assert slow.effects.count == 1


def test_bandwidth_holds_up_the_sender() -> None:
    link = VirtualLink(toxic("bandwidth", rate=1)).arrive(*((0, b"x" * 100) for _ in range(10))).run_to(1)
    # One chunk is sent, one waits at the entrance.
    assert link.untaken == 8


def test_a_rate_of_0_stalls_until_it_is_removed() -> None:
    stall = toxic("bandwidth", rate=0)
    link = VirtualLink(stall).arrive((0, b"a"), (5, b"b")).run_to(1_000_000)
    assert link.sent == []
    assert link.link.wake_ns == NEVER
    link.link.remove(stall, link.now_ns)
    assert [data for _, data in link.touched().sent] == [b"a", b"b"]
    assert stall.effects.count == 1


def test_a_change_of_bandwidth_sends_at_once_what_was_held_back() -> None:
    slow = toxic("bandwidth", rate=0)
    link = VirtualLink(slow).arrive((0, b"x" * 500), (0, b"y" * 500)).run_to(50)
    slow.behaviour = slow.behaviour.changed({"rate": 1})
    link.link.update(slow, link.now_ns)
    assert times(link.touched().run_to(5000).sent) == [50, 150, 250, 350, 450, 550]


# ── slow_close, timeout, reset_peer ─────────────────────────────────────────────────────────────────────────────────


def test_slow_close_delays_only_the_end() -> None:
    late = toxic("slow_close", delay=500)
    link = VirtualLink(late).arrive((0, b"a")).finish_at(10).run_to(1000)
    assert link.sent == [(0, b"a")]
    assert link.ended_ms == 510
    assert late.effects.count == 1


def test_the_removal_of_slow_close_ends_at_once() -> None:
    late = toxic("slow_close", delay=500)
    link = VirtualLink(late).finish_at(10).run_to(100)
    link.link.remove(late, link.now_ns)
    assert link.touched().ended_ms == 100


def test_timeout_drops_and_closes_after_so_long_without_data() -> None:
    drop = toxic("timeout", timeout=300)
    link = VirtualLink(drop).arrive(*((at_ms, b"x") for at_ms in range(0, 1500, 100))).run_to(5000)
    assert link.sent == []
    assert link.ended_ms == 1400 + 300
    assert drop.effects.count == 15


def test_timeout_closes_a_connection_without_any_data() -> None:
    assert VirtualLink(toxic("timeout", timeout=300)).run_to(5000).ended_ms == 300


def test_a_timeout_of_0_never_closes() -> None:
    link = VirtualLink(toxic("timeout", timeout=0)).arrive((0, b"a")).run_to(1_000_000)
    assert link.sent == []
    assert link.ended_ms is None


def test_the_removal_of_timeout_closes_the_connection_also_where_it_was_not_drawn() -> None:
    for share in (1.0, 0.0):
        drop = toxic("timeout", toxicity=share)
        link = VirtualLink(drop).run_to(10)
        link.link.remove(drop, link.now_ns)
        assert link.touched().ended_ms == 10
        assert link.arrive((20, b"a")).run_to(30).sent == []


def test_reset_peer_closes_a_time_after_the_first_data_and_drops_it() -> None:
    reset = toxic("reset_peer", timeout=200)
    link = VirtualLink(reset).run_to(1000)
    assert link.ended_ms is None
    assert link.link.resets
    link.arrive((1100, b"a"), (1150, b"b")).run_to(2000)
    assert link.sent == []
    assert link.ended_ms == 1300
    assert reset.effects.count == 1


def test_reset_peer_that_has_begun_cannot_be_taken_back() -> None:
    reset = toxic("reset_peer", timeout=200)
    link = VirtualLink(reset).arrive((0, b"a")).run_to(100)
    link.link.remove(reset, link.now_ns)
    assert link.touched().run_to(1000).ended_ms == 200


def test_reset_peer_before_any_data_can_be_taken_back() -> None:
    reset = toxic("reset_peer", timeout=200)
    link = VirtualLink(reset).run_to(100)
    link.link.remove(reset, link.now_ns)
    assert link.touched().arrive((110, b"a")).run_to(1000).sent == [(110, b"a")]
    assert link.ended_ms is None


def test_a_link_made_before_reset_peer_was_added_does_not_reset() -> None:
    link = VirtualLink()
    assert link.link.clear
    link.link.add(toxic("reset_peer"), link.now_ns)
    assert not link.link.resets
    assert not link.link.clear
    assert link.arrive((5, b"a")).run_to(10).ended_ms == 5


# ── slicer, limit_data, cut ─────────────────────────────────────────────────────────────────────────────────────────


def test_slicer_halves_until_pieces_are_about_the_mean() -> None:
    cut = toxic("slicer", average_size=3, size_variation=0, delay=1000)
    link = VirtualLink(cut).arrive((0, b"0123456789abcdef")).run_to(100)
    assert link.sent == [(0, b"01"), (1, b"23"), (2, b"45"), (3, b"67"), (4, b"89"), (5, b"ab"), (6, b"cd"), (7, b"ef")]
    assert cut.effects.count == 1


@pytest.mark.parametrize("seed", range(20))
def test_sliced_pieces_are_whole_together_and_within_the_bounds(seed: int) -> None:
    text = bytes(range(256)) * 40
    link = (
        VirtualLink(toxic("slicer", average_size=64, size_variation=16, delay=1), seed=seed)
        .arrive((0, text))
        .run_to(999)
    )
    assert b"".join(data for _, data in link.sent) == text
    sizes = [len(data) for _, data in link.sent]
    # A piece of more than 80 bytes is halved, give or take 16.
    assert max(sizes) <= 80
    assert min(sizes) >= 81 // 2 - 16
    assert len(set(sizes)) > 5


@pytest.mark.parametrize("attributes", [(0, 0), (1, 0), (0, 5), (3, 9), (1, 100)])
def test_slicer_ends_with_any_attributes(attributes: tuple[int, int]) -> None:
    average, variation = attributes
    link = (
        VirtualLink(toxic("slicer", average_size=average, size_variation=variation)).arrive((0, b"x" * 300)).run_to(9)
    )
    assert sum(len(data) for _, data in link.sent) == 300
    assert all(data for _, data in link.sent)


def test_the_removal_of_slicer_sends_the_rest_in_one_piece() -> None:
    cut = toxic("slicer", average_size=4, delay=1000)
    link = VirtualLink(cut).arrive((0, b"0123456789abcdef")).run_to(0.5)
    link.link.remove(cut, link.now_ns)
    assert link.touched().sent == [(0, b"0123"), (0.5, b"456789abcdef")]


def test_limit_data_passes_exactly_so_many_bytes_and_closes() -> None:
    limit = toxic("limit_data", bytes=10)
    link = VirtualLink(limit).arrive((0, b"0123"), (1, b"4567"), (2, b"89ab"), (3, b"cdef")).run_to(100)
    assert b"".join(data for _, data in link.sent) == b"0123456789"
    assert link.ended_ms == 2
    assert limit.effects.count == 1


def test_the_count_of_limit_data_survives_a_change() -> None:
    limit = toxic("limit_data", bytes=10)
    link = VirtualLink(limit).arrive((0, b"01234567")).run_to(1)
    limit.behaviour = limit.behaviour.changed({"bytes": 12})
    link.link.update(limit, link.now_ns)
    assert b"".join(data for _, data in link.arrive((2, b"89abcdef")).run_to(9).sent) == b"0123456789ab"


def test_a_limit_of_0_closes_at_the_first_data() -> None:
    link = VirtualLink(toxic("limit_data", bytes=0)).run_to(5)
    assert link.ended_ms is None
    assert link.arrive((10, b"a")).run_to(50).ended_ms == 10
    assert link.sent == []


def test_cut_draws_a_byte_for_each_connection_with_the_mean_that_was_asked() -> None:
    cuts = []
    for number in range(1, 801):
        link = VirtualLink(toxic("cut", bytes=100), number=number).arrive((0, b"x" * 300)).run_to(1)
        assert link.ended_ms == 0
        cuts.append(len(link.sent[0][1]))
    assert min(cuts) >= 1
    assert max(cuts) <= 199
    assert sum(cuts) / len(cuts) == pytest.approx(100, abs=6)


def test_a_change_of_cut_keeps_the_byte_that_was_drawn() -> None:
    log, cut = DrawLog(), toxic("cut", bytes=100)
    link = VirtualLink(cut, log=log).run_to(1)
    [drawn] = [draw.value for draw in log.kept]
    link.link.update(cut, link.now_ns)
    link.arrive((2, b"x" * 300)).run_to(3)
    assert len(link.sent[0][1]) == 1 + drawn
    assert log.count == 1


# ── Chains ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_toxic_is_on_its_share_of_connections_and_stays_on_them() -> None:
    stalled = []
    stall = toxic("bandwidth", toxicity=0.05, rate=0)
    for number in range(1, 2001):
        link = VirtualLink(stall, number=number).arrive((0, b"a"), (100, b"b")).run_to(1000)
        assert len(link.sent) in (0, 2)
        if not link.sent:
            stalled.append(number)
    # 99.9 % of 2,000 draws of 5 %.
    assert 68 <= len(stalled) <= 134
    assert stall.effects.connections == len(stalled)


def test_a_connection_that_is_not_drawn_is_clear() -> None:
    assert VirtualLink(toxic("bandwidth", toxicity=0.0)).link.clear
    assert not VirtualLink(toxic("bandwidth")).link.clear


def test_adding_and_removing_a_neighbour_draws_the_toxic_before_it_anew() -> None:
    log = DrawLog()
    first, second = toxic("latency", toxicity=0.5), toxic("noop", name="second")
    link = VirtualLink(first, log=log)
    assert log.count == 1
    link.link.add(second, link.now_ns)
    assert log.count == 2
    link.link.remove(second, link.now_ns)
    assert log.count == 3
    link.link.update(first, link.now_ns)
    assert log.count == 4
    assert {draw.what for draw in log.kept} == {"toxicity"}


def test_a_removal_sends_what_waited_there_and_then_what_the_toxic_before_held() -> None:
    before, removed = toxic("latency", latency=100), toxic("bandwidth", rate=0)
    link = VirtualLink(before, removed).arrive((0, b"a"), (60, b"b"), (80, b"c")).run_to(150)
    # `a` is held by the bandwidth of 0. The latency, which is restarted, hands on `b` and delays `c` as before.
    link.link.remove(removed, link.now_ns)
    assert link.touched().run_to(999).sent == [(150, b"a"), (150, b"b"), (180, b"c")]


@pytest.mark.parametrize("kind", [*TYPES])
def test_a_toxic_that_is_removed_behind_a_reset_under_way_lets_the_end_through(kind: str) -> None:
    reset, behind = toxic("reset_peer", timeout=100), toxic(kind)
    link = VirtualLink(reset, behind).arrive((0, b"a")).run_to(50)
    link.link.remove(behind, link.now_ns)
    assert link.touched().run_to(200).ended_ms == (50 if kind == "timeout" else 100)


def test_equal_seeds_draw_alike_and_others_differently() -> None:
    def drawn(seed: int) -> list[float]:
        link = VirtualLink(toxic("latency", latency=100, jitter=50), seed=seed)
        return times(link.arrive(*((number * 1000, b"x") for number in range(20))).run_to(30_000).sent)

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_draws_do_not_depend_on_other_connections() -> None:
    alone = VirtualLink(toxic("latency", latency=100, jitter=50), number=7)
    delays = times(alone.arrive((0, b"a"), (1000, b"b")).run_to(5000).sent)
    shared = toxic("latency", latency=100, jitter=50)
    log = DrawLog()
    links = [VirtualLink(shared, number=number, log=log).arrive((0, b"a"), (1000, b"b")) for number in range(1, 9)]
    for link in reversed(links):
        link.run_to(5000)
    assert times(links[6].sent) == delays


def test_a_destination_that_takes_nothing_holds_up_the_source() -> None:
    link = VirtualLink()
    link.blocked = True
    link.arrive(*((0, b"%d" % number) for number in range(10))).run_to(1)
    assert link.untaken == 8
    link.blocked = False
    assert [data for _, data in link.run_to(2).sent] == [b"%d" % number for number in range(10)]


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_every_toxic_ends_when_its_source_does(kind: str) -> None:
    link = VirtualLink(toxic(kind)).finish_at(5).run_to(100)
    assert link.ended_ms == 5


@pytest.mark.parametrize("kind", sorted({*TYPES} - {"timeout"}))
def test_every_toxic_but_timeout_leaves_a_connection_that_works(kind: str) -> None:
    added = toxic(kind)
    link = VirtualLink()
    link.link.add(added, link.now_ns)
    link.run_to(5)
    link.link.remove(added, link.now_ns)
    link.touched().arrive((10, b"hello")).run_to(100)
    assert link.sent == [(10, b"hello")]
    assert link.link.clear
    assert link.ended_ms is None


def test_links_know_neither_a_clock_nor_sockets() -> None:
    known: set[str] = set()
    for path in Path(SRC, "loadgen", "faults", "proxy", "chain").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                known |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                known.add(node.module or "")
    assert not known & {"time", "datetime", "socket", "asyncio", "os", "select"}
