"""What stands for the Lua scripts of the queues of `loadgen.jobs`, by the SHA1 of their texts. Pure.

Each function does what the script of its name does, command by command: a test holds the two against each other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from loadgen.jobs.redis.scripts import LISTS, STREAM
from loadgen.verify.model.failed import CommandError
from loadgen.verify.reply import Error, Null, Reply

Call: TypeAlias = Callable[..., Reply]
Found: TypeAlias = "tuple[bytes, bytes]"
"""The token and the id of a job."""


class _Queue(ABC):
    """One run of a script."""

    def __init__(self, call: Call, prefix: bytes) -> None:
        self._try = call
        self._prefix = prefix
        self._queue = self._key(b"queue")
        seconds, us = self._call("TIME")
        self._now = int(seconds) * 1000 + int(us) // 1000

    def _call(self, *words: bytes | str | int) -> Any:
        """Carry out a command, as redis.call does: an error ends the script, and a null is None."""
        reply = self._try(*words)
        if isinstance(reply, Error):
            raise CommandError(reply.text)
        return _plain(reply)

    def _key(self, name: bytes) -> bytes:
        return self._prefix + name

    def _job(self, id: bytes) -> bytes:
        return self._key(b"job:" + id)

    # ── How jobs wait ─────────────────────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def _put(self, id: bytes) -> bytes: ...

    @abstractmethod
    def _drop(self, token: bytes, id: bytes, owner: bytes | None) -> None: ...

    @abstractmethod
    def _holds(self, worker: bytes, id: bytes) -> bool: ...

    @abstractmethod
    def _hand_over(self, id: bytes, owner: bytes, worker: bytes) -> None: ...

    @abstractmethod
    def _touch(self, worker: bytes, token: bytes, id: bytes) -> bool: ...

    @abstractmethod
    def _read(self, worker: bytes, most: int) -> Sequence[Found]: ...

    @abstractmethod
    def _expired(
        self, worker: bytes, lease_ms: int, cursor: bytes
    ) -> tuple[bytes, Sequence[tuple[bytes, bytes, bytes]]]: ...

    @abstractmethod
    def _forget(self, worker: bytes) -> bool: ...

    # ── Jobs ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _heard(self, worker: bytes) -> None:
        self._try("ZADD", self._key(b"workers"), self._now, worker)

    def _publish(self, job: Sequence[bytes], key_ms: bytes) -> Reply:
        id, name, payload, terms, due, key = job
        if key and (earlier := self._call("GET", self._key(b"key:" + key))) is not None:
            return (earlier, 1)
        if self._call("EXISTS", self._job(id)) == 1:
            return (id, 1)
        state, token = "pending", b""
        if int(due) > self._now:
            state = "delayed"
            self._call("ZADD", self._key(b"delayed"), due, id)
        else:
            token = self._put(id)
        self._call(
            "HSET", self._job(id), "s", state, "m", token, "n", name, "p", payload, "t", terms, "b", self._now
        )  # fmt: skip
        if key:
            self._call("SET", self._key(b"key:" + key), id, "PX", key_ms)
        return (id, 0)

    def _promote(self) -> int:
        delayed = self._key(b"delayed")
        for id in self._call("ZRANGEBYSCORE", delayed, "-inf", self._now, "LIMIT", 0, 1000):
            self._call("ZREM", delayed, id)
            self._call("HSET", self._job(id), "s", "pending", "m", self._put(id))
        first = self._call("ZRANGE", delayed, 0, 0, "WITHSCORES")
        return max(int(first[1]) - self._now, 0) if first else -1

    def _begin(
        self, id: bytes, token: bytes, worker: bytes, is_running_allowed: bool
    ) -> tuple[Reply | None, bytes | None]:
        """Return the claim and the state of a job; None for the claim of one that cannot be claimed."""
        state, known, name, payload, terms, failed, delivery, fence = self._call(
            "HMGET", self._job(id), "s", "m", "n", "p", "t", "a", "d", "f"
        )
        if known != token or not (state == b"pending" or (state == b"running" and is_running_allowed)):
            return None, state
        delivery, fence = int(delivery or 0) + 1, int(fence or 0) + 1
        self._call(
            "HSET", self._job(id), "s", "running", "w", worker, "c", self._now, "d", delivery, "f", fence
        )  # fmt: skip
        self._call("ZADD", self._key(b"running"), self._now, id)
        return (token, id, name, payload, terms, int(failed or 0), delivery, fence), state

    def _finish(self, id: bytes, state: str, keep_ms: bytes, *fields: bytes | str | int) -> None:
        self._call("HSET", self._job(id), "s", state, *fields)
        self._call("HDEL", self._job(id), "p", "t", "m", "w", "c", "d", "r")
        self._call("PEXPIRE", self._job(id), keep_ms)
        self._call("ZADD", self._key(state.encode()), self._now, id)

    def _prune(self, keep_ms: bytes) -> None:
        for state in (b"success", b"cancelled"):
            self._call("ZREMRANGEBYSCORE", self._key(state), "-inf", self._now - int(keep_ms))
            self._call("PEXPIRE", self._key(state), keep_ms)

    def _die(self, id: bytes, failed: int, text: bytes, fence: bytes | int) -> None:
        self._call("HSET", self._job(id), "s", "dead", "a", failed, "e", text, "f", fence)
        self._call("HDEL", self._job(id), "m", "w", "c", "d", "r")
        self._call("ZADD", self._key(b"dead"), self._now, id)

    # ── Operations ────────────────────────────────────────────────────────────────────────────────────────────────────

    def publish(self, words: Sequence[bytes]) -> Reply:
        return tuple(self._publish(words[at : at + 6], words[0]) for at in range(1, len(words), 6))

    def claim(self, words: Sequence[bytes]) -> Reply:
        worker, most = words[0], int(words[1])
        claims: list[Reply] = []
        for token, id in zip(words[2::2], words[3::2], strict=True):
            if self._holds(worker, id):
                claim, state = self._begin(id, token, worker, False)
                if claim is not None:
                    claims.append(claim)
                elif state != b"running":
                    self._drop(token, id, worker)
        due = self._promote()
        if not worker:
            return due, tuple(claims)
        if most > len(claims):
            for token, id in self._read(worker, most - len(claims)):
                claim, _ = self._begin(id, token, worker, True)
                if claim is not None:
                    claims.append(claim)
                else:
                    self._drop(token, id, worker)
        self._heard(worker)
        return due, tuple(claims)

    def renew(self, words: Sequence[bytes]) -> Reply:
        worker, replies = words[0], []
        for id, token, fence in zip(words[1::3], words[2::3], words[3::3], strict=True):
            known = self._call("HMGET", self._job(id), "s", "f")
            replies.append(int(known == (b"running", fence) and self._touch(worker, token, id)))
        self._heard(worker)
        return tuple(replies)

    def settle(self, words: Sequence[bytes]) -> Reply:
        worker, keep_ms, replies = words[0], words[1], []
        for at in range(2, len(words), 6):
            id, token, fence, kind, text, wait = words[at : at + 6]
            state, known, failed, owner = self._call("HMGET", self._job(id), "s", "f", "a", "w")
            taken = known == fence
            if taken and state == b"running":
                attempts = int(failed or 0) + 1
                self._drop(token, id, owner)
                self._call("ZREM", self._key(b"running"), id)
                if kind == b"success":
                    self._finish(id, "success", keep_ms, "a", attempts, "v", text)
                elif kind == b"again":
                    after, again = "delayed", b""
                    if int(wait) > 0:
                        self._call("ZADD", self._key(b"delayed"), self._now + int(wait), id)
                    else:
                        after, again = "pending", self._put(id)
                    self._call("HSET", self._job(id), "s", after, "m", again, "a", attempts, "e", text)
                    self._call("HDEL", self._job(id), "w", "c", "d", "r")
                else:
                    self._die(id, attempts, text, fence)
            replies.append(int(taken))
        self._prune(keep_ms)
        self._heard(worker)
        return tuple(replies)

    def sweep(self, words: Sequence[bytes]) -> Reply:
        worker, cursor, keep_ms = words[0], words[4], words[6]
        most, lease_ms, most_deliveries, forget_ms = (int(words[at]) for at in (1, 2, 3, 5))
        claims: list[Reply] = []
        reclaimed: list[bytes] = []
        dead: list[bytes] = []
        self._heard(worker)
        after, jobs = self._expired(worker, lease_ms, cursor)
        for token, id, owner in jobs:
            state, known, failed, delivery, fence = self._call("HMGET", self._job(id), "s", "m", "a", "d", "f")
            deliveries, next_fence = int(delivery or 0), int(fence or 0) + 1
            if known != token or state not in (b"running", b"pending"):
                self._drop(token, id, owner)
            elif deliveries >= most_deliveries:
                self._drop(token, id, owner)
                self._call("ZREM", self._key(b"running"), id)
                self._die(id, int(failed or 0), b"claimed %d times without an end" % deliveries, next_fence)
                dead.append(id)
            else:
                reclaimed.append(id)
                if len(claims) < most:
                    self._hand_over(id, owner, worker)
                    claim, _ = self._begin(id, token, worker, True)
                    assert claim is not None
                    claims.append(claim)
                else:
                    self._drop(token, id, owner)
                    self._call("ZREM", self._key(b"running"), id)
                    self._call("HSET", self._job(id), "s", "pending", "m", self._put(id), "f", next_fence)
                    self._call("HDEL", self._job(id), "w", "c", "r")
        if after == b"0-0":
            workers = self._key(b"workers")
            for silent in self._call("ZRANGEBYSCORE", workers, "-inf", self._now - forget_ms, "LIMIT", 0, 100):
                if self._forget(silent):
                    self._call("ZREM", workers, silent)
            self._prune(keep_ms)
        return self._promote(), after, tuple(claims), tuple(reclaimed), tuple(dead)

    def cancel(self, words: Sequence[bytes]) -> Reply:
        id, keep_ms = words
        state, token = self._call("HMGET", self._job(id), "s", "m")
        if state == b"delayed":
            self._call("ZREM", self._key(b"delayed"), id)
        elif state == b"pending":
            self._drop(token, id, None)
        else:
            return 0
        self._finish(id, "cancelled", keep_ms)
        self._prune(keep_ms)
        return 1

    def retry(self, words: Sequence[bytes]) -> Reply:
        [id] = words
        if self._call("HGET", self._job(id), "s") != b"dead":
            return 0
        self._call("HSET", self._job(id), "s", "pending", "m", self._put(id))
        self._call("HDEL", self._job(id), "a")
        self._call("ZREM", self._key(b"dead"), id)
        return 1

    def change(self, words: Sequence[bytes]) -> Reply:
        name, schedule = words
        if self._call("HEXISTS", self._key(b"schedules"), name) == 0:
            return 0
        self._call("HSET", self._key(b"schedules"), name, schedule)
        return 1

    def fire(self, words: Sequence[bytes]) -> Reply:
        name, before, after, key_ms, *job = words
        if self._call("HGET", self._key(b"schedules"), name) != before:
            return 0
        self._publish(job, key_ms)
        self._call("HSET", self._key(b"schedules"), name, after)
        return 1


class _Stream(_Queue):
    """A queue on a stream."""

    def _put(self, id: bytes) -> bytes:
        token: bytes = self._call("XADD", self._queue, "*", "id", id)
        return token

    def _drop(self, token: bytes, id: bytes, owner: bytes | None) -> None:
        self._call("XACK", self._queue, "workers", token)
        self._call("XDEL", self._queue, token)

    def _holds(self, worker: bytes, id: bytes) -> bool:
        return True

    def _hand_over(self, id: bytes, owner: bytes, worker: bytes) -> None:
        """The entry is the sweeping worker's already."""

    def _touch(self, worker: bytes, token: bytes, id: bytes) -> bool:
        return len(self._call("XCLAIM", self._queue, "workers", worker, 0, token, "JUSTID")) == 1

    def _in_group(self, *words: bytes | str | int) -> Any:
        reply = self._try(*words)
        if not isinstance(reply, Error):
            return _plain(reply)
        if reply.code == b"NOGROUP":
            self._call("XGROUP", "CREATE", self._queue, "workers", "0", "MKSTREAM")
        return self._call(*words)

    def _read(self, worker: bytes, most: int) -> Sequence[Found]:
        reply = self._in_group(
            "XREADGROUP", "GROUP", "workers", worker, "COUNT", most, "STREAMS", self._queue, ">"
        )  # fmt: skip
        return [] if reply is None else [(token, fields[1]) for token, fields in reply[0][1]]

    def _expired(
        self, worker: bytes, lease_ms: int, cursor: bytes
    ) -> tuple[bytes, Sequence[tuple[bytes, bytes, bytes]]]:
        reply = self._in_group("XAUTOCLAIM", self._queue, "workers", worker, lease_ms, cursor, "COUNT", 100)
        return reply[0], [(token, fields[1], worker) for token, fields in reply[1]]

    def _forget(self, worker: bytes) -> bool:
        if self._in_group("XPENDING", self._queue, "workers", "-", "+", 1, worker):
            return False
        self._call("XGROUP", "DELCONSUMER", self._queue, "workers", worker)
        return True


