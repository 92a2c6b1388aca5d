"""The faults of servers, a row each."""

from __future__ import annotations

from loadgen.faults.fault import Value
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.verify.durability.script import Pace
from loadgen.verify.kinds.scene import IN_ORDER, Course, Scene
from loadgen.verify.tape import Tape

_WHILE = Pace(8)
_AFTER = Pace(6)
_UNDER_WAY = Pace(6)
"""Writes whose replies are not read before the server goes down."""
_MUCH = Pace(8, sizes=(2_000, 8_000))
"""More than the last page of a file has room for."""

_JUMPS_S = (60, 3_600, 500_000)
"""Less than any time to live of a case, more than some, and more than all."""


def _torn(tape: Tape) -> dict[str, Value]:
    return {"bytes": tape.between(1, 300, "bytes torn off")}


def _slow(tape: Tape) -> dict[str, Value]:
    return {"delay": tape.between(20, 300, "delay of a fsync, ms") * NS_PER_MS}


def _failing(tape: Tape) -> dict[str, Value]:
    return {"probability": tape.choice((1.0, 0.5, 0.2), "share of calls that fail")}


def _little(tape: Tape) -> dict[str, Value]:
    return {"spare": tape.choice((0, 1_000, 10_000), "spare bytes")}


def _jump(tape: Tape) -> dict[str, Value]:
    jump_s, towards = tape.choice(_JUMPS_S, "jump of the clock"), tape.choice(("ahead", "back"), "towards")
    return {"jump": jump_s * NS_PER_S, "towards": towards}


_ROWS = (
    Scene("disk_full", "disk_full", Course.LASTS, drawn=_little, during=_MUCH, after=_AFTER),
    Scene(
        "disk_full_rewrite",
        "disk_full",
        Course.LASTS,
        drawn=_little,
        during=_MUCH,
        after=_AFTER,
        rewrites=True,
        rdb=False,
    ),
    Scene(
        "bit_flip",
        "bit_flip",
        Course.AT_REST,
        aliases=("corrupt_read", "corrupt_write"),
        before=IN_ORDER,
        may_refuse=True,
    ),
    Scene("slow_fsync", "slow_fsync", Course.LASTS, aliases=("slow_write",), drawn=_slow, during=_WHILE, after=_AFTER),
    Scene("crash_mid_write", "crash_mid_write", Course.CRASH, during=_UNDER_WAY, keeps_window=True, rewrites=True),
    Scene(
        "power_cut",
        "power_cut",
        Course.CRASH,
        during=_UNDER_WAY,
        longer_than_window="before",
        keeps_window=True,
        rewrites=True,
    ),
    Scene(
        "torn_tail",
        "torn_tail",
        Course.AT_REST,
        drawn=_torn,
        before=IN_ORDER,
        takes_newest=True,
        may_refuse=True,
    ),
    Scene("io_error", "io_error", Course.LASTS, drawn=_failing, during=_WHILE, after=_AFTER),
    Scene("read_only", "read_only", Course.LASTS, during=_WHILE, after=_AFTER),
    Scene("memory_pressure", "memory_pressure", Course.LASTS, drawn=_little, during=_MUCH, after=_AFTER, rdb=False),
    Scene(
        "clock_jump",
        "clock_jump",
        Course.CUT_SHORT,
        drawn=_jump,
        before=Pace(30, expires=True),
        during=_WHILE,
        longer_than_window="during",
        keeps_window=True,
        rdb=False,
    ),
    Scene("crash", "kill", Course.CRASH, during=_UNDER_WAY, keeps_window=True, rewrites=True),
)

SCENES = {row.name: row for row in _ROWS}
"""By name, every fault of a server."""

NAMES = {alias: row for row in _ROWS for alias in (row.name, *row.aliases)}
"""By each name that a command line may have."""
