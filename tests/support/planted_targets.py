"""Targets of fuzzing with one planted bug each, for a process of `loadgen.verify.fuzz`. They decode strings of RESP."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import sys
import time
from collections.abc import Sequence

from loadgen.verify.fuzz.examined import Examined

_HEAD = re.compile(rb"\$([0-9]{1,6})\r\n")
_PAGE = mmap.PAGESIZE

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_pages = mmap.mmap(-1, 3 * _PAGE)
_first = ctypes.addressof(ctypes.c_char.from_buffer(_pages))
# Behind the bytes of an input comes a page that cannot be read, as a sanitizer has it.
assert _libc.mprotect(_first + _PAGE, _PAGE, 0) == 0

_kept: list[bytes] = []


def _string(data: bytes, *, checks: bool) -> Examined:
    """Read the first string of a stream: as many bytes as its number says, or with `checks` as many as there are."""
    found = _HEAD.search(data)
    if found is None:
        return Examined(("refused",))
    size = int(found[1])
    if checks:
        size = min(size, len(data) - found.end())
    ctypes.memmove(_first + _PAGE - len(data), data, len(data))
    ctypes.string_at(_first + _PAGE - len(data) + found.end(), size)
    return Examined(("hit",))


def over_read(words: Sequence[str], data: bytes) -> Examined:
    """Believes the number before a string."""
    return _string(data, checks=False)


def right(words: Sequence[str], data: bytes) -> Examined:
    return _string(data, checks=True)


def misbehaving(words: Sequence[str], data: bytes) -> Examined:
    """Does what the first word of its input says."""
    match data.split(b" ")[0]:
        case b"spin":
            while True:
                pass
        case b"sleep":
            time.sleep(60)
        case b"exit":
            os._exit(3)
        case b"leave":
            sys.exit(4)
        case b"raise":
            raise KeyError("a" * 5000)
        case b"print":
            print("{}")
        case b"take":
            bytearray(1 << 31)
        case b"keep":
            _kept.append(bytes(100))
        case b"complain":
            os.write(2, b"SUMMARY: AddressSanitizer: heap-buffer-overflow /a/b.c:12:3 in decode\n")
            os._exit(1)
    return Examined(("refused",))
