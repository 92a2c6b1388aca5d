"""The process of a command, from its first line to its last: whoever asks it to stop gets the exit status for that.

To import this is to be that process. It imports next to nothing before it hears signals: what a command needs takes a
while to be imported, and that while can be interrupted too.
"""

import _signal  # type: ignore[import-not-found]  # what `signal` is made of; that takes longer to import
import os
import time

_STOP_SIGNALS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)
_INTERRUPTED = 130
_WORDS = b"loadgen: interrupted.\n"

# Signals less than this apart are one: `timeout` sends its signal to a process and then to the group that it is in.
_SAME_SIGNAL_S = 0.1

_began_s = 0.0
_inside = False


def _interrupt(number: int, frame: object) -> None:
    """The first signal ends what is done, in good order; a second one, later, ends the process."""
    global _began_s
    now_s = time.monotonic()
    if _inside and not _began_s:
        _began_s = now_s
        raise KeyboardInterrupt
    if not _inside or now_s - _began_s >= _SAME_SIGNAL_S:
        try:
            os.write(2, _WORDS)
        finally:
            # Workers and keepers see their pipes end, and put their own things in order.
            os._exit(_INTERRUPTED)


for _number in _STOP_SIGNALS:
    if _number != _signal.SIGHUP or _signal.getsignal(_number) is not _signal.SIG_IGN:  # nohup's wish is respected
        _signal.signal(_number, _interrupt)


def _heed() -> None:
    """Raises KeyboardInterrupt for a signal whose own was lost: importlib and what it runs may swallow one."""
    if _began_s:
        raise KeyboardInterrupt


def main() -> int:
    """Runs the command line of this process; returns the exit status."""
    global _inside
    _inside = True
    try:
        from loadgen.cli.main import main

        _heed()
        status = main(imported=_heed)
    except BaseException as error:
        # A compiled module that is interrupted while it is imported turns that into an error of its own.
        if not _began_s and not isinstance(error, KeyboardInterrupt):
            raise
        status = _INTERRUPTED
        os.write(2, _WORDS)
    # Whoever goes on pressing must not see how the interpreter ends.
    for number in _STOP_SIGNALS:
        _signal.signal(number, _signal.SIG_IGN)
    return status
