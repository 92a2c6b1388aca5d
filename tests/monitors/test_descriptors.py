"""The table of a process's descriptors by target, which names a peer that leaks."""

import os
import socket
from collections import Counter

import pytest

from loadgen.monitors.descriptors import Socket, parse_inet, parse_unix, table, tabled, targets
from loadgen.monitors.procfs import Proc

HEAD = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
TCP = HEAD + (
    b"   0: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 100 1 0 100 0 0 10 0\n"
    b"   1: 0100007F:18EB 0200000A:C001 01 00000000:00000000 00:00000000 00000000  1000 0 101 1 0 20 4 30 10 -1\n"
    b"   2: 0100007F:C002 0300000A:18EB 08 00000000:00000000 00:00000000 00000000  1000 0 102 1 0 20 4 30 10 -1\n"
    b"   3: 0100007F:C0"
)
TCP6 = HEAD + (
    b"   0: 00000000000000000000000001000000:18EB B80D0120000000000000000001000000:C003 01 0:0 00:0 0 0 0 200 1 0\n"
    b"   1: 0000000000000000FFFF00000100007F:18EB 0000000000000000FFFF00000400000A:C004 01 0:0 00:0 0 0 0 201 1 0\n"
)
UNIX = (
    b"Num       RefCount Protocol Flags    Type St Inode Path\n"
    b"0000000000000000: 00000002 00000000 00010000 0001 01 300 /run/a b.sock\n"
    b"0000000000000000: 00000003 00000000 00000000 0001 03 301\n"
)


@pytest.mark.skipif(os.sys.byteorder != "little", reason="the vectors are of a little-endian machine")
def test_sockets_are_read_by_inode_and_a_row_that_is_cut_off_is_left_out() -> None:
    assert parse_inet("tcp", TCP) == {
        "100": Socket("tcp", ("127.0.0.1", 6379), ("0.0.0.0", 0), 10),
        "101": Socket("tcp", ("127.0.0.1", 6379), ("10.0.0.2", 49153), 1),
        "102": Socket("tcp", ("127.0.0.1", 49154), ("10.0.0.3", 6379), 8),
    }
    # IPv4 through a socket of IPv6 is written as IPv4.
    assert parse_inet("tcp", TCP6) == {
        "200": Socket("tcp", ("::1", 6379), ("2001:db8::1", 49155), 1),
        "201": Socket("tcp", ("127.0.0.1", 6379), ("10.0.0.4", 49156), 1),
    }


def test_accepted_connections_are_counted_by_host_and_others_by_their_peer() -> None:
    at = ("127.0.0.1", 6379)
    inet = {
        "1": Socket("tcp", at, ("0.0.0.0", 0), 10),
        **{str(n): Socket("tcp", at, ("10.0.0.2", 40000 + n), 1) for n in range(2, 7)},
        **{str(n): Socket("tcp", ("10.0.0.1", 40000 + n), ("10.0.0.3", 11211), 8) for n in range(7, 10)},
        "10": Socket("udp", ("10.0.0.1", 53), ("0.0.0.0", 0), 7),
    }
    links = [*(f"socket:[{n}]" for n in range(1, 11)), "socket:[300]", "socket:[999]", "pipe:[4]", "pipe:[5]"]
    assert targets([*links, "/var/log/a.log", "anon_inode:[eventpoll]"], inet, parse_unix(UNIX)) == {
        "tcp listening on port 6379": 1,
        "tcp from 10.0.0.2, accepted on port 6379, established": 5,
        "tcp to 10.0.0.3:11211, close-wait": 3,
        "udp port 53": 1,
        "unix socket /run/a b.sock": 1,
        "socket without an address": 1,
        "pipe": 2,
        "/var/log/a.log": 1,
        "[eventpoll]": 1,
    }


def test_a_table_has_the_most_frequent_first_and_an_end() -> None:
    assert table(Counter({"a": 1, "b": 3, "c": 3})) == "7 descriptors\n      3  b\n      3  c\n      1  a\n"
    lines = table(Counter({f"/tmp/{n}": 1 for n in range(1500)})).splitlines()
    assert len(lines) == 1002
    assert lines[-1] == "    500  500 other targets"


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")  # noqa: PTH112
def test_a_peer_to_which_this_process_leaks_connections_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        leaked = [socket.create_connection(("127.0.0.1", port)) for _ in range(7)]
        try:
            assert f"      7  tcp to 127.0.0.1:{port}, established\n" in tabled(Proc(os.getpid()))
        finally:
            for each in leaked:
                each.close()
