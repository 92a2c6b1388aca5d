"""A load described by keywords, which the tables of the configuration check as they check TOML."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, cast

from loadgen import config
from loadgen.config import presets
from loadgen.errors import UsageError
from loadgen.faults.bench import bench_of
from loadgen.library.loading import Loading
from loadgen.library.server import Server
from loadgen.runner.discovery import on_bench, placed
from loadgen.secret import without_user
from loadgen.server_plan import HOST

KEYS = {
    "protocol": "target.protocol",
    "username": "target.username",
    "password": "target.password",
    "tls": "target.tls",
    "tls_verify": "target.tls_verify",
    "tls_hostname": "target.tls_hostname",
    "tls_ca_file": "target.tls_ca_file",
    "tls_cert": "target.tls_cert",
    "tls_key": "target.tls_key",
    "connections": "connection.connections",
    "pipeline_depth": "connection.pipeline_depth",
    "connect_timeout": "connection.connect_timeout",
    "request_timeout": "connection.request_timeout",
    "connect_rate": "connection.connect_rate",
    "nodelay": "connection.nodelay",
    "keepalive": "connection.keepalive",
    "source_addresses": "connection.source_addresses",
    "reconnect_every": "connection.reconnect_every",
    "reconnect_by": "connection.reconnect_by",
    "idle": "connection.idle",
    "tracking": "target.tracking",
    "tracking_noloop": "target.tracking_noloop",
    "commands": "workload.commands",
    "keys": "workload.keyspace.count",
    "key_bytes": "workload.keyspace.length",
    "value_bytes": "workload.values.length",
    "prefill": "workload.prefill",
    "rate": "workload.rate_limit",
    "arrival": "workload.arrival",
    "warmup": "general.warmup",
    "duration": "general.duration",
    "requests": "general.requests",
    "interval": "general.interval",
    "threads": "general.threads",
    "cpu_list": "general.cpu_list",
    "seed": "general.seed",
    "slo": "slo",
    "checks": "check",
    "faults": "fault",
    "monitors": "monitor",
}
"""Each keyword of a Plan, and its key in the configuration."""


class Plan:
    """A load on a server, checked and ready to be run, any number of times and in any thread.

    `target` is an address (`"127.0.0.1:6379"`), several of them, or a `Server`. The default is the target of `file`, or
    the protocol's usual port on this host. `file` is a configuration in TOML, or the name of a preset; keywords
    override it. `settings` has any other key of the configuration, by its dotted name: `{"verdict.lag": "30s"}`. Values
    are those of TOML: `duration="10s"`, `commands={"get": 80, "set": 20}`, `slo={"p99": "1ms"}`,
    `checks=[{"expr": "errors / requests < 0.1 %"}]`,
    `faults=[{"kind": "kill", "at": "5s", "for": "2s"}]`,
    `monitors=[{"kind": "proc"}]`. A keyword that is not given has its value in `file`, or the
    default that `loadgen config --keys` lists.

    Raises ConfigError with every problem found, UsageError for an unknown preset.
    """

    def __init__(
        self,
        target: str | Sequence[str] | Server | None = None,
        *,
        file: str | Path | None = None,
        settings: Mapping[str, object] | None = None,
        protocol: str | None = None,
        username: str | None = None,
        password: str | None = None,
        tls: bool | None = None,
        tls_verify: bool | None = None,
        tls_hostname: str | None = None,
        tls_ca_file: str | None = None,
        tls_cert: str | None = None,
        tls_key: str | None = None,
        connections: int | None = None,
        pipeline_depth: int | None = None,
        connect_timeout: str | None = None,
        request_timeout: str | None = None,
        connect_rate: float | None = None,
        nodelay: bool | None = None,
        keepalive: str | None = None,
        source_addresses: Sequence[str] | None = None,
        reconnect_every: int | str | None = None,
        reconnect_by: str | None = None,
        idle: int | None = None,
        tracking: str | None = None,
        tracking_noloop: bool | None = None,
        commands: Mapping[str, int] | None = None,
        keys: int | None = None,
        key_bytes: int | None = None,
        value_bytes: int | str | None = None,
        prefill: bool | None = None,
        rate: float | None = None,
        arrival: str | None = None,
        warmup: str | None = None,
        duration: str | None = None,
        requests: int | None = None,
        interval: str | None = None,
        threads: int | None = None,
        cpu_list: str | None = None,
        seed: int | None = None,
        slo: Mapping[str, object] | None = None,
        checks: Sequence[Mapping[str, object]] | None = None,
        faults: Sequence[Mapping[str, object]] | None = None,
        monitors: Sequence[Mapping[str, object]] | None = None,
    ) -> None:
        given = locals()
        self._keywords: dict[str, Any] = {
            name: value for name, value in given.items() if name != "self" and value is not None
        }
        flags = {key: config.Flag(name, _plain(given[name])) for name, key in KEYS.items() if given[name] is not None}
        flags |= {key: config.Flag("settings", _plain(value)) for key, value in (settings or {}).items()}
        self.server = target if isinstance(target, Server) else None
        """The server that is started for each run; None when none is started."""
        if self.server is not None:
            for name in ("protocol", "username", "password", "database", "precheck"):
                if value := getattr(self.server.plan.target, name):
                    flags.setdefault(f"target.{name}", config.Flag("target", value))
            for key, value in config.tls_keys(self.server.plan.target.tls).items():
                flags.setdefault(key, config.Flag("target", value))
            if (cluster := self.server.plan.cluster) is not None:
                flags.setdefault("target.cluster", config.Flag("target", value=True))
                if (faults_given := flags.get("fault")) is not None:
                    flags["fault"] = faults_given._replace(value=_numbered(faults_given.value, cluster.roles))
            # The server's address is known when it runs: this one takes its place in the checks.
            flags["target.endpoints"] = config.Flag("target", [f"{HOST}:1"])
        elif target is not None:
            addresses = [target] if isinstance(target, str) else list(cast(Sequence[str], target))
            flags["target.endpoints"] = config.Flag("target", addresses)
        path = presets.CONFIGS.named(None if file is None else str(file))
        self.config = config.load(path, (), flags)
        """The configuration that `file` and the keywords make."""
        if (described := config.server_plan(self.config, path.stem if path is not None else "")) is not None:
            self.server = Server(described)

    @property
    def settings(self) -> Mapping[str, object]:
        """The keys that were given in `settings`."""
        return dict(self._keywords.get("settings", {}))

    @contextlib.contextmanager
    def up(self) -> Iterator[Loading]:
        """Resolve the plan, and yield it with its server, which is started unless it runs.

        A seed that is not given is drawn anew. Raises TargetError when the server does not start, or a host's name
        cannot be resolved; FaultError when a fault cannot be carried out here.
        """
        resolved, judging = config.resolve(self.config), config.judging(self.config)
        monitors = config.monitors(self.config)
        if self.config.fault:
            if self.server is not None and self.server.is_running:
                raise UsageError("a plan with faults starts its server itself: run it outside of `with server:`.")
            described = self.server.plan if self.server is not None else None
            cluster = described.cluster if described is not None else None
            faults = config.faults(self.config.fault, resolved.seed, cluster)
            if described is None:
                resolved = placed(resolved)
            with bench_of(resolved.target, described, faults).up(lambda progress: None) as up:
                yield Loading(on_bench(resolved, up), judging, up.server, up.operator, monitors, up.notes)
            return
        if self.server is None:
            yield Loading(placed(resolved), judging, None, monitors=monitors)
            return
        with self.server.up() as up:
            yield Loading(placed(resolved.at(*up.endpoints)), judging, up.server, monitors=monitors)

    def replace(self, **keywords: Any) -> Self:
        """Return the same plan with other values for these keywords."""
        return type(self)(**{**self._keywords, **keywords})

    def __repr__(self) -> str:
        shown = {name: "…" if name == "password" else _shown(value) for name, value in self._keywords.items()}
        return f"Plan({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def _shown(value: object) -> object:
    """Return a keyword's value without the user and the password of a URL, also of one in a list of addresses."""
    if isinstance(value, str):
        return without_user(value)
    return [_shown(each) for each in value] if isinstance(value, list) else value


def _numbered(faults: object, roles: Sequence[str]) -> object:
    """Return faults whose nodes have numbers in place of their roles. Raises UsageError for a role that is none."""
    if not isinstance(faults, list) or not all(isinstance(fault, dict) for fault in faults):
        return faults

    def number(node: object) -> object:
        if not isinstance(node, str) or node == "all":
            return node
        if node not in roles:
            raise UsageError(
                f'there is no node "{node}" in the cluster of the target: its nodes are {", ".join(roles)}.'
            )
        return roles.index(node) + 1

    return [
        fault | {"on": [*map(number, on)] if isinstance(on, list) else number(on)}
        for fault in faults
        for on in [fault.get("on", "all")]
    ]


def _plain(value: object) -> object:
    """Return a value with the types of TOML: dicts and lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
