"""A server that loadgen started and that keeps what it is told in a file: its promise, its restarts and its state."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from loadgen.errors import TargetError
from loadgen.escape import printable
from loadgen.faults.disk import DiskFaults, notes
from loadgen.faults.fault import Layer
from loadgen.faults.layer import LayerFaults
from loadgen.faults.process import ProcessFaults
from loadgen.plan import Endpoint
from loadgen.target.server import ManagedServer, ServerError
from loadgen.target.talk.conversation import Conversation, NoAnswerError
from loadgen.target.talk.identity import identify
from loadgen.verify.reply import OK, Error, Reply
from loadgen.verify.subject import resp

OWN = "loadgen:"
"""The beginning of keys that are no case's: those of `faults.disk.crash` and of the probe below."""
_PROBE = f"{OWN}probe".encode()

_PATIENCE_S = 10.0
_INTERVAL_S = 0.02
_KEYS_AT_ONCE = 64
_MOST_BYTES = 1 << 26
_LONGEST = 300

_LAYERS: dict[Layer, Callable[[Sequence[ManagedServer]], LayerFaults]] = {
    Layer.PROCESS: ProcessFaults,
    Layer.DISK: DiskFaults,
}


class DurableServer:
    """A managed server with an append-only file. For use by one thread. Methods raise TargetError and FaultError."""

    def __init__(self, managed: ManagedServer) -> None:
        self.managed = managed
        self._given_up = False
        """True: the server did not start with its files."""
        target = managed.plan.target
        endpoint = Endpoint(managed.host, managed.port, managed.host)
        self.identity = identify(type(target)(target.protocol, (endpoint,))) or managed.name
        self.fsync = self._fsync()
        """When a write reaches the disk, in redis' words: always, everysec or no; empty without an append-only file."""

    def faults(self, layer: Layer) -> LayerFaults:
        """Return a fresh account of the faults of a layer on this server."""
        return _LAYERS[layer]([self.managed])

    def begin(self) -> None:
        """Start the server again without its data."""
        if self._given_up:
            # Its keeper has reported the end of the server, and is of no further use.
            self.managed.stop()
            self.managed.__enter__()
            self.managed.expect_end()
            self._given_up = False
            return
        self.managed.kill()
        if self.managed.plan.surroundings.preload:
            notes.forget(self.managed)
        self.managed.restart(empty=True)
        self.managed.expect_end()

    def settle(self) -> None:
        """Wait until all that was acknowledged is in the file, durable or not, as far as the server says so."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            said = self._info(b"persistence")
            if all(said.get(name, "0") == "0" for name in ("aof_buffer_length", "aof_pending_bio_fsync")):
                return
            time.sleep(_INTERVAL_S)

    def takes_writes(self, patience_s: float) -> str:
        """Return why the server takes no write within a time; empty when it does."""
        deadline = time.monotonic() + patience_s
        while True:
            [reply] = self._ask((b"SET", _PROBE, b"1"))
            if reply == OK:
                return ""
            if time.monotonic() > deadline:
                said = reply.text.decode(errors="replace") if isinstance(reply, Error) else str(reply)
                return printable(said, _LONGEST)
            time.sleep(_INTERVAL_S)

    def kill(self) -> None:
        self.managed.kill()

    def has_ended(self) -> bool:
        return self.managed.has_ended()

    def ends_within(self, patience_s: float) -> bool:
        """Wait for the server to end by itself; False when it does not."""
        deadline = time.monotonic() + patience_s
        while not self.has_ended():
            if time.monotonic() > deadline:
                return False
            time.sleep(_INTERVAL_S)
        return True

    def start(self) -> str:
        """Start the server with its files. Returns why it did not start, in its own words; empty when it did."""
        try:
            self.managed.restart()
        except ServerError as error:
            self._given_up = True
            return error.with_log()
        self.managed.expect_end()
        return ""

    def held(self) -> dict[str, bytes]:
        """Return every key that has a string, with its value."""
        [keys] = self._ask((b"KEYS", b"*"))
        if not isinstance(keys, tuple):
            raise TargetError(f"{self.managed.name} did not say which keys it has.")
        names = [key for key in keys if isinstance(key, bytes) and not key.startswith(OWN.encode())]
        parts = [names[at : at + _KEYS_AT_ONCE] for at in range(0, len(names), _KEYS_AT_ONCE)]
        found: dict[str, bytes] = {}
        for part, values in zip(parts, self._ask(*((b"MGET", *part) for part in parts)), strict=True):
            if not isinstance(values, tuple):
                raise TargetError(f"{self.managed.name} did not say which values it has.")
            pairs = zip(part, values, strict=True)
            found.update((key.decode("latin-1"), value) for key, value in pairs if isinstance(value, bytes))
        return found

    def _fsync(self) -> str:
        said = {}
        for name in (b"appendonly", b"appendfsync"):
            [reply] = self._ask((b"CONFIG", b"GET", name))
            said[name] = reply[1] if isinstance(reply, tuple) and len(reply) == 2 else b""
        fsync = said[b"appendfsync"]
        return fsync.decode() if said[b"appendonly"] == b"yes" and isinstance(fsync, bytes) else ""

    def _info(self, section: bytes) -> dict[str, str]:
        [reply] = self._ask((b"INFO", section))
        lines = reply.decode(errors="replace").splitlines() if isinstance(reply, bytes) else []
        pairs = (line.partition(":") for line in lines)
        return {name: value for name, _, value in pairs}

    def _ask(self, *commands: tuple[bytes, ...]) -> list[Reply]:
        """Return the replies to commands, on a connection of their own. Raises TargetError."""
        try:
            with Conversation(self.managed.host, self.managed.port, _PATIENCE_S, _MOST_BYTES) as conversation:
                conversation.tell(b"".join(resp.encoded(command) for command in commands))
                return [*_replies(conversation, len(commands))]
        except (NoAnswerError, resp.NotRespError) as error:
            raise TargetError(f"{self.managed.name} does not answer: {error}.") from None


def _replies(conversation: Conversation, number: int) -> Iterator[Reply]:
    decoder = resp.Decoder()
    for _ in range(number):
        while (reply := decoder.reply()) is None:
            decoder.feed(conversation.hear())
        yield reply
