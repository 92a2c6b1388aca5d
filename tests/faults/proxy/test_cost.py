"""The cost of a proxy: both ways are measured, in time, and what cannot be measured is said."""

from __future__ import annotations

import socket
import time

import pytest

from loadgen.faults.proxy import cost
from loadgen.faults.proxy.client import ProxyApi, ProxyApiError
from loadgen.faults.proxy.managed import ManagedProxy


def test_both_ways_are_measured_and_nothing_is_left_in_the_proxy() -> None:
    with ManagedProxy() as proxy:
        began = time.monotonic()
        found = cost.measure(proxy.api, for_s=0.2)
        assert time.monotonic() - began < 20
        counted = proxy.api.effects()
    assert counted == {}
    assert 0 < found.direct_p50_ns < found.proxied_p50_ns
    assert found.direct_bytes_per_s > 0
    assert found.proxied_bytes_per_s > 0
    assert f"adds {found.added_p50_ns / 1e3:.0f} µs to the median round trip" in str(found)


def test_a_proxy_that_does_not_answer_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ProxyApiError, match="does not answer"):
        cost.measure(ProxyApi(f"http://127.0.0.1:{port}"))
