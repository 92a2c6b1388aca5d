"""Build _micro.pyx against the package's .pxd files, run its loops, and read their figures.

python micro.py FOLDER CALLS    prints ns per call by name, as JSON; FOLDER has the built module
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import shutil
import sys
from pathlib import Path

from processes import BenchmarkError, run

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parent / "src"

VALUE_BYTES = 64
REPLIES = {
    "resp": b"$64\r\n" + b"v" * VALUE_BYTES + b"\r\n",
    "memcache": b"VALUE 0123456789abcdef 0 64\r\n" + b"v" * VALUE_BYTES + b"\r\nEND\r\n",
}


def build(folder: Path) -> None:
    """Compiles _micro.pyx into `folder`, with the flags that the package is built with."""
    from Cython.Build import cythonize
    from setuptools import Extension  # type: ignore[import-untyped]
    from setuptools.dist import Distribution  # type: ignore[import-untyped]

    source = folder / "_micro.pyx"
    shutil.copy(HERE / "_micro.pyx", source)
    flags = ["-O3", "-g0", "-fvisibility=hidden", "-fno-math-errno"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        extension = Extension("_micro", [str(source)], extra_compile_args=flags)
        modules = cythonize([extension], include_path=[str(SOURCES)], quiet=True)  # type: ignore[no-untyped-call]
        distribution = Distribution({"ext_modules": modules})
        builder = distribution.get_command_obj("build_ext")
        builder.build_lib, builder.build_temp = str(folder), str(folder)
        builder.ensure_finalized()
        builder.run()
    if not list(folder.glob("_micro*.so")):
        raise BenchmarkError(f"_micro.pyx was not built: {printed.getvalue()}")


def measure(folder: Path, calls: int, cpu: int | None) -> dict[str, float]:
    """ns of CPU per call, by the call's name, from one process of its own."""
    ended = run([sys.executable, __file__, str(folder), str(calls)], cpu, {"PYTHONPATH": str(SOURCES)}, look=False)
    figures: dict[str, float] = json.loads(ended.stdout)
    return figures


def main(folder: str, calls: str) -> None:
    sys.path.insert(0, folder)
    micro = importlib.import_module("_micro")
    from loadgen._memcache import Memcache
    from loadgen._resp import Resp

    n = int(calls)
    codecs = {"resp": Resp(16, VALUE_BYTES), "memcache": Memcache(16, VALUE_BYTES)}
    # The first round of each loop warms caches and clock, and is ignored.
    figures = {}
    for calls_now in (n // 10 + 1, n):
        for protocol, codec in codecs.items():
            figures[f"encode GET, {protocol}"] = micro.encode_get(codec, calls_now)
        for protocol, codec in codecs.items():
            figures[f"decode 64 B GET reply, {protocol}"] = micro.decode_get(codec, REPLIES[protocol], calls_now)
        figures["record"] = micro.record(calls_now)
        figures["record a reply, with its tally"] = micro.record_reply(calls_now)
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
