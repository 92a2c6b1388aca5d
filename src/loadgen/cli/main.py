"""The command: argv → verb. A first word that is no verb means `run`. Imports are few, so that `--version` is quick."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from loadgen.version import __version__

if TYPE_CHECKING:
    from loadgen.cli.options import Syntax

GROUPS = {
    "load": {
        "run": "put load on a server and report the results (the default verb)",
        "saturate": "find the highest rate at which a server meets its SLO",
        "serve": "run the built-in server",
    },
    "judge": {
        "smoke": "start, query, load and stop a server: PASS or FAIL",
        "soak": "load a server for long beside monitors: does it leak or drift",
        "watch": "watch a soak, or a process or server under others' load",
        "compare": "measure servers in turns, and compare every metric",
        "gate": "judge a server against a baseline, for CI",
        "jobs": "test queues of durable jobs: throughput, losses, duplicates",
    },
    "break": {
        "chaos": "put a client on trial under faults, or a server's files",
        "proxy": "run a fault-injecting proxy with Toxiproxy's HTTP API",
    },
    "verify": {
        "properties": "hold a server's replies to drawn commands against a model",
        "oracle": "ask two servers the same, and report where they differ",
        "cases": "run written cases, which say what each reply is to be",
        "stress": "put many connections on few keys, and print one table",
        "check": "judge a recorded history: was each reply possible",
        "fuzz": "give mutated inputs to parsers and servers, and find crashes",
        "simulate": "run loadgen's own code, or yours, in simulated worlds",
        "cloud": "run the seeds of a verb on many machines",
        "full": "run every verb of verification, as one report",
        "replay": "run one case again, from its seed or its artifact",
        "seeds": "keep the seeds of failures, and run them again",
        "spec": "print, check or convert the file that says what is run",
    },
    "results": {
        "report": "show an earlier result, or a soak from its run folder",
        "history": "append results to a file, and draw them over time",
    },
    "set up": {
        "config": "print a configuration, the presets, every key or the schema",
        "selftest": "measure the limits of the generator itself on this host",
        "agent": "send this machine's part of a load that another one leads",
    },
}
VERBS = [verb for verbs in GROUPS.values() for verb in verbs]
OVERVIEW = """usage: loadgen [run] [CONFIG] [options]
       loadgen VERB [arguments]

Put load on cache servers that speak RESP or memcache, and report the results.

first commands to try:
  loadgen quick-test --embedded
      load on the built-in server; nothing else is needed
  loadgen run -h 127.0.0.1 -p 6379 -n 100k -t set,get -q
      redis-benchmark's flags, for a server of yours
  loadgen compare redis builtin-uvloop
      two servers, started by loadgen and measured in turns

{verbs}

`loadgen VERB --help` or `loadgen help VERB` prints the help of a verb.
Options: --version, --help, and with any verb --debug, which
prints the traceback of an internal error.

