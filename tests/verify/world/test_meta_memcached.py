"""The model of memcached's meta commands: the replies of memcached 1.6.18, recorded, whole and at every cut."""

from __future__ import annotations

from loadgen.verify.world.meta_memcached import MetaConnection, MetaServer

NOW_NS = 1_800_000_000 * 1_000_000_000

RECORDED = [
    (b"mn\r\n", b"MN\r\n"),
    (b"mg k k v\r\n", b"EN kk\r\n"),
    (b"ms k 3 T0\r\nabc\r\n", b"HD\r\n"),
    (b"mg k k v\r\n", b"VA 3 kk\r\nabc\r\n"),
    (b"mg k k c v\r\n", b"VA 3 kk c1\r\nabc\r\n"),
    (b"mg k k c t v\r\n", b"VA 3 kk c1 t-1\r\nabc\r\n"),
    (b"mg k T0\r\n", b"HD\r\n"),
    (b"ms k 2 T0 ME\r\nxx\r\n", b"NS\r\n"),
    (b"ms n 2 T0 ME\r\nxx\r\n", b"HD\r\n"),
    (b"ms k 2 T0 MR\r\nxx\r\n", b"HD\r\n"),
    (b"ms q 2 T0 MR\r\nxx\r\n", b"NS\r\n"),
    (b"ms k 1 T0 MA\r\ny\r\n", b"HD\r\n"),
    (b"ms k 1 T0 MP\r\nz\r\n", b"HD\r\n"),
    (b"ms q 1 T0 MP\r\nz\r\n", b"NS\r\n"),
    (b"mg k v\r\n", b"VA 4\r\nzxxy\r\n"),
    (b"ms k 1 T0 C1\r\na\r\n", b"EX\r\n"),
    (b"ms zz 1 T0 C1\r\na\r\n", b"NF\r\n"),
    (b"md k\r\n", b"HD\r\n"),
    (b"md k\r\n", b"NF\r\n"),
    (b"ma c v D1\r\n", b"NF\r\n"),
    (b"ma c v D1 N0 J1\r\n", b"VA 1\r\n1\r\n"),
    (b"ma c v D1 N0 J1\r\n", b"VA 1\r\n2\r\n"),
    (b"ma c v D5 MD\r\n", b"VA 1\r\n0\r\n"),
    (b"ma c v D12\r\n", b"VA 2\r\n12\r\n"),
    (b"ma c v D4 MD\r\n", b"VA 1\r\n8\r\n"),
    (b"ms e 2 T100\r\nab\r\n", b"HD\r\n"),
    (b"mg e t v\r\n", b"VA 2 t100\r\nab\r\n"),
    (b"ms e 1 T0 MA\r\nc\r\n", b"HD\r\n"),
    (b"mg e t v\r\n", b"VA 3 t100\r\nabc\r\n"),
    (b"mg e T50\r\n", b"HD\r\n"),
    (b"mg e t\r\n", b"HD t50\r\n"),
    (b"mg e T30 t v\r\n", b"VA 3 t30\r\nabc\r\n"),
    (b"ms e 1 T7 MP\r\nz\r\n", b"HD\r\n"),
    (b"mg e t\r\n", b"HD t30\r\n"),
    (b"mg e T0 t\r\n", b"HD t-1\r\n"),
    (b"ma n9 N60 J5 v\r\n", b"VA 1\r\n5\r\n"),
    (b"mg n9 t v\r\n", b"VA 1 t60\r\n5\r\n"),
    (b"ma n9 v\r\n", b"VA 1\r\n6\r\n"),
    (b"mg n9 t\r\n", b"HD t60\r\n"),
    (b"bad\r\n", b"ERROR\r\n"),
]


def test_replies_are_memcacheds() -> None:
    connection = MetaConnection(MetaServer(lambda: NOW_NS))
    assert [(asked, connection.answers(asked)) for asked, _ in RECORDED] == RECORDED


def test_replies_do_not_depend_on_where_requests_are_cut() -> None:
    asked = b"".join(request for request, _ in RECORDED)
    replies = b"".join(reply for _, reply in RECORDED)
    for cut in range(len(asked)):
        connection = MetaConnection(MetaServer(lambda: NOW_NS))
        assert connection.answers(asked[:cut]) + connection.answers(asked[cut:]) == replies


def test_an_item_is_gone_when_its_time_to_live_is_over() -> None:
    now_ns = [NOW_NS]
    server = MetaServer(lambda: now_ns[0])
    connection = MetaConnection(server)
    connection.answers(b"ms k 1 T2\r\nx\r\n")
    now_ns[0] += 1_999_999_999
    assert connection.answers(b"mg k v\r\n") == b"VA 1\r\nx\r\n"
    assert connection.answers(b"mg k T3\r\n") == b"HD\r\n"
    now_ns[0] += 2_000_000_000
    assert connection.answers(b"ms k 1 T0 MA\r\ny\r\n") == b"HD\r\n"
    now_ns[0] += 1_000_000_000
    assert connection.answers(b"ms k 1 T0 MA\r\nz\r\n") == b"NS\r\n"
    assert connection.answers(b"md k\r\n") == b"NF\r\n"
    assert server.expired == 1
