"""One real soak, short: paused by a no-go, kept in its folder, judged again; and what the verb refuses."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import tempfile
import threading
import time
from pathlib import Path

import pytest
from in_process import invoked
from quiet import law_of_time
from real_servers import RealServer, ask

from loadgen.cli import against, soaks
from loadgen.cli.options import parse
from loadgen.cli.verbs import soak
from loadgen.output.words import soak as spoken
from loadgen.soak import folder
from loadgen.soak.asked import Asked, asked_of, record
from loadgen.soak.served_signal import ServedSignal
from loadgen.soak.signal import Told
from loadgen.soak.wear import Wear
from loadgen.web.http import Request, Response


class Signal(ServedSignal):
    """Says go, then no-go twice, then go."""

    polls = 0

    def _respond(self, request: Request) -> Response:
        self.polls += 1
        go = self.polls not in (3, 4)
        self.tell(Told(go, "watched", time.monotonic(), () if go else ("the disk is full",)))
        return super()._respond(request)


# Readings and checkpoints come within tenths of a second: on a machine that stands still they are missed.


@law_of_time
def test_a_real_soak_is_paused_by_a_no_go_kept_and_judged_again(tmp_path: Path) -> None:
    run = Path(tempfile.mkdtemp(dir=tmp_path))
    with RealServer.redis() as server, contextlib.closing(Signal(0)) as signal:
        done = invoked(
            "soak", "-p", str(server.port), "-c", "4", "--duration", "3s", "--settle", "600ms", "--every", "200ms",
            "--checkpoints", "5", "--rate", "300", "--run-folder", str(run), "--go", f"{signal.url}/state", "--junit",
            str(tmp_path / "junit.xml"), "--set", "workload.values.ttl=200ms", "-r", "40",
        )  # fmt: skip
    # 15 samples are too few to tell growth of.
    assert done.status == 4, done.stderr + done.stdout
    lines = done.stdout.splitlines()
    assert [line for line in lines if re.match(r"Baseline: FD=\d+ THREADS=\d+ .*USED_MEMORY=", line)]
    assert "4 connections, 80 % get + 20 % set over 40 keys that live for 200ms, 300 requests/s" in " ".join(
        done.stdout.split()
    )
    checkpoints = [line for line in lines if re.match(r"\[[1-5]/5\] ", line)]
    assert len(checkpoints) == 5
    assert all(re.search(r" USED_MEMORY=\S+ \([+-]\S+, -?\S+/min\)", line) for line in checkpoints)
    assert any(line.startswith("Complete: ") for line in lines)
    assert "paused: the disk is full" in done.stdout
    assert re.search(r"pass +full duration +3s of 3s", done.stdout)
    assert re.search(r"pass +checkpoints in time +5 of 5, none late", done.stdout), "a pause makes nothing late"

    kept = folder.read(run)
    kinds = [event["type"] for event in kept.events]
    assert kinds.count("checkpoint") == 5
    assert {"baseline", "pause", "resume", "evidence", "end"} <= {*kinds}
    assert kinds[-1] == "end"
    rows = [*kept.rows()]
    assert rows[0].t_s < 0 < rows[-1].t_s == 3
    assert [b.t_s >= a.t_s for a, b in itertools.pairwise(rows)] == [True] * (len(rows) - 1)
    newest = kept.newest()
    assert newest["redis.expired_keys"] > 10
    # The process that listens at a given address is read, too.
    assert newest["proc.fds"] >= 4
    assert kept.heartbeat is not None
    assert kept.heartbeat["state"] == "ended"
    assert any(line.startswith("[5/5] 3s: ") for line in kept.log())
    assert "loadgen_soak_used_memory" in (run / folder.EXPOSITION).read_text()
    assert 'name="full duration"' in (tmp_path / "junit.xml").read_text()

    assert kept.result is not None
    again = invoked("soak", "--replay", str(run), "--format", "json")
    assert again.status == 4
    document = json.loads(again.stdout)
    assert document["judged"] == kept.result["judged"]
    assert document["metadata"]["replayed"] is True

    # As SIGKILL leaves it: without an end, and in the midst of a line.
    (run / folder.RESULT).unlink()
    for name in (folder.EVENTS, folder.SAMPLES):
        (run / name).write_bytes((run / name).read_bytes()[:-7])
    killed = invoked("soak", "--replay", str(run))
    assert killed.status == 4
    assert "loadgen was killed" in " ".join(killed.stdout.split())


@law_of_time
def test_a_real_soak_beside_another_server_is_held_against_that(tmp_path: Path) -> None:
    run = Path(tempfile.mkdtemp(dir=tmp_path))
    with RealServer.redis() as server, RealServer.redis() as other:
        address = f"127.0.0.1:{other.port}"
        done = invoked(
            "soak", "-p", str(server.port), "--against", address, "-c", "2", "--duration", "1s", "--settle", "400ms",
            "--every", "100ms", "--checkpoints", "2", "--rate", "200", "-r", "100", "--run-folder", str(run),
        )  # fmt: skip
        # Both had all of the load.
        found = [ask(each.port, b"INFO COMMANDSTATS\r\n", b"\r\n\r\n").decode() for each in (server, other)]
    said = " ".join(done.stdout.split())
    assert done.status == 4, done.stderr + done.stdout
    gets = [int(calls.group(1)) for text in found if (calls := re.search(r"cmdstat_get:calls=(\d+)", text))]
    assert len(gets) == 2
    # A worker that waits for a CPU may leave the last requests out.
    assert gets[0] == pytest.approx(gets[1], rel=0.1)
    assert min(gets) > 100
    assert re.search(rf"requests/s, poisson, and at the same time on redis \S+, {address}", said)
    assert re.search(rf"1s: redis \S+, {address}: FD=\d+", said), said
    assert re.search(rf"growth is what redis \S+, \S+ has beyond redis \S+, {address}, which had the same load", said)
    kept, theirs = folder.read(run), folder.read(run / "against")
    assert theirs.run["target"].endswith(address)
    assert [[*each.rows()][-1].t_s for each in (kept, theirs)] == [1, 1]
    assert any(line.startswith("[2/2] 1s: ") for line in theirs.log())
    assert theirs.result is not None
    assert kept.result is not None
    # Judged again, it is held against the same.
    again = json.loads(invoked("soak", "--replay", str(run), "--format", "json").stdout)
    assert again["judged"] == kept.result["judged"]


def test_what_a_soak_is_held_against_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "127.0.0.1:6380").mkdir()
    (tmp_path / "127.0.0.1:6380" / folder.RUN).write_text("{}")
    plan = soaks.soaked(parse(soak.SYNTAX, ["-h", "127.0.0.1", "-p", "1"])).plan
    assert against.named(str(tmp_path / "127.0.0.1:6380"), plan) is None
    address = against.named("127.0.0.1:6380", plan)
    assert address is not None
    assert (address.server, address.plan.target.endpoints[0].port) == (None, 6380)
    assert address.plan.workload == plan.workload
    assert address.plan.seed == plan.seed
    named = against.named("redis", plan)
    assert named is not None
    assert named.server is not None
    assert named.server.name == "redis"


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("no-such", '"no-such" is no run folder of a soak, no address such as 127.0.0.1:6380, and no server that'),
        ("redsi", "no server that loadgen knows; did you mean redis?"),
        ("memcached", "--against memcached speaks memcache, and the load resp"),
        ("127.0.0.1:9", "--against 127.0.0.1:9 is the server that is soaked: name another one"),
        (".", ". is no run folder of a soak"),
    ],
)
def test_a_soak_is_not_held_against_what_is_nothing(word: str, sentence: str) -> None:
    done = invoked("soak", "-h", "127.0.0.1", "-p", "9", "--against", word)
    assert (done.status, sentence in " ".join(done.stderr.split())) == (2, True), done.stderr


def test_a_replay_is_held_against_run_folders_only(tmp_path: Path) -> None:
    done = invoked("soak", "--replay", str(tmp_path), "--against", "127.0.0.1:9")
    assert done.status == 2
    assert "127.0.0.1:9 is no run folder of a soak" in done.stderr


def test_what_cannot_be_soaked_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / folder.RUN).write_text("{}")
    refused = {
        ("--duration", "1h", "--checkpoints", "3", "--interval", "1m"): (2, "each say how often"),
        ("--duration", "5s", "--checkpoints", "50"): (2, "has no sample of its own"),
        ("--duration", "1m", "--settle", "1s"): (2, "settling finds one, and 1s are too short"),
        ("--duration", "1m", "--at-most", "30s"): (2, "--at-most is the longest"),
        ("--serve-go", "no"): (2, "--serve-go is a port"),
        ("--compress", "0"): (2, "--compress is how many times"),
        ("--run-folder", str(tmp_path)): (2, "has a run in it already"),
        ("--set", 'check=[{expr="growth(fds < 5/min"}]'): (2, "column"),
        ("--set", 'check=[{expr="max(fds[web]) < 5"}]'): (2, "web"),
        ("--set", 'band=[{series="fds", warn="5", red="9/min"}]'): (2, "is no growth"),
        ("--set", 'band=[{series="fds", warn="10/min", red="9/min"}]'): (2, "limits rise from bonus to red"),
        ("--set", "general.requests=5"): (2, "lasts for a time"),
        ("--duration", "1m", "--closed", "--rate", "5"): (
            2,
            "--closed is a load without a rate, and the rate is 5",
        ),
        ("--duration", "1m", "--on-no-go", "stop"): (2, "name its URL by --go"),
    }
    for words, (status, sentence) in refused.items():
        done = invoked("soak", "--embedded", *words)
        assert (done.status, sentence in " ".join(done.stderr.split())) == (status, True), (words, done.stderr)
        assert "internal error" not in done.stderr
    assert threading.active_count() < 10


def test_what_cannot_be_judged_again_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / folder.RUN).write_text("{}")
    for path, sentence in (
        (tmp_path, "run.json: is not what a soak writes"),
        (tmp_path / "no", "is no run folder of a soak"),
    ):
        done = invoked("soak", "--replay", str(path))
        assert (done.status, sentence in " ".join(done.stderr.split())) == (2, True), done.stderr
        assert "internal error" not in done.stderr


@pytest.mark.parametrize("words", [("--rate", "5"), ("--set", "check=[]"), ("-c", "3"), ("--at-most", "1h")])
def test_a_replay_refuses_what_it_does_not_act_on(words: tuple[str, ...], tmp_path: Path) -> None:
    done = invoked("soak", "--replay", str(tmp_path), *words)
    assert done.status == 2
    assert f"{words[0]} is not acted on by soak --replay, which puts no load on" in " ".join(done.stderr.split())


def test_connections_and_times_to_live_wear_faster() -> None:
    def worn(*words: str) -> soaks.Soaked:
        return soaks.soaked(parse(soak.SYNTAX, ["--compress", "30", *words]))

    found = worn("--set", 'workload.values.ttl="61s"')
    assert found.plan.workload.ttl_ns == 2_033_000_000
    assert found.wear == Wear(30, 2_033_000_000, 61_000_000_000)
    asked = Asked(found.schedule, wear=found.wear)
    assert asked_of(record(asked)).wear == found.wear
    assert "all connections are replaced 30 times between two checkpoints, and keys live for 2033ms, not 61s" in (
        spoken.compressed(asked)
    )
    # The unit of the protocol is the least.
    assert worn("--protocol", "memcache", "--set", 'workload.values.ttl="61s"').plan.workload.ttl_ns == 2_000_000_000
    assert worn("--protocol", "memcache", "--set", 'workload.values.ttl="9s"').plan.workload.ttl_ns == 1_000_000_000
    assert worn("--set", 'workload.values.ttl="9ms"').plan.workload.ttl_ns == 1_000_000
    forever = worn()
    assert forever.plan.workload.ttl_ns == 0
    assert "and keys have no time to live that could be compressed" in spoken.compressed(
        Asked(forever.schedule, wear=forever.wear)
    )


def test_a_config_without_connections_has_those_of_a_soak_without_one(tmp_path: Path) -> None:
    (tmp_path / "soak.toml").write_text('[workload]\nrate_limit = 100\n[target]\nendpoints = ["127.0.0.1:1"]\n')

    def connections(*words: str) -> int:
        return soaks.soaked(parse(soak.SYNTAX, [*words])).plan.wire.connections

    own = connections()
    assert connections(str(tmp_path / "soak.toml")) == own == 20
    assert connections(str(tmp_path / "soak.toml"), "-c", "1") == 1
    (tmp_path / "soak.toml").write_text("[connection]\nconnections = 1\n[workload]\nrate_limit = 100\n")
    assert connections(str(tmp_path / "soak.toml")) == 1
    plan = soaks.soaked(parse(soak.SYNTAX, [str(tmp_path / "soak.toml"), "-r", "1"])).plan
    assert soaks.load_in_words(plan, 100).startswith("1 connection, 80 % get + 20 % set over 1 key, 100 requests/s")


def test_keys_of_a_config_that_a_soak_does_not_act_on_are_said(tmp_path: Path) -> None:
    (tmp_path / "soak.toml").write_text(
        '[general]\nwarmup = "5s"\ninterval = "2s"\n[admin]\nformat = "quiet"\n[workload]\nrate_limit = 100\n'
    )
    settings = soaks.soaked(parse(soak.SYNTAX, [str(tmp_path / "soak.toml")])).settings
    assert [words.split(" is not acted on by soak")[0] for words in settings.warnings] == [
        "general.warmup", "general.interval", "admin.format",
    ]  # fmt: skip
    assert not soaks.soaked(parse(soak.SYNTAX, ["soak.toml"])).settings.warnings


def test_a_monitor_that_cannot_be_read_before_the_load_is_one_sentence(tmp_path: Path) -> None:
    done = invoked(
        "soak", "--embedded", "--duration", "3s", "--settle", "2s", "--checkpoints", "3", "--run-folder",
        str(tmp_path / "run"), "--set", 'monitor=[{kind="proc", pid=4194304}]',
    )  # fmt: skip
    assert done.status == 3
    assert "the monitor proc cannot be read: there is no process 4194304." in done.stderr
    assert not (tmp_path / "run").exists()
