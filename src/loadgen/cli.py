"""argv → verb. A first word that is no verb means `run`. Imports as little as it can: `--version` must be quick."""

from __future__ import annotations

import sys

from loadgen import __version__

VERBS = {
    "run": "put load on a server and report what happened (the default verb)",
    "saturate": "search the highest rate at which a server still meets its SLO",
    "smoke": "start a server, ask it, load it, stop it: PASS or FAIL, with the reasons",
    "compare": "run two servers in turns, and say of each metric which is better, and how sure that is",
    "gate": "judge a server against a baseline, for CI: PASS, FAIL, or why it cannot be told",
    "report": "show an earlier result, from its JSON file, in any format",
    "history": "append results to a file, and draw how they changed over time",
    "selftest": "find what the generator itself can do on this host, and keep it",
    "config": "print the resolved configuration, its JSON Schema, or an example with every key",
    "serve": "run the built-in server",
}

OVERVIEW = """usage: loadgen CONFIG [options]          the same as: loadgen run CONFIG
       loadgen VERB [arguments]

Puts load on cache servers that speak RESP or memcache, and says what happened.

verbs:
{verbs}

Try `loadgen benchmark/config/quick-test.toml --format verbose --embedded`, which needs no server,
or `loadgen VERB --help`. Options: --version, --help.

exit status: 0 yes · 1 judged, and the answer is no · 2 command line or config wrong
             3 could not run · 4 cannot tell · 130 interrupted
"""


LONGEST_COMPLAINT = 2000


def main(argv: list[str] | None = None) -> int:
    """Runs the verb that the arguments ask for; returns the exit status. Never raises for what a user can cause."""
    try:
        return act(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        import signal

        # Whoever goes on pressing must not see how the interpreter ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        complain("loadgen: interrupted.")
        return 130


def act(arguments: list[str]) -> int:
    if arguments in (["--version"], ["-V"]):
        return say(f"loadgen {__version__}\n")
    if not arguments or arguments in (["--help"], ["-h"], ["help"]):
        return say(OVERVIEW.format(verbs="\n".join(f"  {verb:8}{what}" for verb, what in VERBS.items())))
    verb, rest = (arguments[0], arguments[1:]) if arguments[0] in VERBS else ("run", arguments)
    return dispatch(verb, rest)


def dispatch(verb: str, arguments: list[str]) -> int:
    import argparse
    from importlib import import_module

    from loadgen.errors import ConfigError, LoadgenError, OutputError

    module = import_module(f"loadgen.verbs.{verb}")

    class Parser(argparse.ArgumentParser):
        """Says so when its help cannot be printed."""

        def print_help(self, file: object = None) -> None:
            sys.exit(say(self.format_help()))

    parser = Parser(prog=f"loadgen {verb}", description=module.__doc__, allow_abbrev=False)
    module.add_arguments(parser)
    try:
        return int(module.run(parser.parse_args(arguments)))
    except ConfigError as error:
        complain(*error.problems)
        return error.exit_code
    except OutputError as error:
        complain(f"loadgen: {error}")
        forget_stdout()
        return error.exit_code
    except LoadgenError as error:
        complain(f"loadgen: {error}")
        return error.exit_code


def say(text: str) -> int:
    """Prints a verb's plain result; a stdout that is full or closed is said, not thrown."""
    from contextlib import suppress

    try:
        if sys.stdout is None:
            raise OSError("it is closed")
        sys.stdout.write(text)
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        complain(f"loadgen: standard output could not be written: {getattr(error, 'strerror', None) or error}")
        with suppress(OSError):
            forget_stdout()
        return 3
    return 0


def complain(*lines: str) -> None:
    """Lines to standard error, if there is one; on a terminal none is broken within a word.

    They repeat what a user or a server said: each is escaped, and stays one line.
    """
    from contextlib import suppress

    from loadgen.escape import printable

    text = "\n".join(printable(line, LONGEST_COMPLAINT) for line in lines)
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
    """What cannot be written now must not be tried again, and complained about, when the interpreter ends."""
    import os

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


if __name__ == "__main__":
    sys.exit(main())
