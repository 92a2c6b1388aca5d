"""Commands of the consumer groups of streams, none of which blocks."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.verify.model.failed import SYNTAX, CommandError
from loadgen.verify.model.keyspace import Keyspace
from loadgen.verify.model.numbers import integer
from loadgen.verify.model.stream import ID, Delivery, Group, Stream, parsed
from loadgen.verify.model.streams import STREAMS, id_range, read_options
from loadgen.verify.reply import OK, Null, Reply

__all__ = ["STREAMS"]

_NEEDS_KEY = CommandError(
    b"ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM "
    b"option to create an empty stream automatically."
)
_EXISTS = CommandError(b"BUSYGROUP Consumer Group name already exists")


@STREAMS.command("XGROUP", -4)
def xgroup(db: Keyspace, args: Sequence[bytes]) -> Reply:
    subcommand, key, *words = args
    match subcommand.upper(), words:
        case b"CREATE", [name, at, *options]:
            return _create(db, key, name, at, options)
        case b"SETID", [name, at]:
            stream, group = _group(db, key, name)
            group.last_id = _position(stream, at)
            return OK
        case b"DESTROY", [name]:
            stream = _stream(db, key)
            return int(stream.groups.pop(name, None) is not None)
        case b"CREATECONSUMER", [name, consumer]:
            _, group = _group(db, key, name)
            before = len(group.consumers)
            group.consumers.add(consumer)
            return len(group.consumers) - before
        case b"DELCONSUMER", [name, consumer]:
            _, group = _group(db, key, name)
            owned = [each for each, delivery in group.pending.items() if delivery.consumer == consumer]
            for each in owned:
                del group.pending[each]
            group.consumers.discard(consumer)
            return len(owned)
    raise CommandError(b"ERR unknown subcommand or wrong number of arguments for '%b'" % subcommand)


def _create(db: Keyspace, key: bytes, name: bytes, at: bytes, options: Sequence[bytes]) -> Reply:
    if [each.upper() for each in options] not in ([], [b"MKSTREAM"]):
        raise SYNTAX
    stream = db.get(key, Stream)
    if stream is None and not options:
        raise _NEEDS_KEY
    position = _position(stream or Stream(), at)
    stream = db.get_or_make(key, Stream)
    if name in stream.groups:
        raise _EXISTS
    stream.groups[name] = Group(position)
    db.touch(key)
    return OK


@STREAMS.command("XREADGROUP", -7)
def xreadgroup(db: Keyspace, args: Sequence[bytes]) -> Reply:
    if args[0].upper() != b"GROUP":
        raise SYNTAX
    _, name, consumer, *words = args
    acknowledged = b"NOACK" in (word.upper() for word in words[: _before_streams(words)])
    words = [word for at, word in enumerate(words) if word.upper() != b"NOACK" or at > _before_streams(words)]
    count, keys, ids = read_options(words)
    wanted = []
    for key, text in zip(keys, ids, strict=True):
        stream = db.get(key, Stream)
        group = stream.groups.get(name) if stream is not None else None
        if stream is None or group is None:
            raise CommandError(
                b"NOGROUP No such key '%b' or consumer group '%b' in XREADGROUP with GROUP option" % (key, name)
            )
        wanted.append((key, stream, group, None if text == b">" else parsed(text)))
    read: list[Reply] = []
    for key, stream, group, after in wanted:
        # Redis 7.0 knows a consumer once there was something to read; 7.2 at once.
        if after is not None:
            group.consumers.add(consumer)
            read.append((key, _history(db, stream, group, consumer, after, count)))
        elif found := stream.after(group.last_id)[:count]:
            group.consumers.add(consumer)
            group.last_id = found[-1]
            if not acknowledged:
                group.pending.update({each: Delivery(consumer, db.now_ms) for each in found})
            read.append((key, stream.listed(found)))
        db.touch(key)
    return tuple(read) or Null.ARRAY


def _before_streams(words: Sequence[bytes]) -> int:
    """Return the number of words before STREAMS."""
    return next((at for at, word in enumerate(words) if word.upper() == b"STREAMS"), len(words))


def _history(
    db: Keyspace, stream: Stream, group: Group, consumer: bytes, after: ID, count: int | None
) -> tuple[Reply, ...]:
    """Return the entries that a consumer has pending above an ID; of a deleted entry the ID and a null array."""
    owned = sorted(each for each, delivery in group.pending.items() if delivery.consumer == consumer and each > after)[
        :count
    ]
    for each in owned:
        if each in stream.entries:
            _deliver(db, group, each, consumer)
    return tuple((each.written, stream.entries.get(each, Null.ARRAY)) for each in owned)


def _deliver(db: Keyspace, group: Group, each: ID, consumer: bytes, more: int = 1) -> None:
    """Give a consumer an entry that was delivered before."""
    delivery = group.pending[each]
    delivery.consumer, delivery.at_ms = consumer, db.now_ms
    delivery.count += more


@STREAMS.command("XACK", -4)
def xack(db: Keyspace, args: Sequence[bytes]) -> Reply:
    key, name, *ids = args
    stream = db.get(key, Stream)
    group = stream.groups.get(name) if stream is not None else None
    if group is None:
        return 0
    return sum(group.pending.pop(each, None) is not None for each in [parsed(text) for text in ids])


@STREAMS.command("XPENDING", -3)
def xpending(db: Keyspace, args: Sequence[bytes]) -> Reply:
    _, group = _pending(db, *args[:2])
    if len(args) > 2:
        return _deliveries(db, group, args[2:])
    if not group.pending:
        return 0, Null.BULK, Null.BULK, Null.ARRAY
    owners = [delivery.consumer for delivery in group.pending.values()]
    owned = tuple((consumer, b"%d" % owners.count(consumer)) for consumer in sorted(set(owners)))
    return len(owners), min(group.pending).written, max(group.pending).written, owned


def _deliveries(db: Keyspace, group: Group, words: Sequence[bytes]) -> Reply:
    least_ms = 0
    if words[0].upper() == b"IDLE" and len(words) > 1:
        least_ms, words = integer(words[1]), words[2:]
    if len(words) not in (3, 4):
        raise SYNTAX
    first, last = id_range(words[0], words[1])
    consumers = (words[3],) if len(words) == 4 else group.consumers
    found = [
        (each.written, delivery.consumer, db.now_ms - delivery.at_ms, delivery.count)
        for each, delivery in sorted(group.pending.items())
        if first <= each <= last and delivery.consumer in consumers and db.now_ms - delivery.at_ms >= least_ms
    ]
    return tuple(found[: max(0, integer(words[2]))])


@STREAMS.command("XCLAIM", -6)
def xclaim(db: Keyspace, args: Sequence[bytes]) -> Reply:
    """Carry out XCLAIM without the options that set times and counts, and without FORCE."""
    key, name, consumer, least, *words = args
    stream, group = _pending(db, key, name)
    least_ms = _least(least, b"XCLAIM")
    names_only = len(words) > 1 and words[-1].upper() == b"JUSTID"
    claimed: list[ID] = []
    for each in [parsed(text) for text in (words[:-1] if names_only else words)]:
        if each not in group.pending:
            continue
        if each not in stream.entries:
            del group.pending[each]
        elif db.now_ms - group.pending[each].at_ms >= least_ms:
            claimed.append(each)
            group.consumers.add(consumer)
            _deliver(db, group, each, consumer, 0 if names_only else 1)
    db.touch(key)
    return tuple(each.written for each in claimed) if names_only else stream.listed(claimed)


@STREAMS.command("XAUTOCLAIM", -6)
def xautoclaim(db: Keyspace, args: Sequence[bytes]) -> Reply:
    key, name, consumer, least, start, *words = args
    least_ms = _least(least, b"XAUTOCLAIM")
    first, _ = id_range(start, b"+")
    count, names_only = 100, False
    while words:
        match words[0].upper():
            case b"COUNT" if len(words) > 1:
                count = integer(words[1])
                words = words[2:]
            case b"JUSTID":
                names_only = True
                words = words[1:]
            case _:
                raise SYNTAX
    if count < 1:
        raise CommandError(b"ERR COUNT must be > 0")
    stream, group = _pending(db, key, name)
    left = [each for each in sorted(group.pending) if each >= first]
    claimed: list[ID] = []
    deleted: list[Reply] = []
    looked_at = 0
    while left and looked_at < 10 * count and len(claimed) + len(deleted) < count:
        each = left.pop(0)
        looked_at += 1
        if each not in stream.entries:
            del group.pending[each]
            deleted.append(each.written)
        elif db.now_ms - group.pending[each].at_ms >= least_ms:
            claimed.append(each)
            group.consumers.add(consumer)
            _deliver(db, group, each, consumer, 0 if names_only else 1)
    db.touch(key)
    found = tuple(each.written for each in claimed) if names_only else stream.listed(claimed)
    return left[0].written if left else b"0-0", found, tuple(deleted)


def _least(text: bytes, command: bytes) -> int:
    """Return the least time in ms that an entry must have been pending."""
    return max(0, integer(text, CommandError(b"ERR Invalid min-idle-time argument for %b" % command)))


def _pending(db: Keyspace, key: bytes, name: bytes) -> tuple[Stream, Group]:
    """Return a group whose pending entries are asked for. Raises CommandError."""
    stream = db.get(key, Stream)
    group = stream.groups.get(name) if stream is not None else None
    if stream is None or group is None:
        raise CommandError(b"NOGROUP No such key '%b' or consumer group '%b'" % (key, name))
    return stream, group


def _stream(db: Keyspace, key: bytes) -> Stream:
    stream = db.get(key, Stream)
    if stream is None:
        raise _NEEDS_KEY
    return stream


def _group(db: Keyspace, key: bytes, name: bytes) -> tuple[Stream, Group]:
    stream = _stream(db, key)
    if name not in stream.groups:
        raise CommandError(b"NOGROUP No such consumer group '%b' for key name '%b'" % (name, key))
    return stream, stream.groups[name]


def _position(stream: Stream, text: bytes) -> ID:
    """Return the ID at which a group begins; `$` is that of the last entry."""
    return stream.last_id if text == b"$" else parsed(text)
