"""The model of memcached's meta commands: the replies of memcached 1.6.18, recorded, whole and at every cut."""

from __future__ import annotations

from loadgen.verify.world.meta_memcached import MetaConnection, MetaServer

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
    (b"bad\r\n", b"ERROR\r\n"),
]


def test_replies_are_memcacheds() -> None:
    connection = MetaConnection(MetaServer())
    assert [(asked, connection.answers(asked)) for asked, _ in RECORDED] == RECORDED


def test_replies_do_not_depend_on_where_requests_are_cut() -> None:
    asked = b"".join(request for request, _ in RECORDED)
    replies = b"".join(reply for _, reply in RECORDED)
    for cut in range(len(asked)):
        connection = MetaConnection(MetaServer())
        assert connection.answers(asked[:cut]) + connection.answers(asked[cut:]) == replies
