"""Commands of the consumer groups of streams, none of which blocks."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.verify.model.failed import SYNTAX, CommandError
from loadgen.verify.model.keyspace import Keyspace
from loadgen.verify.model.stream import ID, Group, Stream, parsed
from loadgen.verify.model.streams import STREAMS, read_options
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
            owned = [each for each, owner in group.pending.items() if owner == consumer]
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
            read.append((key, _history(stream, group, consumer, after)[:count]))
        elif found := stream.after(group.last_id)[:count]:
            group.consumers.add(consumer)
            group.last_id = found[-1]
            if not acknowledged:
                group.pending.update(dict.fromkeys(found, consumer))
            read.append((key, stream.listed(found)))
        db.touch(key)
    return tuple(read) or Null.ARRAY


def _before_streams(words: Sequence[bytes]) -> int:
    """Return the number of words before STREAMS."""
    return next((at for at, word in enumerate(words) if word.upper() == b"STREAMS"), len(words))


def _history(stream: Stream, group: Group, consumer: bytes, after: ID) -> tuple[Reply, ...]:
    """Return the entries that a consumer has pending above an ID; of a deleted entry the ID and a null array."""
    owned = sorted(each for each, owner in group.pending.items() if owner == consumer and each > after)
    return tuple((each.written, stream.entries.get(each, Null.ARRAY)) for each in owned)


@STREAMS.command("XACK", -4)
def xack(db: Keyspace, args: Sequence[bytes]) -> Reply:
    key, name, *ids = args
    stream = db.get(key, Stream)
    group = stream.groups.get(name) if stream is not None else None
    if group is None:
        return 0
    return sum(group.pending.pop(each, None) is not None for each in [parsed(text) for text in ids])


@STREAMS.command("XPENDING", 3)
def xpending(db: Keyspace, args: Sequence[bytes]) -> Reply:
    key, name = args
    stream = db.get(key, Stream)
    group = stream.groups.get(name) if stream is not None else None
    if group is None:
        raise CommandError(b"NOGROUP No such key '%b' or consumer group '%b'" % (key, name))
    if not group.pending:
        return 0, Null.BULK, Null.BULK, Null.ARRAY
    owners = [*group.pending.values()]
    owned = tuple((consumer, b"%d" % owners.count(consumer)) for consumer in sorted(set(owners)))
    return len(owners), min(group.pending).written, max(group.pending).written, owned


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
