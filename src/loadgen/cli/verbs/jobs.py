"""Test queues of durable jobs: how many a second, is the load shared, is any lost or done twice, also under faults.

`run` puts on tests: a preset of `list`, upstream's twelve load tests, or a TOML file. The truth is a ledger that job
bodies write, held against what was published. Without a storage named, the queue is a file of SQLite, or a Redis that
loadgen starts, and is removed again. `compare` puts on one test for several queues, loadgen's own and those of
libraries. `inspect` shows the state of a queue, and `new` writes a test in Python, which `run --app` puts on.
docs/JOBS.md has the presets, the files and the checks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from loadgen import output
from loadgen.cli import interrupts, job_tests, queues, verification
from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import COUNT, RATE, TEXT, TIME_NS, ValueKind, choice
from loadgen.cli.options.verification import RESULTS
from loadgen.config import jobs_presets
from loadgen.errors import ExitCode, OutputError, UsageError
from loadgen.escape import printable
from loadgen.jobs.leader.app import AppTest
from loadgen.jobs.load.plan import OURS, JobsPlan
from loadgen.jobs.log import FILE, LEVELS
from loadgen.jobs.url import parse
from loadgen.runner.stop import Stop
from loadgen.units import parse_duration

MOST_SWEPT = 20
"""The most numbers of workers of one sweep."""

DEFAULT_STORAGE = "sqlite://./jobs.db"
"""Where a queue of a program is that names no storage."""

TEMPLATE = Path(__file__).parents[2] / "jobs" / "template.py.txt"


LOG = "loadgen-jobs.log"
"""The file of the log lines, in the working folder."""


def _numbers(word: str) -> list[int]:
    parts = [part.strip() for part in word.split(",")]
    if not all(part.isascii() and part.isdigit() and 0 < len(part) <= 4 and int(part) for part in parts):
        raise ValueError(f'"{printable(word, 60)}" is no list of numbers of workers; write one such as 1,2,5,10')
    numbers = [int(part) for part in parts]
    if len({*numbers}) < len(numbers):
        raise ValueError(f'"{printable(word, 60)}" has a number twice; name each once')
    if not 2 <= len(numbers) <= MOST_SWEPT:
        raise ValueError(f"takes from 2 to {MOST_SWEPT} numbers of workers, not {len(numbers)}")
    return numbers


_STORAGE = Option(("--storage",), "where the queue is kept: sqlite://./file.db, sqlite:///absolute/file.db or "
                  "redis://HOST:PORT/DB (default: one of its own, which is removed again)", TEXT, "URL")  # fmt: skip

_OVERRIDES = (
    Option(("--jobs",), "number of jobs, instead of the test's", COUNT),
    Option(("--workers",), "number of worker processes", COUNT),
    Option(("--concurrency",), "jobs that a worker executes at once", COUNT),
    Option(("--work",), "work of each job, such as 10ms; 0s for none", TEXT, "TIME"),
    Option(("--rate",), "publishes per second, counted from the intended time of each; 0: as fast as can be", RATE),
    Option(("--fail-p",), "probability with which an attempt fails, such as 0.5", TEXT, "SHARE"),
    _STORAGE,
    Option(("--patience",), "time without any event after which jobs are given up, such as 30s", TEXT, "TIME"),
    Option(("--set",), "set a key of the test, such as queue.lease=2s or jobs.0.busy=true; may be repeated", TEXT,
           "KEY=VALUE", many=True, default=[]),
)  # fmt: skip

_ADAPTER = Option(("--adapter",), "the queue: sqlite, streams, lists (loadgen's own), rq, celery, arq, taskiq or "
                  "dramatiq", TEXT, "NAME")  # fmt: skip

_BESIDE = OptionGroup(
    "beside the test",
    (
        Option(("--profile",), "profile a worker by TOOL: py-spy or perf; without a name, the first that is there",
               choice(("auto", "py-spy", "perf")), "TOOL", sets="auto", bare=True),
        Option(("--log-level",), f"write JSON log lines of workers and producers to {LOG}, of this level and above",
               choice(LEVELS)),
    ),
)  # fmt: skip


def _action(name: str, what: str) -> Positional:
    return Positional("action", name, what, least=1)


_RUN = Syntax(
    (
        OptionGroup("what is different from the test", (*_OVERRIDES, _ADAPTER)),
        OptionGroup(
            "several tests",
            (
                Option(("--sweep",), "the test with each of these numbers of workers: does throughput grow with them",
                       ValueKind("N,N,…", _numbers)),
            ),
        ),
        OptionGroup(
            "a test of your own",
            (
                Option(("--app",), "call a function of a Python program, which makes queues and publishes: mytest:main "
                       "or mytest.py:main (`loadgen jobs new` writes one)", TEXT, "MODULE:FUNCTION"),
            ),
        ),
        _BESIDE,
        RESULTS,
    ),
    (
        _action("run", "put on tests"),
        Positional("tests", "TEST", "a preset, a TOML file, or `upstream` for upstream's twelve tests", most=None),
    ),
)  # fmt: skip

_COMPARE = Syntax(
    (
        OptionGroup("who is compared", (
            Option(("--adapters",), "queues, such as sqlite,streams,rq (default: loadgen's own, and the libraries that "
                   "are installed)", TEXT, "NAME,NAME"),
        )),
        OptionGroup("what is different from the test", _OVERRIDES),
        _BESIDE,
        RESULTS,
    ),
    (
        _action("compare", "put on one test for several queues"),
        Positional("test", "TEST", f"a preset or a TOML file (default: {job_tests.DEFAULT_TEST})"),
    ),
)  # fmt: skip

_INSPECT = Syntax(
    (
        OptionGroup(
            "the queue",
            (
                Option(("--storage",), f"where the queue is kept (default: {DEFAULT_STORAGE})", TEXT, "URL",
                       default=DEFAULT_STORAGE),
                Option(("--adapter",), "how the queue is kept, where the storage is Redis (default: streams)",
                       choice(OURS)),
                Option(("--older-than",), "list the running jobs that were claimed this long ago, with their workers",
                       TIME_NS),
            ),
        ),
        RESULTS,
    ),
    (_action("inspect", "show the state of a queue"), Positional("queue", "QUEUE", "the queue's name", least=1)),
)  # fmt: skip

_LIST = Syntax(
    (),
    (
        _action("list", "list the presets"),
        Positional("preset", "PRESET", "print the text of one, to be copied and changed"),
    ),
)

_NEW = Syntax(
    (),
    (_action("new", "write a test in Python"), Positional("file", "FILE", "the file to be written", least=1)),
)

_SYNTAXES: Mapping[str, Syntax] = {"run": _RUN, "list": _LIST, "inspect": _INSPECT, "compare": _COMPARE, "new": _NEW}

SYNTAX = Syntax(
    (),
    (
        Positional(
            "action",
            "run|list|inspect|compare|new",
            "put on tests, list the presets, show a queue's state, compare queues, or write a test in Python; "
            "`loadgen jobs ACTION --help` has the options of each",
            least=1,
        ),
    ),
)


def syntax_of(words: Sequence[str]) -> Syntax:
    """Return the syntax of an action, which is the first word. Raises UsageError for an action that there is not."""
    if not words or words[0].startswith("-"):
        return SYNTAX
    if (found := _SYNTAXES.get(words[0])) is not None:
        return found
    near = get_close_matches(words[0][:40].lower(), _SYNTAXES, n=1)
    named = words[0] in jobs_presets.names() or words[0].endswith(".toml")
    hint = (
        f"did you mean jobs run {printable(words[0], 60)}?"
        if named
        else f"did you mean {near[0]}?"
        if near
        else f"the actions are {', '.join(_SYNTAXES)}."
    )
    raise UsageError(f'there is no action "{printable(words[0], 40)}"; {hint}')


def run(given: Given) -> ExitCode:
    """Do what the action says. Raises LoadgenError; ConfigError with every problem of a file."""
    return _ACTIONS[given.action](given)


def _run(given: Given) -> ExitCode:
    if given.app is not None:
        return _app(given)
    return _put_on(given, job_tests.asked(given))


def _compare(given: Given) -> ExitCode:
    return _put_on(given, job_tests.compared(given))


def _put_on(given: Given, asked: job_tests.Asked) -> ExitCode:
    stop = Stop()
    with _logged(given.log_level), output.opened(verification.wanted(given)) as outputs, interrupts.caught(stop):
        return job_tests.carried_out(asked, outputs, stop).exit_code


@contextmanager
def _logged(level: str | None) -> Iterator[None]:
    """Have the processes that are started meanwhile write their log lines to a new LOG, where a level is given."""
    if level is None:
        yield
        return
    path = Path(LOG).absolute()
    try:
        path.write_bytes(b"")
    except OSError as error:
        raise OutputError(f"{LOG} could not be written: {error.strerror or error}") from error
    os.environ[FILE] = str(path)
    try:
        yield
    finally:
        del os.environ[FILE]


def _app(given: Given) -> ExitCode:
    """Put on a program of the user's own, which is told its storage, and nothing else."""
    with_app = ("app", "storage", "patience", *(option.name for option in RESULTS.options))
    if given.tests or (other := next((word for word in given.words if word.option.name not in with_app), None)):
        what = printable(given.tests[0], 60) if given.tests else other.spelling if other else ""
        raise UsageError(
            f"{what} says nothing beside --app, whose function makes its own queues and jobs; leave it out."
        )
    if given.storage is not None:
        parse(given.storage)
    stop = Stop()
    # The program has workers of its own.
    plan = JobsPlan(given.app, "a test in Python", workers=0)
    if given.patience is not None:
        plan = replace(plan, patience_ns=_patience_ns(given.patience))
    with output.opened(verification.wanted(given)) as outputs, interrupts.caught(stop):
        return AppTest(given.app, plan, outputs.emit, stop, given.storage or "").ended().exit_code


