"""The entry point of the `loadgen` process, which a signal ends with the exit status of an interruption.

Importing this module installs the signal handlers, so nothing but that process may import it. The module imports almost
nothing before them: the imports of a command take a while, and must be interruptible too.
"""

import _signal  # type: ignore[import-not-found]  # the core of `signal`, which takes longer to import
import os
import sys
import time

_STOP_SIGNALS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)
_INTERRUPTED = 130
_WORDS = b"loadgen: interrupted.\n"

# Signals less than this apart count as one: `timeout` sends its signal to a process and then to the process's group.
_SAME_SIGNAL_S = 0.1

_began_s = 0.0
_inside = False


def _interrupt(number: int, frame: object) -> None:
    """Raise KeyboardInterrupt on the first signal; end the process on a later one, or when `main` does not run yet."""
    global _began_s
    now_s = time.monotonic()
    if _inside and not _began_s:
        _began_s = now_s
        raise KeyboardInterrupt
    if not _inside or now_s - _began_s >= _SAME_SIGNAL_S:
        try:
            if (terminal := sys.modules.get("loadgen.output.tui.terminal")) is not None:
                terminal.restore()
            os.write(2, _WORDS)
        finally:
            # Workers and keepers see the end of their pipes, and clean up themselves.
            os._exit(_INTERRUPTED)


for _number in _STOP_SIGNALS:
    if _number != _signal.SIGHUP or _signal.getsignal(_number) is not _signal.SIG_IGN:  # nohup's SIG_IGN stays
        _signal.signal(_number, _interrupt)


def _raise_if_interrupted() -> None:
    """Raise KeyboardInterrupt again after a signal: importlib, and the code that it runs, may swallow the first."""
    if _began_s:
        raise KeyboardInterrupt


def main() -> int:
    """Run the command line of this process, and return the exit status."""
    global _inside
    _inside = True
    try:
        from loadgen.cli.main import main

        _raise_if_interrupted()
        status = main(imported=_raise_if_interrupted)
    except BaseException as error:
        # A compiled module whose import is interrupted turns KeyboardInterrupt into an error of its own.
        if not _began_s and not isinstance(error, KeyboardInterrupt):
            raise
        status = _INTERRUPTED
        os.write(2, _WORDS)
    # A further Ctrl-C must not print a traceback of the interpreter's shutdown.
    for number in _STOP_SIGNALS:
        _signal.signal(number, _signal.SIG_IGN)
    return status
