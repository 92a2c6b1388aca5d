"""Commands of streams without groups, none of which blocks."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.verify.model.failed import SYNTAX, CommandError, wrong_arity
from loadgen.verify.model.keyspace import Keyspace
from loadgen.verify.model.numbers import integer
from loadgen.verify.model.stream import ID, LAST, MOST, ZERO, Stream, next_of, parsed, previous_of
from loadgen.verify.model.table import Table
from loadgen.verify.reply import Null, Reply

STREAMS = Table()

_ABOVE_ZERO = CommandError(b"ERR The ID specified in XADD must be greater than 0-0")
_TOO_SMALL = CommandError(b"ERR The ID specified in XADD is equal or smaller than the target stream top item")
_EXHAUSTED = CommandError(b"ERR The stream has exhausted the last possible ID, unable to add more items")
_NEGATIVE = CommandError(b"ERR The MAXLEN argument must be >= 0.")
_START = CommandError(b"ERR invalid start ID for the interval")
_END = CommandError(b"ERR invalid end ID for the interval")


@STREAMS.command("XADD", -5)
def xadd(db: Keyspace, args: Sequence[bytes]) -> Reply:
    key, *words = args
    makes, threshold = True, None
    while words:
        option = words[0].upper()
        if option == b"NOMKSTREAM":
            makes = False
            del words[0]
        elif option in (b"MAXLEN", b"MINID") and threshold is None:
            threshold, used = _threshold(words)
            del words[:used]
        else:
            break
    if len(words) < 3 or len(words) % 2 == 0:
        raise wrong_arity(b"xadd")
    given, fields = words[0], tuple(words[1:])
    # An ID that is wrong by itself is refused before the key is looked at.
    exact = None if given == b"*" or given.endswith(b"-*") else parsed(given)
    if given.endswith(b"-*"):
        parsed(given[:-2])
    if exact == ZERO:
        raise _ABOVE_ZERO
    stream = db.get(key, Stream)
    if stream is None:
        if not makes:
            return Null.BULK
        stream = Stream()
    new = exact if exact is not None else _next_id(db, stream, given)
    if stream.last_id == LAST:
        raise _EXHAUSTED
    if new <= stream.last_id:
        raise _TOO_SMALL
    stream = db.get_or_make(key, Stream)
    stream.entries[new] = fields
    stream.last_id = new
    if threshold is not None:
        stream.trim(threshold)
    db.touch(key)
    return new.written


def _next_id(db: Keyspace, stream: Stream, given: bytes) -> ID:
    """Return the ID that a server chooses for `*` and for `MS-*`."""
    least = next_of(stream.last_id) or LAST
    if given == b"*":
        return max(ID(db.now_ms, 0), least)
    ms = parsed(given[:-2]).ms
    if ms < least.ms:
        raise _TOO_SMALL
    return least if ms == least.ms else ID(ms, 0)


def _threshold(words: Sequence[bytes]) -> tuple[ID | int, int]:
    """Return the MAXLEN or MINID with which `words` begin, and how many words it takes. `~` is taken as `=`."""
    used = 2 if len(words) > 1 and words[1] in (b"=", b"~") else 1
    if len(words) <= used:
        raise SYNTAX
    if words[0].upper() == b"MINID":
        return parsed(words[used]), used + 1
    longest = integer(words[used])
    if longest < 0:
        raise _NEGATIVE
    return longest, used + 1


@STREAMS.command("XLEN", 2)
def xlen(db: Keyspace, args: Sequence[bytes]) -> Reply:
    stream = db.get(args[0], Stream)
    return 0 if stream is None else len(stream.entries)


@STREAMS.command("XRANGE", -4)
def xrange(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _range(db, args[0], args[1], args[2], args[3:], 1)


@STREAMS.command("XREVRANGE", -4)
def xrevrange(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _range(db, args[0], args[2], args[1], args[3:], -1)


def _range(db: Keyspace, key: bytes, first: bytes, last: bytes, words: Sequence[bytes], step: int) -> Reply:
    low, high = id_range(first, last)
    count = None
    if words:
        if len(words) != 2 or words[0].upper() != b"COUNT":
            raise SYNTAX
        count = max(0, integer(words[1]))
    stream = db.get(key, Stream)
    if stream is None:
        return ()
    if count == 0:
        return Null.ARRAY
    return stream.listed(stream.between(low, high)[::step][:count])


def id_range(first: bytes, last: bytes) -> tuple[ID, ID]:
    """Return the ends of a range of IDs, both included. Raises CommandError."""
    return _start(first), _end(last)


def _start(text: bytes) -> ID:
    if text == b"-":
        return ZERO
    if text == b"+":
        return LAST
    if not text.startswith(b"("):
        return parsed(text)
    above = next_of(parsed(text[1:]))
    if above is None:
        raise _START
    return above


def _end(text: bytes) -> ID:
    if text == b"-":
        return ZERO
    if text == b"+":
        return LAST
    if not text.startswith(b"("):
        return parsed(text, MOST)
    below = previous_of(parsed(text[1:], MOST))
    if below is None:
        raise _END
    return below


@STREAMS.command("XDEL", -3)
def xdel(db: Keyspace, args: Sequence[bytes]) -> Reply:
    stream = db.get(args[0], Stream)
    if stream is None:
        return 0
    removed = sum(stream.entries.pop(each, None) is not None for each in [parsed(text) for text in args[1:]])
    if removed:
        db.touch(args[0])
    return removed


@STREAMS.command("XTRIM", -4)
def xtrim(db: Keyspace, args: Sequence[bytes]) -> Reply:
    key, *words = args
    if words[0].upper() not in (b"MAXLEN", b"MINID"):
        raise SYNTAX
    threshold, used = _threshold(words)
    if used < len(words):
        raise SYNTAX
    stream = db.get(key, Stream)
    if stream is None:
        return 0
    removed = stream.trim(threshold)
    if removed:
        db.touch(key)
    return removed


@STREAMS.command("XREAD", -4)
def xread(db: Keyspace, args: Sequence[bytes]) -> Reply:
    count, keys, ids = read_options(args)
    wanted = []
    for key, text in zip(keys, ids, strict=True):
        stream = db.get(key, Stream)
        if text == b">":
            raise CommandError(
                b"ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
            )
        wanted.append((key, stream, (stream.last_id if stream else ZERO) if text == b"$" else parsed(text)))
    read = [
        (key, stream.listed(found))
        for key, stream, last in wanted
        if stream is not None and (found := stream.after(last)[:count])
    ]
    return tuple(read) or Null.ARRAY


def read_options(words: Sequence[bytes]) -> tuple[int | None, Sequence[bytes], Sequence[bytes]]:
    """Return COUNT, None for all, and the keys and IDs that follow STREAMS. Raises CommandError."""
    count = None
    while words and words[0].upper() == b"COUNT" and len(words) > 1:
        count = max(0, integer(words[1])) or None
        words = words[2:]
    if not words or words[0].upper() != b"STREAMS" or len(words) < 3:
        raise SYNTAX
    rest = words[1:]
    if len(rest) % 2:
        raise CommandError(b"ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.")
    return count, rest[: len(rest) // 2], rest[len(rest) // 2 :]