exit status:
{statuses}
"""

STATUSES = {
    0: "yes: the command ran, and every judgement passed",
    1: "no: a judgement failed",
    2: "the command line or the configuration is wrong",
    3: "the command could not run",
    4: "no answer: the result is invalid or inconclusive",
    70: "an internal error: a bug in loadgen, which says nothing about a server",
    130: "interrupted",
}


LONGEST_ERROR = 2000

DEBUG = "--debug"


def main(argv: list[str] | None = None, imported: Callable[[], None] = lambda: None) -> int:
    """Run the verb that the arguments name, and return the exit status. An internal error is exit status 70.

    `imported` is called after the verb's imports and before the verb runs, and may raise.
    """
    words = sys.argv[1:] if argv is None else argv
    # --debug is accepted anywhere, with any verb: the bug may be in the parser of the verb's options.
    arguments = [word for word in words if word != DEBUG]
    try:
        return act(arguments, imported)
    except KeyboardInterrupt:
        pass
    except Exception as error:
        # Python turns a KeyboardInterrupt into an error of its own in some places, as in the making of a class.
        if not isinstance(error.__cause__, KeyboardInterrupt):
            return crashed(error, debug=DEBUG in words)
    print_error("loadgen: interrupted.")
    return 130


def crashed(error: Exception, *, debug: bool) -> int:
    """Print one line about the internal error and the file of its traceback; return the exit status."""
    from loadgen.cli import crash
    from loadgen.errors import ExitCode

    text = crash.traceback_of(error)
    path = crash.kept(text)
    if debug:
        print_error(*text.splitlines())
    print_error(f"loadgen: {crash.sentence(error, path)}")
    # The output ends here, whether or not the rest of it can be written.
    try:
        sys.stdout.flush()
    except (AttributeError, OSError, ValueError):
        forget_stdout()
    return ExitCode.INTERNAL


def act(arguments: list[str], imported: Callable[[], None]) -> int:
    first = arguments[0] if arguments else "--help"
    if arguments in (["--version"], ["-V"]):
        return say(f"loadgen {__version__}\n")
    if first == "help" and len(arguments) > 1:
        return dispatch(arguments[1], ["--help"], imported) if arguments[1] in VERBS else no_help_for(arguments[1])
    if first == "help" or arguments in ([], ["--help"], ["-h"]):
        return say(overview())
    if first in VERBS:
        return dispatch(first, arguments[1:], imported)
    if not first.startswith("-") and (near := near_verb(first)):
        return no_such_verb(first, near)
    return dispatch("run", arguments, imported)


def overview() -> str:
    """Return the help text of the command itself."""
    from shutil import get_terminal_size

    width = get_terminal_size((100, 24)).columns
    lines: list[str] = []
    column = 2 + max(map(len, VERBS))
    for title, verbs in GROUPS.items():
        lines += ["", f"{title}:"] if lines else [f"{title}:"]
        lines += [_hung(f"  {verb:<{column}}", what, width) for verb, what in verbs.items()]
    statuses = [_hung(f"  {status:<5}", what, width) for status, what in STATUSES.items()]
    return OVERVIEW.format(verbs="\n".join(lines), statuses="\n".join(statuses))


def _hung(left: str, what: str, width: int) -> str:
    """Return an entry with its explanation wrapped, further lines indented below the first."""
    from textwrap import wrap

    return "\n".join(wrap(what, max(width, 40), initial_indent=left, subsequent_indent=" " * len(left)))


def names_config(word: str) -> bool:
    """True when a first word is a file or a preset."""
    from loadgen.config import presets

    return presets.CONFIGS.path(word) is not None or presets.CONFIGS.file(word).exists()


def near_verb(word: str) -> str:
    """Return the verb most similar to a first word; empty when the word is a file or a preset, or similar to none."""
    from difflib import get_close_matches

    near = get_close_matches(word[:40].lower(), VERBS, n=1, cutoff=0.6)
    return near[0] if near and not names_config(word) else ""


def no_such_verb(word: str, near: str) -> int:
    from loadgen.escape import printable

    print_error(
        f'loadgen: there is no verb, no file and no preset "{printable(word, 60)}"; did you mean the verb {near}?'
    )
    return 2


def no_help_for(word: str) -> int:
    from difflib import get_close_matches

    from loadgen.escape import printable

    near = get_close_matches(word[:40].lower(), VERBS, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(VERBS)}."
    print_error(f'loadgen: there is no verb "{printable(word, 60)}"; {hint}')
    return 2


def dispatch(verb: str, arguments: list[str], imported: Callable[[], None]) -> int:
    from importlib import import_module

    from loadgen.cli.options.parse import HelpWanted, parse
    from loadgen.errors import ConfigError, LoadgenError, OutputError, ReaderGone

    try:
        module = import_module(f"loadgen.cli.verbs.{verb}")
    finally:
        imported()
    try:
        # The options of some verbs depend on their first word, or on one of them.
        syntax = module.syntax_of(arguments) if hasattr(module, "syntax_of") else module.SYNTAX
        return settled(int(module.run(parse(syntax, arguments))))
    except HelpWanted:
        return say(help_text(verb, module.__doc__ or "", syntax))
    except ConfigError as error:
        print_error(*(f"loadgen: {problem}" for problem in error.problems))
        return error.exit_code
    except OutputError as error:
        if not isinstance(error, ReaderGone):
            print_error(f"loadgen: {error}")
        forget_stdout()
        return error.exit_code
    except LoadgenError as error:
        print_error(f"loadgen: {error}")
        return error.exit_code


def settled(status: int) -> int:
    """Return the status after slow readers have taken all results. Raises OutputError when a reader takes nothing."""
    if (sink := sys.modules.get("loadgen.output.paper.sink")) is not None:
        sink.settle()
    return status


def help_text(verb: str, about: str, syntax: Syntax) -> str:
    """Return a verb's help, with the default of each key."""
    import shutil

    from loadgen import config
    from loadgen.cli import flags
    from loadgen.cli.options import help_of

    without_file = flags.WITHOUT_FILE if syntax.without_file is None else syntax.without_file
    needs_file = any(each.name == "config" and each.least for each in syntax.positionals)

    def default(key: str) -> str:
        known = config.default(key)
        without = None if needs_file else without_file.get(key)
        if key in syntax.own_defaults:
            return str(without)
        return f"{known}, or {without} without CONFIG" if without is not None and known != without else known

    return help_of(verb, about, syntax, default, shutil.get_terminal_size((100, 24)).columns)


def say(text: str) -> int:
    """Print plain text and return the exit status; a full or closed stdout is reported, not raised."""
    from contextlib import suppress

    try:
        if sys.stdout is None:
            raise OSError("it is closed")
        sys.stdout.write(text)
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        print_error(f"loadgen: standard output could not be written: {getattr(error, 'strerror', None) or error}")
        with suppress(OSError):
            forget_stdout()
        return 3
    return 0


def print_error(*lines: str) -> None:
    """Print lines to standard error, if there is one; on a terminal they are wrapped between words.

    The lines may repeat the words of a user or a server: each is escaped, and stays one line.
    """
    from contextlib import suppress

    from loadgen.escape import printable

    text = "\n".join(printable(line, LONGEST_ERROR) for line in lines)
    if sys.stderr is None:
        return
    with suppress(OSError, ValueError):
        if sys.stderr.isatty():
            import shutil
            import textwrap

            wrap = textwrap.TextWrapper(
                shutil.get_terminal_size().columns, break_long_words=False, break_on_hyphens=False
            )
            text = "\n".join(map(wrap.fill, text.split("\n")))
        print(text, file=sys.stderr, flush=True)


def forget_stdout() -> None:
    """Send stdout to /dev/null, so that the interpreter does not fail on the unwritten rest when it ends."""
    import os

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


if __name__ == "__main__":
    sys.exit(main())
