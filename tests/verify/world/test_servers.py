"""The built-in server in a world: its replies, its clocks and its planted faults, in virtual time."""

from __future__ import annotations

import pytest
from small_worlds import MS, PORT, Pair, S, talked

from loadgen.protocol import Wire
from loadgen.server._faults import Faults
from loadgen.verify.world.servers import BuiltinServer


def request(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def test_a_key_expires_by_the_hosts_clock() -> None:
    pair = Pair().links(latency_ns=MS)
    server = BuiltinServer(pair.far, PORT + 1, Wire.RESP)
    asked = (request(b"SET", b"k", b"v", b"PX", b"25"), *[request(b"GET", b"k")] * 4)
    kept = talked(server, pair.near, *asked, every_ns=10 * MS)
    pair.run(S)
    assert kept.received == b"+OK\r\n" + b"$1\r\nv\r\n" * 2 + b"$-1\r\n" * 2
    assert server.calls() == {"set": 1, "get": 4}


def test_a_clock_that_is_set_forward_expires_keys() -> None:
    pair = Pair().links(latency_ns=MS)
    server = BuiltinServer(pair.far, PORT + 1, Wire.MEMCACHE)
    kept = talked(server, pair.near, b"set k 0 3600 1\r\nv\r\n", *[b"get k\r\n"] * 2, every_ns=10 * MS)
    pair.world.at(15 * MS, lambda: pair.far.shift_unix_time(3600 * S))
    pair.run(S)
    assert kept.received == b"STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\nEND\r\n"


def test_a_planted_delay_serves_one_command_after_the_other() -> None:
    pair = Pair().links(latency_ns=MS)
    server = BuiltinServer(pair.far, PORT + 1, Wire.RESP, faults=Faults(delay_ns=10 * MS))
    # The PING that opens a conversation takes no service.
    kept = talked(server, pair.near, request(b"PING"), request(b"GET", b"k") * 3, every_ns=5 * MS)
    pair.run(S)
    # Connected after 2 ms, sent at 7 ms, arrived at 8 ms; a reply takes 1 ms.
    assert [at for at, _ in kept.reads] == [4 * MS, 19 * MS, 29 * MS, 39 * MS]


def test_slow_reading_takes_its_time() -> None:
    pair = Pair().links(latency_ns=MS)
    server = BuiltinServer(pair.far, PORT + 1, Wire.RESP, faults=Faults(read_bytes_per_s=10_000))
    asked = request(b"SET", b"k", bytes(10_000))
    kept = talked(server, pair.near, asked)
    pair.run(5 * S)
    assert kept.received == b"+OK\r\n"
    assert kept.reads[0][0] == pytest.approx(len(asked) * S / 10_000, rel=0.02)


def test_replies_that_find_no_room_wait_for_it() -> None:
    pair = Pair(buffer_bytes=1000).links(latency_ns=MS)
    server = BuiltinServer(pair.far, PORT + 1, Wire.RESP)
    asked = request(b"SET", b"k", b"v" * 900), request(b"GET", b"k") * 40
    kept = talked(server, pair.near, *asked, every_ns=MS)
    pair.run(5 * S)
    assert kept.received == b"+OK\r\n" + (b"$900\r\n" + b"v" * 900 + b"\r\n") * 40
    assert pair.network.starvations


def test_a_server_that_is_killed_and_made_again_has_lost_its_keys() -> None:
    pair = Pair().links(latency_ns=MS)
    server = BuiltinServer(pair.far, PORT + 1, Wire.RESP)
    talked(server, pair.near, request(b"SET", b"k", b"v"))
    pair.run(S)
    assert len(server.store) == 1
    pair.far.kill()
    again = BuiltinServer(pair.far, PORT + 1, Wire.RESP)
    kept = talked(again, pair.near, request(b"GET", b"k"))
    pair.run(2 * S)
    assert kept.received == b"$-1\r\n"


def test_a_server_in_a_world_takes_no_freezes() -> None:
    pair = Pair()
    with pytest.raises(ValueError, match="pause"):
        BuiltinServer(pair.far, PORT + 1, Wire.RESP, faults=Faults(stall_ns=1, every_ns=2))


@pytest.mark.parametrize(("wire", "words"), [(Wire.RESP, b"-ERR max number"), (Wire.MEMCACHE, b"ERROR Too many")])
def test_a_server_turns_away_the_connections_beyond_its_most(wire: Wire, words: bytes) -> None:
    pair = Pair().links(latency_ns=MS)
    server = BuiltinServer(pair.far, PORT + 1, wire)
    first = talked(server, pair.near)
    pair.run(S)
    server.most_connections = 1
    second = talked(server, pair.near)
    pair.run(2 * S)
    assert (first.received, first.ends) == (b"", [])
    assert second.received.startswith(words)
    assert second.ends == ["end", "lost"]
    server.most_connections = 0
    third = talked(server, pair.near)
    pair.run(3 * S)
    assert (third.received, third.ends) == (b"", ["end", "lost"])
    assert len(server.connections()) == 1


def test_a_server_that_comes_back_has_the_items_of_the_store_that_it_is_given() -> None:
    pair = Pair().links(latency_ns=MS)
    server = BuiltinServer(pair.far, PORT + 1, Wire.RESP)
    server.store.set(b"a", b"1")
    pair.far.kill()
    pair.far.restart()
    kept = BuiltinServer(pair.far, PORT + 1, Wire.RESP, store=server.store)
    asked = talked(kept, pair.near, request(b"GET", b"a"))
    pair.run(S)
    assert asked.received == b"$1\r\n1\r\n"
