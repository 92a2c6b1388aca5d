"""`stats` and `stats slabs` of a memcached, and a real one."""

import pytest
from real_servers import RealServer

from loadgen.monitors.making import make
from loadgen.monitors.memcached import SERIES, parse_stats
from loadgen.monitors.monitor import UnderLoad, Unreadable
from loadgen.monitors.plan import MonitorPlan
from loadgen.plan import Endpoint, Target

STATS = "STAT pid 1\r\nSTAT uptime 10\r\nSTAT time 1700000010\r\nSTAT version 1.6.18\r\nSTAT curr_items 3\r\nEND\r\n"
SLABS = (
    "STAT 1:chunk_size 96\r\nSTAT 1:total_pages 2\r\nSTAT 3:total_pages 1\r\nSTAT active_slabs 2\r\n"
    "STAT total_malloced 3145728\r\nEND\r\n"
)


def later(seconds: int, *, clock: int = 1_700_000_010) -> str:
    return STATS.replace("uptime 10", f"uptime {10 + seconds}").replace("1700000010", str(clock + seconds))


def test_statistics_are_series_in_base_units_and_pages_are_summed() -> None:
    found = parse_stats(STATS, SLABS)
    assert found.values == {
        "uptime": 10 * 10**9, "curr_items": 3, "slab_pages": 3, "active_slabs": 2, "total_malloced": 3 << 20,
    }  # fmt: skip
    assert found.values.keys() <= SERIES.keys()


def test_a_process_is_told_from_the_next_by_its_start_though_all_have_one_number() -> None:
    first = parse_stats(STATS, SLABS).identity
    assert first == "pid 1, started 1700000000"
    # The two clocks of the server do not tick at once.
    assert parse_stats(later(5, clock=1_700_000_011), SLABS, first).identity == first
    assert parse_stats(later(-9, clock=1_700_000_060), SLABS, first).identity == "pid 1, started 1700000050"


def test_a_server_without_slabs_has_no_pages() -> None:
    assert "slab_pages" not in parse_stats(STATS, "ERROR\r\n").values


def test_a_text_that_is_no_listing_is_refused() -> None:
    with pytest.raises(Unreadable, match="none of the statistics of memcached"):
        parse_stats("ERROR\r\n", "ERROR\r\n")


def test_a_real_server_is_read_on_one_connection() -> None:
    with RealServer.memcached() as server:
        target = Target("memcache", (Endpoint("127.0.0.1", server.port, "127.0.0.1"),))
        monitor = make(MonitorPlan("memcached", "memcached"), UnderLoad(target))
        first, second = monitor.read(), monitor.read()
        assert first.values.keys() == SERIES.keys()
        assert second.identity == first.identity
        assert f"pid {server.pid}, started " in first.identity
        assert second.values["total_connections"] == first.values["total_connections"]
        assert monitor.evidence().keys() == {"stats.txt", "stats-slabs.txt", "stats-items.txt", "stats-conns.txt"}
        monitor.close()
        resp = make(MonitorPlan("redis", "redis", timeout_ns=10**9), UnderLoad(target))
        with pytest.raises(
            Unreadable, match=rf"^127.0.0.1:{server.port} answers INFO with something that is not RESP: ERROR"
        ):
            resp.read()
