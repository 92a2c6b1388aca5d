"""The packages: an sdist, the wheel built from it, and the command installed from the wheel."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from places import CONFIGS, PACKAGE, ROOT, SUPPORT

COMPILED = sorted(path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("_*.pyx"))
# The one C source that is not generated: it is compiled on the machine that runs a server.
LIBRARY = "faults/disk/notes.c"

PRESETS = sorted([*CONFIGS.glob("*.toml"), *(ROOT / "server" / "config").glob("*.toml")])
PACKAGES = ROOT / ".pytest_cache" / "packages"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def so_of(module: str) -> Path:
    return PACKAGE / (module + sysconfig.get_config_var("EXT_SUFFIX"))


def test_no_compiled_module_outlives_its_source() -> None:
    built = [path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("_*.so")]
    orphans = [path for path in built if path.split(".")[0] not in COMPILED]
    assert not orphans, f"remove {', '.join(orphans)}: no .pyx makes them any more"


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """The standard output of a command that must succeed; nothing of this test run's own environment leaks into it."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV", "LOADGEN_"))}
    env |= variables
    done = subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}", pytrace=False)
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist, and the wheel built from it, from a dirty tree that holds what an earlier build left behind.

    They are built once for a state of the sources, by whichever process of this or an earlier test run comes first.
    Cython makes the C of all modules anew; C that `make build` has compiled already is not compiled a second time.
    """
    tree = tmp_path_factory.mktemp("tree") / "loadgen"
    built = (".git", ".venv", "build", "dist", "*.egg-info", "*.so", "_*.c", "__pycache__", ".*_cache", ".coverage*")
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*built))
    kept = PACKAGES / state_of(tree)
    PACKAGES.mkdir(parents=True, exist_ok=True)
    with (PACKAGES / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            for old in PACKAGES.glob("dist-*"):
                shutil.rmtree(old)
            for leftover in ("_stale.c", so_of("_stale").name):
                (tree / "src" / "loadgen" / leftover).write_text("")
            compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
            again = f"{SUPPORT / 'compiled_again.sh'} {ROOT} {compiler}"
            run(sys.executable, "-m", "build", "--no-isolation", cwd=tree, LOADGEN_OPTIMIZE="0", CC=again)
            shutil.copytree(tree / "dist", PACKAGES / "unfinished", dirs_exist_ok=True)
            (PACKAGES / "unfinished").rename(kept)
    return kept


def state_of(tree: Path) -> str:
    """A name for what is in these files, for their names and for the Python that builds them."""
    state = hashlib.sha256(sys.version.encode())
    for path in sorted(path for path in tree.rglob("*") if path.is_file()):
        state.update(f"{path.relative_to(tree)} {path.stat().st_mode} {path.stat().st_size}\n".encode())
        state.update(path.read_bytes())
    return f"dist-{state.hexdigest()[:16]}"


@pytest.mark.timeout(900)
def test_sdist_holds_sources_and_nothing_built(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as tar:
        names = {name.split("/", 1)[-1] for name in tar.getnames()}
    sources = [path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".pyi", ".pyx", ".pxd"}]
    assert {path.relative_to(ROOT).as_posix() for path in sources} <= names
    assert {"LICENSE", "README.md", "Makefile", "scripts/prepare", "tests/project/test_packaging.py"} <= names
    assert {path.relative_to(ROOT).as_posix() for path in PRESETS} <= names
    assert f"src/loadgen/{LIBRARY}" in names
    built = [name for name in names if name.startswith("src/") and name.endswith((".so", ".c", ".html", ".pyc"))]
    assert built == [f"src/loadgen/{LIBRARY}"]


@pytest.mark.timeout(900)
def test_wheel_holds_compiled_modules_and_faces_and_no_sources(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"loadgen/{so_of(module).relative_to(PACKAGE)}" for module in COMPILED} <= names
    assert {f"loadgen/{face.relative_to(PACKAGE)}" for face in PACKAGE.rglob("*.pyi")} <= names
    assert {"loadgen/__init__.py", "loadgen/py.typed"} <= names
    assert {f"loadgen/{corpus.relative_to(PACKAGE)}" for corpus in PACKAGE.rglob("corpus/*.txt")} <= names
    packed = {name: zipfile.ZipFile(wheel).read(name) for name in names if name.startswith("loadgen/share/")}
    shelves = {"benchmark": "config", "server": "server"}
    assert packed == {
        f"loadgen/share/{shelves[path.parts[len(ROOT.parts)]]}/{path.name}": path.read_bytes() for path in PRESETS
    }
    sources = [name for name in names if name.endswith((".pyx", ".pxd", ".c")) or "_stale" in name]
    assert sources == [f"loadgen/{LIBRARY}"]


@pytest.mark.timeout(900)
def test_installed_wheel_runs_from_another_folder(dist: Path, tmp_path: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", "env", cwd=tmp_path)
    python = tmp_path / "env" / "bin" / "python"
    install = ("install", "--quiet", "--no-index", "--no-deps", wheel)
    run(sys.executable, "-m", "pip", "--python", python, *install, cwd=tmp_path)
    # Its dependencies are those of the Python that runs this test, whose own editable loadgen stays behind: a .pth file
    # adds a folder to the path and does not follow the .pth files in it.
    libraries = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip()
    (Path(libraries) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))

    imports = ", ".join("loadgen." + module.replace("/", ".") for module in ["cli", *COMPILED])
    where = run(python, "-c", f"import {imports}; print(loadgen.__file__)", cwd=tmp_path)
    assert Path(where).is_relative_to(libraries)
    command = python.with_name("loadgen")
    assert PROJECT["version"] in run(command, "--version", cwd=tmp_path)

    listed = run(command, "config", "--list", cwd=tmp_path)
    assert all(f"  {path.stem} " in listed for path in PRESETS)
    assert run(command, "config", "--example", "quick-test", cwd=tmp_path) == (CONFIGS / "quick-test.toml").read_text()
    short = ("-n", "2000", "--warmup", "0s", "-q", "--set", "verdict.lag=30s")
    assert "built-in server" in run(command, "quick-test", "--embedded", *short, cwd=tmp_path)
    assert "req/s" in run(command, "run", "--server", "builtin-uvloop", *short, cwd=tmp_path)
