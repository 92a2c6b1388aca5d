"""A server that loadgen started and that keeps what it is told in a file: its promise, its restarts and its state."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence

from loadgen.errors import TargetError
from loadgen.escape import printable
from loadgen.faults.disk import DiskFaults, notes
from loadgen.faults.disk.files import files
from loadgen.faults.fault import Layer
from loadgen.faults.layer import LayerFaults
from loadgen.faults.process import ProcessFaults
from loadgen.target.server import ManagedServer, ServerError
from loadgen.target.talk.conversation import Conversation, NoAnswerError
from loadgen.target.talk.identity import identify
from loadgen.verify.durability.dump import Demand, Dump
from loadgen.verify.durability.persistence import PERSISTENCES, Persistence
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

# redis' fields of INFO.
_DUMPING = ("rdb_bgsave_in_progress", "aof_rewrite_in_progress", "aof_rewrite_scheduled")
_DUMPED = ("rdb_last_bgsave_status", "aof_last_bgrewrite_status")
_TELLS_OF_DAMAGE = re.compile(r"(?i)short read|truncat|corrupt|checksum|bad file format|wrong signature|unexpected end")

_LAYERS: dict[Layer, Callable[[Sequence[ManagedServer]], LayerFaults]] = {
    Layer.PROCESS: ProcessFaults,
    Layer.DISK: DiskFaults,
}


class DurableServer:
    """A managed server with files of its data. For use by one thread. Methods raise TargetError and FaultError."""

    def __init__(self, managed: ManagedServer) -> None:
        self.managed = managed
        self._given_up = False
        """True: the server did not start with its files."""
        target = managed.plan.target
        endpoint = managed.endpoint
        self.identity = identify(type(target)(target.protocol, (endpoint,))) or managed.name
        self.persistence = self._persistence()
        """How the server keeps its data; None where that is none of `PERSISTENCES`."""
        self.damage = ""
        """The line of the log in which the server told of damage when it was last started; empty without one."""

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

    # ── Dumps ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def dump(self, demand: Demand) -> str:
        """Have a dump begun, or with SAVE made. Returns the error that is answered; empty without one."""
        slow = (b"CONFIG", b"SET", b"rdb-key-save-delay", b"%d" % demand.delay_us)
        at_once = (b"CONFIG", b"SET", b"rdb-key-save-delay", b"0")
        match demand.dump:
            case Dump.SAVE:
                [reply] = self._ask((b"SAVE",))
            case Dump.GROWN:
                # The server begins within 0.1 s, and only then reads the delay.
                _, reply = self._ask(slow, (b"CONFIG", b"SET", b"auto-aof-rewrite-min-size", b"1"))
            case _:
                # A child process has the delay of its beginning.
                _, reply, _ = self._ask(slow, (demand.dump.value.encode(),), at_once)
        # A dump that the server has begun by itself is as good.
        return _words(reply) if isinstance(reply, Error) and b"in progress" not in reply.text else ""

    def is_dumping(self) -> bool:
        """Return True while a child process makes a dump."""
        said = self._info(b"persistence")
        return any(said.get(name, "0") != "0" for name in _DUMPING)

    def dump_failure(self) -> str:
        """Return what the server says of its last dump by a child process, where that failed; empty else."""
        said = self._info(b"persistence")
        return next((f"{name}:{said[name]}" for name in _DUMPED if said.get(name, "ok") != "ok"), "")

    def cut_dumps(self) -> int:
        """Return the number of files that dumps have left half-made, of a server that is down."""
        return sum(path.name.startswith("temp-") for path in files(self.managed.data))

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
                return _words(reply)
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
        end_of_log = self.managed.log_length()
        try:
            self.managed.restart()
        except ServerError as error:
            self._given_up = True
            return error.with_log()
        self.managed.expect_end()
        self.damage = next(filter(_TELLS_OF_DAMAGE.search, self.managed.log_from(end_of_log)), "")
        return ""

    def write(self, commands: Sequence[tuple[bytes, ...]]) -> list[str]:
        """Have writes done; return the errors and other unexpected replies to them."""
        return [_words(reply) for reply in self._ask(*commands) if isinstance(reply, Error)]

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

    def _persistence(self) -> Persistence | None:
        said = {}
        for name in (b"appendonly", b"appendfsync"):
            [reply] = self._ask((b"CONFIG", b"GET", name))
            said[name] = reply[1] if isinstance(reply, tuple) and len(reply) == 2 else b""
        if said[b"appendonly"] == b"no":
            return PERSISTENCES["rdb"]
        fsync = said[b"appendfsync"]
        return PERSISTENCES.get(fsync.decode()) if isinstance(fsync, bytes) else None

    def _info(self, section: bytes) -> dict[str, str]:
        [reply] = self._ask((b"INFO", section))
        lines = reply.decode(errors="replace").splitlines() if isinstance(reply, bytes) else []
        pairs = (line.partition(":") for line in lines)
        return {name: value for name, _, value in pairs}

    def _ask(self, *commands: tuple[bytes, ...]) -> list[Reply]:
        """Return the replies to commands, on a connection of their own. Raises TargetError."""
        try:
            with Conversation(
                self.managed.endpoint, _PATIENCE_S, _MOST_BYTES, tls=self.managed.plan.target.tls
            ) as conversation:
                conversation.tell(b"".join(resp.encoded(command) for command in commands))
                return [*_replies(conversation, len(commands))]
        except (NoAnswerError, resp.NotRespError) as error:
            raise TargetError(f"{self.managed.name} does not answer: {error}.") from None


def _words(reply: Reply) -> str:
    """Return a reply as text: what an error says."""
    return printable(reply.text.decode(errors="replace") if isinstance(reply, Error) else str(reply), _LONGEST)


def _replies(conversation: Conversation, number: int) -> Iterator[Reply]:
    decoder = resp.Decoder()
    for _ in range(number):
        while (reply := decoder.reply()) is None:
            decoder.feed(conversation.hear())
        yield reply
