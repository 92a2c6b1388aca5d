"""The run folder: whole at any time, after SIGKILL and on a full disk."""

import errno
import json
import lzma
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loadgen.errors import OutputError, UsageError
from loadgen.soak import folder
from loadgen.soak.folder import Row, RunFolder, exposition, kept, read

NAMES = ("redis.fds", "load.p99")


def rows(path: Path) -> list[tuple[float, list[float | None]]]:
    return [(row.t_s, list(row.values)) for row in read(path).rows()]


def test_what_was_written_is_read_back_while_the_soak_runs(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", {"version": "1", "checkpoints": 3}) as run:
        run.sample(Row(-1.0, NAMES, [24, None]))
        run.sample(Row(0.5, (*NAMES, "host.disk"), [25, 1.25, 7]))
        run.event({"type": "baseline", "wall_s": 1.0, "t_s": 0, "values": {"redis.fds": 24}})
        run.log("Baseline: FD=24")
        run.beat(wall_s=2.0, monotonic_ns=3, checkpoint=0, state="running")
        found = read(tmp_path / "run")
        assert found.run["checkpoints"] == 3
        assert [(r.t_s, r.names, list(r.values)) for r in found.rows()] == [
            (-1, NAMES, [24, None]),
            (0.5, (*NAMES, "host.disk"), [25, 1.25, 7]),
        ]
        assert [event["type"] for event in found.events] == ["baseline"]
        assert found.log() == ["Baseline: FD=24"]
        assert found.heartbeat == {"wall_s": 2.0, "monotonic_ns": 3, "checkpoint": 0, "state": "running"}
        assert found.result is None, "the soak has not ended"
        run.result({"verdict": "PASS"})
    assert read(tmp_path / "run").result == {"verdict": "PASS"}


def test_a_torn_last_line_is_left_out_and_said_so_at_every_length(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {}) as run:
        run.sample(Row(1, NAMES, [1, 2]))
        run.sample(Row(2, NAMES, [3, 4]))
    whole = (tmp_path / folder.SAMPLES).read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    for cut in range(1, len(last)):
        (tmp_path / folder.SAMPLES).write_bytes(whole[:-cut])
        found = read(tmp_path)
        assert [row.t_s for row in found.rows()] == [1]
        assert found.torn == [folder.SAMPLES]
    (tmp_path / folder.SAMPLES).write_bytes(whole + b"\0" * 100 + b"\n")
    found = read(tmp_path)
    assert [row.t_s for row in found.rows()] == [1, 2]
    assert found.torn == [folder.SAMPLES]


def test_a_folder_whose_files_are_compressed_is_read_as_it_was(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {"version": "1"}) as run:
        for t in range(3):
            run.sample(Row(t, NAMES, [t, None]))
        run.event({"type": "baseline", "wall_s": 1.0, "t_s": 0})
        run.log("Baseline: FD=24")
        run.result({"verdict": "pass"})
    whole = read(tmp_path)
    for name in (folder.SAMPLES, folder.EVENTS, folder.LOG, folder.RESULT):
        (tmp_path / f"{name}.xz").write_bytes(lzma.compress((tmp_path / name).read_bytes()))
        (tmp_path / name).unlink()
    packed = read(tmp_path)
    assert [*packed.rows()] == [*whole.rows()]
    assert packed.newest() == whole.newest() == {"redis.fds": 2}
    assert (packed.events, packed.log(), packed.result) == (whole.events, ["Baseline: FD=24"], {"verdict": "pass"})
    assert packed.torn == []

    (tmp_path / f"{folder.SAMPLES}.xz").write_bytes((tmp_path / f"{folder.SAMPLES}.xz").read_bytes()[:-9])
    for refused in (lambda: [*packed.rows()], packed.newest):
        with pytest.raises(UsageError, match=r"samples\.ndjson: cannot be read \(samples\.ndjson\.xz cannot be d"):
            refused()


def test_damage_before_the_end_is_no_torn_line(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {}) as run:
        run.sample(Row(1, NAMES, [1, 2]))
    whole = (tmp_path / folder.SAMPLES).read_bytes()
    for damaged in (whole.replace(b"[1,1,2]", b"[1,1,2") + b"[2,1,2]\n", whole + b"[2,1]\n"):
        (tmp_path / folder.SAMPLES).write_bytes(damaged)
        with pytest.raises(UsageError, match=r"samples\.ndjson: line \d is no "):
            list(read(tmp_path).rows())


def test_a_killed_writer_leaves_every_line_that_it_wrote(tmp_path: Path) -> None:
    code = (
        "import sys, time; from loadgen.soak.folder import Row, RunFolder\n"
        f"run = RunFolder({str(tmp_path)!r}, {{}})\n"
        "for t in range(50): run.sample(Row(t, ('a.b',), [t]))\n"
        "run.event({'type': 'checkpoint', 'wall_s': 1, 't_s': 49})\n"
        "print('written', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        writer.send_signal(signal.SIGKILL)
    assert [t_s for t_s, _ in rows(tmp_path)] == list(range(50))
    assert [event["t_s"] for event in read(tmp_path).events] == [49]


def test_a_full_disk_is_one_sentence_and_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFolder(tmp_path, {})
    run.sample(Row(1, NAMES, [1, 2]))
    real = os.write
    room = [5]

    def full(descriptor: int, data: bytes) -> int:
        """Take a few bytes more, as a disk does that has a part of a block left."""
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken, room[0] = min(room[0], len(data)), 0
        return real(descriptor, data[:taken])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(
            OutputError, match=r"could not be written: No space left on device; what was written before"
        ):
            run.sample(Row(2, NAMES, [3, 4]))
    found = read(tmp_path)
    assert [row.t_s for row in found.rows()] == [1]
    assert found.torn == [], "the part of a line was taken back"
    run.sample(Row(3, NAMES, [5, 6]))
    assert [row.t_s for row in read(tmp_path).rows()] == [1, 3]
    run.close()


def test_a_replaced_file_stays_when_the_next_cannot_be_written(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {}) as run:
        run.expose({"redis.fds": 24})
        (tmp_path / f"{folder.EXPOSITION}.part").mkdir()
        with pytest.raises(OutputError):
            run.expose({"redis.fds": 25})
    assert 'loadgen_soak_fds{monitor="redis"} 24\n' in (tmp_path / folder.EXPOSITION).read_text()


def test_a_folder_with_a_run_is_not_written_over(tmp_path: Path) -> None:
    RunFolder(tmp_path, {"version": "1"}).close()
    with pytest.raises(UsageError, match="has a run in it already"):
        RunFolder(tmp_path, {})
    assert read(tmp_path).run == {"version": "1"}


def test_no_run_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no run folder of a soak: it has no run\.json"):
        read(tmp_path)
    (tmp_path / folder.RUN).write_text("[1]")
    with pytest.raises(UsageError, match="is no JSON object"):
        read(tmp_path)


def test_numbers_are_as_short_as_they_can_be() -> None:
    assert [kept(v) for v in (24.0, 1 / 3, 1e300, float("nan"), float("inf"), -0.0)] == [
        24, 0.3333333, 1e300, None, None, 0,
    ]  # fmt: skip
    assert json.dumps(kept(24.0)) == "24"


def test_a_day_of_samples_takes_less_than_50_mb(tmp_path: Path) -> None:
    """Acceptance 3.12, of twice the series that were read in a minute of a redis with its default monitors."""
    chance = random.Random(3)
    line = (
        "[125,0,504.0,939007,8290303,17027072,31,5,0.01661706,45948,0,0,178510331868,null,null,2144,5668400,3786144,"
        "17027072,3,474880,21,0,10000,0,0,25852,0,42630,23,0,5881483,8232089,null,16489,0,178000000000,103497728]"
    )
    real = json.loads(line) * 2
    names = tuple(f"redis.series{number}" for number in range(len(real)))
    with RunFolder(tmp_path, {}) as run:
        for second in range(300):
            scale = chance.uniform(0.9, 1.1)
            row = [v if v is None else kept(v * scale if isinstance(v, float) else round(v * scale)) for v in real]
            run.sample(Row(86_000 + second, names, row))
    assert len(list(read(tmp_path).rows())) == 300
    assert (tmp_path / folder.SAMPLES).stat().st_size / 300 * 86_400 < 50_000_000


def test_evidence_has_a_number_and_its_monitor_in_its_name(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {}) as run:
        assert run.evidence(1, "redis", "CLIENT LIST.txt", "id=1") == "evidence/1-redis-CLIENT_LIST.txt"
        assert run.evidence(2, "../..", "/etc/passwd", "x") == "evidence/2-_-_etc_passwd"
    assert sorted(path.name for path in (tmp_path / "evidence").iterdir()) == [
        "1-redis-CLIENT_LIST.txt",
        "2-_-_etc_passwd",
    ]


def test_the_exposition_groups_series_of_monitors() -> None:
    text = exposition({"redis.fds": 24, 'a"b.fds': 1.5, "load.p99": 3})
    assert text == (
        "# TYPE loadgen_soak_fds gauge\n"
        'loadgen_soak_fds{monitor="a\\"b"} 1.5\n'
        'loadgen_soak_fds{monitor="redis"} 24\n'
        "# TYPE loadgen_soak_p99 gauge\n"
        'loadgen_soak_p99{monitor="load"} 3\n'
    )


def test_the_newest_values_are_those_of_the_last_samples_however_long_the_file_is(tmp_path: Path) -> None:
    assert newest_after(tmp_path, 0) == {}
    assert newest_after(tmp_path, 1) == {"a.x": 1, "a.y": 2}
    assert newest_after(tmp_path, 2) == {"a.x": 3, "a.y": 2}
    assert newest_after(tmp_path, 3) == {"a.x": 4, "b.z": 5}, "the columns are others"
    assert newest_after(tmp_path, 20_003) == {"a.x": 20_003, "b.z": 5}


def newest_after(folder: Path, count: int) -> dict[str, float]:
    path = folder / str(count)
    samples = [
        Row(1, ("a.x", "a.y"), [1, 2]),
        Row(2, ("a.x", "a.y"), [3, None]),
        Row(3, ("a.x", "b.z"), [4, 5]),
        *(Row(t_s, ("a.x", "b.z"), [t_s, 5]) for t_s in range(4, 20_004)),
    ]
    with RunFolder(path, {}) as run:
        for row in samples[:count]:
            run.sample(row)
    torn = path / "samples.ndjson"
    torn.write_bytes(torn.read_bytes() + b"[40000,7" * (count > 0))
    return read(path).newest()


@pytest.mark.parametrize("line", [b"[1,2]", b"[1,2,3,4]", b"nothing", b"{}", b"[" * 99])
def test_newest_values_are_not_made_of_what_is_no_sample(line: bytes, tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", {}) as run:
        run.sample(Row(1, ("a.x", "a.y"), [1, 2]))
    samples = tmp_path / "run" / "samples.ndjson"
    samples.write_bytes(samples.read_bytes() + line + b"\n")
    with pytest.raises(UsageError, match="has a line that is no sample"):
        read(tmp_path / "run").newest()
