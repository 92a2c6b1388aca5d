"""Failed requests and connections against their limits, the sentences about them, and which answer is graver."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from constructed_events import closed_loop
from faulty_server import FaultyServer, Peer, good_reply, is_load
from in_process import invoked

from loadgen.errors import ExitCode
from loadgen.events import Result
from loadgen.judge import diagnosis, failures
from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.slo import Attainment, Evaluation, Objective, Unit
from loadgen.snapshot import Snapshot, Tally

READONLY = b"-READONLY You can't write against a read only replica.\r\n"


def of(errors: dict[str, int] | None = None, **ended: int) -> Snapshot:
    """A thousand GETs, of which so many failed by each kind."""
    bad = sum(ended.values()) + sum((errors or {}).values())
    tally = Tally(planned=1000, ok=1000 - bad, errors=sum((errors or {}).values()), **ended)
    return Snapshot(tallies={"get": tally}, errors=errors or {})


@pytest.mark.parametrize("kind", ["timeouts", "lost", "corrupt"])
def test_more_than_the_share_allowed_is_too_much_and_just_so_many_are_not(kind: str) -> None:
    assert failures.of_requests([of(**{kind: 10})], 0.01, {}) == ""
    assert kind in failures.of_requests([of(**{kind: 11})], 0.01, {})
    assert failures.of_requests([of(**{kind: 1000})], 1.0, {}) == ""
    assert failures.of_requests([of(**{kind: 1000})], None, {}) == ""
    assert failures.of_requests([of(**{kind: 1})], 0.0, {}) != ""


def test_what_was_unfinished_did_not_fail() -> None:
    assert failures.of_requests([of(unfinished=1000)], 0.0, {}) == ""


def test_only_the_intervals_that_are_handed_over_are_judged() -> None:
    """Those of a planned fault can be left out; the share is that of the others together."""
    fault, quiet, poor = of(lost=900), of(lost=1), of(lost=25)
    assert failures.of_requests([fault, quiet], 0.01, {})
    assert not failures.of_requests([quiet, quiet], 0.01, {})
    assert "26 of 2,000 requests (1.3 %)" in failures.of_requests([quiet, poor], 0.01, {})


@pytest.mark.parametrize(
    "words",
    [
        "MOVED 3999 127.0.0.1:6381",
        "ASK 3999 127.0.0.1:6381",
        "CLUSTERDOWN Hash slot not served",
        "NOPERM this user has no permissions to run the 'get' command",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "READONLY You can't write against a read only replica.",
        "MISCONF Redis is configured to save RDB snapshots",
        "LOADING Redis is loading the dataset in memory",
        "SERVER_ERROR out of memory storing object",
        "SERVER_ERROR proxy gave up",
        "NOAUTH Authentication required.",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
    ],
)
def test_each_class_is_counted_quoted_and_has_its_remedy(words: str) -> None:
    name = words.split()[0]
    sentence = failures.of_requests([of({name: 400})], 0.01, {name: words})
    assert sentence.startswith("400 of 1,000 requests (40 %) failed (limit 1 %): error replies 400")
    assert f'{name} 400, "{words[:50]}' in sentence
    assert diagnosis.remedy(words)
    assert diagnosis.remedy(words) in sentence


def test_the_most_frequent_kind_comes_first_and_a_remedy_once() -> None:
    errors = {"ASK": 20, "MOVED": 300, "OOM": 10, "X": 5, "Y": 4}
    sentence = failures.of_requests([of(errors, timeouts=500)], 0.01, {})
    assert sentence.index("timeouts 500") < sentence.index("MOVED 300") < sentence.index("ASK 20")
    assert sentence.count("set target.cluster (--cluster)") == 1
    assert "others 9" in sentence


@pytest.mark.parametrize(
    ("asked", "missing", "limit", "too_many"),
    [
        (50, 0, 0.01, False),
        (50, 1, 0.01, False),
        (50, 2, 0.01, True),
        (1000, 10, 0.01, False),
        (1000, 11, 0.01, True),
        (50, 49, None, False),
        (50, 49, 1.0, False),
        (50, 2, 0.0, True),
    ],
)
def test_one_connection_or_the_share_allowed_may_be_missing(
    asked: int, missing: int, limit: float | None, too_many: bool
) -> None:
    assert bool(failures.of_connections(asked, missing, limit)) is too_many


OBJECTIVE = Objective("p99", 1, Unit.NS)


@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.parametrize("failure", ["", "A worker died."])
@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("invalid", [False, True])
@pytest.mark.parametrize("answer", [Attainment.MET, Attainment.UNKNOWN, Attainment.BREACHED])
def test_the_order_of_answers(interrupted: bool, failure: str, failed: bool, invalid: bool, answer: Attainment) -> None:
    result = closed_loop()[-1]
    assert isinstance(result, Result)
    result = replace(
        result,
        interrupted=interrupted,
        reasons=(
            *[Reason(Code.SERVER_GONE, failure, Severity.COULD_NOT_RUN)] * bool(failure),
            *[Reason(Code.REQUESTS_FAILED, "many failed", Severity.FAILED)] * failed,
            *[Reason(Code.GENERATOR_LATE, "it was late", Severity.INVALID)] * invalid,
        ),
        checks=(Evaluation(OBJECTIVE, 1, answer),),
    )
    of_the_slo = {
        Attainment.MET: ExitCode.YES,
        Attainment.UNKNOWN: ExitCode.CANNOT_TELL,
        Attainment.BREACHED: ExitCode.NO,
    }
    graver = [
        (interrupted, ExitCode.INTERRUPTED),
        (bool(failure), ExitCode.COULD_NOT_RUN),
        (failed, ExitCode.NO),
        (invalid, ExitCode.CANNOT_TELL),
        (True, of_the_slo[answer]),
    ]
    assert result.exit_code is next(code for holds, code in graver if holds)
    assert result.valid is not (failed or invalid or bool(failure))


def test_of_several_loads_the_gravest_stands_for_all() -> None:
    order = "INTERRUPTED", "COULD_NOT_RUN", "FAILED", "INVALID", "BREACHED", "UNKNOWN", "GOOD"
    assert [severity.name for severity in Severity] == [*order]
    for graver, other in itertools.combinations(Severity, 2):
        assert Severity.gravest([other, graver, other]) is graver
    assert Severity.gravest([]) is Severity.GOOD


def of_a_replica(peer: Peer) -> None:
    """It refuses two requests of three."""
    turns = itertools.cycle((False, True, True))
    for request in peer.requests():
        peer.send(READONLY if is_load(request) and next(turns) else good_reply(request))


def short(port: int, *more: str) -> list[str]:
    return [
        *("-p", str(port), "-c", "2", "--threads", "1", "--duration", "200ms", "--warmup", "0s", "--seed", "1"),
        *("--set", "verdict.lag=30s", "--set", "verdict.shortfall=1", *more),
    ]


@pytest.mark.parametrize("format", ["clean", "verbose", "json", "quiet"])
@pytest.mark.parametrize("rate", [[], ["--rate", "500"]])
def test_a_run_of_refused_requests_fails_in_every_format(format: str, rate: list[str]) -> None:
    with FaultyServer(of_a_replica) as server:
        finished = invoked("run", *short(server.port, "--format", format, *rate))
    assert finished.status == ExitCode.NO
    assert "loadgen: FAILED: " in finished.stderr
    for words in (" ".join(finished.stdout.split()), finished.stderr):
        assert ("FAILED: " in words) or format == "json"
        for part in ("requests (6", "limit 1 %", "READONLY", "name the replica's master", failures.ACCEPT):
            assert part in words
    if format == "json":
        verdict = json.loads(finished.stdout.splitlines()[-1])["verdict"]
        assert (verdict["valid"], len(verdict["failed_because"])) == (False, 1)
    else:
        assert "valid" not in finished.stdout.replace("invalid", "")


@pytest.mark.parametrize("accepted", [["--max-failures", "100%"], ["--set", "verdict.failures=false"]])
def test_failures_can_be_accepted(accepted: list[str]) -> None:
    with FaultyServer(of_a_replica) as server:
        finished = invoked("run", *short(server.port, "--format", "quiet", *accepted))
    assert (finished.status, "FAILED" in finished.stdout) == (ExitCode.YES, False)


def test_error_replies_breach_what_they_would_have_met() -> None:
    slo = ("--set", "slo.p99=20s", "--set", "slo.throughput_min=400", "--max-failures", "100%")
    with FaultyServer(of_a_replica) as server:
        finished = invoked("run", *short(server.port, "--rate", "500", "--format", "json", *slo))
    assert finished.status == ExitCode.NO
    records = [json.loads(line) for line in finished.stdout.splitlines()]
    result = records[-1]
    assert [each["answer"] for each in result["slo"]] == ["breached", "breached"]
    assert result["ok_per_s"] < 400 < result["throughput"]
    assert result["slo"][0]["failed_share"] > 0.6


@pytest.mark.parametrize("slo", [[], ["--set", "slo.p90=20s"]])
def test_a_search_does_not_call_valid_what_has_no_answer(slo: list[str]) -> None:
    brief = ("--set", "workload.saturation_search.sample_window=500ms", "--set",
             "workload.saturation_search.stop_after_failures=1")  # fmt: skip
    with FaultyServer(of_a_replica) as server:
        finished = invoked("saturate", *short(server.port, "--format", "json", *brief, *slo))
    assert finished.status == ExitCode.NO, finished.stderr
    assert "FAILED: " in finished.stderr
    ended = json.loads(finished.stdout.splitlines()[-1])
    assert (ended["type"], ended["outcome"]) == ("saturation", "never passed")
    assert ended["verdict"]["valid"] is False
    [sentence] = ended["verdict"]["failed_because"]
    assert "name the replica's master" in sentence
    assert sentence.endswith(failures.ACCEPT)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_results_that_a_shell_redirected_are_read(encoding: str, tmp_path: Path) -> None:
    with FaultyServer(lambda peer: [peer.send(good_reply(each)) for each in peer.requests()] and None) as server:
        finished = invoked("run", *short(server.port, "--format", "json"))
    file = tmp_path / "r.json"
    file.write_text(finished.stdout.replace("\n", "\r\n"), encoding=encoding, newline="")
    kept = invoked("history", str(tmp_path / "h.jsonl"), str(file), "--format", "json")
    assert kept.status == ExitCode.YES, kept.stderr
    assert json.loads(kept.stdout.splitlines()[0])["points"] == 1


def test_bytes_that_are_no_reply_are_never_offered_to_be_accepted() -> None:
    assert failures.accepting(Tally(planned=100, ok=98, errors=2)).endswith(failures.ACCEPT)
    assert failures.accepting(Tally(planned=100, ok=97, errors=2, corrupt=1)) == ""
