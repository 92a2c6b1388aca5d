"""`fly:APP:3`: agents on machines of Fly.io that live as long as the run. Tested against a stub only.

The leader calls its agents over the organisation's private network (6PN). Agents that call back would need a port of
the leader that Fly's machines can reach, and a leader is mostly behind a NAT; with WireGuard, or on a machine of the
same organisation, the private network works both ways and nothing faces the internet.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from loadgen.errors import UsageError, WorkerError
from loadgen.escape import printable
from loadgen.fleet.channel import Channel
from loadgen.fleet.launchers.asked import Asked
from loadgen.fleet.launchers.machines_api import ApiError, MachinesApi, api_of
from loadgen.fleet.launchers.tcp import called, reached
from loadgen.plan import Endpoint

PORT = 7700
MOST_MACHINES = 100
REACH_S = 30.0
"""How long an agent of a machine that has started is tried."""

UNVERIFIED = (
    "unverified: the launcher fly has been tested against a stub of the Machines API, never against Fly.io itself"
)


@dataclass(frozen=True, slots=True)
class Fly:
    """Agents on machines that are created for the run and destroyed after it."""

    api: MachinesApi
    machines: int
    image: str
    region: str
    """Empty for the app's own."""
    cpus: int
    reach_s: float
    say: Callable[[str], None] = field(compare=False)
    token: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    """By which agents and leader know each other: of this run alone, and gone with the machines."""

    @classmethod
    def of(cls, rest: str, asked: Asked) -> Self:
        """Return the launcher for the words behind `fly:`, an app and a number of machines. Raises UsageError."""
        match = re.fullmatch(r"([a-z0-9][a-z0-9-]{0,62}):(\d{1,4})", rest)
        if match is None or not 1 <= int(match[2]) <= MOST_MACHINES:
            raise UsageError(
                f'--on "fly:{printable(rest, 80)}" names no app and number of machines (1 to {MOST_MACHINES}); write '
                "--on fly:APP:3."
            )
        app, settings = match[1], asked.environment
        image = settings.get("LOADGEN_FLY_IMAGE") or f"registry.fly.io/{app}:loadgen"
        cpus = settings.get("LOADGEN_FLY_CPUS") or "2"
        if cpus not in ("1", "2", "4", "8", "16"):
            raise UsageError(f"LOADGEN_FLY_CPUS is {printable(cpus, 20)!r}, and a machine has 1, 2, 4, 8 or 16 CPUs.")
        region = settings.get("LOADGEN_FLY_REGION", "")
        reach_s = REACH_S if asked.wait_s is None else asked.wait_s
        return cls(api_of(app, settings), int(match[2]), image, region, int(cpus), reach_s, asked.say)

    @property
    def words(self) -> str:
        return f"fly:{self.api.app}:{self.machines}"

    @contextlib.contextmanager
    def launch(self, run: str) -> Iterator[list[Channel]]:
        """Create the machines and call their agents. Raises WorkerError; whatever happens, machines are destroyed."""
        self.say(UNVERIFIED)
        with contextlib.ExitStack() as until_end:
            made: list[str] = []
            until_end.callback(self.destroy, run, made)
            places = []
            for rank in range(self.machines):
                machine = self.api.create(f"loadgen-{run}-{rank}".lower(), self.region, self.config(run))
                made.append(machine["id"])
                places.append((machine, Endpoint(str(machine.get("private_ip", "")), PORT, "")))
            self.say(f"created {len(made)} machines of {self.api.app}: {', '.join(made)}")
            for machine, _ in places:
                self.api.await_started(machine["id"], str(machine.get("instance_id", "")))
            try:
                connections = reached([place for _, place in places], self.reach_s)
            except WorkerError as error:
                raise WorkerError(
                    f"{error}\nMachines of Fly are reached over the organisation's private network: lead the run from "
                    "a machine in it, or connect this one (fly wireguard create)."
                ) from None
            yield [
                until_end.enter_context(called(machine["id"], connection, self.token))
                for (machine, _), connection in zip(places, connections, strict=True)
            ]

    def config(self, run: str) -> dict[str, Any]:
        """Return what a machine is: it runs one agent, is destroyed when that ends, and is open to no one outside."""
        return {
            "image": self.image,
            "init": {"exec": ["loadgen", "agent", "--once", "--listen", f"fly-local-6pn:{PORT}"]},
            "env": {"LOADGEN_TOKEN": self.token},
            "guest": {"cpu_kind": "performance", "cpus": self.cpus, "memory_mb": 2048 * self.cpus},
            "restart": {"policy": "no"},
            "auto_destroy": True,
            "metadata": {"loadgen_run": run},
        }

    def destroy(self, run: str, made: list[str]) -> None:
        """Destroy the machines of this run, those too whose creation was not answered; name those that are left."""
        machines = list(made)
        with contextlib.suppress(ApiError):
            machines += [machine for machine in self.api.of_run(run) if machine not in made]
        left = []
        for machine in machines:
            try:
                self.api.destroy(machine)
            except ApiError as error:
                left.append(machine)
                why = error
        if left:
            self.say(
                f"warning: machines that may be left, and cost: {', '.join(left)} ({why}) Destroy each: fly machine "
                f"destroy --force --app {self.api.app} MACHINE"
            )