def _patience_ns(word: str) -> int:
    """Return a patience. Raises UsageError for what is none."""
    try:
        return parse_duration(word)
    except ValueError as error:
        raise UsageError(f"--patience: {error}") from None


def _inspect(given: Given) -> ExitCode:
    with output.opened(verification.wanted(given)) as outputs:
        end = queues.inspected(given.queue, given.storage, given.adapter, given.older_than)
        outputs.emit(end)
    return end.exit_code


def _list(given: Given) -> ExitCode:
    text = listing() if given.preset is None else jobs_presets.text_of(jobs_presets.name_of(given.preset))
    output.write_lines(sys.stdout, [text.encode()])
    return ExitCode.YES


def listing() -> str:
    """Return the presets, upstream's tests first, each with its title."""
    lines = ["upstream's load tests: name, title"]
    for name in jobs_presets.names():
        if name == jobs_presets.names()[len(jobs_presets.UPSTREAM)]:
            lines += ["", "further tests"]
        lines.append(f"  {name:<21} {jobs_presets.case(name).plan.title}")
    lines += ["", "`loadgen jobs list NAME` prints a test, to be copied and changed."]
    return "\n".join(lines) + "\n"


def _new(given: Given) -> ExitCode:
    path = Path(given.file)
    name = path.stem.replace("_", "-")
    text = TEMPLATE.read_text(encoding="utf-8").replace("{FILE}", path.name).replace("{NAME}", name)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{printable(given.file, 200)} is there already: name another file.") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise OutputError(f"{printable(given.file, 200)} could not be written: {why}") from error
    told = f"{path} is written; put it on by: loadgen jobs run --app {path}:main\n"
    output.write_lines(sys.stdout, [told.encode()])
    return ExitCode.YES


_ACTIONS: Mapping[str, Callable[[Given], ExitCode]] = {
    "run": _run,
    "list": _list,
    "inspect": _inspect,
    "compare": _compare,
    "new": _new,
}
