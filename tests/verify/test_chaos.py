"""Faults of a real redis-server: what it acknowledged is there after a restart, and what is not is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from in_process import invoked
from records import check_record

from loadgen.faults.fault import Fault, Layer, Value
from loadgen.output.words import campaigns
from loadgen.verify import kinds
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.durability.dump import Demand
from loadgen.verify.durability.judgement import Expiry
from loadgen.verify.durability.log import Write
from loadgen.verify.durability.persistence import PERSISTENCES
from loadgen.verify.durability.script import Round, script
from loadgen.verify.durability.survival import Survival
from loadgen.verify.ended import CampaignEnded, CaseEnded, survivals
from loadgen.verify.kinds import chaos, chaos_case
from loadgen.verify.kinds.chaos import SUITE, kinds_of
from loadgen.verify.kinds.chaos_case import ChaosKind
from loadgen.verify.kinds.scene_rows import SCENES
from loadgen.verify.kinds.suite import Opened
from loadgen.verify.kinds.wanted import ANYTHING, Wanted
from loadgen.verify.spec import Expected
from loadgen.verify.subject.durable import DurableServer
from loadgen.verify.tape import Tape

QUICK = tuple(f"{name}_always" for name in SCENES if name not in ("slow_fsync", "bit_flip"))
SAVED = tuple(
    f"{name}_rdb" for name in ("power_cut", "crash_mid_write", "disk_full", "bit_flip", "torn_tail", "io_error")
)


def opened(*names: str, server: str = "auto") -> Iterator[Opened]:
    with SUITE.opened(names, {"server": server}, lambda event: None) as found:
        yield found


@pytest.fixture(scope="module")
def always() -> Iterator[Opened]:
    yield from opened(*QUICK, "bit_flip_always")


@pytest.fixture(scope="module")
def rdb() -> Iterator[Opened]:
    yield from opened(*SAVED)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def kind(found: Opened, name: str) -> ChaosKind:
    [one] = [each for each in found.kinds if each.name == name]
    assert isinstance(one, ChaosKind)
    return one


def run(found: Opened, name: str, seed: int = 0) -> Outcome:
    return kind(found, name).run(Tape.seeded(name, seed))


def expecting(found: Opened, name: str, expected: Expected, seed: int = 0) -> Outcome:
    """Run a case of which something is expected."""
    scene, persistence = chaos.KINDS[name]
    server = kind(found, name)._server
    return ChaosKind(scene, persistence, server, Wanted(expected=expected)).run(Tape.seeded(name, seed))


def server_of(found: Opened) -> DurableServer:
    server = kind(found, "power_cut_always")._server
    assert server is not None
    return server


# ── What a server keeps ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.timing
def test_a_power_cut_loses_less_than_two_seconds_of_everysec_and_nothing_of_always() -> None:
    one = ("--seeds", "1", "--format", "json")
    # Cases without a rewrite, which syncs.
    for seed in (2, 3, 4, 8, 9, 12):
        done = invoked("chaos", "--faults", "power_cut_everysec,power-cut-always", *one, "--seed", str(seed))
        document = json.loads(done.stdout)
        assert (done.status, document["summary"]["passed"], document["metadata"]["suite"]) == (0, 2, "chaos")
        everysec, always = (document["summary"]["writes"][f"power_cut_{fsync}"] for fsync in ("everysec", "always"))
        # Where the power cut comes just after a fsync, nothing is lost.
        if everysec["lost_ms"]:
            break
    assert 0 < everysec["lost_ms"] <= 2_000
    assert (always["lost"], always["lost_ms"]) == (0, 0)
    for counts in (everysec, always):
        assert counts["acknowledged"] > 50
        assert counts["acknowledged"] == sum(counts[name] for name in ("survived", "lost", "revived", "wrong"))


@pytest.mark.timing
def test_a_server_that_never_syncs_loses_more_than_everysec_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the same case, on a server whose promise is not kept."""
    with SUITE.opened(("power_cut_everysec",), {"server": "auto"}, lambda event: None) as found:
        server = kind(found, "power_cut_everysec")._server
        assert server is not None
        begin = server.begin

        def begin_without_fsync() -> None:
            begin()
            server._ask((b"CONFIG", b"SET", b"appendfsync", b"no"))

        monkeypatch.setattr(server, "begin", begin_without_fsync)
        # A case without a rewrite, which syncs.
        outcome = run(found, "power_cut_everysec", 2)
    assert outcome.failed
    assert outcome.fingerprint == "power_cut_everysec: lost"
    assert outcome.invariant.endswith("more than 2 s before it ended")
    assert outcome.survival is not None
    assert outcome.survival.lost_ns > 2_000_000_000


