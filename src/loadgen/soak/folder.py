"""The run folder of a soak: what it is, every sample and every event, as they happen; its verdict at the end.

It is readable at any time, by another process and after SIGKILL: a line is in the file when it has been written, and a
last line that was not written to its end is left out, and said so. It does not know what the values mean.

    run.json            what was asked for; the first file, written once
    samples.ndjson      {"type":"columns","names":[…]} when the columns change, and an array for each sample: its
                        seconds of the soak (before 0: settling), then a number or null for each column
    events.ndjson       an object with `type`, `wall_s` and `t_s` for each event
    soak.log            the text of the terminal
    heartbeat           an object with `wall_s`, `monotonic_ns`, `checkpoint` and `state`, replaced each second
    metrics_final.prom  the newest values, in Prometheus's text exposition
    evidence/           files that monitors kept at a breach and at the end
    result.json         the verdict; the last file. Without it, the soak has not ended, or was killed

Every file but `run.json` may be compressed by xz when the soak has ended: `samples.ndjson.xz` is read as it is.
"""

from __future__ import annotations

import errno
import io
import json
import math
import mmap
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

from loadgen.errors import OutputError, UsageError
from loadgen.escape import printable

RUN, SAMPLES, EVENTS, LOG, HEARTBEAT = "run.json", "samples.ndjson", "events.ndjson", "soak.log", "heartbeat"
RESULT, EXPOSITION, EVIDENCE = "result.json", "metrics_final.prom", "evidence"
FILES = (RUN, SAMPLES, EVENTS, LOG, HEARTBEAT, RESULT, EXPOSITION)
"""What a soak writes, without the folder of evidence."""

DIGITS = 7
"""The significant digits of a number that is not whole."""
_MOST_WHOLE = 1 << 63
"""The greatest whole number that is written digit by digit."""


class Row(NamedTuple):
    """A sample: the time in seconds of the soak, and a value for each column; None where there is none."""

    t_s: float
    names: tuple[str, ...]
    values: Sequence[float | None]


def kept(value: float) -> float | None:
    """Return a value as a folder keeps it: whole, or with `DIGITS` significant digits. None: it is no number."""
    if not math.isfinite(value):
        return None
    if value != int(value):
        return float(f"{value:.{DIGITS}g}")
    return int(value) if abs(value) <= _MOST_WHOLE else float(value)


# ── Writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Lines:
    """A file that grows by whole lines. A line that could not be written to its end is taken back."""

    def __init__(self, path: Path) -> None:
        """Begin the file. Raises OSError."""
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._length = 0

    def write(self, line: str) -> None:
        """Write a line, which is in the file when this returns. Raises OSError."""
        data = (line + "\n").encode("utf-8", "backslashreplace")
        done = 0
        try:
            while done < len(data):
                done += os.write(self._descriptor, data[done:])
        except OSError:
            # A full disk takes a part of a line. A file can be made shorter all the same.
            if done:
                os.ftruncate(self._descriptor, self._length)
            raise
        self._length += done

    def close(self) -> None:
        os.close(self._descriptor)


