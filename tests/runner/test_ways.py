"""One workload over every way to a server: what was planned adds up, and the server has counted what was sent.

Clusters and sentinels are in `test_clusters`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from hashlib import sha256

import pytest
from certificates import Authority, Certified
from real_servers import HOST, RealServer, free_port
from runs import described, memcached_stats, redis_calls, redis_calls_of, sent

import loadgen
from loadgen.events import Result

LOAD = (
    "general.duration=30s",
    "general.warmup=0s",
    "general.requests=900",
    "workload.prefill=true",
    "workload.keyspace.count=200",
    "workload.commands.delete=5",
)
USER, PASSWORD = "tester", "a password"
DIGEST = sha256(PASSWORD.encode()).hexdigest()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def own(authority: Authority) -> Certified:
    return authority.sign("localhost", "DNS:localhost", f"IP:{HOST}")


@pytest.fixture(scope="module")
def ways(
    authority: Authority, own: Certified, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RealServer, dict[str, list[str]]]]:
    """A redis-server that can be reached in many ways, and the settings of each."""
    path, tls = tmp_path_factory.mktemp("socket") / "redis.sock", free_port()
    options = ["--unixsocket", str(path), "--tls-port", str(tls), "--tls-auth-clients", "optional"]
    options += ["--tls-cert-file", str(own.certificate), "--tls-key-file", str(own.key)]
    options += ["--tls-ca-cert-file", str(authority.certificate), "--user", USER, "on", f"#{DIGEST}", "~*", "+@all"]
    with RealServer.redis(*options) as server:
        over_tls = [endpoint(f"{HOST}:{tls}"), "target.tls=true", setting("target.tls_ca_file", authority.certificate)]
        log_in = [setting("target.username", USER), setting("target.password", PASSWORD)]
        cert = [setting("target.tls_cert", own.certificate), setting("target.tls_key", own.key)]
        plain = [endpoint(f"{HOST}:{server.port}")]
        yield (
            server,
            {
                "plain": plain,
                "resp3": [*plain, 'target.protocol="resp3"'],
                "unix": [endpoint(f"unix:{path}")],
                "tls": over_tls,
                "mtls": [*over_tls, *cert],
                "acl": [*plain, *log_in],
                "acl over tls, database 3": [*over_tls, *log_in, "target.database=3"],
                "url": [endpoint(f"redis://{HOST}:{server.port}/2")],
            },
        )


def setting(key: str, value: object) -> str:
    return f"{key}={json.dumps(str(value))}"


def endpoint(words: str) -> str:
    return f"target.endpoints={json.dumps([words])}"


def ran(*settings: str) -> Result:
    result = loadgen.run(described(1, *LOAD, *settings))
    total = result.measured.total
    assert result.unaccounted == 0
    assert (total.planned, total.ok, total.not_ok) == (900, 900, 0)
    return result


@pytest.mark.parametrize("way", ["plain", "resp3", "unix", "tls", "mtls", "acl", "acl over tls, database 3", "url"])
def test_redis_counts_what_was_sent(way: str, ways: tuple[RealServer, dict[str, list[str]]]) -> None:
    server, settings = ways
    before = redis_calls(server)
    result = ran(*settings[way])
    after = redis_calls(server)
    counted = {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}
    assert counted == redis_calls_of(sent(result))


@pytest.fixture(scope="module")
def memcached() -> Iterator[RealServer]:
    with RealServer.memcached() as server:
        yield server


@pytest.mark.skipif(shutil.which("memcached") is None, reason="memcached is not installed")
@pytest.mark.parametrize(
    "way",
    [
        ("memcache",),
        ("memcache", "quiet=true"),
        ("memcache-meta",),
        ("memcache-meta", "quiet=true"),
        ("memcache-meta", "base64_keys=true"),
        ("memcache-binary",),
        ("memcache-binary", "quiet=true"),
    ],
    ids=" ".join,
)
def test_memcached_counts_what_was_sent(way: tuple[str, ...], memcached: RealServer) -> None:
    protocol, *more = way
    before, _ = memcached_stats(memcached.port)
    settings = [setting("target.protocol", protocol), *(f"target.memcache.{each}" for each in more)]
    result = ran(endpoint(f"{HOST}:{memcached.port}"), *settings)
    after, _ = memcached_stats(memcached.port)
    counted = {name: after[name] - before[name] for name in ("cmd_get", "cmd_set", "delete_hits", "delete_misses")}
    requests = sent(result)
    assert counted["cmd_get"] == requests["get"]
    assert counted["cmd_set"] == requests["set"]
    assert counted["delete_hits"] + counted["delete_misses"] == requests["delete"]