@pytest.mark.parametrize("name", QUICK)
def test_what_is_acknowledged_with_a_fsync_before_each_reply_survives(always: Opened, name: str) -> None:
    outcome = run(always, name)
    if outcome.verdict is Verdict.SKIPPED:
        pytest.skip(outcome.message)
    assert (outcome.verdict, outcome.message) == (Verdict.PASS, "")
    survival = outcome.survival
    assert survival is not None
    assert survival.acknowledged > 50
    assert survival.revived == survival.wrong == survival.not_started == 0
    assert (survival.lost > 0) == (name == "torn_tail_always")
    assert len(outcome.faults) == 1


def test_a_bit_that_changes_in_the_file_is_served_as_a_wrong_value(always: Opened) -> None:
    outcomes = [run(always, "bit_flip_always", seed) for seed in range(1, 3)]
    assert [outcome.fingerprint for outcome in outcomes] == ["bit_flip_always: wrong value served"] * 2
    assert "writer 3, sequence 71, expected CRC " in outcomes[0].message
    assert outcomes[0].operations[0].startswith("SET w")


def test_a_file_that_a_server_refuses_is_damage_that_it_found(always: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    server = server_of(always)

    def start_damaged() -> str:
        for file in server.managed.data.glob("appendonlydir/*.incr.aof"):
            file.write_bytes(b"nonsense\r\n" + file.read_bytes())
        return DurableServer.start(server)

    monkeypatch.setattr(server, "start", start_damaged)
    outcome = run(always, "bit_flip_always")
    assert outcome.verdict is Verdict.PASS
    assert outcome.survival is not None
    assert (outcome.survival.not_started, outcome.survival.acknowledged) == (1, 0)
    refused = run(always, "crash_always")
    assert refused.fingerprint == "crash_always: does not start again"
    assert "Bad file format" in refused.message
    monkeypatch.undo()
    assert run(always, "crash_always").verdict is Verdict.PASS


def test_times_to_live_are_judged_while_the_clock_is_another(always: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaos_case, "_lasting", lambda fault: lambda write: Expiry.PASSED)
    outcome = run(always, "clock_jump_always")
    assert outcome.fingerprint == "clock_jump_always: revived"
    assert "whose time has passed" in outcome.message


@pytest.mark.parametrize(
    ("towards", "ttl_s", "lasting", "passed"),
    [
        ("ahead", 0, Expiry.NOT_YET, Expiry.NOT_YET),
        ("ahead", 100, Expiry.PASSED, Expiry.PERHAPS),
        ("ahead", 3_600, Expiry.PERHAPS, Expiry.PERHAPS),
        ("ahead", 5_000, Expiry.NOT_YET, Expiry.NOT_YET),
        ("back", 100, Expiry.NOT_YET, Expiry.NOT_YET),
    ],
)
def test_a_jump_of_an_hour_ahead_lets_shorter_times_to_live_pass(
    towards: str, ttl_s: int, lasting: Expiry, passed: Expiry
) -> None:
    jump = Fault("clock_jump", Layer.PROCESS, parameters={"jump": 3_600 * 10**9, "towards": towards})
    write = Write(1, 1, "w1:k0", b"x", ttl_s)
    assert (chaos_case._lasting(jump)(write), chaos_case._passed(jump)(write)) == (lasting, passed)


def test_a_server_that_takes_no_writes_after_a_fault_fails(always: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_of(always), "takes_writes", lambda patience_s: "MISCONF it said")
    outcome = run(always, "memory_pressure_always")
    assert outcome.fingerprint == "memory_pressure_always: takes no writes after the fault"
    assert outcome.message.endswith("it answers: MISCONF it said")


def test_every_write_of_the_script_is_sent(always: Opened) -> None:
    for name in ("crash_always", "memory_pressure_always", "torn_tail_always"):
        scene = SCENES[name.removesuffix("_always")]
        paces = scene.paces(PERSISTENCES["always"], ANYTHING)
        whole = script(Tape.seeded(name, 3), scene.fault, scene.drawn, **paces)
        steps = (*whole.before, *whole.during, *whole.after)
        asked = [
            str(line) for step in steps for line in (step.writes if isinstance(step, Round) else [step.dump.value])
        ]
        assert [each.partition(" → ")[0] for each in run(always, name, 3).operations] == asked


# ── RDB files ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", SAVED)
def test_what_is_acknowledged_before_the_last_save_survives(rdb: Opened, name: str) -> None:
    outcome = run(rdb, name, 1)
    if outcome.verdict is Verdict.SKIPPED:
        pytest.skip(outcome.message)
    assert (outcome.verdict, outcome.message) == (Verdict.PASS, "")
    survival = outcome.survival
    assert survival is not None
    assert survival.dumps >= 1
    # The file has a checksum: a server that finds it broken does not start.
    assert survival.not_started == (name in ("bit_flip_rdb", "torn_tail_rdb"))
    assert (survival.dumps_failed > 0) == (name in ("disk_full_rdb", "io_error_rdb"))


def test_a_save_that_is_not_in_the_file_is_a_loss(rdb: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a server that answers OK to SAVE, and saves nothing after the first."""
    server = kind(rdb, "power_cut_rdb")._server
    assert server is not None
    real, demands = server.dump, []

    def dump_once(demand: Demand) -> str:
        demands.append(demand)
        return real(demand) if len(demands) == 1 else ""

    monkeypatch.setattr(server, "dump", dump_once)
    outcome = run(rdb, "power_cut_rdb", 2)
    assert len(demands) > 1
    assert outcome.fingerprint == "power_cut_rdb: lost"
    assert "only those that were acknowledged after the last save may be" in outcome.message
    assert outcome.invariant == "a server with RDB files only has every write that it acknowledged before its last save"


def test_a_fault_meets_a_dump_under_way(rdb: Opened, always: Opened) -> None:
    for found, name in ((rdb, "crash_mid_write_rdb"), (always, "crash_mid_write_always")):
        cut = 0
        for seed in range(8):
            outcome = run(found, name, seed)
            assert outcome.verdict is Verdict.PASS
            assert outcome.survival is not None
            cut += outcome.survival.dumps_cut
            if cut:
                break
        assert cut


def test_a_server_that_saves_nothing_after_a_full_disk_fails(rdb: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    server = kind(rdb, "disk_full_rdb")._server
    assert server is not None
    ends = server.takes_writes

    def never_saves_again(patience_s: float) -> str:
        monkeypatch.setattr(server, "dump", lambda demand: "ERR no")
        return ends(patience_s)

    monkeypatch.setattr(server, "takes_writes", never_saves_again)
    outcome = run(rdb, "disk_full_rdb", 2)
    if outcome.verdict is Verdict.SKIPPED:
        pytest.skip(outcome.message)
    assert outcome.fingerprint == "disk_full_rdb: makes no dump after the fault"
    assert outcome.message.endswith("SAVE → -ERR no")


def test_a_case_in_which_nothing_was_saved_is_untold(rdb: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind(rdb, "bit_flip_rdb")._server, "dump", lambda demand: "ERR no")
    outcome = run(rdb, "bit_flip_rdb")
    assert (outcome.verdict, outcome.message) == (Verdict.UNTOLD, "nothing was saved before the fault")


# ── What is expected ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "expected", "found"),
    [
        ("disk_full_always", Expected.ERROR_RETURNED, ""),
        ("memory_pressure_always", Expected.ERROR_RETURNED, ""),
        ("disk_full_rdb", Expected.ERROR_RETURNED, ""),
        ("crash_always", Expected.ERROR_RETURNED, "while the fault lasted, no write and no save was answered with an"),
        ("bit_flip_rdb", Expected.CORRUPTION_DETECTED, ""),
        ("torn_tail_always", Expected.CORRUPTION_DETECTED, ""),
        ("crash_always", Expected.CORRUPTION_DETECTED, "its log does not tell of damage"),
        ("power_cut_always", Expected.CONSISTENT_AFTER_RESTART, ""),
        ("torn_tail_rdb", Expected.CONSISTENT_AFTER_RESTART, "the server does not start again: redis ended"),
        ("disk_full_always", Expected.EVENTUAL_COMPLETION, ""),
        ("bit_flip_rdb", Expected.EVENTUAL_COMPLETION, "takes no writes, as it does not start again: redis ended"),
    ],
)
def test_what_is_expected_of_a_server_is_demanded(
    always: Opened, rdb: Opened, name: str, expected: Expected, found: str
) -> None:
    outcome = expecting(rdb if name.endswith("_rdb") else always, name, expected)
    if outcome.verdict is Verdict.SKIPPED:
        pytest.skip(outcome.message)
    assert outcome.fingerprint == (f"{name}: not {expected}" if found else "")
    assert found in outcome.message
    assert outcome.verdict is (Verdict.FAIL if found else Verdict.PASS)
    assert outcome.invariant == (f"{expected} is expected of the server" if found else "")


def test_a_write_that_is_refused_after_the_restart_is_not_completed(
    always: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_of(always), "write", lambda commands: ["OOM no memory"] if commands else [])
    outcome = expecting(always, "memory_pressure_always", Expected.EVENTUAL_COMPLETION)
    assert outcome.fingerprint == "memory_pressure_always: not eventual_completion"
    assert outcome.message.endswith("writes that were sent again, 1 were refused: OOM no memory")


# ── What is not judged ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_fault_without_an_effect_is_untold(always: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    def plenty(tape: Tape) -> dict[str, Value]:
        return {"spare": 1 << 30}

    monkeypatch.setattr(chaos_case, "_EFFECT_PATIENCE_S", 0.0)
    pressure = replace(SCENES["memory_pressure"], drawn=plenty)
    outcome = ChaosKind(pressure, PERSISTENCES["always"], server_of(always)).run(Tape.seeded("kind", 0))
    assert (outcome.verdict, outcome.message) == (Verdict.UNTOLD, "the fault had no effect: 0 writes refused")


def test_a_case_without_a_fault_or_a_write_is_untold(always: Opened) -> None:
    nothing = kind(always, "crash_always").run(Tape.of(()))
    assert (nothing.verdict, nothing.message) == (Verdict.UNTOLD, "the case has no fault")
    only_fault = kind(always, "crash_always").run(Tape.of((0, 1)))
    assert (only_fault.verdict, only_fault.message) == (
        Verdict.UNTOLD,
        "no write was acknowledged before the fault",
    )


def test_a_server_file_is_judged_by_its_own_appendfsync() -> None:
    with SUITE.opened(kinds_of("crash"), {"server": "redis-aof-always"}, lambda event: None) as found:
        outcomes = {name: run(found, name) for name in kinds_of("crash")}
    assert outcomes["crash_always"].verdict is Verdict.PASS
    assert outcomes["crash_everysec"].verdict is Verdict.SKIPPED
    assert outcomes["crash_everysec"].message == "the server has appendfsync always"
    assert outcomes["crash_rdb"].message == "the server has appendfsync always"


def test_a_server_without_an_append_only_file_is_judged_by_its_rdb_files() -> None:
    with SUITE.opened(("crash_always", "crash_rdb"), {"server": "redis.toml"}, lambda event: None) as found:
        outcome = run(found, "crash_always")
        assert run(found, "crash_rdb").verdict is Verdict.PASS
    assert (outcome.verdict, outcome.message) == (Verdict.SKIPPED, "the server has RDB files only")


def test_a_server_that_is_not_installed_is_one_sentence() -> None:
    without = invoked("chaos", "--faults", "crash", "--server", "valkey", "--seeds", "1")
    assert (without.status, "valkey-server is not in PATH" in without.stderr) == (3, True)


def test_what_the_machine_lacks_is_skipped_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaos, "missing", lambda needs: ("tmpfs: no",) if needs else ())
    with SUITE.opened(("disk_full_always", "crash_always"), {"server": "auto"}, lambda event: None) as found:
        outcome = run(found, "disk_full_always")
        assert (outcome.verdict, outcome.message) == (
            Verdict.SKIPPED,
            "this machine lacks what the fault needs: tmpfs: no",
        )
        assert run(found, "crash_always").verdict is Verdict.PASS


# ── The command ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_crash_alone_is_said_not_to_test_fsync() -> None:
    done = invoked("chaos", "--faults", "crash", "--seeds", "1", "--format", "ndjson")
    assert done.status == 0
    for record in done.records:
        check_record(record)
    assert done.records[-1]["summary"]["notes"] == [chaos.SIGKILL]
    assert done.records[-1]["summary"]["codes"]["notes"] == ["not-tested"]
    Path("chaos.ndjson").write_text(done.stdout)
    report = invoked("report", "chaos.ndjson").stdout
    for kind_name, counts in done.records[-1]["summary"]["writes"].items():
        assert f"{kind_name}: {counts['acknowledged']} acknowledged, {counts['survived']} survived" in report
    assert "a crash is a SIGKILL, which does not test fsync" in report


def test_notes_are_of_crashes_without_power_cuts() -> None:
    assert chaos._notes(["crash"]) == chaos._notes(["crash", "disk_full"]) == (chaos.SIGKILL,)
    assert chaos._notes(["crash", "power_cut"]) == chaos._notes(["disk_full"]) == ()


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("corrupt_read", ("bit_flip_everysec", "bit_flip_always", "bit_flip_rdb")),
        ("corrupt-write", ("bit_flip_everysec", "bit_flip_always", "bit_flip_rdb")),
        ("slow_write", ("slow_fsync_everysec", "slow_fsync_always", "slow_fsync_rdb")),
        ("disk_full", ("disk_full_everysec", "disk_full_always", "disk_full_rdb")),
        ("memory_pressure", ("memory_pressure_everysec", "memory_pressure_always")),
        ("power_cut_always", ("power_cut_always",)),
        ("chaos", SUITE.kinds),
    ],
)
def test_a_test_type_may_have_the_name_that_a_fault_has_elsewhere(name: str, named: tuple[str, ...]) -> None:
    assert kinds.selected(name).kinds == named


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--faults", "disk_full", "--nodes", "3"], 2, "--nodes is for a client on trial"),
        (["--faults", "disk_full", "--tui"], 2, "--tui is for a client on trial"),
        (["--faults", "disk_full", "--server", "nope"], 2, 'no file and no preset "nope"'),
        (["--faults", "disk_full", "--server", "memcached"], 2, "speaks RESP and asks for no password"),
        (["--scenario", "latency", "--server", "redis"], 2, "--server is for faults that judge a server"),
        (["--scenario", "latency", "--artifacts", "x"], 2, "--artifacts is for faults that judge a server"),
    ],
)
def test_words_of_the_other_group_end_with_one_sentence(words: list[str], status: int, said: str) -> None:
    done = invoked("chaos", *words)
    assert (done.status, done.stderr.count("\n")) == (status, 1)
    assert said in done.stderr


def test_survivals_of_a_campaign_are_by_kind() -> None:
    cases = [
        CaseEnded("crash_always", seed, Verdict.PASS, 1, survival=Survival(acknowledged=seed, survived=seed))
        for seed in (1, 2)
    ]
    plain = CaseEnded("incr_is_monotonic", 1, Verdict.PASS, 1)
    assert survivals([*cases, plain]) == {"crash_always": Survival(acknowledged=3, survived=3)}


def test_a_report_says_what_became_of_writes_in_one_line_for_each_kind() -> None:
    survival = Survival(
        acknowledged=1_000,
        survived=990,
        lost=6,
        revived=3,
        wrong=1,
        lost_ns=543_210_000,
        slowest_ns=4_200_000,
        refused=7,
        unanswered=8,
        dumps=12,
        dumps_failed=4,
        dumps_cut=3,
        not_started=2,
    )
    case = CaseEnded("power_cut_everysec", 1, Verdict.FAIL, 1, survival=survival)
    ended = CampaignEnded("chaos", "1", "host", (case,), {Verdict.FAIL: 1}, (), 1, 1)
    assert campaigns.survived(ended) == [
        "power_cut_everysec: 1,000 acknowledged, 990 survived, 6 lost (acknowledged up to 543 ms before), 3 revived, "
        "1 wrong, 7 refused, 8 without a reply, 12 dumps asked for, 4 failed, 3 cut short, 2 starts refused; "
        "slowest reply 4.2 ms"
    ]
