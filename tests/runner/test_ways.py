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


SEVERAL = ("workload.commands.mget=20", "workload.commands.mset=10", "workload.commands.incr=10")


@pytest.mark.parametrize("settings", [(), ("workload.values.length=20000", "workload.keys_per_request=3")])
def test_redis_counts_requests_of_several_keys(
    settings: tuple[str, ...], ways: tuple[RealServer, dict[str, list[str]]]
) -> None:
    server, ways_there = ways
    server.redis().flushall()
    before = redis_calls(server)
    result = ran(*ways_there["plain"], *SEVERAL, "workload.commands.delete=0", *settings)
    counted = {name: count - before.get(name, 0) for name, count in redis_calls(server).items()}
    assert {name: count for name, count in counted.items() if count} == redis_calls_of(sent(result))
    each = 3 if settings else 10
    mget, mset, incr = (result.measured.tallies[name] for name in ("mget", "mset", "incr"))
    # Every key was written before, and none removed.
    assert (mget.hits, mget.keys, mget.keys_found) == (mget.ok, each * mget.ok, each * mget.ok)
    assert (mset.hits, mset.keys) == (mset.ok, each * mset.ok)
    counters = server.redis().keys("counter:*")
    assert sum(int(str(server.redis().get(name), "ascii")) for name in counters) == incr.ok
    lengths = {server.redis().strlen(name) for name in server.redis().keys("0*")}
    assert lengths == {20_000 if settings else 64}


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


@pytest.mark.skipif(shutil.which("memcached") is None, reason="memcached is not installed")
@pytest.mark.parametrize("protocol", ["memcache", "memcache-meta", "memcache-binary"])
@pytest.mark.parametrize("quiet", ["false", "true"])
def test_memcached_counts_each_key_and_each_increment(protocol: str, quiet: str, memcached: RealServer) -> None:
    has_mget = protocol == "memcache"
    mix = ("workload.commands.incr=30", f"workload.commands.mget={20 * has_mget}", f"target.memcache.quiet={quiet}")
    prefix = f"workload.keyspace.prefix={json.dumps(protocol[9:] + quiet[0] + ':')}"
    before, _ = memcached_stats(memcached.port)
    result = ran(endpoint(f"{HOST}:{memcached.port}"), setting("target.protocol", protocol), *mix, prefix)
    after, _ = memcached_stats(memcached.port)
    requests, tallies = sent(result), result.measured.tallies
    counted = {name: after[name] - before[name] for name in ("cmd_get", "cmd_set", "incr_hits", "incr_misses")}
    assert counted["cmd_get"] == requests["get"] + (10 * requests["mget"] if has_mget else 0)
    # The text protocol creates a counter by an add; in the others, the increment itself does, which is neither a hit
    # nor a set.
    created = requests["incr"] - counted["incr_hits"] - counted["incr_misses"]
    if has_mget:
        assert (created, counted["incr_misses"]) == (0, tallies["incr"].misses)
        assert 0 < tallies["incr"].misses <= requests["add"] + tallies["incr"].ok
        assert counted["cmd_set"] == requests["set"] + requests["add"]
    else:
        assert 0 < created <= 200
        assert (tallies["incr"].misses, counted["incr_misses"]) == (0, 0)