class RunFolder:
    """The folder of a soak under way. Every method but `close` raises OutputError, in one sentence, when the disk is
    full or the folder has gone; what was written before stays as it was."""

    def __init__(self, path: str | Path, run: Mapping[str, Any]) -> None:
        """Make the folder, and write `run.json`. Raises UsageError when there is a run in it."""
        self.path = Path(path)
        if (self.path / RUN).exists():
            raise UsageError(f"{printable(str(path))} has a run in it already: name another folder by --run-folder.")
        self._columns: tuple[str, ...] | None = None
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._replace(RUN, _document(run))
            self._samples, self._events, self._log = (Lines(self.path / name) for name in (SAMPLES, EVENTS, LOG))
        except OSError as error:
            raise self._refusal(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def sample(self, row: Row) -> None:
        """Write a sample; before it the columns, when they are others than those of the sample before."""
        try:
            if row.names != self._columns:
                self._samples.write(_line({"type": "columns", "names": list(row.names)}))
                self._columns = row.names
            self._samples.write(_line([kept(row.t_s), *row.values]))
        except OSError as error:
            raise self._refusal(error) from error

    def event(self, event: Mapping[str, Any]) -> None:
        """Write an event, which has `type`, `wall_s` and `t_s`."""
        try:
            self._events.write(_line(event))
        except OSError as error:
            raise self._refusal(error) from error

    def log(self, text: str) -> None:
        """Write a line of the terminal's text."""
        try:
            self._log.write(text)
        except OSError as error:
            raise self._refusal(error) from error

    def beat(self, *, wall_s: float, monotonic_ns: int, checkpoint: int, state: str) -> None:
        """Say that the soak is alive, how many checkpoints it has had, and if it settles, runs or pauses."""
        beat = {"wall_s": wall_s, "monotonic_ns": monotonic_ns, "checkpoint": checkpoint, "state": state}
        self._write(HEARTBEAT, _line(beat) + "\n")

    def expose(self, values: Mapping[str, float]) -> None:
        """Write the newest values, by `monitor.series`, as Prometheus's text exposition."""
        self._write(EXPOSITION, exposition(values))

    def evidence(self, number: int, monitor: str, file: str, text: str) -> str:
        """Write what a monitor kept at a breach; return the file's name in the folder."""
        name = f"{EVIDENCE}/{number}-{_plain(monitor)}-{_plain(file)}"
        try:
            (self.path / EVIDENCE).mkdir(exist_ok=True)
        except OSError as error:
            raise self._refusal(error) from error
        self._write(name, text)
        return name

    def result(self, result: Mapping[str, Any]) -> None:
        """Write the verdict, after everything else."""
        self._write(RESULT, _document(result))

    def close(self) -> None:
        """Close the files. Call once."""
        for lines in (self._samples, self._events, self._log):
            lines.close()

    def _write(self, name: str, text: str) -> None:
        try:
            self._replace(name, text)
        except OSError as error:
            raise self._refusal(error) from error

    def _replace(self, name: str, text: str) -> None:
        """Put a file in the place of an earlier one, which stays when this fails."""
        draft = self.path / f"{name}.part"
        try:
            draft.write_bytes(text.encode("utf-8", "backslashreplace"))
            draft.replace(self.path / name)
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    def _refusal(self, error: OSError) -> OutputError:
        return OutputError(
            f"the run folder {printable(str(self.path))} could not be written: {error.strerror or error}; what was "
            "written before is kept there."
        )


def exposition(values: Mapping[str, float]) -> str:
    """Return values by `monitor.series` as Prometheus's text exposition, one metric for each series.

    https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    metrics: dict[str, list[str]] = {}
    for name, value in sorted(values.items()):
        monitor, _, series = name.rpartition(".")
        metric = "loadgen_soak_" + re.sub(r"[^a-zA-Z0-9_]", "_", series)
        label = monitor.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        metrics.setdefault(metric, [f"# TYPE {metric} gauge"]).append(f'{metric}{{monitor="{label}"}} {value!r}')
    return "".join(line + "\n" for lines in metrics.values() for line in lines)


def _plain(name: str) -> str:
    """Return a name as a part of a file's name."""
    return re.sub(r"[^a-zA-Z0-9_.-]+", "_", name).strip(".")[:80] or "_"


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _document(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class KeptRun:
    """A run folder as it is now: that of a soak that ended, runs, or was killed."""

    def __init__(self, path: str | Path) -> None:
        """Read all but the samples. Raises UsageError when the folder is none of a soak, or cannot be read."""
        self.path = Path(path)
        self._name = printable(str(path))
        self.torn: list[str] = []
        """The files whose last line was not written to its end; `samples.ndjson` when `rows` has come to it."""
        self.run: Mapping[str, Any] = self._object(RUN, must=True) or {}
        self.events: tuple[Mapping[str, Any], ...] = tuple(
            each for each in self._lines(EVENTS) if isinstance(each, dict)
        )
        self.heartbeat: Mapping[str, Any] | None = self._object(HEARTBEAT)
        """None before the first."""
        self.result: Mapping[str, Any] | None = self._object(RESULT)
        """None when the soak has not ended, or was killed."""

    def rows(self) -> Iterator[Row]:
        """Yield the samples in their order. Raises UsageError for a line that is none."""
        names: tuple[str, ...] = ()
        for number, line in enumerate(self._lines(SAMPLES), 1):
            match line:
                case {"type": "columns", "names": list(given)}:
                    names = tuple(map(str, given))
                case [int() | float() as t_s, *values] if len(values) == len(names):
                    yield Row(t_s, names, values)
                case _:
                    raise UsageError(f"{self._name}/{SAMPLES}: line {number} is no sample.")

    def newest(self) -> dict[str, float]:
        """Return the newest value of each column, of the last samples only: those of a day take long to read.

        Raises UsageError for a line that is none.
        """
        path = self.path / SAMPLES
        try:
            with _opened(path) as file, _mapped(file) as data:
                columns_at = data.rfind(_COLUMNS)
                head = data[columns_at : data.find(b"\n", columns_at) + 1] if columns_at >= 0 else b""
                tail_at = max(columns_at + len(head), len(data) - _TAIL)
                begins_line = tail_at == columns_at + len(head)
                tail = data[tail_at:].split(b"\n")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise UsageError(f"{self._name}/{SAMPLES}: cannot be read ({error.strerror or error}).") from None
        except ValueError:
            # An empty file cannot be mapped.
            return {}
        found: dict[str, float] = {}
        names = _value(head)["names"] if head else []
        # The first part of a tail may be the rest of a line, and the last one is empty or torn.
        for line in tail[:-1] if begins_line else tail[1:-1]:
            values = _value(line)
            if not isinstance(values, list) or len(values) != len(names) + 1:
                raise UsageError(f"{self._name}/{SAMPLES}: has a line that is no sample.")
            found.update((name, each) for name, each in zip(names, values[1:], strict=True) if each is not None)
        return found

    def log(self) -> list[str]:
        """Return the lines of `soak.log`."""
        try:
            with _opened(self.path / LOG) as file:
                return file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return []

    def _object(self, name: str, *, must: bool = False) -> dict[str, Any] | None:
        try:
            with _opened(self.path / name) as file:
                found = json.loads(file.read())
        except FileNotFoundError:
            if must:
                raise UsageError(f"{self._name} is no run folder of a soak: it has no {name}.") from None
            return None
        except OSError as error:
            raise UsageError(f"{self._name}/{name}: cannot be read ({error.strerror or error}).") from None
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise UsageError(f"{self._name}/{name}: is no JSON object, as a soak writes it.")
        return found

    def _lines(self, name: str) -> Iterator[Any]:
        """Yield the values of a file's lines; leave a torn last line out, and note it."""
        try:
            with _opened(self.path / name) as file:
                for number, line in enumerate(file, 1):
                    if not line.endswith(b"\n"):
                        self.torn.append(name)
                        return
                    try:
                        yield json.loads(line)
                    except (ValueError, RecursionError):
                        # After a power cut a file may end in zeros.
                        if file.read(1):
                            raise UsageError(f"{self._name}/{name}: line {number} is no JSON.") from None
                        self.torn.append(name)
                        return
        except FileNotFoundError:
            return
        except OSError as error:
            raise UsageError(f"{self._name}/{name}: cannot be read ({error.strerror or error}).") from None


_COLUMNS = b'{"type":"columns"'
_TAIL = 1 << 18
"""Bytes at the end of the samples: some hundreds of them."""


def _opened(path: Path) -> BinaryIO:
    """Open a file to read, or its compressed form where it is not there. Raises OSError."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        packed = path.with_name(f"{path.name}.xz").read_bytes()
    try:
        # Few folders are compressed, and a Python may be built without it.
        import lzma
    except ImportError:
        raise OSError(errno.ENOTSUP, f"{path.name}.xz is compressed, and this Python has no lzma") from None
    try:
        return io.BytesIO(lzma.decompress(packed))
    except lzma.LZMAError as error:
        raise OSError(errno.EINVAL, f"{path.name}.xz cannot be decompressed: {error}") from None


def _mapped(file: BinaryIO) -> AbstractContextManager[mmap.mmap | bytes]:
    """Return the bytes of a file, which are read as far as they are looked at. Raises ValueError for an empty file."""
    if isinstance(file, io.BytesIO):
        return nullcontext(file.getvalue())
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _value(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def read(path: str | Path) -> KeptRun:
    """Return what a run folder has. Raises UsageError when it is none, or cannot be read."""
    return KeptRun(path)
