"""Throws broken byte streams at the codecs: `make fuzz`.

Or `python tests/support/fuzz_codec.py --seconds 60 [--seed N]`.

A case is a stream of valid replies, mutated (flipped, inserted, deleted, repeated, spliced, made huge, cut short), and
the commands that stand in line for them. What must hold, for every such stream:

- However it is cut, it says the same: equal outcomes, error texts included, in the same order, and then the same
  ending: waiting for more, refused as no reply to command X, or refused as a reply to no request. By how many bytes a
  refusal comes earlier or later may depend on the cut; which reply is refused may not.
- What a prefix says is a prefix of what the whole says; where it is refused, so is the whole, at the same reply.
- No more than HEAD bytes are kept between two reads (`Replies.feed` asserts it), and nothing between two cases.
- The process lives.

Cases run in a child process. Case i of seed S depends on nothing but (S, i), so a failure or a crash can be had again:
`python tests/support/fuzz_codec.py --seed S --case I`, the line that is printed.

Under AddressSanitizer and UBSan, which see every step over either end of the bytes fed, from the repository's root:

    rm -rf build/asan && mkdir -p build/asan && cp -r src setup.py pyproject.toml README.md LICENSE build/asan
    cd build/asan && rm -f src/loadgen/_*.c src/loadgen/_*.so
    CFLAGS="-fsanitize=address,undefined -fno-omit-frame-pointer -g" LDFLAGS="-fsanitize=address,undefined" \\
      ../../.venv/bin/python setup.py --quiet build_ext --inplace && cd ../..
    LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" PYTHONMALLOC=malloc \\
      ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1 PYTHONPATH=build/asan/src \\
      .venv/bin/python tests/support/fuzz_codec.py --seconds 60
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized

from loadgen._codec import Codec
from loadgen._memcache import Memcache
from loadgen._resp import Resp

Said = list[str | tuple[str, str]]

# In the place of a case's number: what died was the look at memory afterwards.
GROWTH = -1

COMMANDS = ("get", "get", "get", "set", "backfill", "delete", "ping", "hello")


# Valid streams. Not every valid reply is among them (tests/wire/test_codec_differential.py makes those): what a
# mutation can turn into trouble is.


def line(rng: random.Random) -> bytes:
    return bytes(rng.choice(b"abcXYZ019 -:$*\r") for _ in range(rng.choice((0, 1, 5, 30, 300, 520)))).rstrip(b"\r")


def resp_value(rng: random.Random, depth: int = 0) -> bytes:
    kind = rng.choice("+-:,#(_$$=!*%~|" if depth < 3 else "+:_$")
    if kind in "$=!":
        body = bytes(rng.choice(b"\r\n$*-+1a\0") for _ in range(rng.choice((0, 1, 2, 7, 64, 300))))
        return b"%c%d\r\n%b\r\n" % (ord(kind), len(body), body)
    if kind in "*%~|":
        count = rng.randrange(4)
        inside = b"".join(resp_value(rng, depth + 1) for _ in range(count * (2 if kind in "%|" else 1)))
        return b"%c%d\r\n%b%b" % (ord(kind), count, inside, resp_value(rng, depth + 1) if kind == "|" else b"")
    return {
        "+": b"+OK\r\n", "-": b"-ERR %b\r\n" % line(rng)[:200], ":": b":%d\r\n" % rng.randrange(-9, 1 << 40),
        ",": b",1.5\r\n", "#": b"#t\r\n", "(": b"(12345678901234567890\r\n", "_": b"_\r\n",
    }[kind]  # fmt: skip


def resp_reply(rng: random.Random, command: str) -> bytes:
    """One reply to the command, with what may stand before it."""
    before = b""
    while rng.random() < 0.2:
        elements = rng.randrange(4)
        before += rng.choice((
            b">%d\r\n" % elements + b"".join(resp_value(rng) for _ in range(elements)),
            b"|%d\r\n" % elements + b"".join(resp_value(rng) for _ in range(2 * elements)),
        ))  # fmt: skip
    if rng.random() < 0.15:
        text = line(rng)
        return before + rng.choice((b"-ERR %b\r\n" % text, b"!%d\r\n%b\r\n" % (len(text), text)))
    if command == "hello":
        count = rng.randrange(5)
        return before + b"%%%d\r\n" % count + b"".join(resp_value(rng) for _ in range(2 * count))
    body = bytes(rng.choice(b"\r\nv") for _ in range(rng.choice((0, 1, 2, 3, 64, 600))))
    return before + {
        "get": rng.choice((b"$-1\r\n", b"_\r\n", b"$%d\r\n%b\r\n" % (len(body), body))),
        "set": rng.choice((b"+OK\r\n", b"$-1\r\n")), "backfill": b"+OK\r\n",
        "delete": b":%d\r\n" % rng.randrange(2), "ping": b"+PONG\r\n",
    }[command]  # fmt: skip


def memcache_reply(rng: random.Random, command: str) -> bytes:
    if rng.random() < 0.15:
        return rng.choice((b"ERROR ", b"CLIENT_ERROR ", b"SERVER_ERROR ")) + line(rng) + b"\r\n"
    body = bytes(rng.choice(b"\r\nvEND") for _ in range(rng.choice((0, 1, 2, 3, 64, 600))))
    cas = rng.choice((b"", b"", b" 18446744073709551615"))
    return {
        "get": rng.choice((b"END\r\n", b"VALUE key 0 %d%b\r\n%b\r\nEND\r\n" % (len(body), cas, body))),
        "set": rng.choice((b"STORED\r\n", b"NOT_STORED\r\n")), "backfill": b"STORED\r\n",
        "delete": rng.choice((b"DELETED\r\n", b"NOT_FOUND\r\n")), "ping": b"VERSION 1.6.18\r\n", "hello": b"ERROR\r\n",
    }[command]  # fmt: skip


# Mutations.

TOKENS = (
    b"\r\n", b"\n", b"\r", b"\0", b"-1", b"-", b"+", b":", b"!", b"=", b" ", b"$-1\r\n", b"$0\r\n\r\n", b"_\r\n",
    b"$?\r\n", b"*0\r\n", b"|0\r\n", b">0\r\n", b"%1\r\n", b"*-1\r\n", b"*2147483648\r\n", b"*2147483649\r\n",
    b"$1099511627776\r\n", b"END\r\n", b"VALUE k 0 1\r\n", b"ERROR", b"SERVER_ERROR ", b"-" + b"e" * 600, b"x" * 510,
    b"1" * 520, b"*1\r\n" * 300, b"|0\r\n" * 300,
)  # fmt: skip
NUMBERS = (
    b"0", b"-1", b"-0", b"00", b"1", b"511", b"512", b"2147483647", b"4294967296", b"1099511627775", b"9" * 18,
    b"9223372036854775807", b"9223372036854775808", b"18446744073709551616", b"9" * 400,
)  # fmt: skip


def flip(rng: random.Random, data: bytearray, at: int, other: bytes) -> None:
    data[at] ^= 1 << rng.randrange(8)


def insert(rng: random.Random, data: bytearray, at: int, other: bytes) -> None:
    data[at:at] = rng.choice(TOKENS)


def delete(rng: random.Random, data: bytearray, at: int, other: bytes) -> None:
    del data[at : at + rng.choice((1, 1, 2, 5, 100))]


def repeat(rng: random.Random, data: bytearray, at: int, other: bytes) -> None:
    data[at:at] = data[at : at + rng.choice((1, 2, 10, 200))]


def splice(rng: random.Random, data: bytearray, at: int, other: bytes) -> None:
    data[at:] = other[rng.randrange(len(other)) :]


def enlarge(rng: random.Random, data: bytearray, at: int, other: bytes) -> None:
    """Puts another number in the place of the next one behind `at`."""
    digits = [i for i in range(at, len(data)) if data[i] in b"0123456789"]
    if digits:
        end = digits[0]
        while end < len(data) and data[end] in b"0123456789":
            end += 1
        data[digits[0] : end] = rng.choice(NUMBERS)


def truncate(rng: random.Random, data: bytearray, at: int, other: bytes) -> None:
    del data[at:]


MUTATIONS: tuple[Callable[[random.Random, bytearray, int, bytes], None], ...] = (
    flip, flip, insert, insert, delete, repeat, splice, enlarge, enlarge, truncate,
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    codec: Codec
    commands: tuple[str, ...]
    data: bytes
    cuts: tuple[tuple[int, ...], ...]


def case(seed: int, index: int, codecs: tuple[Codec, Codec] = (Resp(), Memcache())) -> Case:
    """Case `index` of a seed, which depends on nothing else."""
    rng = random.Random(f"{seed}/{index}")
    protocol = rng.randrange(2)
    reply, other_reply = (resp_reply, memcache_reply)[:: -1 if protocol else 1]
    commands = tuple(rng.choice(COMMANDS) for _ in range(rng.randrange(1, 8)))
    data = bytearray(b"".join(reply(rng, command) for command in commands))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 4))):
        if data:
            other = (reply if rng.random() < 0.9 else other_reply)(rng, rng.choice(COMMANDS))
            rng.choice(MUTATIONS)(rng, data, rng.randrange(len(data)), other)
    # Cuts anywhere, cuts about the line ends, and one at every byte.
    about = [i + rng.choice((-1, 0, 1, 2)) for i, byte in enumerate(data) if byte == 10]
    cuts = [tuple(sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(1, 6)))) for _ in range(2)]
    cuts.append(tuple(sorted(i for i in about if 0 <= i <= len(data) and rng.random() < 0.5)))
    if len(data) < 400 or rng.random() < 0.1:
        cuts.append(tuple(range(len(data))))
    return Case(codecs[protocol], commands, bytes(data), tuple(cuts))


def said(codec: Codec, commands: tuple[str, ...], data: bytes, cuts: tuple[int, ...] = ()) -> tuple[Said, str]:
    """The outcomes of a stream, and how it ends: `waiting`, or the first words of the refusal."""
    decoder, in_line, replies = codec.decoder(), list(commands), list[str | tuple[str, str]]()
    try:
        for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
            decoder.feed(data[start:end], in_line, replies)
    except ValueError as refusal:
        return replies, str(refusal).partition(":")[0]
    return replies, "waiting"


def check(c: Case) -> None:
    """Raises AssertionError where a cut changes what a stream says."""
    whole, ending = said(c.codec, c.commands, c.data)
    for cuts in c.cuts:
        in_pieces = said(c.codec, c.commands, c.data, cuts)
        assert in_pieces == (whole, ending), f"{c}\ncut at {cuts} said {in_pieces}, whole {(whole, ending)}"
        for cut in cuts[:2]:
            so_far, then = said(c.codec, c.commands, c.data[:cut])
            assert so_far == whole[: len(so_far)], f"{c}\nthe first {cut} bytes said {so_far}, all of them {whole}"
            if then != "waiting":
                assert (so_far, then) == (whole, ending), f"{c}\nthe first {cut} bytes: {then}, all of them: {ending}"


def check_growth(seed: int, cases: range) -> None:
    """Raises AssertionError where the same cases, checked once more, leave more blocks allocated."""
    for index in cases:
        check(case(seed, index))
    gc.collect()
    before = sys.getallocatedblocks()
    for index in cases:
        check(case(seed, index))
    gc.collect()
    assert (grown := sys.getallocatedblocks() - before) < 100, f"{grown} blocks more after the same {len(cases)} cases"


def run(seed: int, seconds: float, at: Synchronized[int], count: Synchronized[int]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        at.value = count.value
        check(case(seed, at.value))
        count.value += 1
    at.value = GROWTH
    check_growth(seed, range(500))


def main() -> int:
    parser = argparse.ArgumentParser(description="Throw broken byte streams at the codecs.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--case", type=int, help="check this case alone, here")
    options = parser.parse_args()
    if options.case is not None:
        one = case(options.seed, options.case)
        print(one, "whole:", said(one.codec, one.commands, one.data), sep="\n")
        check(one)
        return 0
    print(f"seed {options.seed}, {options.seconds:g} s", flush=True)
    at, count = multiprocessing.Value("q", 0), multiprocessing.Value("q", 0)
    child = multiprocessing.Process(target=run, args=(options.seed, options.seconds, at, count))
    child.start()
    child.join()
    if child.exitcode == 0:
        print(f"{count.value} cases, all the same whole and cut")
        return 0
    died = f"killed by signal {-child.exitcode}" if child.exitcode and child.exitcode < 0 else "failed"
    again = "--seconds 0" if at.value == GROWTH else f"--case {at.value}"
    command = f"python tests/support/fuzz_codec.py --seed {options.seed} {again}"
    print(f"{died} after {count.value} cases; again:\n    {command}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
