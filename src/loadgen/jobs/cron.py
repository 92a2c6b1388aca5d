"""The times of a cron expression in a time zone: the one door of cronsim. No clock.

Where the clocks of a zone change, times are those of Debian's cron. Five fields with a fixed minute and hour mean once
a day: a time that the clocks leave out is fired at the first minute after it, and a time that comes twice is fired the
first time. With `*` as the minute or the hour, and with seconds, an expression means intervals, of real time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from loadgen.errors import UsageError
from loadgen.escape import printable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_LONGEST = 80
"""The most characters of an expression or a zone that a message repeats."""


def check(cron: str, zone: str) -> None:
    """Raise UsageError for what is no expression or no zone, and for an expression without any time."""
    next_ms(cron, zone, 0)


def next_ms(cron: str, zone: str, after_ms: int) -> int:
    """Return the first firing after a Unix time in ms. Raises UsageError as `check` does."""
    for time_ms in times_ms(cron, zone, after_ms):
        return time_ms
    raise UsageError(f'The schedule "{printable(cron, _LONGEST)}" has no time: no such day comes within 50 years.')


def times_ms(cron: str, zone: str, after_ms: int) -> Iterator[int]:
    """Yield the firings after a Unix time in ms, in order. Raises UsageError for what is no expression or no zone."""
    after = (_EPOCH + after_ms * _MS).astimezone(_zone(zone))
    try:
        times = CronSim(cron, after)
    except CronSimError as error:
        raise UsageError(
            f'The schedule "{printable(cron, _LONGEST)}" is no cron expression ({error}): write five fields, minute '
            'hour day month weekday, such as "*/5 * * * *", or six with seconds first.'
        ) from None
    last_ms = after_ms
    for time in times:
        time_ms = (time - _EPOCH) // _MS
        # From within an hour that comes twice, the first time of it is one that is over.
        if time_ms > last_ms:
            last_ms = time_ms
            yield time_ms


def latest_ms(cron: str, zone: str, until_ms: int) -> int:
    """Return the last firing at or before a Unix time in ms. Raises UsageError."""
    before = (_EPOCH + (until_ms + 1) * _MS).astimezone(_zone(zone))
    time = next(CronSim(cron, before, reverse=True))
    return (time - _EPOCH) // _MS


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # By the name: a folder, no path at all, or not there.
        raise UsageError(
            f'"{printable(name, _LONGEST)}" is no time zone: write one of the IANA database, such as Europe/Berlin or '
            "UTC."
        ) from None
