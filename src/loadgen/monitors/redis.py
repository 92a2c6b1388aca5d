"""The monitor of a server that speaks RESP, by its INFO. The names of series are INFO's own."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from functools import partial

from loadgen.greeting import is_locked
from loadgen.judge.expression.dimension import COUNT, NUMBER, SIZE, TIME
from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.monitor import Found, UnderLoad, Unreadable
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.series import level, total
from loadgen.monitors.talking import Talk, target_of
from loadgen.plan import Target
from loadgen.secret import masked
from loadgen.target.talk.conversation import Conversation
from loadgen.target.talk.resp import Asker, Reply, ReplyKind
from loadgen.units import NS_PER_S, NS_PER_US

SERIES: Mapping[str, Known] = {
    "used_memory": level(SIZE, "memory that the server has allocated"),
    "used_memory_dataset": level(SIZE, "memory of keys and values: used_memory without the server's own needs"),
    "used_memory_overhead": level(SIZE, "memory of the server's own needs"),
    "used_memory_rss": level(SIZE, "resident memory of the server"),
    "mem_fragmentation_ratio": level(NUMBER, "resident memory as a multiple of used memory"),
    "mem_clients_normal": level(SIZE, "memory of connections"),
    "connected_clients": level(COUNT, "open connections"),
    "blocked_clients": level(COUNT, "connections that wait in a blocking command"),
    "keys": level(COUNT, "keys of all databases"),
    "evicted_keys": total(COUNT, "keys that were removed as memory was full"),
    "expired_keys": total(COUNT, "keys whose time was over"),
    "keyspace_hits": total(COUNT, "reads that found their key"),
    "keyspace_misses": total(COUNT, "reads that did not"),
    "total_commands_processed": total(COUNT, "commands, this monitor's own among them"),
    "total_connections_received": total(COUNT, "connections that were accepted"),
    "rejected_connections": total(COUNT, "connections that were refused as there were too many"),
    "total_error_replies": total(COUNT, "error replies"),
    "total_net_input_bytes": total(SIZE, "bytes received"),
    "total_net_output_bytes": total(SIZE, "bytes sent"),
    "aof_current_size": level(SIZE, "size of the append-only file"),
    "rdb_changes_since_last_save": level(COUNT, "writes since the last snapshot"),
    "latest_fork_usec": level(TIME, "time that the last fork took"),
    "uptime": level(TIME, "time since the start of the server"),
}

_UNITS = {"latest_fork_usec": ("latest_fork_usec", NS_PER_US), "uptime": ("uptime_in_seconds", NS_PER_S)}
"""The fields of INFO whose names have a unit, and the unit in ns."""

_FIELD = re.compile(r"^(\w+):([^\r\n]*)\r?$", re.MULTILINE)
_KEYS = re.compile(r"^db\d+:keys=(\d+)", re.MULTILINE)


def parse_info(text: str) -> Found:
    """Return the values in INFO. Raises Unreadable when the text is none."""
    fields = dict(_FIELD.findall(text))
    values = dict(_values(fields))
    if not values:
        raise Unreadable("its INFO has none of the fields of redis")
    if "# Keyspace" in text or _KEYS.search(text):
        # A database without keys has no line.
        values["keys"] = sum(map(int, _KEYS.findall(text)))
    run_id = fields.get("run_id", "")
    return Found(values, f"run_id {run_id}" if run_id else "")


def _values(fields: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    for name in SERIES:
        field, factor = _UNITS.get(name, (name, 1))
        try:
            value = float(fields.get(field, "nan")) * factor
        except ValueError:
            continue
        if math.isfinite(value):
            yield name, value


class RedisMonitor:
    """The monitor of kind `redis`. It has one connection to the server, on which it sends INFO each time."""

    kind = "redis"
    series = SERIES

    def __init__(self, plan: MonitorPlan, under: UnderLoad) -> None:
        self.name, self.every_ns = plan.name, plan.every_ns
        self._plan, self._under = plan, under
        self._talk = Talk(plan.timeout_ns, greeted)

    def read(self) -> Found:
        target = target_of(self._plan, self._under)
        text = self._talk.ask(target, "INFO", partial(said, target=target, words=(b"INFO",)))
        try:
            return parse_info(text)
        except Unreadable as unreadable:
            raise Unreadable(f"{target.endpoints[0]} is no redis: {unreadable}") from None

    def evidence(self) -> Mapping[str, str]:
        """Return the server's connections, and its own account of its memory."""
        found = {}
        talk = Talk(self._plan.timeout_ns, greeted)
        with closing(talk), suppress(Unreadable):
            target = target_of(self._plan, self._under)
            for name, words in _EVIDENCE.items():
                with suppress(Unreadable):
                    text = talk.ask(target, name, partial(_told, words=words))
                    found[name] = masked(text, target.password)
        return found

    def close(self) -> None:
        self._talk.close()


_EVIDENCE = {
    "clients.txt": (b"CLIENT", b"LIST"),
    "memory-doctor.txt": (b"MEMORY", b"DOCTOR"),
    "memory-stats.txt": (b"MEMORY", b"STATS"),
    "info.txt": (b"INFO",),
}


def _told(asker: Asker, words: tuple[bytes, ...]) -> str:
    value = asker.value(*words)
    if isinstance(value, Reply) and value.kind in (ReplyKind.CUT, ReplyKind.GARBAGE):
        raise Unreadable(f"the answer to {words[0].decode()} is not whole")
    return written(value)


def written(value: object, indent: str = "") -> str:
    """Return a reply of any type as lines of text. A list is taken for pairs of a name and a value where it is one."""
    match value:
        case dict():
            pairs = [*value.items()]
        case list() if value and len(value) % 2 == 0 and all(isinstance(name, bytes) for name in value[::2]):
            pairs = [*zip(value[::2], value[1::2], strict=True)]
        case list():
            return "".join(written(each, indent) for each in value)
        case bytes():
            return f"{indent}{value.decode(errors='backslashreplace')}\n"
        case Reply():
            return f"{indent}{value.text}\n"
        case _:
            return f"{indent}{value}\n"
    lines = []
    for name, part in pairs:
        is_deep = isinstance(part, dict | list)
        head = f"{indent}{written(name).rstrip()}:"
        lines.append(f"{head}\n{written(part, indent + '  ')}" if is_deep else f"{head} {written(part)}")
    return "".join(lines)


def greeted(conversation: Conversation, target: Target) -> Asker:
    """Return what asks the server, which is given the target's password when it asks for one.

    Raises Unreadable when the password is refused. A server that a monitor names may have none where the target has.
    """
    asker = Asker(conversation)
    if target.password and is_locked(asker.ask(b"PING").text):
        said(asker, target, (b"AUTH", *filter(None, (target.username.encode(), target.password.encode()))))
    return asker


def said(asker: Asker, target: Target, words: tuple[bytes, ...]) -> str:
    """Return the text that answers a command. Raises Unreadable when something else does, and NoAnswerError."""
    reply = asker.ask(*words)
    if reply.kind is ReplyKind.TEXT:
        return masked(reply.text, target.password)
    question, answer = words[0].decode(), masked(reply.text, target.password)
    if reply.kind is ReplyKind.GARBAGE:
        raise Unreadable(f"{target.endpoints[0]} answers {question} with something that is not RESP: {answer}")
    if reply.kind is ReplyKind.CUT:
        raise Unreadable(f"the answer of {target.endpoints[0]} to {question} has no end")
    raise Unreadable(f"{target.endpoints[0]} answers {question} with {answer}")
