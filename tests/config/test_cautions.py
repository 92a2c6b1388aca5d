"""A key that is accepted and not acted on gets a warning with its place in the file; a default gets none."""

from pathlib import Path

import pytest

from loadgen.config import Flag, load

SEARCH = '[workload.saturation_search]\nslo = { p99 = "1ms" }\n'
PHASE = "[[workload.phase]]\nfor = '30s'\nrate = 5\n"


def warnings(tmp_path: Path, text: str, *overrides: str) -> list[str]:
    path = tmp_path / "bench.toml"
    path.write_text(text)
    return [warning.replace(f"{tmp_path}/", "") for warning in load(path, overrides).warnings]


@pytest.mark.parametrize(
    ("text", "begins", "gist"),
    [
        ('[general]\nio_engine = "auto"', "2:1: general.io_engine", "not acted on"),
        ('[target]\ntls_hostname = "a"', "2:1: target.tls_hostname", "tls is false"),
        ("[target]\ntls_verify = false", "2:1: target.tls_verify", "tls is false"),
        ('[target]\ntls_cert = "c.pem"', "2:1: target.tls_cert", "tls is false"),
        ("[momento]\nttl_seconds = 1", "1:2: momento", "not supported"),
        ("[workload]\nrate_limit = 5\n" + SEARCH, "2:1: workload.rate_limit", "not acted on: the search sets the rate"),
        (SEARCH + PHASE, "3:12: workload.phase", "is not acted on: the search sets the rate"),
        (SEARCH + "[general]\nduration = 5", "4:1: general.duration", "is not acted on: the search says how long"),
        (SEARCH + "[general]\ninterval = 5", "4:1: general.interval", "is not acted on: a search shows a line"),
        (SEARCH + "[slo]\np99 = 1", "3:2: slo", "the search has limits of its own"),
        ("[workload.saturation_search]\n[slo]\nmax = 1", "3:1: slo.max", "a search keeps to percentiles only"),
        ("[workload.saturation_search]\n[slo.set]\nerrors = 0", "3:1: slo.set.errors", "keeps to percentiles only"),
        (
            PHASE + "[general]\nduration = '1m'",
            "5:1: general.duration",
            "is not acted on: the phases of workload.phase last 30s in all",
        ),
        (
            PHASE.replace("5", "[0, 5]\nshape = 'ramp'") + "[general]\nwarmup = 5",
            "6:1: general.warmup",
            "sends nothing: the warm-up has the rate at which workload.phase begins, and that is 0",
        ),
        ('[workload]\narrival = "poisson"', "2:1: workload.arrival", "is not acted on without a rate_limit or phases"),
        ('[workload]\narrival = "constant"', "2:1: workload.arrival", "is not acted on without a rate_limit or phases"),
        ("[workload]\nspin = true\n[general]\nthreads = 1", "2:1: workload.spin", "a whole core for its worker"),
        (
            "[workload]\nspin = true\n[general]\nthreads = 2\n[connection]\nconnections = 2",
            "2:1: workload.spin",
            "true takes a whole core for each of 2 workers; leave the server cores of its own",
        ),
        (
            '[connection]\nrequest_distribution = "random"',
            "2:1: connection.request_distribution",
            "rate_limit or phases",
        ),
        ("[timestamps]\nenabled = false", "2:1: timestamps.enabled", "always recorded"),
        ('[timestamps]\nmode = "software"', "2:1: timestamps.mode", "in user space"),
        ('[admin]\nlisten = "127.0.0.1:9090"', "2:1: admin.listen", "not acted on yet"),
        ('[admin]\nparquet = "a"', "2:1: admin.parquet", "not acted on yet"),
        ('[admin]\nparquet_interval = "1s"', "2:1: admin.parquet_interval", "not acted on yet"),
        ("[connection]\nconnections = 2\npool_size = 3", "2:1: connection.connections", "pool_size"),
        ("[connection]\nbatch_size = 9\npipeline_depth = 8", "2:1: connection.batch_size", "8 is used"),
        ('[connection]\nrequest_distribution = "greedy"', "2:1: connection.request_distribution", "rate_limit"),
        (
            '[connection]\nrefill = "drained"\n[workload]\nrate_limit = 5',
            "2:1: connection.refill",
            "not acted on with a rate_limit",
        ),
        ('[connection]\nrefill = "drained"\n' + PHASE, "2:1: connection.refill", "not acted on with a rate_limit"),
        ('[connection]\nrefill = "drained"\n' + SEARCH, "2:1: connection.refill", "not acted on with a rate_limit"),
        (
            "[general]\nthreads = 4\n[connection]\nconnections = 3",
            "2:1: general.threads",
            "using 3 workers: 4 would need",
        ),
        ('[target]\nprotocol = "ping"\n[workload.commands]\nget = 1', "3:11: workload.commands", "PING only"),
        ('[target]\nprotocol = "ping"\n[workload.values]\nlength = 1', "3:11: workload.values", "PING only"),
        ("[workload.keyspace]\nzipf_exponent = 2", "2:1: workload.keyspace.zipf_exponent", '"uniform"'),
        ("[workload]\nset_on_miss = true\n[workload.commands]\nget = 0", "2:1: workload.set_on_miss", "get = 0"),
    ],
)
def test_a_key_that_is_not_acted_on_is_warned_of_where_it_stands(
    tmp_path: Path, text: str, begins: str, gist: str
) -> None:
    [warning] = warnings(tmp_path, text)
    assert warning.startswith(f"bench.toml:{begins}: ")
    assert gist in warning


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[timestamps]\nenabled = true\nmode = 'userspace'",
        "[connection]\npool_size = 3",
        "[connection]\nbatch_size = 8\npipeline_depth = 8",
        "[connection]\nrefill = 'drained'\npipeline_depth = 8",
        "[connection]\nrefill = 'slot'\n[workload]\nrate_limit = 1",
        "[connection]\nrequest_distribution = 'greedy'\n[workload]\nrate_limit = 1",
        f"[connection]\nrequest_distribution = 'least_inflight'\n{PHASE}",
        "[workload]\nrate_limit = 1\narrival = 'constant'",
        f"[workload]\narrival = 'poisson'\n{PHASE}",
        f"[workload]\narrival = 'poisson'\nrate_limit = 0\n{SEARCH}",
        f"[general]\nduration = 30\nwarmup = '5s'\n{PHASE}",
        PHASE.replace("5", "[0, 5]\nshape = 'ramp'") + "[general]\nwarmup = 0",
        "[slo]\nmax = 1\np99 = 1",
        "[workload.saturation_search]\n[slo]\np99 = 1\n[slo.get]\np50 = 1",
        "[workload]\nspin = false",
        "[workload.keyspace]\nzipf_exponent = 2\ndistribution = 'zipf'",
        "[target]\ntls = false\ncluster = false\nprotocol = 'ping'",
    ],
)
def test_a_key_that_is_acted_on_is_not_warned_of(tmp_path: Path, text: str) -> None:
    assert warnings(tmp_path, text) == []


def test_a_default_number_of_threads_is_lowered_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert load(None).general.threads == 8
    assert load(None).warnings == ()


def test_warnings_stand_in_the_order_of_the_file_and_name_flags_and_set(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text('[admin]\nlisten = "h:1"\n[general]\nio_engine = "mio"\n')
    config = load(path, ["timestamps.enabled=false"], {"admin.parquet": Flag("--parquet", "a")})
    assert [warning.removeprefix(f"{tmp_path}/").split(": ")[0] for warning in config.warnings] == [
        "bench.toml:2:1",
        "bench.toml:4:1",
        "--parquet",
        "--set",
    ]
