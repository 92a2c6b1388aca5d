"""Measure the CPU that load costs loadgen, beside other generators and bare C. README.md explains the figures.

.venv/bin/python benchmark/bench.py            everything, as in `make bench`
.venv/bin/python benchmark/bench.py --only shapes,micro --rounds 9 --against HEAD~1
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import resource
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import servers
from clusters import clusters
from dialects import dialects
from pacing import pacing
from peers import ROOT, Floor, Loadgen, Shape, installed_peers
from processes import BenchmarkError
from recording import recording
from refill import refill
from sections import LEAST_STARTS, Report, Settings, say
from sections import SECTIONS as CLOSED_LOOP
from sockets import sockets
from table import goals_table
from tls import tls

HERE = Path(__file__).resolve().parent
SECTIONS = {
    **CLOSED_LOOP,
    "pacing": pacing,
    "refill": refill,
    "dialects": dialects,
    "recording": recording,
    "tls": tls,
    "sockets": sockets,
    "clusters": clusters,
}
SHAPES = (Shape(50, 1), Shape(4, 8), Shape(16, 32), Shape(1000, 1), Shape(4000, 1))

# --quick shows that everything still works; its figures mean nothing.
QUICK_SHAPES = (Shape(4, 8),)
QUICK_SECONDS = 0.1
QUICK_CONNECTIONS = 200


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds of every section (default: 5)")
    parser.add_argument("--seconds", type=float, default=2.0, metavar="S", help="length of one run (default: 2)")
    parser.add_argument(
        "--only", type=sections_of, default=list(SECTIONS), metavar="SECTION,…", help=", ".join(SECTIONS)
    )
    parser.add_argument("--shapes", type=shapes_of, metavar="CxD,…", help="connections x depth, instead of all five")
    parser.add_argument(
        "--floor", type=program_at, metavar="PATH", help="divide by this program: PORT CONNECTIONS DEPTH REQUESTS"
    )
    parser.add_argument("--against", metavar="REV", help="build this commit of loadgen and measure it too")
    parser.add_argument(
        "--cpus", type=cpus_of, metavar="S,G", help="CPUs of server and generator (default: the first two)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure of every round there")
    parser.add_argument(
        "--quick", action="store_true", help="one tiny round: shows that all this works, measures nothing"
    )
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("there is at least one round, and it takes time")
    return options


def sections_of(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no section {unknown[0]}, only {', '.join(SECTIONS)}")
    return names


def shapes_of(text: str) -> tuple[Shape, ...]:
    return tuple(Shape(*map(int, shape.replace("×", "x").split("x"))) for shape in text.split(","))


def program_at(text: str) -> Path:
    path = Path(text).resolve()
    if shutil.which(path) is None:
        raise argparse.ArgumentTypeError(f"{text} is no program")
    return path


def cpus_of(text: str) -> tuple[int, int]:
    server, generator = map(int, text.split(","))
    if not {server, generator} <= os.sched_getaffinity(0):
        raise argparse.ArgumentTypeError(f"this process may not run on CPUs {text}")
    return server, generator


def choose_cpus() -> tuple[int | None, int | None]:
    """A CPU for the server and one for the generator, where programs can be pinned at all."""
    if not hasattr(os, "sched_setaffinity"):
        return None, None
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[min(1, len(allowed) - 1)]


def build(name: str, folder: Path) -> Path:
    """Compiles floor/NAME.c. Raises BenchmarkError where that cannot be done."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if sys.platform != "linux" or shutil.which(compiler[0]) is None:
        raise BenchmarkError("bare C is what everything is divided by; it needs Linux (epoll) and a C compiler")
    program = folder / name
    command = [*compiler, "-O3", "-o", program, HERE / "floor" / f"{name}.c", "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BenchmarkError(f"{name}.c was not compiled: {done.stderr}")
    return program


def build_revision(revision: str, folder: Path) -> Loadgen:
    """Another commit of loadgen, built in a folder of its own."""
    say(f"building {revision}")
    if shutil.which("git") is None:
        raise BenchmarkError(f"without git there is no {revision} to measure against")
    archive = subprocess.run(["git", "-C", ROOT, "archive", revision], capture_output=True)
    if archive.returncode:
        raise BenchmarkError(f"git has no {revision}: {archive.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder)
    build = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    done = subprocess.run(build, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise BenchmarkError(f"{revision} was not built: {done.stderr[-2000:]}")
    return Loadgen(f"loadgen {revision}", folder / "src")


def settings_of(options: argparse.Namespace, folder: Path) -> Settings:
    quick = options.quick
    server_cpu, generator_cpu = options.cpus or choose_cpus()
    built, revision = folder / "built", folder / "revision"
    for part in (built, revision):
        part.mkdir()
    return Settings(
        rounds=1 if quick else options.rounds,
        seconds=QUICK_SECONDS if quick else options.seconds,
        server_cpu=server_cpu,
        generator_cpu=generator_cpu,
        shapes=options.shapes or (QUICK_SHAPES if quick else SHAPES),
        connections=QUICK_CONNECTIONS if quick else 10_000,
        micro_calls=10_000 if quick else 5_000_000,
        starts=2 if quick else max(LEAST_STARTS, options.rounds),
        folder=built,
        floor=Floor("bare C", build("floor", built), knows_memcache=True),
        paced=build("paced", built),
        given_floor=Floor(options.floor.name, options.floor, knows_memcache=False) if options.floor else None,
        against=build_revision(options.against, revision) if options.against else None,
        others=tuple(installed_peers()),
    )


def machine(settings: Settings) -> dict[str, Any]:
    """Where this was measured."""
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "server_cpu": settings.server_cpu,
        "generator_cpu": settings.generator_cpu,
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "servers": [kind for kind in servers.PROGRAMS if servers.installed(kind)],
        "load_average": os.getloadavg()[0],
    }


def describe(where: dict[str, Any], settings: Settings) -> str:
    pinned = f"server on CPU {where['server_cpu']}, generator on CPU {where['generator_cpu']}"
    if settings.server_cpu is None:
        pinned = "nothing is pinned here"
    elif settings.server_cpu == settings.generator_cpu:
        pinned = "server and generator share the only CPU: the figures are of little use"
    return (
        f"{where['system']}, Python {where['python']}, {where['cpus']} CPUs, load average {where['load_average']:.2f}\n"
        f"{pinned}; rounds: {settings.rounds}, of {settings.seconds:g} s"
    )


def write_json(path: Path, where: dict[str, Any], reports: dict[str, Report]) -> None:
    goals = [{**asdict(goal), "median": goal.median, "met": goal.met} for r in reports.values() for goal in r.goals]
    figures = {name: report.figures for name, report in reports.items()}
    path.write_text(json.dumps({"machine": where, "figures": figures, "goals": goals}, indent=1) + "\n")


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="loadgen-bench-") as folder:
        try:
            settings = settings_of(options, Path(folder))
            where = machine(settings)
            print(describe(where, settings), flush=True)
            for kind in servers.PROGRAMS:
                if not servers.installed(kind):
                    print(f"{servers.PROGRAMS[kind]} is not installed: nothing is measured against it")
            reports = {}
            for name in options.only:
                reports[name] = SECTIONS[name](settings)
                print("", "\n\n".join(reports[name].tables), sep="\n", flush=True)
        except BenchmarkError as error:
            print(f"bench: {error}", file=sys.stderr)
            return 3
        except KeyboardInterrupt:
            return 130
    goals = [goal for report in reports.values() for goal in report.goals]
    print("\n" + goals_table(goals))
    if options.json:
        write_json(options.json, where, reports)
    return 0


if __name__ == "__main__":
    sys.exit(main())
