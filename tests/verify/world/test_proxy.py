"""The shipping proxy on a host of a world: its connections, its toxics in virtual time, and what is held of it."""

from __future__ import annotations

import pytest
from small_worlds import MS, PORT, Kept, Pair, S

from loadgen.faults.proxy.chain.toxics.bandwidth import Bandwidth
from loadgen.faults.proxy.chain.toxics.latency import Latency
from loadgen.faults.proxy.chain.toxics.slicer import Slicer
from loadgen.verify.tape import Tape
from loadgen.verify.world._ground import Ground
from loadgen.verify.world._proxy import DELAYED, LIMITED, WHOLE
from loadgen.verify.world._streams import Streams
from loadgen.verify.world._world import BrokenInvariant
from loadgen.verify.world.proxy import WorldProxy


class Proxied(Pair):
    """Two hosts and a proxy between them, whose links take a millisecond each way."""

    def __init__(self, tape: Tape | None = None, *, buffer_bytes: int = 1 << 20, drawn: bool = False) -> None:
        super().__init__(tape, buffer_bytes=buffer_bytes, drawn=drawn)
        self.middle = self.network.host()
        for other in (self.near, self.far):
            self.network.set_link(self.middle, other, latency_ns=MS)
            self.network.set_link(other, self.middle, latency_ns=MS)
        self.proxy = WorldProxy(Ground(self.middle), "front", PORT, (self.far.address, PORT), 1)

    def connect(self) -> Kept:
        kept = Kept(self.world)
        self.near_streams.connect(self.middle, PORT, kept, self.results.append)
        return kept

    def upstream(self, kind: str, **attributes: int) -> str:
        return self.proxy.add(kind, stream="upstream", attributes=attributes)

    def settle(self) -> int:
        """Let a second pass; return the time."""
        self.run(self.world.now_ns + S)
        return self.world.now_ns


