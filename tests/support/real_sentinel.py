"""A real master with replicas under Redis Sentinel, for tests.

    with RealSentinel() as group:
        group.kill(group.master)
        group.wait_for_promotion()

The sentinels are told of each other and of the replicas by their configuration, so a group is ready when its replicas
are in step. Knows nothing of `loadgen`.
"""

from __future__ import annotations

from pathlib import Path

from real_nodes import HOST, Nodes, RealNode, Tls, wait_until

NAME = "mymaster"


class SentinelNode(RealNode):
    """A redis-server that watches others. `name` is its id. Its answers need no password, and no TLS unless given."""

    def __init__(self, folder: Path, number: int, tls: Tls | None = None) -> None:
        super().__init__(folder, tls=tls)
        self.name = f"{number + 1:040x}"

    def _words(self, port: int, folder: Path) -> list[str]:
        return [str(folder / "sentinel.conf"), "--sentinel"]

    def configure(self, lines: list[str]) -> None:
        """Writes what the sentinel is told. It adds what it learns."""
        port = [f"port {self.port}"]
        if self._tls is not None:
            words = self._tls.words()
            options = [f"{option[2:]} {value}" for option, value in zip(words[::2], words[1::2], strict=True)]
            port = ["port 0", f"tls-port {self.port}", *options]
        own = [f"bind {HOST}", *port, "daemonize no", f"dir {self.folder}", f"sentinel myid {self.name}"]
        (self.folder / "sentinel.conf").write_text("\n".join([*own, *lines]) + "\n")


class RealSentinel(Nodes):
    """One master named `mymaster`, its replicas and the sentinels, a majority of which decides.

    A master that is silent for `down_after_ms` is down; a replica is promoted within about a second then.
    """

    def __init__(
        self,
        sentinels: int = 1,
        replicas: int = 1,
        *,
        down_after_ms: int = 500,
        password: str = "",
        tls: Tls | None = None,
    ) -> None:
        super().__init__()
        self._counts = sentinels, replicas
        self._down_after_ms = down_after_ms
        self._password, self._tls = password, tls
        self.nodes: list[RealNode] = []
        """The data nodes; the first is the first master."""
        self.sentinels: list[SentinelNode] = []

    @property
    def endpoints(self) -> list[str]:
        """The addresses of the sentinels."""
        return [sentinel.endpoint for sentinel in self.sentinels]

    # ── Forming ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _form(self) -> None:
        sentinels, replicas = self._counts
        first = self._data_node()
        self.nodes = [first, *(self._data_node("--replicaof", f"{HOST} {first.port}") for _ in range(replicas))]
        self.sentinels = [self._sentinel(number) for number in range(sentinels)]
        for node in self.nodes:
            node.wait_to_answer()
        wait_until(lambda: all(_follows(node, first) for node in self.nodes[1:]), "replicas are in step")
        for sentinel in self.sentinels:
            sentinel.configure(self._told(sentinel))
            sentinel.begin()
        for sentinel in self.sentinels:
            sentinel.wait_to_answer()
        wait_until(self.is_ok, "sentinels agree")

    def _data_node(self, *args: str) -> RealNode:
        node = self._place(*args, password=self._password, tls=self._tls)
        node.begin()
        return node

    def _sentinel(self, number: int) -> SentinelNode:
        node = self._placed_in(lambda folder: SentinelNode(folder, number, self._tls))
        assert isinstance(node, SentinelNode)
        return node

    def _told(self, sentinel: SentinelNode) -> list[str]:
        master, *replicas = self.nodes
        lines = [f"sentinel monitor {NAME} {HOST} {master.port} {len(self.sentinels) // 2 + 1}"]
        lines.append(f"sentinel down-after-milliseconds {NAME} {self._down_after_ms}")
        lines.append(f"sentinel failover-timeout {NAME} 5000")
        if self._password:
            lines.append(f'sentinel auth-pass {NAME} "{self._password}"')
        lines += [f"sentinel known-replica {NAME} {HOST} {replica.port}" for replica in replicas]
        others = [other for other in self.sentinels if other is not sentinel]
        return [*lines, *(f"sentinel known-sentinel {NAME} {HOST} {other.port} {other.name}" for other in others)]

    # ── Looking ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def master(self) -> RealNode:
        """Who is master, as the first live sentinel says."""
        return self._named_by(next(sentinel for sentinel in self.sentinels if sentinel.alive))

    def _named_by(self, sentinel: SentinelNode) -> RealNode:
        _, port = sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return next(node for node in self.nodes if node.port == int(port))

    def is_ok(self) -> bool:
        """True when live sentinels name one master, see each other and it, and each live replica follows it."""
        alive = [sentinel for sentinel in self.sentinels if sentinel.alive]
        masters = {self._named_by(sentinel) for sentinel in alive}
        if len(masters) != 1:
            return False
        [master] = masters
        replicas = [node for node in self.nodes if node.alive and node is not master]
        return (
            master.info("replication")["role"] == "master"
            and all(_follows(node, master) for node in replicas)
            and all(sentinel.ask("SENTINEL", "CKQUORUM", NAME).startswith(b"OK") for sentinel in alive)
            and all(_sees(sentinel) for sentinel in alive)
        )

    # ── Failures ────────────────────────────────────────────────────────────────────────────────────────────────────

    def kill(self, node: RealNode) -> None:
        """SIGKILL. After `node.start()` it is a master until the sentinels make it a replica, 10 to 25 s later."""
        node.kill()

    def start_as_replica(self, node: RealNode) -> None:
        """Starts a dead node as a replica of the present master, and waits until it is in step."""
        master = self.master
        node.start()
        node.ask("REPLICAOF", HOST, master.port)
        wait_until(self.is_ok, "the old master is a replica")

    def wait_for_promotion(self, lost: RealNode) -> RealNode:
        """Waits until all live sentinels name a master other than `lost` which is one, and returns it."""

        def promoted() -> bool:
            masters = {self._named_by(sentinel) for sentinel in self.sentinels if sentinel.alive}
            return lost not in masters and len(masters) == 1 and _is_master(next(iter(masters)))

        wait_until(promoted, f"another than {lost.endpoint} is master")
        return self.master

    def fail_over(self) -> RealNode:
        """SENTINEL FAILOVER, with a master that is well. Returns the new master."""
        before = self.master
        sentinel = next(sentinel for sentinel in self.sentinels if sentinel.alive)
        sentinel.ask("SENTINEL", "FAILOVER", NAME)
        return self.wait_for_promotion(before)


def _is_master(node: RealNode) -> bool:
    return node.info("replication")["role"] == "master"


def _follows(node: RealNode, master: RealNode) -> bool:
    said = node.info("replication")
    return said.get("master_port") == str(master.port) and said.get("master_link_status") == "up"


def _sees(sentinel: SentinelNode) -> bool:
    """True when the sentinel has a good replica for a fail-over, too."""
    rows = [iter(row) for row in sentinel.ask("SENTINEL", "REPLICAS", NAME)]
    replicas = [dict(zip(row, row, strict=True)) for row in rows]
    return any(row[b"flags"] == b"slave" and row[b"master-link-status"] == b"ok" for row in replicas)