class _Lists(_Queue):
    """A queue on lists."""

    def _taken(self, worker: bytes) -> bytes:
        return self._key(b"taken:" + worker)

    def _put(self, id: bytes) -> bytes:
        self._call("LPUSH", self._queue, id)
        return b""

    def _drop(self, token: bytes, id: bytes, owner: bytes | None) -> None:
        if owner is None:
            self._call("LREM", self._queue, -1, id)
        else:
            self._call("LREM", self._taken(owner), 1, id)

    def _holds(self, worker: bytes, id: bytes) -> bool:
        return self._call("LPOS", self._taken(worker), id) is not None

    def _hand_over(self, id: bytes, owner: bytes, worker: bytes) -> None:
        self._call("LREM", self._taken(owner), 1, id)
        self._call("LPUSH", self._taken(worker), id)

    def _touch(self, worker: bytes, token: bytes, id: bytes) -> bool:
        self._call("HDEL", self._job(id), "r")
        self._call("HSET", self._job(id), "r", self._now)
        return True

    def _read(self, worker: bytes, most: int) -> Sequence[Found]:
        found = []
        for _ in range(most):
            id = self._call("RPOP", self._queue)
            if id is None:
                break
            self._call("LPUSH", self._taken(worker), id)
            found.append((b"", id))
        return found

    def _expired(
        self, worker: bytes, lease_ms: int, cursor: bytes
    ) -> tuple[bytes, Sequence[tuple[bytes, bytes, bytes]]]:
        found: list[tuple[bytes, bytes, bytes]] = []
        for owner in self._call("ZRANGE", self._key(b"workers"), 0, -1):
            for id in reversed(self._call("LRANGE", self._taken(owner), 0, -1)):
                state, claimed, renewed = self._call("HMGET", self._job(id), "s", "c", "r")
                if state == b"pending" and renewed is None:
                    self._touch(owner, b"", id)
                elif max(int(claimed or 0), int(renewed or 0)) <= self._now - lease_ms:
                    found.append((b"", id, owner))
                    if len(found) == 1000:
                        return b"0-1", found
        return b"0-0", found

    def _forget(self, worker: bytes) -> bool:
        return bool(self._call("LLEN", self._taken(worker)) == 0)


def _plain(reply: Reply) -> Any:
    if isinstance(reply, tuple):
        return tuple(_plain(each) for each in reply)
    return None if isinstance(reply, Null) else reply


def _function(kind: type[_Queue], operation: str) -> Callable[[Call, list[bytes], list[bytes]], Reply]:
    def run(call: Call, keys: list[bytes], words: list[bytes]) -> Reply:
        reply: Reply = getattr(kind(call, keys[0]), operation)(words)
        return reply

    return run


QUEUES = {
    script.sha1: _function(kind, operation)
    for kind, scripts in ((_Stream, STREAM), (_Lists, LISTS))
    for operation, script in scripts.items()
}
"""The functions that stand for the scripts, by the SHA1 of their texts."""