def pieces(kept: Kept, since_ns: int) -> list[tuple[int, bytes]]:
    """What was read, with the times in ms from one on."""
    return [((at_ns - since_ns) // MS, data) for at_ns, data in kept.reads]


def test_bytes_pass_both_ways_and_the_end_of_one_side_ends_the_other() -> None:
    world = Proxied()
    near, far = world.connected()
    now_ns = world.world.now_ns
    near.transport.write(b"ping")
    world.settle()
    far.transport.write(b"pong")
    world.settle()
    assert pieces(far, now_ns) == [(2, b"ping")]
    assert near.received == b"pong"
    assert world.proxy.open_connections == 1
    near.transport.close()
    world.settle()
    assert far.ends == ["end", "lost"]
    assert world.proxy.open_connections == 0
    assert world.proxy.accepted == 1


def test_a_server_that_refuses_is_told_to_the_client_as_an_end() -> None:
    world = Proxied()
    world.far.kill()
    near = world.connect()
    world.settle()
    assert near.ends[0] == "end"
    assert world.proxy.unreachable == 1


def test_a_stopped_proxy_ends_its_connections_and_refuses_others_until_it_is_started() -> None:
    world = Proxied()
    near, far = world.connected()
    world.proxy.stop()
    world.settle()
    assert near.ends == far.ends == ["end", "lost"]
    world.connect()
    world.settle()
    assert isinstance(world.results[-1], ConnectionRefusedError)
    world.proxy.start()
    world.connected()


def test_latency_delays_each_chunk_and_its_removal_lets_everything_go_at_once() -> None:
    world = Proxied()
    near, far = world.connected()
    world.upstream("latency", latency=100)
    now_ns = world.world.now_ns
    for number in range(3):
        world.world.at(now_ns + 30 * MS * number, lambda number=number: near.transport.write(b"%d" % number))  # type: ignore[misc]
    world.world.at(now_ns + 110 * MS, lambda: world.proxy.remove("latency_upstream"))
    world.settle()
    assert pieces(far, now_ns) == [(102, b"0"), (111, b"1"), (111, b"2")]
    assert world.proxy.witness.delayed


def test_all_that_a_removed_latency_held_goes_at_once_however_much_it_is() -> None:
    """The chunks are more than a flow moves in one turn, and nothing else happens that would give it another."""
    world = Proxied()
    near, far = world.connected()
    world.upstream("latency", latency=60_000)
    now_ns = world.world.now_ns
    for number in range(200):
        world.world.at(now_ns + number * MS, lambda: near.transport.write(b"x"))
    world.world.at(now_ns + S, lambda: world.proxy.remove("latency_upstream"))
    world.run(now_ns + S + 2 * MS)
    assert far.received == b"x" * 200


def test_a_toxic_is_removed_as_soon_as_chunks_of_one_connection_wait() -> None:
    world = Proxied()
    near, far = world.connected()
    other, _ = world.connected()
    name = world.upstream("latency", latency=60_000)
    removals: list[int] = []
    world.proxy.remove_when_held(name, 3, lambda: removals.append(world.world.now_ns))
    world.proxy.remove_when_held(name, 3, lambda: removals.append(-1))
    now_ns = world.world.now_ns
    other.transport.write(b"x")
    for number in range(4):
        world.world.at(now_ns + 30 * MS * number, lambda: near.transport.write(b"y"))
    world.run(now_ns + 70 * MS)
    assert removals == [now_ns + 61 * MS]
    assert world.proxy.toxics == []
    world.settle()
    assert pieces(far, now_ns) == [(62, b"y"), (62, b"y"), (62, b"y"), (92, b"y")]


def test_bandwidth_holds_the_sender_up_and_is_not_exceeded() -> None:
    world = Proxied(buffer_bytes=1 << 12)
    near, far = world.connected()
    world.upstream("bandwidth", rate=10)
    now_ns = world.world.now_ns
    near.transport.write(bytes(40_000))
    world.run(now_ns + 900 * MS)
    assert len(far.received) <= 9_000
    # The proxy reads no further than the chunk that waits: the rest is with the sender.
    assert near.transport.get_write_buffer_size() > 0
    world.run(now_ns + 5 * S)
    assert len(far.received) == 40_000
    assert (far.reads[-1][0] - now_ns) // MS == pytest.approx(4002, abs=2)
    assert world.proxy.witness.limited


def test_a_bandwidth_makes_up_for_a_pause_after_a_narrower_one_is_gone() -> None:
    """Of the narrow toxic, which sets the rate, and the wide one, which has waited for too long, one is removed."""
    world = Proxied()
    near, far = world.connected()
    narrow = world.upstream("bandwidth", rate=1)
    world.proxy.add("bandwidth", name="wide", stream="upstream", attributes={"rate": 10})
    now_ns = world.world.now_ns
    near.transport.write(bytes(30))
    # The narrow one holds the bytes until 31 ms, and the wide one for 3 ms more.
    world.middle.pause(now_ns + 32 * MS, now_ns + 500 * MS)
    world.settle()
    assert pieces(far, now_ns) == [(501, bytes(30))]
    world.proxy.remove(narrow)
    now_ns = world.settle()
    near.transport.write(bytes(100))
    world.settle()
    assert pieces(far, now_ns)[1:] == [(2, bytes(100))]


def test_slow_close_keeps_the_end_back() -> None:
    world = Proxied()
    near, far = world.connected()
    world.upstream("slow_close", delay=100)
    near.transport.close()
    world.run(world.world.now_ns + 101 * MS)
    assert far.ends == []
    world.settle()
    assert far.ends == ["end", "lost"]


def test_timeout_drops_and_closes() -> None:
    world = Proxied()
    near, far = world.connected()
    world.upstream("timeout", timeout=50)
    near.transport.write(b"lost")
    world.settle()
    assert far.received == b""
    assert far.ends == ["end", "lost"]
    assert near.ends == ["end", "lost"]


def test_reset_peer_resets_a_connection_that_was_made_under_it() -> None:
    world = Proxied()
    world.upstream("reset_peer", timeout=50)
    near, far = world.connected()
    near.transport.write(b"lost")
    world.settle()
    assert far.received == b""
    assert far.ends == near.ends == ["lost: 104"]


def test_limit_data_passes_so_many_bytes_and_closes() -> None:
    world = Proxied()
    near, far = world.connected()
    world.upstream("limit_data", bytes=5)
    near.transport.write(b"0123456789")
    world.settle()
    assert far.received == b"01234"
    assert far.ends == ["end", "lost"]


def test_slicer_sends_pieces_with_a_delay_between_them() -> None:
    world = Proxied()
    near, far = world.connected()
    world.upstream("slicer", average_size=10, size_variation=0, delay=5_000)
    now_ns = world.world.now_ns
    near.transport.write(bytes(range(40)))
    world.settle()
    assert [len(data) for _, data in far.reads] == [10, 10, 10, 10]
    assert [at for at, _ in pieces(far, now_ns)] == [2, 7, 12, 17]
    assert far.received == bytes(range(40))


def test_equal_seeds_draw_alike_in_a_world() -> None:
    def received(seed: int) -> list[int]:
        world = Proxied()
        world.proxy = WorldProxy(Ground(world.middle), "other", PORT + 1, (world.far.address, PORT), seed)
        kept = Kept(world.world)
        Streams(Ground(world.near)).connect(world.middle, PORT + 1, kept, world.results.append)
        world.settle()
        world.upstream("latency", latency=50, jitter=50)
        for number in range(20):
            world.world.at(world.world.now_ns + number * 200 * MS, lambda: kept.transport.write(b"x"))
        world.run(world.world.now_ns + 10 * S)
        return [at_ns for at_ns, _ in world.accepted[0].reads]

    assert received(7) == received(7) != received(8)
    assert len(received(7)) == 20


def test_a_paused_proxy_does_nothing_until_it_runs_again() -> None:
    world = Proxied()
    near, far = world.connected()
    now_ns = world.world.now_ns
    world.middle.pause(now_ns, now_ns + 500 * MS)
    near.transport.write(b"x")
    world.settle()
    assert pieces(far, now_ns) == [(501, b"x")]


def test_unknown_toxics_and_attributes_are_refused() -> None:
    proxy = Proxied().proxy
    with pytest.raises(ValueError, match="there is no toxic 'latenzy'"):
        proxy.add("latenzy", attributes={})
    with pytest.raises(ValueError, match="no attribute 'rate'; it has jitter, latency"):
        proxy.add("latency", attributes={"rate": 1})
    with pytest.raises(ValueError, match="no stream 'up'"):
        proxy.add("latency", stream="up", attributes={})
    proxy.add("noop", attributes={})
    with pytest.raises(ValueError, match="there is a toxic 'noop_downstream' already"):
        proxy.add("noop", attributes={})
    with pytest.raises(ValueError, match="there is no toxic 'other'; there are noop_downstream"):
        proxy.remove("other")


def test_a_server_that_waits_to_write_is_let_go_when_its_client_is_gone() -> None:
    """It reads no further before it has written, and nobody reads: without help, both would wait for ever."""
    world = Proxied(buffer_bytes=1 << 12)
    near, far = world.connected()
    far.resume_writing = far.transport.resume_reading  # type: ignore[method-assign]
    for kept in (near, far):
        kept.transport.pause_reading()
        kept.transport.set_write_buffer_limits(0)
        kept.transport.write(bytes(30_000))
    world.settle()
    assert far.paused
    near.transport.abort()
    world.settle()
    assert world.proxy.open_connections == 0
    assert far.ends == ["end", "lost"]
    assert far.received


# ── What the witness finds ──────────────────────────────────────────────────────────────────────────────────────────


def broken(kind: str, law: str, *, idle_ns: int = 0, **attributes: int) -> None:
    """Send through a broken toxic, which had nothing to do for a time, and find that a law is."""
    world = Proxied()
    near, _ = world.connected()
    world.upstream(kind, **attributes)
    world.run(world.world.now_ns + idle_ns)
    for number in range(3):
        world.world.at(world.world.now_ns + number * MS + 1, lambda: near.transport.write(bytes(range(100))))
    with pytest.raises(BrokenInvariant, match=law):
        world.settle()


def test_a_toxic_that_loses_a_piece_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    cut = Slicer._slice

    def loses(self: Slicer, stub: object) -> None:
        cut(self, stub)  # type: ignore[arg-type]
        stub.pieces.popleft()  # type: ignore[attr-defined]

    monkeypatch.setattr(Slicer, "_slice", loses)
    broken("slicer", WHOLE, average_size=10)


def test_a_latency_that_is_too_short_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Latency, "_delay_ns", lambda self, stub: self._values["latency"] * MS - 1)
    broken("latency", DELAYED, latency=10)


def test_a_bandwidth_that_is_too_wide_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    wait = Bandwidth._wait
    monkeypatch.setattr(Bandwidth, "_wait", lambda self, stub, now_ns, for_ns: wait(self, stub, now_ns, for_ns // 2))
    broken("bandwidth", LIMITED, rate=1)


@pytest.mark.parametrize("idle_ns", [0, 10 * S])
def test_a_bandwidth_that_is_a_little_too_wide_is_found(idle_ns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time in which a connection had nothing to send allows no burst."""
    wait = Bandwidth._wait
    monkeypatch.setattr(
        Bandwidth, "_wait", lambda self, stub, now_ns, for_ns: wait(self, stub, now_ns, for_ns * 9 // 10)
    )
    broken("bandwidth", LIMITED, idle_ns=idle_ns, rate=1)
