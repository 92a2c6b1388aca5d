"""INFO of a server that speaks RESP, and a real one, which is killed and started again."""

import pytest
from real_servers import RealServer

from loadgen.monitors.making import make
from loadgen.monitors.monitor import UnderLoad, Unreadable
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.redis import SERIES, parse_info
from loadgen.plan import Endpoint, Target

INFO = (
    "# Server\r\nredis_version:7.0.15\r\nrun_id:c1d0\r\nuptime_in_seconds:3\r\n\r\n# Memory\r\nused_memory:941600\r\n"
    "used_memory_human:919.53K\r\nmem_fragmentation_ratio:-nan\r\n# Stats\r\nlatest_fork_usec:250\r\n"
    "evicted_keys:many\r\n\r\n# Keyspace\r\ndb0:keys=5,expires=1,avg_ttl=0\r\ndb3:keys=2,expires=0,avg_ttl=0\r\n"
)


def target(port: int, password: str = "") -> Target:
    return Target("resp", (Endpoint("127.0.0.1", port, "127.0.0.1"),), password=password)


def test_fields_are_series_in_base_units_and_what_is_no_number_is_left_out() -> None:
    found = parse_info(INFO)
    assert found.values == {"used_memory": 941600, "uptime": 3 * 10**9, "latest_fork_usec": 250_000, "keys": 7}
    assert found.identity == "run_id c1d0"
    assert found.values.keys() <= SERIES.keys()


def test_databases_without_keys_have_no_line_and_count_as_0() -> None:
    assert parse_info("used_memory:1\r\n# Keyspace\r\n").values["keys"] == 0
    assert "keys" not in parse_info("used_memory:1\r\n").values


def test_a_text_that_is_no_info_is_refused() -> None:
    with pytest.raises(Unreadable, match="none of the fields of redis"):
        parse_info("hello: world\r\n")


def test_a_real_server_is_read_on_one_connection_and_its_restart_is_seen() -> None:
    with RealServer.redis() as server:
        server.client().config_set("requirepass", "sesame")
        monitor = make(MonitorPlan("redis", "redis", server=target(server.port, "sesame")), UnderLoad())
        found = monitor.read()
        first, second = found.values, monitor.read().values
        assert set(first) >= {"used_memory", "used_memory_dataset", "connected_clients", "keys", "uptime"}
        assert first.keys() <= SERIES.keys()
        assert second["total_connections_received"] == first["total_connections_received"]
        assert "cmd=info" in monitor.evidence()["clients.txt"]
        assert monitor.evidence().keys() == {"clients.txt", "memory-doctor.txt", "memory-stats.txt", "info.txt"}
        assert "peak.allocated" in monitor.evidence()["memory-stats.txt"]

        wrong = make(MonitorPlan("redis", "redis", server=target(server.port, "open")), UnderLoad())
        with pytest.raises(Unreadable, match="answers AUTH with WRONGPASS"):
            wrong.read()
        without = make(MonitorPlan("redis", "redis"), UnderLoad(target(server.port)))
        with pytest.raises(Unreadable, match="answers INFO with NOAUTH"):
            without.read()

        server.kill()
        with pytest.raises(
            Unreadable, match=rf"^127.0.0.1:{server.port} cannot be asked for INFO: nothing listens there$"
        ):
            monitor.read()
        server.start()
        # The new process asks for no password.
        assert monitor.read().identity != found.identity
        monitor.close()
